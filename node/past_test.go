package node_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/desk"
	"entente/ledger"
	"entente/node"
	"entente/reading"
)

// asked is a question with the answer that it had when it was one about the present.
type asked struct {
	n    *node.Node
	ask  desk.WhyAsk
	then string
	size int64
}

// why asks a node, and returns the whole answer as it is spelled.
func why(t *testing.T, n *node.Node, ask desk.WhyAsk) (desk.WhyView, string) {
	t.Helper()
	var raw json.RawMessage
	if err := desk.Within(n.Desk("").API()).Long(t.Context(), "/v1/why", ask, &raw, func(_, _ int64) {}); err != nil {
		t.Fatalf("%+v: %v", ask, err)
	}
	var v desk.WhyView
	if err := json.Unmarshal(raw, &struct {
		*desk.WhyView
		Entries []any `json:"entries"` // an act's body is read by its kind alone
	}{WhyView: &v}); err != nil {
		t.Fatal(err)
	}
	return v, string(raw)
}

// TestPast: what a question about the present was answered, the same question is answered
// about that moment for ever: after persons were withdrawn, approvals spent and withdrawn, marks
// lowered, the product destroyed, the pact read differently and terminated. And each
// ruling that the ledger recorded is given again by the ledger before its entry.
func TestPast(t *testing.T) {
	x := inForce(t, "")
	until := act.MomentOf(x.clock.AddDate(9, 0, 0))
	enrol := func(n *node.Node, p act.Person) {
		t.Helper()
		p.Until = until
		x.must(t, n.Enrol(t.Context(), p))
		x.settle(t)
	}
	for _, n := range []*node.Node{x.kr, x.jp} {
		for _, p := range staff(n.Card.Party) {
			enrol(n, p)
		}
		enrol(n, act.Person{Name: "registrar", Post: "Registrar", Offices: []act.Office{act.Registry}})
	}
	x.clock = x.clock.Add(time.Hour)
	slip, err := x.kr.Release.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	no := slip.Number

	var all []asked
	tick := func() { // a question about a moment asks what was entered before it
		t.Helper()
		x.clock = x.clock.Add(time.Minute)
		for _, q := range []struct {
			n *node.Node
			d reading.Deed
		}{
			{x.jp, reading.Deed{}},
			{x.jp, reading.Deed{As: "analyst"}},
			{x.jp, reading.Deed{As: "analyst", Purpose: "missile-warning"}},
			{x.jp, reading.Deed{As: "clerk"}},
			{x.jp, reading.Deed{As: "second"}},
			{x.jp, reading.Deed{As: "analyst", Deed: "pass-on", Recipient: "US"}},
			{x.jp, reading.Deed{As: "analyst", Deed: "copy"}},
			{x.jp, reading.Deed{As: "analyst", Deed: "translate"}},
			{x.jp, reading.Deed{As: "registrar", Deed: "destroy", Method: "burn"}},
			{x.kr, reading.Deed{As: "officer", Deed: "downgrade", Mark: "군사III급비밀"}},
			{x.kr, reading.Deed{As: "analyst"}},
		} {
			ask := desk.WhyAsk{Number: no, Deed: q.d}
			v, then := why(t, q.n, ask)
			ask.When.Moment = x.clock
			all = append(all, asked{q.n, ask, then, v.Ledger.Size})
		}
	}
	open := func(name, purpose string) error {
		o, err := x.jp.Reading.Open(t.Context(), no, name, purpose)
		if err == nil {
			err = o.Close()
		}
		x.settle(t)
		return err
	}
	denied := func(err error) {
		t.Helper()
		var d *reading.Denied
		if !errors.As(err, &d) {
			t.Fatalf("it was not denied: %v", err)
		}
	}
	consent := func(deed, purpose string, to act.Party) act.Digest {
		t.Helper()
		d, err := x.kr.Chancery.Consent(t.Context(), act.Consent{Number: no, Deed: deed, Recipient: to, Purpose: purpose, Until: until, Uses: 1}, "officer")
		x.must(t, err)
		return d
	}
	settle := func() { t.Helper(); x.settle(t) }
	for _, step := range []func(){
		func() {},
		func() { x.must(t, open("analyst", "")) },
		func() { denied(open("clerk", "")) },
		func() { denied(open("analyst", "missile-warning")) },
		func() { consent("purpose", "missile-warning", "") }, // given, and still on its way
		settle,
		func() { x.must(t, open("analyst", "missile-warning")) },
		func() { denied(open("analyst", "missile-warning")) }, // it is spent
		func() {
			_, err := x.jp.Reading.Do(t.Context(), no, reading.Deed{As: "analyst", Deed: "copy", Holder: "operations", Reason: "briefing"})
			x.must(t, err)
		},
		func() {
			d := consent("pass-on", "threat-assessment", "US")
			settle()
			tick()
			x.must(t, x.kr.Chancery.Withdraw(t.Context(), d, "the need has passed", "officer"))
		},
		settle,
		func() {
			_, err := x.kr.Reading.Do(t.Context(), no, reading.Deed{As: "officer", Deed: "downgrade", Mark: "군사III급비밀", Reason: "it was in the press"})
			x.must(t, err)
		},
		settle,
		func() {
			enrol(x.jp, act.Person{Name: "clerk", Post: "Clerk", Offices: []act.Office{act.Reading}, Clearance: "秘", Briefed: true, Facility: "headquarters", Needs: staff("JP")[2].Needs})
		},
		func() { x.must(t, open("clerk", "")) },
		func() { enrol(x.jp, act.Person{Name: "analyst", Post: "Analyst", Left: true}) },
		func() { denied(open("analyst", "")) },
		func() {
			x.must(t, x.jp.Chancery.Read(t.Context(), "kr-jp-2016", x.text, "terminated", "as we read it", "officer"))
			settle()
		},
		func() {
			x.must(t, x.kr.Chancery.Step(t.Context(), act.PactNotice, "kr-jp-2016", x.text, "", "officer"))
			settle()
		},
		func() { x.clock = x.clock.AddDate(1, 0, 0) }, // the pact has ended
		func() {
			_, err := x.jp.Reading.Do(t.Context(), no, reading.Deed{As: "registrar", Deed: "destroy", Method: "burn"})
			x.must(t, err)
			settle()
		},
		func() { denied(open("clerk", "")) },
	} {
		tick()
		step()
	}
	tick()

	before := map[*node.Node][]byte{x.kr: stored(t, x.kr), x.jp: stored(t, x.jp)}
	answers := map[string]bool{}
	for _, q := range all {
		v, now := why(t, q.n, q.ask)
		if now != q.then {
			t.Errorf("%s by %s of %s at %s, by %d entries, was answered\n%s\nand is answered, by %d\n%s", q.ask.Deed.Deed, q.ask.As, q.n.Card.Party, q.ask.When.Moment, q.size, q.then, v.Ledger.Size, now)
		}
		if v.Ruling != nil {
			answers[fmt.Sprint(q.n.Card.Party, q.ask.Deed, v.Ruling.Ruling)] = true
		}
	}
	if len(answers) < 20 {
		t.Errorf("%d questions had no more than %d answers: nothing changed under them", len(all), len(answers))
	}
	recorded := map[act.Kind]int{}
	for _, n := range []*node.Node{x.kr, x.jp} {
		for i, a := range acts(t, n) {
			ask := desk.WhyAsk{Number: no, When: ledger.When{Entry: new(int64)}}
			*ask.When.Entry = int64(i)
			allowed, because := true, []act.Reason(nil)
			switch b := a.Body.(type) {
			case act.Release:
				if ask.Deed = (reading.Deed{Deed: "accept"}); n == x.kr {
					ask.Deed = reading.Deed{Deed: "release", As: "officer"}
				}
			case act.Opening:
				ask.Deed = reading.Deed{As: b.Person, Purpose: b.Purpose}
			case act.Copy:
				ask.Deed = reading.Deed{As: b.Person, Deed: "copy"}
			case act.Certificate:
				ask.Deed = reading.Deed{As: b.Person, Deed: "destroy", Method: b.Method}
			case act.Reclassification:
				ask.Deed = reading.Deed{As: "officer", Deed: "downgrade", Mark: b.Mark.Text}
			case act.Denial:
				ask.Deed, allowed, because = reading.Deed{As: b.Person, Purpose: b.Purpose}, false, b.Because
			default:
				continue
			}
			if a.From != n.Card.Party && ask.Deed.Deed != "accept" {
				continue // the partner ruled on it
			}
			recorded[a.Kind]++
			v, _ := why(t, n, ask)
			if act.ReleaseAsked != a.Kind { // the entry alone says what is asked
				again, _ := why(t, n, desk.WhyAsk{Entry: ask.When.Entry})
				if was, is := *v.Ruling, *again.Ruling; !reflect.DeepEqual(was.Ruling, is.Ruling) || !slices.Equal(was.Rests, is.Rests) || was.Deed != is.Deed || again.Ledger != v.Ledger {
					t.Errorf("entry %d of %s, %s: by its entry it is explained as %+v, by what it says as %+v", i, n.Card.Party, a.Kind, is, was)
				}
			}
			if v.Ruling.Allowed != allowed || !allowed && !slices.Equal(v.Ruling.Because, because) || v.Ledger.Size != int64(i) || a.From == n.Card.Party && !v.At.Equal(a.At.Time) {
				t.Errorf("entry %d of %s, %s: recorded %v %v, ruled again %+v by %d entries", i, n.Card.Party, a.Kind, allowed, because, v.Ruling, v.Ledger.Size)
			}
		}
	}
	if want := map[act.Kind]int{act.ProductReleased: 2, act.ProductOpened: 3, act.OpeningDenied: 5, act.ProductCopied: 1, act.ProductReclassified: 1, act.ProductDestroyed: 1}; !maps.Equal(recorded, want) {
		t.Errorf("recorded were %v, want %v", recorded, want)
	}
	for n, b := range before {
		if !bytes.Equal(b, stored(t, n)) {
			t.Errorf("questions changed what %s stores", n.Card.Party)
		}
	}
}

