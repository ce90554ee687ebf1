package carriage

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"entente/act"
	"entente/seal"

	"golang.org/x/mod/sumdb/note"
)

// TestSizeClass: the ladder is short, never below what it holds, and costs an eighth at most.
func TestSizeClass(t *testing.T) {
	classes := map[int64]bool{}
	for n := int64(0); n < 1<<33; n += n/7 + 1 {
		c := SizeClass(n)
		if c < n || c < minClass || n > 1<<20 && c > n+n/8 || SizeClass(c) != c {
			t.Errorf("%d bytes are padded to %d", n, c)
		}
		classes[c] = true
	}
	if len(classes) > 5+8*13 {
		t.Errorf("%d classes below 8 GiB", len(classes))
	}
}

// TestPadding: a parcel is exactly as long as its class, whatever it holds.
func TestPadding(t *testing.T) {
	k, err := seal.NewPrivateKey(bytes.Repeat([]byte{1}, seal.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	o := Outer{Route: []act.Party{"KR", "US", "JP"}, Number: "7Q4K-M2XT-0A9C-Z3HB"}
	for _, n := range []int{0, 1, 60 << 10, 1<<16 - 1800, 1 << 16, seal.EnvelopeSegment - 8, seal.EnvelopeSegment, 1<<20 - 1, 1 << 20, 3<<20 + 17} {
		var b bytes.Buffer
		w, err := beginParcel(&b, o, k.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.part(make([]byte, n)), w.end()); err != nil {
			t.Fatal(err)
		}
		if SizeClass(int64(b.Len())) != int64(b.Len()) {
			t.Errorf("%d bytes inside make a parcel of %d, which is no class", n, b.Len())
		}
	}
}

// papersOf writes the papers of a medium as Pack does.
func papersOf(t testing.TB) (list, handover []byte, card act.Card, person note.Verifier) {
	t.Helper()
	skey := testKeys("KR", 1).Ed25519
	vkey, err := act.Ed25519Verifier(skey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	m := Medium{From: "KR", To: "JP", Seal: "7Q4K-M2XT-0A9C-Z3HB", Medium: 1, Of: 2, Parcels: []Packed{{File: "0001.parcel", Number: "7Q4K-M2XT-0A9C-Z3HC", Size: 65536}}}
	if list, err = signedJSON(mediumHeader, m, s); err != nil {
		t.Fatal(err)
	}
	h := Handover{Seal: m.Seal, Medium: 1, Before: sumOf(list), From: "entente/KR", To: "Courier 7"}
	if handover, err = signedJSON(handoverHeader, h, s); err != nil {
		t.Fatal(err)
	}
	v, err := act.ParseVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return list, handover, act.Card{Party: "KR", Ledger: []string{vkey}, Period: 1}, v
}

// TestPapers: what is not spelled as it must be, or says what cannot be, is refused though it is signed.
func TestPapers(t *testing.T) {
	skey := testKeys("KR", 1).Ed25519
	vkey, err := act.Ed25519Verifier(skey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := act.ParseVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	good := `{"from":"KR","to":"JP","seal":"7Q4K-M2XT-0A9C-Z3HB","medium":1,"of":1,"at":"2016-11-23T00:00:00.000Z","parcels":[{"file":"0001.parcel","number":"7Q4K-M2XT-0A9C-Z3HC","size":1,"sum":"` + strings.Repeat("0", 96) + `"}]}` + "\n"
	read := func(header, body string) error {
		b, err := note.Sign(&note.Note{Text: header + body}, s)
		if err != nil {
			t.Fatal(err)
		}
		_, err = openJSON[Medium](ErrMedium, mediumHeader, b, []note.Verifier{v})
		return err
	}
	if err := read(mediumHeader, good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"a path for a file":      {"0001.parcel", "../0001.parcel"},
		"a file out of its turn": {"0001.parcel", "0002.parcel"},
		"the second of one":      {`"medium":1`, `"medium":2`},
		"too many media":         {`"of":1`, `"of":100`},
		"a negative size":        {`"size":1`, `"size":-1`},
		"larger than FAT holds":  {`"size":1`, `"size":5000000000`},
		"to its sender":          {`"to":"JP"`, `"to":"KR"`},
		"a key in another case":  {`"from"`, `"From"`},
		"a key twice":            {`"medium":1`, `"medium":1,"medium":1`},
		"something unknown":      {`"medium":1`, `"x":0,"medium":1`},
		"white space":            {`"medium":1`, `"medium": 1`},
		"a short seal number":    {"7Q4K-M2XT-0A9C-Z3HB", "7Q4K"},
		"a hand-over for a list": {"entente medium", "entente handover"},
	} {
		header, body := strings.Replace(mediumHeader, change[0], change[1], 1), strings.Replace(good, change[0], change[1], 1)
		if header+body == mediumHeader+good {
			t.Errorf("%s: nothing was changed", what)
		}
		if err := read(header, body); !errors.Is(err, ErrMedium) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzPapers reads folders from outside: what is in them is data, never more.
func FuzzPapers(f *testing.F) {
	list, handover, _, _ := papersOf(f)
	f.Add(list, lineOf(handover))
	f.Add([]byte{}, []byte("\n\n"))
	f.Add([]byte{}, bytes.Repeat([]byte("\n"), maxHandovers+1))
	f.Fuzz(func(t *testing.T, medium, chain []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{mediumFile: medium, handoverFile: chain} {
			if err := os.WriteFile(dir+"/"+name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		got, all, err := papers(root)
		if err == nil && (!bytes.Equal(got, medium) || len(all) > min(len(chain), maxHandovers)) {
			t.Error("other papers were read than lay there")
		}
		if m, err := unverified(got); err == nil && len(m.Parcels) > len(got) {
			t.Errorf("%d parcels of %d bytes", len(m.Parcels), len(got))
		}
	})
}
