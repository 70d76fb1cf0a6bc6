package picture

import (
	"bytes"
	"image"

	"github.com/bep/imagemeta"
)

// orientation is the tag of this name (Exif 2.32, 4.6.4): which way up a camera was held, from 1, as it should be, to 8.
type orientation uint16

// orientationOf a file; asItIs when it has none that can be read: the picture matters more.
func orientationOf(content []byte, format string) orientation {
	kind := imagemeta.JPEG
	if format == "png" {
		kind = imagemeta.PNG
	}
	found := asItIs
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(content), ImageFormat: kind, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Namespace == mainDirectory && tag.Tag == "Orientation" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			if v, ok := tag.Value.(uint16); ok && v >= uint16(asItIs) && v <= uint16(quarterLeft) {
				found = orientation(v)
			}
			return nil
		},
	})
	if err != nil {
		return asItIs
	}
	return found
}

// mainDirectory is that of the picture itself; the preview beside it has its own.
const mainDirectory = "IFD0"

// Values of orientation.
const (
	asItIs orientation = 1 + iota
	mirrored
	upsideDown
	upsideDownMirrored
	transposed
	quarterRight
	transverse
	quarterLeft
)

// upright turns a small picture.
func upright(m image.Image, o orientation) image.Image {
	if o == asItIs {
		return m
	}
	from := m.Bounds()
	w, h := from.Dx(), from.Dy()
	if o >= transposed {
		w, h = h, w
	}
	turned := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			turned.Set(x, y, m.At(o.source(from, x, y)))
		}
	}
	return turned
}

// source is where the pixel at x, y of the turned picture is in the picture as it was stored.
func (o orientation) source(from image.Rectangle, x, y int) (int, int) {
	right, bottom := from.Max.X-1, from.Max.Y-1
	switch o {
	case asItIs:
	case mirrored:
		return right - x, from.Min.Y + y
	case upsideDown:
		return right - x, bottom - y
	case upsideDownMirrored:
		return from.Min.X + x, bottom - y
	case transposed:
		return from.Min.X + y, from.Min.Y + x
	case quarterRight:
		return from.Min.X + y, bottom - x
	case transverse:
		return right - y, bottom - x
	case quarterLeft:
		return right - y, from.Min.Y + x
	}
	return from.Min.X + x, from.Min.Y + y
}
