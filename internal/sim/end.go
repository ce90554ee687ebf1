package sim

import (
	"bytes"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/memory"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/reading"
	"entente/vault"
)

// This file heals a world, and checks what must then be true.

// heal puts everything right, carries until nothing is left, and checks what
// must then hold.
func (w *World) heal() {
	for _, s := range w.sides {
		if !w.false(s) {
			w.secret(s)
		}
	}
	w.cut, w.links = [3]bool{}, [3]*link{}
	for _, s := range w.sides { // a medium of a copy that does not go on, and whose clock was ahead, makes its successors old until then
		w.now = later(w.now, s.view.last.Add(time.Hour))
	}
	w.settleCopies()
	all := w.sides[:len(w.parties)]
	for _, s := range all {
		if s.up() {
			s.stop()
		}
		s.armed, s.offset, s.drift = nil, 0, 0
		for _, d := range s.rot {
			// One that was swept and came again is whole.
			if errors.Is(vault.New(s.disk.Vault()).Verify(w.ctx, d), vault.ErrDamaged) {
				s.disk.Rot(d)
			}
		}
		for d, b := range s.lost { // what came again meanwhile is the same
			s.disk.Swap(d, b)
		}
		s.rot, s.lost = nil, map[vault.Digest][]byte{}
		w.now = later(w.now, s.view.last.Add(time.Hour))
	}
	for _, s := range all {
		if err := s.start(); err != nil {
			w.fail(29, "%s does not start when all is well: %v", s, err)
			return
		}
	}
	for _, s := range all {
		for _, o := range all {
			if s.view.disputed[o.party] && w.hostile == nil {
				w.settleDispute(s, o)
			}
		}
	}
	switch {
	case w.hostile != nil:
		w.settleHostile()
	case Three(w.seed):
		w.settleHub()
	case w.way == byPouch:
		w.settlePost()
	case w.way == byCourier:
		w.settleMedia()
		w.way = byLink // the last word about a medium goes by another way, or it would have no end
		w.settle(30)
	default:
		for _, s := range w.sides { // what comes late by the way before has no effect
			for len(w.pouch.to[s.index()]) > 0 && w.failed == nil {
				_ = w.carry(s, 0)
			}
		}
		w.settle(30)
	}
	w.after()
	if w.failed == nil {
		w.final()
	}
}

// settleDispute is people who compare codes again, with the evidence before them.
func (w *World) settleDispute(s, o *Side) {
	w.evident(s)
	if err := w.person(s, "officer", false, false); err != nil {
		w.fail(21, "%s: %v", s, err)
	}
	if err := s.n.Chancery.Know(w.ctx, o.n.Card, code(o.n.Card), "officer"); err != nil {
		w.fail(30, "%s cannot know its partner anew: %v", s, err)
	}
	w.hit("recovery: people settle a dispute")
}

// settleHostile carries for as long as the honest side, and the other, let it. Whoever has
// acted in bad faith runs our own code between: what that acknowledges it holds, and what
// the honest side promised it keeps, or says by evidence why it goes no further.
func (w *World) settleHostile() {
	kr, jp := w.sides[0], w.sides[1]
	w.entered(kr) // before a new meeting finds it again
	w.way = byLink
	w.settle(30)
	w.after()
	if _, err := kr.n.Step(w.ctx); err != nil {
		w.told(kr, err)
	}
	w.look(kr)
	switch {
	case w.failed != nil:
	case kr.view.disputed[jp.party]:
		w.evident(kr)
		w.hit("recovery: a partner in bad faith is convicted, and given nothing more")
	case jp.view.disputed[kr.party]:
		w.hit("recovery: a partner in bad faith takes nothing more")
	case !jp.view.leads(headOf(kr.disk, jp.party)):
		w.hit("recovery: a partner that showed another ledger goes no further")
	case jp.view.miscounts(kr.view):
		w.hit("recovery: a partner in bad faith says that it refused what was never sent, and goes without what it counts so")
	case !slices.Equal(kr.view.to[jp.party], jp.view.from[kr.party]):
		w.fail(21, "%s sent %d acts, and %s, which it does not dispute, has %d of them, in its order or another", kr, len(kr.view.to[jp.party]), jp, len(jp.view.from[kr.party]))
	default:
		w.arrived(kr, jp)
		w.hit("recovery: a partner in bad faith is served as any other")
	}
}

