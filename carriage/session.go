package carriage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/intake"
	"entente/internal/point"
	"entente/ledger"
	"entente/vault"
)

// hello opens every lane, in both directions. It states what its sender last
// saw of the other's ledger, with the other's own signature on it, so that a
// ledger that was restored or forked is caught before anything else.
type hello struct {
	Version int       `json:"v"`
	Lane    lane      `json:"lane"`
	Card    act.Card  `json:"card"`
	At      time.Time `json:"at"`
	Seen    seen      `json:"seen"` // your ledger as I last saw it
}

type seen struct {
	Head       act.Head `json:"head"`
	Checkpoint []byte   `json:"checkpoint,omitempty"`
}

// took begins the lane of acts, and answers each delivery once it is durable.
type took struct {
	Next int64 `json:"next"` // the place, among the acts to me, that I expect next
	Seen seen  `json:"seen"`
}

// bye is the last word on a lane. Its text tells a known partner what to do.
type bye struct {
	Kind string `json:"kind"` // busy, clock, restored, disputed, refused, parked, limit
	Text string `json:"text"`
}

// lane says what a connection is for. Content has connections of its own, so
// that a large product never stands before an act.
type lane string

const (
	laneIntroduce lane = "introduce" // exchange cards and part; the only lane open to strangers
	laneActs      lane = "acts"      // both directions
	lanePull      lane = "pull"      // the dialling side asks for content
	lanePush      lane = "push"      // the answering side asks for content
	lanePost      lane = "post"      // parcels of others, and to others, in both directions
)

// errLinked ends a connection that another one serves already.
var errLinked = errors.New("linked already")

// session is one lane of one link.
type session struct {
	d      *Direct
	w      *wire
	lane   lane
	dialed bool
	peer   act.Card // pinned
	theirs hello
	took   chan took
	kept   chan Kept
	told   act.Head           // what the peer knows that we saw of its ledger
	end    context.CancelFunc // ends the session from outside
	done   chan struct{}      // closed when it has ended
}

// state reads what a hello or took tells the partner.
func (d *Direct) state(ctx context.Context, p act.Party) (next int64, s seen, err error) {
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := d.Catalogue.Partner(tx, p)
		if err != nil {
			return err
		}
		next = partner.Received
		peer, err := tx.Peer(p)
		s = seen{peer.Head, peer.Checkpoint}
		return err
	})
	return next, s, err
}

// via returns the hub that p is reached by; empty: none.
func (d *Direct) via(ctx context.Context, p act.Party) (via act.Party, err error) {
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := d.Catalogue.Partner(tx, p)
		via = partner.Via
		return err
	})
	return via, err
}

// checkSeen compares what the partner saw of us with what we have.
func (d *Direct) checkSeen(ctx context.Context, p act.Party, s seen) error {
	if s.Head.Size == 0 {
		return nil
	}
	h, err := ledger.ReadCheckpoint(d.Own, s.Checkpoint)
	if err != nil || h != s.Head {
		return fmt.Errorf("%s states a checkpoint of ours that we did not sign", p)
	}
	return d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		if h.Size > tx.Size() {
			return &Restored{Partner: p, Held: h.Size, Have: tx.Size(), Checkpoint: s.Checkpoint}
		}
		have, err := tx.HeadAt(h.Size)
		if err == nil && have != h {
			err = &Restored{Partner: p, Held: h.Size, Have: tx.Size(), Checkpoint: s.Checkpoint}
		}
		return err
	})
}

// checkNext refuses the word of a partner that it took in what was never said to it:
// believed, it would be told nothing any more.
func (d *Direct) checkNext(ctx context.Context, p act.Party, next int64) error {
	return d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := d.Catalogue.Partner(tx, p)
		if err == nil && (next < 0 || next > partner.Queued) {
			err = fmt.Errorf("%s says that it took %d acts, and %d are for it", p, next, partner.Queued)
		}
		return err
	})
}

