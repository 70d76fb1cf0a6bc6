// Package picture makes a small and harmless picture of what somebody calls one: it is decoded and written anew, so that nothing is left of what else the
// file held (comments, where a photo was taken, other files behind the picture).
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

// Reasons why there is no picture.
var (
	// ErrNoPicture: neither a PNG nor a JPEG, by its first bytes, or a damaged one.
	ErrNoPicture = errors.New("not a PNG or JPEG picture")
	// ErrTooLarge: decoding it would take too much memory.
	ErrTooLarge = errors.New("too many pixels")
)

const (
	// maxDecoded bounds the memory that a decoded picture takes: 16 million pixels of four bytes.
	maxDecoded = 64 << 20
	// longest is the most pixels that a side may have: what a JPEG can have. Scaling takes memory by the side.
	longest = 1<<16 - 1
	quality = 90
)

// MaxSide is the most pixels that a side of what Clean returns has.
const MaxSide = 512

// one at a time, because of the memory.
var turn = make(chan struct{}, 1)

// Clean returns the picture alone, the way up that its Exif data say, scaled down until both sides fit into MaxSide, and its media type. Errors: ErrNoPicture,
// ErrTooLarge.
func Clean(content []byte) (clean []byte, mediaType string, err error) {
	turn <- struct{}{}
	defer func() { <-turn }()
	config, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || format != "png" && format != "jpeg" || config.Width <= 0 || config.Height <= 0 {
		return nil, "", ErrNoPicture
	}
	if int64(config.Width)*int64(config.Height) > maxDecoded/bytesPerPixel(config.ColorModel) || max(config.Width, config.Height) > longest {
		return nil, "", fmt.Errorf("%w: %d by %d", ErrTooLarge, config.Width, config.Height)
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, "", ErrNoPicture
	}
	decoded = upright(fit(decoded), orientationOf(content, format))
	var out bytes.Buffer
	if format == "png" {
		err = png.Encode(&out, decoded)
	} else {
		err = jpeg.Encode(&out, decoded, &jpeg.Options{Quality: quality})
	}
	if err != nil {
		return nil, "", fmt.Errorf("writing the picture: %w", err)
	}
	return out.Bytes(), "image/" + format, nil
}

// fit scales what is too large down.
func fit(m image.Image) image.Image {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	side := max(w, h)
	if side <= MaxSide {
		return m
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, w*MaxSide/side), max(1, h*MaxSide/side)))
	draw.CatmullRom.Scale(small, small.Bounds(), m, m.Bounds(), draw.Src, nil)
	return small
}

func bytesPerPixel(m color.Model) int64 {
	switch m {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		return 8
	}
	return 4
}
