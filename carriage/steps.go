package carriage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"entente/act"
	"entente/intake"
	"entente/ledger"
)

// The steps of a link, for whoever drives a node without goroutines, timers or
// connections: the loops of a session call the same ones.

// Greeting is what a party tells its partner when they meet: its clock, what
// it expects next, and what it last saw of the partner's ledger.
type Greeting struct {
	At   time.Time
	Next int64
	Seen seen
}

// Greet is the step that says where we stand.
func (d *Direct) Greet(ctx context.Context, p act.Party) (g Greeting, err error) {
	g.At = d.Now()
	g.Next, g.Seen, err = d.state(ctx, p)
	return g, err
}

// Meet is the step that hears a partner's greeting: nothing is exchanged with
// one who is not known, whose ledger is disputed, whose clock is far off, or who
// holds another ledger of ours than this one.
func (d *Direct) Meet(ctx context.Context, card act.Card, g Greeting) error {
	if _, err := d.pinned(ctx, card.Party, card.Link); err != nil {
		return err
	}
	return d.meet(ctx, card.Party, g.At, g.Seen, func(string, string) {})
}

// meet compares clocks, and what the partner saw of us with what we have. part
// tells the partner why we go no further.
func (d *Direct) meet(ctx context.Context, p act.Party, at time.Time, s seen, part func(kind, text string)) error {
	if skew := at.Sub(d.Now()); skew.Abs() > skewRefused {
		part("clock", "the two clocks differ by more than a day: set them right")
		return fmt.Errorf("the clock of %s differs from ours by %v: set the wrong one right", p, skew.Round(time.Minute))
	} else {
		d.setState(p, func(st *State) { st.Skew = skew.Round(time.Millisecond) })
	}
	err := d.checkOurs(ctx, p, s)
	var r *Restored
	if errors.As(err, &r) {
		part("restored", "this ledger is not the one that was cosigned: it was restored or run twice")
		d.setState(p, func(st *State) { st.Trouble = err.Error() })
	}
	return err
}

// Take is the step that takes in a delivery. A ledger that contradicts what
// its party signed before is disputed, with the evidence kept.
func (d *Direct) Take(ctx context.Context, del intake.Delivery) error {
	err := d.Intake.TakeIn(ctx, del)
	var c *ledger.Contradiction
	if errors.As(err, &c) {
		d.dispute(ctx, c)
	}
	return err
}

// Fetch is the step that asks p, on c, for all content that is awaited from it,
// and returns how much was.
func (d *Direct) Fetch(ctx context.Context, p act.Party, c net.Conn) (int, error) {
	return d.on(p, c).fetchAwaited(ctx)
}

// Serve is the step that answers one asking of p for content, on c.
func (d *Direct) Serve(ctx context.Context, p act.Party, c net.Conn) error {
	return d.on(p, c).serveWant(ctx)
}

func (d *Direct) on(p act.Party, c net.Conn) *session {
	w := newWire(c)
	w.limit = maxFrame
	return &session{d: d, w: w, peer: act.Card{Party: p}}
}
