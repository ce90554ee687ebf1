package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Bug is a planted mistake: a patch with a line that says it and one that names
// the invariant it breaks.
type Bug struct {
	Name, What string
	Invariant  int
	Files      map[string][]byte // path below the module's root → text with the mistake
}

var header = regexp.MustCompile(`^([^\n]+)\nInvariant (\d+)\.\n\n`)

// Bugs reads every planted bug and applies it to the tree's files, in memory. One
// that does not apply any more is an error.
func Bugs(root string) (all []Bug, err error) {
	files, err := filepath.Glob(filepath.Join(root, "internal", "sim", "testdata", "bugs", "*.patch"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("no planted bugs are there"))
	}
	for _, f := range files {
		patch, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		b := Bug{Name: strings.TrimSuffix(filepath.Base(f), ".patch"), Files: map[string][]byte{}}
		m := header.FindSubmatch(patch)
		if m == nil {
			return nil, fmt.Errorf("%s does not begin with the mistake and its invariant", b.Name)
		}
		b.What = string(m[1])
		b.Invariant, _ = strconv.Atoi(string(m[2]))
		for part := range strings.SplitSeq(string(patch[len(m[0]):]), "--- a/") {
			if part == "" {
				continue
			}
			path, _, _ := strings.Cut(part, "\n")
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
			if err == nil {
				text, err = apply(text, part)
			}
			if err != nil {
				return nil, fmt.Errorf("%s does not apply to %s: %w: write it anew for the code as it is", b.Name, path, err)
			}
			b.Files[path] = text
		}
		all = append(all, b)
	}
	return all, nil
}

// apply applies the hunks of a unified diff. Line numbers do not count: what a
// hunk replaces must stand in the text exactly once.
func apply(text []byte, diff string) ([]byte, error) {
	hunks := strings.Split(diff, "\n@@ ")
	for _, h := range hunks[1:] {
		_, body, _ := strings.Cut(h, "\n")
		var old, fresh bytes.Buffer
		for line := range strings.Lines(body) {
			rest := strings.TrimSuffix(line[1:], "\n") + "\n"
			if line[0] != '+' {
				old.WriteString(rest)
			}
			if line[0] != '-' {
				fresh.WriteString(rest)
			}
		}
		if n := bytes.Count(text, old.Bytes()); n != 1 {
			return nil, fmt.Errorf("what it replaces stands there %d times", n)
		}
		text = bytes.Replace(text, old.Bytes(), fresh.Bytes(), 1)
	}
	return text, nil
}
