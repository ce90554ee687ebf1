package ruling_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"
)

// slow is a second evaluator, written from the treaty rules and not from the
// first one: it reads the text as plain YAML, replays the acts of the pact's life
// instead of folding them, and says each rule as a sentence about sets. It shares
// the types of the facts with pact and ruling, and no code. They must agree.
type slow struct {
	doc    map[string]any
	keeps  map[string]string // clause: the article that keeps it
	zone   *time.Location
	lists  map[string][]map[string]any // as they were read once
	dates  map[string]time.Time
	events []act.Act
	told   []pact.Answer // what parties answered to steps that they read otherwise
	asked  tally         // of each rule, how often it was asked; nil: not counted
	failed tally
	deed   string
}

type tally map[string]int

// ground is an article, with the cure of a refusal, or the title of what an
// allowed deed rests on.
type ground struct{ article, says string }

// verdict is the whole answer.
type verdict struct {
	s       *slow
	refused map[ground]bool
	rests   []ground
	as      []act.Mark
	duties  []string
	second  bool
}

func every[T any](all []T, is func(T) bool) bool {
	return !some(all, func(x T) bool { return !is(x) })
}
func some[T any](all []T, is func(T) bool) bool { return slices.ContainsFunc(all, is) }
func in[T comparable](x T, all []T) bool        { return slices.Contains(all, x) }
func within[T comparable](few, many []T) bool {
	return every(few, func(x T) bool { return in(x, many) })
}
func others[T comparable](all []T, but ...T) []T {
	return those(all, func(x T) bool { return !in(x, but) })
}
func those[T any](all []T, is func(T) bool) (some []T) {
	for _, x := range all {
		if is(x) {
			some = append(some, x)
		}
	}
	return some
}

// The text, as plain values.

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

