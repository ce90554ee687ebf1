package ruling_test

import (
	"slices"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"
)

// inForceUnder reads a shipped pact and brings it into force on a day.
func inForceUnder(t testing.TB, id act.PactID, on time.Time) (*pact.Pact, pact.Life) {
	t.Helper()
	b, _ := pact.Template(id)
	p, problems := pact.Parse(b)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var l pact.Life
	for i := range p.Parties {
		for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
			l = l.Apply(act.Act{Kind: k, From: p.Parties[i].ID, At: act.MomentOf(on), Body: act.Step{}})
		}
	}
	return p, l
}

// TestShippedPacts walks each shipped pact: what it lets go, by which way, and
// what it stops, with the article that stops it.
func TestShippedPacts(t *testing.T) {
	on := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		pact     act.PactID
		from, to act.Party
		mark     string
		channel  string
		deed     string // release, or what the recipient does
		change   func(*ruling.DoFacts)
		article  string // that refuses; empty: allowed
	}{
		{"kr-jp-2016", "KR", "JP", "군사II급비밀", "electronic", "release", nil, ""},
		{"kr-jp-2016", "JP", "KR", "特定秘密", "courier", "release", nil, ""},
		{"kr-jp-2016", "KR", "JP", "군사I급비밀", "courier", "release", nil, "Article 4"},
		{"kr-jp-2016", "KR", "JP", "군사II급비밀", "hub", "release", nil, "Article 9"},
		{"kr-jp-2016", "KR", "JP", "군사II급비밀", "", "copy", nil, ""},
		{"kr-us-1987", "KR", "US", "군사I급비밀", "electronic", "release", nil, ""},
		{"kr-us-1987", "KR", "US", "군사I급비밀", "", "copy", nil, "Article 6"}, // consent from TOP SECRET on
		{"kr-us-1987", "KR", "US", "군사II급비밀", "", "copy", nil, ""},
		{"us-jp-2007", "US", "JP", "TOP SECRET", "electronic", "release", nil, ""},
		{"us-jp-2007", "US", "JP", "SECRET", "", "destroy", func(f *ruling.DoFacts) { f.Method = "burn" }, "Article 7"}, // no witness
		{"us-jp-2007", "US", "JP", "SECRET", "", "destroy", func(f *ruling.DoFacts) { f.Method, f.Witnesses = "burn", 1 }, ""},
		// 2014: directly only between the hub and each; through it between the two, at a lower ceiling.
		{"kr-jp-us-2014", "KR", "US", "군사I급비밀", "electronic", "release", nil, ""},
		{"kr-jp-us-2014", "KR", "JP", "군사II급비밀", "electronic", "release", nil, "Article 3"},
		{"kr-jp-us-2014", "KR", "JP", "군사II급비밀", "hub", "release", nil, ""},
		{"kr-jp-us-2014", "KR", "JP", "군사I급비밀", "hub", "release", nil, "Article 3"},
		{"kr-jp-us-2014", "KR", "US", "군사II급비밀", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient = "JP" }, "Article 5"}, // not without the originator
		{"kr-jp-us-2014", "KR", "US", "군사II급비밀", "", "pass-on", func(f *ruling.DoFacts) {
			f.Recipient = "JP"
			f.Consents = []product.Consent{{Consent: act.Consent{Number: f.Manifest.Number, Deed: "pass-on", Recipient: "JP", Purpose: f.Purpose, Until: act.MomentOf(on.AddDate(0, 1, 0)), Uses: 1}, By: "KR", Given: act.MomentOf(on)}}
		}, ""},
		// TLP: no clearance; who may have it follows the label.
		{"cert-community", "CERT-A", "CERT-B", "TLP:RED", "electronic", "release", nil, ""},
		{"cert-community", "CERT-A", "CERT-B", "TLP:RED", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient, f.Standing = "ZZ", "organisation" }, "Article 3"},
		{"cert-community", "CERT-A", "CERT-B", "TLP:CLEAR", "", "pass-on", func(f *ruling.DoFacts) {
			f.Recipient, f.Standing, f.Manifest.Origins = "ZZ", "public", []act.Party{"CERT-A", "US"} // who is no party gave it no mark
		}, "Article 3"},
		{"cert-community", "CERT-A", "CERT-B", "TLP:AMBER", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient, f.Standing = "ZZ", "clients" }, ""},
		{"cert-community", "CERT-A", "CERT-B", "TLP:AMBER+STRICT", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient, f.Standing = "ZZ", "clients" }, "Article 3"},
		{"cert-community", "CERT-A", "CERT-B", "TLP:GREEN", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient, f.Standing = "ZZ", "public" }, "Article 3"},
		{"cert-community", "CERT-A", "CERT-B", "TLP:CLEAR", "", "pass-on", func(f *ruling.DoFacts) { f.Recipient, f.Standing = "ZZ", "public" }, ""},
		{"cert-community", "CERT-A", "CERT-B", "TLP:AMBER", "", "read", func(f *ruling.DoFacts) { f.Person.Clearance = "" }, ""},
		// A separate electronic ceiling; below CONFIDENTIAL no clearance is asked; copies are counted.
		{"eu-uk-2021", "EU", "GB", "SECRET UE/EU SECRET", "electronic", "release", nil, "Article 6"},
		{"eu-uk-2021", "EU", "GB", "SECRET UE/EU SECRET", "courier", "release", nil, ""},
		{"eu-uk-2021", "EU", "GB", "TRÈS SECRET UE/EU TOP SECRET", "courier", "release", nil, "Article 2"},
		{"eu-uk-2021", "EU", "GB", "RESTREINT UE/EU RESTRICTED", "", "read", func(f *ruling.DoFacts) { f.Person.Clearance = "" }, ""},
		{"eu-uk-2021", "EU", "GB", "SECRET UE/EU SECRET", "", "read", func(f *ruling.DoFacts) { f.Person.Clearance = "" }, "Article 4"},
		{"eu-uk-2021", "EU", "GB", "RESTREINT UE/EU RESTRICTED", "", "copy", func(f *ruling.DoFacts) { f.Copies = 19 }, ""},
		{"eu-uk-2021", "EU", "GB", "RESTREINT UE/EU RESTRICTED", "", "copy", func(f *ruling.DoFacts) { f.Copies = 20 }, "Article 7"},
		{"eu-uk-2021", "EU", "GB", "RESTREINT UE/EU RESTRICTED", "", "read", func(f *ruling.DoFacts) { f.Purpose = "policy" }, ""}, // any purpose of the framework
	} {
		p, l := inForceUnder(t, x.pact, on.AddDate(0, -2, 0))
		highest := func(q act.Party) string {
			for _, r := range p.Table {
				if r.Mark.Party == q && !on.Before(r.From) && (r.To.IsZero() || on.Before(r.To)) {
					return r.Mark.Text
				}
			}
			return ""
		}
		var purposes []string
		for _, q := range p.Purposes {
			purposes = append(purposes, q.ID)
		}
		m := act.Manifest{Number: act.Number(x.from + "-2024-7Q4K-M2XT"), Pact: x.pact, Subject: p.Subjects[0], Form: "electronic", Purpose: purposes[0], Mark: act.Mark{Party: x.from, Text: x.mark},
			Originator: x.from, Origins: []act.Party{x.from}, Recipients: []act.Party{x.to}, Made: act.MomentOf(on)}
		person := func(q act.Party) act.Person {
			return act.Person{Name: "kim", Offices: []act.Office{act.Releasing, act.Reading, act.Registry}, Clearance: highest(q), Until: act.MomentOf(on.AddDate(1, 0, 0)), Briefed: true, Facility: "hq", Needs: []act.Need{{Pact: x.pact, Purposes: purposes}}}
		}
		var r ruling.Ruling
		if x.deed == "release" {
			r = ruling.Release(&ruling.ReleaseFacts{Pact: p, Life: l, Own: x.from, Manifest: m, Officer: person(x.from), Notified: true, Channel: x.channel, Hub: ruling.Hub{Party: p.Hub.Party, Reads: p.Hub.Reads && x.channel == "hub"}, Now: on})
			a := ruling.Accept(&ruling.AcceptFacts{Pact: p, Life: l, Own: x.to, From: x.from, Manifest: m, Channel: x.channel, Now: on, Act: act.Act{From: x.from, To: m.Recipients, By: "kim@" + string(x.from), Pact: x.pact, At: act.MomentOf(on)}})
			if a.Allowed != r.Allowed || a.Allowed && !slices.Equal(a.As, r.As) {
				t.Errorf("%s: released %+v, accepted %+v", x.pact, r, a)
			}
		} else {
			f := ruling.DoFacts{ReadFacts: ruling.ReadFacts{Pact: p, Life: l, Own: x.to, Manifest: m, Purpose: m.Purpose, Person: person(x.to), Now: on, Custody: product.Custody{Received: map[act.Party]product.Receipt{x.to: {}}}}, Deed: x.deed}
			if x.change != nil {
				x.change(&f)
			}
			if r = ruling.Do(&f); x.deed == "read" {
				r = ruling.Read(&f.ReadFacts)
			}
		}
		switch {
		case r.Allowed != (x.article == ""):
			t.Errorf("%s %s %s %s: %s", x.pact, x.deed, x.mark, x.channel, r)
		case !r.Allowed && r.Because[0].Article != x.article:
			t.Errorf("%s %s %s: refused by %s, not by %s", x.pact, x.deed, x.mark, r.Because[0].Article, x.article)
		}
	}
}

