package desk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/ruling"
)

// findAct finds an act. One that ends or answers another is explained with that other.
func (s *Server) findAct(tx *ledger.Tx, q *question) error {
	name := ""
	i, ok, err := int64(0), true, error(nil)
	if q.Act != nil {
		name = q.Act.String()
		i, ok, err = tx.Find(*q.Act)
	} else if name, i = "entry "+itoa(*q.Entry), *q.Entry; i < 0 || i >= tx.Size() {
		ok = false
	}
	for again := true; err == nil && ok && again; {
		if q.of, err = tx.Entry(i); err != nil {
			return err
		}
		if ok, err = s.mayKnowAct(tx, q.As, q.of); err != nil || !ok {
			break
		}
		again = false
		if d := ends(q.of.Act); d != nil {
			i, again, err = tx.Find(*d)
		}
	}
	if err != nil || !ok {
		return errors.Join(err, unheard(name))
	}
	q.Entry, q.Act = &q.of.Index, nil
	if !s.records(q.of) {
		return nil
	}
	if !q.When.IsZero() {
		return invalid("entry %d records how it was ruled on just before it: ask of no other moment", q.of.Index)
	}
	q.When.Entry = &q.of.Index
	return nil
}

// unheard is said of an act that is not here, and of one that may not be known.
func unheard(name string) error {
	return invalid("no act here is %s: 'entente ledger show' numbers them", name)
}

// ends names the act that another one ends, or answers.
func ends(a act.Act) *act.Digest {
	switch b := a.Body.(type) {
	case act.Withdrawal:
		return &b.Act
	case act.Approval:
		return &b.Visit
	}
	return nil
}

// records reports whether an entry records a ruling of ours.
func (s *Server) records(e ledger.Entry) bool {
	ours := e.Act.From == s.Card.Party
	switch e.Act.Body.(type) {
	case act.Release:
		return true // a partner's: we ruled on taking it in
	case act.Denial, act.Opening, act.Copy, act.Showing, act.Review, act.Reclassification, act.Certificate, act.Step, act.Interpretation, act.Refusal:
		return ours
	}
	return false
}

// mayKnowAct reports whether a person may be told of an act; nobody: whoever runs the node may.
func (s *Server) mayKnowAct(tx *ledger.Tx, who string, e ledger.Entry) (bool, error) {
	p, enrolled, err := s.Catalogue.Person(tx, who)
	if err != nil || who == "" || oversees(&p) {
		return err == nil, err
	}
	if !enrolled || p.Left {
		return false, nil
	}
	if e.Act.By == who+"@"+string(s.Card.Party) {
		return true, nil
	}
	if b, is := e.Act.Body.(act.Denial); is { // who asked was told; of others, those whose business it is
		return b.Person == who || party.Holds(&p, act.Registry) || e.Act.Kind == act.ReleaseDenied && party.Holds(&p, act.Releasing), nil
	}
	if d := ends(e.Act); d != nil {
		i, ok, err := tx.Find(*d)
		if err != nil || !ok {
			return false, err
		}
		of, err := tx.Entry(i)
		if err != nil || ends(of.Act) != nil {
			return false, err
		}
		return s.mayKnowAct(tx, who, of)
	}
	if n, is := product.About(e.Act); is {
		cu, ok, err := s.Catalogue.Product(tx, n)
		if err != nil || !ok {
			return false, err
		}
		return s.mayKnow(tx, who, cu, s.Now())
	}
	return e.Act.Pact != "" && concerned(&p, e.Act.Pact), nil
}