func words(v any) (all []string) {
	l, _ := v.([]any)
	for _, v := range l {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func (s *slow) list(path string) []string { return words(s.get(path)) }

func (s *slow) maps(path string) (all []map[string]any) {
	all, known := s.lists[path]
	if known {
		return all
	}
	l, _ := s.get(path).([]any)
	for _, v := range l {
		all = append(all, v.(map[string]any))
	}
	s.lists[path] = all
	return all
}

func (s *slow) ids(path string) (all []string) {
	for _, m := range s.maps(path) {
		all = append(all, m["id"].(string))
	}
	return all
}

func (s *slow) mapping(path string) map[string]string {
	all := map[string]string{}
	m, _ := s.get(path).(map[string]any)
	for k, v := range m {
		all[k] = fmt.Sprint(v)
	}
	return all
}

func (s *slow) party(q act.Party) bool { return in(string(q), s.ids("parties")) }

// read prepares a text: who keeps which clause, and where its days begin.
func (s *slow) read() {
	s.keeps, s.zone, s.lists, s.dates = map[string]string{}, time.UTC, map[string][]map[string]any{}, map[string]time.Time{}
	for _, a := range s.maps("articles") {
		for _, c := range words(a["clauses"]) {
			s.keeps[c] = fmt.Sprintf("Article %d", a["number"])
		}
	}
	if z := s.text("zone", "UTC"); z != "UTC" {
		h, _ := strconv.Atoi(z[1:3])
		m, _ := strconv.Atoi(z[4:6])
		s.zone = time.FixedZone(z, map[byte]int{'+': 1, '-': -1}[z[0]]*(h*3600+m*60))
	}
}

func (s *slow) kept(clause string) bool { return s.keeps[clause] != "" }

// article is the article that keeps a clause.
func (s *slow) article(clause string) string {
	if s.kept(clause) {
		return s.keeps[clause]
	}
	return "house rule"
}

// date is the first instant of a day that the text names.
func (s *slow) date(v any) (time.Time, bool) {
	day, given := v.(string)
	if !given {
		return time.Time{}, false
	}
	t, known := s.dates[day]
	if !known {
		t, _ = time.ParseInLocation("2006-01-02", day, s.zone)
		s.dates[day] = t
	}
	return t, true
}

// row is the line of the table by which a mark has a rank on a day.
func (s *slow) row(on time.Time, is func(party, mark string, rank int) bool) map[string]any {
	for _, r := range s.maps("markings") {
		from, hasFrom := s.date(r["from"])
		to, hasTo := s.date(r["to"])
		if is(r["party"].(string), r["mark"].(string), r["rank"].(int)) && (!hasFrom || !on.Before(from)) && (!hasTo || on.Before(to)) {
			return r
		}
	}
	return nil
}

// rank of a mark on a day: -1 when the table has none.
func (s *slow) rank(m act.Mark, on time.Time) int {
	r := s.row(on, func(party, mark string, _ int) bool { return party == string(m.Party) && mark == m.Text })
	if r == nil {
		return -1
	}
	return r["rank"].(int)
}

// beside is the mark that a party puts beside one of this rank: the first of its own.
func (s *slow) beside(rank int, q act.Party, on time.Time) []act.Mark {
	r := s.row(on, func(party, _ string, n int) bool { return party == string(q) && n == rank })
	if r == nil {
		return nil
	}
	return []act.Mark{{Party: q, Text: r["mark"].(string)}}
}

func (s *slow) termRank(term string) int {
	for _, r := range s.maps("markings") {
		if r["term"] == term {
			return r["rank"].(int)
		}
	}
	return 0
}

// from is the rank of the term that the text gives, or the lowest of the table.
func (s *slow) from(path string) int {
	if t := s.text(path, ""); t != "" {
		return s.termRank(t)
	}
	least := 99
	for _, r := range s.maps("markings") {
		least = min(least, r["rank"].(int))
	}
	return least
}

// The life: acts, replayed.

// calendar counts months on the calendar; the 31st of a short month is its last day.
func calendar(t time.Time, months int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	for first.AddDate(0, 0, d-1).Month() != first.Month() {
		d--
	}
	return first.AddDate(0, 0, d-1)
}

// note is a notice, and what became of it.
type note struct {
	by                       string
	at, suspended, withdrawn time.Time
}

// history is what each party did first, and the notices.
type history struct {
	did     map[string]map[string]time.Time
	notices []*note
}

func (s *slow) replay() (h history) {
	h.did = map[string]map[string]time.Time{}
	for _, e := range s.events {
		by, kind := string(e.From), strings.TrimPrefix(string(e.Kind), "pact.")
		if h.did[kind] == nil {
			h.did[kind] = map[string]time.Time{}
		}
		if _, before := h.did[kind][by]; !before {
			h.did[kind][by] = e.At.Time
		}
		open := h.open(by)
		switch {
		case kind == "notice":
			h.notices = append(h.notices, &note{by: by, at: e.At.Time})
		case kind == "notice-suspended" && open != nil && open.suspended.IsZero():
			open.suspended = e.At.Time
		case kind == "notice-withdrawn" && open != nil:
			open.withdrawn = e.At.Time
		}
	}
	return h
}

// open is the last notice of a party's that it did not withdraw.
func (h *history) open(by string) (open *note) {
	for _, n := range h.notices {
		if n.by == by && n.withdrawn.IsZero() {
			open = n
		}
	}
	return open
}

// state says where the pact stands now as a party reads it, or by the acts if nobody
// is named, and lists the moments at which a step moved the state of a pact in force.
func (s *slow) state(now time.Time, reader act.Party) (state string, formal []time.Time) {
	h := s.replay()
	everyone := func(kind string) (last time.Time, ok bool) {
		for _, p := range s.ids("parties") {
			t, done := h.did[kind][p]
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
	for _, scrapped := range h.did["cancelled"] {
		if !scrapped.After(now) && (!started || start.After(scrapped)) {
			return "cancelled", nil
		}
	}
	if !started || now.Before(start) {
		if day, ok := s.date(s.get("life.provisional")); ok && allSigned && !now.Before(day) && !now.Before(signed) {
			return "applied-provisionally", nil
		}
		if len(h.did["signed"]) > 0 {
			return "signed", nil
		}
		return "proposed", nil
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
	length := time.Duration(s.number("life.notice-days")) * 24 * time.Hour
	months := s.number("life.notice-months")
	over := func(given time.Time) time.Time {
		if years == 0 {
			return calendar(given.In(s.zone), months).Add(length)
		}
		end := anniversary(given)
		if deadline := calendar(end, -months).Add(-length); !given.Before(deadline) {
			end = anniversary(end)
		}
		return end
	}
	// told is what the reader made of a step, if it answered it.
	told := func(kind act.Kind, n *note, at time.Time) (pact.Answer, bool) {
		for _, a := range s.told {
			if a.Party == reader && a.Kind == kind && string(a.By) == n.by && a.At.Equal(at) {
				return a, true
			}
		}
		return pact.Answer{}, false
	}
	moved := func(kind act.Kind, n *note, at time.Time) time.Time {
		switch a, answered := told(kind, n, at); {
		case at.IsZero() || !answered:
			return at
		case a.Void:
			return time.Time{}
		default:
			return a.Came.Time
		}
	}
	for _, given := range h.notices {
		n := *given
		n.suspended = moved(act.PactNoticeSuspended, given, given.suspended)
		n.withdrawn = moved(act.PactNoticeWithdrawn, given, given.withdrawn)
		if a, answered := told(act.PactNotice, given, given.at); answered {
			was, is := over(given.at).In(s.zone), over(a.Came.Time).In(s.zone)
			if a.Void {
				continue
			}
			if a.Came.After(given.at) && (was.Year() != is.Year() || was.YearDay() != is.YearDay()) {
				n.at = a.Came.Time
			}
		}
		if now.Before(n.at) {
			continue
		}
		end := over(n.at)
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
		case !ranOut && !now.Before(n.suspended):
			if state != "terminated" {
				state = "notice-suspended"
			}
		case !now.Before(end):
			state = "terminated"
		case state == "in-force":
			state = "notice-given"
		}
	}
	return state, formal
}

var moving = []string{"applied-provisionally", "in-force", "notice-given", "notice-suspended"}

// stands is the state by the acts, or ended where a party reads it so: by what it
// answered, or as it declared since the last formal step. The stricter reading rules new transfers.
func (s *slow) stands(now time.Time) string {
	st, formal := s.state(now, "")
	if !in(st, moving) {
		return st
	}
	for _, p := range s.ids("parties") {
		if own, _ := s.state(now, act.Party(p)); own == "terminated" {
			return own
		}
		latest := ""
		var when time.Time
		for _, e := range s.events {
			if b, ok := e.Body.(act.Interpretation); ok && string(e.From) == p && (latest == "" || !e.At.Before(when)) {
				latest, when = b.Phase, e.At.Time
			}
		}
		void := some(formal, func(t time.Time) bool { return t.After(when) })
		if latest == "terminated" && !void && !now.Before(when) {
			return "terminated"
		}
	}
	return st
}

// The rules.

// judge begins a verdict on a deed.
func (s *slow) judge(deed string) *verdict {
	s.deed = deed
	return &verdict{s: s, refused: map[ground]bool{}}
}

// must says what has to hold, which clause wants it and what cures it otherwise.
func (v *verdict) must(clause string, holds bool, cure string, holes ...any) {
	v.citing(v.s.article(clause), clause, holds, cure, holes...)
}

func (v *verdict) citing(article, clause string, holds bool, cure string, holes ...any) {
	if v.s.asked != nil {
		rule := v.s.deed + ": " + clause + ": " + cure
		v.s.asked[rule]++
		if !holds {
			v.s.failed[rule]++
		}
	}
	if !holds {
		v.refused[ground{article, fmt.Sprintf(cure, holes...)}] = true
	}
}

// first asks rules of which only the first that fails is told.
func (v *verdict) first(rules ...rule) {
	for _, r := range rules {
		v.must(r.clause, r.holds, r.cure, r.holes...)
		if !r.holds {
			return
		}
	}
}

type rule struct {
	clause string
	holds  bool
	cure   string
	holes  []any
}

// ruled ends a verdict: what an allowed deed rests on, and obliges to.
func (v *verdict) ruled(clauses []string, as []act.Mark, second bool, duties ...string) *verdict {
	if len(v.refused) > 0 {
		return v
	}
	for _, c := range clauses {
		for _, a := range v.s.maps("articles") {
			g := ground{v.s.keeps[c], fmt.Sprint(a["title"].(map[string]any)["en"])}
			if in(c, words(a["clauses"])) && !in(g, v.rests) {
				v.rests = append(v.rests, g)
			}
		}
	}
	v.as, v.second, v.duties = as, second, duties
	return v
}

const (
	ownMark    = "mark with the provider's name and the own equivalent"
	nothingNew = "no other purpose and no third party without the originator's written approval"
	inTheEnd   = "return or destroy when no longer needed"
)

func noneKnown(what string) *verdict {
	return &verdict{refused: map[ground]bool{map[string]ground{
		"pact":    {"no pact", "propose the pact, or name another: 'entente pacts' lists them"},
		"product": {"need to know", "ask the registry"}}[what]: true}}
}

func (v *verdict) alive(now time.Time) {
	st := v.s.stands(now)
	v.must("in-force", !in(st, []string{"cancelled", "terminated"}), "conclude a new pact; what was shared stays protected")
	v.must("in-force", st != "proposed", "every party signs it: 'entente pact sign'")
	v.must("in-force", st != "signed", "every party signs it and notifies that its domestic procedures are complete: 'entente pact notify'")
}

// limit is the greatest rank that goes from one party to another by a channel; 0: none.
func (s *slow) limit(from, to act.Party, channel string) int {
	limit := min(s.termRank(s.text("channels."+channel, "")), s.termRank(s.text("ceiling", "")))
	legs := s.maps("legs")
	between := those(legs, func(l map[string]any) bool {
		ends := words(l["between"])
		return in(string(from), ends) && in(string(to), ends) && from != to && (l["channels"] == nil || in(channel, words(l["channels"])))
	})
	switch {
	case len(legs) == 0:
		return limit
	case len(between) == 0:
		return 0
	}
	return min(limit, s.termRank(between[0]["ceiling"].(string)))
}

// approvals are what originators approved.
type approvals []product.Consent

// named says whether o approved the deed by an approval that names n, and stands now.
func (all approvals) named(n act.Number, o act.Party, deed string, to act.Party, purpose string, now time.Time) bool {
	return some(all, func(c product.Consent) bool { return c.Number == n && c.By == o && standing(c, deed, to, purpose, now) })
}

func standing(c product.Consent, deed string, to act.Party, purpose string, now time.Time) bool {
	return !c.Withdrawn && c.Uses-c.Used > 0 && c.Deed+string(c.Recipient)+" "+c.Purpose == deed+string(to)+" "+purpose && !c.Given.After(now) && c.Until.After(now)
}

// of: what others made may rest on approvals that name each thing it was made from;
// otherwise the approval names the thing itself.
func (all approvals) of(o act.Party, deed string, to act.Party, purpose string, now time.Time, m act.Manifest) bool {
	return all.named(m.Number, o, deed, to, purpose, now) ||
		o != m.Originator && len(m.Lineage) > 0 && every(m.Lineage, func(l act.Lineage) bool { return all.named(l.Of, o, deed, to, purpose, now) })
}

// series is the party in whose series a number stands: all but its last three groups.
func series(n act.Number) string {
	g := strings.Split(string(n), "-")
	return strings.Join(g[:max(0, len(g)-3)], "-")
}

// movement is what both sides ask of a product that goes from one to the other.
func (v *verdict) movement(m act.Manifest, channel string, hub ruling.Hub, blocked string, consents approvals, now time.Time) int {
	s := v.s
	v.alive(now)
	v.must("in-force", blocked == "", "upgrade the node")
	v.must("third-party", string(m.Pact) == s.text("pact", ""), "release it under the pact that its manifest names")
	v.must("subjects", in(m.Subject, s.list("subjects")), "choose one of: %s", strings.Join(s.list("subjects"), ", "))
	v.must("subjects", in(m.Form, s.list("forms")), "choose one of: %s", strings.Join(s.list("forms"), ", "))
	v.must("purpose", s.text("use", "bound") == "free" || in(m.Purpose, s.ids("purposes")), "choose a purpose that the pact names, or have the pact amended")
	rank := s.rank(m.Mark, m.Made.Time)
	v.first(
		rule{"markings", rank >= 0, "use a mark of the table; a higher one may not be shared under this pact", nil},
		rule{"markings", rank <= s.termRank(s.text("ceiling", "")), "share it under a pact with a higher ceiling, or not at all", nil},
		rule{"markings", rank >= s.from("floor"), "share it outside this pact", nil})
	v.must("markings", m.Mark.Party == m.Originator, "mark it in the originator's scheme")
	reads, _ := s.get("hub.reads").(bool)
	v.must("third-party", hub.Party == "" || !hub.Reads || reads && s.text("hub.party", "") == string(hub.Party), "seal it to its recipients alone, or have the pact name the hub as a recipient")
	v.must("third-party", len(m.Recipients) > 0, "name a party of the pact")
	v.must("third-party", in(m.Originator, m.Origins), "name every origin")
	for _, to := range m.Recipients {
		limit := s.limit(m.Originator, to, channel)
		v.first(
			rule{"third-party", s.party(to), "release it to parties of the pact only", nil},
			rule{"third-party", to != m.Originator, "leave it out", nil},
			rule{"channels", limit > 0, "use a channel that the pact names", nil},
			rule{"channels", rank <= limit, "send it by another channel", nil})
	}
	v.passedOn(m, consents, now)
	return rank
}

// passedOn: each other party whose information it holds approved each recipient.
func (v *verdict) passedOn(m act.Manifest, consents approvals, now time.Time) {
	for _, to := range m.Recipients {
		for _, o := range others(m.Origins, m.Originator, to) {
			v.must("third-party", consents.of(o, "pass-on", to, m.Purpose, now, m), "ask %s for an approval that names product, recipient, purpose and expiry", o)
		}
	}
}

// cleared: who handles a product of this rank is cleared for it, where the pact asks.
func (v *verdict) cleared(p act.Person, own act.Party, rank int, now time.Time, cure string) {
	needed := v.s.text("clearance-from", "") != "none" && rank >= v.s.from("clearance-from")
	has := !p.Left && p.Clearance != "" && p.Until.After(now) && v.s.rank(act.Mark{Party: own, Text: p.Clearance}, now) >= max(rank, 1)
	v.must("clearance", !needed || has, "%s", cure)
}

// accredited: what was entered for the channel, in words that this pact knows, must
// cover the rank; what a pact asks for must have been entered.
func (v *verdict) accredited(all []product.Accreditation, channel string, rank int, now time.Time) {
	most := func(a product.Accreditation) int { // by its mark, as it stands or stood when it was entered
		if r := v.s.rank(a.Mark, now); r >= 0 {
			return r
		}
		return v.s.rank(a.Mark, a.Given.Time)
	}
	entered := those(all, func(a product.Accreditation) bool { return a.Channel == channel && most(a) >= 0 })
	v.must("accreditation", len(entered) == 0 && !v.s.kept("accreditation") || some(entered, func(a product.Accreditation) bool {
		return most(a) >= rank && !a.Given.After(now) && a.Until.After(now)
	}), "have the system accredited anew, and enter it: 'entente accredit'")
}

func (s *slow) release(f *ruling.ReleaseFacts, books map[any]*slow) *verdict {
	v, m := s.judge("release"), f.Manifest
	rank := v.movement(m, f.Channel, f.Hub, f.Blocked, f.Consents, f.Now)
	for _, x := range f.Sources {
		v.derived(f, x, books)
	}
	s.deed = "release"
	for _, to := range m.Recipients {
		assured := some(f.Assured, func(a product.Assurance) bool {
			most := s.rank(a.Mark, f.Now)
			return a.By == to && a.Mark.Party == to && most >= 0 && rank <= most && !a.Given.After(f.Now) && a.Until.After(f.Now)
		})
		v.must("assurance", assured || !s.kept("assurance") || !in(m.Form, []string{"oral", "visual"}), "have %s assure clearance and need to know: 'entente assure'", to)
	}
	v.accredited(f.Accredited, f.Channel, rank, f.Now)
	v.must("third-party", s.party(f.Own) && m.Originator == f.Own, "ask the originator")
	v.must("authorities", !f.Officer.Left && in(act.Releasing, f.Officer.Offices), "a person with the office 'release' does it: 'entente person list'")
	v.must("authorities", f.Notified || f.Officer.Left || !in(act.Releasing, f.Officer.Offices), "compare codes with the recipient first: 'entente pact sign --with'")
	v.cleared(f.Officer, f.Own, rank, f.Now, "an officer who is cleared releases it")
	by, known := f.Officer.Name, f.Officer.Identity // who else has had a say: the drafter, or who gave the mandate
	if d := f.Mandate; d != nil {
		most := s.rank(d.Mark, m.Made.Time)
		same := d.Pact == m.Pact && d.Kind == m.Kind && d.Subject == m.Subject && d.Purpose == m.Purpose
		v.first(
			rule{"standing-authority", s.kept("standing-authority"), "release it in the ordinary way", nil},
			rule{"standing-authority", same && most >= 0 && rank <= most && !d.Withdrawn && !d.Given.After(f.Now) && d.Until.After(f.Now), "release it in the ordinary way, or give a mandate that covers it", nil})
		by, known = strings.Split(d.By, "@")[0], f.Giver.Identity
	}
	// Two are told apart by name, and where one is known by an identity both must be, by that.
	other := func(name, identity string) bool {
		o := f.Officer
		return name != o.Name && (identity == "") == (o.Identity == "") && (identity == "" || identity != o.Identity)
	}
	v.must("two persons", f.Drafter.Name == "" || other(f.Drafter.Name, f.Drafter.Identity), "another officer approves it: 'entente approve'; where one bears an --identity, both must, and not the same: 'entente person add'")
	alone := f.Drafter.Name == "" && !other(by, known)
	second := f.House.SecondPersonFrom > 0 && rank >= f.House.SecondPersonFrom && alone
	var as []act.Mark
	for _, to := range m.Recipients {
		as = append(as, s.beside(rank, to, m.Made.Time)...)
	}
	return v.transferred(as, second, m)
}

func (v *verdict) transferred(as []act.Mark, second bool, m act.Manifest) *verdict {
	n, unit := v.s.number("receipts.hours"), "hour"
	if n%24 == 0 {
		n, unit = n/24, "day"
	}
	if n != 1 {
		unit += "s"
	}
	duties := []string{ownMark, fmt.Sprintf("receipt signed by the final recipient within %d %s", n, unit), nothingNew, inTheEnd}
	if m.Review != nil {
		duties = append(duties, "review the need by "+m.Review.Format("2006-01-02"))
	}
	return v.ruled([]string{"in-force", "subjects", "markings", "third-party", "clearance", "channels", "life"}, as, second, duties...)
}

// derived: what is made from a product obeys the pact of that product too.
func (v *verdict) derived(f *ruling.ReleaseFacts, x ruling.Source, books map[any]*slow) {
	v.s.deed = "derived"
	m, from := f.Manifest, x.Manifest
	book, consents := books[x.Pact], approvals(f.Consents)
	v.must("third-party", book != nil, "name only products that are here")
	if book == nil {
		return
	}
	v.must("third-party", within(from.Origins, m.Origins), "name every origin")
	v.must("markings", within(from.Caveats, m.Caveats), "carry every caveat over")
	least, rank := book.rank(x.Mark, x.On), book.rank(m.Mark, m.Made.Time)
	v.must("markings", least >= 0 && rank >= least, "mark it as high as the highest of what it is made from")
	ours := from.Originator == f.Own
	for _, to := range m.Recipients {
		both := book.party(to) && book.party(f.Own)
		limit := book.limit(f.Own, to, f.Channel)
		v.must("channels", least < 0 || !both || limit > 0 && least <= limit, "send it by another channel")
		granted := some([]act.Number{from.Number, m.Number}, func(n act.Number) bool {
			return consents.named(n, from.Originator, "pass-on", to, m.Purpose, f.Now)
		})
		v.must("third-party", ours || in(to, append(slices.Clone(from.Recipients), from.Originator)) || granted, "ask %s for an approval that names product, recipient, purpose and expiry", from.Originator)
	}
	any := map[string]bool{"free": true, "framework": in(m.Purpose, book.ids("purposes"))}[book.text("use", "bound")]
	for _, o := range others(from.Origins, f.Own) {
		yes := some([]act.Manifest{from, m}, func(t act.Manifest) bool { return consents.of(o, "purpose", "", m.Purpose, f.Now, t) })
		v.must("purpose", m.Purpose == from.Purpose || any || yes, "ask %s to approve another purpose", o)
		mode, deed := "free", ""
		switch x.How {
		case "translation":
			mode, deed = book.text("copying.translations", "consent"), "translate"
		case "excerpt":
			mode, deed = book.text("copying.extracts", "consent"), "extract"
		}
		if t := book.text("copying.consent-from", ""); t != "" && deed != "" && least >= book.termRank(t) && mode != "forbidden" {
			mode = "consent"
		}
		v.must("translation", least < 0 || mode != "forbidden", "none: the pact forbids it")
		v.must("translation", least < 0 || mode != "consent" || consents.of(o, deed, "", m.Purpose, f.Now, from), "ask %s for an approval", o)
	}
	v.must("reproduction", least < 0 || ours || x.How != "excerpt" || !in("no copy", from.Caveats), "ask the originator for a version without this caveat")
}

func (s *slow) accept(f *ruling.AcceptFacts) *verdict {
	v, m, made := s.judge("accept"), f.Manifest, f.Act.At.Time
	rank := v.movement(m, f.Channel, f.Hub, f.Blocked, f.Consents, made)
	v.accredited(f.Accredited, f.Channel, rank, f.Now)
	v.must("third-party", m.Originator == f.From && m.Pact == f.Act.Pact, "release it anew")
	v.must("third-party", in(f.Own, m.Recipients) && slices.Equal(f.Act.To, m.Recipients), "address it to its recipients")
	v.must("markings", series(m.Number) == string(m.Originator), "number it in the originator's own series")
	v.must("markings", !f.NumberUsed, "release it under a fresh number")
	v.must("authorities", f.Act.By != "", "an officer who was notified releases it")
	v.must("channels", made.Sub(f.Now) <= 24*time.Hour, "set the clock right")
	for _, l := range m.Lineage {
		holds := []act.Party{act.Party(series(l.Of))}
		for _, k := range f.Sources {
			if k.Number == l.Of {
				holds = k.Origins
			}
		}
		v.must("third-party", within(holds, m.Origins), "name every origin")
	}
	overdue := f.Came.Sub(made) > time.Duration(s.number("receipts.hours"))*time.Hour
	if overdue && len(v.refused) == 0 {
		v.alive(f.Now)
		v.passedOn(m, f.Consents, f.Now)
	}
	return v.transferred(s.beside(rank, f.Own, m.Made.Time), false, m)
}

// mark that holds now, and the day by whose table it is read.
func markNow(f *ruling.ReadFacts) (act.Mark, time.Time) {
	mark, on := f.Manifest.Mark, f.Manifest.Made.Time
	for _, r := range f.Custody.Reclassified {
		mark, on = r.Mark, r.At.Time
	}
	return mark, on
}

// content is what every use of a product's content asks.
func (v *verdict) content(f *ruling.ReadFacts) int {
	s, m, p := v.s, f.Manifest, f.Person
	rank := s.rank(markNow(f))
	_, got := f.Custody.Received[f.Own]
	_, no := f.Custody.Refused[f.Own]
	v.must("markings", rank >= 0, "ask the registry")
	v.must("channels", m.Originator == f.Own || got && !no, "wait for it: 'entente status' shows what is on its way")
	v.must("destruction", f.Custody.Destroyed[f.Own] == nil, "ask the originator to release it again")
	dates := those([]*act.Moment{m.Review, f.Custody.Reviewed}, func(t *act.Moment) bool { return t != nil })
	v.must("review", len(dates) == 0 || !s.kept("review") || some(dates, func(t *act.Moment) bool { return t.After(f.Now) }), "the registry reviews it: keep ('entente review'), return or destroy")
	v.cleared(p, f.Own, rank, f.Now, "a person who is cleared reads it")
	v.must("need-to-know", !p.Left && in(act.Reading, p.Offices), "enrol the person with the office 'read'")
	v.must("need-to-know", !p.Left && p.Until.After(f.Now) && some(p.Needs, func(n act.Need) bool { return n.Pact == m.Pact && in(f.Purpose, n.Purposes) }), "the security officer grants the need")
	any := map[string]bool{"free": true, "framework": in(f.Purpose, s.ids("purposes"))}[s.text("use", "bound")]
	v.must("purpose", f.Purpose == m.Purpose || any || every(others(m.Origins, f.Own), func(o act.Party) bool {
		return approvals(f.Consents).of(o, "purpose", "", f.Purpose, f.Now, m)
	}), "ask the originator to approve another purpose")
	v.must("register", p.Facility != "", "enter the person in a register")
	v.must("briefing", p.Briefed, "brief the person and record it")
	return rank
}

// mayKnow: a person with no need under the pact does not learn that the product exists.
func mayKnow(f *ruling.ReadFacts) bool {
	return !f.Person.Left && f.Person.Name != "" && some(f.Person.Needs, func(n act.Need) bool { return n.Pact == f.Manifest.Pact })
}

func (s *slow) readIt(f *ruling.ReadFacts) *verdict {
	if !mayKnow(f) {
		return noneKnown("product")
	}
	v := s.judge("read")
	rank := v.content(f)
	return v.ruled([]string{"markings", "purpose", "need-to-know", "survival"}, s.beside(rank, f.Own, f.Manifest.Made.Time), false, ownMark, nothingNew, inTheEnd)
}

func (s *slow) do(f *ruling.DoFacts) *verdict {
	v, m, p := s.judge(f.Deed), f.Manifest, f.Person
	consents := approvals(f.Consents)
	holds := func(o act.Office) bool { return !p.Left && in(o, p.Offices) }
	without := map[string]act.Office{"destroy": act.Registry, "review": act.Registry, "downgrade": act.Releasing}[f.Deed]
	if !mayKnow(&f.ReadFacts) && !holds(without) {
		return noneKnown("product")
	}
	beside := func(rank int) []act.Mark { return s.beside(rank, f.Own, m.Made.Time) }
	switch f.Deed {
	case "pass-on":
		rank := v.content(&f.ReadFacts)
		v.alive(f.Now)
		v.must("third-party", f.Recipient != "" && !in(f.Recipient, m.Recipients) && !in(f.Recipient, m.Origins), "name a third party")
		for _, o := range others(m.Origins, f.Own) {
			v.must("third-party", s.reaches(rank, f.Standing) && s.party(o) || consents.of(o, "pass-on", f.Recipient, f.Purpose, f.Now, m), "ask %s for an approval that names product, recipient, purpose and expiry", o)
		}
		return v.ruled([]string{"third-party", "purpose", "markings", "in-force"}, nil, false, "all original marks stay", "the approval of each originator goes with it", "the recipient protects it at least equally")
	case "copy":
		rank := v.content(&f.ReadFacts)
		limit := s.number("copying.limit")
		v.must("reproduction", limit == 0 || f.Copies < limit, "destroy a copy first, or ask the originator")
		v.made(f, "reproduction", s.text("copying.copies", "consent"), rank)
		return v.ruled([]string{"reproduction", "need-to-know", "survival"}, beside(rank), false, "all original marks are reproduced", "the copy is numbered and has a holder", "the same controls as the original")
	case "translate", "extract":
		rank := v.content(&f.ReadFacts)
		v.made(f, "translation", s.text(map[string]string{"translate": "copying.translations", "extract": "copying.extracts"}[f.Deed], "consent"), rank)
		return v.ruled([]string{"translation", "markings", "need-to-know", "survival"}, beside(rank), false, "the marks in both languages", "a note that it contains information of its originator", "by a cleared translator")
	case "show":
		v.shown(f, v.content(&f.ReadFacts))
		return v.ruled([]string{"visits", "need-to-know", "markings"}, nil, false)
	case "review":
		v.must("review", holds(act.Registry), "a person of the registry reviews it")
		return v.ruled([]string{"review", "survival"}, nil, false)
	case "downgrade":
		old, now := s.rank(markNow(&f.ReadFacts)), s.rank(f.Mark, f.Now)
		v.must("reclassification", f.Own == m.Originator, "ask the originator to reclassify it")
		v.must("authorities", holds(act.Releasing), "a person with the office 'release' does it: 'entente person list'")
		v.first(
			rule{"markings", old >= 0 && now >= 0 && f.Mark.Party == m.Originator, "use a mark of the originator's scheme in the pact's table", nil},
			rule{"reclassification", now < old, "choose a lower mark", nil})
		for _, o := range m.Origins {
			v.must("reclassification", o == m.Originator, "ask %s to reclassify its part", o)
		}
		return v.ruled([]string{"reclassification", "markings"}, nil, false, "every copy and every derived product is marked anew", "report back to the originator")
	case "destroy":
		methods := s.list("destruction.methods")
		_, came := f.Custody.Received[f.Own]
		v.must("destruction", holds(act.Registry), "a person of the registry destroys it")
		v.must("destruction", len(methods) == 0 || in(f.Method, methods), "choose one of: %s", strings.Join(methods, ", "))
		v.must("destruction", f.Witnesses >= s.number("destruction.witnesses"), "have it witnessed")
		v.must("destruction", f.Custody.Destroyed[f.Own] == nil, "none is needed")
		v.must("destruction", came || m.Originator == f.Own, "destroy it when it has come")
		return v.ruled([]string{"destruction", "survival"}, nil, false, "a certificate with method and witness, without content")
	}
	v.must("deeds", false, "one of: pass-on, copy, translate, extract, show, review, downgrade, destroy")
	return v
}

// reaches: under a pact that goes by audience, a mark says how far a product may go.
func (s *slow) reaches(rank int, standing string) bool {
	growing := []string{"organisation", "clients", "community", "public"}
	for term, audience := range s.mapping("third-party.audience") {
		if s.text("third-party.release", "consent") == "audience" && s.termRank(term) == rank && in(standing, growing) {
			return slices.Index(growing, standing) <= slices.Index(growing, audience)
		}
	}
	return false
}

// made: copies, translations and extracts, as the pact has them.
func (v *verdict) made(f *ruling.DoFacts, clause, mode string, rank int) {
	m := f.Manifest
	if t := v.s.text("copying.consent-from", ""); t != "" && rank >= v.s.termRank(t) && mode != "forbidden" {
		mode = "consent"
	}
	forbids := rule{clause, mode != "forbidden", "none: the pact forbids it", nil}
	if f.Deed == "translate" { // which a caveat against copies does not forbid
		v.first(forbids)
	} else {
		v.first(rule{clause, !in("no copy", m.Caveats), "ask the originator for a version without this caveat", nil}, forbids)
	}
	for _, o := range others(m.Origins, f.Own) {
		silent := f.Deed != "translate" && in("no copy", m.Caveats) || mode != "consent"
		v.must(clause, silent || approvals(f.Consents).of(o, f.Deed, "", f.Purpose, f.Now, m), "ask %s for an approval", o)
	}
}

// shown: to whom an approved visit names, up to the host's mark, while it lasts.
func (v *verdict) shown(f *ruling.DoFacts, rank int) {
	x, m := f.Visit, f.Manifest
	v.alive(f.Now)
	asked := x != nil && x.Host == f.Own && x.Pact == m.Pact
	v.must("visits", asked, "have the visit asked for, authority to authority")
	if !asked {
		return
	}
	most := -1
	if x.Approved != nil {
		most = v.s.rank(*x.Approved, f.Now)
	}
	v.first(
		rule{"visits", x.Approved != nil, "the host approves it: 'entente visit approve'", nil},
		rule{"visits", (x.Ended == nil || x.Ended.After(f.Now)) && !x.From.After(f.Now) && x.Until.After(f.Now), "ask for another visit", nil},
		rule{"visits", in(f.Visitor, x.Visitors), "ask for a visit that names the visitor", nil},
		rule{"visits", most >= 0 && rank <= most, "have the host approve a higher mark", nil},
		rule{"third-party", in(x.By, append(slices.Clone(m.Recipients), m.Originator)) || m.Originator == f.Own && len(others(m.Origins, f.Own)) == 0, "ask its originators", nil})
}

// visited: the host alone approves, in its own marks, within the ceiling.
func (s *slow) visited(f *ruling.VisitFacts) *verdict {
	v := s.judge("visit")
	v.alive(f.Now)
	v.first(
		rule{"visits", f.Visit != nil && f.Visit.Host == f.Own && s.party(f.Visit.By), "have it asked for, authority to authority", nil},
		rule{"visits", f.Visit != nil && f.Visit.Ended == nil && f.Visit.Until.After(f.Now), "ask for another visit", nil})
	v.must("authorities", !f.Person.Left && in(act.Signing, f.Person.Offices), "a person with the office 'sign' does it")
	rank := s.rank(f.Mark, f.Now)
	v.must("markings", rank >= 0 && f.Mark.Party == f.Own && rank <= s.termRank(s.text("ceiling", "")), "approve up to a mark of our own scheme, within the pact's ceiling")
	return v.ruled([]string{"visits"}, nil, false)
}

// step: may this party take this step in the pact's life now?
func (s *slow) step(f ruling.PactFacts, books map[any]*slow) *verdict {
	kind := strings.TrimPrefix(string(f.Step), "pact.")
	v, own, h := s.judge("step "+kind), string(f.Own), s.replay()
	state, _ := s.state(f.Now, "")
	did := func(kind string) bool { _, done := h.did[kind][own]; return done }
	begun := in(state, moving) && state != "applied-provisionally"
	over := in(state, []string{"terminated", "cancelled"})
	open := h.open(own)
	v.must("life", s.party(f.Own), "none")
	v.must("authorities", !f.Person.Left && in(act.Signing, f.Person.Offices), "a person with the office 'sign' does it")
	const next, shows = "'entente pacts' shows whose step is next", "'entente pacts' shows the pact's state"
	switch kind {
	case "initialled", "approved":
		v.must("life", !begun && !over && !did(kind), "none is needed")
	case "signed":
		v.must("life", !begun && !over && !did("signed"), next)
		v.arranged(f, books)
	case "notified":
		v.must("life", !begun && !over && did("signed") && !did("notified"), next)
	case "cancelled":
		v.must("life", !begun && !over, "give notice instead")
	case "notice":
		v.must("life", begun && open == nil, shows)
	case "notice-suspended":
		v.must("life", in(state, moving) && open != nil && open.suspended.IsZero(), shows)
	case "notice-withdrawn":
		v.must("life", in(state, moving) && open != nil, shows)
	case "read":
		v.must("life", in(state, moving), "none is needed")
	default:
		v.must("life", false, "'entente pact --help' lists the steps")
	}
	return v.ruled([]string{"life"}, nil, false)
}

// arranged: an implementing arrangement widens none of the pacts above it, which are in force.
func (v *verdict) arranged(f ruling.PactFacts, books map[any]*slow) {
	for _, id := range v.s.list("relation.implements") {
		var above *slow
		for _, p := range f.Above {
			if above == nil && books[p].text("pact", "") == id {
				above = books[p]
			}
		}
		v.citing("no pact", "arrangements", above != nil, "conclude that pact first")
		if above == nil {
			continue
		}
		article := "implementing arrangements"
		for _, a := range above.maps("articles") {
			if strings.ToLower(fmt.Sprint(a["title"].(map[string]any)["en"])) == article {
				article = fmt.Sprintf("Article %d", a["number"])
			}
		}
		v.citing(article, "arrangements", !v.s.widens(above), "an arrangement may narrow only: leave it out, or have the pact amended")
	}
}

// widens says whether this text allows anything that the one above does not.
func (s *slow) widens(up *slow) bool {
	higher := func(path string, from ...string) bool {
		return slices.Index(from, s.text(path, from[0])) > slices.Index(from, up.text(path, from[0]))
	}
	rows := func(x *slow) (all []string) {
		for _, r := range x.maps("markings") {
			all = append(all, fmt.Sprint(r["rank"], r["term"], r["party"], r["mark"], r["from"], r["to"]))
		}
		return all
	}
	reads := func(x *slow) bool { yes, _ := x.get("hub.reads").(bool); return yes }
	further := false // some way carries more, or some mark reaches further
	channels := s.mapping("channels")
	for _, a := range s.ids("parties") {
		for _, b := range s.ids("parties") {
			for c := range channels {
				further = further || a != b && s.limit(act.Party(a), act.Party(b), c) > up.limit(act.Party(a), act.Party(b), c)
			}
		}
	}
	for rank := range 17 {
		for _, standing := range []string{"organisation", "clients", "community", "public"} {
			further = further || s.reaches(rank, standing) && !up.reaches(rank, standing)
		}
	}
	// later: asked for only from a higher term on, or never.
	later := func(path string, otherwise int) bool {
		rank := func(x *slow) int {
			switch t := x.text(path, ""); {
			case t == "none":
				return 99
			case t == "" && otherwise > 0:
				return otherwise
			}
			return x.from(path)
		}
		return rank(s) > rank(up)
	}
	limit := func(x *slow) int {
		if n := x.number("copying.limit"); n > 0 {
			return n
		}
		return 1 << 20
	}
	methods := up.list("destruction.methods")
	provisional, early := s.date(s.get("life.provisional"))
	before, also := up.date(up.get("life.provisional"))
	possible := func(x *slow) bool { yes, _ := x.get("incidents.possible").(bool); return yes }
	lost := func(clause string) bool { return up.kept(clause) && !s.kept(clause) }
	modes := []string{"consent", "minimum", "free"}
	freer := func(path string) bool {
		was, is := up.text(path, "consent"), s.text(path, "consent")
		return was == "forbidden" && is != was || is != "forbidden" && slices.Index(modes, is) > slices.Index(modes, was)
	}
	return !within(s.ids("parties"), up.ids("parties")) || !within(s.list("subjects"), up.list("subjects")) || !within(s.list("forms"), up.list("forms")) || !within(s.ids("purposes"), up.ids("purposes")) ||
		reads(s) && !(reads(up) && s.text("hub.party", "") == up.text("hub.party", "")) ||
		!within(rows(s), rows(up)) || s.from("floor") < up.from("floor") || s.from("ceiling") > up.from("ceiling") ||
		further || higher("third-party.release", "consent", "audience") || !within(up.list("third-party.counts"), s.list("third-party.counts")) ||
		higher("use", "bound", "framework", "free") || higher("contractors.allowed", "forbidden", "conditions") ||
		later("clearance-from", 0) || later("receipts.from", 0) || s.number("receipts.hours") > up.number("receipts.hours") ||
		freer("copying.copies") || freer("copying.translations") || freer("copying.extracts") || later("copying.consent-from", 98) || limit(s) > limit(up) ||
		len(methods) > 0 && (len(s.list("destruction.methods")) == 0 || !within(s.list("destruction.methods"), methods)) || s.number("destruction.witnesses") < up.number("destruction.witnesses") ||
		s.number("incidents.within-hours") > up.number("incidents.within-hours") || possible(up) && !possible(s) ||
		early && (!also || provisional.Before(before)) || lost("assurance") || lost("review") || lost("accreditation") || !up.kept("standing-authority") && s.kept("standing-authority")
}

// spends: of each other party's approvals of one product for one recipient, the first that stands.
func spends(own act.Party, all []product.Consent, deed string, to []act.Party, purpose string, now time.Time) (spent []act.Digest) {
	fits := those(all, func(c product.Consent) bool {
		return c.By != own && in(c.Recipient, to) && standing(c, deed, c.Recipient, purpose, now)
	})
	for i, c := range fits {
		if !some(fits[:i], func(b product.Consent) bool {
			return b.By == c.By && b.Recipient == c.Recipient && b.Number == c.Number
		}) {
			spent = append(spent, c.Act)
		}
	}
	return spent
}
