package catalogue

import (
	"maps"
	"slices"
	"strings"

	"entente/act"
	"entente/ledger"
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
		if state, made := c.made(tx, b, e); made {
			if state == "" { // each such act counts
				state = e.Digest.String()
			}
			found[state] = e
		}
		each(e)
	}
	all := slices.SortedFunc(maps.Values(found), func(a, b ledger.Entry) int { return int(a.Index - b.Index) })
	return slices.DeleteFunc(all, func(e ledger.Entry) bool { return e.Act.From != c.Own && refused[e.Digest] }), nil
}

// made reports whether an entry made any of the basis, and names the state that the
// last such entry alone makes: none, where each counts.
func (c *Catalogue) made(tx *ledger.Tx, b Basis, e ledger.Entry) (state string, made bool) {
	a, ours := e.Act, e.Act.From == c.Own
	here := func(n act.Number) bool { _, is := b.Products[n]; return is }
	under := a.Pact == b.Pact && b.Pact != ""
	for _, d := range spent(a) {
		if slices.Contains(b.Acts, d) {
			return "", true
		}
	}
	switch x := a.Body.(type) {
	case act.Person:
		return "person", ours && x.Name == b.Person
	case act.Proposal:
		return "", under && SumOf([]byte(x.Text)) == b.Text
	case act.Step:
		return "", under && b.Life && x.Text == b.Text
	case act.Interpretation:
		return "reading of " + string(a.From), under && b.Life && x.Text == b.Text
	case act.Release:
		i, is := b.Products[x.Manifest.Number]
		return "", is && i == e.Index && a.Kind == act.ProductReleased
	case act.Receipt:
		return "", ours && here(x.Number)
	case act.Refusal:
		i, known, err := tx.Find(x.Act)
		first := err == nil && known && here(x.Number) && i == b.Products[x.Number] // and not another under its number
		return "", ours && x.Kind == act.ProductReleased && first || under && b.Life && x.Kind == act.PactNotice
	case act.Reclassification:
		return "mark of " + string(x.Number), here(x.Number) && a.From == x.Number.Party()
	case act.Review:
		return "review of " + string(x.Number), ours && here(x.Number)
	case act.Certificate:
		return "", ours && here(x.Number)
	case act.Copy:
		return "", ours && b.Copies && here(x.Number)
	case act.Consent, act.Mandate, act.Visit:
		return "", slices.Contains(b.Acts, e.Digest)
	case act.Withdrawal:
		return "", slices.Contains(b.Acts, x.Act)
	case act.Approval:
		return "", slices.Contains(b.Acts, x.Visit)
	case act.Known:
		return "partner " + string(x.Card.Party), ours && slices.Contains(b.Partners, x.Card.Party)
	case act.Routing:
		return "route to " + string(x.Party), ours && slices.Contains(b.Partners, x.Party)
	case act.Authority:
		name, of, _ := strings.Cut(b.Officer, "@")
		if !ours {
			return "officer", string(a.From) == of && x.Name == name
		}
		return "notified to " + strings.Join(texts(a.To), ","), x.Name == b.Person && slices.ContainsFunc(a.To, func(p act.Party) bool { return slices.Contains(b.Partners, p) })
	case act.Accreditation:
		return "accredited up to " + x.Mark.Text, ours && x.Channel == b.Channel
	case act.Assurance:
		return "", under && b.Assured && slices.Contains(b.Partners, a.From)
	}
	return "", under && b.Channel != "" && a.Must && !a.Kind.Known()
}

func texts(all []act.Party) (s []string) {
	for _, p := range all {
		s = append(s, string(p))
	}
	return s
}
