package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"entente/act"
	"entente/desk"
)

// TestCanary releases, carries and opens content that holds a canary, and then
// looks for it, and for the title, in every file of both nodes and in the
// directory for temporary files, in the shapes that a leak could have: before,
// in the midst of sealing and of opening, and after. Nothing else is open for writing, and
// of every file that is made meanwhile, for however short a time, the kernel tells the name.
func TestCanary(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	made := making(t, temp, kr.dir, jp.dir)
	canary := []byte("canary-5f2c9d01-of-a-launch-site")
	d := draft("군사II급비밀")
	d.Title = "title-" + string(canary)
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
		strays(t, when, kr.dir, jp.dir, temp)
		if files < 8 {
			t.Errorf("only %d files were looked at", files)
		}
	}
	var numbers []act.Number
	for _, n := range []int{1, 80_000} { // beside its act, and fetched
		slip, err := kr.c.Release(t.Context(), d, &watched{bytes.NewReader(bytes.Repeat(canary, n)), func() { look("while it is sealed") }})
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, slip.Number)
	}
	for _, n := range numbers {
		kr.receipted(t, n)
		got := watchedBuffer{look: func() { look("while it is opened") }}
		if err := jp.c.Open(t.Context(), desk.OpenAsk{Number: n, As: "analyst"}, &got, func(desk.Opened) {}); err != nil || !bytes.Contains(got.Bytes(), canary) {
			t.Fatal("it does not open", err)
		}
	}
	look("while both serve")
	kr.stop()
	jp.stop()
	look("after both stopped")
	for _, path := range made() {
		known := slices.ContainsFunc([]string{kr.dir, jp.dir}, func(dir string) bool {
			name, err := filepath.Rel(dir, path)
			return err == nil && sealed.MatchString(filepath.ToSlash(name))
		})
		if !known {
			t.Errorf("a file was made that nothing seals: %s", path)
		}
	}
}

// sealed are the files that a running node may make: objects of the vault under the digest of their
// sealed bytes, and on their way there; the encrypted database; and what holds nothing.
var sealed = regexp.MustCompile(`^(vault/staged/[0-9a-f]+|vault/kept/[0-9a-f]{2}/[0-9a-f]{96}|entente\.db(-wal|-shm|-journal)?|desk\.sock|lock)$`)

// watched is content whose reader looks around in the middle, and watchedBuffer
// one whose writer does.
type watched struct {
	*bytes.Reader
	look func()
}

func (w *watched) Read(p []byte) (int, error) {
	if w.look != nil && int64(w.Len()) <= w.Size()/2 {
		w.look()
		w.look = nil
	}
	return w.Reader.Read(p)
}

type watchedBuffer struct {
	bytes.Buffer
	look func()
}

func (w *watchedBuffer) Write(p []byte) (int, error) {
	if w.look != nil {
		w.look()
		w.look = nil
	}
	return w.Buffer.Write(p)
}

// strays finds files that this process has open for writing anywhere but in the
// directories, removed ones too.
func strays(t *testing.T, when string, dirs ...string) {
	t.Helper()
	fds, _ := os.ReadDir("/proc/self/fd") // Linux alone tells
	for _, fd := range fds {
		path, err := os.Readlink("/proc/self/fd/" + fd.Name())
		n, _ := strconv.Atoi(fd.Name())
		// The first three are the test's own, as is its log of what it read.
		if err != nil || n < 3 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/dev/") || filepath.Base(path) == "testlog.txt" {
			continue
		}
		info, _ := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		_, flags, _ := strings.Cut(string(info), "flags:\t")
		flags, _, _ = strings.Cut(flags, "\n")
		mode, _ := strconv.ParseUint(flags, 8, 32)
		inside := slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(path, d+"/") })
		if mode&uint64(os.O_WRONLY|os.O_RDWR) != 0 && !inside {
			t.Errorf("%s: %s is open for writing", when, path)
		}
	}
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
