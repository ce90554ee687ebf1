package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"entente/demo"

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
			for _, name := range []string{"PORT", "PORT2", "PORT3"} {
				port, err := demo.Port()
				if err != nil {
					return err
				}
				e.Setenv(name, port)
			}
			return os.Symlink(exe, filepath.Join(e.WorkDir, "entente"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"capture": capture, "await": await},
	})
}

// capture NAME sets NAME to the code, or else the control number or digest, that the last
// command printed.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	for _, pattern := range []string{`\d{4}( \d{4}){5}`, `[A-Z]+-\d{4}-\w{4}-\w{4}`, `[0-9a-f]{64}`} {
		if s := regexp.MustCompile(pattern).FindString(ts.ReadFile("stdout")); s != "" {
			ts.Setenv(args[0], s)
			return
		}
	}
	ts.Fatalf("no code and no number was printed")
}

// await PATTERN COMMAND... runs a command until its output holds PATTERN, or with
// ! no longer holds it.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) != neg {
			return
		}
		_ = ts.Exec("sleep", "0.1")
	}
	ts.Fatalf("%q never came", args[0])
}
