//go:build unix

package durable

import (
	"fmt"
	"syscall"
)

// Room returns how many bytes we may still write on the disk that holds path.
func Room(path string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("asking how much room the disk has: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
