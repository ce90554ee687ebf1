//go:build !race

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/desk"
)

// inject has the calls of a running node fail until the returned function is called; none:
// strace may not attach here.
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
		p.t.Logf("strace may not attach here: %s", b[:n])
		return nil
	}
	return func() {
		_ = c.Process.Signal(syscall.SIGINT)
		late := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() }) // it may wait for a thread that is gone
		defer late.Stop()
		_ = c.Wait()
	}
}

// What a user reads of a disk that fails: what happened, what was not done, and what to do.
const (
	diskFailed   = "the disk failed, and the node stops: what was being entered is there whole or not at all, and what was acknowledged before is kept; check the disk, start the node again, and look before you do it again"
	diskFull     = "the disk is full, and the node stops: what was being entered is there whole or not at all, and what was acknowledged before is kept; free some space, start the node again, and look before you do it again"
	noRoom       = "the disk is full: free some space and try again; nothing of it was kept"
	objectFailed = "the disk failed: check it, then start the node again; what was acknowledged is kept"
	cannotRead   = "the ledger cannot be read, because the disk failed: nothing was changed and nothing is shown; try again, and if it stays, check the disk and start the node again"
	notServing   = "the node is not serving" // it ended just before
	endedBefore  = "the node ended before it answered: start it again, and look whether it was done before you do it again; its log says why it ended"
)

// TestFaults is the program under faults of its machine. Each line says what
// was done, what a user saw, and what became of the node; at the end all that
// was acknowledged is on the other side once, and both ledgers verify.
func TestFaults(t *testing.T) {
	t.Parallel()
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
	for i, x := range []struct {
		what, calls, fault string
		small, large       []string // what a user reads: one of these
	}{
		{"each sync fails", "fsync,fdatasync", "error=EIO", []string{diskFailed, endedBefore, notServing}, []string{objectFailed, diskFailed, endedBefore, notServing}},
		{"each write fails", "pwrite64", "error=EIO", []string{diskFailed, endedBefore, notServing}, []string{objectFailed, diskFailed, endedBefore, notServing}},
		{"the disk is full", "pwrite64", "error=ENOSPC", []string{diskFull, endedBefore, notServing}, []string{noRoom, diskFull, endedBefore, notServing}},
		{"each read fails", "pread64", "error=EIO", []string{cannotRead, diskFailed, endedBefore, notServing}, []string{cannotRead, diskFailed, endedBefore, notServing}},
		{"a sync fails now and then", "fsync,fdatasync", "error=EIO:when=2+3", []string{"released", diskFailed, endedBefore, notServing}, []string{"released", objectFailed, diskFailed, endedBefore, notServing}},
	} {
		for k, words := range [][]string{x.small, x.large} {
			large := []string{"", " large"}[k]
			var end func()
			if straced {
				end = kr.inject(x.calls, x.fault)
			}
			if end == nil {
				t.Logf("%s%s: NOT RUN, for want of strace", x.what, large)
				continue
			}
			saw := try(kr, fmt.Sprintf("KR fault %d%s", i, large))
			end()
			held := "the node went on"
			select {
			case <-kr.died:
				held = "the node ended, and was started again"
				if log := kr.log.String(); !strings.Contains(log, "the disk") {
					t.Errorf("%s%s: the node ended, and its log does not say why: %s", x.what, large, log)
				}
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
			if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(saw, w) }) {
				t.Errorf("%s%s: a user reads %q, and none of %q", x.what, large, saw, words)
			}
			for _, raw := range []string{"sqlite", "disk I/O error", "broken pipe"} {
				if strings.Contains(saw, raw) {
					t.Errorf("%s%s: told in the engine's words: %s", x.what, large, saw)
				}
			}
		}
	}
	pause := time.Minute
	if testing.Short() {
		pause = 3 * time.Second
	}
	_ = jp.cmd.Process.Signal(syscall.SIGSTOP)
	saw := try(kr, "KR while the other stands still large")
	time.Sleep(pause)
	_ = jp.cmd.Process.Signal(syscall.SIGCONT)
	t.Logf("the partner stands still for %v: %s", pause, saw)
	if saw != "released" {
		t.Errorf("the partner stands still, and nothing can be released: %s", saw)
	}
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
	if want := "does not lead to it: the folder was restored from a backup or run twice; stop, and put the newest copy back"; !strings.Contains(saw, want) {
		t.Errorf("a user reads %q, not %q", saw, want)
	}
	if saw := try(kr, "KR by the copy"); saw != "released" {
		t.Log("the copy releases: " + saw)
	}
	for n, cu := range jp.products("in") {
		if cu.Manifest.Title == "KR by the copy" {
			t.Errorf("%s, which the copy released, was carried", n)
		}
	}
}
