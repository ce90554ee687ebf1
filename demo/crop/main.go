// Command crop makes the two satellite images of the demo from NASA's Blue and
// Black Marble, as the npm package three-globe carries them.
//
//	npm pack three-globe && tar xzf three-globe-*.tgz
//	go run ./demo/crop package/example/img/earth-blue-marble.jpg demo/data/day.tif
//	go run ./demo/crop package/example/img/earth-night.jpg demo/data/night.tif
package main

import (
	"fmt"
	"image"
	_ "image/jpeg"
	"os"

	"entente/imagery"
)

func main() {
	if err := crop(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "crop:", err)
		os.Exit(1)
	}
}

func crop(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return err
	}
	b := img.Bounds()
	box := imagery.Box{South: 31, West: 121, North: 46, East: 147}
	x := func(lon float64) int { return int((lon + 180) / 360 * float64(b.Dx())) }
	y := func(lat float64) int { return int((90 - lat) / 180 * float64(b.Dy())) }
	part := img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(image.Rect(x(box.West), y(box.North), x(box.East), y(box.South)))
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := imagery.Write(out, part, box, "NASA Visible Earth (public domain): Blue and Black Marble, cropped to Korea and Japan"); err != nil {
		return err
	}
	return out.Close()
}
