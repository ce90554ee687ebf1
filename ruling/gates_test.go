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

// TestAcceptedAsMade: a release is judged by the moment it was made, and by the
// way it came.
func TestAcceptedAsMade(t *testing.T) {
	p, l := shipped(t)
	end := time.Date(2017, 11, 23, 0, 0, 0, 0, p.Zone)
	l = l.Apply(act.Act{Kind: act.PactNotice, From: "KR", At: act.MomentOf(now), Body: act.Step{}})
	for what, x := range map[string]struct {
		change func(*ruling.AcceptFacts)
		ok     bool
	}{
		"made before the end, come after it": {func(f *ruling.AcceptFacts) {
			f.Act.At, f.Now = act.MomentOf(end.Add(-time.Hour)), end.Add(71*time.Hour)
		}, true},
		"come when its receipt was overdue, after the end": {func(f *ruling.AcceptFacts) {
			f.Act.At, f.Now = act.MomentOf(end.Add(-time.Hour)), end.Add(71*time.Hour+time.Millisecond)
		}, false},
		"come in time, and ruled on after it waited": {func(f *ruling.AcceptFacts) {
			f.Act.At, f.Came, f.Now = act.MomentOf(end.Add(-time.Hour)), end.Add(time.Hour), end.AddDate(0, 1, 0)
		}, true},
		"come when its receipt was overdue, before the end": {func(f *ruling.AcceptFacts) { f.Now = now.AddDate(0, 1, 0) }, true},
		"made from a product of an origin that it names": {func(f *ruling.AcceptFacts) {
			f.Manifest.Lineage = []act.Lineage{{Of: "KR-2016-7Q4K-M2XT", How: "excerpt"}}
		}, true},
		"made from a product of an origin that it leaves out": {func(f *ruling.AcceptFacts) {
			f.Manifest.Lineage = []act.Lineage{{Of: "US-2016-7Q4K-M2XT", How: "excerpt"}}
		}, false},
		"made from one known here, whose origins it leaves out": {func(f *ruling.AcceptFacts) {
			f.Manifest.Lineage = []act.Lineage{{Of: "KR-2016-7Q4K-M2XT", How: "excerpt"}}
			f.Sources = []act.Manifest{{Number: "KR-2016-7Q4K-M2XT", Origins: []act.Party{"KR", "US"}}}
		}, false},
		"made at the end":            {func(f *ruling.AcceptFacts) { f.Act.At, f.Now = act.MomentOf(end), end }, false},
		"dated a day ahead":          {func(f *ruling.AcceptFacts) { f.Act.At = act.MomentOf(f.Now.Add(24 * time.Hour)) }, true},
		"dated two days ahead":       {func(f *ruling.AcceptFacts) { f.Act.At = act.MomentOf(f.Now.Add(48 * time.Hour)) }, false},
		"read by a hub on its way":   {func(f *ruling.AcceptFacts) { f.Hub = ruling.Hub{Party: "US", Reads: true} }, false},
		"the pact is blocked":        {func(f *ruling.AcceptFacts) { f.Blocked = "an unknown act" }, false},
		"sent to more than it names": {func(f *ruling.AcceptFacts) { f.Act.To = []act.Party{"JP", "US"} }, false},
		"of a look-alike's series":   {func(f *ruling.AcceptFacts) { f.Manifest.Number = "KR-A-2016-7Q4K-M2XT" }, false},
	} {
		f := ruling.AcceptFacts{Pact: p, Life: l, Own: "JP", From: "KR", Manifest: manifest(), Channel: "electronic", Now: now,
			Act: act.Act{From: "KR", To: []act.Party{"JP"}, By: "officer@KR", Pact: "kr-jp-2016", At: act.MomentOf(now)}}
		if x.change(&f); f.Came.IsZero() {
			f.Came = f.Now
		}
		if r := ruling.Accept(&f); r.Allowed != x.ok {
			t.Errorf("%s: %s", what, r)
		}
	}
}

