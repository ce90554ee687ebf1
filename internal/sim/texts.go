package sim

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"entente/act"
	"entente/catalogue"
)

// This file is what the oracle knows of the texts of pacts: it is written from
// them, and shares nothing with the packages that rule.

//go:embed pact.yaml
var pactText []byte

//go:embed hub.yaml
var hubText []byte

const (
	pactID    = act.PactID("kr-jp-2016")
	passingID = act.PactID("kr-jp-us-2014")
	blindID   = act.PactID("kr-jp-us-seal")
)

// terms are one text of a pact.
type terms struct {
	name      string
	id        act.PactID
	version   int
	bytes     []byte
	sum       act.Sum
	parties   []act.Party
	hub       act.Party
	notified  bool      // it enters into force with the later notification, and has terms; else with the last signature
	from      time.Time // its marks
	duration  string    // the article that says how it ends
	standing  bool      // it knows standing authority
	framework bool      // any purpose that it names
	copies    bool      // each copy wants its originators' approval
	methods   []string
	limit     func(from, to act.Party, channel string) int // the greatest rank that may go; 0: there is no way
}

// The texts: the one of 2016 and its amendment, the arrangement of 2014, by which
// the hub is given what it passes on, and one by which it passes on what is sealed.
var (
	original = &terms{name: "the pact", id: pactID, version: 1, bytes: pactText, parties: parties[:2], notified: true, standing: true, copies: true, methods: []string{"burn", "erase"}, limit: between}
	amended  = &terms{name: "the amended pact", id: pactID, version: 2, bytes: with(pactText, "version: 1", "version: 2", "use: bound", "use: framework", "copies: consent", "copies: minimum", "[burn, erase]", "[burn, shred]"),
		parties: parties[:2], notified: true, standing: true, framework: true, methods: []string{"burn", "shred"}, limit: between}
	passing = &terms{name: "the arrangement", id: passingID, version: 1, bytes: hubText, parties: parties[:], hub: "US", copies: true, methods: []string{"burn", "erase"}, limit: toHub}
	blind   = &terms{name: "the pact of sealed passage", id: blindID, version: 1, bytes: with(hubText, "pact: kr-jp-us-2014", "pact: kr-jp-us-seal", "reads: true", "reads: false",
		"subjects:", "  - {between: [KR, JP], ceiling: CONFIDENTIAL, channels: [hub]}\nsubjects:"), parties: parties[:], hub: "US", copies: true, methods: []string{"burn", "erase"},
		limit: func(from, to act.Party, channel string) int {
			if from != "US" && to != "US" && channel == "hub" {
				return 1
			}
			return toHub(from, to, channel)
		}}
	texts = []*terms{original, amended, passing, blind}
)

func init() {
	for _, t := range texts {
		t.duration = "Article 5"
		t.sum, t.from = catalogue.SumOf(t.bytes), time.Date(2014, 12, 29, 0, 0, 0, 0, time.UTC)
		if t.id == pactID {
			t.duration = "Article 6"
			t.from = time.Date(2016, 11, 23, 0, 0, 0, 0, time.FixedZone("", 9*3600))
		}
	}
}

