package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// lockMemory keeps all that this process holds, and will hold, out of swap. A process
// whose locked memory is limited would be refused memory later: there it is not tried.
func lockMemory() error {
	head, caps := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	err := unix.Capget(&head, &caps[0])
	if err == nil && caps[0].Effective&(1<<unix.CAP_IPC_LOCK) == 0 { // who has it knows no limit
		err = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	}
	if err == nil {
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	}
	if err != nil {
		return fmt.Errorf("keeping memory out of swap: %w; allow it (systemd: LimitMEMLOCK=infinity)", err)
	}
	return nil
}