// checkOurs is checkSeen that keeps the evidence.
func (d *Direct) checkOurs(ctx context.Context, p act.Party, s seen) error {
	err := d.checkSeen(ctx, p, s)
	var r *Restored
	if errors.As(err, &r) {
		return errors.Join(err, d.Evidence(ctx, d.Own.Party, r.Error(), r.Checkpoint))
	}
	if err == nil && s.Head.Size > 0 && d.Agreed != nil {
		d.Agreed(ctx)
	}
	return err
}

// Restored says that our own ledger is not the one that a partner holds our
// signature on: it was restored from a backup, or copied and run twice.
type Restored struct {
	Partner    act.Party
	Held, Have int64
	Checkpoint []byte // ours, as the partner holds it
}

// Error implements error.
func (r *Restored) Error() string {
	return fmt.Sprintf("%s holds our signed checkpoint of %d entries, and this ledger of %d does not lead to it: the folder was restored from a backup or run twice; stop, and put the newest copy back", r.Partner, r.Held, r.Have)
}

// halted asks the office of releases whether content may still be handed over.
func (d *Direct) halted(tx *ledger.Tx, p act.Party, channel string, text act.Sum, m *act.Manifest) ([]act.Reason, error) {
	if d.Halted == nil {
		return nil, nil
	}
	return d.Halted(tx, p, channel, text, m)
}

// mayGive refuses content that was not released to p, or that may not go by a channel now.
func (d *Direct) mayGive(tx *ledger.Tx, p act.Party, channel string, n act.Number, content act.Sum) error {
	ok, err := d.Catalogue.ReleasedTo(tx, n, content, p)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s asks for content that was not released to it", p)
	}
	cu, _, err := d.Catalogue.Product(tx, n)
	if err != nil {
		return err
	}
	halted, err := d.halted(tx, p, channel, cu.Text, &cu.Manifest)
	if err == nil && halted != nil {
		err = fmt.Errorf("%s is not handed over: %s (%s): %s", n, halted[0].Text, halted[0].Article, halted[0].Cure)
	}
	return err
}

// acts runs the lane of acts until it ends.
func (s *session) acts(ctx context.Context) error { return s.both(ctx, s.send, s.receive) }

// both runs the two directions of a lane until either ends.
func (s *session) both(ctx context.Context, send, receive func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 2)
	go func() { done <- send(ctx); cancel() }()
	go func() { done <- receive(ctx); cancel() }()
	err := <-done
	s.w.Close() // wakes the other of the two
	if second := <-done; err == nil || errors.Is(err, context.Canceled) {
		err = second
	}
	return err
}

// send carries each new act of ours, in order, and waits until it is taken.
func (s *session) send(ctx context.Context) error {
	t, err := s.answered(ctx, 0) // where the partner's own ledger says that we go on
	if err != nil {
		return err
	}
	if err := s.d.checkSeen(ctx, s.peer.Party, t.Seen); err != nil {
		return err
	}
	if err := s.d.checkNext(ctx, s.peer.Party, t.Next); err != nil {
		return err
	}
	o := &offering{s: s, next: t.Next, at: t.Seen}
	defer func() { // should a parcel have to go on from here
		if s.d.Post != nil {
			_ = s.d.Post.heard(context.WithoutCancel(ctx), s.peer.Party, took{o.next, o.at})
		}
	}()
	for {
		grown := s.d.Ledger.Grown()
		offered, err := o.offer(ctx)
		if err != nil {
			return err
		}
		if !offered {
			if err := s.idle(ctx, grown); err != nil {
				return err
			}
			continue
		}
		if t, err = s.answered(ctx, o.size); err != nil {
			return err
		}
		if err := o.taken(t); err != nil {
			return err
		}
	}
}

// answered waits for the partner's word on what it has taken in, for as long as the link may be
// silent, and as what was sent may take. Pings are no answer: they break the silence, and acts would wait for ever.
func (s *session) answered(ctx context.Context, sent int) (took, error) {
	wait := time.NewTimer(silence + time.Duration(sent)*time.Second/minSpeed)
	defer wait.Stop()
	select {
	case t := <-s.took:
		return t, nil
	case <-wait.C:
		return took{}, fmt.Errorf("%s does not say what it has taken in: ask its operator", s.peer.Party)
	case <-ctx.Done():
		return took{}, ctx.Err()
	}
}

