package phone

import "math/bits"

// The two laws of G.711, each from its definition (ITU-T G.711, tables 1 and
// 2): eight segments of sixteen steps, with the sign in the highest bit.

const (
	ulawBias = 0x84
	ulawClip = 32635
)

func encodeUlaw(sample int16) byte {
	s, sign := int(sample), byte(0)
	if s < 0 {
		s, sign = -s, 0x80
	}
	s = min(s, ulawClip) + ulawBias
	exponent := bits.Len(uint(s)) - 8
	mantissa := byte(s>>(exponent+3)) & 0x0f
	return ^(sign | byte(exponent)<<4 | mantissa)
}

func decodeUlaw(b byte) int16 {
	b = ^b
	s := (int(b&0x0f)<<3+ulawBias)<<(b>>4&7) - ulawBias
	if b&0x80 != 0 {
		s = -s
	}
	return int16(s)
}

func encodeAlaw(sample int16) byte {
	s, sign := int(sample), byte(0x80)
	if s < 0 {
		s, sign = -s-1, 0
	}
	s >>= 3
	b := byte(s >> 1)
	if exponent := bits.Len(uint(s)) - 5; exponent > 0 {
		b = byte(exponent)<<4 | byte(s>>exponent)&0x0f
	}
	return (b | sign) ^ 0x55
}

func decodeAlaw(b byte) int16 {
	b ^= 0x55
	s := int(b&0x0f)<<4 + 8
	if exponent := b >> 4 & 7; exponent > 0 {
		s = (s + 0x100) << (exponent - 1)
	}
	if b&0x80 == 0 {
		s = -s
	}
	return int16(s)
}
