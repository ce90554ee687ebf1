package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"entente/internal/sqlite"
	"entente/ledger"
	"entente/ledger/ledgertest"
)

// TestFull: with the disk nearly full the store refuses to begin, goes on
// reading, and works again when there is room; no write ever fails half-way.
func TestFull(t *testing.T) {
	dir, inside := ledgertest.SmallDisk(t, "24m")
	if !inside {
		return
	}
	s, err := sqlite.Open(filepath.Join(dir, "db"), key)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(k byte) error {
		return s.Update(t.Context(), func(r ledger.Rows) error { return r.Put("t", []byte{k}, make([]byte, 200<<10)) })
	}
	has := func(k byte) bool {
		var v []byte
		err := s.View(t.Context(), func(r ledger.Rows) (err error) { v, err = r.Get("t", []byte{k}); return err })
		return err == nil && v != nil
	}
	n := byte(0)
	for ; err == nil && n < 255; n++ {
		err = put(n)
	}
	if !errors.Is(err, ledger.ErrFull) || errors.Is(err, ledger.ErrStorage) || n < 3 {
		t.Fatalf("row %d: %v", n, err)
	}
	if has(n-1) || !has(n-2) {
		t.Error("what was refused is there, or what was taken in is not")
	}
	// Whoever else writes there may take the rest.
	for size := 16 << 20; size > 0; size /= 2 {
		_ = os.WriteFile(filepath.Join(dir, strconv.Itoa(size)), make([]byte, size), 0o600)
	}
	if err := put(n); !errors.Is(err, ledger.ErrFull) || !has(0) {
		t.Errorf("with no room at all: %v, reads: %v", err, has(0))
	}
	ledgertest.Resize(t, dir, "64m")
	if err := put(n); err != nil || !has(n) {
		t.Errorf("with room again: %v", err)
	}
}
