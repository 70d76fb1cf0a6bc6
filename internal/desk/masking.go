package desk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Values of Permissions.SensitiveData.
const (
	SensitiveVisible = "Visible"
	SensitiveMasked  = "Masked"
)

// maxMaskedCharacters is what ContactCenter.spec.security.masking.characters may be at most.
const maxMaskedCharacters = 32

// maskRune stands for a character that the agent does not get to see.
const maskRune = '*'

// masking hides who the customers are from one agent.
type masking struct {
	// characters is how many are hidden at the end of a local part, a word of a name or a number; all of what is shorter.
	characters int
	// names are customers' names that texts beside them may repeat, whole and by word, longest first.
	names []string
}

// maskResponse is the huma.Transformer that every JSON answer of the API passes.
func maskResponse(ctx huma.Context, _ string, body any) (any, error) {
	return masked(callerOf(ctx.Context()), body), nil
}

// masked is v as the caller may see it. Answers that are not JSON call it themselves.
func masked[T any](c caller, v T) T {
	if c.permissions.allows(sensitiveData) {
		return v
	}
	in := reflect.ValueOf(&v).Elem()
	m := masking{characters: cmp.Or(c.permissions.MaskedCharacters, maxMaskedCharacters)}
	if c.customers != nil {
		for _, n := range *c.customers {
			m.learn(n)
		}
	}
	m.collect(in, public)
	slices.SortStableFunc(m.names, func(a, b string) int { return len(b) - len(a) })
	out := reflect.New(in.Type())
	out.Elem().Set(m.copy(in, public))
	return *out.Interface().(*T)
}

// collect finds the names.
func (m *masking) collect(v reflect.Value, as sensitivity) {
	eachPart(v, as, func(part reflect.Value, as sensitivity) {
		if as == name && part.Kind() == reflect.String {
			m.learn(part.String())
		}
	})
}

// learn remembers a name and its words.
func (m *masking) learn(whole string) {
	whole = strings.TrimSpace(whole)
	for _, n := range append(strings.Fields(whole), whole) {
		// Shorter words are too often part of the text.
		if utf8.RuneCountInString(n) > 2 && !slices.Contains(m.names, n) {
			m.names = append(m.names, n)
		}
	}
}

// eachPart visits every value below v that is no container.
func eachPart(v reflect.Value, as sensitivity, visit func(reflect.Value, sensitivity)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			eachPart(v.Elem(), as, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachPart(v.Index(i), as, visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			eachPart(v.MapIndex(key), as, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachPart(v.Field(i), sensitivityOf(v.Type(), i), visit)
			}
		}
	default:
		visit(v, as)
	}
}

// copy is v masked. What the API answers with may be shared with the store, so nothing is changed in place.
func (m *masking) copy(v reflect.Value, as sensitivity) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(m.copy(v.Elem(), as))
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(m.copy(v.Elem(), as))
		}
	case reflect.Slice:
		if raw, ok := reflect.TypeAssert[json.RawMessage](v); ok {
			out.SetBytes(m.document(raw))
			return out
		}
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(m.copy(v.Index(i), as))
		}
	case reflect.Map:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			out.SetMapIndex(key, m.copy(v.MapIndex(key), as))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(m.copy(v.Field(i), sensitivityOf(v.Type(), i)))
			}
		}
	case reflect.String:
		out.SetString(m.string(v.String(), as))
	default:
	}
	return out
}

// document masks the texts of a JSON document whose type is not known here; its properties are classified by name.
func (m *masking) document(raw json.RawMessage) json.RawMessage {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if len(raw) == 0 || decoder.Decode(&v) != nil {
		return nil // nobody can read it, so nothing is lost
	}
	encoded, err := json.Marshal(m.decoded(v, text))
	if err != nil {
		return nil
	}
	return encoded
}

func (m *masking) decoded(v any, as sensitivity) any {
	switch v := v.(type) {
	case string:
		return m.string(v, as)
	case []any:
		for i := range v {
			v[i] = m.decoded(v[i], as)
		}
	case map[string]any:
		for key := range v {
			class, known := sensitivities[key]
			if !known {
				class = text
			}
			v[key] = m.decoded(v[key], class)
		}
	}
	return v
}

