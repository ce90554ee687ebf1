package catalogue_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/internal/memory"
	"entente/ledger"
	"entente/pact"
	"entente/product"

	"golang.org/x/mod/sumdb/note"
)

// said is an act in its place among those of its party, and what it follows of
// others: nobody answers what was not said yet.
type said struct {
	v     act.Verified
	after []act.Digest
}

// lanes are the acts of three parties as the first of them enters them: each
// party's in its own order, each signed once.
type lanes struct {
	t      *testing.T
	by     map[act.Party][]said
	signer map[act.Party]note.Signer
	vault  map[act.Number]act.Sum
	random *rand.ChaCha8
	at     time.Time
}

const arrangement = "kr-jp-us-2014"

// say adds an act to its party's lane, an hour after the last.
func (l *lanes) say(from act.Party, k act.Kind, to []act.Party, body any, after ...act.Digest) act.Digest {
	l.t.Helper()
	l.at = l.at.Add(time.Hour)
	a := act.Act{Version: act.Version, Kind: k, From: from, To: to, At: act.MomentOf(l.at), Period: 1, Body: body}
	if !k.Home() && k != act.AuthorityNotified {
		a.Pact = arrangement
	}
	var s note.Signer
	if k != act.ProductReceived && k != act.PartnerKnown && k != act.SystemAccredited {
		s, a.By = l.signer[from], l.signer[from].Name()
	}
	v, err := act.Sign(a, s)
	if err != nil {
		l.t.Fatal(k, err)
	}
	l.by[from] = append(l.by[from], said{v, after})
	return v.Digest()
}

// release says that a party released a product to the two others.
func (l *lanes) release(from act.Party, text act.Sum, mark string, origins []act.Party, after ...act.Digest) (act.Number, act.Digest) {
	n, err := act.NewNumber(from, 2015, l.random)
	if err != nil {
		l.t.Fatal(err)
	}
	l.vault[n] = act.Sum{byte(len(l.by[from]))}
	var to []act.Party
	for _, q := range []act.Party{"JP", "KR", "US"} {
		if q != from {
			to = append(to, q)
		}
	}
	m := act.Manifest{Number: n, Pact: arrangement, Subject: "missile-launch", Form: "electronic", Purpose: "missile-warning", Mark: act.Mark{Party: from, Text: mark}, Originator: from, Origins: origins, Recipients: to, Made: act.MomentOf(l.at)}
	return n, l.say(from, act.ProductReleased, to, act.Release{Manifest: m, Text: text, Seal: act.Seal{Vault: l.vault[n], Size: 100}}, after...)
}

