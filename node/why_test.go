package node_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/reading"
	"entente/release"
)

// refusedAsk asks what is not answered, and returns what is said.
func refusedAsk(t *testing.T, n *node.Node, ask desk.WhyAsk) string {
	t.Helper()
	v := desk.WhyView{}
	err := desk.Within(n.Desk("").API()).Long(t.Context(), "/v1/why", ask, &v, func(_, _ int64) {})
	var p *desk.Problem
	if !errors.As(err, &p) || p.Kind != "invalid" {
		t.Fatalf("%+v: %v, and not a question that is refused", ask, err)
	}
	return p.Text
}

// toldEntries lists the entries of an answer as it is spelled.
func toldEntries(t *testing.T, raw string) (all []int64) {
	t.Helper()
	var v struct {
		Entries []struct {
			Index int64 `json:"index"`
		} `json:"entries"`
	}
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Entries {
		all = append(all, e.Index)
	}
	return all
}

// indexOf is the last entry of a kind.
func indexOf(t *testing.T, n *node.Node, k act.Kind) int64 {
	t.Helper()
	at := int64(-1)
	for i, a := range acts(t, n) {
		if a.Kind == k {
			at = int64(i)
		}
	}
	if at < 0 {
		t.Fatalf("no act is a %s", k)
	}
	return at
}

// standing is the text of 2016 with a standing authority.
func standing(t *testing.T) []byte {
	t.Helper()
	text, _ := pact.Template("kr-jp-2016")
	text = append(text, "  - number: 22\n    title: {en: Standing authority, ko: 상시 권한, ja: 常時の権限}\n    text: A class of products may go at once.\n    clauses: [standing-authority]\n"...)
	if _, problems := pact.Parse(text); len(problems) > 0 {
		t.Fatal(problems)
	}
	return text
}

