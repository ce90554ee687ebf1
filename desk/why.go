package desk

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/ledger"
	"entente/party"
	"entente/product"
	"entente/reading"
	"entente/release"
	"entente/ruling"
)

// WhyAsk asks what happened to a product, and how a deed with it by a person is
// ruled, or was, by the state of a moment.
type WhyAsk struct {
	Number act.Number `json:"number"`
	reading.Deed
	Channel string      `json:"channel,omitempty"` // by which a release came that is accepted; electronic when it is not said
	When    ledger.When `json:"when,omitzero"`
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
	var of ledger.Entry // its release, or draft: of a moment when it was not made yet, it is told from now
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) (err error) {
		of, err = s.released(tx, a)
		return err
	})
	if err != nil {
		return v, err
	}
	err = s.Stood(r.Context(), a.When, progress, func(tx *ledger.Tx, at ledger.State) error {
		v.At, v.Ledger = act.MomentOf(at.Moment), at.Head
		return s.explain(tx, a, of, at, progress, &v)
	})
	return v, err
}

// released finds the act that a question about a release, or about taking one in, is on.
func (s *Server) released(tx *ledger.Tx, a WhyAsk) (e ledger.Entry, err error) {
	if a.Deed.Deed != "release" && a.Deed.Deed != "accept" {
		return e, nil
	}
	cu, ok, err := s.Catalogue.Product(tx, a.Number)
	switch ours := a.Number.Party() == s.Card.Party; {
	case err != nil:
		return e, err
	case !ok:
		return e, invalid("nothing here bears the number %s", a.Number)
	case ours != (a.Deed.Deed == "release"):
		return e, invalid("%s is of %s: its originator releases it, and its recipients accept it", a.Number, a.Number.Party())
	case cu.From != "":
		return tx.Entry(cu.Entry)
	}
	return ledger.Entry{Act: act.Act{Kind: act.ReleaseAsked, Body: act.Release{Manifest: cu.Manifest, Drafter: cu.Asked.By}}}, nil
}

func (s *Server) explain(tx *ledger.Tx, a WhyAsk, of ledger.Entry, at ledger.State, progress func(done, all int64), v *WhyView) (err error) {
	var on catalogue.Basis
	p, enrolled, err := s.Catalogue.Person(tx, a.As)
	switch {
	case err != nil:
		return err
	case a.As != "" && !enrolled:
		return invalid("nobody called %q is enrolled here, or was then: 'entente person list'", a.As)
	case a.As != "" || a.Deed.Deed == "accept":
		v.Ruling = &RuleView{Rests: []RestView{}}
		if v.Ruling.Ruling, on, err = s.ruled(tx, a, of, at.Moment); err != nil {
			return err
		}
		if !a.When.IsZero() {
			v.Ruling.Today = s.unkept(a.Deed.Deed)
		}
	}
	behind, err := s.Catalogue.Behind(tx, on, func(e ledger.Entry) {
		about, is := product.About(e.Act)
		if d, denied := e.Act.Body.(act.Denial); is && about == a.Number || denied && d.Number == a.Number {
			v.Entries = append(v.Entries, EntryView{e.Index, e.Act, e.Digest.String()})
		}
		progress(e.Index+1, tx.Size())
	})
	if err != nil {
		return err
	}
	if v.Ruling == nil && len(v.Entries) == 0 {
		return invalid("nothing here bears the number %s", a.Number)
	}
	if v.Ruling != nil {
		v.Ruling.Rests = rests(behind)
	}
	if v.Custody, _, err = s.Catalogue.Product(tx, a.Number); err != nil || a.As == "" || party.Holds(&p, act.Audit) {
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

// unkept names what a past ruling is made by as it is today: the ledger does not keep it.
func (s *Server) unkept(deed string) string {
	var all []string
	if s.Reading.Law != nil {
		all = append(all, "our own law, house.cedar")
	}
	if deed == "release" && s.Release.House().SecondPersonFrom > 0 {
		all = append(all, "the level from which two persons release")
	}
	return strings.Join(all, ", and ")
}

// ruled has the office whose deed it is rule by what stood.
func (s *Server) ruled(tx *ledger.Tx, a WhyAsk, of ledger.Entry, at time.Time) (ruling.Ruling, catalogue.Basis, error) {
	b, is := of.Act.Body.(act.Release)
	if is && a.As != "" {
		if ok, err := s.mayKnow(tx, a.As, product.Custody{Manifest: b.Manifest}, at); err != nil || !ok {
			return ruling.Ruling{}, catalogue.Basis{}, errors.Join(err, invalid("nothing here bears the number %s", a.Number))
		}
	}
	switch a.Deed.Deed {
	case "release":
		drafter, _, _ := strings.Cut(b.Drafter, "@")
		d, second := release.DraftOf(&b.Manifest, a.As, b.Mandate), ""
		if drafter != "" {
			d.As, second = drafter, a.As
		}
		return s.Release.Explain(tx, d, a.Number, second, at)
	case "accept":
		return s.Intake.Explain(tx, cmp.Or(a.Channel, "electronic"), of.Act, of.Index, at)
	case "":
		a.Deed.Deed = "read"
	}
	return s.Reading.Explain(tx, a.Number, a.Deed, at)
}

// rests names acts that a ruling rests on.
func rests(behind []ledger.Entry) []RestView {
	all := []RestView{}
	for _, e := range behind {
		all = append(all, RestView{e.Index, e.Act.Kind, cmp.Or(e.Act.By, string(e.Act.From)), e.Act.At, e.Digest})
	}
	return all
}

// rule rules on a draft and changes nothing.
func (s *Server) rule(r *http.Request, d release.Draft) (v RuleView, err error) {
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		var on catalogue.Basis
		if v.Ruling, on, err = s.Release.Explain(tx, d, release.Previewed, "", s.Now()); err != nil {
			return err
		}
		behind, err := s.Catalogue.Behind(tx, on, func(ledger.Entry) {})
		v.Rests = rests(behind)
		return err
	})
	return v, err
}
