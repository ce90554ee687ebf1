//go:build !race

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// TestNoCore: a serving node cannot leave a core dump, whatever its parent allowed.
func TestNoCore(t *testing.T) {
	p := newProc(t, "KR")
	p.wait("it answers", p.up)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`Max core file size +[01] +[01] `).Match(limits) {
		t.Errorf("a serving node may leave a core dump:\n%s", limits)
	}
}

// TestLockMemory: a process whose memory is locked goes on taking memory and giving it back.
func TestLockMemory(t *testing.T) {
	if os.Getenv("ENTENTE_TEST_LOCK") == "" {
		c := exec.Command(os.Args[0], "-test.run", "TestLockMemory$", "-test.v")
		c.Env = append(os.Environ(), "ENTENTE_TEST_LOCK=1")
		if out, err := c.CombinedOutput(); err != nil || bytes.Contains(out, []byte("SKIP")) {
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Skip("this machine does not let memory be locked")
		}
		return
	}
	if err := lockMemory(); err != nil {
		t.Skip(err)
	}
	for range 4 {
		b := make([]byte, 32<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		runtime.KeepAlive(b)
		debug.FreeOSMemory()
	}
	status, err := os.ReadFile("/proc/self/status")
	if locked := regexp.MustCompile(`VmLck:\s+(\d+) kB`).FindSubmatch(status); err != nil || locked == nil || string(locked[1]) == "0" {
		t.Errorf("nothing is locked: %s %v", status, err)
	}
}

func TestSwaps(t *testing.T) {
	const head = "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	for table, want := range map[string][]string{
		"": nil, head: nil,
		head + "/dev/zram0 partition 100 0 -2\n":                         nil,
		head + "/dev/dm-1 partition 100 0 -2\n/swapfile file 100 7 -3\n": {"/dev/dm-1", "/swapfile"},
	} {
		if got := swaps(table); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", table, got, want)
		}
	}
}
