//go:build !race

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/desk"
)

// inject has the calls of a running node fail until the returned function is called.
func (p *proc) inject(calls, fault string) (end func()) {
	p.t.Helper()
	c := exec.Command("strace", "-f", "-o", "/dev/null", "-p", strconv.Itoa(p.cmd.Process.Pid), "-e", "trace="+calls, "-e", "inject="+calls+":"+fault)
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, 4096)
	if n, err := said.Read(b); err != nil || !strings.Contains(string(b[:n]), "attached") {
		_ = c.Wait()
		p.t.Skipf("strace may not attach here: %s", b[:n])
	}
	return func() {
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait()
	}
}

// TestFaults is the program under faults of its machine. Each line says what
// was done, what a user saw, and what became of the node; at the end all that
// was acknowledged is on the other side once, and both ledgers verify.
func TestFaults(t *testing.T) {
	kr, jp := concluded(t)
	_, err := exec.LookPath("strace")
	straced := err == nil
	try := func(p *proc, title string) (saw string) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if err := p.release(ctx, title); err != nil {
			return "not released: " + err.Error()
		}
		return "released"
	}
	kr.wait("the pact is in force", func() bool { return try(kr, "KR first") == "released" })
	for i, x := range []struct{ what, calls, fault string }{
		{"each sync fails", "fsync,fdatasync", "error=EIO"},
		{"each write fails", "pwrite64", "error=EIO"},
		{"the disk is full", "pwrite64", "error=ENOSPC"},
		{"each read fails", "pread64", "error=EIO"},
		{"a sync fails now and then", "fsync,fdatasync", "error=EIO:when=2+3"},
	} {
		if !straced {
			t.Logf("%s: not run: install strace", x.what)
			continue
		}
		for _, large := range []string{"", " large"} {
			end := kr.inject(x.calls, x.fault)
			saw := try(kr, fmt.Sprintf("KR fault %d%s", i, large))
			end()
			held := "the node went on"
			select {
			case <-kr.died:
				held = "the node ended, and was started again"
				kr.start("")
			case <-time.After(time.Second):
			}
			kr.wait("it answers", kr.up)
			after := try(kr, fmt.Sprintf("KR after %d%s", i, large))
			if after != "released" { // it says so, and goes on when it is started again
				kr.kill()
				kr.start("")
				kr.wait("it answers", kr.up)
				held += "; then " + after + "; started again"
				if after = try(kr, fmt.Sprintf("KR again %d%s", i, large)); after != "released" {
					t.Errorf("%s: still %s", x.what, after)
				}
			}
			t.Logf("%s%s: %s; %s", x.what, large, saw, held)
			for _, raw := range []string{"sqlite", "disk I/O error", "broken pipe"} {
				if strings.Contains(saw, raw) {
					t.Errorf("%s%s: told in the engine's words: %s", x.what, large, saw)
				}
			}
		}
	}
	pause := 30 * time.Second
	if testing.Short() {
		pause = 3 * time.Second
	}
	_ = jp.cmd.Process.Signal(syscall.SIGSTOP)
	saw := try(kr, "KR while the other stands still large")
	time.Sleep(pause)
	_ = jp.cmd.Process.Signal(syscall.SIGCONT)
	t.Logf("the partner stands still for %v: %s", pause, saw)
	settled(t, kr, jp)
	settled(t, jp, kr)

	// The folder is copied; the first goes on, then the copy runs in its place.
	kr.kill()
	_ = os.Remove(filepath.Join(kr.dir, "desk.sock")) // a socket is not copied
	second := filepath.Join(t.TempDir(), "n")
	if err := os.CopyFS(second, os.DirFS(kr.dir)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{second, filepath.Join(second, "vault")} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	kr.start("")
	kr.wait("it answers", kr.up)
	if saw := try(kr, "KR by the first"); saw != "released" {
		t.Error(saw)
	}
	settled(t, kr, jp)
	kr.kill()
	kr.dir, kr.c = second, desk.Dial(filepath.Join(second, "desk.sock"))
	kr.start("")
	kr.wait("the copy is noticed", func() bool {
		var v desk.StatusView
		err := kr.c.Get(t.Context(), "/v1/status", &v)
		if err != nil || len(v.Partners) != 1 || v.Partners[0].Linked || v.Partners[0].Trouble == "" {
			return false
		}
		saw = v.Partners[0].Trouble
		return true
	})
	t.Logf("the folder is copied and run twice: %s", saw)
}
