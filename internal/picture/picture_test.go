package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

func sample(t testing.TB, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	for x := range 20 {
		for y := range 10 {
			m.Set(x, y, color.NRGBA{R: 200, G: 10, B: 90, A: 255})
		}
	}
	var out bytes.Buffer
	if err := encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asPNG(b *bytes.Buffer, m image.Image) error  { return png.Encode(b, m) }
func asJPEG(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }
func asGIF(b *bytes.Buffer, m image.Image) error  { return gif.Encode(b, m, nil) }

// claiming is a PNG whose header has a size of its own.
func claiming(t testing.TB, width, height uint32) []byte {
	t.Helper()
	out := sample(t, asPNG)
	binary.BigEndian.PutUint32(out[16:], width)
	binary.BigEndian.PutUint32(out[20:], height)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

func TestClean(t *testing.T) {
	plainPNG, plainJPEG := sample(t, asPNG), sample(t, asJPEG)
	const payload = "<script>alert(1)</script>"
	// A comment after the first marker, and what stands behind the end.
	comment := append([]byte{0xff, 0xfe, 0, byte(len(payload) + 2)}, payload...)
	commented := append(append(bytes.Clone(plainJPEG[:2]), comment...), plainJPEG[2:]...)
	for name, c := range map[string]struct {
		content   []byte
		mediaType string
		err       error
	}{
		"PNG":                       {plainPNG, "image/png", nil},
		"JPEG":                      {plainJPEG, "image/jpeg", nil},
		"a PNG with a page behind":  {append(bytes.Clone(plainPNG), payload...), "image/png", nil},
		"a JPEG with a page inside": {commented, "image/jpeg", nil},
		"GIF":                       {sample(t, asGIF), "", ErrNoPicture},
		"SVG":                       {[]byte(`<svg xmlns="http://www.w3.org/2000/svg">` + payload + `</svg>`), "", ErrNoPicture},
		"nothing":                   {nil, "", ErrNoPicture},
		"half a PNG":                {plainPNG[:len(plainPNG)/2], "", ErrNoPicture},
		"half a JPEG":               {plainJPEG[:len(plainJPEG)/2], "", ErrNoPicture},
		"a bomb":                    {claiming(t, 60000, 60000), "", ErrTooLarge},
		"one pixel too many":        {claiming(t, 1<<12, 1<<12+1), "", ErrTooLarge},
		"a thread":                  {claiming(t, 1, 1<<16), "", ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			clean, mediaType, err := Clean(c.content)
			if !errors.Is(err, c.err) || mediaType != c.mediaType {
				t.Fatalf("%q, %v", mediaType, err)
			}
			if err != nil {
				return
			}
			m, _, err := image.Decode(bytes.NewReader(clean))
			if err != nil || m.Bounds() != image.Rect(0, 0, 20, 10) || bytes.Contains(clean, []byte("script")) {
				t.Fatalf("%v, %v: %q", m.Bounds(), err, clean)
			}
			if r, _, _, _ := m.At(5, 3).RGBA(); r>>8 < 150 {
				t.Errorf("the picture is another one: %v", m.At(5, 3))
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add(sample(f, asPNG))
	f.Add(sample(f, asJPEG))
	f.Add(photo(sample(f, asJPEG), 6))
	f.Fuzz(func(t *testing.T, content []byte) {
		clean, mediaType, err := Clean(content)
		if err != nil {
			return
		}
		again, sameType, err := Clean(clean)
		if err != nil || sameType != mediaType {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		first, _, _ := image.DecodeConfig(bytes.NewReader(clean))
		if second, _, _ := image.DecodeConfig(bytes.NewReader(again)); second.Width != first.Width || second.Height != first.Height || max(first.Width, first.Height) > MaxSide {
			t.Errorf("%d by %d becomes %d by %d", first.Width, first.Height, second.Width, second.Height)
		}
	})
}
