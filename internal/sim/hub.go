package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/chancery"
	"entente/ledger"
	"entente/release"
	"entente/seal"
)

// This file is all that the simulator knows of the hub: the third node, which holds the
// parcels of the two others and hands them on, and which with their consent releases
// products of its own, made from theirs.

// hub is the third side.
func (w *World) hub() *Side { return w.sides[2] }

// doHop has parcels go to and fro between the two, by way of the hub, for a while.
func (w *World) doHop() string {
	a, b, us := w.sides[0], w.sides[1], w.hub()
	n := 0
	for range 1 + w.rnd.IntN(3) {
		for _, x := range [4][2]*Side{{a, us}, {us, b}, {b, us}, {us, a}} {
			for range w.rnd.IntN(5) {
				went, err := w.hop(x[0], x[1], false)
				if w.failed != nil {
					return ""
				}
				if !went || err != nil {
					break
				}
				n++
			}
		}
		w.now = w.now.Add(time.Duration(1+w.rnd.IntN(15)) * time.Second)
	}
	return fmt.Sprint(n, " parcels")
}

// hop has s hand o the next parcel: one of its own by way of o, or one that it holds for o.
// A parcel that is changed on the way is refused by whom it is for.
func (w *World) hop(s, o *Side, change bool) (went bool, err error) {
	if !s.up() || !o.up() || s.dead() || o.dead() {
		return false, errNobody
	}
	b, kept, err := s.n.Carriage.Post.Offer(w.ctx, o.party)
	if err != nil {
		w.told(s, err)
		return false, err
	}
	if b == nil || s.power {
		return false, nil
	}
	out, _, err := carriage.ReadOuter(bytes.NewReader(b))
	if err != nil {
		w.fail(23, "%s hands on what is no parcel: %v", s, err)
		return false, err
	}
	p := w.parcels[out.Number]
	if out.From() == s.party {
		own := s.parcel(b, out.To())
		p = &own
		w.parcels[out.Number] = p
		w.outside(b)
	}
	if p == nil || !bytes.Equal(p.b, b) && !p.broken {
		w.fail(23, "%s hands on a parcel that nobody wrote", s)
		return false, nil
	}
	if change {
		b = bytes.Clone(b)
		b[len(b)-1-w.rnd.IntN(len(b)/2)] ^= 1 << w.rnd.IntN(8)
		p.b, p.broken = b, true
	}
	if w.cut[s.index()] {
		w.hit("hub: a parcel vanishes in a one-way cut")
		return false, syscall.EHOSTUNREACH
	}
	k, err := w.receive(o, s.party, p, out)
	if err != nil || o.power {
		w.hit("hub: a parcel waits with its sender")
		return false, err
	}
	if w.cut[o.index()] {
		w.hit("hub: an answer vanishes in a one-way cut")
		return false, syscall.EHOSTUNREACH
	}
	if err := s.n.Carriage.Post.Answered(w.ctx, o.party, b, k); err != nil {
		w.fail(23, "%s and %s mean two parcels: %v", s, o, err)
	}
	if err := kept(w.ctx); err != nil {
		w.told(s, err)
		return true, err
	}
	return true, nil
}

// receive has o answer a parcel that was handed to it, and checks what it did with it.
func (w *World) receive(o *Side, hop act.Party, p *parcel, out carriage.Outer) (k carriage.Kept, err error) {
	if out.To() == o.party {
		refused := error(nil)
		ours := w.reads(o, *p, "hub", func() error {
			if k, err = o.n.Carriage.Post.Receive(w.ctx, hop, p.b); err == nil && k.Refused != "" {
				refused = fmt.Errorf("%w: %s", carriage.ErrParcel, k.Refused)
				return refused
			}
			return err
		})
		if ours != nil && ours == refused {
			w.hit("hub: a parcel is refused by whom it is for")
			return k, nil
		}
		w.hit("hub: a parcel arrives")
		return k, ours
	}
	w.look(o)
	before := o.view.size()
	if k, err = o.n.Carriage.Post.Receive(w.ctx, hop, p.b); err != nil {
		w.told(o, err)
		return k, err
	}
	w.look(o)
	if o.power || w.failed != nil {
		return k, err
	}
	if o.view.size() != before {
		w.fail(15, "the hub entered something of a parcel that it passes on")
	}
	if k.Refused != "" {
		w.hit("hub: a parcel is not passed on: " + k.Refused)
		return k, nil
	}
	if !o.view.relays(out.From(), out.To(), o.now()) {
		w.fail(3, "the hub keeps a parcel from %s to %s, and no pact names it as their hub", out.From(), out.To())
	}
	if !o.holds(out.To(), out.Number) {
		w.fail(17, "the hub says that it keeps a parcel, and it is not durable")
	}
	w.hit("hub: a parcel is kept")
	return k, nil
}

// holds reports whether the hub's disk holds a parcel for a party.
func (s *Side) holds(to act.Party, number string) (yes bool) {
	_ = read(s.disk, func(tx *ledger.Tx) error {
		for row, err := range tx.Scan("post/held/"+string(to), nil, nil) {
			if err != nil {
				return err
			}
			yes = yes || bytes.Contains(row.Value, []byte(number))
		}
		return nil
	})
	return yes
}

// sealed checks that the hub's disk tells nothing of what it passes on but routes, numbers and sizes.
func (w *World) sealed(s *Side) {
	_ = read(s.disk, func(tx *ledger.Tx) error {
		for _, to := range parties[:2] {
			for row, err := range tx.Scan("post/parcel/"+string(to), nil, nil) {
				if err != nil {
					return err
				}
				w.outside(row.Value)
			}
			for row, err := range tx.Scan("post/held/"+string(to), nil, nil) {
				if err != nil {
					return err
				}
				for n := range w.released {
					if strings.Contains(string(row.Value), string(n)) {
						w.fail(15, "the hub's disk tells of %s", n)
					}
				}
			}
		}
		return nil
	})
	for n, p := range s.view.products {
		if p.from != "" && p.from != s.party && !slices.Contains(p.body.Manifest.Recipients, s.party) {
			w.fail(15, "the hub's ledger tells of %s, which was not released to it", n)
		}
	}
}

