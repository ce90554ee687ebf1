package catalogue

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"entente/act"
	"entente/ledger"
	"entente/product"
)

// Basis is what a ruling was asked on, as far as acts made it.
type Basis struct {
	Person   string               // of ours, who does it
	Pact     act.PactID           // whose terms, under Text, hold
	Text     act.Sum              //
	Life     bool                 // the pact's state was asked for, too
	Products map[act.Number]int64 // the product and what it was made from → the entry of its release
	Copies   bool                 // those made so far were counted
	Acts     []act.Digest         // that the facts name: approvals, a mandate, a visit
	Partners []act.Party          // between whom and us it moves
	Officer  string               // of a partner, as name@PARTY, who released it
	Channel  string               // by which it moves; empty: it stays
	Assured  bool                 // an assurance was asked for

	Above map[act.PactID]act.Sum // the pacts, each under its text, whose terms and state were asked for, too
}

// Behind finds the acts that made what a ruling was asked on, in their order: of those
// whose last one counts the last, and none that was refused here. It reads every
// entry, and shows it to each.
func (c *Catalogue) Behind(tx *ledger.Tx, b Basis, each func(ledger.Entry)) ([]ledger.Entry, error) {
	found := map[string]ledger.Entry{}
	refused := map[act.Digest]bool{}
	for e, err := range tx.Entries(0) {
		if err != nil {
			return nil, err
		}
		if r, is := e.Act.Body.(act.Refusal); is && e.Act.From == c.Own && r.Kind != act.ProductReleased && r.Kind != act.PactNotice {
			refused[r.Act] = true
		}
		if c.made(tx, b, e) {
			found[cmp.Or(state(e.Act), e.Digest.String())] = e
		}
		each(e)
	}
	all := slices.SortedFunc(maps.Values(found), func(a, b ledger.Entry) int { return int(a.Index - b.Index) })
	return slices.DeleteFunc(all, func(e ledger.Entry) bool { return e.Act.From != c.Own && refused[e.Digest] }), nil
}

// made reports whether an entry made any of the basis.
func (c *Catalogue) made(tx *ledger.Tx, b Basis, e ledger.Entry) bool {
	a, ours := e.Act, e.Act.From == c.Own
	here := func(n act.Number) bool { _, is := b.Products[n]; return is }
	under := a.Pact == b.Pact && b.Pact != ""
	text, life := b.Text, under && b.Life
	if above, is := b.Above[a.Pact]; is {
		text, life = above, true
	}
	if slices.Contains(b.Acts, e.Digest) || slices.ContainsFunc(spent(a), func(d act.Digest) bool { return slices.Contains(b.Acts, d) }) {
		return true
	}
	switch x := a.Body.(type) {
	case act.Person:
		return ours && x.Name == b.Person
	case act.Proposal:
		return (under || life) && SumOf([]byte(x.Text)) == text
	case act.Step:
		return life && x.Text == text
	case act.Interpretation:
		return life && x.Text == text
	case act.Release:
		i, is := b.Products[x.Manifest.Number]
		return is && i == e.Index && a.Kind == act.ProductReleased
	case act.Receipt:
		return ours && here(x.Number)
	case act.Refusal:
		i, known, err := tx.Find(x.Act)
		first := err == nil && known && here(x.Number) && i == b.Products[x.Number] // and not another under its number
		return ours && x.Kind == act.ProductReleased && first || life && x.Kind == act.PactNotice
	case act.Reclassification:
		return here(x.Number) && a.From == x.Number.Party()
	case act.Review:
		return ours && here(x.Number)
	case act.Certificate:
		return ours && here(x.Number)
	case act.Copy:
		return ours && b.Copies && here(x.Number)
	case act.Withdrawal:
		return slices.Contains(b.Acts, x.Act)
	case act.Approval:
		return slices.Contains(b.Acts, x.Visit)
	case act.Known:
		return ours && slices.Contains(b.Partners, x.Card.Party)
	case act.Routing:
		return ours && slices.Contains(b.Partners, x.Party)
	case act.Authority:
		name, of, _ := strings.Cut(b.Officer, "@")
		if !ours {
			return string(a.From) == of && x.Name == name
		}
		return x.Name == b.Person && slices.ContainsFunc(a.To, func(p act.Party) bool { return slices.Contains(b.Partners, p) })
	case act.Accreditation:
		return ours && x.Channel == b.Channel
	case act.Assurance:
		return under && b.Assured && slices.Contains(b.Partners, a.From)
	}
	return under && b.Channel != "" && a.Must && !a.Kind.Known()
}

