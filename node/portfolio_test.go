package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
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
	"entente/pact"
	"entente/party"
	"entente/reading"
	"entente/release"
)

// pactWith is the text of 2016 with another partner, name and life.
func pactWith(t *testing.T, id string, partner act.Party, life string, version int) []byte {
	t.Helper()
	b, _ := pact.Template("kr-jp-2016")
	text := strings.NewReplacer("pact: kr-jp-2016", "pact: "+id, "version: 1\n", fmt.Sprintf("version: %d\n", version), "id: JP", "id: "+string(partner), "party: JP", "party: "+string(partner),
		"{en: Japan, ko: 일본국, ja: 日本国}", "{en: Partner "+string(partner)+"}", "{start: later-notification, term-years: 1, notice-days: 90, anniversary: 11-23}", life).Replace(string(b))
	if _, problems := pact.Parse([]byte(text)); len(problems) > 0 {
		t.Fatal(problems)
	}
	return []byte(text)
}

// TestPortfolio: a node with 34 pacts of different terms tells which is due
// first and reminds of it; one proposal was never answered, one has lapsed, one
// was amended; nothing under one pact is known or ruled under another.
func TestPortfolio(t *testing.T) {
	clock := time.Date(2017, 11, 1, 0, 0, 0, 0, time.UTC)
	seams := node.World(slog.New(slog.DiscardHandler))
	seams.Now = func() time.Time { return clock }
	dir, keyfile := filepath.Join(t.TempDir(), "KR"), filepath.Join(t.TempDir(), "key")
	if err := node.NewKeyFile(keyfile, seams.Random); err != nil {
		t.Fatal(err)
	}
	secret, err := node.KeyFile(keyfile)
	if err != nil {
		t.Fatal(err)
	}
	persons := staff("KR")
	persons[2].Needs = []act.Need{{Pact: "pact-01", Purposes: []string{"threat-assessment"}}}
	if err := node.Init(t.Context(), dir, secret, node.Found{Party: "KR", Name: names["KR"], Persons: persons}, seams); err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), dir, secret, seams)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c, ctx := desk.Within(n.Desk("").API()), context.Background()

	// did folds what a partner sent: its acts come by a road that other tests walk.
	did := func(k act.Kind, id act.PactID, from act.Party, body any) {
		t.Helper()
		by := ""
		if k.OfPact() {
			by = "officer@" + string(from)
		}
		err := n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
			return n.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: act.Act{Kind: k, Pact: id, From: from, By: by, At: act.MomentOf(clock), Body: body}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	conclude := func(text []byte, partner act.Party) *pact.Pact {
		t.Helper()
		p, err := n.Chancery.Propose(ctx, text, "officer")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
			if k == act.PactNotified && p.Terms.Start == "signature" {
				continue
			}
			if err := n.Chancery.Step(ctx, k, p.ID, p.Text, "", "officer"); err != nil {
				t.Fatal(err)
			}
			did(k, p.ID, partner, act.Step{Text: p.Text})
		}
		return p
	}
	var texts []*pact.Pact
	for i := range 34 {
		partner := act.Party(fmt.Sprintf("Q%c%c", 'A'+i/26, 'A'+i%26))
		card := n.Card
		card.Party, card.Name, card.Link[0] = partner, act.Names{EN: "Partner " + string(partner)}, byte(i+1)
		if err := n.Chancery.Know(ctx, card, party.Code(card), "officer"); err != nil {
			t.Fatal(err)
		}
		did(act.AuthorityNotified, "", partner, act.Authority{Name: "officer", Offices: []act.Office{act.Signing}})
		id, life := fmt.Sprintf("pact-%02d", i), fmt.Sprintf("{start: later-notification, term-years: %d, notice-days: %d, anniversary: %02d-%02d}", 1+i%3, 30+i, 1+i%12, 1+i%28)
		if i == 31 {
			life = "{start: signature, notice-months: 6}"
		}
		if i == 32 {
			life = "{start: signature, term-years: 1, notice-days: 10, anniversary: 11-20}"
		}
		text := pactWith(t, id, partner, life, 1)
		if i == 33 { // proposed, and never answered
			p, err := n.Chancery.Propose(ctx, text, "officer")
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, p)
			continue
		}
		texts = append(texts, conclude(text, partner))
	}
	did(act.PactNotice, "pact-32", "QBG", act.Step{Text: texts[32].Text}) // it lapses on 2018-11-20

	clock = time.Date(2019, 1, 2, 0, 0, 0, 0, time.UTC)
	draft := release.Draft{As: "officer", Pact: "pact-02", Title: "a report", Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: "군사II급비밀", MediaType: "text/plain"}
	old, err := n.Release.Release(ctx, draft, strings.NewReader("under the old terms"))
	if err != nil {
		t.Fatal(err)
	}
	var all []desk.PactView
	if err := c.Get(ctx, "/v1/pacts", &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 34 {
		t.Fatalf("%d pacts", len(all))
	}
	phases := map[string]int{}
	for i, v := range all {
		phases[v.Phase]++
		if i > 0 && all[i-1].At != nil && v.At != nil && v.At.Before(all[i-1].At.Time) || i > 0 && all[i-1].At == nil && v.At != nil {
			t.Errorf("%s comes before %s and is due later", all[i-1].ID, v.ID)
		}
		if v.Next == "" {
			t.Errorf("%s: nothing is said to come next", v.ID)
		}
		row := texts[slices.IndexFunc(texts, func(p *pact.Pact) bool { return p.ID == v.ID })]
		if v.At != nil && v.Next[:4] == "last" {
			days := int(v.At.Sub(clock).Hours() / 24)
			if near := days < 120; near != (v.Reminder != nil) {
				t.Errorf("%s, %d days before its deadline: reminder %+v (%v)", v.ID, days, v.Reminder, row.Terms)
			}
		}
	}
	if phases["in-force"] != 32 || phases["proposed"] != 1 || phases["terminated"] != 1 {
		t.Errorf("%v", phases)
	}

	// The desk lists them for who signs, with its reminders; another is told only of pacts that they need to know.
	at := &partyNode{Node: n}
	signs, reads := signIn(t, at, "officer"), signIn(t, at, "analyst")
	near := slices.IndexFunc(all, func(v desk.PactView) bool { return v.Reminder != nil })
	for lang, want := range map[string][]string{
		"en": {"A notice deadline is near", "days to the last moment for a notice, 2019-", "proposed", "signing"},
		"ko": {"종료 통보 기한 임박", "종료 통보의 기한까지", "제안됨", "서명"},
		"ja": {"終了の通告の期限が近い協定", "終了の通告の期限まで", "提案済み", "署名"},
	} {
		signs.get("/lang?l=" + lang)
		home, _ := signs.get("/")
		list, _ := signs.get("/pacts")
		page, status := signs.get("/pacts/" + string(all[near].ID))
		if !strings.Contains(home, want[0]) || !strings.Contains(home, want[1]) || !strings.Contains(list, want[2]) || !strings.Contains(list, want[3]) || strings.Count(list, "<tr>") != 35 || status != 200 || !strings.Contains(page, want[1]) {
			t.Errorf("%s: the desk does not tell of %v", lang, want)
		}
	}
	if home, _ := reads.get("/"); strings.Contains(home, "A notice deadline is near") {
		t.Error("who signs no notices is reminded of them")
	}
	list, _ := reads.get("/pacts")
	if _, status := reads.get("/pacts/pact-02"); status != 404 || !strings.Contains(list, "pact-01") || strings.Contains(list, "pact-02") {
		t.Errorf("the analyst is shown pacts that they need not know: %d", status)
	}

	// The amendment: from now on the new text rules, and the old one says so.
	amended := conclude(pactWith(t, "pact-02", "QAC", "{start: later-notification, term-years: 2, notice-days: 32, anniversary: 03-03}", 2), "QAC")
	if err := c.Get(ctx, "/v1/pacts", &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.ID == "pact-02" && (v.Phase == "amended") != (v.Version == 1) {
			t.Errorf("version %d is %s", v.Version, v.Phase)
		}
	}
	// A third text waits: a step that the text in force does not fit goes to the newest that it fits, and both are shown.
	third, err := n.Chancery.Propose(ctx, pactWith(t, "pact-02", "QAC", "{start: later-notification, term-years: 3, notice-days: 32, anniversary: 03-03}", 3), "officer")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
		var v desk.PactView
		if err := c.Post(ctx, "/v1/pact/step", desk.PactAsk{Pact: "pact-02", Step: k, As: "officer"}, &v); err != nil || v.Version != 3 || v.Text != third.Text {
			t.Errorf("%s goes to version %d: %v", k, v.Version, err)
		}
	}
	var fits act.Sum
	if err := n.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		fits, _, err = n.Chancery.Fits(tx, act.PactNotice, "pact-02", "officer")
		return err
	}); err != nil || fits != amended.Text {
		t.Errorf("a notice goes to another text than the one in force: %v", err)
	}
	fresh, err := n.Release.Release(ctx, draft, strings.NewReader("under the amended terms"))
	if err != nil {
		t.Fatal(err)
	}
	err = n.Ledger.View(ctx, func(tx *ledger.Tx) error {
		for number, text := range map[act.Number]act.Sum{old.Number: texts[2].Text, fresh.Number: amended.Text} {
			cu, _, err := n.Catalogue.Product(tx, number)
			if err != nil {
				return err
			}
			if cu.Text != text {
				t.Errorf("%s keeps other terms than those it was released under", number)
			}
			// Who needs to know under another pact learns nothing of it: the words are those for a number that does not exist.
			r, on, err := n.Reading.Explain(tx, number, reading.Deed{As: "analyst", Deed: "read"}, clock)
			if err != nil {
				return err
			}
			none, nothing, err := n.Reading.Explain(tx, "QAB-2019-0000-0000", reading.Deed{As: "analyst", Deed: "read"}, clock)
			if err != nil || r.Allowed || r.String() != none.String() || !reflect.DeepEqual(on, nothing) {
				t.Errorf("%s on %+v, and for nothing %s on %+v, %v", r, on, none, nothing, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// A partner that is no party to a pact cannot stop it, nor use up numbers of another's series.
	if err := n.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		squat := act.Manifest{Number: "QAC-2019-7Q4K-M2XT", Pact: "pact-03", Originator: "QAC", Origins: []act.Party{"QAC"}, Recipients: []act.Party{"KR"}}
		for _, a := range []act.Act{
			{Kind: "pact.unheard-of", Must: true, Pact: "pact-02", From: "QAD", At: act.MomentOf(clock)},
			{Kind: act.ProductReleased, Pact: "pact-03", From: "QAD", To: squat.Recipients, At: act.MomentOf(clock), Body: act.Release{Manifest: squat}},
		} {
			if err := n.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: a}); err != nil {
				return err
			}
		}
		// Nor may it give notice under it, approve its own visit to us, or take back another's approval.
		var visit, consent act.Digest
		visit[0], consent[0] = 1, 2
		for _, e := range []ledger.Entry{
			{Act: act.Act{Kind: act.PactNotice, Pact: "pact-03", From: "QAC", Body: act.Step{Text: texts[3].Text}}},
			{Act: act.Act{Kind: act.VisitAsked, Pact: "pact-02", From: "QAC", To: []act.Party{"KR"}, Body: act.Visit{Visitors: []string{"Major A"}}}, Digest: visit},
			{Act: act.Act{Kind: act.VisitApproved, Pact: "pact-02", From: "QAC", To: []act.Party{"KR"}, Body: act.Approval{Visit: visit, Mark: act.Mark{Party: "KR", Text: "군사II급비밀"}}}},
			{Act: act.Act{Kind: act.ConsentGiven, Pact: "pact-02", From: "QAC", To: []act.Party{"KR"}, Body: act.Consent{Number: "QAC-2019-AAAA-AAAA", Deed: "purpose", Purpose: "missile-warning", Uses: 1}}, Digest: consent},
			{Act: act.Act{Kind: act.ConsentWithdrawn, Pact: "pact-02", From: "QAD", Body: act.Withdrawal{Act: consent}}},
		} {
			e.Act.At = act.MomentOf(clock)
			if err := n.Catalogue.Fold(tx, e); err != nil {
				return err
			}
		}
		if _, row, _, err := n.Catalogue.PactUnder(tx, "pact-03", texts[3].Text); err != nil || len(row.Life.Notices) != 0 {
			t.Errorf("a stranger gave notice: %+v, %v", row.Life.Notices, err)
		}
		if v, ok, err := n.Catalogue.Visit(tx, visit); err != nil || !ok || v.Approved != nil {
			t.Errorf("the visitor approved its own visit: %+v, %v", v, err)
		}
		if all, err := n.Catalogue.Consents(tx, "KR", "QAC-2019-AAAA-AAAA"); err != nil || len(all) != 1 || all[0].Withdrawn {
			t.Errorf("a stranger took back an approval: %+v, %v", all, err)
		}
		// Nor has what a stranger states under it, or what is dated before its party's last act, any effect (R27, R26, R5, R55).
		to := []act.Party{"KR"}
		for what, x := range map[string]struct {
			act.Act
			void string
		}{
			"a stranger's visit":      {act.Act{Kind: act.VisitAsked, Pact: "pact-03", From: "QAC", To: to, Body: act.Visit{}}, "no party to the pact"},
			"a stranger's notice":     {act.Act{Kind: act.LawNotified, Pact: "pact-03", From: "QAC", To: to, Body: act.LawNotice{}}, "no party to the pact"},
			"a stranger's assurance":  {act.Act{Kind: act.AssuranceGiven, Pact: "pact-03", From: "QAC", To: to, Body: act.Assurance{}}, "no party to the pact"},
			"a stranger's opening":    {act.Act{Kind: act.ProductOpened, Pact: "pact-02", From: "QAD", To: to, Body: act.Opening{Number: "QAC-2019-AAAA-AAAA", Consents: []act.Digest{consent}}}, "no party to the pact"},
			"under no pact":           {act.Act{Kind: act.VisitAsked, Pact: "pact-99", From: "QAC", To: to, Body: act.Visit{}}, "no pact of this name"},
			"signed without its post": {act.Act{Kind: act.ProductReleased, By: "nobody@QAC", Pact: "pact-02", From: "QAC", To: to, Body: act.Release{}}, "not notified with the office 'release'"},
		} {
			x.At = act.MomentOf(clock)
			why, err := n.Catalogue.Void(tx, x.Act)
			if err != nil || len(why) != 1 || !strings.Contains(why[0].Text, x.void) || why[0].Cure == "" {
				t.Errorf("%s: %+v, %v", what, why, err)
			}
			before, err := catalogue.Dump(tx)
			if err != nil {
				return err
			}
			if err := n.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: x.Act}); err != nil {
				return err
			}
			if after, err := catalogue.Dump(tx); err != nil || bytes.Count(after, []byte("\n")) != bytes.Count(before, []byte("\n")) {
				t.Errorf("%s has an effect: %v", what, err)
			}
			x.Act.Kind, x.Act.Body, x.Pact, x.By, x.From = act.PactNotice, act.Step{Text: amended.Text}, "pact-02", "officer@QAC", "QAC"
			for late, void := range map[time.Duration]bool{0: false, -time.Millisecond: true} {
				x.At = act.MomentOf(clock.Add(late))
				if why, err := n.Catalogue.Void(tx, x.Act); err != nil || (why != nil) != void {
					t.Errorf("dated %s after its party's last act: %+v, %v", late, why, err)
				}
			}
		}
		if all, err := n.Catalogue.Consents(tx, "KR", "QAC-2019-AAAA-AAAA"); err != nil || len(all) != 1 || all[0].Used != 0 {
			t.Errorf("a stranger spent an approval: %+v, %v", all, err)
		}
		why, err := n.Catalogue.Blocked(tx, "pact-02")
		if err != nil || why != "" {
			t.Errorf("a stranger blocks it: %s, %v", why, err)
		}
		if _, had, err := n.Catalogue.Product(tx, squat.Number); err != nil || had {
			t.Errorf("another's number is used up: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	did(act.PactNotice, "pact-02", "QAC", act.Step{Text: amended.Text})
	clock = clock.AddDate(4, 0, 0)
	var refused *release.Refused
	if _, err := n.Release.Release(ctx, draft, strings.NewReader("after its end")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("after the end of the amended text the old one rules again: %v", err)
	}
}
