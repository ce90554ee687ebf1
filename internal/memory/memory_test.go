package memory_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"entente/internal/memory"
	"entente/ledger"
	"entente/ledger/ledgertest"
	"entente/vault"
	"entente/vault/vaulttest"
)

func TestLedger(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledger.Shelf { return memory.NewDisk().Ledger() })
}

func TestVault(t *testing.T) {
	disks := map[string]*memory.Disk{}
	vaulttest.Run(t, func(_ *testing.T, dir string) vault.Shelf {
		if disks[dir] == nil {
			disks[dir] = memory.NewDisk()
		}
		return disks[dir].Vault()
	})
}

func put(t *testing.T, s ledger.Shelf, key string) error {
	t.Helper()
	return s.Update(t.Context(), func(r ledger.Rows) error { return r.Put("t", []byte(key), []byte(key)) })
}

func keys(t *testing.T, s ledger.Shelf) (all []string) {
	t.Helper()
	err := s.View(t.Context(), func(r ledger.Rows) error {
		for row := range r.Scan("t", nil, nil) {
			all = append(all, string(row.Key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAgainstMap draws writes and compares every read with a map's.
func TestAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	s, want := memory.NewDisk().Ledger(), map[string]string{}
	err := s.Update(t.Context(), func(r ledger.Rows) error {
		for i := range 5000 {
			k := fmt.Sprint(rnd.IntN(900))
			if rnd.IntN(3) == 0 {
				delete(want, k)
				if err := r.Delete("t", []byte(k)); err != nil {
					return err
				}
				continue
			}
			want[k] = fmt.Sprint(i)
			if err := r.Put("t", []byte(k), []byte(want[k])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Sorted(maps.Keys(want))
	if got := keys(t, s); !slices.Equal(got, all) {
		t.Errorf("%d rows, want %d", len(got), len(all))
	}
	err = s.View(t.Context(), func(r ledger.Rows) error {
		for k, v := range want {
			if got, err := r.Get("t", []byte(k)); err != nil || string(got) != v {
				t.Errorf("%s is %q, want %q, %v", k, got, v, err)
			}
			i, _ := slices.BinarySearch(all, k)
			last, ok, err := r.Last("t", nil, []byte(k))
			if err != nil || ok != (i > 0) || ok && string(last.Key) != all[i-1] {
				t.Errorf("before %s: %q, %v, %v", k, last.Key, ok, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaults: before a commit nothing is written, after it everything is; either
// way the store is dead until it is opened again.
func TestFaults(t *testing.T) {
	wanted := errors.New("wanted")
	for op, want := range map[memory.Op][]string{memory.Commit: {"a"}, memory.Committed: {"a", "b"}} {
		d := memory.NewDisk()
		s := d.Ledger()
		if err := put(t, s, "a"); err != nil {
			t.Fatal(err)
		}
		d.Fault(func(o memory.Op) error {
			if o == op {
				return wanted
			}
			return nil
		})
		if err := put(t, s, "b"); !errors.Is(err, ledger.ErrStorage) || !errors.Is(err, wanted) {
			t.Errorf("%s: %v", op, err)
		}
		d.Fault(nil)
		if err := put(t, s, "c"); !errors.Is(err, ledger.ErrStorage) {
			t.Errorf("%s: a dead store writes: %v", op, err)
		}
		if got := keys(t, d.Ledger()); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", op, got, want)
		}
	}
}

// TestCrash: what was committed or kept stays, what was only staged is torn, and
// what was open ends, be it in the middle of an update.
func TestCrash(t *testing.T) {
	d := memory.NewDisk()
	s, v := d.Ledger(), vault.New(d.Vault())
	if err := put(t, s, "a"); err != nil {
		t.Fatal(err)
	}
	tree, err := v.Put(t.Context(), "kept", bytes.NewReader([]byte("kept")))
	if err != nil {
		t.Fatal(err)
	}
	kept := tree.Digest()
	for _, name := range []string{"lost", "torn"} {
		g, err := d.Vault().Stage(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Write([]byte("staged")); err != nil {
			t.Fatal(err)
		}
	}
	err = s.Update(t.Context(), func(r ledger.Rows) error {
		d.Crash(func(name string, n int) int { return map[string]int{"torn": n / 2}[name] })
		return r.Put("t", []byte("b"), nil)
	})
	if !errors.Is(err, memory.ErrCrashed) || !errors.Is(err, ledger.ErrStorage) {
		t.Errorf("an update over a crash: %v", err)
	}
	if _, err := v.Open(t.Context(), kept); !errors.Is(err, memory.ErrCrashed) {
		t.Errorf("a shelf from before the crash answers: %v", err)
	}
	if got := keys(t, d.Ledger()); !slices.Equal(got, []string{"a"}) {
		t.Errorf("rows after the crash: %q", got)
	}
	if err := vault.New(d.Vault()).Verify(t.Context(), kept); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int64{"lost": 0, "torn": 3} {
		g, err := d.Vault().Stage(t.Context(), name)
		if err != nil || g.Size() != want {
			t.Errorf("%s: %d bytes, want %d, %v", name, g.Size(), want, err)
		}
	}
}

// TestBackup puts a copy back: what came after it is gone, from both shelves.
func TestBackup(t *testing.T) {
	d := memory.NewDisk()
	if err := put(t, d.Ledger(), "a"); err != nil {
		t.Fatal(err)
	}
	backup, s := d.Copy(), d.Ledger()
	if err := put(t, s, "b"); err != nil {
		t.Fatal(err)
	}
	tree, err := vault.New(d.Vault()).Put(t.Context(), "x", bytes.NewReader([]byte("after")))
	if err != nil {
		t.Fatal(err)
	}
	after := tree.Digest()
	for range 2 { // a backup can be put back more than once
		d.Restore(backup)
		if got := keys(t, d.Ledger()); !slices.Equal(got, []string{"a"}) {
			t.Errorf("restored rows: %q", got)
		}
		if _, err := d.Vault().Open(t.Context(), after); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("restored objects: %v", err)
		}
		if err := put(t, s, "c"); !errors.Is(err, memory.ErrCrashed) && !errors.Is(err, ledger.ErrStorage) {
			t.Errorf("a shelf from before: %v", err)
		}
		if err := put(t, d.Ledger(), "d"); err != nil {
			t.Fatal(err)
		}
	}
}
