package sqlite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"entente/internal/sqlite"
	"entente/ledger"

	"github.com/ncruces/go-sqlite3"
)

// TestFaultWords: each failure of the engine is told in words that say what was not done
// and what to do; the engine's own words are not among them, and are kept for the log.
func TestFaultWords(t *testing.T) {
	for what, x := range map[string]struct {
		err  error
		says []string
	}{
		"a full disk":     {sqlite.WriteFault(fmt.Errorf("commit: %w", syscall.ENOSPC)), []string{"the disk is full", "whole or not at all", "free some space", "start the node again"}},
		"the engine's":    {sqlite.WriteFault(sqlite3.FULL), []string{"the disk is full", "free some space"}},
		"a failed sync":   {sqlite.WriteFault(sqlite3.IOERR), []string{"the disk failed", "whole or not at all", "check the disk"}},
		"a failed read":   {sqlite.ReadFault(sqlite3.IOERR), []string{"cannot be read", "nothing was changed", "try again"}},
		"a damaged page":  {sqlite.ReadFault(sqlite3.CORRUPT), []string{"damaged", "newest copy"}},
		"a busy database": {sqlite.OpenFault(sqlite3.BUSY), []string{"another process", "nothing was changed"}},
		"another's file":  {sqlite.OpenFault(fs.ErrPermission), []string{"may not read and write", "owner"}},
		"no disk to open": {sqlite.OpenFault(sqlite3.IOERR), []string{"cannot be opened", "check the disk"}},
	} {
		for _, s := range x.says {
			if !strings.Contains(x.err.Error(), s) {
				t.Errorf("%s: %q is not in %q", what, s, x.err)
			}
		}
		cause := sqlite.Cause(fmt.Errorf("reading: %w", x.err))
		if cause == nil || strings.Contains(x.err.Error(), cause.Error()) {
			t.Errorf("%s: the cause is told, or lost: %v", what, cause)
		}
		if errors.Is(x.err, ledger.ErrStorage) != strings.Contains(x.err.Error(), "the node stops") {
			t.Errorf("%s: whether it stops the node: %v", what, x.err)
		}
	}
}

// TestDamaged: a database with a page of noise in it says so, and goes on with the rest.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	fill := func(r ledger.Rows) error {
		for i := range 400 {
			if err := r.Put("t", fmt.Appendf(nil, "%04d", i), make([]byte, 3000)); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := sqlite.Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Update(t.Context(), fill), s.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)/2+200<<10; i++ {
		b[i] ^= 0x5a
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(path, key); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	logged := ""
	s.Log = func(while string, cause error) { logged += while + ": " + cause.Error() + "\n" }
	err = s.View(t.Context(), func(r ledger.Rows) error {
		for _, err := range r.Scan("t", nil, nil) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "its database is damaged") || strings.Contains(err.Error(), "sqlite") || errors.Is(err, ledger.ErrStorage) {
		t.Errorf("told: %v", err)
	}
	if !strings.Contains(logged, "reading: sqlite3: database disk image is malformed") {
		t.Errorf("logged: %q", logged)
	}
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("checked: %v", err)
	}
}
