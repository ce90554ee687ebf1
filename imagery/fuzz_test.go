package imagery

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/tiff"
)

// pictures are real files of each kind: what we write, and what others do.
func pictures(f *testing.F) (all [][]byte) {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	img.Set(3, 4, color.NRGBA{200, 100, 50, 255})
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error {
			return Write(w, img, Box{South: 33, West: 124, North: 43, East: 132}, "a note")
		},
		func(w io.Writer) error { return tiff.Encode(w, img, nil) },
		func(w io.Writer) error {
			return tiff.Encode(w, img, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
		},
		func(w io.Writer) error { return png.Encode(w, img) },
		func(w io.Writer) error { return jpeg.Encode(w, img, nil) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			f.Fatal(err)
		}
		all = append(all, b.Bytes())
	}
	return all
}

// FuzzRead: where the decoder of x/image reads a size too, it is the same, so that what is
// said of a picture is of the one that is shown.
func FuzzRead(f *testing.F) {
	for _, b := range pictures(f) {
		f.Add(b)
	}
	for _, name := range []string{"day.tif", "night.tif"} { // of others' making
		b, err := os.ReadFile(filepath.Join("..", "demo", "data", name))
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(b), int64(len(b))); err != nil {
			f.Fatal(name, err)
		}
		f.Add(b)
	}
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if h.Width < 1 || h.Height < 1 {
			t.Error("a picture of no size")
		}
		if c, err := tiff.DecodeConfig(bytes.NewReader(b)); err == nil && (c.Width != h.Width || c.Height != h.Height) {
			t.Errorf("%d by %d, and %d by %d for the other decoder", h.Width, h.Height, c.Width, c.Height)
		}
	})
}

// FuzzPreview is the work of the decoder's process, and what it sends is read as from it.
func FuzzPreview(f *testing.F) {
	for _, b := range pictures(f) {
		f.Add(b, uint32(64))
		f.Add(b, uint32(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, most uint32) {
		most %= 1 << 10
		in := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(len(b))), most)
		var out bytes.Buffer
		if err := Serve(bytes.NewReader(append(in, b...)), &out); err != nil {
			return
		}
		img, err := small(bufio.NewReader(bytes.NewReader(out.Bytes()[1:])), int(most))
		if err != nil || img.Bounds().Dx() > int(most) || img.Bounds().Dy() > int(most) {
			t.Errorf("what the decoder makes is not taken from it: %v", err)
		}
	})
}

// FuzzSmall reads what a decoder that was taken over may send.
func FuzzSmall(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4}, uint16(1))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5}, uint16(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, uint16(64))
	f.Fuzz(func(t *testing.T, b []byte, most uint16) {
		most %= 1 << 10
		img, err := small(bufio.NewReader(bytes.NewReader(b)), int(most))
		if err == nil && (8+4*img.Bounds().Dx()*img.Bounds().Dy() != len(b) || img.Bounds().Dx() > int(most)) {
			t.Errorf("%v of %d bytes", img.Bounds(), len(b))
		}
	})
}
