package desk

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"entente/act"
	"entente/ledger"
	"entente/pact"
)

// texts reads every pact that is known here, under each text, and those that are
// shipped: a person may be enrolled for one before it is proposed.
func (s *Server) texts(r *http.Request) (all []*pact.Pact, err error) {
	err = s.Ledger.View(r.Context(), func(tx *ledger.Tx) error {
		rows, err := s.Catalogue.Pacts(tx)
		for _, row := range rows {
			p, _, ok, err := s.Catalogue.PactUnder(tx, row.ID, row.Text)
			if err != nil || !ok {
				return err
			}
			all = append(all, p)
		}
		return err
	})
	for _, id := range pact.Templates() {
		b, _ := pact.Template(id)
		if p, problems := pact.Parse(b); len(problems) == 0 {
			all = append(all, p)
		}
	}
	return all, err
}

// oneOf refuses a name that none of the pacts knows: what is entered under it would
// let nobody do anything, and nobody would be told. Where the pacts know no name at
// all of this kind, any may come to mean something.
func oneOf(name, what string, all []*pact.Pact, names func(*pact.Pact) []string) error {
	var known []string
	for _, p := range all {
		known = append(known, names(p)...)
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) == 0 || slices.Contains(known, name) {
		return nil
	}
	return invalid("%q is no %s: choose one of: %s", name, what, strings.Join(known, ", "))
}

// marks lists the markings of our scheme in a pact now.
func (s *Server) marks(now time.Time) func(*pact.Pact) []string {
	return func(p *pact.Pact) (all []string) {
		for _, r := range p.Table.Marks(s.Card.Party, now) {
			all = append(all, r.Mark.Text)
		}
		return all
	}
}

func channels(p *pact.Pact) (all []string) {
	for c := range p.Channels {
		all = append(all, c)
	}
	return all
}

func purposes(p *pact.Pact) (all []string) {
	for _, q := range p.Purposes {
		all = append(all, q.ID)
	}
	return all
}

// under keeps the texts of one pact.
func under(id act.PactID, all []*pact.Pact) (some []*pact.Pact, err error) {
	for _, p := range all {
		if p.ID == id {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		err = invalid("no pact called %s is known here or shipped: 'entente pacts' lists ours; propose it first", id)
	}
	return some, err
}

// ours keeps the pacts that we are a party to.
func (s *Server) ours(all []*pact.Pact) (some []*pact.Pact) {
	for _, p := range all {
		if p.Has(s.Card.Party) {
			some = append(some, p)
		}
	}
	return some
}

// enrollable asks that what a person is enrolled with means something.
func (s *Server) enrollable(r *http.Request, p act.Person) error {
	all, err := s.texts(r)
	if err != nil {
		return err
	}
	for _, n := range p.Needs {
		some, err := under(n.Pact, all)
		if err != nil {
			return err
		}
		for _, q := range n.Purposes {
			if err := oneOf(q, fmt.Sprintf("purpose of %s", n.Pact), some, purposes); err != nil {
				return err
			}
		}
	}
	if p.Clearance == "" {
		return nil
	}
	return oneOf(p.Clearance, "marking of "+string(s.Card.Party), s.ours(all), s.marks(s.Now()))
}

// accreditable asks that an accreditation is for a channel and a mark of pacts of ours.
func (s *Server) accreditable(r *http.Request, a *act.Accreditation) error {
	all, err := s.texts(r)
	if err != nil {
		return err
	}
	if err := oneOf(a.Channel, "channel of a pact of ours", s.ours(all), channels); err != nil {
		return err
	}
	return oneOf(a.Mark.Text, "marking of "+string(s.Card.Party), s.ours(all), s.marks(s.Now()))
}

// marked asks that a mark of ours is one of the pact's.
func (s *Server) marked(r *http.Request, id act.PactID, m act.Mark) error {
	all, err := s.texts(r)
	if err != nil {
		return err
	}
	some, err := under(id, all)
	if err != nil {
		return err
	}
	return oneOf(m.Text, fmt.Sprintf("marking of %s in %s", s.Card.Party, id), some, s.marks(s.Now()))
}
