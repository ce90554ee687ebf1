package catalogue_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/memory"
	"entente/ledger"
)

// TestSpent: an approval is used up by the party that it was given to, for the
// product that it names and the purpose that it has, once for each act. What
// another says of it counts for nothing, and it lets only whom it was given to do anything.
func TestSpent(t *testing.T) {
	at := act.MomentOf(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	number := func(p act.Party, seed byte) act.Number {
		n, err := act.NewNumber(p, 2026, bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	theirs, made, other := number("KR", 1), number("JP", 2), number("KR", 3)
	released := func(n act.Number, purpose string, to act.Party, of ...act.Number) act.Release {
		m := act.Manifest{Number: n, Pact: "a-b", Originator: n.Party(), Origins: []act.Party{"KR"}, Recipients: []act.Party{to}, Purpose: purpose}
		for _, l := range of {
			m.Lineage = append(m.Lineage, act.Lineage{Of: l, How: "excerpt"})
		}
		return act.Release{Manifest: m}
	}
	strange := released(number("KR", 4), "warning", "US", theirs) // of another's series
	passOn := act.Consent{Number: theirs, Deed: "pass-on", Recipient: "US", Purpose: "warning", Uses: 5}
	another := act.Consent{Number: theirs, Deed: "purpose", Purpose: "training", Uses: 5}
	copying := act.Consent{Number: theirs, Deed: "copy", Purpose: "warning", Uses: 5}
	jp := []act.Party{"JP"}
	for _, c := range []struct {
		name    string
		consent act.Consent
		to      []act.Party
		from    act.Party
		body    any
		used    int
	}{
		{"given to it, named, for this purpose", passOn, jp, "JP", released(made, "warning", "US", theirs), 1},
		{"given to it and to others", passOn, []act.Party{"JP", "US"}, "JP", released(made, "warning", "US", theirs), 1},
		{"given to another", passOn, []act.Party{"US"}, "JP", released(made, "warning", "US", theirs), 0},
		{"given by itself", passOn, jp, "KR", released(other, "warning", "US", theirs), 0},
		{"for another product", passOn, jp, "JP", released(made, "warning", "US", other), 0},
		{"for another purpose", passOn, jp, "JP", released(made, "training", "US", theirs), 0},
		{"for another recipient", passOn, jp, "JP", released(made, "warning", "AU", theirs), 0},
		{"by a release without effect", passOn, jp, "JP", strange, 0},
		{"opened for the purpose", another, jp, "JP", act.Opening{Number: theirs, Person: "x", Purpose: "training"}, 1},
		{"opened for another purpose", another, jp, "JP", act.Opening{Number: theirs, Person: "x", Purpose: "warning"}, 0},
		{"opened on an approval to copy", copying, jp, "JP", act.Opening{Number: theirs, Person: "x", Purpose: "warning"}, 0},
		{"opened by one whom it was not given to", another, jp, "AU", act.Opening{Number: theirs, Person: "x", Purpose: "training"}, 0},
		{"copied", copying, []act.Party{"US"}, "US", act.Copy{Number: theirs, Copy: 1}, 1},
		{"copied on an approval to pass on", passOn, []act.Party{"US"}, "US", act.Copy{Number: theirs, Copy: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &catalogue.Catalogue{Own: "US"}
			l := ledger.Open(memory.NewDisk().Ledger(), ledger.Config{Party: "US", Fold: k.Fold})
			err := l.Update(t.Context(), func(tx *ledger.Tx) error {
				enter := func(kind act.Kind, from act.Party, body any, to ...act.Party) act.Digest {
					a := act.Act{Kind: kind, From: from, To: to, At: at, Period: 1, Body: body}
					if _, is := body.(act.Release); is {
						a.Pact = "a-b"
					}
					v, err := act.Sign(a, nil)
					if err != nil {
						t.Fatal(err)
					}
					e, err := tx.Append(v)
					if err != nil {
						t.Fatal(err)
					}
					return e.Digest
				}
				for _, p := range []act.Party{"KR", "JP", "AU"} {
					enter(act.PartnerKnown, "US", act.Known{Card: act.Card{Party: p, Ledger: []string{"x"}, Period: 1}})
				}
				enter(act.ProductReleased, "KR", released(theirs, "warning", "US"), "US")
				d := enter(act.ConsentGiven, "KR", c.consent, c.to...)
				named := []act.Digest{d, d} // twice in one act is once
				switch b := c.body.(type) {
				case act.Release:
					b.Consents = named
					enter(act.ProductReleased, c.from, b, b.Manifest.Recipients...)
				case act.Opening:
					b.Consents = named
					enter(act.ProductOpened, c.from, b, "US")
				case act.Copy:
					b.Consents = named
					enter(act.ProductCopied, c.from, b)
				}
				for _, p := range []act.Party{"KR", "JP", "AU", "US"} {
					all, err := k.Consents(tx, p, theirs)
					if err != nil {
						return err
					}
					given := slices.Contains(c.to, p)
					if (len(all) == 1) != given {
						t.Errorf("%s is let do something by %d approvals, given: %v", p, len(all), given)
					}
					if given && all[0].Used != c.used {
						t.Errorf("used %d times, want %d", all[0].Used, c.used)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
