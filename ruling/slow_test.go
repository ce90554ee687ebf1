package ruling_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"

	"go.yaml.in/yaml/v3"
)

// slow is a second evaluator, written from the treaty rules and not from the
// first one: it reads the text as plain YAML, replays the acts of the pact's life
// instead of folding them, and lists each rule as a sentence about the facts. It
// shares no code with pact, marking, party or ruling. It must agree with them.
type slow struct {
	doc    map[string]any
	events []act.Act
	zone   *time.Location
}

func (s *slow) get(path string) any {
	var v any = s.doc
	for _, k := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func (s *slow) text(path, otherwise string) string {
	if v, ok := s.get(path).(string); ok {
		return v
	}
	return otherwise
}

func (s *slow) number(path string) int { n, _ := s.get(path).(int); return n }

func (s *slow) list(path string) (all []string) {
	l, _ := s.get(path).([]any)
	for _, v := range l {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func (s *slow) maps(path string) (all []map[string]any) {
	l, _ := s.get(path).([]any)
	for _, v := range l {
		all = append(all, v.(map[string]any))
	}
	return all
}

func (s *slow) parties() (ids []string) {
	for _, p := range s.maps("parties") {
		ids = append(ids, p["id"].(string))
	}
	return ids
}

// article is the article that keeps a clause.
func (s *slow) article(clause string) string {
	for _, a := range s.maps("articles") {
		c, _ := a["clauses"].([]any)
		if slices.Contains(c, any(clause)) {
			return fmt.Sprintf("Article %d", a["number"])
		}
	}
	return "house rule"
}

func (s *slow) date(v any) (time.Time, bool) {
	switch x := v.(type) {
	case time.Time:
		return time.Date(x.Year(), x.Month(), x.Day(), 0, 0, 0, 0, s.zone), true
	case string:
		t, err := time.ParseInLocation("2006-01-02", x, s.zone)
		return t, err == nil
	}
	return time.Time{}, false
}

// rank of a mark on a day: -1 when the table has none.
func (s *slow) rank(m act.Mark, on time.Time) int {
	for _, r := range s.maps("markings") {
		from, hasFrom := s.date(r["from"])
		to, hasTo := s.date(r["to"])
		if r["party"] == string(m.Party) && r["mark"] == m.Text && (!hasFrom || !on.Before(from)) && (!hasTo || on.Before(to)) {
			return r["rank"].(int)
		}
	}
	return -1
}

func (s *slow) termRank(term string) int {
	for _, r := range s.maps("markings") {
		if r["term"] == term {
			return r["rank"].(int)
		}
	}
	return 0
}

func (s *slow) least() int {
	n := 99
	for _, r := range s.maps("markings") {
		n = min(n, r["rank"].(int))
	}
	return n
}

// calendar counts months on the calendar; the 31st of a short month is its last day.
func calendar(t time.Time, months int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	for first.AddDate(0, 0, d-1).Month() != first.Month() {
		d--
	}
	return first.AddDate(0, 0, d-1)
}

// state replays the acts up to now, and lists the moments at which a step moved
// the state of a pact in force.
func (s *slow) state(now time.Time) (state string, formal []time.Time) {
	did := map[string]map[string]time.Time{}
	type notice struct {
		by                       string
		at, suspended, withdrawn time.Time
	}
	var notices []*notice
	for _, e := range s.events {
		by, kind := string(e.From), strings.TrimPrefix(string(e.Kind), "pact.")
		if did[kind] == nil {
			did[kind] = map[string]time.Time{}
		}
		if _, before := did[kind][by]; !before {
			did[kind][by] = e.At.Time
		}
		var open *notice
		for _, n := range notices {
			if n.by == by && n.withdrawn.IsZero() {
				open = n
			}
		}
		switch {
		case kind == "notice":
			notices = append(notices, &notice{by: by, at: e.At.Time})
		case kind == "notice-suspended" && open != nil && open.suspended.IsZero():
			open.suspended = e.At.Time
		case kind == "notice-withdrawn" && open != nil:
			open.withdrawn = e.At.Time
		}
	}
	everyone := func(kind string) (last time.Time, ok bool) {
		for _, p := range s.parties() {
			t, done := did[kind][p]
			if !done {
				return last, false
			}
			if t.After(last) {
				last = t
			}
		}
		return last, true
	}
	signed, allSigned := everyone("signed")
	notified, allNotified := everyone("notified")
	start, started := signed, allSigned
	if s.text("life.start", "") != "signature" {
		started = allSigned && allNotified
		if start = notified; signed.After(start) {
			start = signed
		}
		if s.text("life.start", "") == "first-of-month" {
			y, m, _ := start.In(s.zone).Date()
			start = time.Date(y, m+1, 1, 0, 0, 0, 0, s.zone)
		}
	}
	for _, scrapped := range did["cancelled"] {
		if !scrapped.After(now) && (!started || start.After(scrapped)) {
			return "ended", nil
		}
	}
	if !started || now.Before(start) {
		if day, ok := s.date(s.get("life.provisional")); ok && allSigned && !now.Before(day) && !now.Before(signed) {
			return "applied-provisionally", nil
		}
		return "not yet", nil
	}
	years := s.number("life.term-years")
	// anniversary after a moment, counted year by year from the start.
	anniversary := func(after time.Time) time.Time {
		local := start.In(s.zone)
		month, day := local.Month(), local.Day()
		if a := s.text("life.anniversary", ""); a != "" {
			m, _ := strconv.Atoi(a[:2])
			month = time.Month(m)
			day, _ = strconv.Atoi(a[3:])
		}
		for n := 1; ; n++ {
			if t := time.Date(local.Year()+n*years, month, day, 0, 0, 0, 0, s.zone); t.After(after) {
				return t
			}
		}
	}
	state = "in-force"
	formal = append(formal, start)
	for _, n := range notices {
		if now.Before(n.at) {
			continue
		}
		length := time.Duration(s.number("life.notice-days")) * 24 * time.Hour
		months := s.number("life.notice-months")
		end := calendar(n.at.In(s.zone), months).Add(length)
		if years > 0 {
			end = anniversary(n.at)
			if deadline := calendar(end, -months).Add(-length); !n.at.Before(deadline) {
				end = anniversary(end)
			}
		}
		ranOut := n.suspended.IsZero() || !n.suspended.Before(end) // it was never stopped before its end
		if !n.suspended.IsZero() && !ranOut && !n.suspended.After(now) {
			formal = append(formal, n.suspended)
		}
		formal = append(formal, n.at)
		if back := n.withdrawn; !back.IsZero() && !back.After(now) && (back.Before(end) || !ranOut && !n.suspended.After(back)) {
			formal = append(formal, back)
			continue
		}
		switch {
		case !n.suspended.IsZero() && n.suspended.Before(end) && !now.Before(n.suspended):
			if state != "ended" {
				state = "notice-suspended"
			}
		case !now.Before(end):
			state = "ended"
		case state == "in-force":
			state = "notice-given"
		}
	}
	return state, formal
}

// moves reports whether new transfers are allowed: by the acts, and by every
// party's own reading since the last formal step.
func (s *slow) moves(now time.Time) bool {
	st, formal := s.state(now)
	if st == "ended" || st == "not yet" {
		return false
	}
	for _, p := range s.parties() {
		latest := ""
		var when time.Time
		for _, e := range s.events {
			if b, ok := e.Body.(act.Interpretation); ok && string(e.From) == p && (latest == "" || !e.At.Before(when)) {
				latest, when = b.Phase, e.At.Time
			}
		}
		void := slices.ContainsFunc(formal, func(t time.Time) bool { return t.After(when) })
		if latest == "terminated" && !void && !now.Before(when) {
			return false
		}
	}
	return true
}

func cleared(s *slow, p act.Person, own act.Party, now time.Time) int {
	if p.Left || p.Clearance == "" || !now.Before(p.Until.Time) {
		return -1
	}
	return s.rank(act.Mark{Party: own, Text: p.Clearance}, now)
}

// verdict is the answer: which articles forbid.
type verdict map[string]bool

func (v verdict) unless(ok bool, article string) {
	if !ok {
		v[article] = true
	}
}

func (s *slow) movement(v verdict, m act.Manifest, channel string, hub ruling.Hub, consents []product.Consent, now time.Time) int {
	v.unless(s.moves(now), s.article("in-force"))
	v.unless(slices.Contains(s.list("subjects"), m.Subject) && slices.Contains(s.list("forms"), m.Form), s.article("subjects"))
	var purposes []string
	for _, p := range s.maps("purposes") {
		purposes = append(purposes, p["id"].(string))
	}
	v.unless(s.text("use", "bound") == "free" || slices.Contains(purposes, m.Purpose), s.article("purpose"))
	rank := s.rank(m.Mark, m.Made.Time)
	floor := s.least()
	if f := s.text("floor", ""); f != "" {
		floor = s.termRank(f)
	}
	v.unless(rank >= floor && rank <= s.termRank(s.text("ceiling", "")) && m.Mark.Party == m.Originator, s.article("markings"))
	reads, _ := s.get("hub.reads").(bool)
	v.unless(!(hub.Reads && hub.Party != "") || reads && s.text("hub.party", "") == string(hub.Party), s.article("third-party"))
	v.unless(len(m.Recipients) > 0, s.article("third-party"))
	for _, to := range m.Recipients {
		party := slices.Contains(s.parties(), string(to))
		v.unless(party && to != m.Originator, s.article("third-party"))
		if !party || to == m.Originator {
			continue
		}
		limit := s.termRank(s.text("channels."+channel, ""))
		if legs := s.maps("legs"); len(legs) > 0 {
			on := 0
			for _, l := range legs {
				b := fmt.Sprint(l["between"])
				ways, _ := l["channels"].([]any)
				if (b == fmt.Sprintf("[%s %s]", to, m.Originator) || b == fmt.Sprintf("[%s %s]", m.Originator, to)) && (ways == nil || slices.Contains(ways, any(channel))) {
					on = s.termRank(l["ceiling"].(string))
				}
			}
			limit = min(limit, on)
		}
		v.unless(limit > 0 && rank <= min(limit, s.termRank(s.text("ceiling", ""))), s.article("channels"))
		for _, o := range m.Origins {
			v.unless(o == m.Originator || o == to || consent(consents, o, "pass-on", to, m.Purpose, now, m), s.article("third-party"))
		}
	}
	return rank
}

// consent: what others made from a party's products may rest on approvals that
// name each product of that party's; otherwise the approval names the thing itself.
func consent(all []product.Consent, o act.Party, deed string, to act.Party, purpose string, now time.Time, m act.Manifest) bool {
	named := func(n act.Number) bool {
		return slices.ContainsFunc(all, func(c product.Consent) bool { return c.Number == n && holds(c, o, deed, to, purpose, now) })
	}
	theirs, others := 0, 0
	missing := false
	for _, l := range m.Lineage {
		if regexp.MustCompile("^" + string(o) + "-[0-9]{4}-").MatchString(string(l.Of)) {
			theirs++
			missing = missing || !named(l.Of)
		} else if named(l.Of) {
			others++
		}
	}
	return named(m.Number) || o != m.Originator && !missing && theirs+others > 0
}

func holds(c product.Consent, o act.Party, deed string, to act.Party, purpose string, now time.Time) bool {
	return slices.ContainsFunc([]product.Consent{c}, func(c product.Consent) bool {
		return !c.Withdrawn && c.Uses-c.Used > 0 && c.By == o && c.Deed+string(c.Recipient)+" "+c.Purpose == deed+string(to)+" "+purpose && !c.Given.After(now) && c.Until.After(now)
	})
}

func (s *slow) needsClearance(rank int) bool {
	from := s.least()
	switch t := s.text("clearance-from", ""); t {
	case "none":
		return false
	case "":
	default:
		from = s.termRank(t)
	}
	return rank >= from
}

// accredited: what was entered for the channel, in words that this pact knows, must
// cover the rank; what a pact asks for must have been entered.
func (s *slow) accredited(v verdict, all []product.Accreditation, channel string, rank int, now time.Time) {
	entered, covered := 0, 0
	for _, a := range all {
		if most := s.rank(a.Mark, now); a.Channel == channel && most >= 0 {
			entered++
			if most >= rank && !a.Given.After(now) && a.Until.After(now) {
				covered++
			}
		}
	}
	v.unless(covered > 0 || entered == 0 && s.article("accreditation") == "house rule", s.article("accreditation"))
}

func (s *slow) release(f *ruling.ReleaseFacts) verdict {
	v := verdict{}
	rank := s.movement(v, f.Manifest, f.Channel, f.Hub, f.Consents, f.Now)
	v.unless(slices.Contains(s.parties(), string(f.Own)) && f.Manifest.Originator == f.Own, s.article("third-party"))
	v.unless(!f.Officer.Left && slices.Contains(f.Officer.Offices, act.Releasing) && f.Notified, s.article("authorities"))
	v.unless(!s.needsClearance(max(rank, 0)) || cleared(s, f.Officer, f.Own, f.Now) >= max(rank, 0) && cleared(s, f.Officer, f.Own, f.Now) >= 0, s.article("clearance"))
	if d := f.Mandate; d != nil {
		most := s.rank(d.Mark, f.Manifest.Made.Time)
		v.unless(s.article("standing-authority") != "house rule" && most >= 0 && max(rank, 0) <= most && d.Pact == f.Manifest.Pact && d.Kind == f.Manifest.Kind && d.Subject == f.Manifest.Subject &&
			d.Purpose == f.Manifest.Purpose && !d.Withdrawn && !d.Given.After(f.Now) && d.Until.After(f.Now), s.article("standing-authority"))
	}
	if m := f.Manifest; s.article("assurance") != "house rule" && (m.Form == "oral" || m.Form == "visual") {
		for _, to := range m.Recipients {
			v.unless(slices.ContainsFunc(f.Assured, func(a product.Assurance) bool {
				most := s.rank(a.Mark, f.Now)
				return a.By == to && a.Mark.Party == to && most >= 0 && max(rank, 0) <= most && !a.Given.After(f.Now) && a.Until.After(f.Now)
			}), s.article("assurance"))
		}
	}
	v.unless(f.Drafter == "" || f.Drafter != f.Officer.Name, "house rule")
	s.accredited(v, f.Accredited, f.Channel, max(rank, 0), f.Now)
	return v
}

func (s *slow) content(v verdict, f *ruling.ReadFacts) int {
	m, p := f.Manifest, f.Person
	mark, on := m.Mark, m.Made.Time
	for _, r := range f.Custody.Reclassified {
		mark, on = r.Mark, r.At.Time
	}
	rank := s.rank(mark, on)
	_, got := f.Custody.Received[f.Own]
	_, no := f.Custody.Refused[f.Own]
	v.unless(rank >= 0, s.article("markings"))
	v.unless(m.Originator == f.Own || got && !no, s.article("channels"))
	v.unless(f.Custody.Destroyed[f.Own] == nil, s.article("destruction"))
	var review time.Time
	for _, r := range []*act.Moment{m.Review, f.Custody.Reviewed} {
		if r != nil && r.After(review) {
			review = r.Time
		}
	}
	v.unless(review.IsZero() || f.Now.Before(review) || s.article("review") == "house rule", s.article("review"))
	c := cleared(s, p, f.Own, f.Now)
	v.unless(!s.needsClearance(max(rank, 0)) || c >= 0 && c >= rank, s.article("clearance"))
	need := slices.ContainsFunc(p.Needs, func(n act.Need) bool { return n.Pact == m.Pact && slices.Contains(n.Purposes, f.Purpose) })
	v.unless(!p.Left && slices.Contains(p.Offices, act.Reading) && need && f.Now.Before(p.Until.Time), s.article("need-to-know"))
	var purposes []string
	for _, q := range s.maps("purposes") {
		purposes = append(purposes, q["id"].(string))
	}
	same := f.Purpose == m.Purpose || s.text("use", "bound") == "free" || s.text("use", "bound") == "framework" && slices.Contains(purposes, f.Purpose)
	for _, o := range m.Origins {
		v.unless(same || o == f.Own || consent(f.Consents, o, "purpose", "", f.Purpose, f.Now, m), s.article("purpose"))
	}
	v.unless(p.Facility != "", s.article("register"))
	v.unless(p.Briefed, s.article("briefing"))
	return rank
}

func (s *slow) known(f *ruling.ReadFacts) bool {
	return !f.Person.Left && f.Person.Name != "" && slices.ContainsFunc(f.Person.Needs, func(n act.Need) bool { return n.Pact == f.Manifest.Pact })
}

func (s *slow) read(f *ruling.ReadFacts) verdict {
	v := verdict{}
	if !s.known(f) {
		return verdict{"need to know": true}
	}
	s.content(v, f)
	return v
}

func (s *slow) do(f *ruling.DoFacts) verdict {
	v, m := verdict{}, f.Manifest
	office := map[string]act.Office{"destroy": act.Registry, "review": act.Registry, "downgrade": act.Releasing}[f.Deed]
	registry := office != "" && !f.Person.Left && slices.Contains(f.Person.Offices, office)
	if !s.known(&f.ReadFacts) && !registry {
		return verdict{"need to know": true}
	}
	switch f.Deed {
	case "pass-on":
		rank := s.content(v, &f.ReadFacts)
		v.unless(s.moves(f.Now), s.article("in-force"))
		v.unless(f.Recipient != "" && !slices.Contains(append(slices.Clone(m.Recipients), m.Origins...), f.Recipient), s.article("third-party"))
		order := []string{"organisation", "clients", "community", "public"}
		reach := -1
		for term, who := range s.mapping("third-party.audience") {
			if s.termRank(term) == rank {
				reach = slices.Index(order, who)
			}
		}
		want := slices.Index(order, f.Standing)
		if s.text("third-party.release", "consent") != "audience" || want < 0 || reach < want {
			for _, o := range m.Origins {
				v.unless(o == f.Own || consent(f.Consents, o, "pass-on", f.Recipient, f.Purpose, f.Now, m), s.article("third-party"))
			}
		}
	case "copy", "translate", "extract":
		rank := s.content(v, &f.ReadFacts)
		clause := s.article("reproduction")
		if f.Deed != "copy" {
			clause = s.article("translation")
		}
		if n := s.number("copying.limit"); n > 0 && f.Deed == "copy" {
			v.unless(f.Copies < n, clause)
		}
		mode := s.text("copying."+map[string]string{"copy": "copies", "translate": "translations", "extract": "extracts"}[f.Deed], "consent")
		if t := s.text("copying.consent-from", ""); t != "" && rank >= s.termRank(t) && mode != "forbidden" {
			mode = "consent"
		}
		v.unless(mode != "forbidden", clause)
		v.unless(f.Deed == "translate" || !slices.Contains(m.Caveats, "no copy"), clause)
		if mode == "consent" {
			for _, o := range m.Origins {
				v.unless(o == f.Own || consent(f.Consents, o, f.Deed, "", f.Purpose, f.Now, m), clause)
			}
		}
	case "review":
		v.unless(!f.Person.Left && slices.Contains(f.Person.Offices, act.Registry), s.article("review"))
	case "show":
		rank, x := s.content(v, &f.ReadFacts), f.Visit
		v.unless(s.moves(f.Now), s.article("in-force"))
		if x == nil || x.Host != f.Own || x.Pact != m.Pact {
			v[s.article("visits")] = true
			break
		}
		most := -1
		if x.Approved != nil {
			most = s.rank(*x.Approved, f.Now)
		}
		on := x.Approved != nil && (x.Ended == nil || x.Ended.After(f.Now)) && !x.From.After(f.Now) && x.Until.After(f.Now)
		named := slices.Contains(x.Visitors, f.Visitor) && most >= 0 && rank <= most
		v.unless(on && named, s.article("visits"))
		theirs := m.Originator == x.By || slices.Contains(m.Recipients, x.By) || len(m.Origins) == 1 && m.Origins[0] == f.Own && m.Originator == f.Own
		v.unless(!on || !named || theirs, s.article("third-party"))
	case "downgrade":
		mark, on := m.Mark, m.Made.Time
		for _, r := range f.Custody.Reclassified {
			mark, on = r.Mark, r.At.Time
		}
		old, now := s.rank(mark, on), s.rank(f.Mark, f.Now)
		v.unless(f.Own == m.Originator, s.article("reclassification"))
		v.unless(!f.Person.Left && slices.Contains(f.Person.Offices, act.Releasing), s.article("authorities"))
		fits := old >= 0 && now >= 0 && f.Mark.Party == m.Originator
		v.unless(fits, s.article("markings"))
		v.unless(!fits || now < old, s.article("reclassification"))
		for _, o := range m.Origins {
			v.unless(o == m.Originator, s.article("reclassification"))
		}
	case "destroy":
		c := s.article("destruction")
		methods := s.list("destruction.methods")
		v.unless(!f.Person.Left && slices.Contains(f.Person.Offices, act.Registry), c)
		v.unless(len(methods) == 0 || slices.Contains(methods, f.Method), c)
		v.unless(f.Witnesses >= s.number("destruction.witnesses"), c)
		v.unless(f.Custody.Destroyed[f.Own] == nil, c)
		_, came := f.Custody.Received[f.Own]
		v.unless(came || f.Manifest.Originator == f.Own, c)
	}
	return v
}

func (s *slow) mapping(path string) map[string]string {
	all := map[string]string{}
	m, _ := s.get(path).(map[string]any)
	for k, v := range m {
		all[k] = fmt.Sprint(v)
	}
	return all
}

// world draws cases.
type world struct {
	*rand.Rand
	texts []text
}

type text struct {
	p    *pact.Pact
	slow slow
}

func oneOf[T any](w *world, all ...T) T { return all[w.IntN(len(all))] }

// often returns the first value most of the time.
func often[T any](w *world, usual T, others ...T) T {
	if w.IntN(8) > 0 || len(others) == 0 {
		return usual
	}
	return others[w.IntN(len(others))]
}

// newWorld parses the shipped pacts and many mutants of each.
func newWorld(t testing.TB, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 2016))}
	for _, id := range pact.Templates() {
		source, _ := pact.Template(id)
		for n := range 30 {
			var doc map[string]any
			if err := yaml.Unmarshal(source, &doc); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				w.mutate(doc)
			}
			b, err := yaml.Marshal(plainDates(doc))
			if err != nil {
				t.Fatal(err)
			}
			p, problems := pact.Parse(b)
			if len(problems) > 0 {
				continue // a mutant that is no pact: the parser says why
			}
			var again map[string]any
			if err := yaml.Unmarshal(b, &again); err != nil {
				t.Fatal(err)
			}
			w.texts = append(w.texts, text{p, slow{doc: again, zone: p.Zone}})
		}
	}
	if len(w.texts) < 60 {
		t.Fatalf("only %d pacts", len(w.texts))
	}
	return w
}

