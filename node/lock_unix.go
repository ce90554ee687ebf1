//go:build unix

package node

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process has the folder open.
var ErrInUse = errors.New("the folder is in use by another process")

// lockFolder takes the folder for this process. The lock ends with the
// process, however it ends.
func lockFolder(path string) (func() error, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: stop it first, or talk to it: commands find a serving node by themselves", ErrInUse)
		}
		return nil, fmt.Errorf("locking the folder: %w", err)
	}
	return f.Close, nil
}
