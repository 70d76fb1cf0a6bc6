package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// toUTF8 turns text into valid UTF-8. A charset that is missing, unknown or cannot be the right one is guessed.
func toUTF8(raw []byte, charset string) string {
	charset = strings.ToLower(strings.Trim(charset, " \t\"'"))
	switch charset {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "x-utf_8j":
		return guess(raw)
	case "utf-7", "unicode-1-1-utf-7":
		return strings.ToValidUTF8(fromUTF7(raw), "\uFFFD")
	}
	e := encodingOf(charset)
	if e == nil {
		return guess(raw)
	}
	text, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return guess(raw)
	}
	return strings.ToValidUTF8(strings.TrimPrefix(string(text), "\uFEFF"), "\uFFFD")
}

// encodingOf a charset's name; nil when there is none or it says nothing about bytes over 127. The names are read as
// browsers do first: who writes ISO-8859-1 or GB2312 means Windows-1252 and GB 18030, which hold all of them and more.
func encodingOf(charset string) encoding.Encoding {
	switch charset {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "7bit", "8bit", "binary", "unknown-8bit", "x-unknown":
		return nil
	case "hz-gb-2312", "hz":
		return simplifiedchinese.HZGB2312
	case "cp932", "ms932", "x-ms-cp932":
		return japanese.ShiftJIS
	}
	if number, ok := strings.CutPrefix(charset, "cp125"); ok {
		charset = "windows-125" + number
	}
	if e, err := htmlindex.Get(charset); err == nil && e != encoding.Replacement {
		return e
	}
	for _, name := range []string{charset, "cs" + charset} {
		if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
			return e
		}
	}
	return nil
}

// guess reads text that does not say, or not truly, what it is written in: UTF-8 with the odd broken character, what a byte
// order mark or the escapes of ISO-2022-JP tell, else Windows-1252, the most likely one.
func guess(raw []byte) string {
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	switch {
	case bytes.HasPrefix(raw, []byte("\xFF\xFE")), bytes.HasPrefix(raw, []byte("\xFE\xFF")):
		if text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(raw); err == nil {
			return strings.ToValidUTF8(string(text), "\uFFFD")
		}
	case bytes.Contains(raw, []byte("\x1b$B")), bytes.Contains(raw, []byte("\x1b$@")):
		if text, err := japanese.ISO2022JP.NewDecoder().Bytes(raw); err == nil {
			return strings.ToValidUTF8(string(text), "\uFFFD")
		}
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	if mostlyUTF8(raw) {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(text)
}

// mostlyUTF8: more characters beyond ASCII are well-formed than not; text in another charset has next to none.
func mostlyUTF8(raw []byte) bool {
	good, bad := 0, 0
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		switch {
		case n > 1:
			good++
		case r == utf8.RuneError:
			bad++
		}
		raw = raw[n:]
	}
	return good > bad
}

// fromUTF7 decodes RFC 2152, which x/text does not know. What is not well-formed stays as it is.
func fromUTF7(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		plus := bytes.IndexByte(raw, '+')
		if plus < 0 {
			b.Write(raw)
			break
		}
		b.Write(raw[:plus])
		raw = raw[plus+1:]
		n := 0
		for n < len(raw) && isBase64(raw[n]) {
			n++
		}
		run, after := raw[:n], raw[n:]
		if ended := len(after) > 0 && after[0] == '-'; ended {
			after = after[1:]
			if n == 0 {
				b.WriteByte('+')
			}
		} else if n == 0 {
			b.WriteByte('+')
		}
		bits := make([]byte, base64.RawStdEncoding.DecodedLen(n))
		n, _ = base64.RawStdEncoding.Decode(bits, run) // a last odd character is padding
		units := make([]uint16, n/2)
		for i := range units {
			units[i] = uint16(bits[2*i])<<8 | uint16(bits[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
		raw = after
	}
	return b.String()
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