// plainDates spells dates as the texts do.
func plainDates(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = plainDates(x[k])
		}
	case []any:
		for i := range x {
			x[i] = plainDates(x[i])
		}
	case time.Time:
		return x.Format(time.DateOnly)
	}
	return v
}

func (w *world) mutate(doc map[string]any) {
	var terms []any
	for _, r := range doc["markings"].([]any) {
		terms = append(terms, r.(map[string]any)["term"])
	}
	term := func() any { return terms[w.IntN(len(terms))] }
	for range 1 + w.IntN(6) {
		switch w.IntN(13) {
		case 0:
			doc["ceiling"] = term()
		case 1:
			doc["floor"] = term()
		case 2:
			doc["clearance-from"] = oneOf(w, term(), "none")
		case 3:
			doc["use"] = oneOf[any](w, "bound", "framework", "free")
		case 4:
			doc["copying"] = map[string]any{"copies": oneOf[any](w, "free", "minimum", "consent", "forbidden"), "translations": oneOf[any](w, "free", "consent", "forbidden"), "extracts": oneOf[any](w, "free", "consent"), "consent-from": term(), "limit": w.IntN(4)}
		case 5:
			doc["life"].(map[string]any)["start"] = oneOf(w, "signature", "later-notification", "first-of-month")
		case 6:
			doc["life"].(map[string]any)["term-years"] = w.IntN(6)
		case 7:
			delete(doc["life"].(map[string]any), "notice-days")
			doc["life"].(map[string]any)["notice-months"] = w.IntN(9)
		case 8:
			doc["life"].(map[string]any)["anniversary"] = oneOf(w, "01-01", "11-23", "02-28", "12-31")
		case 9:
			doc["life"].(map[string]any)["provisional"] = oneOf(w, "2016-12-01", "2017-06-01")
		case 10:
			doc["destruction"] = map[string]any{"methods": []any{oneOf(w, "burn", "shred")}, "witnesses": w.IntN(3)}
		case 12:
			a := doc["articles"].([]any)[0].(map[string]any)
			a["clauses"] = append(a["clauses"].([]any), "accreditation")
		case 11:
			doc["zone"] = oneOf(w, "UTC", "+09:00", "-05:00")
		}
	}
}

