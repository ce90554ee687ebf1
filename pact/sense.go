package pact

import (
	"fmt"
	"slices"
)

// sense refuses terms each of which may stand, and which together can never be kept
// or would never apply: who wrote them meant something else.
func (r *reader) sense(p *Pact, s source) {
	l := s.Life
	_, byHub := s.Channels["hub"]
	for _, x := range []struct {
		absurd bool
		why    string
		path   []any
	}{
		{l.TermYears > 0 && (l.NoticeDays >= 365*l.TermYears || l.NoticeMonth >= 12*l.TermYears), "the time of notice is as long as the term, or longer: no notice could end the term in which it is given", []any{"life"}},
		{l.TermYears == 0 && l.Anniversary != "", "a pact without end has no terms that end on an anniversary: give term-years, or leave this out", []any{"life", "anniversary"}},
		{l.TermYears+l.NoticeDays+l.NoticeMonth == 0 && l.Suspension, "a notice that ends the pact at once cannot be suspended: give the time of notice", []any{"life", "suspension"}},
		{l.Start == "signature" && l.Provisional != "", "a pact in force on signature is not applied before: leave this out, or start it otherwise", []any{"life", "provisional"}},
		{p.above(p.Receipt.From), "this is above the ceiling: no receipt would ever be due", []any{"receipts", "from"}},
		{p.above(p.Cleared), "this is above the ceiling: write none where no clearance is needed", []any{"clearance-from"}},
		{p.above(p.Copying.ConsentFrom), "this is above the ceiling: no consent would ever be asked", []any{"copying", "consent-from"}},
		{p.Copying.Copies == "forbidden" && p.Copying.Limit > 0, "where copies are forbidden they have no limit", []any{"copying", "limit"}},
		{p.Contract.Allowed == "forbidden" && p.Contract.Performance, "where contractors are forbidden no contract has a place of performance", []any{"contractors", "place-of-performance"}},
		{(p.Report.To == "") != (p.Report.Every == 0), "a report needs both: to whom it goes, and every how many months", []any{"reporting"}},
		{s.Hub == nil && byHub, "nothing can go by a hub: the pact names none", []any{"channels", "hub"}},
		{s.Hub != nil && len(p.Parties) < 3, "a hub passes on between two others: it takes three parties", []any{"hub"}},
	} {
		if x.absurd {
			r.at(x.why, x.path...)
		}
	}
	for _, c := range sorted(p.Channels) {
		if rank := p.Channels[c]; p.above(rank) {
			r.at("the ceiling of a channel is above the pact's", "channels", c)
		} else if rank > 0 && rank < p.Floor {
			r.at("the ceiling of this channel is below the floor: nothing could go by it", "channels", c)
		}
	}
	for i := range p.Legs {
		if rank := p.Legs[i].Ceiling; p.above(rank) {
			r.at("the ceiling of a leg is above the pact's", "legs", i, "ceiling")
		} else if rank > 0 && rank < p.Floor {
			r.at("the ceiling of this leg is below the floor: nothing could go by it", "legs", i, "ceiling")
		}
	}
	for i := range p.Parties {
		on := func(l Leg) bool { return slices.Contains(l.Between[:], p.Parties[i].ID) }
		if len(p.Legs) > 0 && !slices.ContainsFunc(p.Legs, on) && !r.spoilt("legs") {
			r.at(fmt.Sprintf("no leg reaches %s: it could send and receive nothing", p.Parties[i].ID), "legs")
		}
	}
	for high := range 17 {
		for low := range high {
			if a, b := p.Third.Audience[high], p.Third.Audience[low]; a != b && Reaches(a, b) {
				r.at(fmt.Sprintf("%s reaches further than %s, which ranks lower", p.Table.Term(high), p.Table.Term(low)), "third-party", "audience", p.Table.Term(high))
			}
		}
	}
	for i, id := range p.Relation.Supersedes {
		if slices.Contains(slices.Concat(p.Relation.Implements, p.Relation.Supplements, p.Relation.ProtectedBy), id) {
			r.at("the text rests on this pact and takes its place", "relation", "supersedes", i)
		}
	}
}

// above reports whether a rank is above what may be shared.
func (p *Pact) above(rank int) bool { return p.Ceiling > 0 && rank > p.Ceiling }
