package ruling_test

import (
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"

	"pgregory.net/rapid"
)

var (
	inForce = time.Date(2016, 11, 23, 3, 0, 0, 0, time.UTC)
	now     = time.Date(2016, 12, 16, 0, 0, 0, 0, time.UTC)
	until   = act.MomentOf(now.AddDate(1, 0, 0))
)

func shipped(t testing.TB) (*pact.Pact, pact.Life) {
	t.Helper()
	b, _ := pact.Template("kr-jp-2016")
	p, problems := pact.Parse(b)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var l pact.Life
	for _, q := range []act.Party{"KR", "JP"} {
		for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
			l = l.Apply(act.Act{Kind: k, From: q, At: act.MomentOf(inForce), Body: act.Step{}})
		}
	}
	return p, l
}

func manifest() act.Manifest {
	return act.Manifest{Number: "KR-2016-7Q4K-M2XT", Pact: "kr-jp-2016", Subject: "missile-launch", Form: "electronic", Purpose: "threat-assessment", Mark: act.Mark{Party: "KR", Text: "군사II급비밀"},
		Originator: "KR", Origins: []act.Party{"KR"}, Recipients: []act.Party{"JP"}, Made: act.MomentOf(now)}
}

func releaseFacts(t testing.TB) ruling.ReleaseFacts {
	p, l := shipped(t)
	return ruling.ReleaseFacts{Pact: p, Life: l, Own: "KR", Manifest: manifest(), Notified: true, Channel: "electronic", Now: now,
		Officer: act.Person{Name: "officer", Offices: []act.Office{act.Releasing}, Clearance: "군사II급비밀", Until: until}}
}

// releaseGates each close one gate; every one alone refuses, with its article and a cure.
var releaseGates = []struct {
	rule, article string
	shut          func(*ruling.ReleaseFacts)
}{
	{"R1 no pact", "no pact", func(f *ruling.ReleaseFacts) { f.Pact = nil }},
	{"R1 before entry into force", "Article 1", func(f *ruling.ReleaseFacts) { f.Now = inForce.Add(-time.Hour) }},
	{"R1 subject", "Article 2", func(f *ruling.ReleaseFacts) { f.Manifest.Subject = "fisheries" }},
	{"R1 ruled under another pact", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Pact = "us-jp-2007" }},
	{"R2 form", "Article 2", func(f *ruling.ReleaseFacts) { f.Manifest.Form = "rumour" }},
	{"R3 authority not notified", "Article 2", func(f *ruling.ReleaseFacts) { f.Notified = false }},
	{"R3 no office", "Article 2", func(f *ruling.ReleaseFacts) { f.Officer.Offices = nil }},
	{"R4 clearance expired", "Article 7", func(f *ruling.ReleaseFacts) { f.Officer.Until = act.MomentOf(now) }},
	{"R4 clearance too low", "Article 7", func(f *ruling.ReleaseFacts) { f.Officer.Clearance = "군사III급비밀" }},
	{"R6 mark not in the table", "Article 4", func(f *ruling.ReleaseFacts) { f.Manifest.Mark.Text = "대외비" }},
	{"R6 mark before its date", "Article 4", func(f *ruling.ReleaseFacts) { f.Manifest.Made = act.MomentOf(inForce.AddDate(-1, 0, 0)) }},
	{"R7 above the ceiling", "Article 4", func(f *ruling.ReleaseFacts) { f.Manifest.Mark.Text = "군사I급비밀" }},
	{"R8 another's mark", "Article 4", func(f *ruling.ReleaseFacts) { f.Manifest.Mark = act.Mark{Party: "JP", Text: "極秘"} }},
	{"R13 third party", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Recipients = []act.Party{"US"} }},
	{"R13 nobody", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Recipients = nil }},
	{"R14 another's information in it", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Origins = []act.Party{"KR", "US"} }},
	{"R14 the originator is no origin", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Origins = []act.Party{"JP"} }},
	{"R15 purpose", "Article 6", func(f *ruling.ReleaseFacts) { f.Manifest.Purpose = "trade" }},
	{"R29 channel", "Article 9", func(f *ruling.ReleaseFacts) { f.Channel = "pigeon" }},
	{"R24 leaver", "Article 2", func(f *ruling.ReleaseFacts) { f.Officer.Left = true }},
	{"R62 drafter approves", "house rule", func(f *ruling.ReleaseFacts) { f.Drafter.Name = "officer" }},
	{"R62 drafter approves under another name", "house rule", func(f *ruling.ReleaseFacts) {
		f.Drafter, f.Officer.Identity = act.Person{Name: "drafter", Identity: "1077"}, "1077"
	}},
	{"R62 nobody knows whether it is the drafter", "house rule", func(f *ruling.ReleaseFacts) { f.Drafter = act.Person{Name: "drafter", Identity: "1077"} }},
	{"must be understood", "Article 1", func(f *ruling.ReleaseFacts) { f.Blocked = "an unknown act" }},
}

