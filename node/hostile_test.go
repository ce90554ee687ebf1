package node_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/ledger"
	"entente/pact"
	"entente/party"
	"entente/release"
)

// TestHostileActs: a partner with valid keys sends acts that are not its to
// send. Each is kept and refused, and changes nothing here.
func TestHostileActs(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	mole := act.Person{Name: "mole", Post: "none", Offices: []act.Office{act.Releasing, act.Signing}, Clearance: "군사II급비밀", Until: act.MomentOf(time.Now().AddDate(1, 0, 0))}
	card := jp.Card
	card.Link[0] ^= 1
	foreign, _ := pact.Template("us-jp-2007")
	shipped, _ := pact.Template("kr-jp-2016")
	renamed := strings.Replace(string(shipped), "pact: kr-jp-2016", "pact: kr-jp-2099", 1)
	number, err := act.NewNumber("KR", 2016, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sent := []struct {
		kind act.Kind
		id   act.PactID
		body any
	}{
		{act.PersonEnrolled, "", mole},
		{act.PartnerKnown, "", act.Known{Card: card, Code: "0"}},
		{act.NodeOpened, "", card},
		{act.MandateGiven, "kr-jp-2016", act.Mandate{Pact: "kr-jp-2016", Kind: "report", Subject: "defence", Mark: act.Mark{Party: "KR", Text: "군사II급비밀"}, Purpose: "threat-assessment", Until: mole.Until}},
		{act.NeedReviewed, "kr-jp-2016", act.Review{Number: number, Person: "mole", Until: mole.Until}},
		{act.PactProposed, "us-jp-2007", act.Proposal{Text: string(foreign)}},    // not ours
		{act.PactProposed, "kr-jp-2016", act.Proposal{Text: renamed}},            // under another's name
		{act.PactProposed, "kr-jp-2016", act.Proposal{Text: "pact: kr-jp-2016"}}, // no pact
	}
	unchanged := func() {
		err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) (err error) {
			for _, name := range []string{"mole", "officer"} {
				if p, ok, err := kr.Catalogue.Person(tx, name); err != nil || ok && p.Name == "mole" {
					t.Errorf("%s is enrolled with us: %v", name, err)
				}
			}
			partner, _, err := kr.Catalogue.Partner(tx, "JP")
			if err != nil || partner.Card.Link != jp.Card.Link {
				t.Errorf("the pin of JP was changed: %v", err)
			}
			all, err := kr.Catalogue.Pacts(tx)
			if err != nil || len(all) != 1 {
				t.Errorf("%d pacts, %v", len(all), err)
			}
			m, err := kr.Catalogue.Mandates(tx)
			if err != nil || len(m) != 0 {
				t.Errorf("%d mandates, %v", len(m), err)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	unchanged()
	for _, x := range sent {
		err := jp.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
			s, err := jp.Catalogue.Statement(tx, time.Now(), x.kind, x.body, "KR")
			if err != nil {
				return err
			}
			s.Pact = x.id
			_, err = jp.Catalogue.Enter(tx, s, nil)
			return err
		})
		if err != nil {
			t.Fatal(x.kind, err)
		}
	}
	jp.until(t, "every one is refused", func(tx *ledger.Tx) bool {
		refused := 0
		for e, err := range tx.Entries(0) {
			if err != nil {
				t.Fatal(err)
			}
			if b, ok := e.Act.Body.(act.Refusal); ok && e.Act.From == "KR" {
				if len(b.Because) == 0 || b.Because[0].Cure == "" {
					t.Errorf("%s is refused without a reason or a cure", b.Kind)
				}
				refused++
			}
		}
		return refused == len(sent)
	})
	unchanged()
}

// TestStranger: a node that answers to a partner's name with other keys, and one
// that nobody here knows, get nothing, and are told nothing but that.
func TestStranger(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	slip, err := kr.Release.Release(t.Context(), release.Draft{As: "officer", Pact: "kr-jp-2016", Title: "for Tokyo alone", Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: "군사II급비밀", MediaType: "text/plain"}, strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	jp.until(t, "it is here", func(tx *ledger.Tx) bool {
		cu, _, err := jp.Catalogue.Product(tx, slip.Number)
		return err == nil && len(cu.Received) == 1
	})
	impostor := start(t, "JP") // the same name, other keys
	var before int64
	if err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error { before = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	var v desk.SignView
	err = impostor.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: "kr-jp-2016", Address: kr.addr, Code: party.Code(kr.Card), As: "officer", Notify: true}, &v)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it goes on calling meanwhile
	if err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		if tx.Size() != before {
			t.Errorf("%d entries came of it", tx.Size()-before)
		}
		p, _, err := kr.Catalogue.Partner(tx, "JP")
		if err == nil && p.Card.Link != jp.Card.Link {
			t.Error("the pin was changed")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := impostor.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			if e.Act.From == "KR" {
				t.Errorf("the impostor got %s", e.Act.Kind)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var s desk.StatusView
	if err := impostor.c.Get(t.Context(), "/v1/status", &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Partners) != 1 || s.Partners[0].Linked || !strings.Contains(s.Partners[0].Trouble, "compare codes first") {
		t.Errorf("what the impostor is told: %+v", s.Partners)
	}
}

// TestBackdated: an act that is dated before its party's last one is refused with
// a reason and has no effect (R55), a notice that comes after its deadline is
// answered, and who left is withdrawn at the partner (R24).
func TestBackdated(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	var text act.Sum
	var life pact.Life
	var terms *pact.Pact
	read := func(n *partyNode) {
		t.Helper()
		if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			p, row, _, err := n.Catalogue.Pact(tx, "kr-jp-2016", time.Now())
			terms, text, life = p, row.Text, row.Life
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	read(kr)
	if err := jp.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		s, err := jp.Catalogue.Statement(tx, time.Now(), act.PactNotice, act.Step{Text: text}, "KR")
		if err != nil {
			return err
		}
		s.Pact, s.At = "kr-jp-2016", act.MomentOf(s.At.AddDate(0, -1, 0))
		_, err = jp.Catalogue.Enter(tx, s, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	refused := func(n *partyNode, what string) {
		t.Helper()
		n.until(t, what, func(tx *ledger.Tx) bool {
			for e, err := range tx.Entries(0) {
				if b, ok := e.Act.Body.(act.Refusal); err == nil && ok && strings.Contains(b.Because[0].Text, what) {
					return true
				}
			}
			return false
		})
	}
	refused(jp, "dated before an act that its party sent earlier")
	if read(kr); len(life.Notices) != 0 {
		t.Errorf("a notice that was dated back counts: %+v", life.Notices)
	}

	left := staff("JP")[0]
	if err := jp.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		p, _, err := jp.Catalogue.Person(tx, "officer")
		left = p
		return err
	}); err != nil {
		t.Fatal(err)
	}
	left.Left = true
	if err := jp.Chancery.Enrol(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	kr.until(t, "the officer of JP is withdrawn", func(tx *ledger.Tx) bool {
		p, _, err := kr.Catalogue.Partner(tx, "JP")
		return err == nil && len(p.Authorities["officer"].Offices) == 0 && p.Authorities["officer"].Key != ""
	})
	if err := kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		a := act.Act{Kind: act.PactNotice, Pact: "kr-jp-2016", From: "JP", By: "officer@JP", To: []act.Party{"KR"}, At: act.MomentOf(time.Now()), Body: act.Step{Text: text}}
		why, err := kr.Catalogue.Void(tx, a)
		if len(why) != 1 || !strings.Contains(why[0].Text, "was withdrawn") {
			t.Errorf("one who left gives notice: %+v", why)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	// A notice of JP's, in time by its date, comes to KR when its deadline has passed.
	deadline, _ := terms.Deadline(life, time.Now())
	err := kr.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		given := act.Act{Version: act.Version, Kind: act.PactNotice, From: "JP", To: []act.Party{"KR"}, Pact: "kr-jp-2016", Period: 1, At: act.MomentOf(deadline.Add(-time.Minute)), Body: act.Step{Text: text}}
		again := act.Act{Kind: act.AuthorityNotified, From: "JP", At: given.At, Body: act.Authority{Name: "officer", Offices: []act.Office{act.Signing}}}
		if err := kr.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: again}); err != nil {
			return err
		}
		e, err := kr.Catalogue.Enter(tx, given, signerOf(t, jp, "officer")) // the entry alone: what carries it is tested elsewhere
		if err != nil {
			return err
		}
		answer := act.Act{Kind: act.ActRefused, From: "KR", To: []act.Party{"JP"}, Pact: "kr-jp-2016", At: act.MomentOf(deadline.Add(time.Hour)), Body: act.Refusal{Act: e.Digest, Kind: act.PactNotice, Kept: true, Because: []act.Reason{{Article: "Article 21", Text: "late", Cure: "none"}}}}
		if err := kr.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: answer}); err != nil {
			return err
		}
		p, row, _, err := kr.Catalogue.PactUnder(tx, "kr-jp-2016", text)
		if err == nil && !p.Disputed(row.Life, deadline.AddDate(0, 6, 0)) {
			t.Errorf("the parties read a late notice alike: %+v", row.Life.Notices)
		}
		return errors.Join(err, errUndone)
	})
	if !errors.Is(err, errUndone) {
		t.Error(err)
	}
}

var errUndone = errors.New("nothing of this is to stay")
