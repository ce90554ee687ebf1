// Package imagery reads where a satellite image lies and shows it small, and
// writes GeoTIFFs.
//
// [Write] writes a picture with its place, [Scene] a large generated one. [Read]
// finds size and place without touching pixels; [Child.Preview] decodes under
// limits. Images from outside are hostile until shown otherwise: both refuse
// what is too large before they make room for it, and a [Child] decodes in a
// confined process.
package imagery

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // read by Preview
	_ "image/png"  // read by Preview
	"io"
	"math"

	_ "golang.org/x/image/tiff" // read by Preview
)

// ErrPicture says that the bytes are no picture that this node can show.
var ErrPicture = errors.New("not a picture that this node can show")

const (
	maxPixels = 100_000_000 // larger than any scene shown whole on a screen
	maxTags   = 256
	maxValues = 4096
	maxDirs   = 256      // a file whose directories form a loop has more
	maxTile   = 64 << 20 // bytes of one decoded tile
	// maxPreview bounds the bytes that Preview reads: a scene that is larger is opened, not shown.
	maxPreview = 256 << 20
)

// Box is an area in degrees, WGS 84.
type Box struct{ South, West, North, East float64 }

// Tags of TIFF and GeoTIFF.
const (
	tagWidth, tagHeight, tagBits, tagCompression, tagPhotometric = 256, 257, 258, 259, 262
	tagDescription, tagStrips, tagSamples, tagRows, tagCounts    = 270, 273, 277, 278, 279
	tagTileWidth, tagTileHeight                                  = 322, 323
	tagScale, tagTiepoint, tagGeoKeys                            = 33550, 33922, 34735
)

var le = binary.LittleEndian

type entry struct {
	tag, typ uint16
	values   []uint64 // or the bytes of ASCII
}