// doRoute is people who reach each other by way of the hub from now on, or directly.
func (w *World) doRoute() string {
	via := pick(w.rnd, act.Party("US"), "US", "US", "")
	var all []string
	for _, s := range w.sides[:2] {
		if s.up() && w.rnd.IntN(8) > 0 {
			all = append(all, fmt.Sprint(s, ": ", text(w.route(s, via))))
		}
	}
	return fmt.Sprintf("by %q: %s", via, strings.Join(all, ", "))
}

func (w *World) route(s *Side, via act.Party) error {
	err := s.n.Chancery.Route(w.ctx, chancery.Way{To: s.neighbour(), Leave: true}, via, "officer")
	switch {
	case err != nil:
		w.told(s, err)
	case via != "":
		w.hit("hub: in place of a link")
	default:
		w.hit("network: a link in place of the hub")
	}
	return err
}

// doTricks is a hub that drops, changes or replays, and a partner that hands it what is not
// its to pass on.
func (w *World) doTricks() string {
	us, end := w.hub(), w.sides[w.rnd.IntN(2)]
	what := pick(w.rnd, "drop", "change", "change", "replay", "another's parcel")
	if !us.up() || !end.up() {
		return "somebody is down"
	}
	if other := w.sides[1-end.index()]; what == "drop" || what == "change" {
		for went := true; went && w.failed == nil; {
			went, _ = w.hop(other, us, false)
		}
	}
	switch what {
	case "drop": // it answers that it keeps it, and forgets
		b, kept, err := us.n.Carriage.Post.Offer(w.ctx, end.party)
		if err != nil || b == nil {
			return "nothing is held"
		}
		if err := kept(w.ctx); err != nil {
			w.told(us, err)
		}
		w.hit("hub: drop")
		return what
	case "change":
		went, err := w.hop(us, end, true)
		if went {
			w.hit("hub: change")
		}
		return fmt.Sprint(what, ": ", went, ", ", text(err))
	}
	var old []*parcel
	for _, n := range slices.Sorted(maps.Keys(w.parcels)) {
		if p := w.parcels[n]; !p.broken {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return "nothing was written"
	}
	p := pick(w.rnd, old...)
	out, _, _ := carriage.ReadOuter(bytes.NewReader(p.b))
	w.hit("hub: " + what)
	if what == "replay" {
		to := w.sides[1-p.from.index()]
		if !to.up() || to.dead() || len(out.Route) != 3 {
			return "somebody is down"
		}
		k, err := w.receive(to, "US", p, out)
		return fmt.Sprint(what, ": ", k.Refused, ", ", text(err))
	}
	k, err := us.n.Carriage.Post.Receive(w.ctx, out.To(), p.b)
	if err == nil && k.Refused == "" && !us.power {
		w.fail(3, "the hub keeps a parcel from one who does not stand before it on its route")
	}
	if k.Refused != "" {
		w.hit("hub: a parcel is not passed on: " + k.Refused)
	}
	return fmt.Sprint(what, ": ", k.Refused, ", ", text(err))
}

// doPassOn is the arrangement's way: of what was released to it the hub makes a product of
// its own and releases that, with the consent of who released the first; or without.
func (w *World) doPassOn() string {
	us := w.hub()
	if !us.up() {
		return text(errNobody)
	}
	var all []act.Number
	for _, n := range sorted(us.view.products) {
		if p := us.view.products[n]; p.from != "" && p.from != us.party && p.received == 1 && !p.destroyed {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return "nothing was released to the hub"
	}
	p := us.view.products[pick(w.rnd, all...)]
	m := &p.body.Manifest
	o := w.sides[slices.Index(w.parties, m.Originator)]
	to := o.neighbour()
	if !us.view.granted(us.party, o.party, "pass-on", to, m.Purpose, us.now(), m) && w.rnd.IntN(4) > 0 {
		if !o.up() {
			return fmt.Sprint(o, " is down")
		}
		c := act.Consent{Number: m.Number, Deed: "pass-on", Recipient: to, Purpose: m.Purpose, Until: act.MomentOf(o.now().Add(time.Duration(1+w.rnd.IntN(2000)) * time.Hour)), Uses: 1 + w.rnd.IntN(5)/4}
		_, err := o.n.Chancery.Consent(w.ctx, c, "officer")
		if err != nil {
			w.told(o, err)
		} else {
			w.hit("people: passing on is approved")
		}
		for _, s := range w.sides[:2] { // it is on its way to both, or comes too late
			if l, err := w.linked(s, us); err == nil && w.rnd.IntN(4) > 0 {
				_ = w.exchange(l, 5)
			}
		}
		return fmt.Sprint(o, " approves that ", m.Number, " goes to ", to, ": ", text(err))
	}
	return w.release(us, release.Draft{As: "officer", Pact: passingID, To: []act.Party{to}, Title: "a report", Kind: "report", Subject: m.Subject, Form: m.Form, Purpose: m.Purpose, Language: "en",
		Mark: marks[us.party][max(1, rank(p.mark))-1], MediaType: "text/plain", Mode: seal.Released, Lineage: []act.Lineage{{Of: m.Number, How: pick(w.rnd, "excerpt", "translation", "assessment")}}}, 40+w.rnd.IntN(400))
}
