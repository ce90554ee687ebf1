package node_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/act"
	"entente/catalogue"
	"entente/demo"
	"entente/desk"
	"entente/internal/files"
	"entente/ledger"
	"entente/node"
	"entente/pact"
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
	told := func() *act.Moment {
		var v desk.StatusView
		if err := desk.Within(n.Desk("").API()).Get(t.Context(), "/v1/status", &v); err != nil {
			t.Fatal(err)
		}
		return v.Behind
	}
	if at := told(); at == nil || !at.After(clock) {
		t.Errorf("a day back, the status says %v", at)
	}
	clock = clock.AddDate(0, 0, 1)
	if err := try(); err != nil || size() == before {
		t.Errorf("set right: %v", err)
	}
	if at := told(); at != nil {
		t.Errorf("set right, the status says %v", at)
	}
	// A small step back is let pass, and revives nothing.
	clock = clock.Add(time.Minute)
	var text act.Sum
	err = n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		_, row, _, err := n.Catalogue.Pact(tx, "kr-jp-2016", clock)
		text = row.Text
		return err
	})
	if err := errors.Join(err, n.Chancery.Read(t.Context(), "kr-jp-2016", text, pact.Terminated, "", "officer")); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(-10 * time.Second)
	var refused *release.Refused
	if err := try(); !errors.As(err, &refused) {
		t.Errorf("ten seconds before the pact was read as ended: %v", err)
	}
}

// TestClocks: two nodes whose clocks are two days apart do not speak, both say
// why, and nothing is entered of it; set right, the link stands again.
func TestClocks(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	var ahead atomic.Int64
	again := func() {
		t.Helper()
		kr.stop()
		seams := node.World(slog.New(slog.DiscardHandler))
		seams.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		n, err := node.Open(t.Context(), kr.dir, kr.secret, seams)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", kr.addr)
		if err != nil {
			t.Fatal(err)
		}
		kr.Node = n
		kr.run(t, l)
	}
	says := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			a, b := kr.Carriage.States()["JP"], jp.Carriage.States()["KR"]
			if what == "" && a.Linked && b.Linked || what != "" && strings.Contains(a.Trouble, what) && strings.Contains(b.Trouble, what) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("never %q: %+v, %+v", what, a, b)
			}
		}
	}
	before := entries(t, kr.Node)
	ahead.Store(int64(48 * time.Hour))
	again()
	says("clock")
	if now := entries(t, kr.Node); now != before {
		t.Errorf("%d entries came of it", now-before)
	}
	ahead.Store(0)
	again()
	says("")
}

// TestPassphrase: a short one makes no node; a wrong one, and a key file in its
// place, open none.
func TestPassphrase(t *testing.T) {
	if _, err := node.Passphrase([]byte("short")); err == nil || !strings.Contains(err.Error(), "at least 12") {
		t.Errorf("a short passphrase: %v", err)
	}
	right, err := node.Passphrase([]byte("a rather long passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := node.Passphrase([]byte("a rather wrong passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	keyfile := t.TempDir() + "/key"
	seams := node.World(slog.New(slog.DiscardHandler))
	if err := node.NewKeyFile(keyfile, seams.Random); err != nil {
		t.Fatal(err)
	}
	key, err := node.KeyFile(keyfile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/n"
	if err := node.Init(t.Context(), dir, right, node.Found{Party: "KR"}, seams); err != nil {
		t.Fatal(err)
	}
	for _, s := range []node.Secret{wrong, key} {
		if _, err := node.Open(t.Context(), dir, s, seams); !errors.Is(err, node.ErrLocked) || strings.Contains(err.Error(), "rather") {
			t.Errorf("another secret: %v", err)
		}
	}
	n, err := node.Open(t.Context(), dir, right, seams)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
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
