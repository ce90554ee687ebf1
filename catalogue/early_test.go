package catalogue_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/memory"
	"entente/ledger"
	"entente/pact"

	"golang.org/x/mod/sumdb/note"
)

// TestEarly: of three parties the second may sign what the first proposed before the
// third has heard of it. Whatever comes first, the third folds the same life.
func TestEarly(t *testing.T) {
	text, ok := pact.Template("kr-jp-us-2014")
	if !ok {
		t.Fatal("the arrangement is not shipped")
	}
	at := act.MomentOf(time.Date(2014, 12, 26, 0, 0, 0, 0, time.UTC))
	by := func(from act.Party, k act.Kind, body any) act.Act {
		return act.Act{Kind: k, From: from, Pact: "kr-jp-us-2014", At: at, Period: 1, Body: body}
	}
	sum := catalogue.SumOf(text)
	proposed := by("KR", act.PactProposed, act.Proposal{Text: string(text)})
	steps := []act.Act{
		by("KR", act.PactSigned, act.Step{Text: sum}),
		by("JP", act.PactSigned, act.Step{Text: sum}),
		by("JP", act.PactRead, act.Interpretation{Text: sum, Phase: "terminated"}),
		by("AU", act.PactSigned, act.Step{Text: sum}), // no party
	}
	signers := map[act.Party]note.Signer{}
	for i, p := range []act.Party{"KR", "JP", "AU"} {
		s, _, err := act.NewP384Signer("officer@"+string(p), bytes.Repeat([]byte{byte(i + 1)}, 48), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signers[p] = s
	}
	var lives [][]byte
	for place := range len(steps) + 1 {
		c := &catalogue.Catalogue{Own: "US"}
		l := ledger.Open(memory.NewDisk().Ledger(), ledger.Config{Party: "US", Fold: c.Fold})
		enter := func(tx *ledger.Tx, a act.Act) error {
			var s note.Signer
			if a.Kind.OfPact() {
				a.By = "officer@" + string(a.From)
				s = signers[a.From]
			}
			v, err := act.Sign(a, s)
			if err != nil {
				return err
			}
			_, err = tx.Append(v)
			return err
		}
		err := l.Update(t.Context(), func(tx *ledger.Tx) error {
			for _, p := range []act.Party{"KR", "JP", "AU"} {
				card := act.Card{Party: p, Ledger: []string{"x"}, Period: 1}
				known := act.Act{Kind: act.PartnerKnown, From: "US", At: at, Period: 1, Body: act.Known{Card: card}}
				signs := act.Act{Kind: act.AuthorityNotified, From: p, At: at, Period: 1, Body: act.Authority{Name: "officer", Offices: []act.Office{act.Signing}}}
				if err := errors.Join(enter(tx, known), enter(tx, signs)); err != nil {
					return err
				}
			}
			for i, s := range steps {
				if i == place {
					if err := enter(tx, proposed); err != nil {
						return err
					}
				}
				if err := enter(tx, s); err != nil {
					return err
				}
			}
			if place == len(steps) {
				return enter(tx, proposed)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		dump := func() (b []byte) {
			err := l.View(t.Context(), func(tx *ledger.Tx) error {
				row, _, err := ledger.Load[catalogue.Row](tx, ledger.FoldPrefix+"pact", "kr-jp-us-2014/"+sum.String())
				if err != nil {
					return err
				}
				row.Entered = 0
				if row.Life.Signed["JP"] != at || row.Life.Signed["KR"] != at || len(row.Life.Signed) != 2 {
					t.Errorf("proposed at place %d: signed %v", place, row.Life.Signed)
				}
				early, waits, err := tx.Last(ledger.FoldPrefix+"early", nil, nil)
				if err != nil {
					return err
				}
				if waits {
					t.Errorf("proposed at place %d: %q still waits", place, early.Key)
				}
				b, err = catalogue.Dump(tx)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		before := dump()
		if err := l.Rebuild(t.Context(), func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
		if after := dump(); !bytes.Equal(before, after) {
			t.Errorf("proposed at place %d: the rebuilt tables differ", place)
		}
		lives = append(lives, before)
	}
	if len(lives) != len(steps)+1 {
		t.Error("not every order was tried")
	}
}
