//go:build unix

package main

import (
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// noCore keeps this process from leaving a core dump, which would hold keys and
// content. A limit of one byte, unlike none, is also kept by systems that pipe cores to a program.
func noCore() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}) }

// coreAllowed reports whether this process could leave a core dump, where pattern
// is what the kernel does with one.
func coreAllowed(pattern string) bool {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil {
		return true
	}
	return r.Cur > 1 || r.Cur == 0 && runtime.GOOS == "linux" && strings.HasPrefix(pattern, "|")
}
