package ledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/act"
	"entente/internal/sqlite"
	"entente/ledger"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// book is a ledger of KR with its card.
type book struct {
	*ledger.Ledger
	card act.Card
	ed   string // verifier of its Ed25519 line
}

func newBook(t testing.TB) *book {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	skey, vkey, err := act.NewEd25519Key(ledger.Origin("KR"), bytes.NewReader(make([]byte, 32))) // the same in each process: fuzzing has two
	if err != nil {
		t.Fatal(err)
	}
	ed, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	pq, pqv, err := act.NewMLDSASigner(ledger.Origin("KR"), make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Open(s, ledger.Config{Party: "KR", Signers: []note.Signer{ed, pq}, Fold: func(tx *ledger.Tx, e ledger.Entry) error {
		return ledger.Save(tx, ledger.FoldPrefix+"last", "entry", e.Index)
	}})
	return &book{l, act.Card{Party: "KR", Ledger: []string{vkey, pqv}, Period: 1}, vkey}
}

// statement is the i-th act of KR's.
func statement(t testing.TB, i int) act.Verified {
	t.Helper()
	v, err := act.Sign(act.Act{Kind: act.ProductOpened, From: "KR", At: act.MomentOf(time.Unix(int64(i), 0)), Period: 1, Body: act.Opening{Number: "KR-2016-7Q4K-M2XT", Person: "analyst"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *book) append(t testing.TB, from, to int) {
	t.Helper()
	err := b.Update(t.Context(), func(tx *ledger.Tx) error {
		for i := from; i < to; i++ {
			if _, err := tx.Append(statement(t, i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestIndependent checks checkpoints and proofs with an implementation that
// shares no code with ours.
func TestIndependent(t *testing.T) {
	b := newBook(t)
	ed, err := note.NewVerifier(b.ed)
	if err != nil {
		t.Fatal(err)
	}
	roots := map[int64][]byte{}
	for n := int64(1); n <= 33; n++ {
		b.append(t, int(n-1), int(n))
		signed, head, err := b.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cp, rest, _, err := flog.ParseCheckpoint(signed, "entente/KR", ed)
		if err != nil || int64(cp.Size) != n || len(rest) > 0 || string(cp.Hash) != string(head.Root[:]) {
			t.Fatalf("checkpoint of %d: %+v, %v", n, cp, err)
		}
		roots[n] = cp.Hash
		err = b.View(t.Context(), func(tx *ledger.Tx) error {
			for i := range n {
				p, err := tx.Prove(i, n)
				if err != nil {
					return err
				}
				var hashes [][]byte
				for _, h := range p.Hashes {
					hashes = append(hashes, h[:])
				}
				leaf := rfc6962.DefaultHasher.HashLeaf(statement(t, int(i)).Bytes())
				if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(n), leaf, hashes, cp.Hash); err != nil {
					t.Errorf("entry %d of %d: %v", i, n, err)
				}
				if i == 0 {
					continue
				}
				g, err := tx.Growth(i, n)
				if err != nil {
					return err
				}
				hashes = nil
				for _, h := range g {
					hashes = append(hashes, h[:])
				}
				if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(i), uint64(n), hashes, roots[i], cp.Hash); err != nil {
					t.Errorf("growth from %d to %d: %v", i, n, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestContradiction shows a ledger that was rewritten: the second history is
// refused, and the evidence convicts without either node.
func TestContradiction(t *testing.T) {
	b, watcher := newBook(t), newBook(t)
	b.append(t, 0, 10)
	first, _, err := b.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	see := func(cp []byte) error {
		return watcher.Update(t.Context(), func(tx *ledger.Tx) error { _, err := tx.See(b.card, cp, nil); return err })
	}
	if err := see(first); err != nil {
		t.Fatal(err)
	}
	if err := see(first); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for name, head := range map[string]act.Head{"shorter": {Size: 9, Root: act.Hash{1}}, "other": {Size: 10, Root: act.Hash{1}}, "longer without proof": {Size: 12, Root: act.Hash{1}}} {
		forged := b.forge(t, head)
		var c *ledger.Contradiction
		if err := see(forged); !errors.As(err, &c) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file, err := c.Evidence()
		if err != nil {
			t.Fatal(err)
		}
		got, convicts, err := ledger.CheckEvidence(file)
		if err != nil || got.Party != "KR" || convicts != (name == "other") || got.Answered(nil) {
			t.Errorf("%s: convicts %v, %v", name, convicts, err)
		}
	}
	// A false proof beside two honest checkpoints convicts nobody: the party answers.
	b.append(t, 10, 20)
	honest, _, err := b.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := (&ledger.Contradiction{Party: "KR", Card: b.card, Earlier: first, Later: honest}).Evidence()
	if err != nil {
		t.Fatal(err)
	}
	c, convicts, err := ledger.CheckEvidence(file)
	if err != nil || convicts {
		t.Errorf("a false accusation: convicts %v, %v", convicts, err)
	}
	if err := b.View(t.Context(), func(tx *ledger.Tx) error {
		proof, err := tx.Growth(10, 20)
		if !c.Answered(proof) || c.Answered(proof[1:]) {
			t.Error("the party cannot answer, or anything answers")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	bad := append([]byte{}, first...)
	bad[len(bad)-5] ^= 1
	if err := see(bad); err == nil {
		t.Error("a checkpoint with a broken signature was seen")
	}
}

// forge signs another history with the ledger's own keys, as its operator could.
func (b *book) forge(t *testing.T, h act.Head) []byte {
	t.Helper()
	signed, err := b.SignHead(h)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestKnown(t *testing.T) {
	b := newBook(t)
	b.append(t, 0, 1)
	err := b.Update(t.Context(), func(tx *ledger.Tx) error {
		e, err := tx.Append(statement(t, 0))
		if e.Index != 0 {
			t.Errorf("the entry there is %d", e.Index)
		}
		return err
	})
	if !errors.Is(err, ledger.ErrKnown) {
		t.Errorf("entered twice: %v", err)
	}
}

// TestGroup: who waits together shares a commit; one that fails or panics fails
// alone, and a caller that gives up before its turn has written nothing.
func TestGroup(t *testing.T) {
	b := newBook(t)
	begun, go_on := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := b.Update(t.Context(), func(*ledger.Tx) error { close(begun); <-go_on; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	grown := b.Grown()
	entered := make(chan int64, 32)
	for i := range 32 {
		all.Go(func() {
			defer func() {
				if p := recover(); (p != nil) != (i%8 == 1) {
					t.Errorf("update %d: panic %v", i, p)
				}
			}()
			err := b.Update(t.Context(), func(tx *ledger.Tx) error {
				e, err := tx.Append(statement(t, i))
				switch i % 8 {
				case 0:
					return errors.Join(err, errWanted)
				case 1:
					panic("wanted")
				}
				entered <- e.Index
				return err
			})
			if errors.Is(err, errWanted) != (i%8 == 0) || err != nil && i%8 > 1 {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		err := b.Update(ctx, func(*ledger.Tx) error { t.Error("it had left"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up: %v", err)
		}
	})
	for b.Waiting() != 33 {
		runtime.Gosched()
	}
	cancel()
	for b.Waiting() != 32 {
		runtime.Gosched()
	}
	close(go_on)
	all.Wait()
	close(entered)
	seen := map[int64]bool{}
	for i := range entered {
		seen[i] = true
	}
	err := b.View(t.Context(), func(tx *ledger.Tx) error {
		if tx.Size() != 24 || len(seen) != 24 {
			t.Errorf("%d entries under %d indexes, want 24", tx.Size(), len(seen))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-grown:
	default:
		t.Error("nobody was told that the ledger grew")
	}
	if _, err := b.Verify(t.Context(), b.card, func(int64, int64) {}); err != nil {
		t.Error(err)
	}
}

var errWanted = errors.New("wanted")

// TestCheckpointKept: a head is signed once, the next commit keeps what was
// signed, and what is not durable is not signed.
func TestCheckpointKept(t *testing.T) {
	b := newBook(t)
	b.append(t, 0, 3)
	first, head, err := b.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := func() (got []byte) {
		t.Helper()
		if err := b.View(t.Context(), func(tx *ledger.Tx) (err error) {
			got, err = tx.Get("ledger/signed", binary.BigEndian.AppendUint64(nil, uint64(head.Size)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if again, _, err := b.Checkpoint(t.Context()); err != nil || !bytes.Equal(again, first) || kept() != nil {
		t.Errorf("signed twice, or kept without a commit: %v", err)
	}
	if err := b.Update(t.Context(), func(tx *ledger.Tx) error {
		if _, _, err := tx.Checkpoint(); err == nil {
			t.Error("signed what is not durable")
		}
		return errors.New("undone")
	}); err == nil || kept() != nil {
		t.Errorf("kept by what was undone: %v", err)
	}
	b.append(t, 3, 4)
	if !bytes.Equal(kept(), first) {
		t.Error("the next commit does not keep it")
	}
}

// BenchmarkAppend enters acts one by one and by many callers at once, each act
// beside a row of its size put into a store of its own in the same way.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
	}{{"single", 1}, {"grouped", 256}} {
		b.Run(c.name, func(b *testing.B) {
			l, bare := newBook(b), newBook(b)
			const round = 512 // acts between two looks at the clock: what slows one slows the other
			var acts, rows time.Duration
			n := 0
			for b.Loop() {
				entered := make([]act.Verified, round)
				for i := range entered {
					entered[i] = statement(b, n+i)
				}
				acts += together(b, c.callers, round, func(i int) error {
					return l.Update(b.Context(), func(tx *ledger.Tx) error { _, err := tx.Append(entered[i]); return err })
				})
				rows += together(b, c.callers, round, func(i int) error {
					return bare.Update(b.Context(), func(tx *ledger.Tx) error {
						return tx.Put("bare", binary.BigEndian.AppendUint64(nil, uint64(n+i)), entered[i].Bytes())
					})
				})
				n += round
			}
			b.ReportMetric(float64(n)/acts.Seconds(), "acts/s")
			b.ReportMetric(float64(n)/rows.Seconds(), "rows/s")
			b.ReportMetric(100*rows.Seconds()/acts.Seconds(), "%-of-bare")
		})
	}
}

// together has callers do n things between them, and tells how long that took.
func together(b *testing.B, callers, n int, do func(i int) error) time.Duration {
	began := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
