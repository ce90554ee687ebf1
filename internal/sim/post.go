package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/ledger"
)

// This file is all that the simulator knows of parcels that somebody carries who is
// not to be trusted: the steps that write and read them, and the pouch between. The
// project's own hub is in hub.go, its media in courier.go.

// parcel is one under way, with what its sender held when it was written.
type parcel struct {
	b      []byte
	from   *Side
	seen   act.Head // the recipient's, as the sender saw it
	next   int64    // acts of the recipient's that the sender had
	broken bool     // changed on the way, or given to the wrong side
}

// pouch holds what is under way to each party, and remembers what was.
type pouch struct {
	to  [2][]parcel
	old []parcel
}

// parcels of more than a segment are read piece by piece: what stands before the
// piece that was changed may count.
const segment = 262144

// standing reads what s would say of o: what it saw of its ledger, and its count.
func (s *Side) standing(o act.Party) (seen act.Head, next int64) {
	g, err := s.n.Carriage.Greet(s.w.ctx, o)
	if err != nil {
		return seen, 0
	}
	return g.Seen.Head, g.Next
}

// parcel is one that s wrote to o just now.
func (s *Side) parcel(b []byte, o act.Party) parcel {
	p := parcel{b: b, from: s}
	p.seen, p.next = s.standing(o)
	return p
}

// write has s write up to most parcels into the pouch, and returns how many.
func (w *World) write(s *Side, most int) (n int, err error) {
	o := s.neighbour()
	for ; n < most; n++ {
		b, err := s.n.Carriage.Post.Next(w.ctx, o, []act.Party{s.party, o})
		if err != nil {
			w.told(s, err)
			return n, err
		}
		if b == nil || s.power {
			return n, nil
		}
		p := s.parcel(b, o)
		w.outside(b)
		w.pouch.old = append(w.pouch.old, p)
		w.pouch.old = w.pouch.old[max(0, len(w.pouch.old)-20):]
		if w.cut[s.index()] {
			w.hit("parcel: vanishes in a one-way cut")
			continue
		}
		w.pouch.to[1-s.index()] = append(w.pouch.to[1-s.index()], p)
	}
	return n, nil
}

// absorb has s read a parcel, and checks what came of it.
func (w *World) absorb(s *Side, p parcel) error {
	return w.reads(s, p, "courier", func() error {
		_, err := s.n.Carriage.Post.Absorb(w.ctx, bytes.NewReader(p.b), "courier")
		return err
	})
}

// reads has s take in a parcel that came by a channel, and checks what came of it.
func (w *World) reads(s *Side, p parcel, channel string, take func() error) error {
	w.look(s)
	before := s.view.size()
	was := s.n.Carriage.Post.States()[p.from.party]
	err := take()
	if err != nil {
		w.told(s, err)
	}
	if w.lookBy(s, channel); w.failed != nil || w.false(s) {
		return err
	}
	now := s.n.Carriage.Post.States()[p.from.party]
	if now.Twice > was.Twice {
		w.hit("recovery: a parcel that came before is counted")
	}
	if now.Late > was.Late {
		w.hit("recovery: a parcel out of turn is counted")
	}
	if p.broken {
		if err == nil {
			w.fail(23, "%s takes in a parcel that was changed on its way, or is not for it", s)
		} else if len(p.b) <= segment && s.view.size() != before {
			w.fail(23, "%s entered something of a parcel that it refused", s)
		}
		if errors.Is(err, carriage.ErrParcel) {
			w.hit("recovery: a parcel that does not open is refused")
		}
		return err
	}
	w.grounded(s, p.from, p.seen, err)
	return err
}

