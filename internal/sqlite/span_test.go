package sqlite_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"entente/internal/sqlite"
	"entente/ledger"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/xts"
)

// TestSpans: what is written in whole spans is what the encrypting VFS alone
// reads, sector by sector, and the other way about.
func TestSpans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	rnd := rand.New(rand.NewPCG(7, 7))
	want := map[string][]byte{}
	write := func() {
		s, err := sqlite.Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 60 {
			if err := s.Update(t.Context(), func(r ledger.Rows) error {
				for range 1 + rnd.IntN(20) {
					k, v := hex.EncodeToString([]byte{byte(rnd.IntN(256))}), make([]byte, rnd.IntN(9000))
					for i := range v {
						v[i] = byte(rnd.Uint32())
					}
					want[k] = v
					if err := r.Put("t", []byte(k), v); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for k, v := range want { // from the log, by another connection
				if err := s.View(t.Context(), func(r ledger.Rows) error {
					got, err := r.Get("t", []byte(k))
					if !bytes.Equal(got, v) {
						t.Fatalf("%s: %d bytes came back, not the %d written", k, len(got), len(v))
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
	write()
	wide, err := hkdf.Expand(sha256.New, key, "entente database aes-256-xts", 64)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sqlite3.OpenFlags("file:"+path+"?vfs=xts", sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("PRAGMA hexkey='" + hex.EncodeToString(wide) + "'"); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("UPDATE rows SET value=value||x'01'"); err != nil {
		t.Fatalf("the encrypting VFS alone does not read it: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for k := range want {
		want[k] = append(want[k], 1)
	}
	s, err := sqlite.Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	for k, v := range want {
		if err := s.View(t.Context(), func(r ledger.Rows) error {
			got, err := r.Get("t", []byte(k))
			if !bytes.Equal(got, v) {
				t.Errorf("%s: %d bytes came back, not the %d written", k, len(got), len(v))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
