package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/intake"
	"entente/ledger"
)

// This file is all that the simulator knows of the carriage: greetings,
// deliveries, answers and content between two sides, and what a network does
// to them.

// link is one connection between two sides. It delivers in order and knows
// when it is broken, as TLS does; a message that is lost ends it.
type link struct {
	ends [2]*end
}

// end is what one side does on a link: it offers what the other has not taken.
type end struct {
	side    *Side
	in      []message
	next    int64    // what the other expects, by its own word
	at      act.Head // what the other last saw of us
	heard   bool     // the other has said so
	waiting int      // acts that were offered and not answered, or -1
	shown   time.Time
	told    act.Head // what the other knows that we saw of its ledger
	away    bool     // acts went by the hub since
}

// message is a delivery or, without one, the answer to it.
type message struct {
	del *intake.Delivery
	g   carriage.Greeting
	dup bool
}

// unlink breaks the links of a side.
func (w *World) unlink(s *Side) {
	for i, l := range w.links {
		if l != nil && (l.ends[0].side == s || l.ends[1].side == s) {
			w.links[i] = nil
		}
	}
}

// pairOf is the place of the link between two parties.
func pairOf(a, b *Side) int { return a.index() + b.index() - 1 }

func (l *link) place() int { return pairOf(l.ends[0].side, l.ends[1].side) }

// stands reports whether a link is there still.
func (w *World) stands(l *link) bool { return l != nil && w.links[l.place()] == l }

// linked returns the link between the parties of two sides, made if there is none.
func (w *World) linked(a, b *Side) (*link, error) {
	if l := w.links[pairOf(a, b)]; l != nil {
		return l, nil
	}
	err := w.connect(a, b)
	return w.links[pairOf(a, b)], err
}

// connect makes a link between the sides a and b, if both are up and no
// direction is cut: each hears the other's greeting first.
func (w *World) connect(a, b *Side) error {
	w.links[pairOf(a, b)] = nil
	if w.way != byLink && pairOf(a, b) == 0 {
		return errors.New("they are reached by parcels")
	}
	if !a.up() || !b.up() {
		return errors.New("the other side is down")
	}
	if w.cut[a.index()] || w.cut[b.index()] {
		return syscall.EHOSTUNREACH
	}
	l := &link{}
	var errs error
	for i, s := range [2]*Side{a, b} {
		l.ends[i] = &end{side: s, waiting: -1}
	}
	for i, e := range l.ends {
		o := l.ends[1-i]
		g, err := o.side.n.Carriage.Greet(w.ctx, e.side.party)
		if err == nil {
			w.saw(o.side, e.side, g)
			o.told = g.Seen.Head
			err = e.side.n.Carriage.Meet(w.ctx, o.side.n.Card, g)
			w.met(e.side, g, err)
		}
		if err != nil {
			w.told(e.side, err)
			errs = errors.Join(errs, fmt.Errorf("%s: %w", e.side, err))
			continue
		}
		e.in = append(e.in, message{g: g})
	}
	if errs != nil {
		return errs
	}
	w.links[l.place()] = l
	return nil
}

// offer has the end i send what there is to send. What is for a partner that is reached by
// the hub waits for a parcel; a link that was passed by begins anew.
func (w *World) offer(l *link, i int) error {
	e, o := l.ends[i], l.ends[1-i]
	if !e.heard || e.waiting >= 0 {
		return nil
	}
	w.look(e.side)
	if e.side.view.via[o.side.party] != "" {
		e.away = true
		return nil
	}
	if e.away {
		w.links[l.place()] = nil
		return fmt.Errorf("%s is reached directly again", o.side)
	}
	del, err := e.side.n.Carriage.Next(w.ctx, o.side.party, e.next, e.at)
	if err != nil {
		return w.broken(l, e.side, err)
	}
	if len(del.Acts) == 0 && !e.shown.IsZero() && e.side.now().Sub(e.shown) < time.Hour {
		return nil
	}
	e.shown, e.waiting = e.side.now(), len(del.Acts)
	del.From = e.side.party
	w.conveyed(e.side, o.side.party, &del)
	if w.cut[e.side.index()] {
		w.hit("network: a message vanishes in a one-way cut")
		return nil
	}
	o.in = append(o.in, message{del: &del})
	return nil
}