// act explains an act: the ruling that it records, or whether what it gave still stands.
func (s *Server) act(q *question, v *WhyView) (err error) {
	each := func(e ledger.Entry) { q.progress(e.Index+1, q.tx.Size()) }
	if s.records(q.of) {
		deed, by, r, on, err := s.again(q)
		if err != nil {
			return err
		}
		v.Recorded = true
		v.Ruling, err = s.verdict(q, deed, by, r, on, each)
		return err
	}
	if q.of.Index >= q.tx.Size() {
		return unheard("entry " + itoa(q.of.Index))
	}
	replaced, err := s.became(q, v)
	if err != nil {
		return err
	}
	given, err := s.Catalogue.Of(q.tx, q.of)
	if err != nil {
		return err
	}
	v.Gave = gave(q.Lang, cmp.Or(given, q.of.Act.Body))
	for _, e := range v.Entries[1:] {
		if b, is := e.Act.Body.(act.Refusal); is && e.Act.From == s.Card.Party { // a partner's act, and it had no effect here
			v.Ruling, err = s.verdict(q, "stand", "", ruling.Ruling{Because: b.Because}, catalogue.Basis{Acts: []act.Digest{q.of.Digest}}, each)
			return err
		}
	}
	if _, is := q.of.Act.Body.(act.LawNotice); is && len(q.of.Act.To) == 1 {
		if !slices.ContainsFunc(v.Entries, func(e EntryView) bool { return e.Act.Kind == act.LawAcknowledged }) {
			v.Waits = say(q.Lang)("lawopen") + ": " + string(q.of.Act.To[0])
		}
		return nil
	}
	f, until, on, err := s.given(q, given)
	if err != nil || f == nil {
		return err
	}
	f.Replaced = replaced
	if v.Ruling, err = s.verdict(q, "stand", "", ruling.Grant(f), on, each); err == nil && !until.IsZero() {
		v.Ruling.Until = &until
	}
	return err
}

// given gathers what is asked about something that was given; nil: the act gave nothing that ends.
func (s *Server) given(q *question, given any) (f *ruling.GrantFacts, until act.Moment, on catalogue.Basis, err error) {
	f = &ruling.GrantFacts{Now: q.at.Moment}
	on = catalogue.Basis{Acts: []act.Digest{q.of.Digest}}
	id, text := q.of.Act.Pact, act.Sum{}
	switch b := given.(type) {
	case *product.Consent:
		cu, _, err := s.Catalogue.Product(q.tx, b.Number)
		if err != nil {
			return nil, until, on, err
		}
		f.Consent, until, text = b, b.Until, cu.Text // a product keeps the terms that it was released under (R57)
		on.Life = b.Deed == "pass-on"
	case *product.Mandate:
		f.Mandate, until, on.Life = b, b.Until, true
	case *product.Visit:
		f.Visit, until, on.Life = b, b.Until, true
	case *product.Assurance:
		f.Assurance, until, on.Life = b, b.Until, true
	case *product.Accreditation:
		f.Accreditation, until = b, b.Until
		return f, until, on, nil
	default:
		switch b := q.of.Act.Body.(type) {
		case act.Person:
			f.Person, until = &b, b.Until
		case act.Known, act.Routing, act.Authority, act.Parking: // they stand until they are stated anew
		default:
			return nil, until, on, nil
		}
		return f, until, on, nil
	}
	p, row, ok, err := s.Catalogue.Pact(q.tx, id, q.at.Moment)
	if err == nil && text != (act.Sum{}) {
		p, row, ok, err = s.Catalogue.PactUnder(q.tx, id, text)
	}
	if err != nil || !ok {
		return nil, until, on, err
	}
	f.Pact, f.Life, on.Pact, on.Text = p, row.Life, id, row.Text
	return f, until, on, nil
}

// gave says what was given: words of the act's own, which are data, after what it lets be done.
func gave(lang string, given any) []string {
	to := func(m act.Mark) string { return pact.Say(lang, "up to "+m.Text) }
	switch b := given.(type) {
	case *product.Consent:
		all := []string{string(b.Number), Term(lang, b.Deed)}
		if b.Recipient != "" {
			all = append(all, string(b.Recipient))
		}
		return append(all, b.Purpose, fmt.Sprintf(Say(lang, "uses"), b.Used, b.Uses))
	case *product.Mandate:
		return []string{string(b.Pact), Term(lang, b.Kind), pact.Say(lang, b.Subject), to(b.Mark), b.Purpose}
	case *product.Visit:
		all := append(slices.Clone(b.Visitors), b.Subject)
		if b.Approved != nil {
			all = append(all, to(*b.Approved))
		}
		return all
	case *product.Assurance:
		return append([]string{b.Meeting, to(b.Mark)}, b.Persons...)
	case *product.Accreditation:
		return []string{pact.Say(lang, b.Channel), to(b.Mark), b.By}
	case act.LawNotice:
		return []string{b.Text}
	}
	return nil
}

