package importer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxName leaves room for what is added to an object's name within the 63 characters of a label.
const maxName = 48

// slug turns a text into a DNS-1123 label (RFC 1123), or "" if nothing of it can be kept. Accents are dropped.
func slug(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case r >= 'A' && r <= 'Z':
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r), r == '\'', r == '\u2019':
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxName {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// names hands out every name once.
type names map[string]bool

// unique returns the first of the given names that is free, else the last with a number.
func (n names) unique(wanted ...string) string {
	for _, name := range wanted {
		if name != "" && !n[name] {
			n[name] = true
			return name
		}
	}
	base := wanted[len(wanted)-1]
	for i := 2; ; i++ {
		if name := fmt.Sprintf("%s-%d", base, i); !n[name] {
			n[name] = true
			return name
		}
	}
}

var (
	isExtension = regexp.MustCompile(`^[0-9]{2,10}$`).MatchString
	isUsername  = regexp.MustCompile(`^[A-Za-z0-9._]{1,64}$`).MatchString
	notUsername = regexp.MustCompile(`[^A-Za-z0-9._]+`)
	isNumber    = regexp.MustCompile(`^\+?[0-9*#]{1,32}$`).MatchString
	isContext   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,79}$`).MatchString
	isHost      = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)$`).MatchString
	isAddress   = regexp.MustCompile(`^[^\s@<>"(),:;\[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`).MatchString
)

// maxFullName is the longest name of a person, in characters.
const maxFullName = 80

// fullName is a text without what spec.fullName must not contain.
func fullName(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || strings.ContainsRune("\";<>,=[]|", r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxFullName {
		text = strings.TrimSpace(string(runes[:maxFullName]))
	}
	return text
}

// username is a text without what spec.username must not contain, or "".
func username(text string) string {
	text = strings.Trim(notUsername.ReplaceAllString(text, "_"), "_")
	return text[:min(len(text), 64)]
}
