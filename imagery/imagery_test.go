package imagery_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"io"
	"testing"

	"entente/imagery"
)

var korea = imagery.Box{South: 33, West: 124, North: 43, East: 132}

func picture(t testing.TB) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	img.Set(3, 4, color.NRGBA{200, 100, 50, 255})
	var b bytes.Buffer
	if err := imagery.Write(&b, img, korea, "a note"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteRead(t *testing.T) {
	b := picture(t)
	h, err := imagery.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || h.Width != 40 || h.Height != 30 || h.Box == nil || *h.Box != korea {
		t.Fatalf("%+v, %v", h, err)
	}
	img, err := imagery.Preview(b, 100)
	if err != nil {
		t.Fatal(err)
	}
	if r, g, bl, _ := img.At(3, 4).RGBA(); r>>8 != 200 || g>>8 != 100 || bl>>8 != 50 {
		t.Errorf("a pixel is %d %d %d", r>>8, g>>8, bl>>8)
	}
	small, err := imagery.Preview(b, 10)
	if err != nil || small.Bounds().Dx() > 10 {
		t.Errorf("%v, %v", small.Bounds(), err)
	}
}

func TestScene(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(imagery.Scene(&a, 1, 1<<20, korea), imagery.Scene(&b, 1, 1<<20, korea)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) || a.Len() < 1000_000 || a.Len() > 1<<20+4096 {
		t.Errorf("%d bytes, or not the same from one seed", a.Len())
	}
	if h, err := imagery.Read(bytes.NewReader(a.Bytes()), int64(a.Len())); err != nil || h.Box == nil {
		t.Errorf("%+v, %v", h, err)
	}
	if imagery.Scene(io.Discard, 1, 1<<40, korea) == nil {
		t.Error("a scene that no TIFF can hold")
	}
}

func TestNoPicture(t *testing.T) {
	for _, b := range [][]byte{looped(t), tiled(t)} {
		if _, err := imagery.Read(bytes.NewReader(b), int64(len(b))); !errors.Is(err, imagery.ErrPicture) {
			t.Errorf("a loop of directories, or a tile of eight GiB, is read: %v", err)
		}
	}
	for _, b := range [][]byte{nil, []byte("text"), []byte("II*\x00\xff\xff\xff\x7f"), picture(t)[:60]} {
		if _, err := imagery.Preview(b, 100); !errors.Is(err, imagery.ErrPicture) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}
