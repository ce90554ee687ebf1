package sqlite_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"entente/internal/sqlite"
	"entente/ledger"
)

// TestPages: whatever was kept or written late, views that run beside commits see
// one commit each, whole, over more pages than are kept and through many checkpoints
// of the log.
func TestPages(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), key)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const keys, rounds = 4000, 60 // some 15 MB of rows, and more written than that
	name := func(k int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(k)) }
	// A value is its round, drawn out to a length of its own. The same round stands under
	// "round", so that what a view sees must be as old as that says and no older.
	value := func(k, round int) []byte {
		return bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(round)), 500+(k*7919+round)%1500)
	}
	var written [keys][]int // the rounds that wrote each, ascending
	var mu sync.RWMutex
	look := func(rnd *rand.Rand, n int) error {
		return s.View(t.Context(), func(r ledger.Rows) error {
			at, err := r.Get("t", []byte("round"))
			if err != nil || at == nil {
				return err
			}
			now := int(binary.BigEndian.Uint32(at))
			for range n {
				k, last := rnd.IntN(keys), -1
				mu.RLock()
				for _, round := range written[k] {
					if round <= now {
						last = round
					}
				}
				mu.RUnlock()
				var want []byte
				if last >= 0 {
					want = value(k, last)
				}
				got, err := r.Get("t", name(k))
				if err != nil {
					return err
				}
				if !bytes.Equal(got, want) {
					t.Errorf("key %d at round %d: %d bytes, not the %d of round %d", k, now, len(got), len(want), last)
				}
			}
			return nil
		})
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for rnd := rand.New(rand.NewPCG(8, uint64(i))); !done.Load() && !t.Failed(); {
				if err := look(rnd, 20); err != nil {
					t.Error(err)
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	for round := range rounds {
		puts := 1 + rnd.IntN(20)
		if round%10 == 0 { // a commit larger than what is written at once
			puts = 800
		}
		picked := map[int]bool{}
		for range puts {
			picked[rnd.IntN(keys)] = true
		}
		mu.Lock()
		for k := range picked {
			written[k] = append(written[k], round)
		}
		mu.Unlock()
		if err := s.Update(t.Context(), func(r ledger.Rows) error {
			for k := range picked {
				if err := r.Put("t", name(k), value(k, round)); err != nil {
					return err
				}
			}
			return r.Put("t", []byte("round"), binary.BigEndian.AppendUint32(nil, uint32(round)))
		}); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	readers.Wait()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	for range 200 {
		if err := look(rnd, 20); err != nil {
			t.Fatal(err)
		}
	}
}
