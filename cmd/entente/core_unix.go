//go:build unix

package main

import "golang.org/x/sys/unix"

// coreAllowed reports whether this process could leave a core dump.
func coreAllowed() bool {
	var r unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_CORE, &r) != nil || r.Cur > 0
}
