package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is the two ends of a new terminal.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no terminal to be had: ", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestTyped: a passphrase is asked for twice where a folder is made, once where it is
// opened, never where it would be for nothing, and is not shown.
func TestTyped(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "node")
	const right, short = "a long passphrase\n", "too short\n"
	for _, x := range []struct {
		command, typed string
		code, asked    int
		says           string
	}{
		{"init KR", short, 1, 1, "a passphrase has at least 12 characters"},
		{"init KR", right + "another passphrase\n", 1, 2, "the two passphrases differ"},
		{"init KR", right + right, 0, 2, "Korea is ready"},
		{"init KR", "", 1, 0, "is not empty"},
		{"status", right, 0, 1, "ledger"},
		{"status", "a wrong passphrase\n", 1, 1, "the passphrase or key file does not open this folder"},
		{"status", short, 1, 1, "the passphrase or key file does not open this folder"},
	} {
		person, program := terminal(t)
		c := exec.Command(exe, append([]string{"--dir", dir}, strings.Fields(x.command)...)...)
		c.Env = []string{"ENTENTE_TEST_MAIN=1", "HOME=" + filepath.Dir(dir), "PATH=" + os.Getenv("PATH")}
		c.Stdin = program
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout, c.Stderr = w, w
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		var told bytes.Buffer
		buf := make([]byte, 4096)
		asked := 0
		lines := strings.SplitAfter(x.typed, "\n")
		for {
			n, err := r.Read(buf)
			told.Write(buf[:n])
			if now := strings.Count(told.String(), "Passphrase: ") + strings.Count(told.String(), "The same again: "); now > asked {
				asked = now
				for hidden := false; !hidden; { // it has asked, and is about to
					tty, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
					if err != nil {
						t.Fatal(err)
					}
					hidden = tty.Lflag&unix.ECHO == 0
				}
				if len(lines) > 0 {
					if _, err := io.WriteString(person, lines[0]); err != nil {
						t.Fatal(err)
					}
					lines = lines[1:]
				}
			}
			if err != nil {
				break
			}
		}
		r.Close()
		var exit *exec.ExitError
		if err := c.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if code := c.ProcessState.ExitCode(); code != x.code || asked != x.asked || !strings.Contains(told.String(), x.says) {
			t.Errorf("%s, typing %q: it asks %d times, exits with %d and says %s", x.command, x.typed, asked, code, told.String())
		}
		if n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCINQ); err != nil || n != 0 {
			t.Errorf("%s: the terminal shows %d bytes of what is typed, %v", x.command, n, err)
		}
	}
}
