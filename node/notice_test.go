//go:build !race

package node_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/desk"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/party"
	"entente/release"
)

// three are nodes of the arrangement of 2014 that are driven by their steps alone,
// under one clock.
type three struct {
	t     *testing.T
	clock time.Time
	nodes map[act.Party]*node.Node
	text  act.Sum
}

func newThree(t *testing.T) *three {
	w := unsigned(t)
	for _, p := range []act.Party{"KR", "JP", "US"} {
		w.sign(p)
	}
	return w
}

func (w *three) sign(p act.Party) {
	w.t.Helper()
	w.must(w.nodes[p].Chancery.Step(w.t.Context(), act.PactSigned, trilateral, w.text, "", "officer"))
	w.settle()
}

// unsigned has the three know each other and the text.
func unsigned(t *testing.T) *three {
	w := &three{t: t, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nodes: map[act.Party]*node.Node{}}
	seams := inMemory(&memory.Network{})
	seams.Now = func() time.Time { return w.clock }
	var cards []act.Card
	for _, p := range []act.Party{"KR", "JP", "US"} {
		d, dir := memory.NewDisk(), t.TempDir()
		people := staff(p)
		for i := range people {
			people[i].Until = act.MomentOf(w.clock.AddDate(2, 0, 0))
		}
		w.must(node.Establish(t.Context(), dir, d.Ledger(), node.Found{Party: p, Name: names[p], Persons: people}, seams))
		n, err := node.New(t.Context(), dir, d.Ledger(), d.Vault(), seams)
		w.must(err)
		w.nodes[p] = n
		cards = append(cards, n.Card)
	}
	for p, n := range w.nodes {
		for _, card := range cards {
			if card.Party != p {
				w.must(n.Chancery.Know(t.Context(), card, party.Code(card), "officer"))
			}
		}
	}
	w.settle()
	text, err := pact.Draft(trilateral, cards)
	w.must(err)
	w.text = catalogue.SumOf(text)
	_, err = w.nodes["KR"].Chancery.Propose(t.Context(), text, "officer")
	w.must(err)
	w.settle()
	return w
}

func (w *three) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// carry is all that a link does: what from has for to beyond to's own count.
func (w *three) carry(from, to act.Party) int {
	w.t.Helper()
	a, b := w.nodes[from], w.nodes[to]
	var next int64
	var at act.Head
	w.must(b.Ledger.View(w.t.Context(), func(tx *ledger.Tx) error {
		partner, _, err := b.Catalogue.Partner(tx, from)
		if err != nil {
			return err
		}
		peer, err := tx.Peer(from)
		next, at = partner.Received, peer.Head
		return err
	}))
	d, err := a.Carriage.Next(w.t.Context(), to, next, at)
	w.must(err)
	d.From = from
	w.must(b.Intake.TakeIn(w.t.Context(), d))
	return len(d.Acts)
}

func (w *three) settle() {
	w.t.Helper()
	for moved := 1; moved > 0; {
		moved = 0
		for a := range w.nodes {
			for b := range w.nodes {
				if a != b {
					moved += w.carry(a, b)
				}
			}
		}
	}
}

func (w *three) view(p act.Party) desk.PactView {
	w.t.Helper()
	var all []desk.PactView
	w.must(desk.Within(w.nodes[p].Desk("").API()).Get(w.t.Context(), "/v1/pacts", &all))
	if len(all) != 1 {
		w.t.Fatalf("%s: %d pacts", p, len(all))
	}
	return all[0]
}

// refusals lists what a node answered to notices, and to what stops one.
func (w *three) refusals(p act.Party) (all []act.Act) {
	w.t.Helper()
	w.must(w.nodes[p].Ledger.View(w.t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			if b, ok := e.Act.Body.(act.Refusal); ok && b.Kind.Answered() && e.Act.From == p {
				all = append(all, e.Act)
			}
		}
		return nil
	}))
	return all
}