// TestWhyGiven: of what was given it is told whether it stands, until when, what ended it and
// what used it: now, and as of a moment; and again as it was answered then.
func TestWhyGiven(t *testing.T) {
	x := inForceUnder(t, "", standing(t))
	slip, err := x.kr.Release.Release(t.Context(), draft("군사III급비밀"), strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	month, no := act.MomentOf(x.clock.AddDate(0, 1, 0)), slip.Number
	tick := func() { x.clock = x.clock.Add(time.Minute); x.settle(t) }
	give := func(d act.Digest, err error) act.Digest { t.Helper(); x.must(t, err); tick(); return d }
	consent := func(deed, purpose string, to act.Party) act.Digest {
		t.Helper()
		return give(x.kr.Chancery.Consent(t.Context(), act.Consent{Number: no, Deed: deed, Recipient: to, Purpose: purpose, Until: month, Uses: 1}, "officer"))
	}
	type told struct {
		n      *node.Node
		what   string
		d      act.Digest
		stands bool
		says   string // of what does not stand
		rests  []act.Kind
		became []act.Kind
	}
	var all []told
	life := []act.Kind{act.PactProposed, act.PactSigned, act.PactSigned, act.PactNotified, act.PactNotified}
	check := func(c told) {
		t.Helper()
		v, raw := why(t, c.n, desk.WhyAsk{Act: &c.d})
		var rests, became []act.Kind
		for _, r := range v.Ruling.Rests {
			rests = append(rests, r.Kind)
		}
		entries := acts(t, c.n)
		for _, i := range toldEntries(t, raw)[1:] {
			became = append(became, entries[i].Kind)
		}
		if v.Ruling.Deed != "stand" || v.Ruling.Allowed != c.stands || !strings.Contains(v.Ruling.String(), c.says) || len(v.Ruling.Because) == 0 && c.what != "accreditation" || v.Ruling.Until == nil {
			t.Errorf("%s: %+v", c.what, v.Ruling)
		}
		for _, b := range v.Ruling.Because {
			if b.Article == "" || !c.stands && b.Cure == "" {
				t.Errorf("%s: %+v cites nothing, or has no cure", c.what, b)
			}
		}
		if !slices.Equal(rests, c.rests) || !slices.Equal(became, c.became) {
			t.Errorf("%s rests on %v, not on %v; became %v, not %v", c.what, rests, c.rests, became, c.became)
		}
	}
	later := func(c told) {
		t.Helper()
		check(c)
		all = append(all, c)
	}
	type past struct {
		told
		at   time.Time
		then string
	}
	var questions []past
	remember := func() {
		x.clock = x.clock.Add(time.Minute)
		for _, c := range all {
			_, then := why(t, c.n, desk.WhyAsk{Act: &c.d})
			questions = append(questions, past{c, x.clock, then})
		}
	}
	gave := func(k act.Kind, l []act.Kind, more ...act.Kind) []act.Kind {
		return append(append(slices.Clone(l), k), more...)
	}

	passed := consent("pass-on", "threat-assessment", "US")
	another := consent("purpose", "missile-warning", "")
	mandate := give(x.kr.Chancery.Mandate(t.Context(), act.Mandate{Pact: "kr-jp-2016", Kind: "report", Subject: "defence", Mark: act.Mark{Party: "KR", Text: "군사III급비밀"}, Purpose: "threat-assessment", Until: month}, "officer"))
	visit := give(x.jp.Chancery.State(t.Context(), "kr-jp-2016", act.VisitAsked, act.Visit{Visitors: []string{"Major A"}, Subject: "radar", Mark: act.Mark{Party: "JP", Text: "極秘"}, From: act.MomentOf(x.clock), Until: month}, "KR", "officer"))
	assurance := give(x.jp.Chancery.State(t.Context(), "kr-jp-2016", act.AssuranceGiven, act.Assurance{Meeting: "working group", Persons: []string{"head"}, Mark: act.Mark{Party: "JP", Text: "極秘"}, Until: month}, "KR", "officer"))
	accreditation := give(x.kr.Chancery.Accredit(t.Context(), act.Accreditation{Channel: "electronic", Mark: act.Mark{Text: "군사II급비밀"}, Until: month, By: "paper 7"}, "officer"))
	for _, c := range []told{
		{x.jp, "approval", passed, true, "", gave(act.ConsentGiven, life), nil},
		{x.kr, "approval, at home", passed, true, "", gave(act.ConsentGiven, life), nil},
		{x.jp, "approval of another purpose", another, true, "", []act.Kind{act.PactProposed, act.ConsentGiven}, nil},
		{x.kr, "mandate", mandate, true, "", gave(act.MandateGiven, life), nil},
		{x.kr, "assurance", assurance, true, "", gave(act.AssuranceGiven, life), nil},
		{x.kr, "accreditation", accreditation, true, "", []act.Kind{act.SystemAccredited}, nil},
	} {
		later(c)
	}
	later(told{x.kr, "visit", visit, false, "the host has not approved the visit", gave(act.VisitAsked, life), nil})
	remember()

	// What ends each.
	x.must(t, x.kr.Chancery.Withdraw(t.Context(), passed, "the need has passed", "officer"))
	tick()
	o, err := x.jp.Reading.Open(t.Context(), no, "analyst", "missile-warning")
	x.must(t, err)
	x.must(t, o.Close())
	tick()
	d := draft("군사III급비밀")
	d.Kind, d.Subject = "report", "defence"
	d.Mandate = &mandate
	_, err = x.kr.Release.Release(t.Context(), d, strings.NewReader("under the mandate"))
	x.must(t, err)
	tick()
	x.must(t, x.kr.Chancery.Withdraw(t.Context(), mandate, "", "officer"))
	give(x.kr.Chancery.ApproveVisit(t.Context(), visit, "군사III급비밀", "officer"))
	give(x.kr.Chancery.Accredit(t.Context(), act.Accreditation{Channel: "electronic", Mark: act.Mark{Text: "군사II급비밀"}, Until: month, By: "paper 8"}, "officer"))
	all = nil
	for _, c := range []told{
		{x.jp, "approval withdrawn", passed, false, "it was withdrawn", gave(act.ConsentGiven, life, act.ConsentWithdrawn), []act.Kind{act.ConsentWithdrawn}},
		{x.jp, "approval spent", another, false, "it is used up", []act.Kind{act.PactProposed, act.ConsentGiven, act.ProductOpened}, []act.Kind{act.ProductOpened}},
		{x.kr, "mandate withdrawn", mandate, false, "it was withdrawn", gave(act.MandateGiven, life, act.MandateWithdrawn), []act.Kind{act.ProductReleased, act.MandateWithdrawn}},
		{x.kr, "visit approved", visit, true, "", gave(act.VisitAsked, life, act.VisitApproved), []act.Kind{act.VisitApproved}},
		{x.kr, "accreditation", accreditation, false, "a later act states it anew", []act.Kind{act.SystemAccredited}, []act.Kind{act.SystemAccredited}},
	} {
		later(c)
	}
	remember()
	give(x.kr.Chancery.EndVisit(t.Context(), visit, "officer"))
	check(told{x.kr, "visit ended", visit, false, "the visit has ended", gave(act.VisitAsked, life, act.VisitApproved, act.VisitEnded), []act.Kind{act.VisitApproved, act.VisitEnded}})
	x.must(t, x.jp.Chancery.Read(t.Context(), "kr-jp-2016", x.text, "terminated", "", "officer"))
	tick()
	check(told{x.kr, "assurance, pact ended", assurance, false, "the pact is not in force", gave(act.AssuranceGiven, life, act.PactRead), nil})
	x.clock = month.Add(time.Minute)
	check(told{x.kr, "assurance expired", assurance, false, "it has expired", gave(act.AssuranceGiven, life, act.PactRead), nil})

	for _, q := range questions {
		if _, now := why(t, q.n, desk.WhyAsk{Act: &q.d, When: ledger.When{Moment: q.at}}); now != q.then {
			t.Errorf("%s as of %s was answered\n%s\nand is answered\n%s", q.what, q.at, q.then, now)
		}
	}
	// What ends or answers an act is explained with it; before it was made there is nothing.
	_, end := why(t, x.kr, desk.WhyAsk{Entry: new(indexOf(t, x.kr, act.VisitEnded))})
	if _, of := why(t, x.kr, desk.WhyAsk{Act: &visit}); end != of {
		t.Errorf("the end of a visit is explained as\n%s\nthe visit as\n%s", end, of)
	}
	if s := refusedAsk(t, x.kr, desk.WhyAsk{Act: &visit, When: ledger.When{Entry: new(int64(3))}}); !strings.Contains(s, "no act here is entry") {
		t.Errorf("before it was made: %s", s)
	}
	// A notice of law waits until it is acknowledged.
	law := give(x.kr.Chancery.State(t.Context(), "kr-jp-2016", act.LawNotified, act.LawNotice{Text: "a new act"}, "JP", "officer"))
	if v, _ := why(t, x.jp, desk.WhyAsk{Act: &law, Lang: "ko"}); v.Ruling != nil || v.Waits != "법령 변경 통보의 확인: JP" {
		t.Errorf("a notice of law: %+v", v)
	}
	give(x.jp.Chancery.Acknowledge(t.Context(), law, "officer"))
	if v, raw := why(t, x.kr, desk.WhyAsk{Act: &law}); v.Waits != "" || len(toldEntries(t, raw)) != 2 {
		t.Errorf("a notice of law that was acknowledged: %+v", v)
	}
}

// TestWhyNeed: an act that a person need not know is one that is not here, in the same words;
// so are a pact, and a release under it that nobody made.
func TestWhyNeed(t *testing.T) {
	x := inForce(t, "")
	for _, p := range []act.Person{{Name: "guest", Offices: []act.Office{act.Reading}}, {Name: "left", Offices: []act.Office{act.Audit}, Left: true}, {Name: "auditor", Offices: []act.Office{act.Audit}}} {
		p.Until = act.MomentOf(x.clock.AddDate(1, 0, 0))
		x.must(t, x.jp.Enrol(t.Context(), p))
	}
	slip, err := x.kr.Release.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	d, err := x.kr.Chancery.Consent(t.Context(), act.Consent{Number: slip.Number, Deed: "pass-on", Recipient: "US", Purpose: "threat-assessment", Until: act.MomentOf(x.clock.AddDate(0, 1, 0)), Uses: 1}, "officer")
	x.must(t, err)
	x.settle(t)
	x.must(t, x.kr.Chancery.Withdraw(t.Context(), d, "", "officer"))
	x.settle(t)
	_, err = x.jp.Reading.Open(t.Context(), slip.Number, "clerk", "")
	if err == nil {
		t.Fatal("the clerk opened it")
	}
	other, err := act.NewNumber("KR", 2026, rand.Reader)
	x.must(t, err)
	size := int64(len(acts(t, x.jp)))
	absent := act.DigestOf([]byte("no such act"))
	none := func(who string, entry bool) string {
		if entry {
			i := size + 7
			return strings.ReplaceAll(refusedAsk(t, x.jp, desk.WhyAsk{Entry: &i, Deed: reading.Deed{As: who}}), fmt.Sprint(i), "N")
		}
		return strings.ReplaceAll(refusedAsk(t, x.jp, desk.WhyAsk{Act: &absent, Deed: reading.Deed{As: who}}), absent.String(), "D")
	}
	for _, who := range []string{"guest", "left"} {
		for i := range size {
			if got := strings.ReplaceAll(refusedAsk(t, x.jp, desk.WhyAsk{Entry: &i, Deed: reading.Deed{As: who}}), fmt.Sprintf("entry %d", i), "entry N"); got != none(who, true) {
				t.Errorf("of entry %d %s is told %q, of none %q", i, who, got, none(who, true))
			}
		}
		if got := strings.ReplaceAll(refusedAsk(t, x.jp, desk.WhyAsk{Act: &d, Deed: reading.Deed{As: who}}), d.String(), "D"); got != none(who, false) {
			t.Errorf("of an approval %s is told %q, of none %q", who, got, none(who, false))
		}
		if got, of := refusedAsk(t, x.jp, desk.WhyAsk{Pact: "kr-jp-2016", Deed: reading.Deed{As: who}}), refusedAsk(t, x.jp, desk.WhyAsk{Pact: "no-such-pact", Deed: reading.Deed{As: who}}); strings.Replace(got, "kr-jp-2016", "no-such-pact", 1) != of {
			t.Errorf("of a pact %s is told %q, of none %q", who, got, of)
		}
		for _, deed := range []string{"release", "accept"} {
			if got, of := refusedAsk(t, x.jp, desk.WhyAsk{Number: slip.Number, Deed: reading.Deed{As: who, Deed: deed}}), refusedAsk(t, x.jp, desk.WhyAsk{Number: other, Deed: reading.Deed{As: who, Deed: deed}}); strings.Replace(got, string(slip.Number), string(other), 1) != of {
				t.Errorf("of the %s of a product %s is told %q, of none %q", deed, who, got, of)
			}
		}
		for _, deed := range []string{"signed", "notice"} {
			refusedAsk(t, x.jp, desk.WhyAsk{Pact: "kr-jp-2016", Deed: reading.Deed{As: who, Deed: deed}})
		}
		ask := func(id act.PactID) (v desk.WhyView) {
			d := draft("極秘")
			d.Pact = id
			v, _ = why(t, x.jp, desk.WhyAsk{Draft: &d, Deed: reading.Deed{As: who}})
			return v
		}
		if got, of := ask("kr-jp-2016"), ask("no-such-pact"); got.Ruling.Allowed || fmt.Sprint(got.Ruling) != fmt.Sprint(of.Ruling) {
			t.Errorf("of a release under a pact %s is told %+v, under none %+v", who, got.Ruling, of.Ruling)
		}
	}
	// The clerk may know neither the product nor the approval, and was told that a reading was refused.
	for who, want := range map[string][2]bool{"clerk": {false, true}, "analyst": {true, false}, "auditor": {true, true}, "": {true, true}} {
		for i, k := range []act.Kind{act.ConsentWithdrawn, act.OpeningDenied} {
			v := desk.WhyView{}
			at := indexOf(t, x.jp, k)
			err := desk.Within(x.jp.Desk("").API()).Long(t.Context(), "/v1/why", desk.WhyAsk{Entry: &at, Deed: reading.Deed{As: who}}, &v, func(_, _ int64) {})
			if (err == nil) != want[i] {
				t.Errorf("%q asks for %s: %v", who, k, err)
			}
		}
	}
	if _, raw := why(t, x.jp, desk.WhyAsk{Deed: reading.Deed{As: "clerk"}}); !slices.Equal(toldEntries(t, raw), []int64{indexOf(t, x.jp, act.OpeningDenied)}) {
		t.Errorf("the clerk is told of these refusals: %s", raw)
	}
}

// TestWhyLife: of a pact it is told where it stands, by which acts and readings, and which
// steps are open; each step is ruled as it is when it is taken.
func TestWhyLife(t *testing.T) {
	x := met(t, "")
	text, _ := pact.Template("kr-jp-2016")
	p, err := x.kr.Chancery.Propose(t.Context(), text, "officer")
	x.must(t, err)
	x.text = p.Text
	type told struct {
		at   time.Time
		then string
	}
	var all []told
	steps := []string{"initialled", "approved", "signed", "notified", "cancelled", "notice", "notice-suspended", "notice-withdrawn", "read"}
	check := func(phase, open string) {
		t.Helper()
		x.settle(t)
		x.clock = x.clock.Add(time.Minute)
		v, then := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{As: "officer"}})
		all = append(all, told{x.clock, then})
		var is []string
		for i, r := range v.Steps {
			if r.Deed != "pact."+steps[i] || len(r.Because) == 0 || len(r.Rests) < 2 {
				t.Errorf("%s: %+v", phase, r)
			}
			if r.Allowed {
				is = append(is, steps[i])
			}
			one, _ := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{As: "officer", Deed: steps[i]}})
			if fmt.Sprint(*one.Ruling) != fmt.Sprint(r) || one.Steps != nil {
				t.Errorf("%s is ruled as %+v alone, as %+v among all", r.Deed, one.Ruling, r)
			}
			second, _ := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{As: "second", Deed: steps[i]}})
			anyone, _ := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{Deed: steps[i]}})
			if second.Ruling.Allowed || !strings.Contains(second.Ruling.String(), "holds no office to sign") || anyone.Ruling.Allowed != r.Allowed {
				t.Errorf("%s: by one who may not sign %v, by whoever may %v", r.Deed, second.Ruling, anyone.Ruling)
			}
		}
		if len(v.Pacts) != 1 || v.Pacts[0].Stands != phase || strings.Join(is, " ") != open {
			t.Errorf("it stands as %+v, and open is %v; want %s, %s", v.Pacts, is, phase, open)
		}
	}
	check("proposed", "initialled approved signed cancelled")
	for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
		for _, n := range []*node.Node{x.jp, x.kr} {
			x.must(t, n.Chancery.Step(t.Context(), k, p.ID, p.Text, "", "officer"))
			x.settle(t)
		}
	}
	check("in-force", "notice read")
	x.must(t, x.kr.Chancery.Step(t.Context(), act.PactNotice, p.ID, p.Text, "", "officer"))
	check("notice-given", "notice-suspended notice-withdrawn read")
	x.must(t, x.kr.Chancery.Step(t.Context(), act.PactNoticeSuspended, p.ID, p.Text, "", "officer"))
	x.must(t, x.jp.Chancery.Read(t.Context(), p.ID, p.Text, "terminated", "", "officer"))
	check("terminated", "notice-withdrawn read")
	disputed, _ := why(t, x.kr, desk.WhyAsk{Pact: p.ID})
	if v := disputed; !v.Pacts[0].Disputed || v.Pacts[0].Readings[1].Phase != "terminated" {
		t.Errorf("the readings are not told: %+v", v.Pacts[0])
	}
	x.must(t, x.kr.Chancery.Step(t.Context(), act.PactNoticeWithdrawn, p.ID, p.Text, "", "officer"))
	check("in-force", "notice read")
	for _, q := range all {
		if _, now := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{As: "officer"}, When: ledger.When{Moment: q.at}}); now != q.then {
			t.Errorf("as of %s it was answered\n%s\nand is answered\n%s", q.at, q.then, now)
		}
	}
	// A step that was taken is explained as it was ruled.
	at := indexOf(t, x.kr, act.PactNoticeWithdrawn)
	if v, _ := why(t, x.kr, desk.WhyAsk{Entry: &at}); !v.Ruling.Allowed || v.Ruling.Deed != "pact.notice-withdrawn" || v.Ledger.Size != at {
		t.Errorf("the withdrawal: %+v", v.Ruling)
	}
	if s := refusedAsk(t, x.kr, desk.WhyAsk{Entry: &at, When: ledger.When{Moment: x.clock}}); !strings.Contains(s, "ask of no other moment") {
		t.Error(s)
	}
	// An amendment that waits is explained beside the text that rules; each step is for the text that it fits.
	amended, err := x.kr.Chancery.Propose(t.Context(), []byte(strings.Replace(string(text), "version: 1\n", "version: 2\n", 1)), "officer")
	x.must(t, err)
	v, raw := why(t, x.kr, desk.WhyAsk{Pact: p.ID})
	versions := map[string]int{}
	for _, r := range v.Steps {
		if r.Allowed {
			versions[r.Deed] = r.Version
		}
	}
	if want := map[string]int{"pact.initialled": 2, "pact.approved": 2, "pact.signed": 2, "pact.cancelled": 2, "pact.notice": 1, "pact.read": 1}; len(v.Pacts) != 2 || !maps.Equal(versions, want) || !slices.Contains(toldEntries(t, raw), indexOf(t, x.kr, act.PactProposed)) || amended.Version != 2 {
		t.Errorf("with an amendment that waits: %d texts, open are %v", len(v.Pacts), versions)
	}
	for lang, want := range map[string]string{"en": "Entry into force", "ko": "발효", "ja": "効力"} {
		v, _ := why(t, x.kr, desk.WhyAsk{Pact: p.ID, Deed: reading.Deed{Deed: "notice"}, Lang: lang})
		if !strings.Contains(v.Ruling.Because[0].Text, want) {
			t.Errorf("%s: the article is called %q", lang, v.Ruling.Because[0].Text)
		}
	}
}