// offering is how far the partner has taken in our acts.
type offering struct {
	s     *session
	next  int64
	at    seen
	shown time.Time // when our checkpoint was last shown
	acts  int       // offered and not taken yet
	size  int       // bytes of the offer
	away  bool      // acts went another way since
}

// offer is one step of sending: it writes the next delivery, if there is
// something to say.
func (o *offering) offer(ctx context.Context) (bool, error) {
	d := o.s.d
	switch via, err := d.via(ctx, o.s.peer.Party); {
	case err != nil || via != "":
		o.away = true
		return false, err // its acts go by parcel
	case o.away:
		return false, fmt.Errorf("%s is reached directly again: the link begins anew, from where it is now", o.s.peer.Party)
	}
	stale := o.shown.IsZero() || waited(d.Now(), o.shown, freshness)
	del, err := d.deliver(ctx, o.s.peer.Party, o.next, o.at.Head, stale, "")
	if err != nil || del.Checkpoint == nil {
		return false, err
	}
	// Asked again after the acts were read: what was released for another way goes by that.
	if via, err := d.via(ctx, o.s.peer.Party); err != nil || via != "" {
		o.away = true
		return false, err
	}
	parts, err := pack(del)
	if err == nil {
		err = o.s.w.write(kindActs, parts...)
	}
	if err != nil {
		return false, err
	}
	o.shown, o.acts, o.size = d.Now(), len(del.Acts), 0
	for _, p := range parts {
		o.size += len(p)
	}
	point.At("after an offer")
	return true, nil
}

// taken is the step that follows an offer, with the partner's answer to it.
func (o *offering) taken(t took) error {
	p := o.s.peer.Party
	if t.Next != o.next+int64(o.acts) {
		return fmt.Errorf("%s took %d acts of ours, and %d were sent", p, t.Next, o.next+int64(o.acts))
	}
	point.At("after an answer came")
	o.next, o.at = t.Next, t.Seen
	o.s.d.carried(p, took{o.next, o.at})
	return nil
}

// idle waits until there may be something to send, and breaks the silence.
func (s *session) idle(ctx context.Context, grown <-chan struct{}) error {
	return s.idleUntil(ctx, grown, nil)
}

