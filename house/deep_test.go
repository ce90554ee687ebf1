package house_test

import (
	"strings"
	"testing"

	"entente/house"
)

// TestDeep: a file of nothing but brackets is refused at once.
func TestDeep(t *testing.T) {
	for _, open := range []string{"(", "!", "-", "[", "{", "if true then "} {
		text := `@id("a") forbid (principal, action, resource) when { ` + strings.Repeat(open, 100_000/len(open))
		if _, problems := house.Parse([]byte(text)); len(problems) == 0 {
			t.Errorf("%q was read", open)
		}
	}
}
