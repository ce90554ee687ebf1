package seal_test

import (
	"archive/zip"
	"bytes"
	"crypto/mlkem"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/seal"
)

// Seeds and targets are made of the vectors, and of nothing that is drawn: a fuzzing worker is
// another process than the one whose seeds it is given.

// released is the vector of a released product, with the key that opens it.
func released(t testing.TB) (v vector, file []byte, k *seal.PrivateKey, content []byte) {
	t.Helper()
	load(t, "good-released.json", &v)
	var seeds map[string]string
	load(t, "keys.json", &seeds)
	seed, err := hex.DecodeString(seeds[v.Key])
	if err != nil {
		t.Fatal(err)
	}
	if k, err = seal.NewPrivateKey(seed); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(filepath.Join(vectors, v.File)); err != nil {
		t.Fatal(err)
	}
	if content, err = v.open(file, k); err != nil {
		t.Fatal(err)
	}
	return v, file, k, content
}

// sealedFiles are the files of all vectors.
func sealedFiles(f *testing.F) {
	all, err := filepath.Glob(filepath.Join(vectors, "*.tdf"))
	if err != nil || len(all) < 20 {
		f.Fatalf("%d files: %v", len(all), err)
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzOpen(f *testing.F) {
	v, _, k, content := released(f)
	sealedFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := v.open(b, k); err == nil && !bytes.Equal(got, content) {
			t.Error("something else opens")
		}
	})
}

// FuzzContainer: what is taken for a container is one to the archive/zip package too,
// with the same two entries, whole.
func FuzzContainer(f *testing.F) {
	sealedFiles(f)
	f.Add(seal.Layout(nil, []byte("{}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		manifest, size, err := seal.OpenContainer(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(z.File) != 2 || z.Comment != "" {
			t.Fatalf("no archive of two entries: %v", err)
		}
		for i, want := range []string{"0.payload", "0.manifest.json"} {
			e := z.File[i]
			if e.Name != want || e.Method != zip.Store || e.UncompressedSize64 != e.CompressedSize64 {
				t.Fatalf("entry %d is %q, method %d", i, e.Name, e.Method)
			}
			r, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			// The checksum of the payload is not looked at: its segments are authenticated, one by one.
			if err != nil && !(i == 0 && errors.Is(err, zip.ErrChecksum)) {
				t.Fatal(err)
			}
			if i == 0 && int64(len(got)) != size || i == 1 && !bytes.Equal(got, manifest) {
				t.Errorf("%s has %d bytes for the other reader", want, len(got))
			}
		}
	})
}

// FuzzManifest opens a file around whatever manifest its sender may have released: root and
// shares are those that it names.
func FuzzManifest(f *testing.F) {
	v, file, k, content := released(f)
	manifest, size, err := seal.OpenContainer(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		f.Fatal(err)
	}
	payload := file[len(seal.Head()):][:size]
	f.Add(string(manifest))
	for _, change := range [][2]string{{`"segmentSizeDefault":16384`, `"segmentSizeDefault":0`}, {`"segmentSize":40`, `"segmentSize":-1`}, {`"sid":"s-0"`, `"sid":"s-0","sid":"s-0"`},
		{`"segments":[`, `"segments":[1,null,`}, {`hybrid-wrapped`, `wrapped`}, {`"4.3.0"`, `"4.3.0" `}} {
		bad := strings.Replace(string(manifest), change[0], change[1], 1)
		if bad == string(manifest) {
			f.Fatalf("%s is not in a manifest", change[0])
		}
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := v
		var m struct {
			Encryption struct {
				Integrity struct {
					Root struct {
						Sig string `json:"sig"`
					} `json:"rootSignature"`
				} `json:"integrityInformation"`
			} `json:"encryptionInformation"`
		}
		if json.Unmarshal([]byte(text), &m) == nil {
			v.Terms.Root, _ = base64.StdEncoding.DecodeString(m.Encryption.Integrity.Root.Sig)
			v.Terms.Keys, _ = seal.KeysOf([]byte(text))
		}
		got, err := v.open(seal.Layout(payload, []byte(text)), k)
		// Shares that nobody here opens may be listed beside ours: the release lists them too.
		if err == nil && !bytes.Equal(got, content) {
			t.Errorf("%d bytes open under %q", len(got), text)
		}
	})
}

// TestLyingManifest: a manifest that lists millions of nothing takes no room for them.
func TestLyingManifest(t *testing.T) {
	sealed, c := closeFor(t, seal.Released, pattern(100))
	manifest, size, err := seal.OpenContainer(bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	payload := sealed[len(seal.Head()):][:size]
	for _, in := range []string{`"segments":[`, `"keyAccess":[`} {
		for _, nothing := range []string{"1,", "null,", "{},"} {
			text := []byte(strings.Replace(string(manifest), in, in+strings.Repeat(nothing, 8<<20/len(nothing)), 1))
			b := seal.Layout(payload, text)
			var err error
			if got := allocated(func() { _, err = open(b, c, seal.Released, "JP", key(t, 2)) }); !errors.Is(err, seal.ErrFormat) || got > 3*int64(len(text)) {
				t.Errorf("%s%s…: %v, and %d MiB were taken for %d", in, nothing, err, got>>20, len(text)>>20)
			}
		}
	}
}

// FuzzUnwrap: only the share that was wrapped comes out, from its one spelling.
func FuzzUnwrap(f *testing.F) {
	_, file, k, _ := released(f)
	manifest, _, err := seal.OpenContainer(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		f.Fatal(err)
	}
	var m struct {
		Encryption struct {
			KeyAccess []struct {
				Wrapped []byte `json:"wrappedKey"`
				Type    string `json:"type"`
			} `json:"keyAccess"`
		} `json:"encryptionInformation"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		f.Fatal(err)
	}
	var good []byte
	for _, a := range m.Encryption.KeyAccess {
		if a.Type == "hybrid-wrapped" {
			good = a.Wrapped
		}
	}
	share, err := seal.Share(k, good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	long, err := asn1.Marshal(struct {
		Kem   []byte `asn1:"tag:0"`
		Share []byte `asn1:"tag:1"`
	}{make([]byte, mlkem.CiphertextSize1024+97), nil})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := seal.Share(k, b)
		if err == nil && (!bytes.Equal(got, share) || !bytes.Equal(b, good)) {
			t.Error("another share comes out, or from another spelling")
		}
	})
}