// TestVisit: the approval of a visit, gate by gate (R27).
func TestVisit(t *testing.T) {
	p, l := shipped(t)
	for what, x := range map[string]struct {
		change func(*ruling.VisitFacts)
		ok     bool
	}{
		"asked of us":              {func(*ruling.VisitFacts) {}, true},
		"asked of others":          {func(f *ruling.VisitFacts) { f.Visit.Host = "US" }, false},
		"by a stranger":            {func(f *ruling.VisitFacts) { f.Visit.By = "US" }, false},
		"over":                     {func(f *ruling.VisitFacts) { f.Visit.Until = act.MomentOf(now) }, false},
		"ended":                    {func(f *ruling.VisitFacts) { m := act.MomentOf(now); f.Visit.Ended = &m }, false},
		"above the ceiling":        {func(f *ruling.VisitFacts) { f.Mark.Text = "機密" }, false},
		"by another's mark":        {func(f *ruling.VisitFacts) { f.Mark = act.Mark{Party: "KR", Text: "군사III급비밀"} }, false},
		"by who does not sign":     {func(f *ruling.VisitFacts) { f.Person.Offices = nil }, false},
		"before the pact in force": {func(f *ruling.VisitFacts) { f.Now = inForce.Add(-time.Hour) }, false},
	} {
		f := ruling.VisitFacts{Pact: p, Life: l, Own: "JP", Visit: &product.Visit{Visit: act.Visit{Until: until}, By: "KR", Host: "JP"}, Mark: act.Mark{Party: "JP", Text: "極秘"}, Person: act.Person{Name: "officer", Offices: []act.Office{act.Signing}}, Now: now}
		x.change(&f)
		if r := ruling.Visit(&f); r.Allowed != x.ok {
			t.Errorf("%s: %s", what, r)
		}
	}
	low := variant(t, "ceiling: SECRET\nchannels:\n  electronic: SECRET\n  courier: SECRET\n", "ceiling: CONFIDENTIAL\nchannels: {electronic: CONFIDENTIAL, courier: CONFIDENTIAL}\n")
	f := ruling.VisitFacts{Pact: low, Life: l, Own: "JP", Visit: &product.Visit{Visit: act.Visit{Until: until}, By: "KR", Host: "JP"}, Mark: act.Mark{Party: "JP", Text: "極秘"}, Person: act.Person{Name: "officer", Offices: []act.Office{act.Signing}}, Now: now}
	if ruling.Visit(&f).Allowed {
		t.Error("a visit is approved above the pact's ceiling")
	}
}

// TestSteps: which steps our own party may take, by what was done before (R58).
func TestSteps(t *testing.T) {
	p, _ := shipped(t)
	everything := []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactNotified, act.PactCancelled, act.PactNotice, act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead}
	type done struct {
		k  act.Kind
		by act.Party
	}
	both := []done{{act.PactSigned, "KR"}, {act.PactSigned, "JP"}, {act.PactNotified, "KR"}, {act.PactNotified, "JP"}}
	for _, x := range []struct {
		after []done
		may   []act.Kind
	}{
		{nil, []act.Kind{act.PactInitialled, act.PactApproved, act.PactSigned, act.PactCancelled}},
		{[]done{{act.PactInitialled, "KR"}, {act.PactApproved, "KR"}, {act.PactSigned, "JP"}}, []act.Kind{act.PactSigned, act.PactCancelled}},
		{[]done{{act.PactSigned, "KR"}}, []act.Kind{act.PactInitialled, act.PactApproved, act.PactNotified, act.PactCancelled}},
		{[]done{{act.PactSigned, "KR"}, {act.PactNotified, "KR"}}, []act.Kind{act.PactInitialled, act.PactApproved, act.PactCancelled}},
		{[]done{{act.PactCancelled, "JP"}}, nil},
		{both, []act.Kind{act.PactNotice, act.PactRead}},
		{append(slices.Clone(both), done{act.PactNotice, "JP"}), []act.Kind{act.PactNotice, act.PactRead}},
		{append(slices.Clone(both), done{act.PactNotice, "KR"}), []act.Kind{act.PactNoticeSuspended, act.PactNoticeWithdrawn, act.PactRead}},
		{append(slices.Clone(both), done{act.PactNotice, "KR"}, done{act.PactNoticeSuspended, "KR"}), []act.Kind{act.PactNoticeWithdrawn, act.PactRead}},
	} {
		var l pact.Life
		for _, d := range x.after {
			l = l.Apply(act.Act{Kind: d.k, From: d.by, At: act.MomentOf(inForce), Body: act.Step{}})
		}
		for _, k := range everything {
			r := ruling.Pact(ruling.PactFacts{Pact: p, Life: l, Own: "KR", Step: k, Person: act.Person{Name: "officer", Offices: []act.Office{act.Signing}}, Now: now})
			if r.Allowed != slices.Contains(x.may, k) {
				t.Errorf("after %v, %s: %s", x.after, k, r)
			}
		}
	}
}