var epoch = time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC)

func (w *world) moment() time.Time {
	return epoch.Add(time.Duration(w.IntN(6*365*24*60)-2*365*24*60) * time.Minute)
}

// life draws acts, each party's in the order of time, and folds them.
func (w *world) life(x *text) (l pact.Life, events []act.Act) {
	usual := w.IntN(3) > 0
	for i := range x.p.Parties {
		q := x.p.Parties[i].ID
		if usual {
			at := epoch.AddDate(-1, 0, w.IntN(20))
			events = append(events, act.Act{Kind: act.PactSigned, From: q, At: act.MomentOf(at), Body: act.Step{}}, act.Act{Kind: act.PactNotified, From: q, At: act.MomentOf(at.AddDate(0, 0, 3)), Body: act.Step{}})
		}
		var own []act.Act
		for range w.IntN(4) {
			k := oneOf(w, act.PactProposed, act.PactSigned, act.PactNotified, act.PactNotice, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead, act.PactCancelled)
			a := act.Act{Kind: k, From: q, At: act.MomentOf(w.moment()), Body: act.Step{}}
			if k == act.PactRead {
				a.Body = act.Interpretation{Phase: oneOf(w, "terminated", "in-force", "notice-suspended")}
			}
			own = append(own, a)
		}
		slices.SortStableFunc(own, func(a, b act.Act) int { return a.At.Compare(b.At.Time) })
		events = append(events, own...)
	}
	for _, e := range events {
		l = l.Apply(e)
	}
	return l, events
}

