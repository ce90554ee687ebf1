package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"entente/act"
	"entente/desk"
)

// TestCanary releases, carries and opens content that holds a canary, and then
// looks for it, and for the title, in every file of both nodes and in the
// directory for temporary files, in the shapes that a leak could have.
func TestCanary(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	canary := []byte("canary-5f2c9d01-of-a-launch-site")
	d := draft("군사II급비밀")
	d.Title = "title-" + string(canary)
	var numbers []act.Number
	for _, n := range []int{1, 80_000} { // beside its act, and fetched
		slip, err := kr.c.Release(t.Context(), d, bytes.NewReader(bytes.Repeat(canary, n)))
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, slip.Number)
	}
	for _, n := range numbers {
		kr.receipted(t, n)
		var got bytes.Buffer
		if err := jp.c.Open(t.Context(), desk.OpenAsk{Number: n, As: "analyst"}, &got, func(desk.Opened) {}); err != nil || !bytes.Contains(got.Bytes(), canary) {
			t.Fatal("it does not open", err)
		}
	}
	look := func(when string) {
		files := 0
		for _, dir := range []string{kr.dir, jp.dir, temp} {
			err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() {
					return err
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				files++
				for shape, leak := range shapes(canary) {
					if bytes.Contains(b, leak) {
						t.Errorf("%s: %s holds the canary, %s", when, filepath.Base(path), shape)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if files < 8 {
			t.Errorf("only %d files were looked at", files)
		}
	}
	look("while both serve")
	kr.stop()
	jp.stop()
	look("after both stopped")
}

// shapes are what a leak could look like: base64 in its three phases.
func shapes(c []byte) map[string][]byte {
	all := map[string][]byte{"raw": c, "hex": []byte(hex.EncodeToString(c))}
	for phase := range 3 {
		s := base64.StdEncoding.EncodeToString(append(make([]byte, phase), c...))
		all["base64 "+string(rune('0'+phase))] = []byte(s[4 : len(s)-8])
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune(string(c))) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	all["UTF-16"] = wide
	return all
}
