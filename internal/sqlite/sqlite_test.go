package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/sqlite"
	"entente/ledger"
	"entente/ledger/ledgertest"
)

var key = bytes.Repeat([]byte{5}, 32)

func TestShelf(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Shelf {
		s, err := sqlite.Open(filepath.Join(t.TempDir(), "db"), key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestSealedAtRest looks for a marker in every file, while the database is open
// and after it was closed.
func TestSealedAtRest(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(filepath.Join(dir, "db"), key)
	if err != nil {
		t.Fatal(err)
	}
	marker := bytes.Repeat([]byte("a very secret title "), 50)
	if err := s.Update(t.Context(), func(r ledger.Rows) error { return r.Put("t", marker[:20], marker) }); err != nil {
		t.Fatal(err)
	}
	look := func() {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatal("no files", err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("secret")) || bytes.HasPrefix(b, []byte("SQLite format")) {
				t.Errorf("%s shows what it holds", filepath.Base(f))
			}
		}
	}
	look()
	if err := errors.Join(s.Check(), s.Close()); err != nil {
		t.Fatal(err)
	}
	look()
	if _, err := sqlite.Open(filepath.Join(dir, "db"), bytes.Repeat([]byte{6}, 32)); !errors.Is(err, sqlite.ErrKey) {
		t.Errorf("opened with another key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(filepath.Join(dir, "other"), key); !errors.Is(err, sqlite.ErrKey) {
		t.Errorf("opened what is no database: %v", err)
	}
}

// BenchmarkBareCommit is the floor of every append: one durable row.
func BenchmarkBareCommit(b *testing.B) {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "db"), key)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 500)
	n := uint64(0)
	for b.Loop() {
		n++
		k := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		if err := s.Update(b.Context(), func(r ledger.Rows) error { return r.Put("t", k, value) }); err != nil {
			b.Fatal(err)
		}
	}
}