// TestWhyRefusedRelease: a release that was refused has a number and an entry, by which who
// was refused sees it again as it was, with the acts; so does one of the same terms that nobody made.
func TestWhyRefusedRelease(t *testing.T) {
	x := inForce(t, "")
	tries := func(n *node.Node, d release.Draft) act.Number {
		t.Helper()
		_, err := n.Release.Release(t.Context(), d, strings.NewReader("x"))
		var r *release.Refused
		if !errors.As(err, &r) || r.Number == "" {
			t.Fatalf("it was not refused: %v", err)
		}
		x.clock = x.clock.Add(time.Minute)
		return r.Number
	}
	high := draft("군사I급비밀")
	before, _ := why(t, x.kr, desk.WhyAsk{Draft: &high, Deed: reading.Deed{As: "officer"}})
	no := tries(x.kr, high)
	at := indexOf(t, x.kr, act.ReleaseDenied)
	unsayable := draft("군사II급비밀")
	unsayable.Title = strings.Repeat("x", 5000)
	unsayable.Purpose = "no such purpose"
	other := tries(x.kr, unsayable)
	x.must(t, x.kr.Chancery.Step(t.Context(), act.PactNotice, "kr-jp-2016", x.text, "", "officer")) // the house of now is another
	for name, ask := range map[string]desk.WhyAsk{"its number": {Number: no}, "its entry": {Entry: &at}, "its number, as who was refused": {Number: no, Deed: reading.Deed{As: "officer"}}, "its entry, as another who releases": {Entry: &at, Deed: reading.Deed{As: "second"}}} {
		v, raw := why(t, x.kr, ask)
		if v.Ruling == nil || v.Ruling.Allowed || v.Ruling.Deed != "release" || v.Ruling.By != "officer" || !slices.Equal(v.Ruling.Because, before.Ruling.Because) || !slices.Equal(v.Ruling.Rests, before.Ruling.Rests) || v.Ledger.Size != at || !slices.Equal(toldEntries(t, raw), []int64{at}) {
			t.Errorf("by %s it is explained as %+v, and was ruled on as %+v", name, v.Ruling, before.Ruling)
		}
	}
	if v, _ := why(t, x.kr, desk.WhyAsk{Number: other}); !strings.Contains(v.Ruling.String(), "the purpose is outside the pact") || len(v.Ruling.Rests) != 1 {
		t.Errorf("what no act can say is refused as %+v", v.Ruling)
	}
	none, err := act.NewNumber("KR", 2026, rand.Reader)
	x.must(t, err)
	_, of := why(t, x.kr, desk.WhyAsk{Number: no, Deed: reading.Deed{As: "analyst"}})
	if _, absent := why(t, x.kr, desk.WhyAsk{Number: none, Deed: reading.Deed{As: "analyst"}}); of != absent {
		t.Errorf("of a release that was refused to another an analyst is told\n%s\nof none\n%s", of, absent)
	}
	for who, want := range map[string]int{"officer": 2, "analyst": 0} {
		if _, raw := why(t, x.kr, desk.WhyAsk{Deed: reading.Deed{As: who}}); len(toldEntries(t, raw)) != want {
			t.Errorf("%s is told of these refusals: %s", who, raw)
		}
	}
	// A question is about one thing, and a release is by a person.
	for _, ask := range []desk.WhyAsk{{}, {Draft: &high}, {Number: no, Pact: "kr-jp-2016"}, {Entry: &at, Draft: &high, Deed: reading.Deed{As: "officer"}}, {Number: no, Lang: "fr"}} {
		refusedAsk(t, x.kr, ask)
	}
}

