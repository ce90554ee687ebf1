package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command line as people do: each script reads as a page
// of the manual.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			e.Setenv("ENTENTE_TEST_MAIN", "1")
			e.Setenv("HOME", e.WorkDir)
			return os.Symlink(exe, filepath.Join(e.WorkDir, "entente"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"capture": capture, "await": await},
	})
}

// capture NAME PREFIX sets NAME to the rest of the first line of the last
// output that begins, after spaces, with PREFIX; without a prefix, to a line
// of digits and spaces alone: a code.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	prefix := ""
	if len(args) > 1 {
		prefix = args[1]
	}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, prefix); ok && (prefix != "" || len(line) == 29 && strings.Trim(line, "0123456789 ") == "") {
			ts.Setenv(args[0], strings.TrimSpace(rest))
			return
		}
	}
	ts.Fatalf("no line begins with %q", prefix)
}

// await PATTERN COMMAND... runs a command until its output holds PATTERN.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		_ = ts.Exec("sleep", "0.1")
	}
	ts.Fatalf("%q never came", args[0])
}