// grounded checks, after something of a partner's was read, the heads that each holds of the
// other: seen is that of s which the partner stated.
func (w *World) grounded(s, from *Side, seen act.Head, err error) {
	if w.hostile != nil || s.power {
		return
	}
	if err == nil && !s.view.leads(seen) {
		w.fail(31, "%s goes on, and its partner holds a head of %d entries that this ledger does not lead to", s, seen.Size)
	}
	if !s.doubt && !from.doubt {
		w.look(from)
		var peer ledger.Peer
		_ = read(s.disk, func(tx *ledger.Tx) (err error) { peer, err = tx.Peer(from.party); return err })
		if !from.view.leads(peer.Head) {
			w.fail(27, "%s holds a head of %s that its ledger does not lead to", s, from)
		}
	}
}

// outside checks that a parcel tells its route, its number and a size of the ladder, and no
// word of what is inside.
func (w *World) outside(b []byte) {
	out, head, err := carriage.ReadOuter(bytes.NewReader(b))
	if err != nil {
		w.fail(15, "a parcel does not read: %v", err)
		return
	}
	route, _ := json.Marshal(out.Route)
	if want := fmt.Sprintf("entente parcel v1\n{\"route\":%s,\"number\":%q}\n", route, out.Number); string(head) != want {
		w.fail(15, "outside a parcel stands %q", head)
	}
	rung := 64 << 10
	for rung < len(b) {
		if rung < 1<<20 {
			rung *= 2
		} else { // eight steps for each doubling
			rung += 1 << (bits.Len(uint(rung)) - 4)
		}
	}
	if rung != len(b) {
		w.fail(15, "a parcel has %d bytes, which is no size of the ladder", len(b))
	}
	inside := b[len(head):]
	for _, word := range []string{"canary-", "a report", "defence", string(pactID), string(passingID), `"kind"`, `"checkpoint"`} {
		if bytes.Contains(inside, []byte(word)) {
			w.fail(15, "%q stands in a parcel", word)
		}
	}
}

// carry gives s the parcel at a place in its queue.
func (w *World) carry(s *Side, place int) error {
	q := &w.pouch.to[s.index()]
	p := (*q)[place]
	*q = slices.Delete(slices.Clone(*q), place, place+1)
	return w.absorb(s, p)
}

// doTurn is people who agree on another way. What is under way by the one before
// is lost, or comes late.
func (w *World) doTurn() string {
	all := ways(w.seed)
	w.links[0], w.way = nil, all[(slices.Index(all, w.way)+1+w.rnd.IntN(len(all)-1))%len(all)]
	switch w.way {
	case byPouch:
		w.hit("parcel: in place of a link")
		return "to parcels"
	case byCourier:
		w.hit("medium: in place of a link")
		return "to media"
	}
	w.hit("network: a link in place of parcels")
	a, b := w.pair()
	if w.connect(a, b) != nil || w.exchange(w.links[0], 5) != nil {
		return "to a link"
	}
	n, err := w.fetch(a, b, nil)
	return fmt.Sprint("to a link: ", a, " fetched ", n, ", ", text(err))
}

// doWrite has one side write.
func (w *World) doWrite() string {
	if w.way != byPouch {
		return "they have another way"
	}
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	n, err := w.write(s, 1+w.rnd.IntN(4))
	return fmt.Sprint(s, " wrote ", n, ": ", text(err))
}

// doAbsorb has one side read what came first, or the other that did not.
func (w *World) doAbsorb() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	q := w.pouch.to[s.index()]
	if len(q) == 0 {
		return "nothing is under way"
	}
	place := 0
	if w.rnd.IntN(3) == 0 {
		place = w.rnd.IntN(len(q))
	}
	return fmt.Sprint(s, ": ", text(w.carry(s, place)))
}

// doPost has parcels go to and fro for a while.
func (w *World) doPost() string {
	if w.way != byPouch {
		return "they have another way"
	}
	a, b := w.pair()
	n := 0
	for range 2 + w.rnd.IntN(4) {
		for _, s := range [2]*Side{a, b} {
			if !s.up() || s.dead() {
				return fmt.Sprint(s, " is down")
			}
			m, _ := w.write(s, 20)
			n += m
			for len(w.pouch.to[s.index()]) > 0 && !s.dead() && w.failed == nil && w.rnd.IntN(8) > 0 {
				_ = w.carry(s, 0)
			}
		}
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(15)) * time.Second)
	}
	return fmt.Sprint(n, " parcels")
}

