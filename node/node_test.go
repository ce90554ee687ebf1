package node_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/demo"
	"entente/desk"
	"entente/ledger"
	"entente/node"
	"entente/party"
	"entente/release"
	"entente/seal"
	"entente/vault"
)

var names = map[act.Party]act.Names{"KR": {EN: "Republic of Korea", KO: "대한민국", JA: "大韓民国"}, "JP": {EN: "Japan", KO: "일본국", JA: "日本国"},
	"US": {EN: "United States", KO: "미합중국", JA: "アメリカ合衆国"}}

// staff is a party's people for a test: an officer and an analyst.
func staff(p act.Party) []act.Person {
	top := map[act.Party]string{"KR": "군사II급비밀", "JP": "極秘", "US": "SECRET"}[p]
	until := act.MomentOf(time.Now().AddDate(1, 0, 0))
	need := []act.Need{{Pact: "kr-jp-2016", Purposes: []string{"threat-assessment", "missile-warning"}}}
	return []act.Person{
		{Name: "officer", Post: "Release officer", Offices: []act.Office{act.Releasing, act.Signing}, Clearance: top, Until: until},
		{Name: "second", Post: "Release officer", Offices: []act.Office{act.Releasing}, Clearance: top, Until: until},
		{Name: "analyst", Post: "Analyst", Offices: []act.Office{act.Reading}, Clearance: top, Until: until, Needs: need, Briefed: true, Facility: "headquarters"},
		{Name: "clerk", Post: "Clerk", Offices: []act.Office{act.Reading}, Until: until, Needs: need, Facility: "headquarters"},
	}
}

type partyNode struct {
	*node.Node
	c      *desk.Client
	addr   string
	stop   func()
	secret node.Secret
	dir    string

	patience time.Duration // how long until waits; 0: half a minute
	ends     error         // what Serve is to return
	now      func() time.Time
}

// start makes and serves a node on loopback.
func start(t *testing.T, p act.Party) *partyNode {
	t.Helper()
	dir := filepath.Join(t.TempDir(), string(p))
	keyfile := filepath.Join(t.TempDir(), "key")
	seams := node.World(slog.New(slog.DiscardHandler))
	if err := node.NewKeyFile(keyfile, seams.Random); err != nil {
		t.Fatal(err)
	}
	secret, err := node.KeyFile(keyfile)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Init(t.Context(), dir, secret, node.Found{Party: p, Name: names[p], Persons: staff(p)}, seams); err != nil {
		t.Fatal(err)
	}
	n := &partyNode{dir: dir, secret: secret}
	n.serve(t)
	return n
}

func (n *partyNode) serve(t *testing.T) {
	t.Helper()
	seams := node.World(slog.New(slog.DiscardHandler))
	seams.Preview = preview
	if n.now != nil {
		seams.Now = n.now
	}
	var err error
	if n.Node, err = node.Open(t.Context(), n.dir, n.secret, seams); err != nil {
		t.Fatal(err)
	}
	if n.addr == "" {
		port, err := demo.Port()
		if err != nil {
			t.Fatal(err)
		}
		n.addr = "127.0.0.1:" + port
	}
	l, err := net.Listen("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	n.addr = l.Addr().String()
	n.run(t, l)
}

// run serves the open node on l until stop is called.
func (n *partyNode) run(t *testing.T, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	node := n.Node
	go func() { done <- node.Serve(ctx, l) }()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, n.ends) {
			t.Errorf("serving %s: %v", node.Card.Party, err)
		}
		if err := node.Close(); err != nil {
			t.Errorf("closing %s: %v", node.Card.Party, err)
		}
	}
	t.Cleanup(n.stop)
	n.c = desk.Within(n.Desk("").API())
}

// conclude has both nodes sign and notify the pact.
func conclude(t *testing.T, a, b *partyNode) {
	t.Helper()
	concludeUnder(t, a, b, "")
}

// concludeUnder does it under a text of the test's; empty: the shipped one.
func concludeUnder(t *testing.T, a, b *partyNode, text string) {
	t.Helper()
	for _, s := range []struct{ own, other *partyNode }{{a, b}, {b, a}} {
		var v desk.SignView
		ask := desk.PactAsk{Pact: "kr-jp-2016", Address: s.other.addr, Code: party.Code(s.other.Card), As: "officer", Notify: true, Text: text}
		if err := s.own.c.Post(t.Context(), "/v1/pact/sign", ask, &v); err != nil {
			t.Fatalf("%s signs: %v", s.own.Card.Party, err)
		}
	}
	for _, n := range []*partyNode{a, b} {
		n.until(t, "the pact is in force", func(tx *ledger.Tx) bool {
			p, row, ok, err := n.Catalogue.Pact(tx, "kr-jp-2016", time.Now())
			return err == nil && ok && p.Phase(row.Life, time.Now()).Transfers()
		})
	}
}

