package ledgertest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// SmallDisk runs the test that calls it once more, as a process with mounts of its
// own, where dir is a disk of the given size. It returns true in there, and only
// there the test goes on.
func SmallDisk(t *testing.T, size string) (dir string, inside bool) {
	t.Helper()
	if dir := os.Getenv("ENTENTE_SMALL_DISK"); dir != "" {
		if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
			t.Skip("mounting a small disk is not allowed here:", err)
		}
		return dir, true
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "ENTENTE_SMALL_DISK="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Fatalf("%s", out)
	case err != nil:
		t.Skip("mounts of its own are not allowed here:", err)
	}
	t.Logf("%s", out)
	return "", false
}

// Resize changes the size of a disk that SmallDisk made.
func Resize(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}
