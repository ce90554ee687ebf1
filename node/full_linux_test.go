package node_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/internal/durable"
	"entente/ledger"
	"entente/ledger/ledgertest"
	"entente/product"
	"entente/vault"
)

// TestFull: a disk that fills stops taking in what partners send first, then our own, then opening,
// which is entered, and never reading; the node lives, and does all of it again
// when there is room.
func TestFull(t *testing.T) {
	dir, inside := ledgertest.SmallDisk(t, "240m")
	if !inside {
		return
	}
	t.Setenv("TMPDIR", dir)
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	release := func() error {
		slip, err := kr.Release.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, 1<<20)))
		if err == nil {
			kr.receipted(t, slip.Number)
		}
		return err
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	var in []product.Custody
	read := func() error { return jp.c.Get(t.Context(), "/v1/products?box=in", &in) }
	if err := read(); err != nil || len(in) != 1 {
		t.Fatal(err)
	}
	first := in[0].Manifest.Number
	open := func() error {
		o, err := jp.Reading.Open(t.Context(), first, "analyst", "")
		if err != nil {
			return err
		}
		defer o.Close()
		n, err := io.Copy(io.Discard, io.NewSectionReader(o, 0, o.Size()))
		if n != 1<<20 {
			t.Errorf("%d bytes are read", n)
		}
		return err
	}
	leave := func(room int64) {
		t.Helper()
		is, err := durable.Room(dir)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, strconv.FormatInt(room, 10)), make([]byte, is-room), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	leave(100 << 20)
	slip, err := kr.Release.Release(t.Context(), draft("군사II급비밀"), bytes.NewReader(make([]byte, 3<<20)))
	if err != nil {
		t.Fatalf("our own release with what is left for it: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(jp.status(t).Partners[0].Reason, vault.ErrScarce.Error()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the officer is not told why content waits: %+v", jp.status(t).Partners[0])
		}
	}
	leave(40 << 20)
	if err := release(); !errors.Is(err, vault.ErrFull) {
		t.Errorf("released on a nearly full disk: %v", err)
	}
	if err := errors.Join(open(), read()); err != nil {
		t.Errorf("what is kept is not opened: %v", err)
	}
	leave(8 << 20)
	if err := open(); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("opened without an entry: %v", err)
	}
	if err := read(); err != nil {
		t.Errorf("what is kept is not read: %v", err)
	}
	ledgertest.Resize(t, dir, "400m")
	if err := errors.Join(release(), open(), read()); err != nil || len(in) != 3 {
		t.Errorf("with room again: %d products, %v", len(in), err)
	}
	kr.receipted(t, slip.Number)
}