// miscounts reports whether a side says that it could not take in what its partner never sent.
func (v *view) miscounts(of *view) bool {
	return slices.ContainsFunc(v.acts, func(a act.Act) bool {
		r, ok := a.Body.(act.Refusal)
		return ok && a.From == v.own && !r.Kept && !slices.Contains(of.sums, r.Act)
	})
}

// acknowledged checks that a partner in bad faith has what it receipted, and that no more of
// its ledger was believed than it holds.
func (w *World) acknowledged(kr, jp *Side) {
	for n, p := range kr.view.products {
		q := jp.view.products[n]
		if p.from == kr.party && p.home[jp.party] > 0 && (q == nil || q.release != p.release || q.received == 0) {
			w.fail(17, "%s shows a receipt of %s for %s, which that never had", kr, jp, n)
		}
		if p.from == kr.party && p.home[jp.party] > 1 {
			w.fail(18, "%s counts %d receipts of %s", kr, p.home[jp.party], n)
		}
	}
	if !w.hostile.apart && !w.follows(kr, jp.party) {
		w.fail(20, "%s has %d acts of %s, and they are not the first of its ledger", kr, len(kr.view.from[jp.party]), jp)
	}
}

// settleHub carries by the hub and by links until nothing is left. Where no pact lets the hub
// pass on, and where only one of the two goes by it, the two reach each other directly.
func (w *World) settleHub() {
	us, a, b := w.hub(), w.sides[0], w.sides[1]
	if !us.view.relays(a.party, b.party, w.now) || a.view.via[b.party] != b.view.via[a.party] {
		for _, s := range w.sides[:2] {
			if err := w.person(s, "officer", false, false); err != nil {
				w.fail(21, "%s: %v", s, err)
			}
			if err := w.route(s, ""); err != nil {
				w.fail(21, "%s cannot reach its neighbour directly: %v", s, err)
			}
		}
	}
	w.carryOn()
	if w.waitNoLonger() {
		w.carryOn()
	}
	for _, s := range w.sides[:2] {
		if l := s.n.Carriage.Post.States()[s.neighbour()]; s.view.via[s.neighbour()] != "" && !l.Unanswered.IsZero() {
			w.fail(21, "%s still waits for an answer to what it wrote: %s", s, l.Trouble)
		}
	}
	w.sealed(us)
}

// waitNoLonger lets the time pass for which a release waits for an approval that it names.
func (w *World) waitNoLonger() (some bool) {
	for _, s := range w.sides {
		w.look(s)
		for _, p := range s.view.products {
			some = some || p.waits && !p.refused[s.party]
		}
	}
	if !some {
		return false
	}
	w.hit("recovery: an approval that does not come is waited for no longer")
	w.now = w.now.Add(73 * time.Hour)
	for _, s := range w.sides {
		if err := s.n.Intake.Overdue(w.ctx); err != nil {
			w.fail(21, "%s: %v", s, err)
		}
	}
	return true
}

// carryOn carries by the hub and by links until nothing is said for a while.
func (w *World) carryOn() {
	us, a, b := w.hub(), w.sides[0], w.sides[1]
	for idle, rounds := 0, 0; idle < 8 && rounds < 200 && w.failed == nil; rounds++ {
		before := w.sizes()
		for _, x := range [4][2]*Side{{a, us}, {us, b}, {b, us}, {us, a}} {
			for went := true; went && w.failed == nil; {
				went, _ = w.hop(x[0], x[1], false)
			}
		}
		w.settle(1)
		w.now = w.now.Add(11 * time.Second) // what is not answered is said again
		if idle++; w.sizes() != before {
			idle = 0
		}
	}
}

// settleCopies does what people do when a folder was restored or run twice: the
// copy whose ledger the partner holds goes on, the newest one if any may.
func (w *World) settleCopies() {
	n := len(w.parties)
	w.settleBoth()
	for _, s := range w.sides {
		if s.doubt { // people call back what a copy had sent that may not go on
			w.pouch, w.media = pouch{}, nil
		}
	}
	for _, s := range w.sides[:n] {
		if !s.doubt {
			continue
		}
		held := headOf(w.sides[1-s.index()].disk, s.party)
		s.doubt, s.packs = false, 1
		for _, c := range w.sides[n:] {
			if c.party == s.party && !s.view.leads(held) && c.view.leads(held) {
				w.hit("recovery: the second copy goes on")
				s.stop()
				s.put(c.save())
			}
		}
		switch leads := s.view.leads(held); {
		case s.newest != nil && !leads:
			w.hit("recovery: the newest copy is put back")
			s.stop()
			s.put(s.newest)
		case s.newest != nil:
			w.hit("recovery: a restored copy goes on where nobody had seen more")
		}
		s.newest = nil
		if !s.view.leads(held) && !w.false(s) {
			w.fail(26, "no copy of %s leads to the head of %d entries that its partner holds", s, held.Size)
		}
	}
	for _, c := range w.sides[n:] {
		if c.up() {
			c.stop()
		}
	}
	w.sides = w.sides[:n]
	w.conveys = map[string]act.Digest{}
}

