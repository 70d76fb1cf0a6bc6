package message

import (
	"bytes"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on what is taken from a header; a hostile mail can hold anything.
const (
	maxFields     = 5000
	maxAddresses  = 1000
	maxAddress    = 320 // RFC 5321 section 4.5.3.1: 64 + 1 + 255
	maxIdentifier = 998 // RFC 5322 section 2.1.1: the longest line
	maxIDs        = 50
	maxSubject    = 998
	maxName       = 256
)

// Header is a mail header read leniently: what is not a field is skipped.
type Header struct {
	fields []field
	// charset of the body, which 8-bit fields are likely to be in too; may be empty.
	charset string
}

type field struct {
	name  string
	value string // unfolded, trimmed, not decoded
}

// ReadHeader splits raw into header and body.
func ReadHeader(raw []byte) (Header, []byte) {
	var h Header
	rest := raw
	for len(rest) > 0 {
		line, after := cutLine(rest)
		if len(line) == 0 {
			return h.complete(), after
		}
		rest = after
		var value []byte
		name, first, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		value = append(value, first...)
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			line, rest = cutLine(rest)
			value = append(value, line...) // unfolding removes the line break alone: RFC 5322 section 2.2.3
		}
		if ok && validName(name) && len(h.fields) < maxFields {
			h.fields = append(h.fields, field{string(name), strings.Trim(string(value), " \t\r\n")})
		}
	}
	return h.complete(), nil
}

func (h Header) complete() Header {
	h.charset = parseMedia(h.raw("Content-Type"), "").params["charset"]
	return h
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// validName: RFC 5322 ftext.
func validName(name []byte) bool {
	for _, c := range name {
		if c < '!' || c > '~' {
			return false
		}
	}
	return len(name) > 0 && len(name) <= maxIdentifier
}

// Values of all fields of that name, unfolded and decoded (RFC 2047), in order.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, decode(f.value, h.charset))
		}
	}
	return values
}

// Get is the first field of that name, decoded; "" when there is none.
func (h Header) Get(name string) string {
	return decode(h.raw(name), h.charset)
}

func (h Header) raw(name string) string {
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// oneLine makes a value safe to show and to store: no control characters (PostgreSQL refuses NUL).
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// cut shortens to at most n bytes at a character's boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// looseAddress finds addresses in a list that does not follow the grammar.
var looseAddress = regexp.MustCompile(`[^\s<>,;:"()\[\]]+@[^\s<>,;:"()\[\]]+`)

// addresses of all fields of that name, leniently, at most maxAddresses.
func (h Header) addresses(name string) []mail.Address {
	var list []mail.Address
	for _, f := range h.fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		list = append(list, parseAddresses(quoteWords(headerText(f.value, h.charset)))...)
		if len(list) > maxAddresses {
			return list[:maxAddresses]
		}
	}
	return list
}

func parseAddresses(v string) []mail.Address {
	var list []mail.Address
	parsed, err := mail.ParseAddressList(v)
	if err == nil {
		for _, a := range parsed {
			list = append(list, mail.Address{Name: cut(oneLine(a.Name), maxName), Address: oneLine(a.Address)})
		}
	} else {
		list = looseAddresses(v)
	}
	kept := list[:0]
	for _, a := range list {
		if len(a.Address) <= maxAddress && strings.Contains(a.Address, "@") {
			kept = append(kept, a)
		}
	}
	return kept
}

func looseAddresses(v string) []mail.Address {
	var list []mail.Address
	for _, at := range looseAddress.FindAllStringIndex(v, maxAddresses) {
		before, after := v[:at[0]], v[at[1]:]
		if strings.HasPrefix(strings.TrimLeft(after, ` "`), "<") {
			continue // the name of the one that follows
		}
		name := ""
		if before, angled := strings.CutSuffix(before, "<"); angled && !strings.ContainsAny(before, "<>,;") {
			name = cut(strings.Trim(oneLine(before), `"' `), maxName)
		}
		list = append(list, mail.Address{Name: name, Address: oneLine(v[at[0]:at[1]])})
	}
	return list
}

var bracketed = regexp.MustCompile(`<([^<>\s]+)>`)

// ids lists message identifiers without angle brackets. One without them is taken when it looks like one.
func (h Header) ids(name string) []string {
	var list []string
	for _, f := range h.fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		found := bracketed.FindAllStringSubmatch(f.value, -1)
		for _, m := range found {
			list = append(list, m[1])
		}
		if len(found) == 0 {
			for word := range strings.FieldsSeq(f.value) {
				if strings.Contains(word, "@") && !strings.ContainsAny(word, "<>") {
					list = append(list, word)
				}
			}
		}
	}
	kept := list[:0]
	for _, id := range list {
		if id = oneLine(id); id != "" && len(id) <= maxIdentifier {
			kept = append(kept, id)
		}
	}
	return kept
}

// date of the mail, or of its last hop; zero when neither can be read or is absurd.
func (h Header) date() time.Time {
	candidates := []string{h.raw("Date")}
	if _, stamp, ok := strings.Cut(h.raw("Received"), ";"); ok {
		candidates = append(candidates, strings.TrimSpace(stamp))
	}
	for _, c := range candidates {
		if t, err := mail.ParseDate(c); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			if zone, offset := t.Zone(); offset == 0 {
				t = t.Add(-americanZones[zone])
			}
			return t.UTC()
		}
	}
	return time.Time{}
}

// americanZones are the names of RFC 5322 section 4.3 that time.Parse takes for UTC where they are not local.
var americanZones = map[string]time.Duration{
	"EST": -5 * time.Hour, "EDT": -4 * time.Hour, "CST": -6 * time.Hour, "CDT": -5 * time.Hour,
	"MST": -7 * time.Hour, "MDT": -6 * time.Hour, "PST": -8 * time.Hour, "PDT": -7 * time.Hour,
}