// state names what an act states of which the last word of its party's counts; empty: each
// such act counts.
func state(a act.Act) string {
	name := func(of ...string) string { return strings.Join(append([]string{string(a.From)}, of...), " ") }
	switch b := a.Body.(type) {
	case act.Person:
		return name("person", b.Name)
	case act.Known:
		return name("partner", string(b.Card.Party))
	case act.Routing:
		return name("route", string(b.Party))
	case act.Parking:
		return name("link", string(b.Party))
	case act.Authority:
		return name("authority", b.Name, strings.Join(texts(a.To), ","))
	case act.Accreditation:
		return name("accreditation", b.Channel, b.Mark.Text)
	case act.Interpretation:
		return name("reading", string(a.Pact), b.Text.String())
	case act.Reclassification:
		return name("mark", string(b.Number))
	case act.Review:
		return name("review", string(b.Number))
	}
	return ""
}

// Became finds what became of an entry: the acts that name it, and so ended, answered or
// used it, and those that stated the same anew, in their order; replaced tells whether there
// are any of these. What was refused here, and what was not its party's to say, counts for nothing.
func (c *Catalogue) Became(tx *ledger.Tx, of ledger.Entry) (all []ledger.Entry, replaced bool, err error) {
	refused := map[act.Digest]bool{}
	for e, err := range tx.Entries(of.Index + 1) {
		if err != nil {
			return nil, false, err
		}
		if r, is := e.Act.Body.(act.Refusal); is && e.Act.From == c.Own {
			refused[r.Act] = true
		}
		if names(e.Act, of) || state(of.Act) != "" && state(e.Act) == state(of.Act) {
			all = append(all, e)
		}
	}
	if b, is := of.Act.Body.(act.Consent); is {
		used, err := c.spentBy(tx, b.Number, of.Digest)
		if err != nil {
			return nil, false, err
		}
		all = append(all, used...)
	}
	all = slices.DeleteFunc(all, func(e ledger.Entry) bool { return e.Act.From != c.Own && refused[e.Digest] })
	slices.SortFunc(all, func(a, b ledger.Entry) int { return int(a.Index - b.Index) })
	return all, slices.ContainsFunc(all, func(e ledger.Entry) bool { return state(of.Act) != "" && state(e.Act) == state(of.Act) }), nil
}

// spentBy reads the entries that used an approval up: some may have come before it.
func (c *Catalogue) spentBy(tx *ledger.Tx, n act.Number, given act.Digest) (all []ledger.Entry, err error) {
	k, _, err := ledger.Load[product.Consent](tx, tableConsent, string(n)+"/"+given.String())
	for _, i := range k.Spent {
		e, err := tx.Entry(i)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, err
}

// names reports whether an act names an earlier one with effect.
func names(a act.Act, of ledger.Entry) bool {
	d := of.Digest
	switch b := a.Body.(type) {
	case act.Withdrawal:
		mine := a.From == of.Act.From
		switch a.Kind {
		case act.LawAcknowledged:
			mine = slices.Contains(of.Act.To, a.From)
		case act.VisitEnded:
			mine = mine || slices.Contains(of.Act.To, a.From)
		}
		return b.Act == d && mine
	case act.Approval:
		return b.Visit == d && slices.Contains(of.Act.To, a.From)
	case act.Showing:
		return b.Visit == d
	case act.Release:
		return b.Mandate != nil && *b.Mandate == d
	case act.Loan:
		return b.Asking != nil && *b.Asking == d
	case act.Receipt:
		return b.Act == d
	case act.Waiting:
		return b.Act == d
	case act.Refusal:
		return b.Act == d
	}
	return false
}

// Of reads what an act gave that may end, as it stands: a consent, a mandate, a visit, an
// assurance or an accreditation; nil: it gave none, or it had no effect.
func (c *Catalogue) Of(tx *ledger.Tx, e ledger.Entry) (given any, err error) {
	ok := false
	switch b := e.Act.Body.(type) {
	case act.Consent:
		given, ok, err = found[product.Consent](tx, tableConsent, string(b.Number)+"/"+e.Digest.String())
	case act.Mandate:
		given, ok, err = found[product.Mandate](tx, tableMandate, e.Digest.String())
	case act.Visit:
		given, ok, err = found[product.Visit](tx, tableVisit, e.Digest.String())
	case act.Assurance:
		given, ok, err = found[product.Assurance](tx, tableAssured, string(e.Act.Pact)+"/"+e.Digest.String())
	case act.Accreditation:
		given, ok = &product.Accreditation{Accreditation: b, Given: e.Act.At}, e.Act.From == c.Own
	}
	if err != nil || !ok {
		return nil, err
	}
	return given, nil
}

func found[T any](tx *ledger.Tx, table, key string) (*T, bool, error) {
	v, ok, err := ledger.Load[T](tx, table, key)
	return &v, ok, err
}

func texts(all []act.Party) (s []string) {
	for _, p := range all {
		s = append(s, string(p))
	}
	return s
}
