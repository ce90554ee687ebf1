package sim

import (
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/product"
	"entente/vault"
)

// This file checks what is entered about products: what the oracle asks of a
// release, a receipt, a use, and of what is made from another.

// allowed says why a release may not be, by what this ledger held before it. channel is
// how it came, or goes; none: it is not known.
func (v *view) allowed(a act.Act, b act.Release, channel string) string {
	m := b.Manifest
	judged := []time.Time{a.At.Time}
	if v.overdue(&a) {
		judged = append(judged, v.today)
	}
	for _, at := range judged {
		r := v.rules(a.Pact, at)
		if r == nil || r.t.sum != b.Text {
			return "the pact is not in force under this text"
		}
		if phase := r.standing(at); !moves(phase) {
			return "the pact is " + phase
		}
	}
	r := v.rows[b.Text]
	switch {
	case v.blocked[a.Pact]:
		return "the pact is blocked"
	case m.Pact != a.Pact || m.Originator != a.From || m.Mark.Party != a.From:
		return "it is of another pact or originator"
	case rank(m.Mark) == 0:
		return "the mark is not of the pact"
	case m.Subject != "defence" && m.Subject != "nuclear-test" || m.Form != "electronic" || m.Purpose != "threat-assessment" && m.Purpose != "missile-warning":
		return "subject, form or purpose is outside the pact"
	case len(m.Recipients) == 0 || !slices.Equal(m.Recipients, a.To):
		return "its recipients are not those of the act"
	case !strings.HasPrefix(string(m.Number), string(a.From)+"-"):
		return "its number is of another's series"
	case v.products[m.Number] != nil && v.products[m.Number].from != "":
		return "its number was used before"
	case a.By == "":
		return "nobody released it"
	}
	for _, to := range m.Recipients {
		how := channel
		if a.From == v.own { // the hub's name stands for a way that no pact knows
			if how = "electronic"; v.via[to] != "" {
				how = "hub"
			}
		}
		if !r.t.has(to) || to == a.From {
			return string(to) + " is no party to the pact, or its originator"
		}
		if how != "" && (to == v.own || a.From == v.own) && r.t.limit(a.From, to, how) < rank(m.Mark) {
			return "it may not go to " + string(to) + " by the channel " + how
		}
		for _, o := range m.Origins {
			for _, at := range judged {
				if o != a.From && o != to && !v.granted(a.From, o, "pass-on", to, m.Purpose, at, &m) {
					return "it holds information of " + string(o) + ", which did not approve that it goes to " + string(to)
				}
			}
		}
	}
	for _, l := range m.Lineage {
		for _, o := range v.origins(l.Of) {
			if a.From != v.own && !slices.Contains(m.Origins, o) {
				return "it does not name " + string(o) + ", an origin of " + string(l.Of)
			}
		}
	}
	return ""
}

