package ruling_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/act"
	"entente/pact"
	"entente/ruling"
)

// deeds are all that is ruled on.
var deeds = func() []string {
	all := []string{"release", "accept", "read", "pass-on", "copy", "translate", "extract", "show", "review", "downgrade", "destroy", "sing", "visit"}
	for _, k := range append(steps, "pact.sung") {
		all = append(all, "step "+strings.TrimPrefix(string(k), "pact."))
	}
	return all
}()

// differs says where the quick ruling is not the slow one.
func (v *verdict) differs(r ruling.Ruling) string {
	if !r.Allowed {
		got := map[ground]bool{}
		for _, b := range r.Because {
			if b.Text == "" {
				return "a refusal without words"
			}
			got[ground{b.Article, b.Cure}] = true
		}
		if len(v.refused) == 0 || !maps.Equal(got, v.refused) || r.As != nil || r.Duties != nil || r.SecondPerson {
			return fmt.Sprintf("refused by %v, slowly by %v", got, v.refused)
		}
		return ""
	}
	var got []ground
	for _, b := range r.Because {
		got = append(got, ground{b.Article, b.Text})
	}
	switch {
	case len(v.refused) > 0:
		return fmt.Sprintf("allowed, slowly refused by %v", v.refused)
	case !slices.Equal(got, v.rests):
		return fmt.Sprintf("rests on %v, slowly on %v", got, v.rests)
	case !slices.Equal(r.As, v.as):
		return fmt.Sprintf("marked %v, slowly %v", r.As, v.as)
	case !slices.Equal(r.Duties, v.duties):
		return fmt.Sprintf("obliges to %q, slowly to %q", r.Duties, v.duties)
	case r.SecondPerson != v.second:
		return fmt.Sprintf("a second person: %t, slowly %t", r.SecondPerson, v.second)
	}
	return ""
}

// draw draws facts for a deed.
func (w *world) draw(x *text, l pact.Life, deed string) any {
	switch {
	case deed == "release":
		return w.release(x, l)
	case deed == "accept":
		return w.accept(x, l)
	case deed == "read":
		return w.reading(x, l)
	case deed == "visit":
		return w.visit(x, l)
	case strings.HasPrefix(deed, "step "):
		return w.step(x, l, act.Kind("pact."+deed[5:]))
	}
	return w.deed(x, l, deed)
}

// ruled is the quick ruling on facts.
func ruled(facts any) ruling.Ruling {
	switch f := facts.(type) {
	case *ruling.ReleaseFacts:
		return ruling.Release(f)
	case *ruling.AcceptFacts:
		return ruling.Accept(f)
	case *ruling.ReadFacts:
		return ruling.Read(f)
	case *ruling.DoFacts:
		return ruling.Do(f)
	case *ruling.VisitFacts:
		return ruling.Visit(f)
	}
	return ruling.Pact(*facts.(*ruling.PactFacts))
}

// ruled is the slow verdict on the same facts.
func (s *slow) ruled(facts any) *verdict {
	switch f := facts.(type) {
	case *ruling.ReleaseFacts:
		return s.release(f, books())
	case *ruling.AcceptFacts:
		return s.accept(f)
	case *ruling.ReadFacts:
		return s.readIt(f)
	case *ruling.DoFacts:
		return s.do(f)
	case *ruling.VisitFacts:
		return s.visited(f)
	}
	return s.step(*facts.(*ruling.PactFacts), books())
}