// settleBoth puts the newest copies back where both sides were restored: what either has seen may
// be in the other's newest copy alone. One goes on as it is where the other's newest copy has
// seen that it did.
func (w *World) settleBoth() {
	a, b := w.sides[0], w.sides[1]
	if a.newest == nil || b.newest == nil {
		return
	}
	now := [2]*saved{a.save(), b.save()}
	for _, x := range [][2]*saved{{a.newest, b.newest}, {a.newest, now[1]}, {now[0], b.newest}} {
		if x[0].view.leads(headOf(x[1].disk, a.party)) && x[1].view.leads(headOf(x[0].disk, b.party)) {
			for i, s := range w.sides[:2] {
				s.stop()
				s.put(x[i])
			}
			break
		}
	}
	a.newest, b.newest = nil, nil
}

// headOf is the head of a party's ledger that a disk holds.
func headOf(d *memory.Disk, p act.Party) (h act.Head) {
	_ = read(d, func(tx *ledger.Tx) error {
		peer, err := tx.Peer(p)
		h = peer.Head
		return err
	})
	return h
}

// evident checks that the evidence of a dispute convicts before a third person.
func (w *World) evident(s *Side) {
	for _, b := range s.evidence() {
		var c ledger.Contradiction
		if json.Unmarshal(b, &c) != nil || c.Party == "" {
			continue // our own checkpoint, as the partner held it
		}
		if _, _, err := ledger.CheckEvidence(b); err != nil {
			w.fail(30, "the evidence of %s convicts nobody: %v", s, err)
			return
		}
		w.hit("recovery: the evidence convicts")
		return
	}
	if len(s.evidence()) == 0 {
		w.fail(30, "%s disputes its partner without evidence", s)
	}
}

// entered checks that what convicts a partner stands in the ledger, also where a clock
// or a crash kept it out when it was found.
func (w *World) entered(s *Side) {
	if _, err := s.n.Step(w.ctx); err != nil {
		w.told(s, err)
	}
	w.look(s)
	var disputes []act.Sum
	for _, a := range s.view.acts {
		if d, ok := a.Body.(act.Dispute); ok && a.From == s.party {
			disputes = append(disputes, d.Evidence)
		}
	}
	for _, b := range s.evidence() {
		var c ledger.Contradiction
		if json.Unmarshal(b, &c) == nil && c.Party != "" && c.Party != s.party && !slices.Contains(disputes, act.Sum(sha512.Sum384(b))) {
			w.fail(30, "%s keeps evidence against %s that its ledger does not name", s, c.Party)
		}
	}
}

// final checks what must be true of a world that was healed.
func (w *World) final() {
	for _, s := range w.sides {
		if w.false(s) {
			continue
		}
		if _, err := s.n.Verify(w.ctx, func(_, _ int64) {}); err != nil {
			w.fail(26, "%s: %v", s, err)
		}
		w.entered(s)
		w.refolds(s)
		w.secret(s)
		w.tables(s)
		h, _ := s.view.root(s.view.size())
		fmt.Fprintf(&w.history, "%s %d entries, root %x\n", s, h.Size, h.Root[:8])
	}
	if w.hostile != nil {
		w.acknowledged(w.sides[0], w.sides[1])
		w.readings(w.sides[0])
		return
	}
	for _, from := range w.sides {
		for _, to := range w.sides {
			if from == to {
				continue
			}
			if !slices.Equal(from.view.to[to.party], to.view.from[from.party]) {
				w.fail(21, "%s sent %d acts and %s has %d of them, in its order or another", from, len(from.view.to[to.party]), to, len(to.view.from[from.party]))
			}
			w.arrived(from, to)
		}
	}
	for _, x := range w.pairs() {
		w.alike(x[0], x[1])
	}
	for _, t := range texts {
		var words []string
		for _, s := range w.sides {
			if t.has(s.party) {
				words = append(words, s.view.rows[t.sum].standing(w.now))
			}
		}
		if words = slices.Compact(words); len(words) != 1 {
			w.fail(9, "the parties read %s as %v", t.name, words)
		}
		w.hit("pact: " + words[0])
		if t != original && (t == amended || Three(w.seed)) {
			w.hit("pact: " + t.name + ": " + words[0])
		}
	}
	for _, s := range w.sides {
		w.readings(s)
	}
}

