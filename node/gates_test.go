package node_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/internal/memory"
	"entente/ledger"
	"entente/node"
	"entente/pact"
	"entente/party"
)

// couple is two nodes that are driven by their steps alone, in one goroutine, under
// the pact of 2016: nothing is served, and a test carries what is to be carried.
type couple struct {
	kr, jp *node.Node
	clock  time.Time
	text   act.Sum
	disks  map[act.Party]*memory.Disk
}

// seams give both nodes the test's clock.
func (x *couple) seams() node.Seams {
	s := node.World(slog.New(slog.DiscardHandler))
	s.Now = func() time.Time { return x.clock }
	return s
}

// met makes two nodes that know each other; law is the house rules of JP's.
func met(t *testing.T, law string) *couple {
	t.Helper()
	x := &couple{clock: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), disks: map[act.Party]*memory.Disk{}}
	seams := x.seams()
	for p, to := range map[act.Party]**node.Node{"KR": &x.kr, "JP": &x.jp} {
		d, dir := memory.NewDisk(), t.TempDir()
		x.disks[p] = d
		if law != "" && p == "JP" {
			write(t, dir+"/"+node.LawName, law)
		}
		err := node.Establish(t.Context(), dir, d.Ledger(), node.Found{Party: p, Name: names[p], Persons: staff(p)}, seams)
		if err == nil {
			*to, err = node.New(t.Context(), dir, d.Ledger(), d.Vault(), seams)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	x.must(t, x.kr.Chancery.Know(t.Context(), x.jp.Card, party.Code(x.jp.Card), "officer"))
	x.must(t, x.jp.Chancery.Know(t.Context(), x.kr.Card, party.Code(x.kr.Card), "officer"))
	x.settle(t)
	return x
}

// inForce makes two nodes with the pact in force between them.
func inForce(t *testing.T, law string) *couple {
	t.Helper()
	text, _ := pact.Template("kr-jp-2016")
	return inForceUnder(t, law, text)
}

// inForceUnder does it under a text of the test's.
func inForceUnder(t *testing.T, law string, text []byte) *couple {
	t.Helper()
	x := met(t, law)
	p, err := x.kr.Chancery.Propose(t.Context(), text, "officer")
	x.must(t, err)
	x.text = p.Text
	x.settle(t)
	for _, k := range []act.Kind{act.PactSigned, act.PactNotified} {
		for _, n := range []*node.Node{x.jp, x.kr} {
			x.must(t, n.Chancery.Step(t.Context(), k, p.ID, p.Text, "", "officer"))
			x.settle(t)
		}
	}
	return x
}

func (x *couple) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settle carries until there is nothing to carry.
func (x *couple) settle(t *testing.T) {
	t.Helper()
	for carry(t, x.kr, x.jp)+carry(t, x.jp, x.kr) > 0 {
	}
}

// carry is all that a link does: what from has for to, beyond to's own count.
func carry(t *testing.T, from, to *node.Node) int {
	t.Helper()
	var next int64
	var at act.Head
	err := to.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		partner, _, err := to.Catalogue.Partner(tx, from.Card.Party)
		if err != nil {
			return err
		}
		peer, err := tx.Peer(from.Card.Party)
		next, at = partner.Received, peer.Head
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	del, err := from.Carriage.Next(t.Context(), to.Card.Party, next, at)
	if err != nil {
		t.Fatal(err)
	}
	del.From = from.Card.Party
	for range 2 { // a delivery that comes again changes nothing
		if err := to.Intake.TakeIn(t.Context(), del); err != nil {
			t.Fatal(err)
		}
	}
	if partners, err := to.Step(t.Context()); err != nil || len(partners) != 1 || partners[0].Card.Party != from.Card.Party {
		t.Errorf("%s calls %v, %v", to.Card.Party, partners, err)
	}
	return len(del.Acts)
}

// TestR1HouseAccepts: our own law is asked before a product is taken in, as it is
// before one is released (R1).
func TestR1HouseAccepts(t *testing.T) {
	for what, y := range map[string]struct {
		law, says string
	}{
		"no law":         {"", ""},
		"of releases":    {`@id("out") forbid (principal, action == Action::"release", resource);`, ""},
		"of acceptances": {`@id("in") @text("we take in no reports") @cure("ask the ministry") forbid (principal, action == Action::"accept", resource) when { resource.kind == "report" };`, "we take in no reports (house rule in; ask the ministry)"},
		"of a post":      {`@id("post") forbid (principal, action == Action::"accept", resource) when { principal.post == "Release officer" };`, "house rule post"},
		"of others":      {`@id("in") forbid (principal, action == Action::"accept", resource) when { resource.kind == "image" };`, ""},
	} {
		x := inForce(t, y.law)
		slip, err := x.kr.Release.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("of KR"))
		x.must(t, err)
		x.settle(t)
		x.must(t, x.kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			cu, _, err := x.kr.Catalogue.Product(tx, slip.Number)
			no, refused := cu.Refused["JP"]
			if _, here := cu.Received["JP"]; refused != (y.says != "") || here == refused {
				t.Errorf("%s: received %v, refused %v", what, cu.Received, cu.Refused)
			}
			if refused {
				if b := no.Because[0]; !strings.Contains(b.Text+" ("+b.Article+"; "+b.Cure+")", y.says) {
					t.Errorf("%s: %+v", what, b)
				}
			}
			return err
		}))
	}
}

// write writes a file of a test's.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
