package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	fill(dir)
	if err := put(n); !errors.Is(err, ledger.ErrFull) || !has(0) {
		t.Errorf("with no room at all: %v, reads: %v", err, has(0))
	}
	ledgertest.Resize(t, dir, "64m")
	if err := put(n); err != nil || !has(n) {
		t.Errorf("with room again: %v", err)
	}
}

// fill leaves no page of a disk to anybody.
func fill(dir string) {
	for size := 32 << 20; size > 0; size /= 2 {
		_ = os.WriteFile(filepath.Join(dir, "filler"+strconv.Itoa(size)), make([]byte, size), 0o600)
	}
}

// TestOpenFull: a database on a disk without room is not opened, and that is told for what
// it is, however few pages are free; with some more it is read.
func TestOpenFull(t *testing.T) {
	dir, inside := ledgertest.SmallDisk(t, "24m")
	if !inside {
		return
	}
	path := filepath.Join(dir, "db")
	s, err := sqlite.Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	put := func(r ledger.Rows) error { return r.Put("t", []byte{1}, []byte("kept")) }
	if err := errors.Join(s.Update(t.Context(), put), s.Close()); err != nil {
		t.Fatal(err)
	}
	fill(dir)
	filler := filepath.Join(dir, "filler"+strconv.Itoa(32<<20))
	st, err := os.Stat(filler)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for free := int64(0); ; free += 4096 {
		if err := os.Truncate(filler, st.Size()-free); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(path, key)
		if err == nil {
			defer s.Close()
			var v []byte
			err := s.View(t.Context(), func(r ledger.Rows) (err error) { v, err = r.Get("t", []byte{1}); return err })
			if string(v) != "kept" || err != nil || refused == 0 {
				t.Errorf("with %d bytes free, after %d openings that were refused: read %q, %v", free, refused, v, err)
			}
			return
		}
		refused++
		if free > 1<<20 || !strings.Contains(err.Error(), "the disk is full: nothing was changed; free some space") {
			t.Fatalf("with %d bytes free: %v (the engine: %v)", free, err, sqlite.Cause(err))
		}
	}
}