func (s *session) idleUntil(ctx context.Context, grown, changed <-chan struct{}) error {
	t := time.NewTimer(silence / 3)
	defer t.Stop()
	select {
	case <-grown:
		return nil
	case <-changed:
		return nil
	case <-t.C:
		return s.w.write(kindPing)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive takes in what the partner sends.
func (s *session) receive(ctx context.Context) error {
	next, at, err := s.d.state(ctx, s.peer.Party)
	if err != nil {
		return err
	}
	s.told = at.Head
	if err := s.w.writeJSON(kindTook, took{next, at}); err != nil {
		return err
	}
	for {
		if err := s.w.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		k, b, err := s.w.read()
		if err != nil {
			return err
		}
		if err := s.hear(ctx, k, b); err != nil {
			return err
		}
	}
}

// hear is one step of receiving: it does what one frame asks for.
func (s *session) hear(ctx context.Context, k kind, b []byte) error {
	switch k {
	case kindPing:
		return nil
	case kindActs:
		del, err := unpack(b)
		if errors.Is(err, errBatch) {
			return s.over(err.Error())
		}
		if err != nil {
			return fmt.Errorf("reading a delivery of %s: %w", s.peer.Party, err)
		}
		del.From, del.Told = s.peer.Party, &s.told
		return s.takeIn(ctx, del)
	case kindTook:
		var t took
		if err := json.Unmarshal(b, &t); err != nil {
			return fmt.Errorf("reading an answer of %s: %w", s.peer.Party, errFrame)
		}
		select {
		case s.took <- t:
			return nil
		default:
			return fmt.Errorf("%s answers what was not sent", s.peer.Party)
		}
	case kindBye:
		return s.parted(b)
	}
	return fmt.Errorf("%s sends a frame of kind %d on the lane of acts", s.peer.Party, k)
}

func (s *session) takeIn(ctx context.Context, del intake.Delivery) error {
	if !s.d.door.hands(s.peer.Party, len(del.Acts), s.d.Now()) {
		return s.over(errHands.Error())
	}
	if err := s.d.Take(ctx, del); err != nil {
		var c *ledger.Contradiction
		if errors.As(err, &c) {
			s.part("disputed", c.Error())
		}
		if errors.Is(err, catalogue.ErrClock) {
			s.part("clock", "our clock is behind our own ledger: nothing is taken in until our operator sets it right")
		}
		return err
	}
	point.At("before answering the partner")
	return s.answerTook(ctx)
}

func (s *session) answerTook(ctx context.Context) error {
	var t took
	err := s.d.Ledger.View(ctx, func(tx *ledger.Tx) error {
		partner, _, err := s.d.Catalogue.Partner(tx, s.peer.Party)
		if err != nil {
			return err
		}
		t.Next = partner.Received
		t.Seen.Head, err = tx.PeerHead(s.peer.Party) // the checkpoint itself came a moment ago
		return err
	})
	if err != nil {
		return err
	}
	s.told = t.Seen.Head
	return s.w.writeJSON(kindTook, t)
}

func (s *session) part(kind, text string) { _ = s.w.writeJSON(kindBye, bye{kind, text}) }

func (s *session) parted(b []byte) error {
	var y bye
	if err := json.Unmarshal(b, &y); err != nil || len(y.Text) > act.MaxLine {
		return fmt.Errorf("reading the last word of a peer: %w", errFrame)
	}
	if y.Kind == "busy" {
		return errLinked
	}
	return fmt.Errorf("%s ended the link (%s): %s", s.peer.Party, plain(y.Kind), plain(y.Text))
}

// Next is one step of sending: the acts for p from its place next on, under
// a checkpoint that extends what p has seen. It changes nothing but to sign.
func (d *Direct) Next(ctx context.Context, p act.Party, next int64, at act.Head) (intake.Delivery, error) {
	return d.deliver(ctx, p, next, at, true, "")
}

// deliver makes the next delivery. When no act waits it signs, and says,
// nothing, unless the checkpoint is to be shown. channel is "courier", or empty for the way
// that p is reached by.
func (d *Direct) deliver(ctx context.Context, p act.Party, next int64, at act.Head, show bool, channel string) (del intake.Delivery, err error) {
	err = d.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		var head act.Head
		begin := func() (err error) {
			if del.Checkpoint, head, err = tx.Checkpoint(); err == nil {
				del.Growth, err = tx.Growth(at.Size, head.Size)
			}
			return err
		}
		if show {
			if err := begin(); err != nil {
				return err
			}
		}
		size := 0
		for q, err := range d.Catalogue.Queue(tx, p, next) {
			if err == nil && del.Checkpoint == nil {
				err = begin()
			}
			if err != nil {
				return err
			}
			if q.Index >= head.Size || len(del.Acts) == maxBatch || size > batchBytes {
				break
			}
			e, err := tx.Entry(q.Index)
			if err != nil {
				return err
			}
			proof, err := tx.Prove(q.Index, head.Size)
			if err != nil {
				return err
			}
			c := intake.Conveyed{Seq: q.Seq, Bytes: e.Bytes, Proof: proof}
			if r, ok := e.Act.Body.(act.Release); ok && e.Act.Kind == act.ProductReleased {
				// A small product travels with its act: one round trip.
				halted, err := d.halted(tx, p, channel, r.Text, &r.Manifest)
				if err != nil {
					return err
				}
				if halted == nil {
					if c.Content, err = tx.Get(vault.Table, r.Seal.Vault[:]); err != nil {
						return err
					}
				}
			}
			size += len(c.Bytes) + len(c.Content)
			del.Acts = append(del.Acts, c)
		}
		return nil
	})
	return del, err
}