// doPouch is what one who carries does to what was handed over.
func (w *World) doPouch() string {
	what := pick(w.rnd, "drop", "double", "reorder", "replay", "flip", "renumber", "cut off", "wrong side", "one-way cut", "heal", "heal")
	i := w.rnd.IntN(2)
	switch what {
	case "one-way cut":
		w.cut[i] = true
		w.hit("network: one-way cut")
		return fmt.Sprint(what, " from ", parties[i])
	case "heal":
		w.cut = [3]bool{}
		return what
	case "replay":
		if len(w.pouch.old) == 0 {
			return "nothing was written"
		}
		p := pick(w.rnd, w.pouch.old...)
		w.pouch.to[1-p.from.index()] = slices.Insert(w.pouch.to[1-p.from.index()], 0, p)
		w.hit("parcel: replay")
		return what
	}
	q := &w.pouch.to[i]
	if len(*q) == 0 {
		if q = &w.pouch.to[1-i]; len(*q) == 0 {
			return "nothing is under way"
		}
	}
	at := w.rnd.IntN(len(*q))
	p := &(*q)[at]
	w.hit("parcel: " + what)
	switch what {
	case "drop":
		*q = slices.Delete(slices.Clone(*q), at, at+1)
	case "double":
		*q = append(*q, *p)
	case "reorder":
		w.rnd.Shuffle(len(*q), func(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] })
	case "flip":
		p.b, p.broken = bytes.Clone(p.b), true
		at := w.rnd.IntN(len(p.b))
		if w.rnd.IntN(4) == 0 {
			at = w.rnd.IntN(100) // what stands outside
		}
		p.b[at] ^= 1 << w.rnd.IntN(8)
	case "renumber":
		p.b, p.broken = bytes.Clone(p.b), true
		at := bytes.Index(p.b, []byte(`"number":"`)) + len(`"number":"`)
		if p.b[at]++; p.b[at] < '1' || p.b[at] > '9' {
			p.b[at] = '0'
		}
	case "cut off":
		p.b, p.broken = p.b[:w.rnd.IntN(len(p.b))], true
	case "wrong side":
		back := *p
		back.broken = true
		*q = slices.Delete(slices.Clone(*q), at, at+1)
		w.pouch.to[p.from.index()] = append(w.pouch.to[p.from.index()], back)
	}
	return what
}

// settlePost carries parcels until nothing is left to say. Some are lost at first, so
// that what is said again is seen.
func (w *World) settlePost() {
	a, b := w.sides[0], w.sides[1]
	for _, s := range w.sides[:2] { // what comes late
		for len(w.pouch.to[s.index()]) > 0 && w.failed == nil {
			_ = w.carry(s, 0)
		}
	}
	for idle, rounds := 0, 0; idle < 8 && rounds < 200; rounds++ {
		before := w.sizes()
		for _, s := range [2]*Side{a, b} {
			if !s.up() || s.dead() {
				return
			}
			q := &w.pouch.to[s.index()]
			if rounds < 3 {
				*q = slices.DeleteFunc(*q, func(parcel) bool { return w.rnd.IntN(2) == 0 })
			}
			for len(*q) > 0 && w.failed == nil {
				_ = w.carry(s, 0)
			}
			_, _ = w.write(s, 100)
			_, _ = s.n.Step(w.ctx)
		}
		w.now = w.now.Add(11 * time.Second) // what is not answered is said again
		if idle++; w.sizes() != before {
			idle = 0
		}
	}
	for _, s := range [2]*Side{a, b} {
		if l := s.n.Carriage.Post.States()[s.neighbour()]; !l.Unanswered.IsZero() {
			w.fail(21, "%s still waits for an answer to what it wrote: %s", s, l.Trouble)
		}
	}
}
