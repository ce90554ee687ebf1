package entente_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// unfuzzed are parsers that need no fuzz target, with the reason.
var unfuzzed = map[string]string{
	"pact.ParsePhase": "it looks the word up in a closed list",
}

// TestFuzzed: each exported parser of outside bytes is called by a fuzz target
// of its package.
func TestFuzzed(t *testing.T) {
	parsers := 0
	for p, files := range parsed(t) {
		fuzzed := called(t, p)
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil || !fn.Name.IsExported() || !parses(fn) {
					continue
				}
				parsers++
				name := filepath.Base(p) + "." + fn.Name.Name
				if !fuzzed[fn.Name.Name] && unfuzzed[name] == "" {
					t.Errorf("%s reads bytes from outside and no fuzz target calls it: add one with seeds", name)
				}
			}
		}
	}
	if parsers < 10 {
		t.Errorf("only %d parsers were found", parsers)
	}
}

// parses reports whether a function is a parser by its name and what it takes.
func parses(f *ast.FuncDecl) bool {
	named := false
	for _, prefix := range []string{"Parse", "Read", "CheckEvidence"} {
		named = named || strings.HasPrefix(f.Name.Name, prefix)
	}
	if !named {
		return false
	}
	for _, p := range f.Type.Params.List {
		switch x := p.Type.(type) {
		case *ast.ArrayType:
			if id, ok := x.Elt.(*ast.Ident); ok && id.Name == "byte" {
				return true
			}
		case *ast.SelectorExpr:
			if x.Sel.Name == "ReaderAt" || x.Sel.Name == "Reader" {
				return true
			}
		case *ast.Ident:
			if x.Name == "string" {
				return true
			}
		}
	}
	return false
}

// called names what the fuzz targets of a package call.
func called(t *testing.T, p string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	tests, err := filepath.Glob(filepath.Join(p, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tests {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.SelectorExpr:
					all[x.Sel.Name] = true
				case *ast.Ident:
					all[x.Name] = true
				}
				return true
			})
		}
	}
	return all
}
