package seal_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"entente/seal"
)

func envelope(t testing.TB, to seal.PublicKey, info string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := seal.NewEnvelope(&b, to, []byte(info))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openEnvelope(b []byte, k *seal.PrivateKey, info string) ([]byte, error) {
	r, err := seal.OpenEnvelope(bytes.NewReader(b), k, []byte(info))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func envelopeKeyOf(t testing.TB, fill byte) *seal.PrivateKey {
	t.Helper()
	k, err := seal.NewPrivateKey(bytes.Repeat([]byte{fill}, seal.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestEnvelope: it opens for its recipient alone, whole and unchanged, with what it was bound to.
func TestEnvelope(t *testing.T) {
	k, other := envelopeKeyOf(t, 1), envelopeKeyOf(t, 2)
	for _, n := range []int{0, 1, seal.EnvelopeSegment - 1, seal.EnvelopeSegment, seal.EnvelopeSegment + 1, 2 * seal.EnvelopeSegment, 3*seal.EnvelopeSegment + 5} {
		content := bytes.Repeat([]byte("abc"), n/3+1)[:n]
		b := envelope(t, k.Public(), "route", content)
		if int64(len(b)) != seal.EnvelopeSize(int64(n)) {
			t.Errorf("%d bytes: %d, and %d were foretold", n, len(b), seal.EnvelopeSize(int64(n)))
		}
		if got, err := openEnvelope(b, k, "route"); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
		for what, bad := range map[string]func() ([]byte, error){
			"another's key":     func() ([]byte, error) { return openEnvelope(b, other, "route") },
			"another route":     func() ([]byte, error) { return openEnvelope(b, k, "rouse") },
			"one byte less":     func() ([]byte, error) { return openEnvelope(b[:len(b)-1], k, "route") },
			"one byte more":     func() ([]byte, error) { return openEnvelope(append(bytes.Clone(b), 0), k, "route") },
			"no last segment":   func() ([]byte, error) { return openEnvelope(b[:max(0, len(b)-n%seal.EnvelopeSegment-16)], k, "route") },
			"only a part of it": func() ([]byte, error) { return openEnvelope(b[:1000], k, "route") },
		} {
			if _, err := bad(); !errors.Is(err, seal.ErrTampered) && !errors.Is(err, seal.ErrNotFor) && !errors.Is(err, seal.ErrFormat) {
				t.Errorf("%d bytes, %s: %v", n, what, err)
			}
		}
	}
	b := envelope(t, k.Public(), "", []byte("content"))
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if got, err := openEnvelope(bad, k, ""); err == nil || len(got) > 0 {
			t.Fatalf("byte %d changed, and %d bytes came out: %v", i, len(got), err)
		}
	}
	two := envelope(t, k.Public(), "", make([]byte, 2*seal.EnvelopeSegment))
	at, step := seal.EnvelopeSize(0)-16, seal.EnvelopeSegment+16
	swapped := append(append(bytes.Clone(two[:at]), two[int(at)+step:]...), two[at:int(at)+step]...)
	if _, err := openEnvelope(swapped, k, ""); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("segments swapped: %v", err)
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	k := envelopeKeyOf(f, 1)
	f.Add(envelope(f, k.Public(), "", []byte("content")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := openEnvelope(b, k, ""); err == nil && string(got) != "content" {
			t.Error("something else opens")
		}
	})
}
