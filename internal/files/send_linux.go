package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// send has the disk write n bytes of f at off, and waits. It makes nothing durable,
// and so needs no commit of the file system's own journal, behind which the
// ledger's would wait. A failure is told once: a later sync may not tell it again.
func send(f *os.File, off, n int64) error {
	return unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
}

// forget has the kernel let go of n bytes of f at off that were written.
func forget(f *os.File, off, n int64) error {
	return unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED)
}
