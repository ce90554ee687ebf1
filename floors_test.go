// Package entente_test keeps the house in order: it fails when a package
// imports what its floor may not, or has no comment.
package entente_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// floors lists the packages from the ground up: a package imports only those of
// earlier lines.
var floors = [][]string{
	{"internal/point", "internal/line"},
	{"act", "atlas", "imagery", "vault", "internal/durable"},
	{"marking"},
	{"party"},
	{"pact", "product"},
	{"ruling", "seal", "ledger"},
	{"house"},
	{"catalogue", "internal/sqlite", "internal/files", "internal/memory", "ledger/ledgertest", "vault/vaulttest"},
	{"chancery", "release", "intake", "reading"},
	{"carriage"},
	{"desk"},
	{"node"},
	{"demo", "demo/crop", "internal/sim"},
	{"cmd/entente", "cmd/entente-sim"},
}

var (
	pure    = []string{"act", "marking", "party", "pact", "product", "ruling", "house", "atlas"}
	offices = []string{"chancery", "release", "intake", "reading"}
	keeping = []string{"seal", "ledger", "vault", "catalogue"}
	engines = []string{"internal/sqlite", "internal/files", "internal/memory"}
)

func floor(p string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, p) })
}

// parsed reads every package of the module, tests left out.
func parsed(t *testing.T) map[string][]*ast.File {
	t.Helper()
	all := map[string][]*ast.File{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(filepath.Dir(path))] = append(all[filepath.ToSlash(filepath.Dir(path))], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFloors(t *testing.T) {
	for p, files := range parsed(t) {
		if floor(p) < 0 {
			t.Errorf("%s stands on no floor: give it one in floors_test.go, and say in ARCHITECTURE.md what it is for", p)
			continue
		}
		commented := false
		for _, f := range files {
			commented = commented || f.Doc != nil
			for _, im := range f.Imports {
				if why := forbidden(p, strings.Trim(im.Path.Value, `"`)); why != "" {
					t.Errorf("%s imports %s: %s", p, im.Path.Value, why)
				}
			}
		}
		if !commented {
			t.Errorf("%s has no package comment: say what to call first and what it promises", p)
		}
	}
}

// forbidden says why package p must not import path, or nothing.
func forbidden(p, path string) string {
	to, ours := strings.CutPrefix(path, "entente/")
	in := func(list []string) bool { return slices.Contains(list, p) }
	switch {
	case ours && floor(to) >= floor(p):
		return "imports point down only"
	case ours && in(offices) && slices.Contains(offices, to):
		return "offices never call each other: they meet in the ledger"
	case ours && in(keeping) && to == "ruling":
		return "keeping does not judge"
	case ours && slices.Contains(engines, to) && p != "node" && p != "internal/sim":
		return "only node knows the engines, and the simulator the one in memory"
	case in(pure) && slices.Contains([]string{"os", "net", "net/http", "database/sql", "context", "crypto/rand", "log/slog"}, path):
		return "words, papers and ruling are pure"
	case in(offices) && slices.Contains([]string{"net", "net/http", "database/sql"}, path):
		return "offices know no network and no database"
	}
	return ""
}

// TestTime keeps the clock outside: time comes in as an argument, or as Now.
func TestTime(t *testing.T) {
	// The carriage sets deadlines on connections, which are the machine's time, not the node's.
	allowed := []string{"node", "demo", "cmd/entente", "cmd/entente-sim", "carriage", "internal/line"}
	for p, files := range parsed(t) {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || s.Sel.Name != "Now" || slices.Contains(allowed, p) {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s calls time.Now: take the moment as an argument", p)
				}
				return true
			})
		}
	}
}

// TestDocumented asks for a comment on every exported name.
func TestDocumented(t *testing.T) {
	for p, files := range parsed(t) {
		for _, f := range files {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
						t.Errorf("%s.%s has no comment", p, d.Name.Name)
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
							t.Errorf("%s.%s has no comment", p, s.Name.Name)
						}
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	x := d.Recv.List[0].Type
	if s, ok := x.(*ast.StarExpr); ok {
		x = s.X
	}
	id, ok := x.(*ast.Ident)
	return ok && id.IsExported()
}

// TestDependencies asks for a reason for every direct dependency.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		m := regexp.MustCompile(`^\s+(\S+\.\S+/\S+) v\S+\s*$`).FindStringSubmatch(line)
		if m != nil && !strings.Contains(string(reasons), "`"+m[1]+"`") {
			t.Errorf("%s has no line in docs/dependencies.md: say why it is here", m[1])
		}
	}
}
