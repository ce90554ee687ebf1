package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"entente/internal/point"
)

// TestMain lets the test binary be the program: the scripts and the kill test run it.
func TestMain(m *testing.M) {
	// The decoder has no environment.
	if os.Getenv("ENTENTE_TEST_MAIN") == "1" || len(os.Args) == 2 && os.Args[1] == "decode" {
		dieAt(os.Getenv("ENTENTE_TEST_DIE"))
		main()
	}
	os.Exit(m.Run())
}

// dieAt has this process kill itself at a named point, at its n-th passing: "3 after a commit".
func dieAt(order string) {
	times, name, ok := strings.Cut(order, " ")
	n, err := strconv.ParseInt(times, 10, 64)
	if !ok || err != nil {
		return
	}
	var left atomic.Int64
	left.Store(n)
	point.Reached = func(reached string) {
		if reached == name && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing more happens here while the signal is on its way
		}
	}
}
