package seal_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"entente/act"
	"entente/seal"
)

// zeros is content of any length that takes no memory.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// allocated is how many bytes f makes room for, in all.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestConstantMemory: eight times the content takes no more room than the longer
// list of segments.
func TestConstantMemory(t *testing.T) {
	const small, large = 16 << 20, 128 << 20
	options := seal.Options{Terms: terms(seal.Released), Originator: "KR", Key: key(t, 1), Recipients: []seal.Key{{Party: "JP", Public: key(t, 2).Public()}}}
	closing := func(n int64) int64 {
		return allocated(func() {
			if _, err := seal.Close(io.Discard, &zeros{n}, options); err != nil {
				t.Fatal(err)
			}
		})
	}
	opening := func(n int64) int64 {
		var b bytes.Buffer
		c, err := seal.Close(&b, &zeros{n}, options)
		if err != nil {
			t.Fatal(err)
		}
		return allocated(func() {
			r, err := seal.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), options.Terms, c, "JP", key(t, 2))
			if err == nil {
				_, err = r.WriteTo(io.Discard)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	for name, f := range map[string]func(int64) int64{"closing": closing, "opening": opening} {
		f(small) // what is made once
		if a, b := f(small), f(large); b > a+1<<20 || a > 16<<20 {
			t.Errorf("%s: %d bytes for %d MiB, %d for %d", name, a, small>>20, b, large>>20)
		}
	}
}

// TestOnePass: the source is only ever read forward, however it breaks its bytes,
// and a source or a sink that fails is an error, not a shorter product.
func TestOnePass(t *testing.T) {
	content := pattern(2*segment + 77)
	o := seal.Options{Terms: terms(seal.Released), SegmentSize: segment, Originator: "KR", Key: key(t, 1), Recipients: []seal.Key{{Party: "JP", Public: key(t, 2).Public()}}}
	for name, src := range map[string]io.Reader{
		"bytes": iotest.OneByteReader(bytes.NewReader(content)), "halves": iotest.HalfReader(bytes.NewReader(content)), "data with its end": iotest.DataErrReader(bytes.NewReader(content)),
	} {
		var b bytes.Buffer
		c, err := seal.Close(&b, src, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := open(b.Bytes(), c, seal.Released, "JP", key(t, 2)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := seal.Close(io.Discard, io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)), o); !errors.Is(err, broken) {
		t.Errorf("a source that fails: %v", err)
	}
	for n := range 4 {
		if _, err := seal.Close(&failing{n}, bytes.NewReader(content), o); !errors.Is(err, errSink) {
			t.Errorf("a sink that fails after %d writes: %v", n, err)
		}
	}
	for name, change := range map[string]func(*seal.Options){
		"segments too small": func(o *seal.Options) { o.SegmentSize = segment - 1 },
		"segments too large": func(o *seal.Options) { o.SegmentSize = 4<<20 + 1 },
		"no recipient":       func(o *seal.Options) { o.Recipients = nil },
		"too many":           func(o *seal.Options) { o.Recipients = make([]seal.Key, 256) },
		"no mode":            func(o *seal.Options) { o.Mode = "open" },
		"no key":             func(o *seal.Options) { o.Recipients = []seal.Key{{Party: "JP", Public: make([]byte, 1665)}} },
		"no randomness":      func(o *seal.Options) { o.Rand = iotest.ErrReader(broken) },
	} {
		o := o
		change(&o)
		if _, err := seal.Close(io.Discard, bytes.NewReader(content), o); err == nil {
			t.Errorf("%s: it is closed", name)
		}
	}
}

var errSink = errors.New("the sink is full")

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errSink
	}
	return len(p), nil
}

// touched remembers how far reads went.
type touched struct {
	*bytes.Reader
	from, to int64
}

func (r *touched) ReadAt(p []byte, off int64) (int, error) {
	r.from, r.to = min(r.from, off), max(r.to, off+int64(len(p)))
	return r.Reader.ReadAt(p, off)
}

// TestRangeAlone: a range needs the bytes of its segments alone, and is verified
// by them alone: damage elsewhere does not matter, damage there gives nothing.
func TestRangeAlone(t *testing.T) {
	content := pattern(4 * segment)
	b, c := closeFor(t, seal.Released, content)
	const header, encrypted = 39, segment + 28
	for i := range 4 {
		for damaged := range 4 {
			bad := bytes.Clone(b)
			bad[header+damaged*encrypted+500] ^= 1
			f := &touched{Reader: bytes.NewReader(bad)}
			r, err := seal.Open(f, int64(len(bad)), terms(seal.Released), c, "JP", key(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			f.from, f.to = int64(len(b)), 0
			p := make([]byte, 100)
			n, err := r.ReadAt(p, int64(i*segment+1000))
			switch {
			case i == damaged && (!errors.Is(err, seal.ErrTampered) || n > 0):
				t.Errorf("segment %d is damaged, and %d bytes come out: %v", i, n, err)
			case i != damaged && (err != nil || !bytes.Equal(p, content[i*segment+1000:][:100])):
				t.Errorf("segment %d is damaged, and %d does not open: %v", damaged, i, err)
			}
			if f.from < int64(header+i*encrypted) || f.to > int64(header+(i+1)*encrypted) {
				t.Errorf("a range of segment %d read bytes %d to %d", i, f.from, f.to)
			}
		}
	}
	r, err := seal.Open(bytes.NewReader(b), int64(len(b)), terms(seal.Released), c, "JP", key(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the beginning")
	}
}

// TestCombinations: who opens what, for two recipients, in each mode, with every
// loan that there can be.
func TestCombinations(t *testing.T) {
	content := pattern(50)
	keys := map[string]*seal.PrivateKey{"KR": key(t, 1), "JP": key(t, 2), "US": key(t, 3), "XX": key(t, 4)}
	to := func(p string) seal.Key { return seal.Key{Party: p, Public: keys[p].Public()} }
	until := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, mode := range []seal.Mode{seal.Released, seal.OriginatorControlled, seal.Lease} {
		var b bytes.Buffer
		c, err := seal.Close(&b, bytes.NewReader(content), seal.Options{Terms: terms(mode), SegmentSize: segment, Originator: "KR", Key: key(t, 1), Recipients: []seal.Key{to("JP"), to("US")}})
		if err != nil {
			t.Fatal(err)
		}
		lend := func(from, party string) (seal.Grant, error) {
			return seal.Lend(bytes.NewReader(b.Bytes()), int64(b.Len()), terms(mode), c, from, keys[from], to(party), until)
		}
		for _, p := range []string{"KR", "JP", "US", "XX"} {
			_, err := open(b.Bytes(), c, mode, p, keys[p])
			if (err == nil) != (p == "KR" || mode == seal.Released && p != "XX") {
				t.Errorf("%s, %s alone: %v", mode, p, err)
			}
			if _, err := lend(p, "JP"); (err == nil) != (mode != seal.Released && p == "KR") || mode == seal.Released && errors.Is(err, seal.ErrNotFor) {
				t.Errorf("%s: %s lends: %v", mode, p, err)
			}
			if mode == seal.Released {
				continue
			}
			for _, lent := range []string{"JP", "US", "XX"} {
				g, err := lend("KR", lent)
				if err != nil {
					t.Fatal(err)
				}
				got, err := open(b.Bytes(), c, mode, p, keys[p], g)
				if want := p == "KR" || p == lent && p != "XX"; (err == nil) != want || want && !bytes.Equal(got, content) {
					t.Errorf("%s, %s with the loan to %s: %v", mode, p, lent, err)
				}
			}
		}
	}
	// Shares are fresh each time, and nothing of one product opens another.
	one, _ := closeFor(t, seal.Released, content)
	two, _ := closeFor(t, seal.Released, content)
	if bytes.Equal(one[39:39+50+28], two[39:39+50+28]) {
		t.Error("two products have one ciphertext")
	}
}

// TestLargeContainers: archives beyond 4 GiB are laid out as others read them, on
// both sides of each limit. The payload is not there: only what is around it is.
func TestLargeContainers(t *testing.T) {
	manifest := []byte(strings.Repeat("m", 1000))
	const limit = 1<<32 - 1
	for _, size := range []int64{0, 1, limit - 3000, limit - 1100, limit - 1000, limit - 100, limit - 1, limit, limit + 1, 64 << 30} {
		f := around{seal.Head(), size, seal.Tail(size, 7, manifest, crc32.ChecksumIEEE(manifest))}
		all := int64(len(f.head)) + size + int64(len(f.tail))
		got, payload, err := seal.OpenContainer(f, all)
		if err != nil || payload != size || !bytes.Equal(got, manifest) {
			t.Errorf("%d bytes: read as %d: %v", size, payload, err)
		}
		z, err := zip.NewReader(f, all)
		if err != nil || len(z.File) != 2 || z.File[0].UncompressedSize64 != uint64(size) || z.File[0].CRC32 != 7 {
			t.Errorf("%d bytes: not as others read it: %v", size, err)
			continue
		}
		r, err := z.File[1].Open()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, manifest) {
			t.Errorf("%d bytes: others read another manifest: %v", size, err)
		}
		if _, _, err := seal.OpenContainer(f, all+1); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%d bytes: a longer file: %v", size, err)
		}
	}
}

// TestLyingContainers: sizes that lie make no room and no panic.
func TestLyingContainers(t *testing.T) {
	f := around{seal.Head(), 64 << 30, seal.Tail(64<<30, 7, []byte("m"), crc32.ChecksumIEEE([]byte("m")))}
	end := len(f.tail) - 22
	extra := bytes.Index(f.tail, []byte("PK\x01\x02")) + 46 + len("0.payload") + 4
	for name, change := range map[string]func(b []byte){
		"a payload of less than nothing": func(b []byte) { copy(b[extra:], []byte{0, 0, 0, 0, 0, 0, 0, 0x80}) },
		"a payload beyond the file":      func(b []byte) { copy(b[extra:], []byte{0, 0, 0, 0, 0, 0, 0, 0x10}) },
		"a directory of two GiB":         func(b []byte) { copy(b[end+12:], []byte{0, 0, 0, 0x80}) },
		"no directory":                   func(b []byte) { copy(b[end+12:], []byte{0, 0, 0, 0}) },
	} {
		bad := around{f.head, f.size, bytes.Clone(f.tail)}
		change(bad.tail)
		room := allocated(func() {
			if _, _, err := seal.OpenContainer(bad, int64(len(f.head))+f.size+int64(len(f.tail))); !errors.Is(err, seal.ErrFormat) {
				t.Errorf("%s: %v", name, err)
			}
		})
		if room > 1<<20 {
			t.Errorf("%s: %d bytes of room are made", name, room)
		}
	}
}

// around is a container with a payload of zeros.
type around struct {
	head []byte
	size int64
	tail []byte
}

func (f around) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		switch at := off + int64(i); {
		case at < int64(len(f.head)):
			p[i] = f.head[at]
		case at < int64(len(f.head))+f.size:
			p[i] = 0
		case at < int64(len(f.head))+f.size+int64(len(f.tail)):
			p[i] = f.tail[at-int64(len(f.head))-f.size]
		default:
			return i, io.EOF
		}
	}
	return len(p), nil
}