// arrived checks that each release has a receipt or a refusal on both sides.
func (w *World) arrived(from, to *Side) {
	seals := map[act.Sum]act.Number{}
	for n, p := range from.view.products {
		if p.from != from.party || !slices.Contains(p.body.Manifest.Recipients, to.party) {
			continue
		}
		if o, twice := seals[p.body.Seal.Vault]; twice {
			w.fail(12, "%s and %s are sealed in one object", o, n)
		}
		seals[p.body.Seal.Vault] = n
		q := to.view.products[n]
		switch { // one in bad faith may have receipted what it then refuses
		case q == nil || q.release != p.release:
			w.fail(21, "%s of %s never arrived", n, from)
		case q.received == 1 && p.home[to.party] != 1 && !q.refused[to.party], q.refused[to.party] != p.refused[to.party]:
			w.fail(21, "%s of %s: its answer did not come home", n, from)
		case q.received == 0 && !q.refused[to.party] && !p.destroyed:
			w.fail(21, "%s of %s has neither a receipt nor a refusal", n, from)
		case q.received == 0 && !q.refused[to.party]:
			w.hit("recovery: its originator destroyed it before it was fetched")
		}
	}
}

// readings checks that what is held can still be read, and that it is what
// was released; and that what was destroyed is gone.
func (w *World) readings(s *Side) {
	held := w.held(s, func(cu product.Custody) bool { return cu.From != "" })
	for _, cu := range held {
		if p := s.view.products[cu.Manifest.Number]; p != nil && p.destroyed && s.keeps(cu.Seal.Vault) {
			w.fail(16, "%s keeps %s after its destruction", s, cu.Manifest.Number)
		}
	}
	_ = w.person(s, "analyst", false, false)
	for len(held) > 5 { // a sample: opening is dear
		i := w.rnd.IntN(len(held))
		held = slices.Delete(held, i, i+1)
	}
	for _, cu := range held {
		n := cu.Manifest.Number
		p := s.view.products[n]
		if p == nil {
			w.fail(28, "%s lists %s, which no entry released", s, n)
			return
		}
		o, err := s.n.Reading.Open(w.ctx, n, "analyst", cu.Manifest.Purpose)
		may := !p.destroyed && (p.from == s.party || p.received == 1 && !p.refused[s.party])
		switch {
		case err == nil && !may:
			w.fail(16, "%s still opens %s", s, n)
		case err == nil:
			var b bytes.Buffer
			if _, err := o.WriteTo(&b); err != nil {
				w.fail(22, "%s cannot read %s: %v", s, n, err)
			}
			w.shownContent(s, n, "analyst", b.Bytes())
			o.Close()
		case may && !errors.Is(err, reading.ErrAsked):
			w.fail(8, "%s can no longer read %s: %v", s, n, err)
		}
		if w.failed != nil {
			return
		}
	}
}

// refolds checks that the tables hold what the entries say, and nothing else.
func (w *World) refolds(s *Side) {
	c := &catalogue.Catalogue{Own: s.party}
	l := ledger.Open(s.disk.Copy().Ledger(), ledger.Config{Party: s.party, Fold: c.Fold})
	dump := func() (b []byte) {
		_ = l.View(w.ctx, func(tx *ledger.Tx) (err error) { b, err = catalogue.Dump(tx); return err })
		return b
	}
	before := dump()
	if err := l.Rebuild(w.ctx, func(_, _ int64) {}); err != nil {
		w.fail(28, "folding the ledger of %s again: %v", s, err)
	}
	if !bytes.Equal(before, dump()) {
		w.fail(28, "the tables of %s are not what its entries give", s)
	}
}

