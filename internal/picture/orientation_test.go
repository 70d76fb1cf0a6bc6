package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// place is what no picture of an agent may tell.
const place = "53N 10E"

// exif is a block of metadata: the orientation, and where the photo was taken.
func exif(orientation uint16) []byte {
	out := append([]byte("MM\x00*"), 0, 0, 0, 8)
	out = binary.BigEndian.AppendUint16(out, 2) // entries
	entry := func(tag, kind uint16, count uint32, value uint32) {
		out = binary.BigEndian.AppendUint16(out, tag)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = binary.BigEndian.AppendUint32(out, count)
		out = binary.BigEndian.AppendUint32(out, value)
	}
	entry(0x0112, 3, 1, uint32(orientation)<<16)
	entry(0x8298, 2, uint32(len(place)+1), 8+2+2*12+4) // a copyright notice, as the text behind the directory
	return append(append(out, 0, 0, 0, 0), place+"\x00"...)
}

// photo is a JPEG with metadata.
func photo(plain []byte, orientation uint16) []byte {
	data := append([]byte("Exif\x00\x00"), exif(orientation)...)
	segment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(data)+2)), data...)
	return append(append(bytes.Clone(plain[:2]), segment...), plain[2:]...)
}

// quarters is a picture of four colors: red, green, blue and white, by rows.
func quarters(t *testing.T, width, height int, asPNG bool) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			m.Set(x, y, map[[2]bool]color.Color{
				{false, false}: color.NRGBA{R: 255, A: 255}, {true, false}: color.NRGBA{G: 255, A: 255},
				{false, true}: color.NRGBA{B: 255, A: 255}, {true, true}: color.White,
			}[[2]bool{x >= width/2, y >= height/2}])
		}
	}
	var out bytes.Buffer
	err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 100})
	if asPNG {
		out.Reset()
		err = png.Encode(&out, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// seen are the colors of the four quarters, by rows.
func seen(m image.Image) string {
	out := ""
	b := m.Bounds()
	for _, at := range []image.Point{{1, 1}, {3, 1}, {1, 3}, {3, 3}} {
		r, g, blue, _ := m.At(b.Min.X+at.X*b.Dx()/4, b.Min.Y+at.Y*b.Dy()/4).RGBA()
		out += map[[3]bool]string{{true, false, false}: "R", {false, true, false}: "G", {false, false, true}: "B", {true, true, true}: "W"}[[3]bool{
			r > 0x8000, g > 0x8000, blue > 0x8000}]
	}
	return out
}

// What the eight orientations mean: table 6 of Exif 2.32, where the stored first row and the first column are.
func TestOrientation(t *testing.T) {
	for _, c := range []struct {
		orientation   uint16
		width, height int
		want          string
		wide, high    int
	}{
		{1, 64, 32, "RGBW", 64, 32},
		{2, 64, 32, "GRWB", 64, 32},
		{3, 64, 32, "WBGR", 64, 32},
		{4, 64, 32, "BWRG", 64, 32},
		{5, 64, 32, "RBGW", 32, 64},
		{6, 64, 32, "BRWG", 32, 64},
		{7, 64, 32, "WGBR", 32, 64},
		{8, 64, 32, "GWRB", 32, 64},
		{0, 64, 32, "RGBW", 64, 32},
		{9, 64, 32, "RGBW", 64, 32},
		// Scaled down as well.
		{1, 1024, 512, "RGBW", 512, 256},
		{6, 1024, 512, "BRWG", 256, 512},
		{8, 520, 1560, "GWRB", 512, 170},
	} {
		t.Run(fmt.Sprintf("%d of %d by %d", c.orientation, c.width, c.height), func(t *testing.T) {
			content := photo(quarters(t, c.width, c.height, false), c.orientation)
			if !bytes.Contains(content, []byte(place)) {
				t.Fatal("the photo does not say where it was taken")
			}
			clean, _, err := Clean(content)
			if err != nil {
				t.Fatal(err)
			}
			m, _, err := image.Decode(bytes.NewReader(clean))
			if err != nil || m.Bounds() != image.Rect(0, 0, c.wide, c.high) || seen(m) != c.want {
				t.Errorf("%v, %v, %s", err, m.Bounds(), seen(m))
			}
			if bytes.Contains(clean, []byte(place)) || bytes.Contains(clean, []byte("Exif")) {
				t.Error("it says where it was taken")
			}
		})
	}
}

func TestLargePNG(t *testing.T) {
	clean, kind, err := Clean(quarters(t, 600, 1, true))
	if err != nil || kind != "image/png" {
		t.Fatal(kind, err)
	}
	if m, err := png.Decode(bytes.NewReader(clean)); err != nil || m.Bounds() != image.Rect(0, 0, MaxSide, 1) {
		t.Errorf("%v, %v", err, m.Bounds())
	}
}
