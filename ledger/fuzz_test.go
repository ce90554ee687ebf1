package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"entente/act"
	"entente/internal/sqlite"
	"entente/ledger"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// FuzzReadCheckpoint signs whatever a party may sign. A checkpoint that is read is read
// by the log community's own parser too, as the same head.
func FuzzReadCheckpoint(f *testing.F) {
	b := newBook(f)
	b.append(f, 0, 3)
	cp, _, err := b.Checkpoint(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	ed, err := note.NewVerifier(b.ed)
	if err != nil {
		f.Fatal(err)
	}
	good, _, _ := strings.Cut(string(cp), "\n\n")
	for _, change := range [][2]string{{"", ""}, {"\n3\n", "\n03\n"}, {"\n3\n", "\n-3\n"}, {"\n3\n", "\n9223372036854775807\n"}, {"\n3\n", "\n4611686018427387904\n"}, {"\n3\n", "\n3\n\n"}, {"KR", "JP"}, {"=", "=="}, {"=", "=\nmore"}} {
		f.Add(strings.Replace(good, change[0], change[1], 1)+"\n", []byte(nil))
	}
	f.Add("", cp)
	f.Add("", bytes.Replace(cp, []byte("\n3\n"), []byte("\n4\n"), 1))
	f.Fuzz(func(t *testing.T, text string, signed []byte) {
		if h, err := ledger.ReadCheckpoint(b.card, signed); err == nil && h.Size != 3 {
			t.Errorf("a head of %d entries that nobody signed", h.Size)
		}
		signed, err := b.SignText(text)
		if err != nil {
			return
		}
		h, err := ledger.ReadCheckpoint(b.card, signed)
		if err != nil {
			return
		}
		// Theirs reads what ours refuses (03, a fourth line): ours has one spelling.
		cp, rest, _, err := flog.ParseCheckpoint(signed, "entente/KR", ed)
		if err != nil || len(rest) > 0 || cp.Size != uint64(h.Size) || string(cp.Hash) != string(h.Root[:]) {
			t.Errorf("%q is %+v, and %+v to the other parser: %v", text, h, cp, err)
		}
		if again := fmt.Sprintf("entente/KR\n%s", cp.Marshal()[len("entente/KR\n"):]); again != text {
			t.Errorf("%q and %q are one checkpoint", text, again)
		}
	})
}

// FuzzProof: a proof of inclusion or growth counts when it does for an implementation that
// shares no code with ours, and only then.
func FuzzProof(f *testing.F) {
	b := newBook(f)
	b.append(f, 0, 33)
	leaf := statement(f, 5).Bytes()
	err := b.View(f.Context(), func(tx *ledger.Tx) error {
		for _, n := range []int64{6, 8, 17, 33} {
			in, err := tx.Prove(5, n)
			if err != nil {
				return err
			}
			grown, err := tx.Growth(6, n)
			if err != nil {
				return err
			}
			from, err := tx.HeadAt(6)
			if err != nil {
				return err
			}
			to, err := tx.HeadAt(n)
			if err != nil {
				return err
			}
			f.Add(int64(5), n, from.Root[:], to.Root[:], flat(in.Hashes))
			f.Add(int64(6), n, from.Root[:], to.Root[:], flat(grown))
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(-1), int64(1)<<62, make([]byte, 32), make([]byte, 32), make([]byte, 32*62))
	f.Fuzz(func(t *testing.T, at, size int64, from, to, hashes []byte) {
		if len(from) != 32 || len(to) != 32 || len(hashes)%32 != 0 || len(hashes) > 32*200 {
			t.Skip()
		}
		var ours []tlog.Hash
		var theirs [][]byte
		for i := 0; i < len(hashes); i += 32 {
			ours, theirs = append(ours, tlog.Hash(hashes[i:i+32])), append(theirs, hashes[i:i+32])
		}
		h := act.Head{Size: size, Root: act.Hash(to)}
		in := ledger.Inclusion{Party: "KR", Head: h, Proof: ledger.Proof{Index: at, Size: size, Hashes: ours}}
		want := size > 0 && size <= 1<<62 && at >= 0 && proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(at), uint64(size), rfc6962.DefaultHasher.HashLeaf(leaf), theirs, to) == nil
		if got := in.Vouches("KR", leaf); got != want {
			t.Errorf("entry %d of %d: included %v, and %v by the other implementation", at, size, got, want)
		}
		if at < 1 || size <= at {
			return // nothing to prove: either is empty, or they are of one size
		}
		grown := ledger.CheckGrowth(ours, act.Head{Size: at, Root: act.Hash(from)}, h) == nil
		if want := size <= 1<<62 && proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(at), uint64(size), theirs, from, to) == nil; grown != want {
			t.Errorf("from %d to %d: extends %v, and %v by the other implementation", at, size, grown, want)
		}
	})
}

func flat(hashes []tlog.Hash) (b []byte) {
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// FuzzCheckEvidence begins from the evidence of two ledgers that one party keeps with one
// set of keys. Whatever convicts names the party, and two heads that it signed.
func FuzzCheckEvidence(f *testing.F) {
	b := newBook(f)
	b.append(f, 0, 4)
	shelf, err := sqlite.Open(filepath.Join(f.TempDir(), "fork"), make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { shelf.Close() })
	fork := &book{b.Fork(shelf), b.card, b.ed}
	fork.append(f, 10, 14)
	watcher := newBook(f)
	var seen [][]byte
	heads := map[string]bool{}
	for i, l := range []*book{b, fork, b, fork} {
		cp, h, err := l.Checkpoint(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		seen, heads[string(h.Root[:])] = append(seen, cp), true
		l.append(f, 20+3*i, 23+3*i)
	}
	kept := 0
	for i, earlier := range seen {
		for _, later := range seen[i+1:] {
			growth := tlog.TreeProof{tlog.RecordHash(earlier), tlog.RecordHash(later)}
			c := &ledger.Contradiction{}
			for _, cp := range [][]byte{earlier, later} {
				err = watcher.Update(f.Context(), func(tx *ledger.Tx) error { _, err := tx.See(b.card, cp, growth); return err })
			}
			if !errors.As(err, &c) {
				f.Fatalf("no contradiction: %v", err)
			}
			file, err := c.Evidence()
			if err != nil {
				f.Fatal(err)
			}
			if _, _, err := ledger.CheckEvidence(file); err != nil {
				f.Fatalf("a seed that is no evidence: %v", err)
			}
			f.Add(file)
			kept++
		}
	}
	f.Add([]byte(`{"party":"KR"}`))
	ed, err := note.NewVerifier(b.ed)
	if err != nil || kept == 0 {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c, convicts, err := ledger.CheckEvidence(p)
		if err != nil {
			return
		}
		var sizes [2]uint64
		for i, cp := range [][]byte{c.Earlier, c.Later} {
			head, _, _, err := flog.ParseCheckpoint(cp, "entente/KR", ed)
			if err != nil || !heads[string(head.Hash)] {
				t.Fatalf("%s is accused by a checkpoint that it did not sign: %v", c.Party, err)
			}
			sizes[i] = head.Size
		}
		if c.Party != "KR" || convicts != (sizes[0] == sizes[1]) || convicts && c.Answered(c.Proof) {
			t.Errorf("convicts %s: %v, of %d and %d entries", c.Party, convicts, sizes[0], sizes[1])
		}
		if b, err := json.Marshal(c); err != nil || len(b) == 0 {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

// TestAccusedByAnother: evidence names whose card it bears, and nobody else.
func TestAccusedByAnother(t *testing.T) {
	b := newBook(t)
	c := &ledger.Contradiction{Party: "JP", Card: b.card}
	for i := range 2 {
		cp, err := b.SignHead(act.Head{Size: 5, Root: act.Hash{byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
		c.Earlier, c.Later = c.Later, cp
	}
	file, err := c.Evidence()
	if err != nil {
		t.Fatal(err)
	}
	if _, convicts, err := ledger.CheckEvidence(file); err == nil || convicts {
		t.Errorf("JP is convicted by what KR signed: %v", err)
	}
}

// TestEndlessLedger: a size that no ledger has is refused before a proof is looked at, which
// would not end.
func TestEndlessLedger(t *testing.T) {
	b := newBook(t)
	h := act.Head{Size: 1<<62 + 1, Root: act.Hash{1}}
	cp, err := b.SignHead(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.ReadCheckpoint(b.card, cp); err == nil {
		t.Error("a checkpoint of more entries than can be counted is read")
	}
	if ledger.CheckGrowth(nil, act.Head{Size: 1}, h) == nil || (ledger.Inclusion{Party: "KR", Head: h, Proof: ledger.Proof{Size: h.Size}}).Vouches("KR", nil) {
		t.Error("and proves something")
	}
}
