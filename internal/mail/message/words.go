package message

import (
	"encoding/hex"
	"regexp"
	"strings"
)

// encodedWord of RFC 2047, with the language of RFC 2231 section 5; more lenient than either: the text may hold spaces.
var encodedWord = regexp.MustCompile(`=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\r\n]*)\?=`)

// decodeWords replaces encoded words. The words of one charset that follow each other are joined before they are decoded,
// since many programs cut in the middle of a character or of an escape sequence. mark may change each text that was encoded.
func decodeWords(s string, mark func(text string, before string) string) string {
	found := encodedWord.FindAllStringSubmatchIndex(s, -1)
	if found == nil {
		return s
	}
	var out strings.Builder
	end := 0
	for i := 0; i < len(found); {
		start := found[i][0]
		out.WriteString(s[end:start])
		var text strings.Builder
		for first := true; i < len(found) && (first || strings.TrimSpace(s[end:found[i][0]]) == ""); first = false {
			charset := s[found[i][2]:found[i][3]]
			var raw []byte
			for same := true; same; {
				raw = append(raw, wordBytes(s[found[i][4]:found[i][5]], s[found[i][6]:found[i][7]])...)
				end = found[i][1]
				i++
				same = i < len(found) && strings.EqualFold(charset, s[found[i][2]:found[i][3]]) && strings.TrimSpace(s[end:found[i][0]]) == ""
			}
			text.WriteString(toUTF8(raw, charset))
		}
		out.WriteString(mark(text.String(), s[:start]))
	}
	out.WriteString(s[end:])
	return out.String()
}

func wordBytes(encoding, text string) []byte {
	if strings.EqualFold(encoding, "b") {
		return decodeBase64([]byte(text))
	}
	raw := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '_':
			raw = append(raw, ' ')
		case text[i] == '=' && i+2 < len(text):
			if b, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				raw = append(raw, b...)
				i += 2
				continue
			}
			raw = append(raw, '=')
		default:
			raw = append(raw, text[i])
		}
	}
	return raw
}

// decode reads a header's value: raw 8-bit text and encoded words. What cannot be decoded stays as it is.
func decode(v, charset string) string {
	return oneLine(decodeWords(headerText(v, charset), func(text, _ string) string { return text }))
}

// headerText is a raw value as text. RFC 5322 knows no 8-bit header; programs that write one mostly mean the charset of the
// body, if it is not UTF-8.
func headerText(v, charset string) string {
	if text := guess([]byte(v)); charset == "" || strings.ToValidUTF8(v, "") == v {
		return text
	}
	return toUTF8([]byte(v), charset)
}

// quoteWords decodes a list of addresses before it is taken apart: what was encoded cannot be mistaken for its grammar.
func quoteWords(v string) string {
	return decodeWords(v, func(text, before string) string {
		text = quoteEscaper.Replace(oneLine(text))
		if quoted(before) {
			return text
		}
		return `"` + text + `"`
	})
}

var quoteEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted: what follows s is inside a quoted string.
func quoted(s string) bool {
	in := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			in = !in
		}
	}
	return in
}
