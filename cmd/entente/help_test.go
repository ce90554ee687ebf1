package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"entente/pact"

	"github.com/alecthomas/kong"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func parser(t *testing.T) *kong.Kong {
	t.Helper()
	p, err := kong.New(new(cli), kong.Name("entente"), kong.Vars{"dir": "/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExamples: every command's help has an example, and every example is
// understood. Files that must be there are this one.
func TestExamples(t *testing.T) {
	p := parser(t)
	seen := 0
	each(p.Model.Node, "", func(n *kong.Node, path string) {
		if path == "" || len(n.Children) > 0 {
			return
		}
		seen++
		var words []string
		for i, part := range strings.Split(examples[path], "'") {
			if i%2 == 1 {
				words = append(words, part)
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		if len(words) == 0 || words[0] != "entente" {
			t.Errorf("%s has no example", path)
			return
		}
		for i, w := range words {
			if strings.HasSuffix(w, ".yaml") || strings.HasSuffix(w, ".cedar") {
				words[i] = "help_test.go"
			}
			if w == ">" {
				words = words[:i]
				break
			}
		}
		k, err := parser(t).Parse(words[1:])
		if err != nil {
			t.Errorf("%s: %v", examples[path], err)
		} else if got := k.Selected().Path(); !strings.HasPrefix(got, path) {
			t.Errorf("%s is the example of %s, and means %s", examples[path], path, got)
		}
		var out bytes.Buffer
		if run(append(strings.Fields(path), "--help"), nil, &out, &out) != 0 || !strings.Contains(out.String(), "For example") {
			t.Errorf("%s --help does not show it", path)
		}
	})
	if seen != len(examples) {
		t.Errorf("%d examples for %d commands", len(examples), seen)
	}
}

// TestComplete asks each shell that is here what it would offer.
func TestComplete(t *testing.T) {
	for _, c := range []struct{ shell, ask, want string }{
		{"bash", `COMP_WORDS=(entente --dir x pact si); COMP_CWORD=4; _entente; echo "${COMPREPLY[@]}"`, "sign"},
		{"bash", `COMP_WORDS=(entente pact sign --co); COMP_CWORD=3; _entente; echo "${COMPREPLY[@]}"`, "--code"},
		{"bash", `COMP_WORDS=(entente le); COMP_CWORD=1; _entente; echo "${COMPREPLY[@]}"`, "lend ledger"},
		{"bash", `COMP_WORDS=(entente pact check kr-jp-2); COMP_CWORD=3; _entente; echo "${COMPREPLY[@]}"`, "kr-jp-2016"},
		{"bash", `COMP_WORDS=(entente pact diff kr-jp-2016 us); COMP_CWORD=4; _entente; echo "${COMPREPLY[@]}"`, "us-jp-2007"},
		{"bash", `COMP_WORDS=(entente pact show eu); COMP_CWORD=3; _entente; echo "${COMPREPLY[@]}"`, "eu-uk-2021"},
		{"bash", `COMP_WORDS=(entente d); COMP_CWORD=1; _entente; echo "${COMPREPLY[@]}"`, "destroy desk doctor demo"},
		{"bash", `COMP_WORDS=(entente complete ba); COMP_CWORD=2; _entente; echo "${COMPREPLY[@]}"`, "bash"},
		{"bash", `COMP_WORDS=(entente consent --deed ""); COMP_CWORD=3; _entente; echo "${COMPREPLY[@]}"`, "pass-on purpose copy translate extract"},
		{"bash", `COMP_WORDS=(entente release --mode ""); COMP_CWORD=3; _entente; echo "${COMPREPLY[@]}"`, "released originator-controlled lease"},
		{"zsh", `COMP_WORDS=(entente pact si); COMP_CWORD=2; which _entente >/dev/null && echo defined`, "defined"},
		{"fish", `complete -C 'entente pact si'`, "sign"},
		{"fish", `complete -C 'entente pact sign --co'`, "--code"},
		{"fish", `complete -C 'entente pact check kr-jp-2'`, "kr-jp-2016"},
		{"fish", `complete -C 'entente le'`, "ledger"},
		{"fish", `complete -C 'entente consent --deed '`, "translate"},
	} {
		var script bytes.Buffer
		if run([]string{"complete", c.shell}, nil, &script, &script) != 0 {
			t.Fatal(script.String())
		}
		exe, err := exec.LookPath(c.shell)
		if err != nil {
			t.Logf("%s is not installed", c.shell)
			continue
		}
		out, err := exec.Command(exe, "-c", script.String()+"\n"+c.ask).CombinedOutput()
		if c.shell == "bash" && strings.Join(strings.Fields(string(out)), " ") != c.want && c.want != "sign" || err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %s offers %q, want %q: %v", c.shell, c.ask, out, c.want, err)
		}
	}
}

// TestAnswers holds answers in JSON to what a script may count on: a list is a list when it
// is empty, and names are small.
func TestAnswers(t *testing.T) {
	good, bad := filepath.Join(t.TempDir(), "house.cedar"), filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(good, []byte(`@id("Directive 7") forbid(principal, action, resource) when { resource.rank > 2 };`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args string
		code int
		want string // begins the answer
	}{
		{"pact check kr-jp-2016", 0, "[]\n"},
		{"pact check " + bad, exitUsage, `[{"line":1,"column":`},
		{"house check " + good, 0, "[]\n"},
		{"house check " + bad, exitUsage, `[{"line":1,"column":`},
		{"", 0, `{"help":"Usage: entente <command>`},
	} {
		var out, errs bytes.Buffer
		if code := run(append(strings.Fields(x.args), "--json"), nil, &out, &errs); code != x.code || !strings.HasPrefix(out.String(), x.want) {
			t.Errorf("%s: exit %d, %s%s", x.args, code, out.String(), errs.String())
		}
	}
}

// TestShowJSON: a pact in JSON is its text, as the published schema describes it.
func TestShowJSON(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(pact.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pact.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pact.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range pact.Templates() {
		var out, errs bytes.Buffer
		if run([]string{"pact", "show", string(id), "--json"}, nil, &out, &errs) != 0 {
			t.Fatal(errs.String())
		}
		v, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil || v.(map[string]any)["pact"] != string(id) {
			t.Errorf("%s: %v", id, err)
		}
	}
}
