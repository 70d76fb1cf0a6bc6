// Package security holds what secrets must be like and nothing that talks to anything: the password policy, password
// hashing, session tokens, voicemail PINs and the certificates of listeners. No function here logs, and no message repeats
// what it was asked to check.
package security

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPasswordBytes is the longest password that is hashed or compared, in bytes of UTF-8. It bounds the work
// one request can cause.
const MaxPasswordBytes = 1024

// DefaultSpecialCharacters is the set that counts as special. The full stop that ends the sentence the set
// is usually quoted in is not a member.
const DefaultSpecialCharacters = "~!@#$%^&-_=+[{]}"

// PasswordPolicy says what a sign-in password must contain. Characters are Unicode code points. Any printable
// character is allowed; those outside SpecialCharacters, such as * or the space, only do not count as special.
//
// The zero value asks for a password that is not empty: the policy of a contact center whose security suite
// is disabled.
type PasswordPolicy struct {
	// MinLength in characters.
	MinLength int
	// MinLowercase letters.
	MinLowercase int
	// MinUppercase letters.
	MinUppercase int
	// MinDigits is how many decimal digits are needed.
	MinDigits int
	// MinSpecials is how many characters of SpecialCharacters are needed; repeated ones count each time.
	MinSpecials int
	// SpecialCharacters is the set; empty means DefaultSpecialCharacters.
	SpecialCharacters string
}

// DefaultPasswordPolicy is the policy of a contact center that sets none: eight characters with a lowercase
// letter, an uppercase letter, a digit and a special character.
func DefaultPasswordPolicy() PasswordPolicy {
	return PasswordPolicy{
		MinLength:         8,
		MinLowercase:      1,
		MinUppercase:      1,
		MinDigits:         1,
		MinSpecials:       1,
		SpecialCharacters: DefaultSpecialCharacters,
	}
}

// Rule identifies a rule of a password or a PIN. The values are stable and may be shown by API clients.
type Rule string

// Rules. NotEmpty, MaxLength and Printable hold under every policy: a longer password is never hashed, and one
// with a control character (most often the line break at the end of a file) cannot be typed at sign-in.
const (
	RuleNotEmpty     Rule = "NotEmpty"
	RuleMaxLength    Rule = "MaxLength"
	RulePrintable    Rule = "Printable"
	RuleMinLength    Rule = "MinLength"
	RuleMinLowercase Rule = "MinLowercase"
	RuleMinUppercase Rule = "MinUppercase"
	RuleMinDigits    Rule = "MinDigits"
	RuleMinSpecials  Rule = "MinSpecials"
	RulePINDigits    Rule = "PINDigits"
	RulePINExtension Rule = "PINExtension"
)

// Violation is one unmet rule.
type Violation struct {
	Rule Rule
	// Message says in words what is needed, and never contains the value that was checked.
	Message string
}

// Explain joins the messages of violations into one sentence part, for example for an admission response.
func Explain(violations []Violation) string {
	messages := make([]string, 0, len(violations))
	for _, v := range violations {
		messages = append(messages, v.Message)
	}
	return strings.Join(messages, "; ")
}

// Check returns every unmet rule, in a fixed order; none means the password is acceptable.
func (p PasswordPolicy) Check(password string) []Violation {
	switch {
	case password == "":
		return []Violation{{RuleNotEmpty, "the password must not be empty"}}
	case len(password) > MaxPasswordBytes:
		return []Violation{{RuleMaxLength, fmt.Sprintf("the password must not be longer than %d bytes", MaxPasswordBytes)}}
	}

	set := p.SpecialCharacters
	if set == "" {
		set = DefaultSpecialCharacters
	}
	count := countCharacters(password, set)

	var violations []Violation
	if !count.printable {
		violations = append(violations, Violation{RulePrintable,
			"the password must be UTF-8 text without control characters, such as a line break at its end"})
	}
	need := func(rule Rule, got, minimum int, one, many string) {
		if got >= minimum {
			return
		}
		what := many
		if minimum == 1 {
			what = one
		}
		violations = append(violations, Violation{rule, fmt.Sprintf("the password needs at least %d %s", minimum, what)})
	}
	need(RuleMinLength, count.length, p.MinLength, "character", "characters")
	need(RuleMinLowercase, count.lowercase, p.MinLowercase, "lowercase letter", "lowercase letters")
	need(RuleMinUppercase, count.uppercase, p.MinUppercase, "uppercase letter", "uppercase letters")
	need(RuleMinDigits, count.digits, p.MinDigits, "digit", "digits")
	need(RuleMinSpecials, count.specials, p.MinSpecials, "character out of "+set, "characters out of "+set)
	return violations
}

type characterCount struct {
	length, lowercase, uppercase, digits, specials int
	printable                                      bool
}

func countCharacters(s, set string) characterCount {
	c := characterCount{printable: utf8.ValidString(s)}
	for _, r := range s {
		c.length++
		switch {
		case unicode.IsLower(r):
			c.lowercase++
		case unicode.IsUpper(r):
			c.uppercase++
		case unicode.IsDigit(r):
			c.digits++
		case unicode.IsControl(r):
			c.printable = false
		}
		if strings.ContainsRune(set, r) {
			c.specials++
		}
	}
	return c
}

// Lengths of a voicemail PIN, in digits.
const (
	MinPINDigits = 4
	MaxPINDigits = 10
)

// CheckPIN returns the unmet rules of a voicemail PIN: 4 to 10 ASCII digits, the only characters a telephone
// can dial, and not the extension itself, which every caller knows. extension may be empty when none is known
// yet.
func CheckPIN(pin, extension string) []Violation {
	var violations []Violation
	digits := strings.Trim(pin, "0123456789") == ""
	if !digits || len(pin) < MinPINDigits || len(pin) > MaxPINDigits {
		violations = append(violations, Violation{RulePINDigits,
			fmt.Sprintf("the PIN must be %d to %d digits", MinPINDigits, MaxPINDigits)})
	}
	if pin != "" && pin == extension {
		violations = append(violations, Violation{RulePINExtension, "the PIN must differ from the extension"})
	}
	return violations
}