func TestRelease(t *testing.T) {
	if r := ruling.Release(ptr(releaseFacts(t))); !r.Allowed || len(r.As) != 1 || r.As[0].Text != "極秘" || r.SecondPerson {
		t.Fatalf("%+v", r)
	}
	for _, g := range releaseGates {
		f := releaseFacts(t)
		g.shut(&f)
		r := ruling.Release(&f)
		if r.Allowed || len(r.Because) == 0 || r.Because[0].Article != g.article || r.Because[0].Cure == "" {
			t.Errorf("%s: %+v", g.rule, r)
		}
	}
	f := releaseFacts(t)
	f.House.SecondPersonFrom = 2
	if r := ruling.Release(&f); !r.Allowed || !r.SecondPerson {
		t.Errorf("two persons from SECRET up: %+v", r)
	}
}

// TestReleaseGates: whatever set of gates is shut, it is refused; time passing
// never revives.
func TestReleaseGates(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := releaseFacts(t)
		shut := rapid.SliceOfNDistinct(rapid.IntRange(1, len(releaseGates)-1), 1, 5, rapid.ID[int]).Draw(r, "gates")
		for _, i := range shut {
			releaseGates[i].shut(&f)
		}
		if ruling.Release(&f).Allowed {
			r.Errorf("allowed with gates %v shut", shut)
		}
		f = releaseFacts(t)
		f.Now = until.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(r, "later")))
		if ruling.Release(&f).Allowed {
			r.Error("an expired clearance releases")
		}
	})
}

func readFacts(t testing.TB) ruling.ReadFacts {
	p, l := shipped(t)
	return ruling.ReadFacts{Pact: p, Life: l, Own: "JP", Manifest: manifest(), Purpose: "threat-assessment", Now: now,
		Custody: product.Custody{Received: map[act.Party]product.Receipt{"JP": {}}},
		Person: act.Person{Name: "analyst", Offices: []act.Office{act.Reading}, Clearance: "極秘", Until: until, Briefed: true, Facility: "headquarters",
			Needs: []act.Need{{Pact: "kr-jp-2016", Purposes: []string{"threat-assessment"}}}}}
}

