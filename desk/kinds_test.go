package desk

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"entente/act"
)

// TestKinds: every kind of act has words in every language, and only kinds have.
func TestKinds(t *testing.T) {
	code, err := os.ReadFile("../act/kind.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`\bKind += "([a-z.-]+)"`).FindAllSubmatch(code, -1)
	if len(all) != len(kinds) {
		t.Errorf("%d kinds of acts, and words for %d", len(all), len(kinds))
	}
	for _, m := range all {
		for _, lang := range languages {
			if kind(lang)(act.Kind(m[1])) == "" {
				t.Errorf("%s has no words in %s", m[1], lang)
			}
		}
	}
}

// TestTroubles: every cause that has words is one that the carriage tells.
func TestTroubles(t *testing.T) {
	var said strings.Builder
	for _, f := range []string{"direct.go", "steps.go"} {
		b, err := os.ReadFile("../carriage/" + f)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(b)
	}
	for _, x := range troubles {
		if x.says != "connection refused" && x.says != "i/o timeout" && !strings.Contains(said.String(), x.says) {
			t.Errorf("nothing says %q", x.says)
		}
		if trouble("ko")(x.says) == "" || trouble("ja")(x.says) == "" || trouble("en")(x.says) != "" {
			t.Errorf("%q is told in English, or not in Korean and Japanese", x.says)
		}
	}
}
