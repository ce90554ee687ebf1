package node_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/intake"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/party"
	"entente/release"
)

const trilateral = act.PactID("kr-jp-us-2014")

func draftThree(to ...act.Party) release.Draft {
	d := draft("군사II급비밀")
	d.Pact, d.To = trilateral, to
	return d
}

// trio is three nodes under the arrangement of 2014, driven by their steps alone:
// what one says to another goes when the test has it go.
type trio struct {
	couple
	us *node.Node
}

func arranged(t *testing.T) *trio {
	t.Helper()
	x := &trio{couple: couple{clock: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}}
	seams := node.World(slog.New(slog.DiscardHandler))
	seams.Now = func() time.Time { return x.clock }
	for p, to := range map[act.Party]**node.Node{"KR": &x.kr, "JP": &x.jp, "US": &x.us} {
		d, dir := memory.NewDisk(), t.TempDir()
		people := staff(p)
		for i := range people {
			people[i].Until = act.MomentOf(x.clock.AddDate(9, 0, 0))
			if people[i].Needs != nil {
				people[i].Needs = []act.Need{{Pact: trilateral, Purposes: []string{"threat-assessment"}}}
			}
		}
		err := node.Establish(t.Context(), dir, d.Ledger(), node.Found{Party: p, Name: names[p], Persons: people}, seams)
		if err == nil {
			*to, err = node.New(t.Context(), dir, d.Ledger(), d.Vault(), seams)
		}
		x.must(t, err)
	}
	var cards []act.Card
	for _, a := range x.all() {
		cards = append(cards, a.Card)
		for _, b := range x.all() {
			if a != b {
				x.must(t, a.Chancery.Know(t.Context(), b.Card, party.Code(b.Card), "officer"))
			}
		}
	}
	x.settle(t)
	text, err := pact.Draft(trilateral, cards)
	x.must(t, err)
	p, err := x.kr.Chancery.Propose(t.Context(), text, "officer")
	x.must(t, err)
	x.settle(t)
	x.text = p.Text
	for _, n := range x.all() {
		x.must(t, n.Chancery.Step(t.Context(), act.PactSigned, trilateral, p.Text, "", "officer"))
	}
	x.settle(t)
	x.clock = x.clock.Add(time.Hour)
	return x
}

func (x *trio) all() []*node.Node { return []*node.Node{x.kr, x.jp, x.us} }

// settle carries everything between all.
func (x *trio) settle(t *testing.T) {
	t.Helper()
	for n := 1; n > 0; {
		n = 0
		for _, a := range x.all() {
			for _, b := range x.all() {
				if a != b {
					n += hand(t, a, b)
				}
			}
		}
	}
}

// hand carries what one node has for another.
func hand(t *testing.T, from, to *node.Node) int {
	t.Helper()
	var next int64
	var at act.Head
	if err := to.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		partner, _, err := to.Catalogue.Partner(tx, from.Card.Party)
		if err != nil {
			return err
		}
		peer, err := tx.Peer(from.Card.Party)
		next, at = partner.Received, peer.Head
		return err
	}); err != nil {
		t.Fatal(err)
	}
	del, err := from.Carriage.Next(t.Context(), to.Card.Party, next, at)
	if err != nil {
		t.Fatal(err)
	}
	del.From = from.Card.Party
	if err := to.Intake.TakeIn(t.Context(), del); err != nil {
		t.Fatal(err)
	}
	return len(del.Acts)
}

// fate is what a node knows of a product's acceptance by JP.
func (x *trio) fate(t *testing.T, n *node.Node, no act.Number) (s string) {
	t.Helper()
	x.must(t, n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		cu, _, err := n.Catalogue.Product(tx, no)
		if err != nil {
			return err
		}
		if _, is := cu.Received["JP"]; is {
			s += "received "
		}
		if r, is := cu.Refused["JP"]; is {
			s += "refused: " + r.Because[0].Text + " "
		}
		if _, is := cu.Waits["JP"]; is {
			s += "waits "
		}
		_, awaited, err := n.Catalogue.Awaits(tx, "US", no)
		if awaited {
			s += "awaited "
		}
		return err
	}))
	return strings.TrimSpace(s)
}