// TestNoticeOfThree: in a pact of three, without a term, a notice that comes to
// one party on another day runs from then by its reading; it answers so, to both
// others. All three see who reads it how, in whatever order notice and answer
// came, and obey the stricter reading (R55).
func TestNoticeOfThree(t *testing.T) {
	for what, third := range map[string]func(w *three){
		"the notice comes first": func(w *three) { w.carry("US", "KR") },
		"the answer comes first": func(*three) {},
	} {
		t.Run(what, func(t *testing.T) {
			w := newThree(t)
			given := w.clock
			w.must(w.nodes["US"].Chancery.Step(t.Context(), act.PactNotice, trilateral, w.text, "", "officer"))
			third(w)
			w.clock = given.AddDate(0, 0, 10)
			if w.carry("US", "JP"); w.carry("JP", "KR") != 1 {
				t.Fatal("the answer does not go to the third party")
			}
			w.settle()
			answers := w.refusals("JP")
			if len(answers) != 1 || !slices.Equal(answers[0].To, []act.Party{"KR", "US"}) {
				t.Fatalf("JP answers %+v", answers)
			}
			if r := answers[0].Body.(act.Refusal).Because[0]; r.Article != "Article 8" || !strings.Contains(r.Text, "came on 2026-01-11") || !strings.Contains(r.Text, "ends on 2026-02-10") || r.Cure == "" {
				t.Errorf("it says %+v", r)
			}
			late := "2026-01-31"
			if what == "the answer comes first" {
				late = "2026-02-10" // to KR it came as late
			}
			for p := range w.nodes {
				v := w.view(p)
				for _, r := range v.Readings {
					if want := map[act.Party]string{"US": "2026-01-31", "JP": "2026-02-10", "KR": late}[r.Party]; r.Day != want || r.Phase != pact.NoticeGiven {
						t.Errorf("at %s, %s reads it as %s, ending on %s, want %s", p, r.Party, r.Phase, r.Day, want)
					}
				}
				if !v.Disputed || v.Stands != "notice-given" || !strings.Contains(v.Next, "the pact ends 2026-01-31") {
					t.Errorf("at %s: %+v", p, v)
				}
				// A rebuild folds the same.
				n := w.nodes[p]
				var before, after []byte
				dump := func(b *[]byte) {
					w.must(n.Ledger.View(t.Context(), func(tx *ledger.Tx) (err error) { *b, err = catalogue.Dump(tx); return err }))
				}
				dump(&before)
				w.must(n.Ledger.Rebuild(t.Context(), func(_, _ int64) {}))
				if dump(&after); !bytes.Equal(before, after) {
					t.Errorf("%s: a rebuild folds otherwise", p)
				}
			}
			w.clock = time.Date(2026, 2, 5, 0, 0, 0, 0, time.UTC) // ended by one reading, not by another
			d := draft("군사II급비밀")
			d.Pact, d.To = trilateral, []act.Party{"US"}
			var refused *release.Refused
			if _, err := w.nodes["KR"].Release.Release(t.Context(), d, strings.NewReader("x")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "it is terminated") {
				t.Errorf("KR releases by the laxer reading: %v", err)
			}
			if v := w.view("KR"); v.Stands != "terminated" || !v.Disputed {
				t.Errorf("at KR: %+v", v)
			}
		})
	}
}

// TestWithdrawnLate: the withdrawal of a notice that comes to one party when the pact
// has ended revives nothing there, whatever its date: it says so, all see the dispute,
// and the stricter reading rules. To a party that it came to in time the notice is withdrawn.
func TestWithdrawnLate(t *testing.T) {
	for what, kind := range map[string]act.Kind{"withdrawn": act.PactNoticeWithdrawn, "suspended": act.PactNoticeSuspended} {
		t.Run(what, func(t *testing.T) {
			w := newThree(t)
			given := w.clock
			w.must(w.nodes["US"].Chancery.Step(t.Context(), act.PactNotice, trilateral, w.text, "", "officer"))
			w.settle()
			w.clock = given.AddDate(0, 0, 20)
			w.must(w.nodes["US"].Chancery.Step(t.Context(), kind, trilateral, w.text, "", "officer"))
			w.carry("US", "KR")
			w.clock = given.AddDate(0, 0, 35) // the pact ended after 30
			w.settle()
			answers := w.refusals("JP")
			if len(answers) != 1 || !slices.Equal(answers[0].To, []act.Party{"KR", "US"}) || len(w.refusals("KR")) != 0 {
				t.Fatalf("JP answers %+v, KR %+v", answers, w.refusals("KR"))
			}
			if r := answers[0].Body.(act.Refusal).Because[0]; r.Article != "Article 8" || !strings.Contains(r.Text, "of the notice came on 2026-02-05, when the notice had ended the pact") || r.Cure == "" {
				t.Errorf("it says %+v", r)
			}
			goes := map[act.Kind]pact.Phase{act.PactNoticeWithdrawn: pact.Active, act.PactNoticeSuspended: pact.NoticeSuspended}[kind]
			for p := range w.nodes {
				v := w.view(p)
				for _, r := range v.Readings {
					if want := map[act.Party]pact.Phase{"US": goes, "KR": goes, "JP": pact.Terminated}[r.Party]; r.Phase != want {
						t.Errorf("at %s, %s reads it as %s, want %s", p, r.Party, r.Phase, want)
					}
				}
				if !v.Disputed || v.Stands != "terminated" {
					t.Errorf("at %s: %+v", p, v)
				}
			}
			d := draft("군사II급비밀")
			d.Pact, d.To = trilateral, []act.Party{"US"}
			var refused *release.Refused
			if _, err := w.nodes["KR"].Release.Release(t.Context(), d, strings.NewReader("x")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "it is terminated") {
				t.Errorf("KR releases by the laxer reading: %v", err)
			}
		})
	}
}