// tables checks what the node would show people against what the oracle folded
// by its own rules: persons, the partner, the pact, marks, receipts.
func (w *World) tables(s *Side) {
	err := read(s.disk, func(tx *ledger.Tx) error {
		c := &catalogue.Catalogue{Own: s.party}
		persons, err := c.Persons(tx)
		if err != nil {
			return err
		}
		for _, p := range persons {
			if q := s.view.persons[p.Name]; q.Key != p.Key || q.Left != p.Left || !q.Until.Equal(p.Until.Time) {
				w.fail(28, "%s lists %s otherwise than it was enrolled", s, p.Name)
			}
		}
		for _, o := range w.sides[:len(w.parties)] {
			if o == s {
				continue
			}
			partner, ok, err := c.Partner(tx, o.party)
			if err != nil || !ok || partner.Card.Link != o.n.Card.Link || (partner.Disputed != "") != s.view.disputed[o.party] || partner.Via != s.view.via[o.party] {
				w.fail(28, "%s holds another card of %s than was compared, or another dispute or way: %v", s, o, err)
			}
		}
		w.pacts(s, c, tx)
		w.standing(s, c, tx)
		for n, p := range s.view.products {
			cu, ok, err := c.Product(tx, n)
			if err != nil {
				return err
			}
			if p.from == "" || !ok {
				continue
			}
			if m, _ := cu.Mark(&cu.Manifest); m != p.mark {
				w.fail(7, "%s shows %s as %s, and its originator marked it %s", s, n, m.Text, p.mark.Text)
			}
			if cu.Text != p.body.Text {
				w.fail(3, "%s keeps %s under another text than that of its release", s, n)
			}
			if _, got := cu.Received[s.party]; p.from != s.party && got != (p.received > 0) {
				w.fail(28, "%s shows %s as received: %v", s, n, got)
			}
			if _, got := cu.Refused[s.party]; p.from != s.party && got != p.refused[s.party] {
				w.fail(18, "%s shows %s as refused: %v", s, n, got)
			}
			for _, to := range w.parties {
				if _, got := cu.Received[to]; p.from == s.party && got != (p.home[to] > 0) {
					w.fail(28, "%s shows a receipt of %s that %s did not give", s, n, to)
				}
			}
		}
		return nil
	})
	if err != nil {
		w.fail(28, "%s: %v", s, err)
	}
}

// pacts checks the texts that are listed, and that each is read as its acts say.
func (w *World) pacts(s *Side, c *catalogue.Catalogue, tx *ledger.Tx) {
	all, err := c.Pacts(tx)
	if err != nil || len(all) != len(s.view.rows) {
		w.fail(28, "%s lists %d texts of pacts, and %d were proposed: %v", s, len(all), len(s.view.rows), err)
	}
	for _, r := range all {
		p, _, _, err := c.PactUnder(tx, r.ID, r.Text)
		if err != nil {
			w.fail(28, "%s: %v", s, err)
			return
		}
		want := s.view.rows[r.Text].standing(s.now())
		w.hit("phase: " + string(p.Phase(r.Life, s.now())))
		if phase, _ := s.view.rows[r.Text].phase(s.now()); phases[phase] != want {
			w.hit("phase: " + phases[phase] + ", by a stricter reading " + want)
		}
		if got := p.Stands(r.Life, s.now()); string(got) != want && (moves(want) || got.Transfers() || got == pact.Terminated) {
			w.fail(9, "%s rules that %s is %s, and by its acts it is %s", s, r.ID, got, want)
		}
		best := s.view.rules(r.ID, s.now())
		if _, row, _, err := c.Pact(tx, r.ID, s.now()); err != nil || best != nil && row.Text != best.t.sum {
			w.fail(9, "%s rules by another text of %s than the last that came into force: %v", s, r.ID, err)
		}
	}
}

// standing checks mandates, visits and approvals.
func (w *World) standing(s *Side, c *catalogue.Catalogue, tx *ledger.Tx) {
	mandates, err := c.Mandates(tx)
	if err != nil || len(mandates) != len(s.view.mandates) {
		w.fail(28, "%s lists %d mandates, and %d were given: %v", s, len(mandates), len(s.view.mandates), err)
	}
	for _, m := range mandates {
		if q := s.view.mandates[m.Act]; q == nil || q.withdrawn != m.Withdrawn {
			w.fail(28, "%s lists a mandate that was not given so", s)
		}
	}
	visits, err := c.Visits(tx)
	if err != nil || len(visits) != len(s.view.visits) {
		w.fail(28, "%s lists %d visits, and %d were asked for: %v", s, len(visits), len(s.view.visits), err)
	}
	for _, v := range visits {
		if q := s.view.visits[v.Act]; q == nil || (q.ended != nil) != (v.Ended != nil) || (q.approved != nil) != (v.Approved != nil) {
			w.fail(28, "%s lists a visit otherwise than it was asked for, approved or ended", s)
		}
	}
}
