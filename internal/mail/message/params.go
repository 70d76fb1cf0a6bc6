package message

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// mediaType is a Content-Type or Content-Disposition read leniently.
type mediaType struct {
	// value in lower case; "" when it is not one.
	value  string
	params map[string]string
}

var tokenValue = regexp.MustCompile(`^[^\s;,"]+`)

// parseMedia takes the first of parameters given twice, values with spaces that are not quoted, and the pieces and charsets of
// RFC 2231, any of which makes the standard library's parser give up.
func parseMedia(v, charset string) mediaType {
	v = headerText(v, charset)
	m := mediaType{value: strings.ToLower(tokenValue.FindString(v)), params: map[string]string{}}
	_, rest, _ := strings.Cut(v, ";")
	extended := map[string]*extendedParam{}
	for n := 0; rest != "" && n < maxAddresses; n++ {
		var name, value string
		name, value, rest = nextParam(rest)
		base, piece, isPiece := strings.Cut(name, "*")
		switch {
		case name == "":
		case isPiece:
			e := extended[base]
			if e == nil {
				e = &extendedParam{pieces: map[int]string{}, encoded: map[int]bool{}}
				extended[base] = e
			}
			e.add(piece, value)
		default:
			if _, twice := m.params[name]; !twice {
				m.params[name] = value
			}
		}
	}
	for name, e := range extended {
		if value := e.value(); value != "" {
			m.params[name] = value
		}
	}
	return m
}

// nextParam reads "name=value" up to the next semicolon outside quotes.
func nextParam(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, " \t;")
	end := strings.IndexAny(s, "=;")
	if end < 0 || s[end] == ';' {
		_, rest, _ = strings.Cut(s, ";")
		return "", "", rest
	}
	name, s = strings.ToLower(strings.TrimSpace(s[:end])), strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			_, rest, _ = strings.Cut(s[i+1:], ";")
			return name, b.String(), rest
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++ // a backslash before anything else is Windows' in a path
		}
		b.WriteByte(s[i])
	}
	return name, b.String(), ""
}

// extendedParam collects the pieces of a parameter of RFC 2231.
type extendedParam struct {
	pieces  map[int]string
	encoded map[int]bool
}

func (e *extendedParam) add(piece, value string) {
	number, encoded := strings.CutSuffix(piece, "*")
	if piece == "" { // name*=
		number, encoded = "0", true
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > maxParts {
		return
	}
	if _, twice := e.pieces[n]; !twice {
		e.pieces[n], e.encoded[n] = value, encoded
	}
}

func (e *extendedParam) value() string {
	var raw []byte
	charset := ""
	for n := 0; ; n++ {
		piece, there := e.pieces[n]
		if !there {
			return toUTF8(raw, charset)
		}
		if n == 0 && e.encoded[0] {
			if parts := strings.SplitN(piece, "'", 3); len(parts) == 3 {
				charset, piece = parts[0], parts[2]
			}
		}
		if e.encoded[n] {
			raw = append(raw, unescape(piece)...)
		} else {
			raw = append(raw, piece...)
		}
	}
}

func unescape(s string) []byte {
	raw := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				raw = append(raw, b...)
				i += 2
				continue
			}
		}
		raw = append(raw, s[i])
	}
	return raw
}
