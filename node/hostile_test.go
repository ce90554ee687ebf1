package node_test

import (
	"crypto/rand"
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
