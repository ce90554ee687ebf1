package ruling_test

import (
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/ruling"
)

// TestMandate: a standing authority under which nothing could ever go is refused
// when it is given, with what would cure it.
func TestMandate(t *testing.T) {
	text, _ := pact.Template("cert-community")
	p, problems := pact.Parse(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	now := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		spoil func(*ruling.MandateFacts)
		says  string
	}{
		{"one that covers something", func(*ruling.MandateFacts) {}, ""},
		{"no pact", func(f *ruling.MandateFacts) { f.Pact = nil }, "no pact of this name"},
		{"a pact without standing authority", func(f *ruling.MandateFacts) {
			text, _ := pact.Template("kr-jp-2016")
			f.Pact, _ = pact.Parse(text)
		}, "no standing authority"},
		{"another's pact", func(f *ruling.MandateFacts) { f.Own = "KR" }, "we are no party"},
		{"no subject of it", func(f *ruling.MandateFacts) { f.Mandate.Subject = "weather" }, "the subject is outside the pact"},
		{"no mark of it", func(f *ruling.MandateFacts) { f.Mandate.Mark.Text = "COSMIC" }, "the marking is not in the pact's table"},
		{"another's mark", func(f *ruling.MandateFacts) { f.Mandate.Mark.Party = "CERT-B" }, "the marking is not in the pact's table"},
		{"over before it begins", func(f *ruling.MandateFacts) { f.Mandate.Until = act.MomentOf(now) }, "ended before it begins"},
		{"by one who releases nothing", func(f *ruling.MandateFacts) { f.Person.Offices = nil }, "holds no office to release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ruling.MandateFacts{Pact: p, Own: "CERT-A", Now: now, Person: act.Person{Name: "officer", Offices: []act.Office{act.Releasing}, Until: act.MomentOf(now.AddDate(1, 0, 0))},
				Mandate: act.Mandate{Pact: p.ID, Kind: "notice", Subject: "indicator", Mark: act.Mark{Party: "CERT-A", Text: "TLP:AMBER"}, Purpose: "incident-response", Until: act.MomentOf(now.AddDate(0, 1, 0))}}
			c.spoil(&f)
			r := ruling.Mandate(&f)
			if r.Allowed != (c.says == "") || !strings.Contains(r.String(), c.says) || len(r.Because) == 0 {
				t.Errorf("%v: %s", r.Allowed, r)
			}
			for _, b := range r.Because {
				if !r.Allowed && b.Cure == "" {
					t.Errorf("%s: no cure", b.Text)
				}
			}
		})
	}
}