// TestWhyPages: the desk explains a product, a pact and an act, and shows an officer what was
// refused, in each language; of what one may not know nothing is at the address.
func TestWhyPages(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	_, err := kr.c.Release(t.Context(), draft("군사I급비밀"), strings.NewReader("x"))
	var p *desk.Problem
	if !errors.As(err, &p) || !strings.Contains(p.Hint, "entente why KR-") {
		t.Fatalf("it is not told where the refusal is: %v, %+v", err, p)
	}
	refused := strings.Trim(strings.Fields(p.Hint)[2], "'")
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("a report"))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	officer, clerk, analyst := signIn(t, kr, "officer"), signIn(t, jp, "clerk"), signIn(t, jp, "analyst")
	released := fmt.Sprint("/why/", slip.Entry)
	entry := fmt.Sprint("/why/", indexOf(t, kr.Node, act.ReleaseDenied))
	for lang, want := range map[string][]string{
		"en": {"refused", "Article 4", "the marking is not in the pact&#39;s table", "allowed", "In force", "closed", "Article 21", "Purpose"},
		"ko": {"거부", "제4조", "협정 대응표에 없는 표시", "허용", "발효 중", "불가", "제21조", "목적"},
		"ja": {"拒否", "第4条", "対応表にない表示", "許可", "発効中", "不可", "第21条", "目的"},
	} {
		for _, b := range []*browser{officer, analyst} {
			b.get("/lang?l=" + lang)
		}
		for path, words := range map[string][]string{"/why": want[1:3], entry: want[:3], "/why/" + refused: want[:3], released: want[3:4], "/why/kr-jp-2016": {strings.ToLower(want[4]), want[5], want[6]}} {
			body, status := officer.get(path)
			for _, w := range words {
				if status != http.StatusOK || !strings.Contains(body, w) {
					t.Errorf("%s %s: %d, no %q", lang, path, status, w)
				}
			}
			if lang != "en" && (strings.Contains(body, "Article ") || strings.Contains(body, "we cannot")) {
				t.Errorf("%s %s speaks English", lang, path)
			}
		}
		if body, status := analyst.get("/why/" + string(slip.Number) + "?deed=copy&at="); status != http.StatusOK || !strings.Contains(body, want[3]) || !strings.Contains(body, "極秘") {
			t.Errorf("%s: the copy of a product is explained with %d", lang, status)
		}
	}
	for _, path := range []string{"/why/" + string(slip.Number), "/why/99999", "/why/" + act.DigestOf(nil).String(), "/why/no-such-pact", "/why/kr-jp-2016?at=yesterday", "/why/kr-jp-2016?deed=notice"} {
		if _, status := clerk.get(path); status != http.StatusNotFound {
			t.Errorf("%s is answered %d to a clerk", path, status)
		}
	}
	if body, status := analyst.get("/why"); status != http.StatusOK || strings.Contains(body, "denied") {
		t.Errorf("what was refused to nobody is listed: %d", status)
	}
}