func (w *World) enterProduct(s *Side, v *view, e ledger.Entry, channel string) {
	a := e.Act
	n, ok := product.About(a)
	if !ok {
		return
	}
	p := v.products[n]
	if p == nil {
		p = &seen{home: map[act.Party]int{}, refused: map[act.Party]bool{}}
		v.products[n] = p
	}
	own := a.From == v.own
	switch b := a.Body.(type) {
	case act.Release:
		w.enterRelease(s, v, e, p, b, channel)
	case act.Receipt:
		if !own {
			if p.from == v.own && b.Vault == p.body.Seal.Vault {
				p.home[a.From]++
			}
			return
		}
		switch p.received++; {
		case p.received > 1:
			w.fail(18, "%s receipted %s twice", s, n)
		case b.Act != p.release || !slices.Equal(a.To, []act.Party{p.from}):
			w.fail(17, "%s receipted %s, which was not released to it by that act", s, n)
		case p.ok != "":
			w.fail(3, "%s received %s: %s", s, n, p.ok)
		case !s.keeps(b.Vault) && !p.destroyed:
			w.fail(17, "%s receipted %s and does not keep it", s, n)
		}
	case act.Refusal:
		if b.Act == p.release {
			p.refused[a.From] = true
			if own && p.received > 0 {
				w.fail(18, "%s refused %s after its receipt", s, n)
			}
		}
	case act.Reclassification:
		if a.From == p.from {
			p.mark = b.Mark
			if own && rank(b.Mark) >= rank(p.body.Manifest.Mark) {
				w.fail(7, "%s reclassified %s upwards or not at all", s, n)
			}
			for _, o := range p.body.Manifest.Origins {
				if o != a.From {
					w.fail(7, "%s took a lower mark of %s, which holds information of %s", s, n, o)
				}
			}
		} else if own {
			w.fail(7, "%s reclassified %s, which is not its own", s, n)
		}
	case act.Certificate:
		if own {
			if p.destroyed {
				w.fail(16, "%s destroyed %s twice", s, n)
			}
			if t := termsOf(p.body.Text); t != nil && !slices.Contains(t.methods, b.Method) {
				w.fail(16, "%s destroyed %s by a method that the text of its release does not know: %s", s, n, b.Method)
			}
			p.destroyed = true
		}
	case act.Copy:
		w.uses(s, v, p, a, b.Person, p.body.Manifest.Purpose, b.Consents, "copied", n)
		if t := termsOf(p.body.Text); t == nil || t.copies {
			w.approved(s, v, p, "copy", p.body.Manifest.Purpose, a, b.Consents)
		}
		w.spent(s, v, a, b.Consents, p, "copy")
		if p.copies++; b.Copy != p.copies {
			w.fail(28, "copy %d of %s at %s is called copy %d", p.copies, n, s, b.Copy)
		}
	case act.Opening:
		if own {
			w.uses(s, v, p, a, b.Person, b.Purpose, b.Consents, "opened", n)
			w.spent(s, v, a, b.Consents, p, "purpose")
		} else {
			v.count(a, b.Consents)
		}
	case act.Showing:
		w.uses(s, v, p, a, b.Person, p.body.Manifest.Purpose, nil, "showed", n)
		w.visited(s, v, p, a, b)
	}
}

// enterRelease checks a release, or takes down a draft.
func (w *World) enterRelease(s *Side, v *view, e ledger.Entry, p *seen, b act.Release, channel string) {
	a, n, own := e.Act, b.Manifest.Number, e.Act.From == v.own
	if a.Kind == act.ReleaseAsked {
		p.body, p.drafter = b, a.By
		return
	}
	why := v.allowed(a, b, channel)
	if !own && why != "" {
		v.owed[e.Digest] = why
	}
	if own {
		w.spent(s, v, a, b.Consents, &seen{body: b}, "release")
	} else {
		v.count(a, b.Consents)
	}
	if p.from != "" || !strings.HasPrefix(string(n), string(a.From)+"-") {
		return // the first release under a number stands, and nobody takes another's numbers
	}
	if !own {
		p.ok = why
	} else {
		w.releasedBy(s, v, a, b, why)
	}
	p.release, p.from, p.body, p.mark, p.act = e.Digest, a.From, b, b.Manifest.Mark, a
}

