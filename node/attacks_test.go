package node_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/act"
	"entente/carriage"
	"entente/desk"
	"entente/ledger"
	"entente/party"
	"entente/product"
	"entente/seal"

	"golang.org/x/mod/sumdb/note"
)

// elsewhere names, for attacks by their stable number, the test that shows them.
var elsewhere = map[int][]string{
	8:  {"node TestHubTricks", "node TestCourier"},
	10: {"node TestRestored"},
	11: {"act TestVectors"},
	13: {"carriage TestLyingLengths"},
	14: {"carriage TestDoor", "node TestStanding40"},
	16: {"node TestHubTricks", "carriage TestVectors"},
	17: {"node TestOverdue"},
	18: {"pact TestArrival"},
	19: {"carriage TestVectors"},
	20: {"node TestHubView"},
	30: {"node TestReleasePage", "node TestPages"},
	34: {"node TestRestored", "node TestRestoredDatabase"},
	35: {"node TestClock"},
	37: {"node TestFull"},
	38: {"node TestCourier", "carriage FuzzMedium"},
	39: {"imagery TestHostilePictures", "node TestBomb"},
	40: {"node TestCourier"},
}

// here are the numbers that the tests of this file show.
var here = []int{1, 2, 3, 4, 5, 6, 9, 12, 15, 22, 23, 25, 26, 31, 33, 36}

// TestAttacksListed: each of the forty attacks is shown here, by a test that
// exists, or listed as waiting.
func TestAttacksListed(t *testing.T) {
	times := map[int]int{}
	for _, n := range here {
		times[n]++
	}
	for n, tests := range elsewhere {
		times[n]++
		for _, name := range tests {
			dir, test, _ := strings.Cut(name, " ")
			files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
			found := false
			for _, f := range files {
				b, err := os.ReadFile(f)
				found = found || err == nil && bytes.Contains(b, []byte("func "+test+"("))
			}
			if err != nil || !found {
				t.Errorf("attack %d: there is no %s: %v", n, name, err)
			}
		}
	}
	b, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	_, waiting, said := strings.Cut(string(b), "Waiting, by number:")
	waiting, _, ends := strings.Cut(waiting, "\n\n")
	if !said || !ends {
		t.Fatal("docs/reliability.md does not say what waits")
	}
	for _, m := range regexp.MustCompile(`\*\*(\d+)\*\*`).FindAllStringSubmatch(waiting, -1) {
		n, _ := strconv.Atoi(m[1])
		times[n]++
	}
	for n := 1; n <= 40; n++ {
		if times[n] != 1 {
			t.Errorf("attack %d is accounted for %d times", n, times[n])
		}
	}
	if len(times) != 40 {
		t.Errorf("%d attacks", len(times))
	}
}