// until waits for the ledger to reach a state.
func (n *partyNode) until(t *testing.T, what string, ok func(*ledger.Tx) bool) {
	t.Helper()
	for deadline := time.Now().Add(cmp.Or(n.patience, 30*time.Second)); ; {
		grown := n.Ledger.Grown()
		var is bool
		if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error { is = ok(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
		select {
		case <-grown:
		case <-time.After(time.Until(deadline)):
			t.Fatalf("%s: not reached: %s; links: %+v; letters: %+v; last entries: %s", n.Card.Party, what, n.Carriage.States(), n.Carriage.Post.States(), n.lately(t))
		}
	}
}

// lately tells the last entries of a ledger, for who must find out what went wrong.
func (n *partyNode) lately(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		for e, err := range tx.Entries(max(0, tx.Size()-12)) {
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n%d %s %s -> %v %.300s", e.Index, e.Act.Kind, e.Act.From, e.Act.To, fmt.Sprintf("%+v", e.Act.Body))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

func (n *partyNode) receipted(t *testing.T, no act.Number) {
	t.Helper()
	n.until(t, "a receipt for "+string(no), func(tx *ledger.Tx) bool {
		cu, ok, err := n.Catalogue.Product(tx, no)
		return err == nil && ok && len(cu.Received) == 1
	})
}

func draft(mark string) release.Draft {
	return release.Draft{As: "officer", Pact: "kr-jp-2016", Title: "Launch of 2016-02-07", Kind: "report", Subject: "missile-launch", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: mark, MediaType: "text/plain"}
}

// TestWalk is the walk of one product: released, carried, received, refused to
// one reader, opened by another; and both ledgers tell the same story.
func TestWalk(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	large := bytes.Repeat([]byte("an image of a launch site. "), 200_000) // more than five blocks
	for _, content := range [][]byte{[]byte("a short report"), large} {
		slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if len(slip.Ruling.As) != 1 || slip.Ruling.As[0].Text != "極秘" {
			t.Errorf("JP will see %v, want 極秘", slip.Ruling.As)
		}
		kr.receipted(t, slip.Number)
		var got bytes.Buffer
		err = jp.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "clerk"}, &got, func(desk.Opened) {})
		var p *desk.Problem
		if !errors.As(err, &p) || p.Kind != "refused" || got.Len() > 0 {
			t.Errorf("a clerk without clearance opens it: %v", err)
		}
		if err := jp.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "analyst"}, &got, func(o desk.Opened) {
			if o.Custody.Manifest.Mark.Text != "군사II급비밀" || o.Custody.Received["JP"].Mark.Text != "極秘" {
				t.Errorf("marks: %v and %v", o.Custody.Manifest.Mark, o.Custody.Received)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), content) {
			t.Errorf("opened %d bytes, not the %d released", got.Len(), len(content))
		}
		kr.until(t, "the opening came home", func(tx *ledger.Tx) bool {
			cu, _, _ := kr.Catalogue.Product(tx, slip.Number)
			return len(cu.Openings) == 1 && cu.Openings[0].Person == "analyst"
		})
	}
	for _, n := range []*partyNode{kr, jp} {
		if _, err := n.Verify(t.Context(), func(_, _ int64) {}); err != nil {
			t.Errorf("%s: %v", n.Card.Party, err)
		}
		var before, after []byte
		dump := func(to *[]byte) {
			if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) (err error) { *to, err = catalogue.Dump(tx); return err }); err != nil {
				t.Fatal(err)
			}
		}
		dump(&before)
		if err := n.Ledger.Rebuild(t.Context(), func(_, _ int64) {}); err != nil {
			t.Fatal(err)
		}
		if dump(&after); !bytes.Equal(before, after) || len(before) == 0 {
			t.Errorf("%s: the rebuilt tables differ", n.Card.Party)
		}
	}
}

