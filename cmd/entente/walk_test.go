package main

import (
	"errors"
	"os"
	"os/exec"
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
			e.Setenv("PATH", e.WorkDir+string(os.PathListSeparator)+e.Getenv("PATH"))
			return os.Symlink(exe, filepath.Join(e.WorkDir, "entente"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"capture": capture, "await": await},
	})
}

// capture NAME sets NAME to the code, or else the control number or digest, that the last
// command printed; capture NAME PATTERN to what the pattern's group matches.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	patterns := args[1:]
	if len(patterns) == 0 {
		patterns = []string{`(\d{4}(?: \d{4}){5})`, `([A-Z]+-\d{4}-\w{4}-\w{4})`, `([0-9a-f]{64})`}
	}
	for _, pattern := range patterns {
		if s := regexp.MustCompile(pattern).FindStringSubmatch(ts.ReadFile("stdout")); s != nil {
			ts.Setenv(args[0], s[1])
			return
		}
	}
	ts.Fatalf("no code and no number was printed")
}

// await PATTERN COMMAND... runs a command until its output holds PATTERN, or with
// ! no longer holds it. A refusal that was asked for is an answer.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		err := ts.Exec(args[1], args[2:]...)
		var exit *exec.ExitError
		answered := err == nil || errors.As(err, &exit) && exit.ExitCode() == exitRefused
		if answered && strings.Contains(ts.ReadFile("stdout"), args[0]) != neg {
			return
		}
		_ = ts.Exec("sleep", "0.1")
	}
	ts.Fatalf("%q never came", args[0])
}

// TestReadme: the commands of the README's walk are those that its script runs, in their order.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/readme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer("seoul.example:7701", "127.0.0.1:$PORT", ":7701", ":$PORT", `"the code Tokyo read out"`, "$TOKYO", `"the code Seoul read out"`, "$SEOUL", "-o image.tif", "-o opened.tif")
	number := regexp.MustCompile(`[A-Z]+-\d{4}-\w{4}-\w{4}`)
	_, walk, _ := strings.Cut(string(readme), "## For real")
	n, last := 0, 0
	for line := range strings.Lines(walk) {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		n++
		want := "exec " + strings.TrimSpace(plain.Replace(number.ReplaceAllString(command, "$$NUMBER")))
		at := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want) + `( &\w+&)?$`).FindIndex(script[last:])
		if at == nil {
			t.Errorf("the script does not run %q, or not in this order", want)
			continue
		}
		last += at[1]
	}
	if n != 11 {
		t.Errorf("the walk has %d commands, and promises four a side and three with texts", n)
	}
}
