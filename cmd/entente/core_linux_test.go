//go:build !race

package main

import (
	"fmt"
	"os"
	"regexp"
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