func (w *world) mark(x *text, q act.Party) act.Mark {
	var own []act.Mark
	for _, r := range x.p.Table {
		if r.Mark.Party == q {
			own = append(own, r.Mark)
		}
	}
	return often(w, own[w.IntN(len(own))], act.Mark{Party: q, Text: "unheard of"}, x.p.Table[w.IntN(len(x.p.Table))].Mark)
}

func (w *world) party(x *text) act.Party { return x.p.Parties[w.IntN(len(x.p.Parties))].ID }

func (w *world) manifest(x *text) act.Manifest {
	o := w.party(x)
	var to []act.Party
	for range often(w, 1, 0, 2) {
		to = append(to, often(w, w.party(x), "ZZ"))
	}
	m := act.Manifest{Number: "KR-2016-7Q4K-M2XT", Pact: x.p.ID, Kind: oneOf(w, "report", "imagery"), Subject: often(w, x.p.Subjects[w.IntN(len(x.p.Subjects))], "fish"), Form: often(w, x.p.Forms[w.IntN(len(x.p.Forms))], "rumour"),
		Purpose: w.purpose(x), Mark: w.mark(x, o), Originator: o, Origins: []act.Party{o}, Recipients: to, Made: act.MomentOf(often(w, epoch, w.moment()))}
	if w.IntN(5) == 0 {
		m.Origins = append(m.Origins, oneOf(w, w.party(x), "ZZ"))
	}
	if w.IntN(8) == 0 {
		at := act.MomentOf(w.moment())
		m.Review = &at
	}
	if w.IntN(4) == 0 {
		for range 1 + w.IntN(2) {
			m.Lineage = append(m.Lineage, act.Lineage{Of: w.number(m.Origins[w.IntN(len(m.Origins))]), How: "excerpt"})
		}
	}
	if w.IntN(6) == 0 {
		m.Caveats = []string{"no copy"}
	}
	return m
}