// became lists an act and what became of it, as far as who asks may know.
func (s *Server) became(q *question, v *WhyView) (replaced bool, err error) {
	all, replaced, err := s.Catalogue.Became(q.tx, q.of)
	if err != nil {
		return false, err
	}
	q.of.Act = brief(q.of.Act)
	v.Entries = []EntryView{entryView(q.of)}
	for _, e := range all {
		if ok, err := s.mayKnowAct(q.tx, q.As, e); err != nil {
			return false, err
		} else if ok {
			v.Entries = append(v.Entries, entryView(e))
		}
	}
	return replaced, nil
}

// again rules as an entry records it, by the state before it. What was refused stands in the entry itself.
func (s *Server) again(q *question) (deed, by string, r ruling.Ruling, on catalogue.Basis, err error) {
	a, at := q.of.Act, q.at.Moment
	by, _, _ = strings.Cut(a.By, "@")
	do := func(n act.Number, d reading.Deed) {
		deed, by = d.Deed, d.As
		r, on, err = s.Reading.Explain(q.tx, n, d, at)
	}
	switch b := a.Body.(type) {
	case act.Release:
		if deed = "release"; a.From == s.Card.Party {
			r, on, err = s.released(q, b, by)
			break
		}
		deed, by = "accept", a.By
		r, on, err = s.Intake.Explain(q.tx, cmp.Or(q.Channel, "electronic"), a, q.of.Index, at)
	case act.Opening:
		do(b.Number, reading.Deed{As: b.Person, Deed: "read", Purpose: b.Purpose})
	case act.Copy:
		do(b.Number, reading.Deed{As: b.Person, Deed: "copy"})
	case act.Showing:
		do(b.Number, reading.Deed{As: b.Person, Deed: "show", Visit: &b.Visit, Visitor: b.Visitor})
	case act.Review:
		do(b.Number, reading.Deed{As: b.Person, Deed: "review"})
	case act.Reclassification:
		do(b.Number, reading.Deed{As: by, Deed: "downgrade", Mark: b.Mark.Text})
	case act.Certificate:
		do(b.Number, reading.Deed{As: b.Person, Deed: "destroy", Method: b.Method, Witness: b.Witness})
	case act.Step, act.Interpretation:
		deed = string(a.Kind)
		r, on, err = s.Chancery.Explain(q.tx, a.Kind, a.Pact, by, at)
	case act.Denial:
		if a.Kind == act.OpeningDenied {
			do(b.Number, reading.Deed{As: b.Person, Deed: cmp.Or(b.Deed, "read"), Purpose: b.Purpose})
		} else {
			deed, by = "release", b.Person
			on, err = s.draftedFor(q, b)
		}
		r = ruling.Ruling{Because: b.Because}
	case act.Refusal:
		deed, by = "accept", ""
		on.Acts = []act.Digest{b.Act}
		r = ruling.Ruling{Because: b.Because}
		i, ok, known := q.tx.Find(b.Act)
		if err = known; err != nil || !ok {
			break
		}
		e, known := q.tx.Entry(i)
		if err = known; err != nil {
			break
		}
		if by = cmp.Or(e.Act.By, string(e.Act.From)); b.Kind == act.ProductReleased {
			_, on, err = s.Intake.Explain(q.tx, cmp.Or(q.Channel, "electronic"), e.Act, i, at)
		}
	}
	return deed, by, r, on, err
}

// draftedFor names what the refusal of a release was ruled on: its draft stands in it, or waited for a second person.
func (s *Server) draftedFor(q *question, b act.Denial) (on catalogue.Basis, err error) {
	cu, _, err := s.Catalogue.Product(q.tx, b.Number)
	switch {
	case err != nil:
	case cu.Asked != nil:
		_, on, err = s.released(q, act.Release{Manifest: cu.Manifest, Drafter: cu.Asked.By}, b.Person)
	case b.Manifest != nil:
		_, on, err = s.released(q, act.Release{Manifest: *b.Manifest, Mandate: b.Mandate}, b.Person)
	default:
		on.Person = b.Person
	}
	return on, err
}