// TestWaits: a release that rests on an approval which went another way waits for it, as long
// as a bound says, and is taken in or refused with the reason when it is known (R13,
// R14). What would be refused with the approval too, or names none, does not wait.
func TestWaits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*act.Release)      // of what US releases
		after  func(*trio, act.Number) // what happens then
		first  string                  // JP's fate of it, as soon as it came
		last   string                  // and in the end
	}{
		"it comes":       {nil, nil, "waits", "awaited"},
		"it came before": {nil, nil, "received", "received"},
		"never":          {nil, func(x *trio, _ act.Number) { x.clock = x.clock.Add(intake.WaitFor) }, "waits", "refused: it holds information of KR, whose written approval is missing; it was waited for until 2026-01-08T01:00:00Z"},
		"in the last moment": {nil, func(x *trio, _ act.Number) {
			x.clock = x.clock.Add(intake.WaitFor - time.Millisecond)
			hand(t, x.kr, x.jp)
			x.clock = x.clock.Add(time.Millisecond)
		}, "waits", "awaited"},
		"one of two":                       {func(b *act.Release) { b.Consents = append(b.Consents, act.Digest{1}) }, nil, "waits", "awaited"}, // the other was not given to us: such as one of another purpose
		"one that approves something else": {nil, nil, "waits", "refused: it holds information of KR, whose written approval is missing"},
		"none is named":                    {func(b *act.Release) { b.Consents = nil }, nil, "refused: it holds information of KR, whose written approval is missing", "refused: it holds information of KR, whose written approval is missing"},
		"it is needed no less":             {func(b *act.Release) { b.Manifest.Subject = "weather" }, nil, "refused: the subject is outside the pact", "refused: the subject is outside the pact"},
	} {
		t.Run(name, func(t *testing.T) {
			x := arranged(t)
			d := draftThree("US")
			d.Subject = "missile-launch"
			slip, err := x.kr.Release.Release(t.Context(), d, strings.NewReader("of KR"))
			x.must(t, err)
			x.settle(t)
			give := act.Consent{Number: slip.Number, Deed: "pass-on", Recipient: "JP", Purpose: "threat-assessment", Until: act.MomentOf(x.clock.AddDate(1, 0, 0)), Uses: 2}
			if name == "one that approves something else" {
				give.Uses = 1
			}
			consent, err := x.kr.Chancery.Consent(t.Context(), give, "officer")
			x.must(t, err)
			hand(t, x.kr, x.us)
			if name == "it came before" {
				hand(t, x.kr, x.jp)
			}
			b := x.derived(t, slip.Number, consent)
			if c.change != nil {
				c.change(&b)
			}
			if name == "one that approves something else" {
				give.Purpose = "missile-warning"
				other, err := x.kr.Chancery.Consent(t.Context(), give, "officer")
				x.must(t, err)
				b.Consents = []act.Digest{other}
			}
			no := x.enter(t, b)
			hand(t, x.us, x.jp)
			if got := x.fate(t, x.jp, no); got != c.first {
				t.Errorf("at once: %q, want %q", got, c.first)
			}
			x.must(t, x.jp.Intake.Overdue(t.Context())) // nothing is overdue yet
			hand(t, x.jp, x.us)
			if got, want := x.fate(t, x.us, no), c.first; got != want {
				t.Errorf("US is told %q, want %q", got, want)
			}
			if c.after != nil {
				c.after(x, no)
				x.must(t, x.jp.Intake.Overdue(t.Context()))
			}
			x.settle(t)
			if got := x.fate(t, x.jp, no); got != c.last {
				t.Errorf("in the end: %q, want %q", got, c.last)
			}
			if c.last == "awaited" {
				x.must(t, x.jp.Intake.Arrived(t.Context(), no))
				x.settle(t)
				if got := x.fate(t, x.us, no); got != "received" {
					t.Errorf("US is told %q", got)
				}
			}
			x.unchanged(t)
			// The approval was for two: what names it again is refused, and at once.
			if strings.HasPrefix(c.last, "refused") {
				return
			}
			again := x.enter(t, b)
			hand(t, x.us, x.jp)
			if got := x.fate(t, x.jp, again); !strings.HasPrefix(got, "refused: it holds information of KR") && name != "one of two" {
				t.Errorf("a third use of an approval for two: %q", got)
			}
		})
	}
}

