package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"entente/internal/point"
)

// TestMain lets the test binary be the program: the scripts and the kill test run it.
func TestMain(m *testing.M) {
	// The decoder has no environment.
	if os.Getenv("ENTENTE_TEST_MAIN") == "1" || len(os.Args) == 2 && os.Args[1] == "decode" {
		dieAt(os.Getenv("ENTENTE_TEST_DIE"))
		leak(os.Getenv("ENTENTE_TEST_LEAK"))
		tell(os.Getenv("ENTENTE_TEST_TELL"))
		step(os.Getenv("ENTENTE_TEST_CLOCK"))
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

// leak plants leaks, which the soak must find: a goroutine for each session, a file for each
// content fetched, a kibibyte for each product released.
func leak(what string) {
	if what == "" {
		return
	}
	var mu sync.Mutex
	var kept [][]byte
	at := map[string]func(){}
	for leak := range strings.FieldsSeq(what) {
		switch leak {
		case "goroutine":
			at["after greeting"] = func() { go func() { select {} }() }
		case "file":
			at["after fetching content"] = func() { _, _ = syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) }
		case "memory":
			at["after sealing"] = func() {
				mu.Lock()
				defer mu.Unlock()
				kept = append(kept, make([]byte, 1<<10))
			}
		}
	}
	point.Reached = func(reached string) {
		if plant := at[reached]; plant != nil {
			plant()
		}
	}
}

// tell has this process write, whenever it is asked by SIGUSR1, how many goroutines it has, how
// many bytes its heap holds once all garbage is gone, and how many of them are of the size
// of what keeps a page of the database: those come and go with the write-ahead log.
func tell(file string) {
	if file == "" {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			runtime.GC() // what a pool keeps goes at the second
			debug.FreeOSMemory()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			var pages uint64
			for _, c := range m.BySize {
				if c.Size > 4096 {
					pages = (c.Mallocs - c.Frees) * uint64(c.Size)
					break
				}
			}
			if err := os.WriteFile(file+".new", fmt.Appendf(nil, "%d %d %d", runtime.NumGoroutine(), m.HeapAlloc, pages), 0o600); err == nil {
				_ = os.Rename(file+".new", file)
			}
		}
	}()
}

// step has this process's clock differ from the machine's by what a file says, now and
// whenever it is written again.
func step(file string) {
	if file == "" {
		return
	}
	clock = func() time.Time {
		b, _ := os.ReadFile(file)
		by, _ := time.ParseDuration(string(b))
		return time.Now().Add(by)
	}
}
