package pact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
)

// Term is one term of a pact, by the dimension in which real pacts differ.
type Term struct {
	Dimension string // D1 to D24; empty: an article, or a clause that it keeps
	Key       string
	For       act.Party // whom it concerns; empty: every party
	Value     string
	Freedom   int // of two values of one key, the greater allows more; 0 for all: neither does
}

// Change is what another text changes.
type Change struct {
	Key      string
	For      act.Party
	Old, New string // empty: not there
	Effect   string // wider, narrower, or other
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
		all = append(all, Change{t.Key, t.For, t.Value, n.Value, effect(t.Freedom, n.Freedom)})
	}
	for _, n := range now {
		if _, ok := find(old, key(n)); !ok {
			all = append(all, Change{n.Key, n.For, "", n.Value, effect(0, n.Freedom)})
		}
	}
	return all
}

func effect(old, now int) string {
	switch {
	case now > old:
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
		if c.Effect == "wider" {
			all = append(all, c)
		}
	}
	return all
}

// Lines returns every term of the pact, in the order of the dimensions.
func (p *Pact) Lines() (all []Term) {
	add := func(dim, key, value string, freedom int) {
		if value != "" {
			all = append(all, Term{dim, key, "", value, freedom})
		}
	}
	each := func(dim, key string, values []string, freedom int) {
		for _, v := range values {
			add(dim, key+" "+v, "yes", freedom)
		}
	}
	order := func(v string, from ...string) int { return slices.Index(from, v) + 1 }
	when := func(yes bool, v string) string {
		if yes {
			return v
		}
		return ""
	}
	add("D1", "binding force", p.Binding, 0)
	for _, q := range p.Parties {
		all = append(all, Term{"D2", "party", q.ID, q.Kind + ": " + q.Name.EN, 1})
		if q.Card != nil {
			all = append(all, Term{"D2", "keys", q.ID, fmt.Sprintf("period %d, %x", q.Card.Period, q.Card.Link[:6]), 0})
		}
	}
	add("D3", "topology", p.Topology, 0)
	add("D3", "hub", string(p.Hub.Party), 0)
	if p.Hub.Party != "" {
		all = append(all, Term{"D3", "the hub reads", p.Hub.Party, fmt.Sprint(p.Hub.Reads), order(fmt.Sprint(p.Hub.Reads), "false", "true")})
	}
	each("D4", "subject", p.Subjects, 1)
	each("D4", "form", p.Forms, 1)
	add("D5", "duty to provide", p.Provide, 0)
	for _, r := range p.Table {
		all = append(all, Term{"D6", "mark " + r.Mark.Text + dated(r.From, r.To), r.Mark.Party, r.Term, 16 - r.Rank})
	}
	add("D6", "floor", p.Table.Term(p.Floor), 17-p.Floor)
	add("D6", "ceiling", p.Table.Term(p.Ceiling), p.Ceiling)
	for _, c := range sorted(p.Channels) {
		add("D7", "channel "+c, "up to "+p.Table.Term(p.Channels[c]), p.Channels[c])
	}
	if len(p.Legs) == 0 {
		add("D7", "ways", "each party reaches each", 1)
	}
	for _, l := range p.Legs {
		v := "up to " + p.Table.Term(l.Ceiling)
		by := l.Channels
		if len(by) == 0 {
			by = sorted(p.Channels)
		}
		if l.Under != "" {
			v += ", under " + string(l.Under)
		}
		for i, q := range l.Between {
			all = append(all, Term{"D7", "leg to " + string(l.Between[1-i]), q, v, l.Ceiling})
			for _, c := range by {
				all = append(all, Term{"D7", "leg to " + string(l.Between[1-i]) + " by " + c, q, "yes", 1})
			}
		}
	}
	add("D8", "third party", p.Third.Release, order(p.Third.Release, "consent", "audience"))
	for rank := range 17 {
		who := p.Third.Audience[rank]
		add("D8", "audience of "+p.Table.Term(rank), who, order(who, audiences...))
	}
	each("D8", "counts as a third party:", p.Third.Counts, -1)
	for _, q := range p.Purposes {
		add("D9", "purpose "+q.ID, "yes", 1)
	}
	add("D9", "use", p.Use, order(p.Use, "bound", "framework", "free"))
	cleared, freedom := "never", 17
	if p.Cleared > 0 {
		cleared, freedom = "from "+p.Table.Term(p.Cleared), p.Cleared
	}
	add("D10", "clearance", cleared, freedom)
	for _, q := range p.Parties {
		all = append(all, Term{"D11", "competent authority", q.ID, or(q.Authority.EN, "not named"), 0})
		for _, o := range q.Offices {
			all = append(all, Term{"D11", "office " + o.Role, q.ID, o.Name.EN, 0})
		}
	}
	add("D12", "receipt", "from "+p.Table.Term(p.Receipt.From)+" within "+lasting(p.Receipt.Within), p.Receipt.From)
	for _, c := range [][2]string{{"copies", p.Copying.Copies}, {"translations", p.Copying.Translations}, {"extracts", p.Copying.Extracts}} {
		add("D13", c[0], c[1], order(c[1], "forbidden", "consent", "minimum", "free"))
	}
	add("D13", "always the originator's consent", when(p.Copying.ConsentFrom > 0, "from "+p.Table.Term(p.Copying.ConsentFrom)), p.Copying.ConsentFrom-17)
	add("D13", "copies of one product", when(p.Copying.Limit > 0, "at most "+strconv.Itoa(p.Copying.Limit)), p.Copying.Limit-10001)
	if len(p.Destroy.Methods) == 0 {
		add("D14", "destroyed by", "any means", 1)
	}
	each("D14", "destroyed by:", p.Destroy.Methods, 1)
	add("D14", "witnesses", strconv.Itoa(p.Destroy.Witnesses), -p.Destroy.Witnesses)
	add("D14", "certificate kept", when(p.Destroy.Keep > 0, fmt.Sprintf("%d years", p.Destroy.Keep)), 0)
	add("D15", "contractors", p.Contract.Allowed, order(p.Contract.Allowed, "forbidden", "conditions"))
	add("D15", "security follows the place of performance", when(p.Contract.Performance, "yes"), 0)
	add("D16", "loss or compromise", "told "+or(when(p.Incident.Within > 0, "within "+lasting(p.Incident.Within)), "immediately"), int(p.Incident.Within/time.Hour))
	add("D16", "possible loss or compromise", or(when(p.Incident.Possible, "told too"), "not told"), order(fmt.Sprint(p.Incident.Possible), "true", "false"))
	add("D17", "visits", when(p.Visits.Lead > 0, "asked for "+lasting(p.Visits.Lead)+" before"), 0)
	add("D17", "inspection", p.Visits.Inspection, 0)
	add("D18", "start", p.Terms.Start, 0)
	add("D18", "applied provisionally", when(!p.Terms.Provisional.IsZero(), "from "+p.Terms.Provisional.Format(time.DateOnly)), 1)
	add("D19", "term", or(when(p.Terms.Years > 0, fmt.Sprintf("%d years, extended each time", p.Terms.Years)), "without end"), 0)
	add("D19", "notice", or(when(p.Terms.Notice > 0, lasting(p.Terms.Notice)), fmt.Sprintf("%d months", p.Terms.NoticeMonths)), 0)
	add("D19", "anniversary", p.Terms.Anniversary, 0)
	add("D19", "time zone", p.Zone.String(), 0)
	add("D19", "suspension of a notice", or(when(p.Terms.Suspension, "known"), "not in the text"), 0)
	add("D20", "amendment", p.Amend, 0)
	add("D21", "authentic languages", strings.Join(p.Language.Authentic, ", "), 0)
	add("D21", "the text is", p.Language.Publication, 0)
	add("D22", "disputes", p.Disputes, 0)
	add("D22", "costs", p.Costs, 0)
	for _, x := range []struct {
		key string
		ids []act.PactID
	}{{"implements", p.Relation.Implements}, {"supplements", p.Relation.Supplements}, {"protected by", p.Relation.ProtectedBy}, {"supersedes", p.Relation.Supersedes}} {
		for _, id := range x.ids {
			add("D23", x.key, string(id), 0)
		}
	}
	add("D24", "reported to", when(p.Report.To != "", fmt.Sprintf("%s, every %d months", p.Report.To, p.Report.Every)), 0)
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
	for _, a := range p.Articles {
		add("", fmt.Sprintf("Article %d", a.Number), a.Title.EN+": "+a.Text.EN, 0)
		add("", fmt.Sprintf("Article %d, record", a.Number), a.Record, 0)
	}
	return all
}

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

func lasting(d time.Duration) string {
	if h := int(d / time.Hour); h%24 != 0 {
		return fmt.Sprintf("%d hours", h)
	}
	return fmt.Sprintf("%d days", int(d/time.Hour/24))
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
