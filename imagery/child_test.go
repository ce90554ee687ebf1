package imagery_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/imagery"
)

// TestMain lets the test binary be the child: an honest one, and some whose
// decoder an image has taken over.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || !strings.HasPrefix(os.Args[1], "decode") {
		os.Exit(m.Run())
	}
	if os.Args[1] == "decode" {
		if imagery.Serve(timed{os.Stdin}, os.Stdout) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	say := func(b ...byte) { _, _ = os.Stdout.Write(b) }
	time.Sleep(time.Nanosecond)
	say(imagery.Started)
	_, _ = io.Copy(io.Discard, os.Stdin)
	switch os.Args[1] {
	case "decode-for-ever":
		for i := 0; ; i++ {
		}
	case "decode-crash":
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSEGV)
		panic("a decoder that crashes")
	case "decode-greedy":
		var all [][]byte
		for range 1 << 10 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
		}
		fmt.Fprint(os.Stderr, len(all))
	case "decode-huge":
		say(0, 1, 0, 0, 0, 1, 0, 0)
	case "decode-nothing":
		say(0, 0, 0, 0, 0, 0, 0, 0)
	case "decode-short":
		say(0, 0, 0, 9, 0, 0, 0, 9, 1, 2, 3)
	case "decode-more":
		say(0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5)
	case "decode-fails-after":
		say(0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4)
		os.Exit(1)
	case "decode-escape":
		// The pixel says what was in reach.
		var reach byte
		if f, err := os.OpenFile("/etc/passwd", os.O_RDONLY, 0); err == nil {
			f.Close()
			reach |= 1
		}
		if c, err := net.Dial("udp", "127.0.0.1:9"); err == nil {
			c.Close()
			reach |= 2
		}
		if len(os.Environ()) > 0 {
			reach |= 4
		}
		if f, err := os.CreateTemp("/tmp", "escape"); err == nil {
			f.Close()
			reach |= 8
		}
		if os.Getppid() != 0 { // a parent that can be seen can be signalled
			reach |= 16
		}
		if os.Getuid() == 0 {
			reach |= 32
		}
		var core syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_CORE, &core) != nil || core.Cur != 0 {
			reach |= 64
		}
		say(0, 0, 0, 1, 0, 0, 0, 1, reach, 0, 0, 0)
	}
	os.Exit(0)
}

// timed starts a timer after each read, as the collector does when it likes: from the
// second on, the child's limits stand.
type timed struct{ io.Reader }

func (r timed) Read(b []byte) (int, error) {
	defer time.Sleep(time.Nanosecond)
	return r.Reader.Read(b)
}

func child(t *testing.T, as string) *imagery.Child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return imagery.NewChild(exe, as)
}

func preview(t *testing.T, c *imagery.Child, b []byte, most int) (image.Image, error) {
	t.Helper()
	return c.Preview(t.Context(), bytes.NewReader(b), int64(len(b)), most)
}

func TestChild(t *testing.T) {
	var p bytes.Buffer
	if err := png.Encode(&p, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	for _, bare := range []bool{false, true} {
		c := child(t, "decode")
		if bare {
			c.Bare()
		}
		img, err := preview(t, c, picture(t), 100)
		if err != nil {
			t.Fatal(err)
		}
		if r, g, b, _ := img.At(3, 4).RGBA(); img.Bounds().Dx() != 40 || r>>8 != 200 || g>>8 != 100 || b>>8 != 50 {
			t.Errorf("a pixel of %v is %d %d %d", img.Bounds(), r>>8, g>>8, b>>8)
		}
		if img, err := preview(t, c, p.Bytes(), 10); err != nil || img.Bounds().Dx() != 10 {
			t.Errorf("a PNG: %v", err)
		}
		if says := c.Missing(t.Context()); runtime.GOOS == "linux" && (says != "") != bare {
			t.Errorf("bare %v, and the doctor says %q", bare, says)
		}
	}
}

// claim is a PNG of a few bytes that claims a size.
func claim(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
	head = append(head, 16, 6, 0, 0, 0) // 16 bits, with alpha
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(head))
	b = append(b, "\x00\x00\x00\x02IDAT\x78\x9c"...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte("IDAT\x78\x9c")))
}

// looped is a GeoTIFF whose directory comes after itself.
func looped(t *testing.T) []byte {
	b := picture(t)
	count := int(binary.LittleEndian.Uint16(b[8:]))
	binary.LittleEndian.PutUint32(b[8+2+12*count:], 8)
	return b
}

// tiled claims a tile of two billion pixels.
func tiled(t *testing.T) []byte {
	b := picture(t)
	for e := 10; ; e += 12 {
		switch binary.LittleEndian.Uint16(b[e:]) {
		case 277: // samples, rows and counts become tile width, height and a note
			binary.LittleEndian.PutUint16(b[e:], 322)
			binary.LittleEndian.PutUint16(b[e+2:], 4)
			binary.LittleEndian.PutUint32(b[e+8:], 1<<16)
		case 278:
			binary.LittleEndian.PutUint16(b[e:], 323)
			binary.LittleEndian.PutUint32(b[e+8:], 1<<15)
			return b
		}
	}
}

// TestHostilePictures: whatever an image does to its decoder, there is no picture,
// no child is left, and we go on.
func TestHostilePictures(t *testing.T) {
	honest := picture(t)
	for _, x := range []struct {
		name, as string
		file     []byte
	}{
		{"a claim of four billion pixels", "decode", claim(60000, 60000)},
		{"a claim of eight hundred MB", "decode", claim(9999, 9999)},
		{"directories in a loop", "decode", looped(t)},
		{"a tile of eight GiB", "decode", tiled(t)},
		{"no picture", "decode", []byte("text")},
		{"nothing", "decode", nil},
		{"a decoder that never ends", "decode-for-ever", honest},
		{"one that crashes", "decode-crash", honest},
		{"one that takes all memory", "decode-greedy", honest},
		{"one that claims a huge picture", "decode-huge", honest},
		{"one that claims none", "decode-nothing", honest},
		{"one that sends too little", "decode-short", honest},
		{"one that sends too much", "decode-more", honest},
		{"one that fails after its picture", "decode-fails-after", honest},
		{"a program that is not there", "", honest},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := child(t, x.as)
			if x.as == "" {
				c = imagery.NewChild("/nowhere/entente", "decode")
			}
			c.Hurry(time.Second)
			if img, err := preview(t, c, x.file, 100); !errors.Is(err, imagery.ErrPicture) {
				t.Errorf("%v, %v", img, err)
			}
		})
	}
	if _, err := child(t, "decode").Preview(t.Context(), bytes.NewReader(nil), 1<<40, 100); !errors.Is(err, imagery.ErrPicture) {
		t.Errorf("a terabyte: %v", err)
	}
}

// TestEscape: a decoder that was taken over reaches no file, no network, no
// environment and no other process.
func TestEscape(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux confines")
	}
	for _, bare := range []bool{false, true} {
		c := child(t, "decode-escape")
		want := byte(0)
		if bare {
			c.Bare()
			want = 16 | 32 // what namespaces alone take away
			if os.Getuid() != 0 {
				want = 16
			}
		} else if says := child(t, "decode").Missing(t.Context()); says != "" {
			t.Log("this machine confines in part:", says)
			continue
		}
		img, err := preview(t, c, picture(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := img.(*image.NRGBA).Pix[0]; got != want {
			t.Errorf("bare %v: in reach: %07b, want %07b", bare, got, want)
		}
	}
}