// Write writes img as an uncompressed RGB GeoTIFF that covers box, with a note
// of its source.
func Write(w io.Writer, img image.Image, box Box, note string) error {
	b := img.Bounds()
	if _, err := w.Write(header(b.Dx(), b.Dy(), box, note)); err != nil {
		return err
	}
	row := make([]byte, 3*b.Dx())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			copy(row[3*(x-b.Min.X):], []byte{c.R, c.G, c.B})
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// header returns everything before the pixels: the directory comes first, so
// that a reader knows size and place from the first kilobyte.
func header(width, height int, box Box, note string) []byte {
	f := func(v ...float64) (u []uint64) {
		for _, x := range v {
			u = append(u, math.Float64bits(x))
		}
		return u
	}
	text := make([]uint64, 0, len(note)+1)
	for _, c := range []byte(note + "\x00") {
		text = append(text, uint64(c))
	}
	es := []entry{
		{tagWidth, 4, []uint64{uint64(width)}}, {tagHeight, 4, []uint64{uint64(height)}}, {tagBits, 3, []uint64{8, 8, 8}},
		{tagCompression, 3, []uint64{1}}, {tagPhotometric, 3, []uint64{2}}, {tagDescription, 2, text}, {tagStrips, 4, []uint64{0}},
		{tagSamples, 3, []uint64{3}}, {tagRows, 4, []uint64{uint64(height)}}, {tagCounts, 4, []uint64{3 * uint64(width) * uint64(height)}},
		{tagScale, 12, f((box.East-box.West)/float64(width), (box.North-box.South)/float64(height), 0)},
		{tagTiepoint, 12, f(0, 0, 0, box.West, box.North, 0)},
		// GTModelType geographic, GTRasterType area, GeographicType EPSG:4326.
		{tagGeoKeys, 3, []uint64{1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326}},
	}
	size := map[uint16]int{2: 1, 3: 2, 4: 4, 12: 8}
	dir := 8 + 2 + 12*len(es) + 4
	extra := dir
	for _, e := range es {
		if n := size[e.typ] * len(e.values); n > 4 {
			extra += n + n%2
		}
	}
	es[6].values[0] = uint64(extra)
	out := append(le.AppendUint32([]byte("II*\x00"), 8), 0, 0)
	le.PutUint16(out[8:], uint16(len(es)))
	var tail []byte
	for _, e := range es {
		var v []byte
		for _, x := range e.values {
			v = append(v, le.AppendUint64(nil, x)[:size[e.typ]]...)
		}
		out = le.AppendUint32(le.AppendUint16(le.AppendUint16(out, e.tag), e.typ), uint32(len(e.values)))
		if len(v) > 4 {
			out = le.AppendUint32(out, uint32(dir+len(tail)))
			tail = append(append(tail, v...), make([]byte, len(v)%2)...)
		} else {
			out = append(append(out, v...), make([]byte, 4-len(v))...)
		}
	}
	return append(le.AppendUint32(out, 0), tail...)
}

// Scene writes a GeoTIFF of about size bytes, of a landscape that a seed
// determines, over box. It uses no more memory than one row.
func Scene(w io.Writer, seed uint64, size int64, box Box) error {
	width := int(math.Sqrt(float64(size) / 3))
	if width < 1 || size > 1<<32-1<<16 {
		return errors.New("making a scene: a GeoTIFF has 3 bytes to 4 GiB of pixels")
	}
	if _, err := w.Write(header(width, width, box, "generated scene, not an image of any place")); err != nil {
		return err
	}
	row := make([]byte, 3*width)
	state := seed
	for y := range width {
		for i := 0; i+8 <= len(row); i += 8 {
			state = state*6364136223846793005 + 1442695040888963407
			le.PutUint64(row[i:], state^state>>29^uint64(y))
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// Header is what Read finds.
type Header struct {
	Width, Height int
	Box           *Box // nil when the file tells no place in degrees
}

// Read reads size and place of a TIFF from its first directory.
func Read(r io.ReaderAt, size int64) (Header, error) {
	var h Header
	bad := func() (Header, error) { return Header{}, ErrPicture }
	var b [8]byte
	if n, _ := r.ReadAt(b[:], 0); n < 8 {
		return bad()
	}
	var bo binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		bo = binary.LittleEndian
	case "MM\x00*":
		bo = binary.BigEndian
	default:
		return bad()
	}
	at := int64(bo.Uint32(b[4:]))
	if n, _ := r.ReadAt(b[:2], at); n < 2 || at > size {
		return bad()
	}
	count := int(bo.Uint16(b[:]))
	if count > maxTags {
		return bad()
	}
	dir := make([]byte, 12*count)
	if n, _ := r.ReadAt(dir, at+2); n < len(dir) {
		return bad()
	}
	floats := map[uint16][]float64{}
	tile := [2]int64{1, 1}
	last := -1
	for e := range count {
		d := dir[12*e:]
		tag, typ, n := bo.Uint16(d), bo.Uint16(d[2:]), bo.Uint32(d[4:])
		if int(tag) <= last {
			return bad() // out of order, or twice: two readers would choose differently
		}
		last = int(tag)
		switch {
		case tag == tagWidth || tag == tagHeight || tag == tagTileWidth || tag == tagTileHeight:
			v := int(bo.Uint32(d[8:]))
			switch {
			case n != 1 || typ != 3 && typ != 4:
				return bad() // what stands here is not the value itself
			case typ == 3:
				v = int(bo.Uint16(d[8:]))
			}
			switch tag {
			case tagWidth:
				h.Width = v
			case tagHeight:
				h.Height = v
			default:
				tile[tag-tagTileWidth] = int64(v)
			}
		case (tag == tagScale || tag == tagTiepoint) && typ == 12:
			if n > maxValues {
				return bad()
			}
			v := make([]byte, 8*n)
			if got, _ := r.ReadAt(v, int64(bo.Uint32(d[8:]))); got < len(v) {
				return bad()
			}
			for i := range int(n) {
				floats[tag] = append(floats[tag], math.Float64frombits(bo.Uint64(v[8*i:])))
			}
		}
	}
	if h.Width < 1 || h.Height < 1 || int64(h.Width)*int64(h.Height) > 1<<33 {
		return bad()
	}
	if tile[0] > maxTile || tile[1] > maxTile || tile[0]*tile[1]*4 > maxTile || !ends(r, bo, at+2+int64(len(dir))) {
		return bad()
	}
	h.Box = place(h, floats[tagScale], floats[tagTiepoint])
	return h, nil
}

// ends follows the chain of directories from the link at an offset.
func ends(r io.ReaderAt, bo binary.ByteOrder, link int64) bool {
	var b [4]byte
	for range maxDirs {
		if n, _ := r.ReadAt(b[:], link); n < 4 {
			return false
		}
		at := int64(bo.Uint32(b[:]))
		if at == 0 {
			return true
		}
		if n, _ := r.ReadAt(b[:2], at); n < 2 {
			return false
		}
		link = at + 2 + 12*int64(bo.Uint16(b[:]))
	}
	return false
}

func place(h Header, scale, tie []float64) *Box {
	if len(scale) < 2 || len(tie) < 6 {
		return nil
	}
	west, north := tie[3]-tie[0]*scale[0], tie[4]+tie[1]*scale[1]
	b := &Box{North: north, West: west, South: north - scale[1]*float64(h.Height), East: west + scale[0]*float64(h.Width)}
	for _, v := range []float64{b.North, b.South} {
		if math.IsNaN(v) || v < -90 || v > 90 {
			return nil
		}
	}
	for _, v := range []float64{b.West, b.East} {
		if math.IsNaN(v) || v < -180 || v > 180 {
			return nil
		}
	}
	return b
}

// errLarge says so before anything is read.
var errLarge = fmt.Errorf("%w: it is larger than %d MiB", ErrPicture, maxPreview>>20)

// preview decodes a picture to at most most pixels a side. TIFF, PNG and JPEG are read;
// anything else, or anything too large, is ErrPicture.
func preview(all []byte, most int) (img *image.NRGBA, err error) {
	defer func() {
		if recover() != nil { // a decoder's panic is one more way of being no picture
			img, err = nil, ErrPicture
		}
	}()
	c, format, err := image.DecodeConfig(bytes.NewReader(all))
	if err != nil || int64(c.Width)*int64(c.Height) > maxPixels || c.Width < 1 || c.Height < 1 || most < 1 {
		return nil, ErrPicture
	}
	if format == "tiff" {
		if _, err := Read(bytes.NewReader(all), int64(len(all))); err != nil {
			return nil, err
		}
	}
	full, _, err := image.Decode(bytes.NewReader(all))
	if err != nil {
		return nil, ErrPicture
	}
	return shrink(full, most), nil
}

// shrink takes every so many pixels: a preview is for recognising a scene.
func shrink(img image.Image, most int) *image.NRGBA {
	b := img.Bounds()
	step := max(1, (max(b.Dx(), b.Dy())+most-1)/most)
	out := image.NewNRGBA(image.Rect(0, 0, max(1, b.Dx()/step), max(1, b.Dy()/step)))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, img.At(b.Min.X+x*step, b.Min.Y+y*step))
		}
	}
	return out
}