// TestDerivedPurpose: what is made from a product keeps its purpose (R15), unless
// each of its origins approved another (R14).
func TestDerivedPurpose(t *testing.T) {
	use := func(by act.Party, n act.Number) []product.Consent {
		return []product.Consent{{Consent: act.Consent{Number: n, Deed: "purpose", Purpose: "threat-assessment", Until: until, Uses: 1}, By: by, Given: act.MomentOf(now)}}
	}
	for what, x := range map[string]struct {
		purpose string
		holds   []act.Party // the origins of what it is made from
		consent []product.Consent
		ok      bool
	}{
		"the same":                {"threat-assessment", []act.Party{"JP"}, nil, true},
		"another":                 {"missile-warning", []act.Party{"JP"}, nil, false},
		"approved":                {"missile-warning", []act.Party{"JP"}, use("JP", "JP-2016-AAAA-AAAA"), true},
		"for another":             {"missile-warning", []act.Party{"JP"}, use("JP", "JP-2016-BBBB-BBBB"), false},
		"of a third in it, by it": {"missile-warning", []act.Party{"JP", "US"}, append(use("JP", "JP-2016-AAAA-AAAA"), use("US", "JP-2016-AAAA-AAAA")...), true},
		"of a third, by one":      {"missile-warning", []act.Party{"JP", "US"}, use("JP", "JP-2016-AAAA-AAAA"), false},
		"of a third, the same":    {"threat-assessment", []act.Party{"JP", "US"}, nil, true},
	} {
		r := released(t, func(f *ruling.ReleaseFacts) {
			m := manifest()
			m.Number, m.Originator, m.Origins, m.Recipients, m.Purpose = "JP-2016-AAAA-AAAA", "JP", x.holds, []act.Party{"KR"}, x.purpose
			f.Manifest.Origins, f.Manifest.Recipients, f.Consents = append([]act.Party{"KR"}, x.holds...), []act.Party{"JP"}, x.consent
			for _, o := range x.holds { // to pass it on, each agreed
				c := use(o, f.Manifest.Number)[0]
				c.Deed, c.Recipient = "pass-on", "JP"
				f.Consents = append(f.Consents, c)
			}
			f.Sources = []ruling.Source{{Pact: f.Pact, Manifest: m, Mark: act.Mark{Party: "JP", Text: "極秘"}, On: m.Made.Time}}
		})
		if r.Allowed != x.ok {
			t.Errorf("%s: %s", what, r)
		}
	}
}

