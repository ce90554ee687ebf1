package vault_test

import (
	"bytes"
	"testing"

	"entente/vault"
)

func FuzzParseBlocks(f *testing.F) {
	f.Add(vault.Blocks{Size: 5, Leaves: make([][48]byte, 1)}.Marshal())
	f.Add(vault.Blocks{}.Marshal())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := vault.ParseBlocks(b); err == nil && !bytes.Equal(got.Marshal(), b) {
			t.Error("two spellings of one list")
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add(vault.Blocks{}.Digest().String())
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := vault.ParseDigest(s); err == nil && d.String() != s {
			t.Error("two spellings of one digest")
		}
	})
}

func TestDigest(t *testing.T) {
	d := vault.Blocks{}.Digest()
	if got, err := vault.ParseDigest(d.String()); err != nil || got != d {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "00", d.String()[1:] + "g", d.String() + "00"} {
		if _, err := vault.ParseDigest(bad); err == nil {
			t.Errorf("%q is a digest", bad)
		}
	}
}