func TestKeys(t *testing.T) {
	for _, n := range []int{0, 111, 113} {
		if _, err := seal.NewPrivateKey(make([]byte, n)); err == nil {
			t.Errorf("a seed of %d bytes is a key", n)
		}
	}
	good := key(t, 1).Public()
	if p, err := seal.ParsePublicKey(good); err != nil || !bytes.Equal(p, good) {
		t.Error(err)
	}
	for name, bad := range map[string][]byte{"short": good[:1664], "long": append(bytes.Clone(good), 0), "no lattice": append(bytes.Repeat([]byte{0xff}, 1568), good[1568:]...), "no point": append(bytes.Clone(good[:1568]), make([]byte, 97)...)} {
		if _, err := seal.ParsePublicKey(bad); err == nil {
			t.Errorf("%s: a key", name)
		}
	}
	if key(t, 1).Public().ID() == key(t, 2).Public().ID() {
		t.Error("two keys have one name")
	}
}

func TestTermsOf(t *testing.T) {
	m := act.Manifest{Number: "KR-2016-7Q4K-M2XT", Pact: "kr-jp-2016", MediaType: "image/tiff", Title: "one"}
	a := seal.TermsOf(m, seal.Lease)
	m.Title = "two"
	b := seal.TermsOf(m, seal.Lease)
	if a.Manifest == b.Manifest || fmt.Sprint(a.Pact, a.Product, a.MediaType, a.Mode) != fmt.Sprint(m.Pact, m.Number, m.MediaType, seal.Lease) {
		t.Errorf("%+v, %+v", a, b)
	}
}