// TestImplements: an arrangement is signed where it narrows the pact that it
// implements, and refused with each term that it widens (R12, article 5).
func TestImplements(t *testing.T) {
	p, _ := shipped(t)
	later := *p
	if later.Terms.Provisional = now; len(pact.Widens(&later, p)) > 0 || len(pact.Widens(p, &later)) != 1 {
		t.Error("applied provisionally, or not")
	}
	sooner := later
	if sooner.Terms.Provisional = now.AddDate(0, 0, -1); len(pact.Widens(&later, &sooner)) != 1 || len(pact.Widens(&sooner, &later)) > 0 {
		t.Error("applied provisionally from an earlier day")
	}
	free := *p
	if free.Destroy.Methods = nil; len(pact.Widens(&free, p)) > 0 {
		t.Error("means of destruction where there were any narrow")
	}
	widens := func(change func(*pact.Pact)) ruling.Ruling {
		child := *p
		child.ID, child.Relation.Implements = "kr-jp-arrangement", []act.PactID{p.ID}
		change(&child)
		return ruling.Pact(ruling.PactFacts{Pact: &child, Own: "KR", Step: act.PactSigned, Now: now, Above: []*pact.Pact{p},
			Person: act.Person{Name: "officer", Offices: []act.Office{act.Signing}}})
	}
	for what, x := range map[string]struct {
		change func(*pact.Pact)
		says   string // empty: it is signed
	}{
		"the same terms":     {func(*pact.Pact) {}, ""},
		"fewer subjects":     {func(c *pact.Pact) { c.Forms = c.Forms[:1] }, ""},
		"another form":       {func(c *pact.Pact) { c.Forms = append(slices.Clone(c.Forms), "telepathic") }, "form telepathic"},
		"no clearance":       {func(c *pact.Pact) { c.Cleared = 0 }, "clearance never"},
		"a freer use":        {func(c *pact.Pact) { c.Use = "free" }, "use free"},
		"under another pact": {func(c *pact.Pact) { c.Relation.Implements = []act.PactID{"us-jp-2007"} }, "not in force here"},
		"a mark that ranks lower": {func(c *pact.Pact) {
			c.Table = slices.Clone(c.Table)
			c.Table[0].Rank, c.Table[0].Term = 1, "CONFIDENTIAL"
		}, "CONFIDENTIAL, rank 1"},
		"a mark that ranks higher, and those cleared for it": {func(c *pact.Pact) {
			c.Table = slices.Clone(c.Table)
			c.Table[3].Rank, c.Table[3].Term = 2, "SECRET"
		}, "SECRET, rank 2"},
		"terms in another order": {func(c *pact.Pact) {
			c.Table = slices.Clone(c.Table)
			for i := range c.Table {
				c.Table[i].Rank = 3 - c.Table[i].Rank
			}
		}, "CONFIDENTIAL, rank 2"},
		"fewer means of destruction": {func(c *pact.Pact) { c.Destroy.Methods = c.Destroy.Methods[:1] }, ""},
		"any means of destruction":   {func(c *pact.Pact) { c.Destroy.Methods = nil }, "any means"},
		"legs where there were none": {func(c *pact.Pact) {
			c.Legs = []pact.Leg{{Between: [2]act.Party{"JP", "KR"}, Ceiling: 1, Channels: []string{"courier"}}}
		}, ""},
		"a channel more":                {func(c *pact.Pact) { c.Channels = map[string]int{"electronic": 2, "courier": 2, "oral": 1} }, "oral between KR and JP"},
		"more time for a receipt":       {func(c *pact.Pact) { c.Receipt.Within *= 2 }, "time for a receipt"},
		"a hub that cannot read":        {func(c *pact.Pact) { c.Hub.Party = "JP" }, ""},
		"a hub that reads":              {func(c *pact.Pact) { c.Hub = pact.Hub{Party: "JP", Reads: true} }, "the hub reads"},
		"applied before it is in force": {func(c *pact.Pact) { c.Terms.Provisional = now }, "applied provisionally"},
	} {
		r := widens(x.change)
		if r.Allowed != (x.says == "") || !strings.Contains(r.String(), x.says) {
			t.Errorf("%s: %s", what, r)
		}
		if !r.Allowed && x.says != "not in force here" && r.Because[0].Article != "Article 5" {
			t.Errorf("%s: it cites %s", what, r.Because[0].Article)
		}
	}
}

