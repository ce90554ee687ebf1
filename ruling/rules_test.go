package ruling_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/pact"
	"entente/product"
	"entente/ruling"
)

// released is the ruling on a release after a change to facts that are allowed.
func released(t *testing.T, change func(*ruling.ReleaseFacts)) ruling.Ruling {
	f := releaseFacts(t)
	change(&f)
	return ruling.Release(&f)
}

func opened(t *testing.T, change func(*ruling.ReadFacts)) ruling.Ruling {
	f := readFacts(t)
	change(&f)
	return ruling.Read(&f)
}

func done(t *testing.T, deed string, change func(*ruling.DoFacts)) ruling.Ruling {
	f := ruling.DoFacts{ReadFacts: readFacts(t), Deed: deed}
	change(&f)
	return ruling.Do(&f)
}

func approval(deed string, to act.Party, purpose string) product.Consent {
	return product.Consent{Consent: act.Consent{Number: "KR-2016-7Q4K-M2XT", Deed: deed, Recipient: to, Purpose: purpose, Until: until, Uses: 1}, By: "KR", Given: act.MomentOf(now)}
}

// TestRules is the table of the treaties' rules that a machine keeps, by number.
// Four are kept by the ledger and the pages, and tested there: R5 in
// cmd/entente/testdata/deeds.txtar, R10 and R25 in package node (pages, walk), R57
// in its portfolio.
func TestRules(t *testing.T) {
	p, life := shipped(t)
	step := func(l pact.Life, k act.Kind, by act.Party, at time.Time) pact.Life {
		return l.Apply(act.Act{Kind: k, From: by, At: act.MomentOf(at), Body: act.Step{}})
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, p.Zone) }
	third := func(f *ruling.DoFacts) { f.Recipient = "US" }
	derived := func(change func(*ruling.Source, *ruling.ReleaseFacts)) ruling.Ruling {
		return released(t, func(f *ruling.ReleaseFacts) {
			m := manifest()
			m.Number, m.Originator, m.Origins, m.Recipients, m.Mark, m.Caveats = "JP-2016-7Q4K-M2XT", "JP", []act.Party{"JP"}, []act.Party{"KR"}, act.Mark{Party: "JP", Text: "極秘"}, []string{"no copy"}
			f.Manifest.Origins, f.Manifest.Caveats = []act.Party{"JP", "KR"}, []string{"no copy"}
			s := ruling.Source{Pact: f.Pact, Manifest: m, Mark: m.Mark, On: m.Made.Time}
			change(&s, f)
			f.Sources = []ruling.Source{s}
		})
	}
	mandate := func(change func(*product.Mandate)) ruling.Ruling {
		q, l := inForceUnder(t, "cert-community", time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC))
		at := time.Date(2022, 10, 1, 0, 0, 0, 0, time.UTC)
		m := act.Manifest{Pact: q.ID, Kind: "notice", Subject: "indicator", Form: "electronic", Purpose: "incident-response", Mark: act.Mark{Party: "CERT-A", Text: "TLP:GREEN"}, Originator: "CERT-A", Origins: []act.Party{"CERT-A"}, Recipients: []act.Party{"CERT-B"}, Made: act.MomentOf(at)}
		d := product.Mandate{Mandate: act.Mandate{Pact: q.ID, Kind: m.Kind, Subject: m.Subject, Purpose: m.Purpose, Mark: act.Mark{Party: "CERT-A", Text: "TLP:GREEN"}, Until: act.MomentOf(at.AddDate(0, 1, 0))}, Given: act.MomentOf(at)}
		change(&d)
		return ruling.Release(&ruling.ReleaseFacts{Pact: q, Life: l, Own: "CERT-A", Manifest: m, Mandate: &d, Notified: true, Channel: "electronic", Now: at, House: ruling.House{SecondPersonFrom: 1}, Officer: act.Person{Name: "duty", Offices: []act.Office{act.Releasing}}})
	}
	visit := func(change func(*ruling.DoFacts)) ruling.Ruling {
		return done(t, "show", func(f *ruling.DoFacts) {
			f.Visitor, f.Visit = "Major A", &product.Visit{Visit: act.Visit{Visitors: []string{"Major A"}, From: act.MomentOf(now), Until: until}, Pact: "kr-jp-2016", By: "KR", Host: "JP", Approved: &act.Mark{Party: "JP", Text: "極秘"}}
			change(f)
		})
	}
	lower := act.Mark{Party: "KR", Text: "군사III급비밀"}
	wants := variant(t, "clauses: [channels]", "clauses: [channels, accreditation]")
	gone := variant(t, "mark: 군사III급비밀, roman: Gunsa III-geup Bimil, from: 2016-11-23}", "mark: 군사III급비밀, roman: Gunsa III-geup Bimil, from: 2016-11-23, to: 2016-12-01}")
	accreditation := func() product.Accreditation {
		return product.Accreditation{Accreditation: act.Accreditation{Channel: "electronic", Mark: act.Mark{Party: "KR", Text: "군사II급비밀"}, Until: until}, Given: act.MomentOf(now)}
	}
	accredited := func(under *pact.Pact, change func(*product.Accreditation)) bool {
		return released(t, func(f *ruling.ReleaseFacts) {
			a := accreditation()
			change(&a)
			f.Pact, f.Accredited = under, []product.Accreditation{a}
		}).Allowed
	}
	// The release was made when the accreditation stood, and comes two minutes later.
	accepts := func(a func() product.Accreditation) bool {
		return ruling.Accept(&ruling.AcceptFacts{Pact: p, Life: life, Own: "JP", From: "KR", Manifest: manifest(), Channel: "electronic", Now: now.Add(2 * time.Minute), Accredited: []product.Accreditation{a()},
			Act: act.Act{From: "KR", To: []act.Party{"JP"}, By: "officer@KR", Pact: "kr-jp-2016", At: act.MomentOf(now)}}).Allowed
	}
	kept := map[string][]struct {
		what string
		ok   bool
	}{
		"R1": {{"no pact", !released(t, func(f *ruling.ReleaseFacts) { f.Pact = nil }).Allowed}, {"in force", released(t, func(*ruling.ReleaseFacts) {}).Allowed}, {"not between others", !released(t, func(f *ruling.ReleaseFacts) { f.Own = "US" }).Allowed}},
		"R2": {{"a form", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Form = "" }).Allowed}, {"a subject", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Subject = "" }).Allowed}, {"a purpose", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Purpose = "" }).Allowed}},
		"R3": {{"not notified", !released(t, func(f *ruling.ReleaseFacts) { f.Notified = false }).Allowed}},
		"R4": {{"expired is none", !released(t, func(f *ruling.ReleaseFacts) { f.Officer.Until = act.MomentOf(now) }).Allowed}},
		"R6": {{"not in the table", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Mark.Text = "대외비" }).Allowed}, {"not on its day", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Made = act.MomentOf(inForce.AddDate(-1, 0, 0)) }).Allowed}},
		"R7": {{"above the ceiling", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Mark.Text = "군사I급비밀" }).Allowed}},
		"R8": {{"own equivalent beside it", released(t, func(*ruling.ReleaseFacts) {}).As[0] == act.Mark{Party: "JP", Text: "極秘"}}, {"not inverted", ruling.Stamp(p, &act.Manifest{Mark: act.Mark{Party: "JP", Text: "特定秘密"}, Made: act.MomentOf(now)}, "KR")[0].Text == "군사II급비밀"}},
		"R9": {{"all inputs obeyed", derived(func(*ruling.Source, *ruling.ReleaseFacts) {}).Allowed}, {"an origin left out", !derived(func(_ *ruling.Source, f *ruling.ReleaseFacts) { f.Manifest.Origins = []act.Party{"KR"} }).Allowed},
			{"a caveat left out", !derived(func(_ *ruling.Source, f *ruling.ReleaseFacts) { f.Manifest.Caveats = nil }).Allowed}, {"another release list", !derived(func(s *ruling.Source, f *ruling.ReleaseFacts) {
				s.Manifest.Originator, s.Manifest.Recipients = "US", []act.Party{"KR"}
			}).Allowed}},
		"R11": {{"lower than an input", !derived(func(_ *ruling.Source, f *ruling.ReleaseFacts) { f.Manifest.Mark = lower }).Allowed},
			{"not by the receiver", !done(t, "downgrade", func(f *ruling.DoFacts) { f.Mark = lower; f.Person.Offices = []act.Office{act.Releasing} }).Allowed},
			{"by the originator", done(t, "downgrade", func(f *ruling.DoFacts) { f.Own, f.Mark, f.Person.Offices = "KR", lower, []act.Office{act.Releasing} }).Allowed}},
		"R12": {{"a narrower arrangement", len(pact.Widens(p, variant(t, "electronic: SECRET", "electronic: CONFIDENTIAL"))) == 0},
			{"a wider one", len(pact.Widens(p, variant(t, "use: bound", "use: free"))) == 1 && len(pact.Widens(variant(t, "electronic: SECRET", "electronic: CONFIDENTIAL"), p)) == 1}},
		"R13": {{"no approval", !done(t, "pass-on", third).Allowed}, {"approved", done(t, "pass-on", func(f *ruling.DoFacts) {
			third(f)
			f.Consents = []product.Consent{approval("pass-on", "US", f.Purpose)}
		}).Allowed},
			{"for another", !done(t, "pass-on", func(f *ruling.DoFacts) {
				third(f)
				f.Consents = []product.Consent{approval("pass-on", "AU", f.Purpose)}
			}).Allowed},
			{"expired", !done(t, "pass-on", func(f *ruling.DoFacts) {
				third(f)
				c := approval("pass-on", "US", f.Purpose)
				c.Until = act.MomentOf(now)
				f.Consents = []product.Consent{c}
			}).Allowed}},
		"R14": {{"each originator", !done(t, "pass-on", func(f *ruling.DoFacts) {
			third(f)
			f.Manifest.Origins = []act.Party{"AU", "KR"}
			f.Consents = []product.Consent{approval("pass-on", "US", f.Purpose)}
		}).Allowed}},
		"R15": {{"another purpose", !opened(t, func(f *ruling.ReadFacts) {
			f.Purpose = "missile-warning"
			f.Person.Needs[0].Purposes = []string{"missile-warning"}
		}).Allowed},
			{"approved", opened(t, func(f *ruling.ReadFacts) {
				f.Purpose = "missile-warning"
				f.Person.Needs[0].Purposes = []string{"missile-warning"}
				f.Consents = []product.Consent{approval("purpose", "", "missile-warning")}
			}).Allowed}},
		"R16": {{"used up", !done(t, "pass-on", func(f *ruling.DoFacts) {
			third(f)
			c := approval("pass-on", "US", f.Purpose)
			c.Used = 1
			f.Consents = []product.Consent{c}
		}).Allowed},
			{"of another product", !done(t, "pass-on", func(f *ruling.DoFacts) {
				third(f)
				c := approval("pass-on", "US", f.Purpose)
				c.Number = "KR-2016-AAAA-AAAA"
				f.Consents = []product.Consent{c}
			}).Allowed},
			{"for one of two sources", !sourced(t, "JP-2016-AAAA-AAAA").Allowed},
			{"for both sources", sourced(t, "JP-2016-AAAA-AAAA", "JP-2016-BBBB-BBBB").Allowed},
			{"withdrawn", !done(t, "pass-on", func(f *ruling.DoFacts) {
				third(f)
				c := approval("pass-on", "US", f.Purpose)
				c.Withdrawn = true
				f.Consents = []product.Consent{c}
			}).Allowed}},
		"R17": {{"a hub that reads", !released(t, func(f *ruling.ReleaseFacts) { f.Hub = ruling.Hub{Party: "US", Reads: true} }).Allowed}, {"a hub that cannot", released(t, func(f *ruling.ReleaseFacts) { f.Hub = ruling.Hub{Party: "US"} }).Allowed}},
		"R18": {{"received is never easier to read than own", received(t)}},
		"R19": {{"every copy follows", remarked(t, p)}},
		"R20": {{"overdue", !opened(t, func(f *ruling.ReadFacts) { m := act.MomentOf(now); f.Manifest.Review = &m }).Allowed}, {"kept", opened(t, func(f *ruling.ReadFacts) { m := act.MomentOf(now); f.Manifest.Review, f.Custody.Reviewed = &m, &until }).Allowed},
			{"a review rests on its article, and wants no certificate", func() bool {
				r := done(t, "review", func(f *ruling.DoFacts) { f.Person.Offices = []act.Office{act.Registry} })
				return r.Allowed && r.Because[0].Article == "Article 6" && r.Duties == nil
			}()}},
		"R21": {{"who has, how many", inventory()}},
		"R22": {{"all five", opened(t, func(*ruling.ReadFacts) {}).Allowed}, {"no register", !opened(t, func(f *ruling.ReadFacts) { f.Person.Facility = "" }).Allowed}, {"not briefed", !opened(t, func(f *ruling.ReadFacts) { f.Person.Briefed = false }).Allowed}, {"clearance alone", !opened(t, func(f *ruling.ReadFacts) { f.Person.Needs = nil }).Allowed}},
		"R23": {{"administrator", !opened(t, func(f *ruling.ReadFacts) { f.Person.Offices = []act.Office{act.Administering} }).Allowed}},
		"R24": {{"leaver", !opened(t, func(f *ruling.ReadFacts) { f.Person.Left = true }).Allowed}, {"expired", !opened(t, func(f *ruling.ReadFacts) { f.Now = until.Time }).Allowed}},
		"R26": {{"no assurance", !released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Form = "oral" }).Allowed},
			{"assured", released(t, func(f *ruling.ReleaseFacts) {
				f.Manifest.Form = "oral"
				f.Assured = []product.Assurance{{Assurance: act.Assurance{Mark: act.Mark{Party: "JP", Text: "極秘"}, Until: until}, By: "JP", Given: act.MomentOf(now)}}
			}).Allowed},
			{"to a lower level", !released(t, func(f *ruling.ReleaseFacts) {
				f.Manifest.Form = "oral"
				f.Assured = []product.Assurance{{Assurance: act.Assurance{Mark: act.Mark{Party: "JP", Text: "秘"}, Until: until}, By: "JP", Given: act.MomentOf(now)}}
			}).Allowed}},
		"R27": {{"approved", visit(func(*ruling.DoFacts) {}).Allowed}, {"not by the host", !visit(func(f *ruling.DoFacts) { f.Visit.Approved = nil }).Allowed}, {"above its mark", !visit(func(f *ruling.DoFacts) { f.Visit.Approved.Text = "秘" }).Allowed}, {"not named", !visit(func(f *ruling.DoFacts) { f.Visitor = "Major B" }).Allowed}},
		"R28": {{"ended", !visit(func(f *ruling.DoFacts) { m := act.MomentOf(now); f.Visit.Ended = &m }).Allowed}, {"over with the pact", !visit(func(f *ruling.DoFacts) {
			f.Life, f.Now = step(life, act.PactNotice, "KR", now), day(2018, 1, 1)
			f.Person.Until, f.Visit.Until = act.MomentOf(day(2019, 1, 1)), act.MomentOf(day(2019, 1, 1))
		}).Allowed}, {"over", !visit(func(f *ruling.DoFacts) { f.Visit.Until = act.MomentOf(now) }).Allowed}},
		"R37": {{"a pact that asks for it", !released(t, func(f *ruling.ReleaseFacts) { f.Pact = wants }).Allowed}, {"a pact that does not", released(t, func(*ruling.ReleaseFacts) {}).Allowed},
			{"accredited", accredited(wants, func(*product.Accreditation) {})}, {"ended", !accredited(wants, func(a *product.Accreditation) { a.Until = act.MomentOf(now) })},
			{"to a lower level", !accredited(wants, func(a *product.Accreditation) { a.Mark = lower })}, {"another channel", !accredited(wants, func(a *product.Accreditation) { a.Channel = "courier" })},
			{"lapsed binds all pacts", !accredited(p, func(a *product.Accreditation) { a.Until = act.MomentOf(now) })}, {"lapsed in a mark that has left the table", !accredited(gone, func(a *product.Accreditation) {
				a.Mark, a.Given, a.Until = lower, act.MomentOf(now.AddDate(0, 0, -20)), act.MomentOf(now)
			})},
			{"another channel binds none", accredited(p, func(a *product.Accreditation) { a.Channel = "courier" })},
			{"accepted by now", accepts(accreditation)}, {"not when it lapsed since", !accepts(func() product.Accreditation {
				a := accreditation()
				a.Until = act.MomentOf(now.Add(time.Minute))
				return a
			})}},
		"R52": {{"scrapped before signature", p.Phase(step(pact.Life{}, act.PactCancelled, "KR", now), now) == pact.Cancelled}, {"approved", p.Phase(step(pact.Life{}, act.PactApproved, "KR", now), now) == pact.Approved}},
		"R53": {{"the later notification", func() bool {
			s, ok := p.Since(step(step(step(step(pact.Life{}, act.PactSigned, "KR", now), act.PactSigned, "JP", now), act.PactNotified, "KR", now), act.PactNotified, "JP", now.AddDate(0, 1, 0)))
			return ok && s.Equal(now.AddDate(0, 1, 0))
		}()}},
		"R54": {{"in the pact's zone", func() bool { e, _ := p.TermEnd(life, now); return e.Equal(day(2017, 11, 23)) }()}},
		"R55": {{"in time", p.Phase(step(life, act.PactNotice, "KR", day(2017, 8, 25).Add(-time.Millisecond)), day(2017, 11, 23)) == pact.Terminated}, {"late", p.Phase(step(life, act.PactNotice, "KR", day(2017, 8, 25)), day(2017, 11, 23)) == pact.NoticeGiven}},
		"R56": {{"nothing new", !released(t, func(f *ruling.ReleaseFacts) {
			f.Life, f.Now = step(life, act.PactNotice, "KR", now), day(2018, 1, 1)
			f.Officer.Until = act.MomentOf(day(2019, 1, 1))
		}).Allowed},
			{"still read", opened(t, func(f *ruling.ReadFacts) {
				f.Life, f.Now = step(life, act.PactNotice, "KR", now), day(2018, 1, 1)
				f.Person.Until = act.MomentOf(day(2019, 1, 1))
			}).Allowed},
			{"still destroyed", done(t, "destroy", func(f *ruling.DoFacts) {
				f.Life, f.Now = step(life, act.PactNotice, "KR", now), day(2018, 1, 1)
				f.Person.Offices, f.Method = []act.Office{act.Registry}, "erase"
			}).Allowed}},
		"R58":                {{"one signature", p.Phase(step(pact.Life{}, act.PactSigned, "KR", now), now) == pact.Signed}, {"a step under no pact", !ruling.Pact(ruling.PactFacts{Own: "KR", Step: act.PactSigned, Now: now}).Allowed}, {"a stranger's notice", ruling.Pact(ruling.PactFacts{Pact: p, Life: life, Own: "US", Step: act.PactNotice, Person: act.Person{Name: "x", Offices: []act.Office{act.Signing}}, Now: now}).Allowed == false}},
		"standing authority": {{"covered: no second person", func() bool { r := mandate(func(*product.Mandate) {}); return r.Allowed && !r.SecondPerson }()}, {"no second person to its own giver", mandate(func(d *product.Mandate) { d.By = "duty@CERT-A" }).SecondPerson}, {"above it", !mandate(func(d *product.Mandate) { d.Mark.Text = "TLP:CLEAR" }).Allowed}, {"ended", !mandate(func(d *product.Mandate) { d.Until = d.Given }).Allowed}, {"withdrawn", !mandate(func(d *product.Mandate) { d.Withdrawn = true }).Allowed}},
	}
	for n := 1; n <= 58; n++ {
		rule := fmt.Sprintf("R%d", n)
		if n > 28 && n < 52 && n != 37 || slices.Contains([]string{"R5", "R10", "R25", "R57"}, rule) {
			continue
		}
		if len(kept[rule]) == 0 {
			t.Errorf("%s has no test", rule)
		}
	}
	for rule, rows := range kept {
		for _, r := range rows {
			if !r.ok {
				t.Errorf("%s: %s: not kept", rule, r.what)
			}
		}
	}
	if r := released(t, func(f *ruling.ReleaseFacts) { f.Manifest.Form = "oral" }); !strings.Contains(r.String(), "Article 7") {
		t.Errorf("%s", r)
	}
}

