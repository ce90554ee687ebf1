package entente_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTables: every row of every document stands in a table and has its cells. One that
// is cut off from its table is shown as text.
func TestTables(t *testing.T) {
	quoted, ruled := regexp.MustCompile("`[^`]*`"), regexp.MustCompile(`^\|[\s:|-]+\|$`)
	cells := func(line string) int {
		return strings.Count(strings.ReplaceAll(quoted.ReplaceAllString(line, ""), `\|`, ""), "|")
	}
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return filepath.SkipDir // what ./test keeps is others'
		}
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines, wide, code := strings.Split(string(b), "\n"), 0, false
		for i, line := range lines {
			code = code != strings.HasPrefix(line, "```")
			switch {
			case code || !strings.HasPrefix(line, "|"):
				wide = 0
			case wide == 0:
				if wide = cells(line); i+1 == len(lines) || !ruled.MatchString(lines[i+1]) {
					t.Errorf("%s:%d: a row outside a table", path, i+1)
				}
				seen++
			case cells(line) != wide:
				t.Errorf("%s:%d: %d cells in a table of %d", path, i+1, cells(line)-1, wide-1)
			}
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("%d tables: %v", seen, err)
	}
}
