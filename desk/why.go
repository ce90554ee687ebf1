package desk

import (
	"net/http"

	"entente/act"
	"entente/ledger"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/ruling"
)

// WhyAsk asks what happened to a product, and how a deed with it by a person is
// ruled, or was, by the state of a moment.
type WhyAsk struct {
	Number act.Number `json:"number"`
	reading.Deed
	When ledger.When `json:"when,omitzero"`
}

// WhyView explains what happened to a product, and how a deed is ruled.
type WhyView struct {
	At      act.Moment      `json:"at"`     // the moment that it is asked of
	Ledger  act.Head        `json:"ledger"` // the entries that stood then
	Custody product.Custody `json:"custody"`
	Entries []EntryView     `json:"entries"` // the acts about it
	Ruling  *RuleView       `json:"ruling,omitempty"`
}

// RuleView is a ruling with the acts that what it was asked on rests on.
type RuleView struct {
	ruling.Ruling
	Rests []RestView `json:"rests"`
	Today string     `json:"today,omitempty"` // what was asked as it is today, for the ledger does not keep it
}

// RestView names an act that a ruling rests on.
type RestView struct {
	Entry int64      `json:"entry"`
	Kind  act.Kind   `json:"kind"`
	By    string     `json:"by"` // the person, or the party whose node it was
	At    act.Moment `json:"at"`
	Act   act.Digest `json:"act"`
}

// EntryView is an entry of the ledger without content.
type EntryView struct {
	Index int64   `json:"index"`
	Act   act.Act `json:"act"`
	Name  string  `json:"digest"`
}

func (s *Server) why(w http.ResponseWriter, r *http.Request) {
	var a WhyAsk
	long(w, 1000, func(p func(done, all int64)) (WhyView, error) {
		if err := read(r, &a); err != nil {
			return WhyView{}, err
		}
		return s.Why(r, a, p)
	})
}

// Why explains one product: a past question and a present one go the same way.
func (s *Server) Why(r *http.Request, a WhyAsk, progress func(done, all int64)) (v WhyView, err error) {
	if err := a.Number.Check(); err != nil {
		return v, invalid("%v", err)
	}
	if a.Recipient != "" && a.Recipient.Check() != nil {
		return v, invalid("%v", a.Recipient.Check())
	}
	err = s.Stood(r.Context(), a.When, progress, func(tx *ledger.Tx, at ledger.State) error {
		v.At, v.Ledger = act.MomentOf(at.Moment), at.Head
		return s.explain(tx, a, at, progress, &v)
	})
	return v, err
}

func (s *Server) explain(tx *ledger.Tx, a WhyAsk, at ledger.State, progress func(done, all int64), v *WhyView) (err error) {
	for e, err := range tx.Entries(0) {
		if err != nil {
			return err
		}
		if about, ok := product.About(e.Act); ok && about == a.Number {
			v.Entries = append(v.Entries, EntryView{e.Index, e.Act, e.Digest.String()})
		} else if d, ok := e.Act.Body.(act.Denial); ok && d.Number == a.Number {
			v.Entries = append(v.Entries, EntryView{e.Index, e.Act, e.Digest.String()})
		}
	}
	if len(v.Entries) == 0 && a.As == "" {
		return invalid("nothing here bears the number %s", a.Number)
	}
	if v.Custody, _, err = s.Catalogue.Product(tx, a.Number); err != nil || a.As == "" {
		return err
	}
	p, enrolled, err := s.Catalogue.Person(tx, a.As)
	if err != nil {
		return err
	}
	if !enrolled {
		return invalid("nobody called %q is enrolled here, or was then: 'entente person list'", a.As)
	}
	if v.Ruling, err = s.ruled(tx, a, at, progress); err != nil || party.Holds(&p, act.Audit) {
		return err
	}
	// A person is told no more than that person may know: of what is not to be
	// known, the same as of what does not exist.
	ok := false
	if len(v.Entries) > 0 {
		if ok, err = s.mayKnow(tx, a.As, v.Custody, at.Moment); err != nil {
			return err
		}
	}
	if !ok {
		v.Custody, v.Entries = product.Custody{}, nil
	}
	return nil
}

// ruled rules on the deed by what stood, and finds the acts behind it.
func (s *Server) ruled(tx *ledger.Tx, a WhyAsk, at ledger.State, progress func(done, all int64)) (*RuleView, error) {
	if a.Deed.Deed == "" {
		a.Deed.Deed = "read"
	}
	rule, on, err := s.Reading.Explain(tx, a.Number, a.Deed, at.Moment)
	if err != nil {
		return nil, err
	}
	v := &RuleView{Ruling: rule, Rests: []RestView{}}
	behind, err := s.Catalogue.Behind(tx, on, progress)
	for _, e := range behind {
		by := e.Act.By
		if by == "" {
			by = string(e.Act.From)
		}
		v.Rests = append(v.Rests, RestView{e.Index, e.Act.Kind, by, e.Act.At, e.Digest})
	}
	if s.Reading.Law != nil && !a.When.IsZero() {
		v.Today = "our own law, house.cedar"
	}
	return v, err
}
