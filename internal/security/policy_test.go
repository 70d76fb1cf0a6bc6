package security_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

func rules(violations []security.Violation) []security.Rule {
	var out []security.Rule
	for _, v := range violations {
		out = append(out, v.Rule)
	}
	return out
}

func TestDefaultPasswordPolicy(t *testing.T) {
	all := []security.Rule{
		security.RuleMinLength, security.RuleMinLowercase, security.RuleMinUppercase,
		security.RuleMinDigits, security.RuleMinSpecials,
	}
	for name, tc := range map[string]struct {
		password string
		want     []security.Rule
	}{
		"good":                               {"Passw0rd!", nil},
		"exactly eight":                      {"Passw0r!", nil},
		"seven":                              {"Pass0r!", []security.Rule{security.RuleMinLength}},
		"empty":                              {"", []security.Rule{security.RuleNotEmpty}},
		"no lowercase":                       {"PASSW0RD!", []security.Rule{security.RuleMinLowercase}},
		"no uppercase":                       {"passw0rd!", []security.Rule{security.RuleMinUppercase}},
		"no digit":                           {"Password!", []security.Rule{security.RuleMinDigits}},
		"no special":                         {"Passw0rdd", []security.Rule{security.RuleMinSpecials}},
		"full stop is not special":           {"Passw0rd.", []security.Rule{security.RuleMinSpecials}},
		"star is allowed but not special":    {"Passw0rd*", []security.Rule{security.RuleMinSpecials}},
		"star and space beside a special":    {"Passw0rd* !", nil},
		"one character of nothing":           {" ", all},
		"letters of other scripts":           {"пАРОЛЬ1!", nil},
		"length counts characters":           {"Éé1!ßßß", []security.Rule{security.RuleMinLength}},
		"line break at the end":              {"Passw0rd!\n", []security.Rule{security.RulePrintable}},
		"NUL":                                {"Passw0rd!\x00", []security.Rule{security.RulePrintable}},
		"not UTF-8":                          {"Passw0rd!\xff", []security.Rule{security.RulePrintable}},
		"longest":                            {"Pw0!" + strings.Repeat("x", security.MaxPasswordBytes-4), nil},
		"longer than the longest":            {"Pw0!" + strings.Repeat("x", security.MaxPasswordBytes-3), []security.Rule{security.RuleMaxLength}},
		"longest in bytes, not characters":   {"Pw0!" + strings.Repeat("é", security.MaxPasswordBytes/2), []security.Rule{security.RuleMaxLength}},
		"several rules at once, fixed order": {"short", []security.Rule{security.RuleMinLength, security.RuleMinUppercase, security.RuleMinDigits, security.RuleMinSpecials}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rules(security.DefaultPasswordPolicy().Check(tc.password))); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// Every member of the set counts, one by one, and nothing else of printable ASCII does.
func TestSpecialCharacterSet(t *testing.T) {
	for r := rune(' '); r <= '~'; r++ {
		special := strings.ContainsRune("~!@#$%^&-_=+[{]}", r)
		ok := len(security.DefaultPasswordPolicy().Check("Passw0rdd"+string(r))) == 0
		if ok != special {
			t.Errorf("%q: accepted %v, want %v", r, ok, special)
		}
	}
}

func TestDisabledSuiteAsksOnlyForSomething(t *testing.T) {
	var disabled security.PasswordPolicy
	for password, want := range map[string][]security.Rule{
		"":  {security.RuleNotEmpty},
		"a": nil,
		" ": nil,
	} {
		if diff := cmp.Diff(want, rules(disabled.Check(password))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", password, diff)
		}
	}
}

func TestOwnPolicy(t *testing.T) {
	p := security.PasswordPolicy{MinLength: 12, MinLowercase: 2, MinUppercase: 2, MinDigits: 2, MinSpecials: 2, SpecialCharacters: "*."}
	if v := p.Check("abCD12*.wxyz"); len(v) != 0 {
		t.Errorf("acceptable password refused: %s", security.Explain(v))
	}
	want := "the password needs at least 12 characters; the password needs at least 2 lowercase letters; " +
		"the password needs at least 2 uppercase letters; the password needs at least 2 digits; " +
		"the password needs at least 2 characters out of *."
	if diff := cmp.Diff(want, security.Explain(p.Check("aB1!*"))); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestCheckPIN(t *testing.T) {
	for name, tc := range map[string]struct {
		pin, extension string
		want           []security.Rule
	}{
		"four":             {"4711", "1001", nil},
		"ten":              {"0123456789", "1001", nil},
		"no extension yet": {"4711", "", nil},
		"empty":            {"", "1001", []security.Rule{security.RulePINDigits}},
		"empty, no ext":    {"", "", []security.Rule{security.RulePINDigits}},
		"three":            {"471", "1001", []security.Rule{security.RulePINDigits}},
		"eleven":           {"01234567890", "1001", []security.Rule{security.RulePINDigits}},
		"letter":           {"471a", "1001", []security.Rule{security.RulePINDigits}},
		"line break":       {"4711\n", "1001", []security.Rule{security.RulePINDigits}},
		"other digits":     {"٤٧١١", "1001", []security.Rule{security.RulePINDigits}},
		"extension":        {"1001", "1001", []security.Rule{security.RulePINExtension}},
		"short extension":  {"101", "101", []security.Rule{security.RulePINDigits, security.RulePINExtension}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rules(security.CheckPIN(tc.pin, tc.extension))); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is checked, no message gives it away, and an accepted password really has what the policy asks for.
func FuzzPasswordPolicy(f *testing.F) {
	for _, s := range []string{"", "Passw0rd!", "passw0rd\n", "\xff\xfe", "пАРОЛЬ1!", strings.Repeat("a", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		violations := security.DefaultPasswordPolicy().Check(password)
		if len(password) >= 8 {
			if strings.Contains(security.Explain(violations), password) &&
				!strings.Contains(security.Explain(security.DefaultPasswordPolicy().Check(" ")), password) {
				t.Errorf("the message contains the password")
			}
		}
		if len(violations) > 0 {
			return
		}
		if len(password) < 8 || len(password) > security.MaxPasswordBytes ||
			!strings.ContainsAny(password, security.DefaultSpecialCharacters) ||
			!strings.ContainsFunc(password, unicode.IsLower) || strings.ContainsAny(password, "\r\n\x00") {
			t.Errorf("accepted %q", password)
		}
	})
}

func FuzzCheckPIN(f *testing.F) {
	f.Add("1234", "1001")
	f.Add("1001", "1001")
	f.Fuzz(func(t *testing.T, pin, extension string) {
		if len(security.CheckPIN(pin, extension)) > 0 {
			return
		}
		if pin == extension || len(pin) < 4 || len(pin) > 10 || strings.Trim(pin, "0123456789") != "" {
			t.Errorf("accepted %q for extension %q", pin, extension)
		}
	})
}
