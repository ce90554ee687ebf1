package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/files"
	"entente/vault"
	"entente/vault/vaulttest"
)

func TestShelf(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T, dir string) vault.Shelf {
		s, err := files.Open(filepath.Join(dir, "vault"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestOpenToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(dir); !errors.Is(err, files.ErrOpenToOthers) {
		t.Errorf("a directory that others read: %v", err)
	}
}

// TestNames: whatever a stage is called, it stays inside the directory.
func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	s, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{"../../escape", "/etc/passwd", "a/b", "\x00", ".."} {
		g, err := s.Stage(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	staged, err := os.ReadDir(filepath.Join(dir, "staged"))
	if err != nil || len(staged) != 5 {
		t.Errorf("%d staged files, %v", len(staged), err)
	}
}
