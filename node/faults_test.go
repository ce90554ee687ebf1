package node_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"entente/catalogue"
	"entente/demo"
	"entente/internal/files"
	"entente/ledger"
	"entente/node"
	"entente/release"
	"entente/vault"
)

// TestClock: a clock that was set back stops writes with words; set right, the
// node goes on.
func TestClock(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	kr.stop()
	clock := time.Now()
	seams := node.World(slog.New(slog.DiscardHandler))
	seams.Now = func() time.Time { return clock }
	n, err := node.Open(t.Context(), kr.dir, kr.secret, seams)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	draft := release.Draft{As: "officer", Pact: "kr-jp-2016", Title: "a report", Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: "군사II급비밀", MediaType: "text/plain"}
	try := func() error {
		_, err := n.Release.Release(t.Context(), draft, strings.NewReader("x"))
		return err
	}
	size := func() int64 { return entries(t, n) }
	before := size()
	clock = clock.AddDate(0, 0, -1)
	if err := try(); !errors.Is(err, catalogue.ErrClock) || !strings.Contains(err.Error(), "set it right") || size() != before {
		t.Errorf("a day back: %v", err)
	}
	clock = clock.AddDate(0, 0, 1)
	if err := try(); err != nil || size() == before {
		t.Errorf("set right: %v", err)
	}
}

func entries(t *testing.T, n *node.Node) (size int64) {
	t.Helper()
	if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error { size = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	return size
}

// failing is a vault whose disk fails in one way.
type failing struct {
	vault.Shelf
	err error
}

type failingStaged struct {
	vault.Staged
	f *failing
}

func (f *failing) Stage(ctx context.Context, name string) (vault.Staged, error) {
	s, err := f.Shelf.Stage(ctx, name)
	return failingStaged{s, f}, err
}

func (s failingStaged) Write(p []byte) (int, error) {
	if s.f.err != nil {
		return 0, s.f.err
	}
	return s.Staged.Write(p)
}

// TestDisk: a full disk refuses and the node goes on; a failed write stops it,
// and what was acknowledged is there after a restart.
func TestDisk(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	kr.stop()
	seams := node.World(slog.New(slog.DiscardHandler))
	n, err := node.Open(t.Context(), kr.dir, kr.secret, seams)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	shelf, err := files.Open(t.TempDir() + "/vault")
	if err != nil {
		t.Fatal(err)
	}
	defer shelf.Close()
	bad := &failing{Shelf: shelf}
	n.Vault = vault.New(bad)
	n.Release.Vault = n.Vault
	port, err := demo.Port()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Serve(t.Context(), l) }()
	draft := release.Draft{As: "officer", Pact: "kr-jp-2016", Title: "a report", Kind: "report", Subject: "defence", Form: "electronic", Purpose: "threat-assessment", Language: "en", Mark: "군사II급비밀", MediaType: "text/plain"}
	try := func() error {
		_, err := n.Release.Release(t.Context(), draft, strings.NewReader(strings.Repeat("x", 2*vault.Inline)))
		return err
	}
	size := entries(t, n)
	bad.err = vault.ErrFull
	if err := try(); !errors.Is(err, vault.ErrFull) || entries(t, n) != size {
		t.Errorf("a full disk: %v", err)
	}
	bad.err = nil
	if err := try(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	bad.err = vault.ErrStorage
	if err := try(); !errors.Is(err, vault.ErrStorage) {
		t.Fatalf("a failing disk: %v", err)
	}
	if err := <-done; !errors.Is(err, vault.ErrStorage) || !strings.Contains(err.Error(), "start the node again") {
		t.Errorf("the node went on: %v", err)
	}
}