// deliver has the end i take in the message at a place in its queue.
func (w *World) deliver(l *link, i, place int) error {
	e, o := l.ends[i], l.ends[1-i]
	m := e.in[place]
	e.in = append(e.in[:place:place], e.in[place+1:]...)
	if m.del == nil {
		if e.waiting >= 0 && m.g.Next != e.next+int64(e.waiting) {
			return w.broken(l, e.side, fmt.Errorf("%s took %d acts of ours, and %d were sent", o.side.party, m.g.Next, e.next+int64(e.waiting)))
		}
		e.next, e.at, e.heard, e.waiting = m.g.Next, m.g.Seen.Head, true, -1
		return nil
	}
	if Turns(w.seed) || Three(w.seed) || ByCourier(w.seed) { // what came by a parcel meanwhile is no contradiction
		m.del.Told = &e.told
	}
	err := e.side.n.Carriage.Take(w.ctx, *m.del)
	w.lookBy(e.side, "electronic")
	if err != nil {
		return w.broken(l, e.side, err)
	}
	if m.dup {
		return nil // the answer to a copy is a copy: the first was heard
	}
	g, err := e.side.n.Carriage.Greet(w.ctx, o.side.party)
	if err != nil {
		return w.broken(l, e.side, err)
	}
	w.saw(e.side, o.side, g)
	e.told = g.Seen.Head
	if w.cut[e.side.index()] {
		w.hit("network: an answer vanishes in a one-way cut")
		return nil
	}
	o.in = append(o.in, message{g: g})
	return nil
}

// broken ends the link with a side's error.
func (w *World) broken(l *link, s *Side, err error) error {
	w.links[l.place()] = nil
	w.told(s, err)
	return fmt.Errorf("%s: %w", s, err)
}

// exchange offers and delivers on a link until nothing is under way.
func (w *World) exchange(l *link, rounds int) error {
	for range rounds {
		busy := false
		for i := range 2 {
			if !w.stands(l) {
				return nil
			}
			if err := w.offer(l, i); err != nil {
				return err
			}
		}
		for i := range 2 {
			for w.stands(l) && len(l.ends[i].in) > 0 {
				busy = true
				if err := w.deliver(l, i, 0); err != nil {
					return err
				}
			}
		}
		if !busy {
			return nil
		}
	}
	return nil
}

// fetch has s bring home the content that it awaits from o. What the network
// does to it is asked for each frame.
func (w *World) fetch(s, o *Side, frame func(n int, b []byte) error) (int, error) {
	if w.cut[s.index()] || w.cut[o.index()] || w.way != byLink && pairOf(s, o) == 0 {
		return 0, syscall.EHOSTUNREACH
	}
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	asker, answerer := &pipe{}, &pipe{}
	asker.out, answerer.out = answerer, asker
	var served error
	asker.empty = func() error {
		served = o.n.Carriage.Serve(w.ctx, s.party, answerer)
		if served != nil && asker.in.Len() == 0 {
			return syscall.ECONNRESET
		}
		return nil
	}
	answerer.frame = frame
	n, err := s.n.Carriage.Fetch(ctx, o.party, asker)
	if errors.Is(err, context.DeadlineExceeded) {
		w.fail(21, "%s waits for ever for content that it is given", s)
	}
	if served != nil && err != nil {
		err = fmt.Errorf("%w (%w)", err, served)
	}
	if err != nil {
		w.told(s, err)
	}
	return n, err
}

// pipe is one end of a connection in one goroutine: whoever reads when nothing
// is there lets the other end answer first.
type pipe struct {
	net.Conn
	in    bytes.Buffer
	out   *pipe
	empty func() error
	frame func(n int, b []byte) error
	n     int
}

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	if p.in.Len() == 0 && p.empty != nil {
		if err := p.empty(); err != nil {
			return 0, err
		}
	}
	return p.in.Read(b)
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	if p.frame != nil {
		p.n++
		if err := p.frame(p.n, b); err != nil {
			return 0, err
		}
	}
	return p.out.in.Write(b)
}

// SetReadDeadline implements net.Conn: there is no waiting here.
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

func (s *Side) index() int { return slices.Index(parties[:], s.party) }

// pairs are the first sides of each two parties.
func (w *World) pairs() (all [][2]*Side) {
	for i := range w.parties {
		for j := range i {
			all = append(all, [2]*Side{w.sides[j], w.sides[i]})
		}
	}
	return all
}

// settle carries until nothing is left to carry, on every link, with content and
// answers to askings.
func (w *World) settle(rounds int) {
	for range rounds {
		before := w.sizes()
		for _, x := range w.pairs() {
			if err := w.connect(x[0], x[1]); err != nil {
				return
			}
			if err := w.exchange(w.links[pairOf(x[0], x[1])], 50); err != nil {
				return
			}
			for i, s := range x {
				_, _ = w.fetch(s, x[1-i], nil)
				_, _ = s.n.Step(w.ctx)
			}
		}
		if w.sizes() == before {
			return
		}
	}
}

func (w *World) sizes() (n [3]int64) {
	for i, s := range w.sides[:len(w.parties)] {
		_ = read(s.disk, func(tx *ledger.Tx) error { n[i] = tx.Size(); return nil })
	}
	return n
}

// changed turns a delivery into JSON, lets f change it, and reads it again.
func changed(d intake.Delivery, f func([]byte) []byte) (intake.Delivery, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return d, err
	}
	out := intake.Delivery{}
	err = json.Unmarshal(f(b), &out)
	out.From = d.From
	return out, err
}
