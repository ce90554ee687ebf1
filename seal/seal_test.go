package seal_test

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"entente/act"
	"entente/seal"
)

const segment = 16 << 10

func key(t testing.TB, b byte) *seal.PrivateKey {
	t.Helper()
	k, err := seal.NewPrivateKey(bytes.Repeat([]byte{b}, seal.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func terms(m seal.Mode) seal.Terms {
	return seal.Terms{Pact: "kr-jp-2016", Product: "KR-2016-7Q4K-M2XT", Manifest: act.Sum{1}, MediaType: "text/plain", Mode: m}
}

func closeFor(t testing.TB, mode seal.Mode, content []byte) ([]byte, seal.Closed) {
	t.Helper()
	var b bytes.Buffer
	c, err := seal.Close(&b, bytes.NewReader(content), seal.Options{Terms: terms(mode), SegmentSize: segment,
		Originator: "KR", Key: key(t, 1), Recipients: []seal.Key{{Party: "JP", Public: key(t, 2).Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), c
}

func open(b []byte, c seal.Closed, mode seal.Mode, party string, k *seal.PrivateKey, g ...seal.Grant) ([]byte, error) {
	r, err := seal.Open(bytes.NewReader(b), int64(len(b)), terms(mode), c, party, k, g...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	_, err = r.WriteTo(&out)
	return out.Bytes(), err
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestReleased(t *testing.T) {
	for _, n := range []int{0, 1, segment - 1, segment, segment + 1, 3*segment + 5} {
		content := pattern(n)
		b, c := closeFor(t, seal.Released, content)
		for p, k := range map[string]*seal.PrivateKey{"KR": key(t, 1), "JP": key(t, 2)} {
			if got, err := open(b, c, seal.Released, p, k); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %s: %v", n, p, err)
			}
		}
		if _, err := open(b, c, seal.Released, "US", key(t, 3)); !errors.Is(err, seal.ErrNotFor) {
			t.Errorf("opened by a stranger: %v", err)
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(z.File) != 2 || z.File[0].Name != "0.payload" || z.File[1].Name != "0.manifest.json" {
			t.Fatalf("not the archive that others read: %v", err)
		}
		for _, f := range z.File { // its checksums are right too
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
}

func TestRanges(t *testing.T) {
	content := pattern(3*segment + 5)
	b, c := closeFor(t, seal.Released, content)
	r, err := seal.Open(bytes.NewReader(b), int64(len(b)), terms(seal.Released), c, "JP", key(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ off, n int }{{0, 10}, {segment - 3, 7}, {segment, segment}, {3 * segment, 5}, {0, len(content)}} {
		p := make([]byte, x.n)
		if n, err := r.ReadAt(p, int64(x.off)); n != x.n || err != nil || !bytes.Equal(p, content[x.off:x.off+x.n]) {
			t.Errorf("%+v: %d, %v", x, n, err)
		}
	}
	if n, err := r.ReadAt(make([]byte, 9), int64(len(content)-4)); n != 4 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("read after it was closed")
	}
}

// TestTampered changes each byte: opening or reading fails, and no segment that
// was touched gives a byte.
func TestTampered(t *testing.T) {
	content := pattern(segment + 100)
	b, c := closeFor(t, seal.Released, content)
	stride := 1
	if testing.Short() {
		stride = 37
	}
	for i := 0; i < len(b); i += stride {
		if i > 200 && i < segment { // one segment's inside is as good as another
			i += 97
		}
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		got, err := open(bad, c, seal.Released, "JP", key(t, 2))
		if err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
		if !bytes.HasPrefix(content, got) {
			t.Fatalf("byte %d: wrong bytes came out", i)
		}
	}
	for _, bad := range [][]byte{b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{0}, b...), b[:0], b[:100]} {
		if _, err := open(bad, c, seal.Released, "JP", key(t, 2)); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	for name, change := range map[string]func(*seal.Terms){
		"pact":       func(o *seal.Terms) { o.Pact = "kr-us-1987" },
		"product":    func(o *seal.Terms) { o.Product = "KR-2016-0000-0000" },
		"manifest":   func(o *seal.Terms) { o.Manifest = act.Sum{2} },
		"media type": func(o *seal.Terms) { o.MediaType = "image/tiff" },
		"mode":       func(o *seal.Terms) { o.Mode = seal.Lease },
	} {
		other := terms(seal.Released)
		change(&other)
		if _, err := seal.Open(bytes.NewReader(b), int64(len(b)), other, c, "JP", key(t, 2)); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("opened under another %s: %v", name, err)
		}
	}
}

func TestOriginatorControlled(t *testing.T) {
	content := pattern(100)
	for _, mode := range []seal.Mode{seal.OriginatorControlled, seal.Lease} {
		b, c := closeFor(t, mode, content)
		if _, err := open(b, c, mode, "JP", key(t, 2)); !errors.Is(err, seal.ErrShare) {
			t.Errorf("the recipient alone: %v", err)
		}
		if got, err := open(b, c, mode, "KR", key(t, 1)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the originator at home: %v", err)
		}
		until := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
		g, err := seal.Lend(bytes.NewReader(b), int64(len(b)), terms(mode), c, "KR", key(t, 1), seal.Key{Party: "JP", Public: key(t, 2).Public()}, until)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = seal.ParseGrant(g.Marshal()); err != nil {
			t.Fatal(err)
		}
		if got, err := open(b, c, mode, "JP", key(t, 2), g); err != nil || !bytes.Equal(got, content) {
			t.Errorf("with the share lent: %v", err)
		}
		longer, moved, renamed := g, g, g
		longer.Until = until.AddDate(1, 0, 0)
		moved.Product = "KR-2016-0000-0000"
		renamed.Party = "US"
		for _, bad := range []seal.Grant{longer, moved, renamed} {
			if _, err := open(b, c, mode, "JP", key(t, 2), bad); err == nil {
				t.Errorf("a loan was changed: %+v", bad.Until)
			}
		}
		other, oc := closeFor(t, mode, content)
		if _, err := open(other, oc, mode, "JP", key(t, 2), g); err == nil {
			t.Error("a loan opens another product")
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := key(t, 9)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v", k, k, k)} {
		if bytes.Contains([]byte(s), bytes.Repeat([]byte{9}, 4)) || len(s) > 300 {
			t.Errorf("a key prints as %.80q", s)
		}
	}
}

func FuzzGrant(f *testing.F) {
	f.Add(seal.Grant{Product: "p", Party: "JP"}.Marshal())
	f.Fuzz(func(t *testing.T, p []byte) {
		if g, err := seal.ParseGrant(p); err == nil && !bytes.Equal(g.Marshal(), p) {
			t.Error("two spellings of one grant")
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add([]byte(key(f, 1).Public()))
	f.Fuzz(func(t *testing.T, p []byte) {
		if k, err := seal.ParsePublicKey(p); err == nil && !bytes.Equal(k, p) {
			t.Error("a key is another than its bytes")
		}
	})
}

const benchSize = 64 << 20

func BenchmarkFloorGCM(b *testing.B) {
	blk, _ := aes.NewCipher(make([]byte, 32))
	g, _ := cipher.NewGCMWithRandomNonce(blk)
	in, out := make([]byte, 2<<20), make([]byte, 0, 2<<20+28)
	b.SetBytes(benchSize)
	for b.Loop() {
		for range benchSize / len(in) {
			out = g.Seal(out[:0], nil, in, nil)
		}
	}
}

func BenchmarkClose(b *testing.B) {
	in := make([]byte, benchSize)
	o := seal.Options{Terms: terms(seal.Released), Originator: "KR", Key: key(b, 1), Recipients: []seal.Key{{Party: "JP", Public: key(b, 2).Public()}}}
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := seal.Close(io.Discard, bytes.NewReader(in), o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	var f bytes.Buffer
	o := seal.Options{Terms: terms(seal.Released), Originator: "KR", Key: key(b, 1), Recipients: []seal.Key{{Party: "JP", Public: key(b, 2).Public()}}}
	c, err := seal.Close(&f, bytes.NewReader(make([]byte, benchSize)), o)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	for b.Loop() {
		r, err := seal.Open(bytes.NewReader(f.Bytes()), int64(f.Len()), o.Terms, c, "JP", key(b, 2))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