// number is one of two of a party's.
func (w *world) number(o act.Party) act.Number {
	return act.Number(o) + oneOf[act.Number](w, "-2016-AAAA-AAAA", "-2016-BBBB-BBBB")
}

func (w *world) purpose(x *text) string {
	return often(w, x.p.Purposes[w.IntN(len(x.p.Purposes))].ID, "gain")
}

func (w *world) person(x *text, own act.Party) act.Person {
	p := act.Person{Name: often(w, "kim", ""), Clearance: w.mark(x, own).Text, Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment())), Briefed: often(w, true, false), Facility: often(w, "hq", ""), Left: often(w, false, true),
		Offices: often(w, []act.Office{act.Releasing, act.Reading, act.Registry}, nil, []act.Office{act.Reading})}
	for range often(w, 1, 0, 2) {
		n := act.Need{Pact: often(w, x.p.ID, "another"), Purposes: []string{w.purpose(x)}}
		for _, q := range x.p.Purposes {
			if w.IntN(3) > 0 {
				n.Purposes = append(n.Purposes, q.ID)
			}
		}
		p.Needs = append(p.Needs, n)
	}
	return p
}

func (w *world) consents(x *text, m act.Manifest) (all []product.Consent) {
	for range w.IntN(3) {
		number := often(w, m.Number, w.number(oneOf(w, m.Origins...)))
		if len(m.Lineage) > 0 {
			number = oneOf(w, number, m.Lineage[0].Of)
		}
		c := act.Consent{Number: number, Deed: oneOf(w, "pass-on", "pass-on", "purpose", "copy", "translate", "extract"), Purpose: often(w, m.Purpose, "gain"), Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment())), Uses: 1}
		if c.Deed == "pass-on" {
			c.Recipient = oneOf(w, append([]act.Party{"ZZ", "YY"}, m.Recipients...)...)
		}
		all = append(all, product.Consent{Consent: c, By: oneOf(w, m.Origins...), Given: act.MomentOf(epoch.AddDate(-1, 0, 0)), Used: often(w, 0, 1), Withdrawn: often(w, false, true)})
	}
	return all
}

