package entente_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateLimits = flag.Bool("update-limits", false, "write docs/limits.md anew")

// limited are the limits that stand beside what they bound, not in a limits.go.
var limited = map[string][]string{
	"intake": {"maxWaits", "WaitFor"},
	"vault":  {"maxBlocks", "Inline", "BlockSize", "Reserve"},
	"ledger": {"maxCheckpoint"},
}

const limitsHead = `# Limits

What bounds an outsider, each with its reason: the constants of ` + "`carriage/limits.go`, `act/limits.go`" + ` and of who else takes in what comes
from outside. ` + "`go test . -run Limits`" + ` compares this table with the code, so that none is lifted unseen; with ` + "`-update-limits`" + ` it is
written anew, which wants a second reader.

| limit | value | why |
|---|---|---|
`

// TestLimits: docs/limits.md lists each limit as it stands in the code, with its reason.
func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString(limitsHead)
	found := map[string]bool{}
	files := parsed(t)
	for _, p := range []string{"carriage", "act", "intake", "ledger", "vault"} {
		for _, f := range files[p] {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.CONST {
					continue
				}
				why := words(g.Doc)
				for _, s := range g.Specs {
					v := s.(*ast.ValueSpec)
					if v.Doc != nil {
						why = words(v.Doc)
					}
					for i, n := range v.Names {
						if !isLimit(p, g, n.Name) || i >= len(v.Values) {
							continue
						}
						found[p+"."+n.Name] = true
						reason := why
						if v.Comment != nil {
							reason = words(v.Comment)
						}
						if reason == "" {
							t.Errorf("%s.%s has no reason: write a comment", p, n.Name)
						}
						var value bytes.Buffer
						if err := printer.Fprint(&value, token.NewFileSet(), v.Values[i]); err != nil {
							t.Fatal(err)
						}
						fmt.Fprintf(&b, "| `%s.%s` | `%s` | %s |\n", p, n.Name, value.String(), strings.ReplaceAll(reason, "|", "\\|"))
					}
				}
			}
		}
	}
	for p, names := range limited {
		for _, n := range names {
			if !found[p+"."+n] {
				t.Errorf("%s.%s is gone: strike it from this test", p, n)
			}
		}
	}
	path := filepath.Join("docs", "limits.md")
	if *updateLimits {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(b.String()) {
		if !strings.Contains(string(have), row) {
			t.Errorf("docs/limits.md lacks, or tells otherwise: %s", row)
		}
	}
	if len(have) != b.Len() {
		t.Error("docs/limits.md tells of more than there is: go test . -run Limits -update-limits")
	}
}

// isLimit reports whether a constant is one: all of a group that begins with a limit of a
// limits.go, and those named above.
func isLimit(p string, g *ast.GenDecl, name string) bool {
	for _, n := range limited[p] {
		if n == name {
			return true
		}
	}
	for _, s := range g.Specs {
		for _, n := range s.(*ast.ValueSpec).Names {
			if p == "carriage" && n.Name == "maxFrame" || p == "act" && n.Name == "MaxSize" {
				return true
			}
		}
	}
	return false
}

// words returns a comment on one line.
func words(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
