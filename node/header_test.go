package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// FuzzHeader reads the plain file of a data folder, which whoever holds the disk can write.
// Only what was written under the secret opens with it.
func FuzzHeader(f *testing.F) {
	s := Secret{bytes: bytes.Repeat([]byte{7}, 32)}
	h, key, err := newHeader("KR", s, bytes.NewReader(make([]byte, 32+32+12)))
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, change := range [][2]string{{`"format":1`, `"format":2`}, {`"format":1`, `"format":-1`}, {`"KR"`, `"JP"`}, {"keyfile", "passphrase"}, {`"salt":"`, `"salt":"AA`}, {"}", "}{}"}} {
		f.Add(bytes.Replace(b, []byte(change[0]), []byte(change[1]), 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		_ = h.mark()
		if h.Lock == "passphrase" {
			return // argon2 takes a fifth of a second
		}
		got, err := h.open(s)
		if err != nil && !errors.Is(err, ErrLocked) || err == nil && (!bytes.Equal(got, key) || h.Party != "KR") {
			t.Errorf("the folder of %q opens with %x: %v", h.Party, got, err)
		}
	})
}
