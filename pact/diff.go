package pact

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"entente/act"
)

// Term is one term of a pact, by the dimension in which real pacts differ.
type Term struct {
	Dimension string // D1 to D24; empty: an article, or a clause that it keeps
	Key       string
	For       act.Party // whom it concerns; empty: every party
	Value     string
	Freedom   int // of two values of one key, the greater allows more; 0 for all: neither does; fixed: any other does
}

// fixed is the freedom of what any change widens: who is cleared for a mark that
// ranks higher reads more, and what bears one that ranks lower is read by more.
const fixed = math.MaxInt

// Change is what another text changes.
type Change struct {
	Key      string
	For      act.Party
	Old, New string // empty: not there
	Effect   string // wider, narrower, or other

	dimension string
}

// Diff says what b changes of a, and for whom.
func Diff(a, b *Pact) (all []Change) {
	old, now := a.Lines(), b.Lines()
	key := func(t Term) string { return t.Key + "\x00" + string(t.For) }
	find := func(ts []Term, k string) (t Term, ok bool) {
		i := slices.IndexFunc(ts, func(t Term) bool { return key(t) == k })
		if i < 0 {
			return t, false
		}
		return ts[i], true
	}
	for _, t := range old {
		n, ok := find(now, key(t))
		if ok && n.Value == t.Value {
			continue
		}
		all = append(all, Change{t.Key, t.For, t.Value, n.Value, effect(t.Freedom, n.Freedom), t.Dimension})
	}
	for _, n := range now {
		if _, ok := find(old, key(n)); !ok {
			all = append(all, Change{n.Key, n.For, "", n.Value, effect(0, n.Freedom), n.Dimension})
		}
	}
	return all
}

func effect(old, now int) string {
	switch {
	case now > old, now == fixed:
		return "wider"
	case now < old:
		return "narrower"
	}
	return "other"
}

// Widens lists what b allows that a does not: an implementing arrangement under
// a must widen nothing (R12).
func Widens(a, b *Pact) (all []Change) {
	for _, c := range Diff(a, b) {
		if anyMeans := c.dimension == "D14" && c.Old == "" && len(a.Destroy.Methods) == 0; c.Effect == "wider" && c.dimension != "D7" && !anyMeans {
			all = append(all, c)
		}
	}
	if old, now := a.Receipt.Within, b.Receipt.Within; now > old {
		all = append(all, Change{Key: "time for a receipt", Old: old.String(), New: now.String(), Effect: "wider"})
	}
	// Ways are compared by what each carries in the end: legs where there were none narrow.
	for i := range b.Parties {
		for j := range i {
			for _, c := range sorted(b.Channels) {
				x, y := b.Parties[j].ID, b.Parties[i].ID
				if !a.Has(x) || !a.Has(y) {
					continue // a party more, which is told above
				}
				old, was := a.Limit(x, y, c)
				if now, is := b.Limit(x, y, c); is && (!was || now > old) {
					all = append(all, Change{Key: fmt.Sprintf("%s between %s and %s", c, x, y), Old: a.Table.Term(old), New: "up to " + b.Table.Term(now), Effect: "wider"})
				}
			}
		}
	}
	return all
}

// Lines returns every term of the pact, in the order of the dimensions.
func (p *Pact) Lines() []Term { return p.lines(&tongue{lang: "en"}) }