// acts reads the acts of a node's ledger.
func acts(t *testing.T, n *node.Node) (all []act.Act) {
	t.Helper()
	if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			all = append(all, e.Act)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// stored is all that a node's ledger is folded to, and its head.
func stored(t *testing.T, n *node.Node) (b []byte) {
	t.Helper()
	if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		h, err := tx.Head()
		if err != nil {
			return err
		}
		rows, err := catalogue.Dump(tx)
		b = append(rows, fmt.Sprint(h)...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRests: a ruling names the acts that it rests on, of each deed those that count.
func TestRests(t *testing.T) {
	x := inForce(t, "")
	slip, err := x.kr.Release.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	no := slip.Number
	for _, k := range []act.Consent{{Deed: "pass-on", Recipient: "US", Purpose: "threat-assessment"}, {Deed: "pass-on", Recipient: "AU", Purpose: "threat-assessment"}, {Deed: "purpose", Purpose: "missile-warning"}} {
		k.Number, k.Until, k.Uses = no, act.MomentOf(x.clock.AddDate(1, 0, 0)), 1
		d, err := x.kr.Chancery.Consent(t.Context(), k, "officer")
		x.must(t, err)
		x.settle(t)
		if k.Recipient == "US" {
			x.must(t, x.kr.Chancery.Withdraw(t.Context(), d, "", "officer"))
			x.settle(t)
		}
	}
	o, err := x.jp.Reading.Open(t.Context(), no, "analyst", "missile-warning")
	x.must(t, err)
	x.must(t, o.Close())
	x.must(t, x.jp.Chancery.Read(t.Context(), "kr-jp-2016", x.text, "notice-given", "", "officer"))
	x.must(t, x.jp.Chancery.Read(t.Context(), "kr-jp-2016", x.text, "in-force", "", "officer")) // the last reading of each counts
	x.settle(t)
	base := []act.Kind{act.PersonEnrolled, act.PactProposed, act.ProductReleased, act.ProductReceived}
	life := []act.Kind{act.PersonEnrolled, act.PactProposed, act.PactSigned, act.PactSigned, act.PactNotified, act.PactNotified, act.ProductReleased, act.ProductReceived}
	for name, c := range map[string]struct {
		d       reading.Deed
		allowed bool
		rests   []act.Kind
	}{
		"read":                         {reading.Deed{As: "analyst"}, true, base},
		"read by a clerk":              {reading.Deed{As: "clerk"}, false, base},
		"not to be known":              {reading.Deed{As: "officer"}, false, []act.Kind{act.PersonEnrolled}},
		"for a purpose that was spent": {reading.Deed{As: "analyst", Purpose: "missile-warning"}, false, append(slices.Clone(base), act.ConsentGiven, act.ProductOpened)},
		"pass on to one approved":      {reading.Deed{As: "analyst", Deed: "pass-on", Recipient: "AU"}, true, append(slices.Clone(life), act.ConsentGiven, act.PactRead)},
		"pass on, withdrawn":           {reading.Deed{As: "analyst", Deed: "pass-on", Recipient: "US"}, false, append(slices.Clone(life), act.ConsentGiven, act.ConsentWithdrawn, act.PactRead)},
		"pass on, never approved":      {reading.Deed{As: "analyst", Deed: "pass-on", Recipient: "FR"}, false, append(slices.Clone(life), act.PactRead)},
	} {
		v, _ := why(t, x.jp, desk.WhyAsk{Number: no, Deed: c.d})
		var kinds []act.Kind
		entered := acts(t, x.jp)
		for i, r := range v.Ruling.Rests {
			kinds = append(kinds, r.Kind)
			if a := entered[r.Entry]; a.Kind != r.Kind || !a.At.Equal(r.At.Time) || i > 0 && r.Entry <= v.Ruling.Rests[i-1].Entry {
				t.Errorf("%s: entry %d is of %s", name, r.Entry, a.Kind)
			}
		}
		if v.Ruling.Allowed != c.allowed || !slices.Equal(kinds, c.rests) {
			t.Errorf("%s: %v %s\nrests on %v\nnot on  %v", name, v.Ruling.Allowed, v.Ruling, kinds, c.rests)
		}
	}
}

// TestRestsMoving: releases and acceptances name what they rest on too, and a ruling on a
// draft before anything is sent.
func TestRestsMoving(t *testing.T) {
	x := arranged(t)
	d := draftThree("US")
	d.Subject = "missile-launch"
	slip, err := x.kr.Release.Release(t.Context(), d, strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	_, err = x.kr.Chancery.Consent(t.Context(), act.Consent{Number: slip.Number, Deed: "pass-on", Recipient: "JP", Purpose: "threat-assessment", Until: act.MomentOf(x.clock.AddDate(1, 0, 0)), Uses: 1}, "officer")
	x.must(t, err)
	x.settle(t)
	d = draftThree("JP")
	d.Subject, d.Mark, d.Lineage = "missile-launch", "SECRET", []act.Lineage{{Of: slip.Number, How: "excerpt"}}
	signed := []act.Kind{act.PactProposed, act.PactSigned, act.PactSigned, act.PactSigned}
	release := slices.Concat([]act.Kind{act.PersonEnrolled, act.PartnerKnown, act.AuthorityNotified}, signed, []act.Kind{act.ProductReleased, act.ProductReceived, act.ConsentGiven})
	accept := slices.Concat([]act.Kind{act.PartnerKnown, act.AuthorityNotified}, signed, []act.Kind{act.ConsentGiven})
	same := func(what string, rests []desk.RestView, want []act.Kind) {
		t.Helper()
		var kinds []act.Kind
		for _, r := range rests {
			kinds = append(kinds, r.Kind)
		}
		slices.Sort(kinds) // acts of three nodes come in no order of the test's
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(kinds, want) {
			t.Errorf("%s rests on\n%v\nand not on\n%v", what, kinds, want)
		}
	}
	var v desk.RuleView
	x.must(t, desk.Within(x.us.Desk("").API()).Post(t.Context(), "/v1/preview", d, &v))
	same("the draft", v.Rests, release)
	made, err := x.us.Release.Release(t.Context(), d, strings.NewReader("of US, from KR"))
	x.must(t, err)
	w, _ := why(t, x.us, desk.WhyAsk{Number: made.Number, Deed: reading.Deed{As: "officer", Deed: "release"}, When: ledger.When{Entry: &made.Entry}})
	same("the release", w.Ruling.Rests, release)
	if !w.Ruling.Allowed || !v.Allowed {
		t.Errorf("the release is not ruled as it was: %v, %v", v.Ruling, w.Ruling)
	}
	if w, _ = why(t, x.us, desk.WhyAsk{Number: made.Number, Deed: reading.Deed{As: "officer", Deed: "release"}}); w.Ruling.Allowed || !strings.Contains(w.Ruling.String(), "written approval is missing") {
		t.Errorf("once more, now: %v", w.Ruling.Ruling)
	}
	same("once more", w.Ruling.Rests, append(slices.Clone(release), act.ProductReleased)) // which spent the approval
	hand(t, x.us, x.jp)
	at := slices.IndexFunc(acts(t, x.jp), func(a act.Act) bool { return a.Kind == act.ProductReleased && a.From == "US" })
	before := int64(at)
	w, _ = why(t, x.jp, desk.WhyAsk{Number: made.Number, Deed: reading.Deed{Deed: "accept"}, When: ledger.When{Entry: &before}})
	same("the acceptance", w.Ruling.Rests, accept)
	if !w.Ruling.Allowed {
		t.Errorf("the acceptance is not ruled as it was: %v", w.Ruling)
	}
	w, _ = why(t, x.jp, desk.WhyAsk{Number: made.Number, Deed: reading.Deed{Deed: "accept"}})
	if !w.Ruling.Allowed {
		t.Errorf("the acceptance, now: %v", w.Ruling)
	}
	same("the acceptance, now", w.Ruling.Rests, append(slices.Clone(accept), act.ProductReleased)) // which spends the approval
}

// TestPastBounds: a question about the past is bounded, ends with who asked it, and one
// about an entry that is not there is refused.
func TestPastBounds(t *testing.T) {
	x := met(t, "")
	for name, c := range map[string]struct {
		when ledger.When
		says string
	}{
		"an entry to come":    {ledger.When{Entry: new(int64(1 << 40))}, "it has entries 0 to"},
		"an entry below zero": {ledger.When{Entry: new(int64(-1))}, "it has entries 0 to"},
	} {
		err := x.kr.Stood(t.Context(), c.when, func(_, _ int64) {}, func(*ledger.Tx, ledger.State) error { t.Errorf("%s: asked", name); return nil })
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, w := range map[string]ledger.When{"now": {}, "a moment to come": {Moment: x.clock.AddDate(1, 0, 0)}, "before all": {Moment: x.clock.AddDate(-1, 0, 0)}, "entry 0": {Entry: new(int64)}} {
		size := int64(-1)
		x.must(t, x.kr.Stood(t.Context(), w, func(_, _ int64) {}, func(tx *ledger.Tx, s ledger.State) error {
			if size = tx.Size(); s.Head.Size != size {
				t.Errorf("%s: of %d entries, and says %d", name, size, s.Head.Size)
			}
			return nil
		}))
		if all := int64(len(acts(t, x.kr))); (size == all) != (name == "now" || name == "a moment to come") || size != all && size != 0 {
			t.Errorf("%s: %d of %d entries", name, size, all)
		}
	}
}