// TestNoticeSameDay: a notice that comes on the day on which it was given is read
// alike by all, and nobody answers it.
func TestNoticeSameDay(t *testing.T) {
	w := newThree(t)
	w.must(w.nodes["US"].Chancery.Step(t.Context(), act.PactNotice, trilateral, w.text, "", "officer"))
	w.clock = w.clock.Add(20 * time.Hour)
	w.settle()
	for p := range w.nodes {
		if v := w.view(p); v.Disputed || len(w.refusals(p)) > 0 || v.Readings[0].Day != "2026-01-31" {
			t.Errorf("%s: %+v, answers %v", p, v, w.refusals(p))
		}
	}
}

// TestNoticeEarly: a notice of a party that has not itself brought the pact into
// force is answered by the others: by their reading it has no effect.
func TestNoticeEarly(t *testing.T) {
	w := unsigned(t)
	w.sign("KR")
	w.sign("JP")
	us := w.nodes["US"]
	w.must(us.Ledger.Update(t.Context(), func(tx *ledger.Tx) error { // our own ruling refuses it
		s, err := us.Catalogue.Statement(tx, w.clock, act.PactNotice, act.Step{Text: w.text}, "JP", "KR")
		if err != nil {
			return err
		}
		s.Pact = trilateral
		_, err = us.Catalogue.Enter(tx, s, signerOf(t, &partyNode{Node: us}, "officer"))
		return err
	}))
	w.settle()
	for _, p := range []act.Party{"KR", "JP"} {
		if all := w.refusals(p); len(all) != 1 || !strings.Contains(all[0].Body.(act.Refusal).Because[0].Text, "it has no effect") {
			t.Errorf("%s answers %+v", p, all)
		}
	}
	w.sign("US")
	for p := range w.nodes {
		v := w.view(p)
		for _, r := range v.Readings {
			if want := map[act.Party]pact.Phase{"US": pact.NoticeGiven, "JP": pact.Active, "KR": pact.Active}[r.Party]; r.Phase != want {
				t.Errorf("at %s, %s reads it as %s", p, r.Party, r.Phase)
			}
		}
		if !v.Disputed || v.Stands != "notice-given" {
			t.Errorf("at %s: %+v", p, v)
		}
	}
}

// TestReminded: a serving node says once of each mark that a notice deadline is
// near, also when it is started again; the first page says it to who signs.
func TestReminded(t *testing.T) {
	together(t, func(t *testing.T, net *memory.Network) {
		kr, disk := establish(t, "KR", net)
		jp, _ := establish(t, "JP", net)
		conclude(t, kr, jp)
		kr.stop()
		jp.stop()
		deadline := time.Date(2027, 8, 24, 15, 0, 0, 0, time.UTC)
		log := &logged{}
		for _, x := range []struct{ before, said, days int }{{130, 0, 0}, {121, 0, 0}, {120, 1, 120}, {119, 1, 120}, {101, 1, 120}, {92, 2, 100}, {91, 3, 91}, {3, 3, 91}} {
			time.Sleep(time.Until(deadline.AddDate(0, 0, -x.before)))
			for range 2 {
				seams := inMemory(net)
				seams.Log = slog.New(slog.NewJSONHandler(log, nil))
				kr.resumeIn(t, disk, net, seams)
				time.Sleep(3 * time.Minute)
				if got := log.count("a notice deadline is near"); got != x.said {
					t.Errorf("%d days before: said %d times, want %d: %s", x.before, got, x.said, log.b.String())
				}
				v := kr.status(t).Pacts[0].Reminder
				if (v != nil) != (x.days > 0) || v != nil && (v.Days != x.days || !v.Deadline.Equal(deadline)) {
					t.Errorf("%d days before: the status reminds of %+v", x.before, v)
				}
				kr.stop()
			}
		}
		if want := `"pact":"kr-jp-2016","days":91,"deadline":"2027-08-24T15:00:00Z"`; log.count(want) != 1 {
			t.Errorf("no %s in %s", want, log.b.String())
		}
	})
}
