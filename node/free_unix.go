//go:build unix

package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// free returns the bytes that are left for us on the disk of a folder.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("measuring the disk: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