func (w *world) now() time.Time { return often(w, epoch.AddDate(0, 0, w.IntN(30)), w.moment()) }

func (w *world) reading(x *text, l pact.Life) ruling.ReadFacts {
	m := w.manifest(x)
	f := ruling.ReadFacts{Pact: x.p, Life: l, Own: w.party(x), Manifest: m, Consents: w.consents(x, m), Purpose: often(w, m.Purpose, w.purpose(x)), Now: w.now()}
	f.Person = w.person(x, f.Own)
	f.Custody = product.Custody{Received: often(w, map[act.Party]product.Receipt{f.Own: {}}, nil)}
	if w.IntN(10) == 0 {
		at := act.MomentOf(w.moment())
		f.Custody.Reviewed = &at
	}
	if w.IntN(10) == 0 {
		f.Custody.Refused = map[act.Party]product.Refusal{f.Own: {}}
	}
	if w.IntN(10) == 0 {
		f.Custody.Destroyed = map[act.Party]*act.Certificate{f.Own: {}}
	}
	if w.IntN(6) == 0 {
		f.Custody.Reclassified = []product.Remark{{Mark: w.mark(x, m.Originator), At: act.MomentOf(w.moment())}}
	}
	return f
}

// TestSlow compares the two evaluators on drawn cases: 100,000, or as many as
// ENTENTE_CASES says.
func TestSlow(t *testing.T) {
	cases := 100_000
	if n, err := strconv.Atoi(os.Getenv("ENTENTE_CASES")); err == nil {
		cases = n
	}
	if testing.Short() {
		cases = 5000
	}
	w := newWorld(t, 1)
	allowed, cited := map[string]int{}, map[string]int{}
	for i := range cases {
		x := &w.texts[w.IntN(len(w.texts))]
		l, events := w.life(x)
		s := x.slow
		s.events = events
		var fast ruling.Ruling
		var want verdict
		deed := oneOf(w, "release", "release", "read", "pass-on", "copy", "translate", "extract", "show", "review", "downgrade", "destroy")
		var facts any
		switch deed {
		case "release":
			m := w.manifest(x)
			f := ruling.ReleaseFacts{Pact: x.p, Life: l, Own: often(w, m.Originator, w.party(x)), Manifest: m, Officer: w.person(x, m.Originator), Notified: often(w, true, false), Consents: w.consents(x, m),
				Channel: often(w, "electronic", "courier", "hub", "pigeon"), Now: w.now(), Drafter: often(w, "", "lee", "kim")}
			for _, to := range m.Recipients {
				if x.p.Has(to) && w.IntN(3) > 0 {
					f.Assured = append(f.Assured, product.Assurance{Assurance: act.Assurance{Mark: w.mark(x, to), Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment()))}, By: often(w, to, "ZZ"), Given: act.MomentOf(epoch.AddDate(-1, 0, 0))})
				}
			}
			for range w.IntN(3) {
				f.Accredited = append(f.Accredited, product.Accreditation{Accreditation: act.Accreditation{Channel: often(w, f.Channel, "courier"), Mark: w.mark(x, m.Originator), Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment()))}, Given: act.MomentOf(often(w, epoch.AddDate(-1, 0, 0), w.moment()))})
			}
			if w.IntN(5) == 0 {
				f.Hub = ruling.Hub{Party: oneOf(w, w.party(x), "ZZ"), Reads: w.IntN(2) == 0}
			}
			if w.IntN(5) == 0 {
				f.Mandate = &product.Mandate{Mandate: act.Mandate{Pact: x.p.ID, Kind: often(w, m.Kind, "rumour"), Subject: m.Subject, Purpose: m.Purpose, Mark: w.mark(x, m.Originator), Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment()))},
					Given: act.MomentOf(epoch.AddDate(-1, 0, 0)), Withdrawn: often(w, false, true)}
			}
			fast, want, facts = ruling.Release(&f), s.release(&f), f
		case "read":
			f := w.reading(x, l)
			fast, want, facts = ruling.Read(&f), s.read(&f), f
		default:
			f := ruling.DoFacts{ReadFacts: w.reading(x, l), Deed: deed, Recipient: oneOf[act.Party](w, "ZZ", "ZZ", "YY", w.party(x), ""), Standing: oneOf(w, "", "recipients", "organisation", "clients", "community", "public"),
				Copies: w.IntN(4), Method: oneOf(w, "burn", "shred", "erase", "prayer"), Witnesses: w.IntN(3)}
			f.Mark = w.mark(x, f.Manifest.Originator)
			if w.IntN(8) > 0 {
				approved, ended := w.mark(x, f.Own), act.MomentOf(w.moment())
				f.Visitor, f.Visit = often(w, "lee", "kim"), &product.Visit{Visit: act.Visit{Visitors: []string{"lee", "park"}, From: act.MomentOf(epoch.AddDate(-1, 0, 0)), Until: act.MomentOf(often(w, epoch.AddDate(5, 0, 0), w.moment()))},
					Pact: often(w, x.p.ID, "another"), By: w.party(x), Host: often(w, f.Own, "ZZ"), Approved: often(w, &approved, nil), Ended: often(w, nil, &ended)}
			}
			if deed == "downgrade" {
				f.Own = often(w, f.Manifest.Originator, f.Own)
			}
			fast, want, facts = ruling.Do(&f), s.do(&f), f
		}
		got := verdict{}
		if !fast.Allowed {
			for _, b := range fast.Because {
				got[b.Article] = true
				cited[b.Article]++
			}
		} else {
			allowed[deed]++
		}
		if !maps.Equal(got, want) {
			t.Fatalf("case %d, %s under %s: ruled %v (%s), slowly %v\n%+v\n%+v", i, deed, x.p.ID, got, fast, want, facts, events)
		}
	}
	t.Logf("%d cases, %d pacts; allowed %v; articles cited %d", cases, len(w.texts), allowed, len(cited))
	for _, deed := range []string{"release", "read", "pass-on", "copy", "translate", "extract", "show", "review", "downgrade", "destroy"} {
		if allowed[deed]*4000 < cases {
			t.Errorf("%s was allowed only %d times: the cases do not reach", deed, allowed[deed])
		}
	}
}
