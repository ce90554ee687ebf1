package sim

import (
	"fmt"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
	"entente/product"
	"entente/reading"
)

// This file is what people do from authority to authority: pacts and their amendment,
// mandates, visits, persons, notices of law.

func (w *World) doPact() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	t := original
	if Three(w.seed) {
		t = pick(w.rnd, original, passing, blind)
	}
	if s.view.rows[amended.sum] != nil && w.rnd.IntN(2) == 0 {
		t = amended
	}
	if !t.has(s.party) {
		return fmt.Sprint(s, " is no party to ", t.name)
	}
	var err error
	what, as := "", "officer"
	r := s.view.rows[t.sum]
	switch {
	case r == nil:
		what = "propose"
		_, err = s.n.Chancery.Propose(w.ctx, t.bytes, "officer")
	case w.rnd.IntN(8) == 0:
		phase := pick(w.rnd, pact.Active, pact.Active, pact.NoticeSuspended, pact.Terminated)
		what = "read as " + string(phase)
		as = pick(w.rnd, "officer", "officer", "second")
		err = s.n.Chancery.Read(w.ctx, t.id, t.sum, phase, "", as)
	default:
		steps := []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactSigned, act.PactSigned, act.PactNotified, act.PactNotified, act.PactNotified, act.PactNotified}
		if w.rnd.IntN(6) == 0 {
			steps = []act.Kind{act.PactCancelled}
		}
		if _, in := r.since(); in {
			steps = []act.Kind{act.PactNotice, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactNoticeWithdrawn, act.PactSigned}
		}
		k := pick(w.rnd, steps...)
		what, as = string(k), pick(w.rnd, "officer", "officer", "officer", "second")
		err = s.n.Chancery.Step(w.ctx, k, t.id, t.sum, "", as)
	}
	if err != nil {
		w.told(s, err)
		w.refused(s, err, refusal{id: t.id, row: r, name: as})
	} else if !s.power {
		w.hit("people: " + strings.Split(what, " as ")[0])
		if len(w.parties) == 3 { // one of the others hears of it first
			o := w.sides[(s.index()+1+w.rnd.IntN(2))%3]
			if l, err := w.linked(s, o); err == nil {
				_ = w.exchange(l, 3)
			}
		}
	}
	return fmt.Sprint(s, " ", what, " of ", t.name, ": ", text(err))
}

// doAmend has one of the two take the next step towards the amended text, and mostly tell it.
func (w *World) doAmend() string {
	var open []*Side
	for _, s := range w.sides[:2] {
		r := s.view.rows[amended.sum]
		if s.up() && (r == nil || r.notified[s.party].IsZero()) {
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		return "nobody has a step to take"
	}
	s := pick(w.rnd, open...)
	if s.view.rules(pactID, s.now()) == nil {
		return "there is nothing to amend yet"
	}
	var err error
	k := act.PactProposed
	switch r := s.view.rows[amended.sum]; {
	case r == nil:
		_, err = s.n.Chancery.Propose(w.ctx, amended.bytes, "officer")
	case r.signed[s.party].IsZero():
		k = act.PactSigned
		err = s.n.Chancery.Step(w.ctx, k, pactID, amended.sum, "", "officer")
	default:
		k = act.PactNotified
		err = s.n.Chancery.Step(w.ctx, k, pactID, amended.sum, "", "officer")
	}
	if l, no := w.linked(w.sides[0], w.sides[1]); no == nil && w.rnd.IntN(3) > 0 {
		_ = w.exchange(l, 5)
	}
	return fmt.Sprint(s, " takes the step ", k, " of the amendment: ", text(err))
}

// doMandate gives or takes back a standing authority.
func (w *World) doMandate() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	if all := order(s.view.mandates); len(all) > 0 && w.rnd.IntN(4) == 0 {
		err := s.n.Chancery.Withdraw(w.ctx, pick(w.rnd, all...), "", "officer")
		if err == nil {
			w.hit("people: a mandate is withdrawn")
		}
		return fmt.Sprint(s, " withdraws a mandate: ", text(err))
	}
	id, _ := w.to(s)
	m := act.Mandate{Pact: id, Kind: "report", Subject: "defence", Mark: act.Mark{Party: s.party, Text: marks[s.party][pick(w.rnd, 0, 1, 1, 1)]}, Purpose: pick(w.rnd, "threat-assessment", "missile-warning"),
		Until: act.MomentOf(s.now().Add(time.Duration(1+w.rnd.IntN(1000)) * time.Hour))}
	as := pick(w.rnd, "officer", "second", "second", "analyst")
	_, err := s.n.Chancery.Mandate(w.ctx, m, as)
	if err != nil {
		w.told(s, err)
		q := refusal{id: id, row: s.view.known(id), name: as, deed: reading.Deed{Until: m.Until}, m: act.Manifest{Subject: m.Subject, Purpose: m.Purpose, Mark: m.Mark}}
		if r := s.view.rules(id, s.now()); r != nil {
			q.row = r
		}
		w.refused(s, err, q)
	} else {
		w.hit("people: a mandate is given")
	}
	return fmt.Sprint(s, " gives a mandate as ", as, ": ", text(err))
}