// TestDerivedTerms: the pact of what a product is made from rules on extracts and
// translations of it, on the channel, and on a purpose that an own product between
// would change (R9, R14, R15, R29, R42, R43).
func TestDerivedTerms(t *testing.T) {
	consent := func(deed string) []product.Consent {
		return []product.Consent{{Consent: act.Consent{Number: "JP-2016-AAAA-AAAA", Deed: deed, Purpose: "threat-assessment", Until: until, Uses: 1}, By: "JP", Given: act.MomentOf(now)}}
	}
	for what, x := range map[string]struct {
		change func(*ruling.Source, *pact.Pact, *ruling.ReleaseFacts)
		ok     bool
	}{
		"an assessment": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) { p.Copying.Extracts = "forbidden" }, true},
		"a forbidden excerpt": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Extracts = "excerpt", "forbidden"
		}, false},
		"a forbidden translation": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Translations = "translation", "forbidden"
		}, false},
		"an excerpt without consent": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Extracts = "excerpt", "consent"
		}, false},
		"an excerpt with consent": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Extracts, f.Consents = "excerpt", "consent", consent("extract")
		}, true},
		"with consent to translate": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Extracts, f.Consents = "excerpt", "consent", consent("translate")
		}, false},
		"always consent from this rank": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Translations, p.Copying.ConsentFrom = "translation", "free", 1
		}, false},
		"an excerpt of what bears no copy": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.How, p.Copying.Extracts, s.Manifest.Caveats, f.Manifest.Caveats = "excerpt", "free", []string{"no copy"}, []string{"no copy"}
		}, false},
		"a channel above its ceiling": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			p.Channels = map[string]int{"electronic": 1}
		}, false},
		"a channel that it lacks": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) { p.Channels = nil }, false},
		"our own between, one purpose": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.Manifest.Originator, s.Manifest.Origins = "KR", []act.Party{"JP", "KR"}
		}, true},
		"our own between, another": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.Manifest.Originator, s.Manifest.Origins, s.Manifest.Purpose = "KR", []act.Party{"JP", "KR"}, "missile-warning"
		}, false},
		"another's between, the third not asked": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) { between(s, f, "JP") }, false},
		"another's between, all asked":           {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) { between(s, f, "JP", "US") }, true},
		"our own alone, another": {func(s *ruling.Source, p *pact.Pact, f *ruling.ReleaseFacts) {
			s.Manifest.Originator, s.Manifest.Origins, s.Manifest.Purpose = "KR", []act.Party{"KR"}, "missile-warning"
		}, true},
	} {
		r := released(t, func(f *ruling.ReleaseFacts) {
			m := manifest()
			m.Number, m.Originator, m.Origins, m.Recipients = "JP-2016-AAAA-AAAA", "JP", []act.Party{"JP"}, []act.Party{"KR"}
			f.Manifest.Origins = []act.Party{"JP", "KR"}
			p := *f.Pact
			s := ruling.Source{Pact: &p, Manifest: m, Mark: act.Mark{Party: "JP", Text: "極秘"}, On: m.Made.Time}
			x.change(&s, &p, f)
			f.Sources = []ruling.Source{s}
		})
		if r.Allowed != x.ok {
			t.Errorf("%s: %s", what, r)
		}
	}
}

// between makes a source a product of JP's that holds information of US, released for another
// purpose; US passes it on, and some approve the purpose.
func between(s *ruling.Source, f *ruling.ReleaseFacts, approve ...act.Party) {
	s.Manifest.Origins, s.Manifest.Purpose = []act.Party{"JP", "US"}, "missile-warning"
	f.Manifest.Origins = []act.Party{"JP", "KR", "US"}
	give := func(by act.Party, deed string, to act.Party) {
		f.Consents = append(f.Consents, product.Consent{By: by, Given: act.MomentOf(f.Now.AddDate(0, -1, 0)), Consent: act.Consent{Number: f.Manifest.Number, Deed: deed, Recipient: to, Purpose: f.Manifest.Purpose, Until: act.MomentOf(f.Now.AddDate(1, 0, 0)), Uses: 9}})
	}
	give("US", "pass-on", "JP")
	for _, p := range approve {
		give(p, "purpose", "")
	}
}
