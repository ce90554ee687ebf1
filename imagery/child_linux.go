package imagery

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const unlimited = ""

// alone gives a process namespaces of its own: no network, no other process to
// see or signal, no right outside.
func alone() *syscall.SysProcAttr {
	const nobody = 65534
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getgid(), Size: 1}},
	}
}

// limit bounds a process that runs. With no descriptor to be had it opens no file
// and no socket, in whatever namespace it is.
func limit(pid int, cpu time.Duration) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return err
	}
	var pages uint64 // Go reserves address space when it starts: the limit is beyond that
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		return err
	}
	for resource, most := range map[int]uint64{
		unix.RLIMIT_AS:     pages*uint64(os.Getpagesize()) + maxMemory,
		unix.RLIMIT_CPU:    uint64(cpu / time.Second),
		unix.RLIMIT_FSIZE:  0,
		unix.RLIMIT_NOFILE: 0,
		unix.RLIMIT_CORE:   0,
	} {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return err
		}
	}
	return nil
}