// TestSlow compares the two evaluators on drawn cases: 100,000, or as many as
// ENTENTE_CASES says, from the seed 1 or ENTENTE_SEED. The cases must reach: each deed allowed and refused, each
// rule kept and broken, each clause cited, each duty, mark and second person.
func TestSlow(t *testing.T) {
	set := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	cases := set("ENTENTE_CASES", 100_000)
	if testing.Short() {
		cases = 5000
	}
	w := newWorld(uint64(set("ENTENTE_SEED", 1)))
	allowed, refused, duties, marks, seconds := tally{}, tally{}, tally{}, tally{}, tally{}
	asked, failed := tally{}, tally{}
	for i := range cases {
		x := w.text()
		l, events := w.life(x)
		s := *x.slow
		s.events, s.told, s.asked, s.failed = events, l.Answers, asked, failed
		deed := deeds[i%len(deeds)]
		if i%4 == 0 {
			deed = oneOf(w, "release", "release", "accept") // of which most is asked
		}
		facts := w.draw(x, l, deed)
		fast := ruled(facts)
		if why := s.ruled(facts).differs(fast); why != "" {
			t.Fatalf("case %d, %s under %s: %s\n%+v\n%+v", i, deed, x.p.ID, why, facts, events)
		}
		if fast.Allowed {
			allowed[deed]++
			marks[fmt.Sprintf("%d beside", len(fast.As))]++
			seconds[fmt.Sprint(fast.SecondPerson)]++
			for _, d := range fast.Duties {
				duties[strings.TrimRight(d, "0123456789-")]++
			}
		} else {
			refused[deed]++
		}
		if i%4 == 0 {
			w.aside(t, x)
		}
	}
	t.Logf("%d cases, %d pacts; allowed %v; refused %v; marks %v; second person %v; %d duties, %d rules", cases, len(texts()), allowed, refused, marks, seconds, len(duties), len(asked))
	if testing.Short() {
		return
	}
	var never []string
	for _, deed := range deeds {
		if nothing := deed == "sing" || deed == "step sung"; allowed[deed] < 10 && !nothing || refused[deed] < 10 {
			never = append(never, fmt.Sprintf("%s was allowed %d times, refused %d times", deed, allowed[deed], refused[deed]))
		}
	}
	cited := map[string]bool{"receipts": true, "survival": true, "originator-control": true} // which refuse nothing here
	for rule, n := range asked {
		if cited[strings.Split(rule, ": ")[1]] = true; failed[rule] == 0 || failed[rule] == n && !strings.HasPrefix(rule, "sing: ") && !strings.HasPrefix(rule, "step sung: ") {
			never = append(never, fmt.Sprintf("%q was asked %d times, and failed %d times", rule, n, failed[rule]))
		}
	}
	for _, c := range pact.Clauses() {
		if !cited[string(c)] {
			never = append(never, "no rule of the clause "+string(c)+" was asked")
		}
	}
	for _, deed := range []string{"transfer", "read", "pass-on", "copy", "translate", "downgrade", "destroy"} {
		for _, d := range texts()[0].p.Duties(deed) {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(duties)), func(seen string) bool { return strings.HasPrefix(d, strings.Split(seen, " within ")[0]) }) {
				never = append(never, "the duty never came: "+d)
			}
		}
	}
	for _, k := range []string{"0 beside", "1 beside", "2 beside"} {
		if marks[k] == 0 {
			never = append(never, "marks "+k)
		}
	}
	if seconds["true"] == 0 || duties["review the need by "] == 0 {
		never = append(never, "a second person, or a review")
	}
	slices.Sort(never)
	for _, n := range never {
		t.Errorf("the cases do not reach: %s", n)
	}
}

// aside compares what rulings leave to others: the approvals that a deed spends,
// and the mark that stands beside the original.
func (w *world) aside(t *testing.T, x *text) {
	m, q := w.manifest(x), w.party(x)
	all := w.consents(m, m.Purpose, []act.Party{"ZZ", q}, []string{"pass-on", "purpose"})
	to, now := oneOf(w, []act.Party{"ZZ", q}, []act.Party{""}), w.now()
	for _, deed := range []string{"pass-on", "purpose"} {
		own := oneOf(w, append([]act.Party{q}, m.Origins...)...)
		if got, want := ruling.Spends(own, all, deed, to, m.Purpose, now), spends(own, all, deed, to, m.Purpose, now); !slices.Equal(got, want) {
			t.Fatalf("%s to %v at %s spends %v, slowly %v: %+v", deed, to, now, got, want, all)
		}
	}
	if got, want := ruling.Stamp(x.p, &m, q), x.slow.beside(x.slow.rank(m.Mark, m.Made.Time), q, m.Made.Time); !slices.Equal(got, want) {
		t.Fatalf("%s puts %v beside %v, slowly %v", q, got, m.Mark, want)
	}
}