// sourced is Seoul's release to a third party under a pact of three, of what it made from two
// products of Tokyo's, with Tokyo's approvals of some of them.
func sourced(t *testing.T, named ...act.Number) ruling.Ruling {
	p, l := inForceUnder(t, "kr-jp-us-2014", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	at := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	m := act.Manifest{Number: "KR-2024-7Q4K-M2XT", Pact: p.ID, Subject: "imagery", Form: "electronic", Purpose: "threat-assessment", Mark: act.Mark{Party: "KR", Text: "군사II급비밀"},
		Originator: "KR", Origins: []act.Party{"JP", "KR"}, Recipients: []act.Party{"US"}, Made: act.MomentOf(at), Lineage: []act.Lineage{{Of: "JP-2016-AAAA-AAAA"}, {Of: "JP-2016-BBBB-BBBB"}}}
	f := ruling.ReleaseFacts{Pact: p, Life: l, Own: "KR", Manifest: m, Notified: true, Channel: "electronic", Now: at, Officer: act.Person{Name: "officer", Offices: []act.Office{act.Releasing}, Clearance: "군사II급비밀", Until: act.MomentOf(at.AddDate(1, 0, 0))}}
	for _, s := range m.Lineage {
		f.Sources = append(f.Sources, ruling.Source{Pact: p, Mark: act.Mark{Party: "JP", Text: "極秘"}, On: at, Manifest: act.Manifest{Number: s.Of, Pact: p.ID, Purpose: m.Purpose, Originator: "JP", Origins: []act.Party{"JP"}, Recipients: []act.Party{"KR"}}})
	}
	for _, n := range named {
		f.Consents = append(f.Consents, product.Consent{Consent: act.Consent{Number: n, Deed: "pass-on", Recipient: "US", Purpose: m.Purpose, Until: act.MomentOf(at.AddDate(0, 1, 0)), Uses: 1}, By: "JP", Given: act.MomentOf(at)})
	}
	accepted := ruling.Accept(&ruling.AcceptFacts{Pact: p, Life: l, Own: "US", From: "KR", Manifest: m, Channel: "electronic", Now: at, Consents: f.Consents, Act: act.Act{From: "KR", To: m.Recipients, By: "officer@KR", Pact: p.ID, At: act.MomentOf(at)}})
	r := ruling.Release(&f)
	if accepted.Allowed != r.Allowed {
		t.Errorf("released: %s; accepted: %s", r, accepted)
	}
	return r
}

// variant is the text of 2016 with one term changed.
func variant(t *testing.T, old, now string) *pact.Pact {
	t.Helper()
	b, _ := pact.Template("kr-jp-2016")
	p, problems := pact.Parse([]byte(strings.Replace(string(b), old, now, 1)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// received: whoever may read a product of Seoul's in Tokyo may read one of
// Tokyo's own of the same level: what is received is protected at least equally.
func received(t *testing.T) bool {
	for _, clearance := range []string{"", "秘", "極秘", "特定秘密"} {
		for _, marks := range [][2]string{{"군사II급비밀", "極秘"}, {"군사III급비밀", "秘"}} {
			theirs := opened(t, func(f *ruling.ReadFacts) { f.Person.Clearance, f.Manifest.Mark.Text = clearance, marks[0] })
			own := opened(t, func(f *ruling.ReadFacts) {
				f.Person.Clearance, f.Manifest.Mark, f.Manifest.Originator, f.Manifest.Origins = clearance, act.Mark{Party: "JP", Text: marks[1]}, "JP", []act.Party{"JP"}
			})
			if theirs.Allowed != own.Allowed {
				return false
			}
		}
	}
	return true
}

// remarked: after the originator's notice the lower mark rules every use, and the
// original mark stays.
func remarked(t *testing.T, p *pact.Pact) bool {
	c := product.Custody{}.Apply(0, act.Act{Kind: act.ProductReleased, From: "KR", Body: act.Release{Manifest: manifest()}})
	notice := act.Act{Kind: act.ProductReclassified, At: act.MomentOf(now), Body: act.Reclassification{Mark: act.Mark{Party: "KR", Text: "군사III급비밀"}}}
	notice.From = "JP"
	stranger := c.Apply(1, notice)
	notice.From = "KR"
	c = c.Apply(1, notice)
	c.Received = map[act.Party]product.Receipt{"JP": {}}
	r := opened(t, func(f *ruling.ReadFacts) { f.Custody, f.Person.Clearance = c, "秘" })
	return len(stranger.Reclassified) == 0 && c.Manifest.Mark.Text == "군사II급비밀" && r.Allowed && r.As[0].Text == "秘" && p != nil
}

// inventory: custody answers who has a product, in how many copies, who holds
// them, who opened it, and what was destroyed.
func inventory() bool {
	c := product.Custody{}.Apply(0, act.Act{Kind: act.ProductReleased, From: "KR", Body: act.Release{Manifest: manifest()}})
	for i, a := range []act.Act{
		{Kind: act.ProductReceived, From: "JP", Body: act.Receipt{}},
		{Kind: act.ProductCopied, From: "JP", Body: act.Copy{Copy: 1, Holder: "operations"}},
		{Kind: act.ProductOpened, From: "JP", Body: act.Opening{Person: "analyst"}},
		{Kind: act.ProductOpened, From: "US", Body: act.Opening{Person: "stranger"}},
		{Kind: act.ProductDestroyed, From: "JP", Body: act.Certificate{Method: "erase", Copies: 1}},
	} {
		c = c.Apply(int64(i+1), a)
	}
	return len(c.Received) == 1 && len(c.Copies) == 1 && c.Copies[0].Holder == "operations" && len(c.Openings) == 1 && c.Destroyed["JP"].Copies == 1
}