func (m *masking) string(s string, as sensitivity) string {
	switch as {
	case public:
		return s
	case address:
		return m.address(s)
	case name:
		return m.words(s)
	case number:
		return m.digits(s)
	case hidden:
		return ""
	case text:
	}
	return m.text(s)
}

// end masks the end of s, character by character, as far as hide says they count.
func (m *masking) end(s string, counts func(rune) bool) string {
	runes, left := []rune(s), m.characters
	for i := len(runes) - 1; i >= 0 && left > 0; i-- {
		if counts(runes[i]) {
			runes[i] = maskRune
			left--
		}
	}
	return string(runes)
}

func anyRune(rune) bool { return true }

// words masks the end of every word of a name.
func (m *masking) words(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = m.address(w) // people name themselves by their address
		} else {
			words[i] = m.end(w, anyRune)
		}
	}
	return strings.Join(words, " ")
}

// digits masks the last digits of a number, and letters as well: a SIP caller may have a name for a number.
func (m *masking) digits(s string) string {
	if local, domain, ok := strings.Cut(s, "@"); ok {
		return m.digits(local) + "@" + domain
	}
	return m.end(s, func(r rune) bool { return unicode.IsDigit(r) || unicode.IsLetter(r) })
}

// address masks the local part; a display name before it goes as a name.
func (m *masking) address(s string) string {
	if display, rest, ok := strings.Cut(s, "<"); ok {
		return strings.TrimSpace(m.words(display) + " <" + m.address(rest))
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return m.words(s)
	}
	return m.end(s[:at], anyRune) + s[at:]
}

var (
	// addressInText is as much of RFC 5321 and RFC 6531 as people write, also as a parameter of a link.
	addressInText = regexp.MustCompile(`[\p{L}\p{N}.!#$%'*+^_{|}~-]+(?:@|%40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*`)
	atSign        = regexp.MustCompile(`@|%40`)
	// numberInText may be a telephone number: +39 333 1234567, (02) 1234567, 0049-30-123456, 333.1234567.
	numberInText = regexp.MustCompile(`[+(]{0,2}[0-9](?:[ ()./-]{0,2}[0-9])+`)
	date         = regexp.MustCompile(`^(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})(?:\D|$)`)
)

const (
	// Numbers with fewer digits are amounts, orders and dates.
	minInternational = 7
	minNational      = 9
)

// text masks what in a text tells who wrote it: addresses, telephone numbers and the names beside it.
func (m *masking) text(s string) string {
	s = addressInText.ReplaceAllStringFunc(s, func(found string) string {
		at := atSign.FindAllStringIndex(found, -1)
		last := at[len(at)-1][0]
		return m.end(found[:last], anyRune) + found[last:]
	})
	s = m.wholeWords(s, numberInText.FindAllStringIndex(s, -1), func(found string) string {
		digits := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return r
			}
			return -1
		}, found)
		international := strings.HasPrefix(strings.TrimLeft(found, "("), "+") || strings.HasPrefix(digits, "00")
		if len(digits) >= minNational && !date.MatchString(found) || international && len(digits) >= minInternational {
			return m.digits(found)
		}
		return found
	})
	for _, n := range m.names {
		s = m.wholeWords(s, regexp.MustCompile(`(?i)`+regexp.QuoteMeta(n)).FindAllStringIndex(s, -1), m.words)
	}
	return s
}

// wholeWords replaces the places that no letter, digit or hyphen adjoins: parts of longer words and identifiers stay.
func (m *masking) wholeWords(s string, places [][]int, replace func(string) string) string {
	var b strings.Builder
	done := 0
	for _, p := range places {
		before, _ := utf8.DecodeLastRuneInString(s[:p[0]])
		after, _ := utf8.DecodeRuneInString(s[p[1]:])
		if inWord(before) || inWord(after) {
			continue
		}
		b.WriteString(s[done:p[0]])
		b.WriteString(replace(s[p[0]:p[1]]))
		done = p[1]
	}
	b.WriteString(s[done:])
	return b.String()
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