// TestWaitsTogether: of those that wait for an approval of two uses the first two have it; and no
// more than a bound of one partner's wait.
func TestWaitsTogether(t *testing.T) {
	x := arranged(t)
	d := draftThree("US")
	d.Subject = "missile-launch"
	slip, err := x.kr.Release.Release(t.Context(), d, strings.NewReader("of KR"))
	x.must(t, err)
	x.settle(t)
	consent, err := x.kr.Chancery.Consent(t.Context(), act.Consent{Number: slip.Number, Deed: "pass-on", Recipient: "JP", Purpose: "threat-assessment", Until: act.MomentOf(x.clock.AddDate(1, 0, 0)), Uses: 2}, "officer")
	x.must(t, err)
	hand(t, x.kr, x.us)
	b := x.derived(t, slip.Number, consent)
	var all []act.Number
	for range 101 { // beside the one that it was made from
		all = append(all, x.enter(t, b))
	}
	for hand(t, x.us, x.jp) > 0 {
	}
	waits := func() (n int) {
		for _, no := range all {
			if x.fate(t, x.jp, no) == "waits" {
				n++
			}
		}
		return n
	}
	if n := waits(); n != 99 || !strings.HasPrefix(x.fate(t, x.jp, all[99]), "refused") {
		t.Errorf("%d of 101 wait, and one more is %s", n, x.fate(t, x.jp, all[99]))
	}
	hand(t, x.kr, x.jp)
	if n := waits(); n != 0 || x.fate(t, x.jp, all[0]) != "awaited" || !strings.HasPrefix(x.fate(t, x.jp, all[1]), "refused") {
		t.Errorf("%d still wait; the first: %s, the second: %s", n, x.fate(t, x.jp, all[0]), x.fate(t, x.jp, all[1]))
	}
	x.unchanged(t)
}

// derived makes a release of US's from a product of KR's, which names approvals, and
// returns what it says.
func (x *trio) derived(t *testing.T, of act.Number, consents ...act.Digest) (b act.Release) {
	t.Helper()
	d := draftThree("JP")
	d.Subject, d.Mark, d.Lineage = "missile-launch", "SECRET", []act.Lineage{{Of: of, How: "excerpt"}}
	slip, err := x.us.Release.Release(t.Context(), d, strings.NewReader("of US, from KR"))
	x.must(t, err)
	x.must(t, x.us.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		e, err := tx.Entry(slip.Entry)
		b = e.Act.Body.(act.Release)
		return err
	}))
	if fmt.Sprint(b.Consents) != fmt.Sprint(consents) {
		t.Fatalf("it names %v, want %v", b.Consents, consents)
	}
	return b
}

// enter has an officer of US's release what a body says, under a number of its own.
func (x *trio) enter(t *testing.T, b act.Release) act.Number {
	t.Helper()
	n, err := act.NewNumber("US", 2026, rand.Reader)
	x.must(t, err)
	b.Manifest.Number = n
	x.must(t, x.us.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		s, err := x.us.Catalogue.Statement(tx, x.clock, act.ProductReleased, b, "JP")
		if err != nil {
			return err
		}
		s.Pact = trilateral
		_, err = x.us.Catalogue.Enter(tx, s, signerOf(t, &partyNode{Node: x.us}, "officer"))
		return err
	}))
	return n
}

// unchanged rebuilds JP's tables, and asks that they are as they were.
func (x *trio) unchanged(t *testing.T) {
	t.Helper()
	before := stored(t, x.jp)
	x.must(t, x.jp.Ledger.Rebuild(t.Context(), func(_, _ int64) {}))
	if !bytes.Equal(before, stored(t, x.jp)) {
		t.Error("the rebuilt tables differ")
	}
}
