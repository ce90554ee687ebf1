package house_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/house"
	"entente/ruling"

	"pgregory.net/rapid"
)

const law = `
@id("imagery-leaves-at-confidential")
@text("imagery above the lowest level does not leave by wire")
@cure("send it by courier")
forbid (principal, action == Action::"release", resource)
when { resource.kind == "imagery" && resource.rank > 1 && context.channel == "electronic" };

@id("foreign-secrets-at-headquarters")
forbid (principal, action in [Action::"read", Action::"copy"], resource)
when { resource.foreign && resource.rank >= 2 && principal.facility != "headquarters" };
`

func question() house.Question {
	return house.Question{Own: "KR", Deed: "release", Rank: 2, Purpose: "threat-assessment", Channel: "electronic", Now: time.Date(2016, 12, 16, 0, 0, 0, 0, time.UTC),
		Person:   act.Person{Name: "officer", Facility: "headquarters"},
		Manifest: act.Manifest{Number: "KR-2016-7Q4K-M2XT", Kind: "imagery", Originator: "KR"}}
}

func rules(t testing.TB, text string) *house.Rules {
	t.Helper()
	r, problems := house.Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

func TestNarrow(t *testing.T) {
	r, yes := rules(t, law), ruling.Ruling{Allowed: true}
	got := r.Narrow(yes, question())
	if got.Allowed || len(got.Because) != 1 || got.Because[0].Article != "house rule imagery-leaves-at-confidential" || got.Because[0].Cure != "send it by courier" {
		t.Errorf("%+v", got)
	}
	for name, change := range map[string]func(*house.Question){
		"a report":    func(q *house.Question) { q.Manifest.Kind = "report" },
		"by courier":  func(q *house.Question) { q.Channel = "courier" },
		"a low level": func(q *house.Question) { q.Rank = 1 },
		"reading":     func(q *house.Question) { q.Deed = "read" },
	} {
		q := question()
		if change(&q); !r.Narrow(yes, q).Allowed {
			t.Errorf("%s is refused", name)
		}
	}
	q := question()
	q.Deed, q.Manifest.Originator, q.Person.Facility = "read", "JP", "annex"
	if got := r.Narrow(yes, q); got.Allowed || got.Because[0].Text == "" || got.Because[0].Cure == "" {
		t.Errorf("%+v", got)
	}
	if !(*house.Rules)(nil).Narrow(yes, q).Allowed {
		t.Error("without rules something is forbidden")
	}
}

// TestHostile: a file that tries to widen is refused, with its place; and
// whatever a file says, a refused ruling stays as it was.
func TestHostile(t *testing.T) {
	for want, text := range map[string]string{
		"permit nothing":      `@id("all") permit (principal, action, resource);`,
		"no rule may be":      `@id("what no rule forbids") forbid (principal, action, resource);`,
		"has no name":         `forbid (principal, action, resource);`,
		"two rules are":       `@id("a") forbid (principal, action, resource); @id("a") forbid (principal, action, resource);`,
		"missing":             `@id("a") forbid (principal, action, resource) when { resource.missing == "x" };`,
		"Action":              `@id("a") forbid (principal, action == Action::"fly", resource);`,
		"longer than":         strings.Repeat("// a long file\n", 30000),
		"parse error":         `forbid (principal`,
		"colour":              `@id("a") forbid (principal, action, resource) when { context.colour == "red" };`,
		"more than 1000 rule": strings.Repeat(`@id("a") forbid (principal, action, resource);`, 1001),
	} {
		r, problems := house.Parse([]byte(text))
		if r != nil || len(problems) == 0 || problems[0].Line < 1 || !slices.ContainsFunc(problems, func(p house.Problem) bool { return strings.Contains(p.String(), want) }) {
			t.Errorf("%q: %v", want, problems)
		}
	}
	no := ruling.Ruling{Because: []act.Reason{{Article: "Article 6", Text: "no"}}}
	r := rules(t, law)
	if got := r.Narrow(no, question()); got.Because[0].Article != "Article 6" {
		t.Errorf("a rule that forbids took the place of the pact's refusal: %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		q := question()
		q.Deed = rapid.SampledFrom([]string{"release", "read", "copy", "nonsense"}).Draw(t, "deed")
		q.Rank = rapid.Int().Draw(t, "rank")
		q.Manifest.Kind = rapid.String().Draw(t, "kind")
		if got := r.Narrow(no, q); got.Allowed || got.Because[0].Article != "Article 6" {
			t.Errorf("a refusal was changed: %+v", got)
		}
	})
}

// TestError: a rule that cannot be evaluated forbids, though Cedar would skip it.
func TestError(t *testing.T) {
	r := rules(t, `@id("sum") forbid (principal, action, resource) when { resource.rank + 9223372036854775807 == 1 };`)
	if got := r.Narrow(ruling.Ruling{Allowed: true}, question()); got.Allowed || !strings.Contains(got.String(), "could not be evaluated") {
		t.Errorf("%+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(law))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, problems := house.Parse(text)
		if (r == nil) != (len(problems) > 0) {
			t.Error("neither rules nor a mistake, or both")
		}
		if got := r.Narrow(ruling.Ruling{}, question()); got.Allowed {
			t.Error("widened")
		}
	})
}

// gates is the release question of the pact of 2016, put to Cedar alone: the
// peer of ruling's BenchmarkRelease.
const gates = `
@id("subject") forbid (principal, action == Action::"release", resource) unless { ["nuclear-test", "missile-launch", "imagery", "defence"].contains(resource.subject) };
@id("form") forbid (principal, action == Action::"release", resource) unless { ["oral", "visual", "electronic", "magnetic", "documentary", "equipment", "technology"].contains(resource.form) };
@id("purpose") forbid (principal, action == Action::"release", resource) unless { ["threat-assessment", "missile-warning", "defence-planning"].contains(resource.purpose) };
@id("ceiling") forbid (principal, action == Action::"release", resource) when { resource.rank < 1 || resource.rank > 2 };
@id("channel") forbid (principal, action == Action::"release", resource) unless { ["electronic", "courier"].contains(context.channel) };
@id("recipients") forbid (principal, action == Action::"release", resource) unless { ["KR", "JP"].containsAll(resource.recipients) && !resource.recipients.contains(resource.originator) };
@id("origins") forbid (principal, action == Action::"release", resource) unless { [resource.originator].containsAll(resource.origins) };
@id("office") forbid (principal, action == Action::"release", resource) unless { principal.offices.contains("release") };
@id("clearance") forbid (principal, action == Action::"release", resource) when { principal.clearance == "" || resource.rank == 2 && principal.clearance != "군사II급비밀" };
`

func BenchmarkReleaseByCedarAlone(b *testing.B) {
	r, q := rules(b, gates), question()
	q.Person.Offices, q.Person.Clearance = []act.Office{act.Releasing}, "군사II급비밀"
	q.Manifest.Subject, q.Manifest.Form, q.Manifest.Purpose, q.Manifest.Recipients, q.Manifest.Origins = "imagery", "electronic", "threat-assessment", []act.Party{"JP"}, []act.Party{"KR"}
	b.ReportAllocs()
	for b.Loop() {
		if got := r.Narrow(ruling.Ruling{Allowed: true}, q); !got.Allowed {
			b.Fatal(got)
		}
	}
}

func BenchmarkNarrow(b *testing.B) {
	r, q := rules(b, law), question()
	q.Manifest.Kind = "report"
	b.ReportAllocs()
	for b.Loop() {
		if !r.Narrow(ruling.Ruling{Allowed: true}, q).Allowed {
			b.Fatal("refused")
		}
	}
}