// releasedBy checks a release of our own.
func (w *World) releasedBy(s *Side, v *view, a act.Act, b act.Release, why string) {
	m := &b.Manifest
	name, _, _ := strings.Cut(a.By, "@")
	drafter, _, _ := strings.Cut(b.Drafter, "@")
	if why != "" {
		w.fail(3, "%s released %s: %s", s, m.Number, why)
	}
	if why := v.may(name, act.Releasing, a.At.Time, rank(m.Mark)); why != "" {
		w.fail(10, "%s released %s, and %s %s", s, m.Number, name, why)
	}
	for _, to := range m.Recipients {
		if told := v.notified[to][name]; told.Key == "" || told.Key != v.persons[name].Key || !slices.Contains(told.Offices, act.Releasing) {
			w.fail(3, "%s released %s by %s, of whom %s was not told", s, m.Number, name, to)
		}
	}
	two := v.own == "KR" && rank(m.Mark) == 2 // its house rule
	if b.Mandate != nil {
		d := v.mandates[*b.Mandate]
		switch {
		case d == nil || d.withdrawn || a.At.Before(d.given) || !a.At.Before(d.Until.Time):
			w.fail(10, "%s released %s under a mandate that was not given, or has ended", s, m.Number)
			return
		case d.Pact != m.Pact || d.Kind != m.Kind || d.Subject != m.Subject || d.Purpose != m.Purpose || rank(d.Mark) < rank(m.Mark):
			w.fail(10, "%s released %s under a mandate that does not cover it", s, m.Number)
		}
		w.hit("people: a mandate is used")
		giver, _, _ := strings.Cut(d.by, "@")
		two = two && giver == name
	}
	if drafter == name || drafter == "" && two {
		w.fail(4, "%s released %s of rank %d, drafted by %q and released by %s alone", s, m.Number, rank(m.Mark), b.Drafter, name)
	}
	if _, lost := s.lost[vault.Digest(b.Seal.Vault)]; !lost && !s.keeps(b.Seal.Vault) {
		w.fail(2, "%s released %s and does not keep it", s, m.Number)
	}
	for _, l := range m.Lineage {
		w.derived(s, v, a, &b, v.products[l.Of], l.Of)
	}
}

// derived checks what a product takes over from one that it is made of: its origins, caveats
// and rank, its recipients and its purpose.
func (w *World) derived(s *Side, v *view, a act.Act, b *act.Release, q *seen, of act.Number) {
	m := &b.Manifest
	if q == nil || q.from == "" {
		w.fail(5, "%s released %s, made from %s, which is not known here", s, m.Number, of)
		return
	}
	src := &q.body.Manifest
	for _, o := range src.Origins {
		if !slices.Contains(m.Origins, o) {
			w.fail(5, "%s released %s without %s, an origin of %s", s, m.Number, o, of)
		}
	}
	for _, c := range src.Caveats {
		if !slices.Contains(m.Caveats, c) {
			w.fail(5, "%s released %s without the caveat %q of %s", s, m.Number, c, of)
		}
	}
	if rank(m.Mark) < rank(q.mark) {
		w.fail(5, "%s released %s of rank %d, made from %s of rank %d", s, m.Number, rank(m.Mark), of, rank(q.mark))
	}
	need := func(o act.Party, deed string, to act.Party) {
		for _, d := range b.Consents {
			if c := v.consents[d]; c != nil && c.by == o && c.Deed == deed && c.Recipient == to && c.Purpose == m.Purpose && (c.about(m) || c.about(src)) {
				return
			}
		}
		w.fail(6, "%s released %s, made from %s, and no approval of %s to %s is spent on it", s, m.Number, of, o, deed)
	}
	for _, to := range m.Recipients {
		if src.Originator != v.own && src.Originator != to && !slices.Contains(src.Recipients, to) {
			need(src.Originator, "pass-on", to)
		}
	}
	if t := termsOf(q.body.Text); m.Purpose != src.Purpose && t != nil && !t.framework {
		for _, o := range src.Origins {
			if o != v.own {
				need(o, "purpose", "")
			}
		}
	}
	w.hit("people: a product made from another is released")
}

