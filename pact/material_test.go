package pact

import (
	"slices"
	"testing"

	"entente/act"
)

// TestMaterial: two keys that end alike after a plus sign are two keys, and one under two names is one.
func TestMaterial(t *testing.T) {
	key := func(v string) string { return material([]string{v}, act.Sum{}, nil)[2] }
	if a, b := key("entente/KR+00000001+AAAA+A=="), key("entente/JP+00000002+BBBB+A=="); a == b {
		t.Errorf("%q and %q are taken for one", a, b)
	}
	if a, b := key("entente/KR+00000001+AAAA+A=="), key("other+00000002+AAAA+A=="); a != b {
		t.Errorf("%q and %q are taken for two", a, b)
	}
	if all := material(nil, act.Sum{1}, []byte{1}); len(slices.Compact(all)) != 2 {
		t.Errorf("%q", all)
	}
}
