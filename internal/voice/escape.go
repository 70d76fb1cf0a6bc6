package voice

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds free text, in bytes: far above any name, far below the 8 KiB
// at which Asterisk's configuration reader cuts a line.
const maxText = 256

// checkText refuses what no Asterisk file can carry in a value: a line end
// would start a new setting, a NUL would end the file, and other control
// characters have no place in a name.
func checkText(s string) error {
	if len(s) > maxText {
		return errors.New("is longer than 256 bytes")
	}
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return errors.New("contains a control character or line break")
		}
	}
	return nil
}

// pjsipValue escapes free text for a value in pjsip.conf. A semicolon starts
// a comment, and ";--" a block comment that swallows the rest of the file.
func pjsipValue(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, ";", `\;`), nil
}

var quotedEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// pjsipQuoted escapes free text for a quoted string inside a pjsip.conf value
// (callerid).
func pjsipQuoted(s string) (string, error) {
	v, err := pjsipValue(quotedEscapes.Replace(s))
	if err != nil {
		return "", err
	}
	return `"` + v + `"`, nil
}

var queueEscapes = strings.NewReplacer(
	`\`, `\\`, `,`, `\,`, `"`, `\"`,
	`(`, `\(`, `)`, `\)`, `[`, `\[`, `]`, `\]`,
	`;`, `\;`,
)

// queueValue escapes free text for one argument of "member =>" in queues.conf.
// Commas separate arguments unless quoted, bracketed or escaped, and an
// opening bracket without its partner swallows the arguments after it.
func queueValue(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	return queueEscapes.Replace(strings.TrimSpace(s)), nil
}

// voicemailField escapes free text for a field in voicemail.conf. app_voicemail
// has no escape for the comma between fields, so commas are left out of a
// name ("Rossi, Alice" becomes "Rossi Alice").
func voicemailField(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	s = strings.TrimSpace(strings.ReplaceAll(s, ",", ""))
	return strings.ReplaceAll(s, ";", `\;`), nil
}

// dialplanArg passes an identifier into the dialplan. Nothing else may go
// there: every other character can be syntax to one application or another.
func dialplanArg(s string) (string, error) {
	if s == "" {
		return "", errors.New("is empty")
	}
	for _, r := range s {
		if !isIdentifier(r) && r != '*' && r != '#' {
			return "", errors.New("contains a character other than A-Z a-z 0-9 . _ - * #")
		}
	}
	return s, nil
}

func isIdentifier(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}