// visited checks that a visitor was shown what the visit allows.
func (w *World) visited(s *Side, v *view, p *seen, a act.Act, b act.Showing) {
	q, m, r := v.visits[b.Visit], &p.body.Manifest, v.rows[p.body.Text]
	switch at := a.At.Time; {
	case q == nil || q.host != v.own || q.approved == nil || !slices.Contains(q.Visitors, b.Visitor):
		w.fail(32, "%s showed %s to %s, whom no visit that it approved names", s, b.Number, b.Visitor)
	case q.ended != nil && !at.Before(*q.ended), at.Before(q.From.Time), !at.Before(q.Until.Time):
		w.fail(10, "%s showed %s to %s before the visit, or after its end", s, b.Number, b.Visitor)
	case rank(*q.approved) < rank(p.mark):
		w.fail(32, "%s showed %s of rank %d in a visit up to rank %d", s, b.Number, rank(p.mark), rank(*q.approved))
	case q.pact != m.Pact || m.Originator != q.by && !slices.Contains(m.Recipients, q.by) && !slices.Equal(m.Origins, []act.Party{v.own}):
		w.fail(6, "%s showed %s, which was not released to the visitor's party", s, b.Number)
	case !moves(r.standing(at)):
		w.fail(3, "%s showed %s, and the pact is %s", s, b.Number, r.standing(at))
	}
	w.hit("people: a visitor is shown a product")
}

// uses checks that a person may use a product: level, need, register, briefing
// and purpose, each on its own.
func (w *World) uses(s *Side, v *view, p *seen, a act.Act, name, purpose string, consents []act.Digest, deed string, n act.Number) {
	why := v.may(name, act.Reading, a.At.Time, rank(p.mark))
	q, m := v.persons[name], &p.body.Manifest
	needs := slices.ContainsFunc(q.Needs, func(x act.Need) bool { return x.Pact == m.Pact && slices.Contains(x.Purposes, purpose) })
	switch {
	case why != "":
	case !needs:
		why = "does not need to know for " + purpose
	case !q.Briefed || q.Facility == "":
		why = "is not briefed or on no register"
	case p.destroyed:
		why = "reads what was destroyed"
	case p.from != v.own && p.received == 0:
		why = "reads what is not here"
	}
	if why != "" {
		w.fail(32, "%s %s %s, and %s %s", s, deed, n, name, why)
	}
	if t := termsOf(p.body.Text); purpose != m.Purpose && t != nil && !t.framework {
		w.approved(s, v, p, "purpose", purpose, a, consents)
	}
}

// approved checks that a deed spends an approval of each origin that is another's.
func (w *World) approved(s *Side, v *view, p *seen, deed, purpose string, a act.Act, spent []act.Digest) {
	m := &p.body.Manifest
	for _, o := range m.Origins {
		ok := o == v.own || slices.ContainsFunc(spent, func(d act.Digest) bool {
			c := v.consents[d]
			return c != nil && c.by == o && c.Deed == deed && c.Purpose == purpose && c.about(m)
		})
		if !ok {
			w.fail(6, "%s: the %s of %s spends no approval of %s", s, deed, m.Number, o)
		}
	}
}

// spent counts the approvals that a deed of ours used up.
func (w *World) spent(s *Side, v *view, a act.Act, all []act.Digest, p *seen, deed string) {
	m := &p.body.Manifest
	for _, d := range all {
		c := v.consents[d]
		if c == nil || c.by == v.own || !slices.Contains(c.to, v.own) || !c.about(m) {
			w.fail(6, "%s used an approval of %s that the originator did not give", s, m.Number)
			continue
		}
		c.used++
		if c.used > c.Uses || c.withdrawn || !a.At.Before(c.Until.Time) || a.At.Before(c.given) {
			w.fail(6, "%s used an approval of %s for the %d. time of %d, withdrawn %v, until %s", s, m.Number, c.used, c.Uses, c.withdrawn, c.Until)
		}
		w.hit("people: an approval is spent on " + deed)
	}
}

// keeps reports whether the disk holds an object: in its vault, or in the rows.
func (s *Side) keeps(v act.Sum) (ok bool) {
	_ = read(s.disk, func(tx *ledger.Tx) error {
		b, err := tx.Get(vault.Table, v[:])
		ok = b != nil
		return err
	})
	if ok {
		return true
	}
	f, err := s.disk.Copy().Vault().Open(s.w.ctx, vault.Digest(v))
	if err != nil {
		return false
	}
	f.Close()
	return true
}
