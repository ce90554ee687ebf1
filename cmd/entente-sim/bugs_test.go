package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestBugsApply: each planted bug still fits the code, changes it, and says
// what it is.
func TestBugsApply(t *testing.T) {
	all, err := Bugs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Errorf("only %d bugs are planted", len(all))
	}
	for _, b := range all {
		if b.What == "" || b.Invariant < 1 || b.Invariant > 43 || len(b.Files) == 0 {
			t.Errorf("%s: %q, invariant %d, %d files", b.Name, b.What, b.Invariant, len(b.Files))
		}
		for path, text := range b.Files {
			was, err := os.ReadFile("../../" + path)
			if err != nil || bytes.Equal(was, text) {
				t.Errorf("%s changes nothing in %s: %v", b.Name, path, err)
			}
		}
	}
}

// TestApply: a hunk whose place is not there, or is there twice, is refused.
func TestApply(t *testing.T) {
	diff := "x.go\n+++ b/x.go\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
	for text, want := range map[string]string{"one\ntwo\nthree\n": "one\n2\nthree\n", "one\nthree\n": "", "one\ntwo\none\ntwo\n": ""} {
		got, err := apply([]byte(text), diff)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// TestVerdict: a bug is found where a world fails in the invariant that its patch names.
func TestVerdict(t *testing.T) {
	b := Bug{Name: "x", Invariant: 7}
	for text, want := range map[string]string{
		"found by world 3: invariant 7: so":                                                "found by world    3 as invariant  7: so",
		"found otherwise by world 3: invariant 9: no\nfound by world 5: invariant 7: so\n": "and before by world 3 as invariant 9: no",
		"found otherwise by world 3: invariant 9: no":                                      "not as invariant 7",
		"panic": "",
	} {
		line, ok := verdict(b, text)
		if ok != (strings.Count(text, "found by") == 1) || !strings.Contains(line, want) {
			t.Errorf("%q: %q, %v", text, line, ok)
		}
	}
}

// TestHunt plants bugs and finds them: a share of what --bugs does.
func TestHunt(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the simulator anew for each bug")
	}
	var out strings.Builder
	if err := run([]string{"--bugs", "--match", "approval-spent-twice|draft-given-away", "--seeds", "300"}, &out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "2 of 2 planted bugs found") {
		t.Error(out.String())
	}
}