// says enters an act in a partner's own ledger, signed by a person or by its
// node alone. Its node carries it with valid proofs.
func (n *partyNode) says(t *testing.T, id act.PactID, k act.Kind, body any, by string) (d act.Digest) {
	t.Helper()
	err := n.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		s, err := n.Catalogue.Statement(tx, time.Now(), k, body, map[act.Party]act.Party{"KR": "JP", "JP": "KR"}[n.Card.Party])
		if err != nil {
			return err
		}
		s.Pact = id
		var signer note.Signer
		if by != "" {
			signer = signerOf(t, n, by)
		}
		e, err := n.Catalogue.Enter(tx, s, signer)
		d = e.Digest
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// hears waits until an act of the partner's stands in n's ledger, or its refusal does.
func (n *partyNode) hears(t *testing.T, d act.Digest) (r act.Refusal, refused bool) {
	t.Helper()
	n.until(t, "the act was answered", func(tx *ledger.Tx) bool {
		for e, err := range tx.Entries(0) {
			if err != nil {
				t.Fatal(err)
			}
			if b, ok := e.Act.Body.(act.Refusal); ok && b.Act == d && e.Act.From == n.Card.Party {
				r, refused = b, true
				return true
			}
		}
		for e := range tx.Entries(0) {
			if e.Digest == d {
				return true // entered; its answer, if any, is in the same transaction
			}
		}
		return false
	})
	return r, refused
}

// holds is what a node holds and trusts: its persons, pins, pacts, mandates, and
// the products that were released or received, without what was refused.
func (n *partyNode) holds(t *testing.T) map[string]any {
	t.Helper()
	all := map[string]any{}
	err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		persons, err := n.Catalogue.Persons(tx)
		mandates, err2 := n.Catalogue.Mandates(tx)
		pacts, err3 := n.Catalogue.Pacts(tx)
		partner, _, err4 := n.Catalogue.Partner(tx, map[act.Party]act.Party{"KR": "JP", "JP": "KR"}[n.Card.Party])
		all["persons"], all["mandates"], all["pacts"], all["pin"] = persons, mandates, pacts, partner.Card
		for cu, err := range n.Catalogue.Products(tx) {
			if err != nil {
				return err
			}
			if _, in := cu.Received[n.Card.Party]; in || cu.From == n.Card.Party {
				all[string(cu.Manifest.Number)] = cu
			}
		}
		return errors.Join(err, err2, err3, err4)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same fails if what n holds has changed since.
func (n *partyNode) same(t *testing.T, what string, before map[string]any) {
	t.Helper()
	for k, v := range n.holds(t) {
		if !reflect.DeepEqual(v, before[k]) {
			t.Errorf("%s: %s changed %s", what, n.Card.Party, k)
		}
		delete(before, k)
	}
	for k := range before {
		t.Errorf("%s: %s has lost %s", what, n.Card.Party, k)
	}
}

// body is the release of a product, as it was entered.
func (n *partyNode) body(t *testing.T, no act.Number) (b act.Release) {
	t.Helper()
	err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		cu, _, err := n.Catalogue.Product(tx, no)
		if err != nil {
			return err
		}
		e, err := tx.Entry(cu.Entry)
		b = e.Act.Body.(act.Release)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// count is how many entries of a kind are about a product.
func (n *partyNode) count(t *testing.T, k act.Kind, no act.Number) (times int) {
	t.Helper()
	err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(0) {
			if err != nil {
				return err
			}
			about, _ := product.About(e.Act)
			if b, ok := e.Act.Body.(act.Denial); ok {
				about = b.Number
			}
			if e.Act.Kind == k && about == no {
				times++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// TestAttacks has a partner with valid keys, and insiders, try what they may
// not, against nodes on loopback. Each is refused as expected, the refusal is
// entered, and nothing that is held or trusted changes.
func TestAttacks(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	d := draft("秘")
	slip, err := jp.c.Release(t.Context(), d, strings.NewReader("what was released in truth"))
	if err != nil {
		t.Fatal(err)
	}
	jp.receipted(t, slip.Number)
	ours, err := kr.c.Release(t.Context(), draft("군사III급비밀"), strings.NewReader("ours"))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, ours.Number)

	// A pact that JP alone signed: it is known here, and not in force.
	text := strings.Replace(string(pactWith(t, "kr-jp-2031", "JP", "{start: later-notification, term-years: 1, notice-days: 90, anniversary: 11-23}", 1)), "{en: Partner JP}", "{en: Japan, ko: 일본국, ja: 日本国}", 1)
	if err := jp.c.Post(t.Context(), "/v1/pact/sign", desk.PactAsk{Pact: "kr-jp-2031", Address: kr.addr, Code: party.Code(kr.Card), As: "officer", Text: text}, &desk.SignView{}); err != nil {
		t.Fatal(err)
	}
	var proposed act.Sum
	kr.until(t, "a second pact was proposed", func(tx *ledger.Tx) bool {
		_, row, ok, err := kr.Catalogue.Pact(tx, "kr-jp-2031", time.Now())
		proposed = row.Text
		return ok && err == nil
	})

	nothing := act.Receipt{Act: act.DigestOf([]byte("nothing")), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}
	kr.hears(t, jp.says(t, "kr-jp-2016", act.ProductReceived, nothing, "")) // so all that JP said before it is here

	made := func(change func(*act.Release)) act.Release {
		b := jp.body(t, slip.Number)
		if b.Manifest.Number, err = act.NewNumber("JP", 2026, rand.Reader); err != nil {
			t.Fatal(err)
		}
		change(&b)
		return b
	}
	for _, x := range []struct {
		number int
		what   string
		pact   act.PactID
		kind   act.Kind
		body   any
		by     string
		says   string // the article of the refusal; empty: entered, without effect
	}{
		{1, "a release under a pact that is not in force", "kr-jp-2031", act.ProductReleased, made(func(b *act.Release) { b.Manifest.Pact, b.Text = "kr-jp-2031", proposed }), "officer", "Article"},
		{2, "a release above the ceiling", "kr-jp-2016", act.ProductReleased, made(func(b *act.Release) { b.Manifest.Mark.Text = "機密" }), "officer", "Article 4"},
		{4, "what is ours, released anew by another", "kr-jp-2016", act.ProductReleased, kr.body(t, ours.Number), "officer", "Article"},
		{6, "a receipt for what was never sent", "kr-jp-2016", act.ProductReceived, act.Receipt{Act: act.DigestOf([]byte("x")), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}, "", ""},
		{15, "a release that only the node signed, as it signs receipts", "kr-jp-2016", act.ProductReleased, made(func(*act.Release) {}), "", "Article"},
		{15, "a release by one who was not notified", "kr-jp-2016", act.ProductReleased, made(func(*act.Release) {}), "analyst", "act"},
	} {
		before := kr.holds(t)
		r, refused := kr.hears(t, jp.says(t, x.pact, x.kind, x.body, x.by))
		switch {
		case refused != (x.says != ""):
			t.Errorf("%d, %s: refused %v: %+v", x.number, x.what, refused, r)
		case refused && (len(r.Because) == 0 || !strings.Contains(r.Because[0].Article, x.says) || r.Because[0].Cure == ""):
			t.Errorf("%d, %s: refused by %+v", x.number, x.what, r.Because)
		}
		kr.same(t, x.what, before)
	}

	t.Run("3 a release marked lower than what was sealed", func(t *testing.T) {
		b := made(func(b *act.Release) { b.Manifest.Title = "another" })
		d := jp.says(t, "kr-jp-2016", act.ProductReleased, b, "officer")
		if r, refused := kr.hears(t, d); refused {
			t.Fatalf("refused at the door, without a key: %+v", r)
		}
		kr.until(t, "it is here", func(tx *ledger.Tx) bool {
			cu, _, err := kr.Catalogue.Product(tx, b.Manifest.Number)
			return err == nil && len(cu.Received) == 1
		})
		if o, err := kr.Reading.Open(t.Context(), b.Manifest.Number, "analyst", ""); !errors.Is(err, seal.ErrTampered) || o != nil {
			t.Errorf("opened under other terms: %v", err)
		}
		if n := kr.count(t, act.ProductOpened, b.Manifest.Number); n != 0 {
			t.Errorf("%d openings are entered of what did not open", n)
		}
	})

	t.Run("12 an older suite", func(t *testing.T) {
		cert, _, err := carriage.NewCertificate(bytes.Repeat([]byte{7}, 48), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		size := entries(t, kr.Node)
		for what, c := range map[string]*tls.Config{
			"TLS 1.2":             {MaxVersion: tls.VersionTLS12},
			"a classical group":   {CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}},
			"no protocol of ours": {NextProtos: []string{"http/1.1"}},
		} {
			c.InsecureSkipVerify, c.Certificates = true, []tls.Certificate{cert}
			if c.NextProtos == nil {
				c.NextProtos = []string{"entente/1"}
			}
			conn, err := tls.Dial("tcp", kr.addr, c)
			if err == nil {
				_, err = io.ReadAll(conn)
				conn.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "tls:") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if now := entries(t, kr.Node); now != size {
			t.Errorf("%d entries came of it", now-size)
		}
	})

	enrol := func(p act.Person) {
		t.Helper()
		if err := kr.c.Post(t.Context(), "/v1/persons", p, new(string)); err != nil {
			t.Fatal(err)
		}
	}
	until := act.MomentOf(time.Now().AddDate(1, 0, 0))
	analyst := staff("KR")[2]
	refused := func(t *testing.T, as string, n act.Number) (because []act.Reason) {
		t.Helper()
		before, denials := kr.count(t, act.ProductOpened, n), kr.count(t, act.OpeningDenied, n)
		var got bytes.Buffer
		err := kr.c.Open(t.Context(), desk.OpenAsk{Number: n, As: as}, &got, func(desk.Opened) {})
		var p *desk.Problem
		if !errors.As(err, &p) || p.Kind != "refused" || got.Len() > 0 || len(p.Because) == 0 {
			t.Fatalf("%s opens %s: %v", as, n, err)
		}
		if now := kr.count(t, act.ProductOpened, n); now != before {
			t.Errorf("an opening by %s is entered", as)
		}
		if now := kr.count(t, act.OpeningDenied, n); now != denials+1 {
			t.Errorf("%d denials became %d", denials, now)
		}
		return p.Because
	}
	t.Run("22 the administrator reads", func(t *testing.T) {
		p := analyst
		p.Name, p.Offices = "admin", []act.Office{act.Administering}
		enrol(p)
		refused(t, "admin", slip.Number)
	})
	t.Run("23 one without need to know guesses", func(t *testing.T) {
		p := analyst
		p.Name, p.Needs = "curious", nil
		enrol(p)
		guess, err := act.NewNumber("JP", 2016, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		there, absent := refused(t, "curious", slip.Number), refused(t, "curious", guess)
		if !reflect.DeepEqual(there, absent) {
			t.Errorf("what is there is told from what is not: %+v, %+v", there, absent)
		}
	})
	t.Run("25 an expired clearance", func(t *testing.T) {
		p := analyst
		p.Name, p.Until = "leaver", act.MomentOf(time.Now().Add(2*time.Second))
		enrol(p)
		for !time.Now().After(p.Until.Time.Add(time.Second)) {
			time.Sleep(100 * time.Millisecond)
		}
		refused(t, "leaver", slip.Number)
		p.Until = until
		enrol(p)
		if err := kr.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "leaver"}, io.Discard, func(desk.Opened) {}); err != nil {
			t.Errorf("enrolled anew: %v", err)
		}
	})
	t.Run("26 a share that is lent once, used in parallel", func(t *testing.T) {
		d := draft("秘")
		d.Mode = seal.OriginatorControlled
		slip, err := jp.c.Release(t.Context(), d, strings.NewReader("once"))
		if err != nil {
			t.Fatal(err)
		}
		jp.receipted(t, slip.Number)
		if _, err := kr.Reading.Open(t.Context(), slip.Number, "analyst", ""); err == nil {
			t.Fatal("opened without asking home")
		}
		kr.until(t, "a share is lent", func(tx *ledger.Tx) bool {
			cu, _, _ := kr.Catalogue.Product(tx, slip.Number)
			return len(cu.Loans) == 1
		})
		jp.stop() // it answers no further asking meanwhile
		var group sync.WaitGroup
		opened := make(chan string, 100)
		for range 100 {
			group.Go(func() {
				o, err := kr.Reading.Open(t.Context(), slip.Number, "analyst", "")
				if err != nil {
					return
				}
				defer o.Close()
				var b bytes.Buffer
				if _, err := o.WriteTo(&b); err == nil {
					opened <- b.String()
				}
			})
		}
		group.Wait()
		if n := kr.count(t, act.ProductOpened, slip.Number); len(opened) != 1 || n != 1 {
			t.Errorf("opened %d times, entered %d times", len(opened), n)
		}
		jp.serve(t)
	})
}

// TestForked is the folder copied and both copies run (36): each goes on by
// itself, and the second, which keeps from its partner what it should have
// told, shows a head that does not grow from the first's (5, 9, 33). The
// partner keeps evidence, enters the dispute, and goes no further.
func TestForked(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	jp.stop()
	second := filepath.Join(t.TempDir(), "second")
	if err := os.CopyFS(second, os.DirFS(jp.dir)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{second, filepath.Join(second, "vault")} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	jp.serve(t)
	slip, err := jp.c.Release(t.Context(), draft("秘"), strings.NewReader("the first's"))
	if err != nil {
		t.Fatal(err)
	}
	jp.receipted(t, slip.Number)
	jp.stop()
	jp.dir, jp.addr = second, ""
	jp.serve(t)
	before := kr.holds(t)
	for i := range byte(20) { // longer than the first, with other entries
		jp.says(t, "kr-jp-2016", act.ProductReceived, act.Receipt{Act: act.DigestOf([]byte{i}), Number: "KR-2026-0000-0000", Mark: act.Mark{Party: "JP", Text: "秘"}}, "")
	}
	g, err := kr.Carriage.Greet(t.Context(), "JP")
	if err != nil {
		t.Fatal(err)
	}
	del, err := jp.Carriage.Next(t.Context(), "KR", g.Next, g.Seen.Head)
	if err != nil {
		t.Fatal(err)
	}
	del.From = "JP"
	var c *ledger.Contradiction
	if err := kr.Carriage.Take(t.Context(), del); !errors.As(err, &c) {
		t.Fatalf("a fork is answered %v", err)
	}
	kr.until(t, "the dispute is entered", func(tx *ledger.Tx) bool {
		p, _, err := kr.Catalogue.Partner(tx, "JP")
		return err == nil && p.Disputed != ""
	})
	if !kr.evidence(t) {
		t.Error("no evidence is kept")
	}
	kr.same(t, "the fork", before)
	if err := kr.Carriage.Take(t.Context(), del); err == nil {
		t.Error("a disputed ledger is taken in")
	}
}

// TestRowRemoved is an operator who takes an entry out of the database, or
// changes one (31): the node's own check of its ledger says so.
func TestRowRemoved(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	if _, err := kr.Verify(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	row := binary.BigEndian.AppendUint64(nil, 2)
	for _, value := range [][]byte{nil, []byte("another act")} {
		err := kr.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
			if value == nil {
				return tx.Delete("ledger/entry", row)
			}
			return tx.Put("ledger/entry", row, value)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kr.Verify(t.Context(), quiet); err == nil {
			t.Errorf("a ledger verifies whose entry 2 is %q", value)
		}
	}
}