// doVisit asks for a visit, approves or ends one, or shows a visitor a product.
func (w *World) doVisit() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	sensible := w.rnd.IntN(4) > 0
	asked, approved := s.view.hosted()
	if o := w.sides[1-s.index()]; sensible && len(asked)+len(approved) == 0 && o.up() {
		s = o // the other is the host
		asked, approved = s.view.hosted()
	}
	all := order(s.view.visits)
	what := pick(w.rnd, "ask", "approve", "approve", "show", "show", "show", "show", "end")
	switch {
	case len(all) == 0:
		what = "ask"
	case sensible && what == "show" && len(approved) > 0:
		all = approved
	case sensible && what != "end" && len(asked) > 0:
		what, all = "approve", asked
	}
	switch what {
	case "ask":
		from := s.now().Add(time.Duration(w.rnd.IntN(40)-30) * time.Hour)
		v := act.Visit{Visitors: []string{"visitor"}, Subject: "defence", Mark: act.Mark{Party: s.party, Text: marks[s.party][1]}, From: act.MomentOf(from), Until: act.MomentOf(from.Add(time.Duration(40+w.rnd.IntN(2000)) * time.Hour))}
		_, err := s.n.Chancery.State(w.ctx, pactID, act.VisitAsked, v, s.neighbour(), "officer")
		return fmt.Sprint(s, " asks for a visit: ", text(err))
	case "approve":
		d, mark, as := pick(w.rnd, all...), marks[s.party][pick(w.rnd, 0, 1, 1, 1, 2)], pick(w.rnd, "officer", "officer", "officer", "second")
		_, err := s.n.Chancery.ApproveVisit(w.ctx, d, mark, as)
		if err != nil {
			w.told(s, err)
			w.refused(s, err, s.ofVisit(d, mark, as))
		} else {
			w.hit("people: a visit is approved")
		}
		return fmt.Sprint(s, " approves a visit: ", text(err))
	case "end":
		_, err := s.n.Chancery.EndVisit(w.ctx, pick(w.rnd, all...), "officer")
		return fmt.Sprint(s, " ends a visit: ", text(err))
	}
	d := pick(w.rnd, all...)
	held := w.held(s, func(cu product.Custody) bool { return cu.From != "" })
	if len(held) == 0 {
		return "nothing is here"
	}
	cu := pick(w.rnd, held...)
	deed := reading.Deed{As: pick(w.rnd, "analyst", "analyst", "analyst", "junior"), Deed: "show", Purpose: cu.Manifest.Purpose, Visit: &d, Visitor: pick(w.rnd, "visitor", "visitor", "visitor", "visitor", "stranger")}
	_, err := s.n.Reading.Do(w.ctx, cu.Manifest.Number, deed)
	if s.power {
		return "the power went"
	}
	if err != nil {
		w.told(s, err)
		w.refusedInLedger(s, err, act.OpeningDenied)
		w.refused(s, err, s.ofDeed(cu.Manifest.Number, deed))
	}
	return fmt.Sprint(s, " shows ", cu.Manifest.Number, ": ", text(err))
}

// person changes what one of s's people may do.
func (w *World) person(s *Side, name string, left, expires bool) error {
	for _, p := range staff(s.party, w.began.AddDate(4, 0, 0)) {
		if p.Name == name {
			p.Left, p.Until = left, act.MomentOf(later(p.Until.Time, s.now().AddDate(1, 0, 0)))
			if expires {
				p.Until = act.MomentOf(s.now().Add(time.Duration(w.rnd.IntN(72)) * time.Hour))
			}
			return s.n.Enrol(w.ctx, p)
		}
	}
	return errNobody
}

func (w *World) doPerson() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	name := pick(w.rnd, "officer", "second", "analyst", "junior")
	left, expires := w.rnd.IntN(5) == 0, w.rnd.IntN(3) == 0
	err := w.person(s, name, left, expires)
	if err != nil {
		w.told(s, err)
	} else if left {
		w.hit("people: somebody leaves")
	} else if expires {
		w.hit("people: a clearance is to expire")
	}
	return fmt.Sprint(s, " ", name, " left ", left, " expires ", expires, ": ", text(err))
}

func (w *World) doLetter() string {
	s := w.running()
	if s == nil {
		return text(errNobody)
	}
	var open []catalogue.Open
	_ = read(s.disk, func(tx *ledger.Tx) (err error) { open, err = (&catalogue.Catalogue{}).Open(tx); return err })
	for _, o := range open {
		if o.To == s.party {
			_, err := s.n.Chancery.Acknowledge(w.ctx, o.Act, "officer")
			if err == nil {
				w.hit("people: a notice of law is acknowledged")
			}
			return fmt.Sprint(s, " acknowledges: ", text(err))
		}
	}
	id, to := pactID, s.other()
	if to == "US" || s.party == "US" {
		id = passingID
	}
	_, err := s.n.Chancery.State(w.ctx, id, act.LawNotified, act.LawNotice{Text: "a law changed"}, to, "officer")
	return fmt.Sprint(s, " notifies a law: ", text(err))
}