func TestRead(t *testing.T) {
	if r := ruling.Read(ptr(readFacts(t))); !r.Allowed {
		t.Fatalf("%+v", r)
	}
	nothing := ruling.Read(&ruling.ReadFacts{Own: "JP", Person: readFacts(t).Person, Now: now}).String()
	for rule, shut := range map[string]func(*ruling.ReadFacts){
		"R22 clearance":         func(f *ruling.ReadFacts) { f.Person.Clearance = "秘" },
		"R22 no clearance":      func(f *ruling.ReadFacts) { f.Person.Clearance = "" },
		"R22 register":          func(f *ruling.ReadFacts) { f.Person.Facility = "" },
		"R22 briefed":           func(f *ruling.ReadFacts) { f.Person.Briefed = false },
		"R22 purpose":           func(f *ruling.ReadFacts) { f.Purpose = "missile-warning" },
		"R22 need":              func(f *ruling.ReadFacts) { f.Person.Needs[0].Purposes = nil },
		"R23 the administrator": func(f *ruling.ReadFacts) { f.Person.Offices = []act.Office{act.Administering, act.Audit, act.Registry} },
		"R24 expired":           func(f *ruling.ReadFacts) { f.Now = until.Time },
		"R24 leaver":            func(f *ruling.ReadFacts) { f.Person.Left = true },
		"R30 not here yet":      func(f *ruling.ReadFacts) { f.Custody.Received = nil },
	} {
		f := readFacts(t)
		shut(&f)
		if r := ruling.Read(&f); r.Allowed || len(r.Because) == 0 || r.Because[0].Cure == "" {
			t.Errorf("%s: %+v", rule, r)
		}
	}
	f := readFacts(t)
	f.Person.Needs = nil
	if got := ruling.Read(&f).String(); got != nothing {
		t.Errorf("who has no need learns that it exists: %q, not %q", got, nothing)
	}
	f = readFacts(t) // R56: protection, and reading under it, outlive the pact
	f.Life = f.Life.Apply(act.Act{Kind: act.PactNotice, From: "KR", At: act.MomentOf(inForce.Add(time.Hour)), Body: act.Step{}})
	f.Now = inForce.AddDate(1, 0, 10)
	f.Person.Until = act.MomentOf(f.Now.AddDate(1, 0, 0))
	if f.Pact.Phase(f.Life, f.Now) != pact.Terminated || !ruling.Read(&f).Allowed {
		t.Error("after its end the pact no longer lets its products be read")
	}
}

func TestAccept(t *testing.T) {
	p, l := shipped(t)
	facts := func() ruling.AcceptFacts {
		return ruling.AcceptFacts{Pact: p, Life: l, Own: "JP", From: "KR", Manifest: manifest(), Channel: "electronic", Now: now,
			Act: act.Act{From: "KR", To: []act.Party{"JP"}, By: "officer@KR", Pact: "kr-jp-2016", At: act.MomentOf(now)}}
	}
	if r := ruling.Accept(ptr(facts())); !r.Allowed || r.As[0].Text != "極秘" {
		t.Fatalf("%+v", r)
	}
	for rule, shut := range map[string]func(*ruling.AcceptFacts){
		"no pact":              func(f *ruling.AcceptFacts) { f.Pact = nil },
		"above the ceiling":    func(f *ruling.AcceptFacts) { f.Manifest.Mark.Text = "군사I급비밀" },
		"another's product":    func(f *ruling.AcceptFacts) { f.Manifest.Originator = "US" },
		"another pact":         func(f *ruling.AcceptFacts) { f.Manifest.Pact = "other" },
		"for somebody else":    func(f *ruling.AcceptFacts) { f.Manifest.Recipients = []act.Party{"US"} },
		"by nobody":            func(f *ruling.AcceptFacts) { f.Act.By = "" },
		"a number used before": func(f *ruling.AcceptFacts) { f.NumberUsed = true },
		"from the future":      func(f *ruling.AcceptFacts) { f.Act.At = act.MomentOf(now.AddDate(0, 0, 2)) },
		"before entry":         func(f *ruling.AcceptFacts) { f.Act.At = act.MomentOf(inForce.Add(-time.Hour)) },
	} {
		f := facts()
		shut(&f)
		if r := ruling.Accept(&f); r.Allowed || len(r.Because) == 0 {
			t.Errorf("%s: %+v", rule, r)
		}
	}
}

func BenchmarkRelease(b *testing.B) {
	f := releaseFacts(b)
	b.ReportAllocs()
	for b.Loop() {
		if !ruling.Release(&f).Allowed {
			b.Fatal("refused")
		}
	}
}

func ptr[T any](v T) *T { return &v }