// with replaces what stands in a text exactly once.
func with(b []byte, pairs ...string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if bytes.Count(b, []byte(pairs[i])) != 1 {
			panic(fmt.Sprintf("sim: %q does not stand once in the text", pairs[i]))
		}
		b = bytes.Replace(b, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	return b
}

func between(from, to act.Party, channel string) int {
	if (channel == "electronic" || channel == "courier") && from != "US" && to != "US" {
		return 2
	}
	return 0
}

func toHub(from, to act.Party, channel string) int {
	if (channel == "electronic" || channel == "courier") && (from == "US" || to == "US") {
		return 2
	}
	return 0
}

func (t *terms) has(p act.Party) bool { return slices.Contains(t.parties, p) }

func termsOf(sum act.Sum) *terms {
	for _, t := range texts {
		if t.sum == sum {
			return t
		}
	}
	return nil
}

// row is what the acts say of a text.
type row struct {
	t                           *terms
	signed, notified, cancelled map[act.Party]time.Time
	notices                     []notice
	answers                     answers // of the whole ledger
	readings                    map[act.Party]reading2
}

type notice struct {
	by                          act.Party
	at                          time.Time
	suspended, withdrawn        *time.Time
	act, suspension, withdrawal act.Digest
}

// answers are what parties answered to steps of others that they read differently.
type answers map[act.Digest]map[act.Party]answer

// answer says when a step came to who answers and, by what it cites, whether it has an effect there.
type answer struct {
	came  time.Time
	cites string
}

func (a answers) add(step act.Digest, by act.Party, x answer) {
	if _, told := a[step][by]; told {
		return
	}
	if a[step] == nil {
		a[step] = map[act.Party]answer{}
	}
	a[step][by] = x
}

// by is the row as a party reads it: what came late there was done when it came, and what
// has no effect there was not done.
func (r *row) by(q act.Party) *row {
	own := *r
	own.notices = nil
	since, _ := r.since()
	for _, n := range r.notices {
		given, told := r.answers[n.act][q]
		void := told && given.cites != r.t.duration
		if told && n.by != q && !void && given.came.After(n.at) && r.t.day(r.t.ends(since, given.came)) != r.t.day(r.t.ends(since, n.at)) {
			n.at = given.came
		}
		late := func(at *time.Time, step act.Digest) *time.Time {
			x, told := r.answers[step][q]
			switch {
			case !told || n.by == q || at == nil:
				return at
			case x.cites != r.t.duration:
				return nil
			}
			return &x.came
		}
		n.suspended, n.withdrawn = late(n.suspended, n.suspension), late(n.withdrawn, n.withdrawal)
		if !void || n.by == q {
			own.notices = append(own.notices, n)
		}
	}
	return &own
}

// day is the day of a moment in the zone of a text.
func (t *terms) day(at time.Time) string {
	zone := time.UTC
	if t.notified {
		zone = time.FixedZone("", 9*3600)
	}
	return at.In(zone).Format(time.DateOnly)
}

type reading2 struct {
	phase string
	at    time.Time
}

// since is when a text enters into force, if all has been done for it.
func (r *row) since() (since time.Time, ok bool) {
	for _, p := range r.t.parties {
		at, signed := r.signed[p]
		told, notified := r.notified[p]
		if !signed || r.t.notified && !notified {
			return since, false
		}
		if since = later(since, at); r.t.notified {
			since = later(since, told)
		}
	}
	return since, true
}

// phase reads the acts at a moment; standing takes the stricter reading where a
// party declares one.
func (r *row) phase(now time.Time) (phase int, moved time.Time) {
	since, ok := r.since()
	for _, at := range r.cancelled {
		if !now.Before(at) && (!ok || at.Before(since)) {
			return cancelled, moved
		}
	}
	if !ok || now.Before(since) {
		return notInForce, moved
	}
	moved = since
	move := func(at time.Time) {
		if !now.Before(at) {
			moved = later(moved, at)
		}
	}
	phase = inForce
	for _, n := range r.notices {
		end := r.t.ends(since, n.at)
		back := n.withdrawn != nil && n.withdrawn.Before(end)
		held := n.suspended != nil && n.suspended.Before(end)
		if now.Before(n.at) {
			continue
		}
		move(n.at)
		if held {
			move(*n.suspended)
			if n.withdrawn != nil { // a suspended notice ends nothing, and may be taken back at any time
				back = true
			}
		}
		switch {
		case back && !now.Before(*n.withdrawn):
			move(*n.withdrawn)
		case held && !now.Before(*n.suspended):
			phase = max(phase, suspended)
		case !now.Before(end):
			return terminated, moved
		default:
			phase = max(phase, noticeGiven)
		}
	}
	return phase, moved
}

// The phases in which a pact is in force, from the freest to the strictest, and the others.
const (
	inForce = iota
	provisional
	noticeGiven
	suspended
	terminated
	cancelled
	notInForce
)

var phases = []string{"in-force", "applied-provisionally", "notice-given", "notice-suspended", "terminated", "cancelled", "not in force"}

// standing reads a text at a moment, the stricter way where a party says so.
func (r *row) standing(now time.Time) string {
	if r == nil {
		return phases[notInForce]
	}
	phase, moved := r.phase(now)
	if phase >= terminated {
		return phases[phase]
	}
	for _, q := range r.t.parties {
		if read, _ := r.by(q).phase(now); read <= terminated {
			phase = max(phase, read)
		}
	}
	for _, d := range r.readings {
		if !d.at.Before(moved) && !now.Before(d.at) {
			phase = max(phase, slices.Index(phases, d.phase))
		}
	}
	return phases[phase]
}

// ends is when a notice takes effect: with the term that it was given in, on 23
// November in Seoul and Tokyo, or with the next where ninety days are not left;
// of the arrangements, which have no terms, thirty days later.
func (t *terms) ends(since, given time.Time) time.Time {
	if !t.notified {
		return given.Add(30 * 24 * time.Hour)
	}
	seoul := time.FixedZone("", 9*3600)
	for y := since.In(seoul).Year() + 1; ; y++ {
		end := time.Date(y, time.November, 23, 0, 0, 0, 0, seoul)
		if given.Before(end.Add(-90 * 24 * time.Hour)) {
			return end
		}
	}
}

func moves(phase string) bool { return slices.Index(phases, phase) < terminated }

// rules is the text of a pact that rules at a moment: of those that came into
// force the last amendment, which ends the others and, should it end, the pact.
func (v *view) rules(id act.PactID, now time.Time) (best *row) {
	for _, t := range texts {
		if r := v.rows[t.sum]; t.id == id && r != nil {
			if phase, _ := r.phase(now); phase <= terminated && (best == nil || t.version > best.t.version) {
				best = r
			}
		}
	}
	return best
}

// relays reports whether a text that came into force names own as the hub between two parties.
func (v *view) relays(from, to act.Party, now time.Time) bool {
	for _, r := range v.rows {
		if since, ok := r.since(); ok && !now.Before(since) && r.t.hub == v.own && r.t.has(from) && r.t.has(to) {
			return true
		}
	}
	return false
}

func rank(m act.Mark) int {
	for i, t := range marks[m.Party] {
		if t == m.Text && i < 2 {
			return i + 1
		}
	}
	return 0
}