// lines are the same in any language. What Show leaves out is in English.
func (p *Pact) lines(t *tongue) (all []Term) {
	about := func(dim, key string, q act.Party, value string, freedom int) {
		all = append(all, Term{dim, key, q, value, freedom})
	}
	add := func(dim, key, value string, freedom int) {
		if value != "" {
			about(dim, key, "", value, freedom)
		}
	}
	each := func(dim, key string, values []string, freedom int) {
		for _, v := range values {
			add(dim, t.say(key, t.say(v)), t.say("yes"), freedom)
		}
	}
	order := func(v string, from ...string) int { return slices.Index(from, v) + 1 }
	when := func(yes bool, v string) string {
		if yes {
			return v
		}
		return ""
	}
	add("D1", t.say("binding force"), t.say(p.Binding), 0)
	for _, q := range p.Parties {
		about("D2", "party", q.ID, q.Kind+": "+q.Name.EN, 1)
		if q.Card != nil {
			about("D2", "keys", q.ID, fmt.Sprintf("period %d, %x", q.Card.Period, q.Card.Link[:6]), 0)
		}
	}
	add("D3", t.say("topology"), t.say(p.Topology), 0)
	add("D3", t.say("hub"), string(p.Hub.Party), 0)
	if p.Hub.Party != "" {
		about("D3", t.say("the hub reads"), p.Hub.Party, cmp.Or(when(p.Hub.Reads, t.say("yes")), t.say("no")), order(fmt.Sprint(p.Hub.Reads), "true"))
	}
	each("D4", "subject %s", p.Subjects, 1)
	each("D4", "form %s", p.Forms, 1)
	add("D5", t.say("duty to provide"), t.say(p.Provide), 0)
	for _, r := range p.Table {
		mark := "mark " + r.Mark.Text + dated(r.From, r.To)
		about("D6", mark, r.Mark.Party, fmt.Sprintf("%s, rank %d", r.Term, r.Rank), fixed)
		if r.Certainty != "" {
			about("", mark+": certainty", r.Mark.Party, uncertain, 0)
		}
	}
	add("D6", t.say("floor"), p.Table.Term(p.Floor), 17-p.Floor)
	add("D6", t.say("ceiling"), p.Table.Term(p.Ceiling), p.Ceiling)
	for _, c := range sorted(p.Channels) {
		add("D7", t.say("channel %s", t.say(c)), t.say("up to %s", p.Table.Term(p.Channels[c])), p.Channels[c])
	}
	if len(p.Legs) == 0 {
		add("D7", t.say("ways"), t.say("each party reaches each"), 1)
	}
	for _, l := range p.Legs {
		v := t.say("up to %s", p.Table.Term(l.Ceiling))
		by := l.Channels
		if len(by) == 0 {
			by = sorted(p.Channels)
		}
		if l.Under != "" {
			v = t.say("up to %s, under %s", p.Table.Term(l.Ceiling), l.Under)
		}
		for i, q := range l.Between {
			about("D7", t.say("leg to %s", l.Between[1-i]), q, v, l.Ceiling)
			for _, c := range by {
				about("D7", t.say("leg to %s by %s", l.Between[1-i], t.say(c)), q, t.say("yes"), 1)
			}
		}
	}
	add("D8", t.say("third party"), t.say(p.Third.Release), order(p.Third.Release, "consent", "audience"))
	for rank := range 17 {
		who := p.Third.Audience[rank]
		add("D8", t.say("audience of %s", p.Table.Term(rank)), when(who != "", t.say(who)), order(who, audiences...))
	}
	each("D8", "counts as a third party: %s", p.Third.Counts, -1)
	for _, q := range p.Purposes {
		add("D9", t.say("purpose %s", q.ID), t.in(q.Name), 1)
	}
	add("D9", t.say("use"), t.say(p.Use), order(p.Use, "bound", "framework", "free"))
	cleared, freedom := t.say("never"), 17
	if p.Cleared > 0 {
		cleared, freedom = t.say("from %s", p.Table.Term(p.Cleared)), p.Cleared
	}
	add("D10", t.say("clearance"), cleared, freedom)
	for _, q := range p.Parties {
		about("D11", t.say("competent authority"), q.ID, cmp.Or(t.in(q.Authority), t.say("not named")), 0)
		for _, o := range q.Offices {
			about("D11", t.say("office %s", t.say(o.Role)), q.ID, t.in(o.Name), 0)
		}
	}
	add("D12", t.say("receipt"), t.say("from %s within %s", p.Table.Term(p.Receipt.From), t.lasting(p.Receipt.Within)), p.Receipt.From)
	for _, c := range [][2]string{{t.say("copies"), p.Copying.Copies}, {t.say("translations"), p.Copying.Translations}, {t.say("extracts"), p.Copying.Extracts}} {
		add("D13", c[0], t.say(c[1]), order(c[1], "forbidden", "consent", "minimum", "free"))
	}
	add("D13", t.say("always the originator's consent"), when(p.Copying.ConsentFrom > 0, t.say("from %s", p.Table.Term(p.Copying.ConsentFrom))), p.Copying.ConsentFrom-17)
	add("D13", t.say("copies of one product"), when(p.Copying.Limit > 0, t.say("at most %d", p.Copying.Limit)), p.Copying.Limit-10001)
	if len(p.Destroy.Methods) == 0 {
		add("D14", t.say("destroyed by"), t.say("any means"), 1)
	}
	each("D14", "destroyed by: %s", p.Destroy.Methods, 1)
	add("D14", t.say("witnesses"), strconv.Itoa(p.Destroy.Witnesses), -p.Destroy.Witnesses)
	add("D14", t.say("certificate kept"), when(p.Destroy.Keep > 0, t.count(p.Destroy.Keep, "year")), 0)
	add("D15", t.say("contractors"), t.say(p.Contract.Allowed), order(p.Contract.Allowed, "forbidden", "conditions"))
	add("D15", t.say("security follows the place of performance"), when(p.Contract.Performance, t.say("yes")), 0)
	add("D16", t.say("loss or compromise"), cmp.Or(when(p.Incident.Within > 0, t.say("told within %s", t.lasting(p.Incident.Within))), t.say("told immediately")), int(p.Incident.Within/time.Hour))
	add("D16", t.say("possible loss or compromise"), cmp.Or(when(p.Incident.Possible, t.say("told too")), t.say("not told")), order(fmt.Sprint(p.Incident.Possible), "true", "false"))
	add("D17", t.say("visits"), when(p.Visits.Lead > 0, t.say("asked for %s before", t.lasting(p.Visits.Lead))), 0)
	add("D17", t.say("inspection"), t.say(p.Visits.Inspection), 0)
	add("D18", t.say("start"), t.say(p.Terms.Start), 0)
	add("D18", t.say("applied provisionally"), when(!p.Terms.Provisional.IsZero(), t.say("from %s", p.Terms.Provisional.Format("2006-01-02 -07:00"))), math.MaxInt32-int(p.Terms.Provisional.Unix()/60))
	add("D19", t.say("term"), cmp.Or(when(p.Terms.Years > 0, t.say("%s, extended each time", t.count(p.Terms.Years, "year"))), t.say("without end")), 0)
	add("D19", t.say("notice"), cmp.Or(when(p.Terms.Notice > 0, t.lasting(p.Terms.Notice)), t.count(p.Terms.NoticeMonths, "month")), 0)
	add("D19", t.say("anniversary"), p.Terms.Anniversary, 0)
	add("D19", t.say("time zone"), p.Zone.String(), 0)
	add("D19", t.say("suspension of a notice"), cmp.Or(when(p.Terms.Suspension, t.say("known")), t.say("not in the text")), 0)
	add("D20", t.say("amendment"), t.say(p.Amend), 0)
	add("D21", t.say("authentic languages"), t.languages(p.Language.Authentic), 0)
	add("D21", t.say("the text is"), t.say(p.Language.Publication), 0)
	add("D22", t.say("disputes"), t.say(p.Disputes), 0)
	add("D22", t.say("costs"), t.say(p.Costs), 0)
	for _, x := range []struct {
		key string
		ids []act.PactID
	}{{t.say("implements"), p.Relation.Implements}, {t.say("supplements"), p.Relation.Supplements}, {t.say("protected by"), p.Relation.ProtectedBy}, {t.say("supersedes"), p.Relation.Supersedes}} {
		for _, id := range x.ids {
			add("D23", x.key, string(id), 0)
		}
	}
	add("D24", t.say("reported to"), when(p.Report.To != "", t.say("%s, every %s", t.say(p.Report.To), t.count(p.Report.Every, "month"))), 0)
	for _, c := range clauses {
		if r, ok := p.cite[c]; ok {
			freedom := 0
			switch c { // those that bind only where an article keeps them
			case Assurance, Review, Accreditation:
				freedom = -1
			case StandingAuthority:
				freedom = 1
			}
			add("", "clause "+string(c), "kept by "+r[0].Article, freedom)
		}
	}
	add("", "title", p.Title.EN, 0)
	for i, n := range p.Notes {
		add("", fmt.Sprintf("note %d", i+1), n.EN, 0)
	}
	for _, a := range p.Articles {
		article := fmt.Sprintf("Article %d", a.Number)
		add("", article, a.Title.EN+": "+a.Text.EN, 0)
		add("", article+", record", a.Record.EN, 0)
		add("", article+": certainty", when(a.Certainty != "", uncertain), 0)
	}
	for _, d := range p.Doubts {
		add("", d.Term+": certainty", uncertain+": "+d.Why.EN, 0)
	}
	// Both parties sign every wording, also where another one is authentic.
	in := func(key string, q act.Party, n act.Names) {
		for _, l := range [][2]string{{", in Korean", n.KO}, {", in Japanese", n.JA}} {
			if l[1] != "" {
				all = append(all, Term{"", key + l[0], q, l[1], 0})
			}
		}
	}
	in("title", "", p.Title)
	for i, n := range p.Notes {
		in(fmt.Sprintf("note %d", i+1), "", n)
	}
	for _, q := range p.Parties {
		in("party", q.ID, q.Name)
		in("competent authority", q.ID, q.Authority)
		for _, o := range q.Offices {
			in("office "+o.Role, q.ID, o.Name)
		}
	}
	for _, x := range p.Purposes {
		in("purpose "+x.ID, "", x.Name)
	}
	for _, a := range p.Articles {
		article := fmt.Sprintf("Article %d", a.Number)
		in(article+", title", "", a.Title)
		in(article, "", a.Text)
		in(article+", record", "", a.Record)
	}
	for _, d := range p.Doubts {
		in(d.Term+": certainty", "", d.Why)
	}
	return all
}

// uncertain is said of what was not compared with the official text. Without it a
// term is certain.
const uncertain = "to be checked against the official text"

// audiences in the order in which they grow.
var audiences = []string{"recipients", "organisation", "clients", "community", "public"}

// Reaches reports whether an audience reaches as far as another: each of
// recipients, organisation, clients, community, public.
func Reaches(audience, as string) bool {
	return slices.Index(audiences, as) >= 0 && slices.Index(audiences, audience) >= slices.Index(audiences, as)
}

func dated(from, to time.Time) string {
	s := ""
	if !from.IsZero() {
		s = " from " + from.Format(time.DateOnly)
	}
	if !to.IsZero() {
		s += " until " + to.Format(time.DateOnly)
	}
	return s
}

func sorted[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
