package node_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/intake"
	"entente/ledger"
	"entente/node"

	"golang.org/x/mod/sumdb/note"
)

// checkpointOf is the text of a party's checkpoint.
func checkpointOf(p act.Party, h act.Head) string {
	return fmt.Sprintf("%s\n%d\n%s\n", ledger.Origin(p), h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// TestDisputedLater: what convicts a partner is found while our own clock is behind. It is
// kept, nothing more is exchanged, and it is entered once the clock is right: at the next
// step, or when the node was started again meanwhile.
func TestDisputedLater(t *testing.T) {
	for _, again := range []bool{false, true} {
		x := inForce(t, "")
		// JP signs a second ledger of the size that it showed before.
		var seen act.Head
		x.must(t, x.kr.Ledger.View(t.Context(), func(tx *ledger.Tx) (err error) { seen, err = tx.PeerHead("JP"); return err }))
		other := seen
		other.Root[0] ^= 1
		forged, err := note.Sign(&note.Note{Text: checkpointOf("JP", other)}, x.jp.Carriage.Post.Signers...)
		x.must(t, err)
		size := entries(t, x.kr)
		right := x.clock
		x.clock = x.clock.Add(-30 * time.Hour)
		err = x.kr.Carriage.Take(t.Context(), intake.Delivery{From: "JP", Checkpoint: forged})
		if err == nil || entries(t, x.kr) != size {
			t.Fatalf("a second ledger is taken in, or something is entered by a wrong clock: %v", err)
		}
		g, err := x.jp.Carriage.Greet(t.Context(), "KR")
		x.must(t, err)
		if err := x.kr.Carriage.Meet(t.Context(), x.jp.Card, g); err == nil || !strings.Contains(err.Error(), "is disputed") {
			t.Errorf("it goes on meanwhile: %v", err)
		}
		if again {
			x.kr, err = node.New(t.Context(), x.kr.Dir(), x.disks["KR"].Ledger(), x.disks["KR"].Vault(), x.seams())
			x.must(t, err)
			if err := x.kr.Carriage.Meet(t.Context(), x.jp.Card, g); err == nil || !strings.Contains(err.Error(), "is disputed") {
				t.Errorf("it goes on after a start: %v", err)
			}
		}
		_, err = x.kr.Step(t.Context())
		x.must(t, err)
		if entries(t, x.kr) != size {
			t.Error("something is entered by a wrong clock")
		}
		x.clock = right
		_, err = x.kr.Step(t.Context())
		x.must(t, err)
		x.must(t, x.kr.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
			e, err := tx.Entry(size)
			if d, ok := e.Act.Body.(act.Dispute); err != nil || !ok || d.Party != "JP" || !strings.Contains(d.What, "differ") {
				t.Errorf("entered is %+v, %v", e.Act, err)
			}
			p, _, err := x.kr.Catalogue.Partner(tx, "JP")
			if p.Disputed == "" {
				t.Error("its ledger is not disputed")
			}
			return err
		}))
		left, err := filepath.Glob(filepath.Join(x.kr.Dir(), "evidence", "*"))
		if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".json") {
			t.Errorf("kept: %v, %v", left, err)
		}
		_, err = x.kr.Step(t.Context())
		x.must(t, err)
		if now := entries(t, x.kr); now != size+1 {
			t.Errorf("%d entries came of it", now-size)
		}
	}
}