// BenchmarkPortfolio asks for releases under 40 pacts by 10,000 people.
func BenchmarkPortfolio(b *testing.B) {
	on := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	var facts []ruling.ReleaseFacts
	for i := range 40 {
		id := []act.PactID{"kr-jp-2016", "us-jp-2007", "kr-us-1987"}[i%3]
		p, l := inForceUnder(b, id, on.AddDate(0, -2, 0))
		for n := range 250 {
			from, to := p.Parties[n%2].ID, p.Parties[1-n%2].ID
			var mark string
			for _, r := range p.Table {
				if r.Mark.Party == from {
					mark = r.Mark.Text
				}
			}
			m := act.Manifest{Number: "KR-2016-7Q4K-M2XT", Pact: p.ID, Subject: "imagery", Form: "electronic", Purpose: p.Purposes[0].ID, Mark: act.Mark{Party: from, Text: mark}, Originator: from, Origins: []act.Party{from}, Recipients: []act.Party{to}, Made: act.MomentOf(on)}
			facts = append(facts, ruling.ReleaseFacts{Pact: p, Life: l, Own: from, Manifest: m, Notified: true, Channel: "electronic", Now: on,
				Officer: act.Person{Name: "officer", Offices: []act.Office{act.Releasing}, Clearance: mark, Until: act.MomentOf(on.AddDate(1, 0, 0))}})
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := ruling.Release(&facts[i*7919%len(facts)]); !r.Allowed {
			b.Fatal(r)
		}
	}
}