// TestRefused shows refusals: at home, with the article; entered as denials.
func TestRefused(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	_, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(nil))
	if p := new(desk.Problem); !errors.As(err, &p) || p.Kind != "refused" {
		t.Fatalf("released without a pact: %v", err)
	}
	conclude(t, kr, jp)
	for _, c := range []struct {
		name, article string
		spoil         func(*release.Draft)
	}{
		{"a level above the table (R7)", "Article 4", func(d *release.Draft) { d.Mark = "군사I급비밀" }},
		{"another purpose (R15)", "Article 6", func(d *release.Draft) { d.Purpose = "trade" }},
		{"a third country (R13)", "Article 6", func(d *release.Draft) { d.To = []act.Party{"US"} }},
		{"another subject (R1)", "Article 2", func(d *release.Draft) { d.Subject = "fisheries" }},
		{"an analyst releases", "Article 2", func(d *release.Draft) { d.As = "analyst" }},
	} {
		d := draft("군사II급비밀")
		c.spoil(&d)
		_, err := kr.c.Release(t.Context(), d, bytes.NewReader(nil))
		p := new(desk.Problem)
		if !errors.As(err, &p) || p.Kind != "refused" || len(p.Because) == 0 || p.Because[0].Article != c.article || p.Because[0].Cure == "" {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
}

// TestOriginatorControlled opens with the originator's share, asked for by an
// act, once for each asking.
func TestOriginatorControlled(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	d := draft("군사III급비밀")
	d.Mode = seal.OriginatorControlled
	slip, err := kr.c.Release(t.Context(), d, bytes.NewReader([]byte("controlled")))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	var own bytes.Buffer
	if openAs(t, kr, slip.Number, &own); own.String() != "controlled" {
		t.Errorf("its originator reads %q", own.String())
	}
	for range 2 {
		err = jp.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "analyst"}, io.Discard, func(desk.Opened) {})
		if p := new(desk.Problem); !errors.As(err, &p) || p.Kind != "waits" {
			t.Fatalf("opened without asking home: %v", err)
		}
		jp.until(t, "a share is lent", func(tx *ledger.Tx) bool {
			cu, _, _ := jp.Catalogue.Product(tx, slip.Number)
			return len(cu.Loans) > 0 && !cu.Loans[len(cu.Loans)-1].Used
		})
		var got bytes.Buffer
		if err := jp.c.Open(t.Context(), desk.OpenAsk{Number: slip.Number, As: "analyst"}, &got, func(desk.Opened) {}); err != nil || got.String() != "controlled" {
			t.Fatalf("%q, %v", got.String(), err)
		}
	}
}

// TestRestored puts yesterday's folder back: the partner holds our signature on
// what it lacks, and the next contact says so.
func TestRestored(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	kr.stop()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(kr.dir)); err != nil {
		t.Fatal(err)
	}
	kr.serve(t)
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader([]byte("after the backup")))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	kr.stop()
	for _, d := range []string{backup, filepath.Join(backup, "vault")} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	kr.dir = backup
	kr.serve(t)
	for deadline := time.Now().Add(20 * time.Second); !kr.troubled("JP") || !jp.troubled("KR") || !kr.evidence(t); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the restored ledger was not noticed: %+v, %+v", kr.Carriage.States(), jp.Carriage.States())
		}
	}
}

// TestRestoredDatabase puts yesterday's database back beside today's vault: until
// a partner agrees with the ledger nothing is swept that only a newer one knows.
func TestRestoredDatabase(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	kr.stop()
	old, err := os.ReadFile(filepath.Join(kr.dir, "entente.db"))
	if err != nil {
		t.Fatal(err)
	}
	kr.serve(t)
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, 4*vault.Inline)))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	var content vault.Digest
	kr.until(t, "it is kept", func(tx *ledger.Tx) bool {
		cu, ok, err := kr.Catalogue.Product(tx, slip.Number)
		content = vault.Digest(cu.Seal.Vault)
		return ok && err == nil
	})
	kr.stop()
	for _, name := range []string{"entente.db-wal", "entente.db-shm"} {
		if err := os.Remove(filepath.Join(kr.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(kr.dir, "entente.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	kr.serve(t)
	for deadline := time.Now().Add(20 * time.Second); !kr.evidence(t); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the restored database was not noticed: %+v", kr.Carriage.States())
		}
	}
	if err := kr.Vault.Verify(t.Context(), content); err != nil {
		t.Errorf("the newer product's content is gone: %v", err)
	}
}

// evidence reports whether the node keeps some.
func (n *partyNode) evidence(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.dir, "evidence", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files) > 0
}

func (n *partyNode) troubled(p act.Party) bool {
	s := n.Carriage.States()[p]
	return !s.Linked && s.Trouble != ""
}
