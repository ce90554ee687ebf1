package ruling_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"
)

// TestGrant: what was given stands until something ends it; each end alone is told, with an
// article and a cure.
func TestGrant(t *testing.T) {
	p, l := shipped(t)
	ended := act.MomentOf(now)
	text, _ := pact.Template("kr-jp-2016")
	text = append(text, "  - number: 22\n    title: {en: Standing authority}\n    text: A class of products may go at once.\n    clauses: [standing-authority]\n"...)
	standing, problems := pact.Parse(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	gave := act.MomentOf(now.Add(-time.Hour))
	fresh := map[string]func() ruling.GrantFacts{
		"approval": func() ruling.GrantFacts {
			c := approval("pass-on", "US", "threat-assessment")
			return ruling.GrantFacts{Pact: p, Life: l, Consent: &c}
		},
		"mandate": func() ruling.GrantFacts {
			return ruling.GrantFacts{Pact: standing, Life: l, Mandate: &product.Mandate{Mandate: act.Mandate{Until: until}, Given: gave}}
		},
		"visit": func() ruling.GrantFacts {
			return ruling.GrantFacts{Pact: p, Life: l, Visit: &product.Visit{Visit: act.Visit{From: gave, Until: until}, Approved: &act.Mark{Party: "KR", Text: "군사II급비밀"}}}
		},
		"assurance": func() ruling.GrantFacts {
			return ruling.GrantFacts{Pact: p, Life: l, Assurance: &product.Assurance{Assurance: act.Assurance{Until: until}, By: "JP", Given: gave}}
		},
		"accreditation": func() ruling.GrantFacts {
			return ruling.GrantFacts{Accreditation: &product.Accreditation{Accreditation: act.Accreditation{Until: until}, Given: gave}}
		},
		"person": func() ruling.GrantFacts { return ruling.GrantFacts{Person: &act.Person{Until: until}} },
		"route":  func() ruling.GrantFacts { return ruling.GrantFacts{} },
	}
	for _, c := range []struct {
		of, article, says string
		end               func(*ruling.GrantFacts)
	}{
		{"approval", "Article 6", "it was withdrawn", func(f *ruling.GrantFacts) { f.Consent.Withdrawn = true }},
		{"approval", "Article 6", "it is used up", func(f *ruling.GrantFacts) { f.Consent.Used = 1 }},
		{"approval", "Article 6", "it has expired", func(f *ruling.GrantFacts) { f.Now = until.Time }},
		{"approval", "Article 6", "it is not given yet", func(f *ruling.GrantFacts) { f.Consent.Given = until }},
		{"approval", "Article 1", "the pact is not in force", func(f *ruling.GrantFacts) { f.Life = pact.Life{} }},
		{"mandate", "Article 22", "it was withdrawn", func(f *ruling.GrantFacts) { f.Mandate.Withdrawn = true }},
		{"mandate", "Article 22", "it has expired", func(f *ruling.GrantFacts) { f.Mandate.Until = ended }},
		{"mandate", "house rule", "the pact knows no standing authority", func(f *ruling.GrantFacts) { f.Pact = p }},
		{"visit", "Article 8", "the host has not approved the visit", func(f *ruling.GrantFacts) { f.Visit.Approved = nil }},
		{"visit", "Article 8", "the visit has ended", func(f *ruling.GrantFacts) { f.Visit.Ended = &ended }},
		{"visit", "Article 8", "or has not begun", func(f *ruling.GrantFacts) { f.Visit.From = until }},
		{"assurance", "Article 7", "it has expired", func(f *ruling.GrantFacts) { f.Assurance.Until = ended }},
		{"accreditation", "house rule", "it has expired", func(f *ruling.GrantFacts) { f.Accreditation.Until = ended }},
		{"accreditation", "house rule", "a later act states it anew", func(f *ruling.GrantFacts) { f.Replaced = true }},
		{"person", "house rule", "the person has left", func(f *ruling.GrantFacts) { f.Person.Left = true }},
		{"person", "house rule", "clearance and needs have ended", func(f *ruling.GrantFacts) { f.Person.Until = ended }},
		{"route", "house rule", "a later act states it anew", func(f *ruling.GrantFacts) { f.Replaced = true }},
	} {
		f := fresh[c.of]()
		f.Now = now
		if r := ruling.Grant(&f); !r.Allowed || f.Pact != nil && (len(r.Because) == 0 || r.Because[0].Text == "") {
			t.Errorf("a fresh %s: %v", c.of, r)
		}
		c.end(&f)
		if r := ruling.Grant(&f); r.Allowed || len(r.Because) != 1 || !strings.Contains(r.Because[0].Text, c.says) || r.Because[0].Article != c.article || r.Because[0].Cure == "" {
			t.Errorf("%s: %q is told as %+v", c.of, c.says, r)
		}
	}
}

// TestGrantAgrees: nothing rests on what does not stand. Taking it away changes no ruling
// on a deed; alone, it lets no visitor in and no release go without a second person.
func TestGrantAgrees(t *testing.T) {
	w := newWorld(7)
	w.careful = true
	rested := map[string]int{} // cases in which what was given decides
	for range 3000 {
		x := w.text()
		l, _ := w.life(x)
		stands := func(f ruling.GrantFacts, now time.Time) bool {
			f.Pact, f.Life, f.Now = x.p, l, now
			return ruling.Grant(&f).Allowed
		}
		fallen := func(now time.Time) func(product.Consent) bool {
			return func(c product.Consent) bool { return !stands(ruling.GrantFacts{Consent: &c}, now) }
		}
		d := w.deed(x, l, oneOf(w, "pass-on", "copy", "translate", "extract"))
		was := ruling.Do(d)
		if alone := *d; was.Allowed {
			if alone.Consents = nil; !ruling.Do(&alone).Allowed {
				rested["approval"]++
			}
		}
		kept := *d
		kept.Consents = slices.DeleteFunc(slices.Clone(d.Consents), fallen(d.Now))
		if got := ruling.Do(&kept); got.Allowed != was.Allowed {
			t.Fatalf("%s: %v, and without the approvals that do not stand %v", d.Deed, was, got)
		}
		d = w.deed(x, l, "show")
		if ruling.Do(d).Allowed {
			if rested["visit"]++; !stands(ruling.GrantFacts{Visit: d.Visit}, d.Now) {
				t.Fatalf("%+v lets something be shown and does not stand", d.Visit)
			}
		}
		f := w.release(x, l)
		was = ruling.Release(f)
		if was.Allowed && f.Mandate != nil {
			if rested["mandate"]++; !stands(ruling.GrantFacts{Mandate: f.Mandate}, f.Now) {
				t.Fatalf("%+v lets something go and does not stand", f.Mandate)
			}
		}
		if was.Allowed && f.Manifest.Form == "oral" {
			rested["assurance"]++
		}
		less := *f
		less.Consents = slices.DeleteFunc(slices.Clone(f.Consents), fallen(f.Now))
		less.Assured = slices.DeleteFunc(slices.Clone(f.Assured), func(a product.Assurance) bool { return !stands(ruling.GrantFacts{Assurance: &a}, f.Now) })
		if got := ruling.Release(&less); got.Allowed != was.Allowed {
			t.Fatalf("release: %v, and without what does not stand %v", was, got)
		}
	}
	for _, of := range []string{"approval", "visit", "mandate", "assurance"} {
		if rested[of] < 10 {
			t.Errorf("only %d cases rest on a %s", rested[of], of)
		}
	}
}