// lanesOf writes what three parties do, as it reaches the United States.
func lanesOf(t *testing.T) *lanes {
	l := &lanes{t: t, by: map[act.Party][]said{}, signer: map[act.Party]note.Signer{}, vault: map[act.Number]act.Sum{}, random: rand.NewChaCha8([32]byte{7}), at: time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i, p := range []act.Party{"JP", "KR", "US"} {
		s, _, err := act.NewP384Signer("officer@"+string(p), bytes.Repeat([]byte{byte(i + 1)}, 48), l.random)
		if err != nil {
			t.Fatal(err)
		}
		l.signer[p] = s
	}
	source, _ := pact.Template(arrangement)
	text := catalogue.SumOf(source)
	us := []act.Party{"US"}
	var known, asked []act.Digest
	var held act.Number
	for _, p := range []act.Party{"JP", "KR"} {
		known = append(known, l.say("US", act.PartnerKnown, nil, act.Known{Card: act.Card{Party: p, Ledger: []string{"x"}, Period: 1}}))
	}
	own, released := l.release("US", text, "SECRET", us, known...)
	l.say("US", act.PersonEnrolled, nil, act.Person{Name: "officer", Offices: []act.Office{act.Signing}})
	l.say("US", act.SystemAccredited, nil, act.Accreditation{Channel: "electronic", Mark: act.Mark{Party: "US", Text: "SECRET"}, Until: act.MomentOf(l.at.AddDate(1, 0, 0)), By: "authority"})
	mandate := l.say("US", act.MandateGiven, nil, act.Mandate{Pact: arrangement, Kind: "notice", Subject: "missile-launch", Mark: act.Mark{Party: "US", Text: "SECRET"}, Purpose: "missile-warning", Until: act.MomentOf(l.at.AddDate(1, 0, 0))})
	l.say("US", act.MandateWithdrawn, nil, act.Withdrawal{Act: mandate})
	for i, p := range []act.Party{"KR", "JP"} {
		mark, lower := map[act.Party]string{"KR": "군사II급비밀", "JP": "極秘"}[p], map[act.Party]string{"KR": "군사III급비밀", "JP": "秘"}[p]
		l.say(p, act.AuthorityNotified, us, act.Authority{Name: "officer", Offices: []act.Office{act.Signing, act.Releasing}}, known...)
		if i == 0 {
			l.say(p, act.PactProposed, us, act.Proposal{Text: string(source)})
		}
		l.say(p, act.PactSigned, us, act.Step{Text: text})
		n, first := l.release(p, text, mark, []act.Party{p}, l.by["KR"][1].v.Digest()) // not before the pact is proposed
		consent := func(uses int) act.Consent {
			return act.Consent{Number: n, Deed: "pass-on", Recipient: "AU", Purpose: "missile-warning", Until: act.MomentOf(l.at.AddDate(1, 0, 0)), Uses: uses}
		}
		c := l.say(p, act.ConsentGiven, us, consent(2))
		l.say(p, act.ConsentGiven, us, consent(1))
		l.say(p, act.ConsentWithdrawn, us, act.Withdrawal{Act: c})
		l.say(p, act.ProductReclassified, us, act.Reclassification{Number: n, Mark: act.Mark{Party: p, Text: lower}})
		joint, _ := l.release(p, text, mark, []act.Party{"JP", "KR"})
		if i == 0 {
			held = joint
		} else { // what one party's product holds of another's: its word may come first
			l.say(p, act.ConsentGiven, us, act.Consent{Number: held, Deed: "pass-on", Recipient: "AU", Purpose: "missile-warning", Until: act.MomentOf(l.at.AddDate(1, 0, 0)), Uses: 1})
		}
		notice := l.say(p, act.LawNotified, us, act.LawNotice{Text: "another law"})
		l.say(p, act.AssuranceGiven, us, act.Assurance{Meeting: "talks", Persons: []string{"attaché"}, Mark: act.Mark{Party: p, Text: mark}, Until: act.MomentOf(l.at.AddDate(1, 0, 0))})
		visit := l.say(p, act.VisitAsked, us, act.Visit{Visitors: []string{"attaché"}, Mark: act.Mark{Party: "US", Text: "SECRET"}, From: act.MomentOf(l.at), Until: act.MomentOf(l.at.AddDate(0, 1, 0))})
		l.say(p, act.ProductReceived, us, act.Receipt{Act: released, Number: own, Vault: l.vault[own], Mark: act.Mark{Party: p, Text: mark}}, released)
		l.say(p, act.ProductOpened, us, act.Opening{Number: own, Person: "analyst", Purpose: "missile-warning"})
		l.say(p, act.ProductDestroyed, us, act.Certificate{Number: own, Method: "erase", Copies: 1})
		l.say(p, act.PactNotice, us, act.Step{Text: text})
		l.say(p, act.PactNoticeSuspended, us, act.Step{Text: text})
		if i == 1 {
			l.say(p, act.PactNoticeWithdrawn, us, act.Step{Text: text})
		}
		l.say(p, act.PactRead, us, act.Interpretation{Text: text, Phase: "terminated"})
		asked = append(asked, l.say("US", act.LawAcknowledged, []act.Party{p}, act.Withdrawal{Act: notice}, notice))
		l.say("US", act.VisitApproved, []act.Party{p}, act.Approval{Visit: visit, Mark: act.Mark{Party: "US", Text: "SECRET"}}, visit)
		l.say("US", act.ProductReceived, []act.Party{p}, act.Receipt{Act: first, Number: n, Vault: l.vault[n], Mark: act.Mark{Party: "US", Text: "SECRET"}}, first)
		l.say("US", act.ProductCopied, nil, act.Copy{Number: n, Copy: 1, Person: "analyst", Holder: "operations"}, c)
		l.say(p, act.VisitEnded, us, act.Withdrawal{Act: visit})
	}
	l.say("US", act.PactSigned, []act.Party{"JP", "KR"}, act.Step{Text: text}, asked...)
	return l
}

// interleaved enters the lanes in an order that draw chooses, and returns what
// was folded, with places in the ledger told by what stands there.
func (l *lanes) interleaved(draw func(n int) int) (rows []string, order []act.Party) {
	l.t.Helper()
	c := &catalogue.Catalogue{Own: "US"}
	book := ledger.Open(memory.NewDisk().Ledger(), ledger.Config{Party: "US", Fold: c.Fold})
	left, entered := map[act.Party][]said{}, map[act.Digest]bool{}
	for p, all := range l.by {
		left[p] = slices.Clone(all)
	}
	err := book.Update(l.t.Context(), func(tx *ledger.Tx) error {
		for {
			var next []act.Party
			for _, p := range []act.Party{"JP", "KR", "US"} {
				if len(left[p]) > 0 && !slices.ContainsFunc(left[p][0].after, func(d act.Digest) bool { return !entered[d] }) {
					next = append(next, p)
				}
			}
			if len(next) == 0 {
				break
			}
			p := next[draw(len(next))]
			if _, err := tx.Append(left[p][0].v); err != nil {
				return err
			}
			entered[left[p][0].v.Digest()], left[p], order = true, left[p][1:], append(order, p)
		}
		if n := len(left["JP"]) + len(left["KR"]) + len(left["US"]); n > 0 {
			return fmt.Errorf("%d acts wait for others", n)
		}
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		for _, table := range tables {
			for row, err := range tx.Scan(table, nil, nil) {
				if err != nil {
					return err
				}
				if short, fold := strings.CutPrefix(table, ledger.FoldPrefix); fold {
					s, err := placeless(tx, short, row.Key, row.Value)
					if err != nil {
						return err
					}
					rows = append(rows, s)
				}
			}
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(rows)
	return rows, order
}

// placeless is a row without what only tells the order in which acts came here:
// indexes of entries, and lists in that order.
func placeless(tx *ledger.Tx, table string, key, value []byte) (string, error) {
	var told any
	var err error
	switch {
	case table == "entry":
		return table + " " + string(value), nil
	case table == "due", table == "awaited":
		return fmt.Sprintf("%s %q %s", table, key[:len(key)-8], value), nil
	case strings.HasPrefix(table, "queue/"):
		e, err := tx.Entry(int64(binary.BigEndian.Uint64(value)))
		return fmt.Sprintf("%s %x %s", table, key, e.Digest), err
	case table == "pact":
		var r catalogue.Row
		err = json.Unmarshal(value, &r)
		r.Entered = 0
		slices.SortFunc(r.Life.Notices, func(a, b pact.Notice) int { return strings.Compare(string(a.By), string(b.By)) })
		told = r
	case table == "product":
		var cu product.Custody
		err = json.Unmarshal(value, &cu)
		cu.Entry = 0
		for p, r := range cu.Received {
			r.Entry = 0
			cu.Received[p] = r
		}
		slices.SortFunc(cu.Openings, func(a, b product.Opening) int { return strings.Compare(string(a.Party), string(b.Party)) })
		told = cu
	default:
		return fmt.Sprintf("%s %q %q", table, key, value), nil
	}
	s, err2 := json.Marshal(told)
	return fmt.Sprintf("%s %q %s", table, key, s), errors.Join(err, err2)
}

// TestOrder: how the acts of different parties interleave on their way here changes
// no folded row, but for the places where they stand. Each party's own order, and that
// of an answer after what it answers, are kept.
func TestOrder(t *testing.T) {
	l := lanesOf(t)
	want, first := l.interleaved(func(n int) int { return 0 })
	r := rand.New(rand.NewPCG(7, 2014))
	orders := map[string]bool{fmt.Sprint(first): true}
	for i := range 120 {
		draw := r.IntN
		if i == 0 {
			draw = func(n int) int { return n - 1 }
		}
		got, order := l.interleaved(draw)
		orders[fmt.Sprint(order)] = true
		if !slices.Equal(got, want) {
			for j := range min(len(got), len(want)) {
				if got[j] != want[j] {
					t.Fatalf("in the order %v\n%s\nin the order %v\n%s", order, got[j], first, want[j])
				}
			}
			t.Fatalf("%d rows in one order, %d in another", len(got), len(want))
		}
	}
	if len(orders) < 100 {
		t.Errorf("only %d orders were tried", len(orders))
	}
	// What was compared is there: no act fell away before it was folded.
	for _, row := range []string{"pact ", "consent ", "visit ", "assured ", "product ", "due ", "awaited ", "queue/JP ", "queue/KR ", "mandate ", "accredited ", "person ", "partner ", "count ", "clock ", "text "} {
		if !slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(s, row) }) {
			t.Errorf("no row of the table %s", row)
		}
	}
	for _, holds := range []string{`"notices":[{"by":"JP"`, `"withdrawn":"`, `"suspended":"`, `"readings":{"JP":`, `"received":{"JP":`, `"reclassified":[`, `"copies":[`, `"destroyed":{"JP":`, `"openings":[`, `\"ended\":`, `\"approved\":`, `\"withdrawn\":true`} {
		if !slices.ContainsFunc(want, func(s string) bool { return strings.Contains(s, holds) }) {
			t.Errorf("no row holds %s", holds)
		}
	}
	if slices.ContainsFunc(want, func(s string) bool { return strings.HasPrefix(s, "early ") || strings.HasPrefix(s, "open ") }) {
		t.Error("a step waits for its text, or a notice of law that was acknowledged")
	}
}
