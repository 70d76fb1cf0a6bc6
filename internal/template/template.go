// Package template fills texts that people write, such as invitations and automatic answers, with values. The language has
// one construct, {{ path.to.value }}: no conditions, no loops, no calls, so a template can neither fail nor hang nor reach
// anything it was not given. A value never becomes a template itself.
package template

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPath is the longest path of a variable, in bytes.
const MaxPath = 128

// SyntaxError says where a text is no template. Line and Column begin at 1; columns count characters.
type SyntaxError struct {
	Line, Column int
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Template is a parsed text. Its methods may be used by several goroutines at once.
type Template struct {
	// parts are text and variables in turn, beginning and ending with a text.
	texts, variables []string
}

// Parse reads a template. The error is a *SyntaxError.
func Parse(text string) (*Template, error) {
	t := &Template{}
	rest := text
	for {
		before, after, found := strings.Cut(rest, "{{")
		t.texts = append(t.texts, before)
		if !found {
			return t, nil
		}
		opened := len(text) - len(after) - 2
		inside, behind, closed := strings.Cut(after, "}}")
		if !closed || strings.Contains(inside, "{{") {
			return nil, syntax(text, opened, "{{ without }}")
		}
		lead := len(inside) - len(strings.TrimLeft(inside, space))
		path := strings.Trim(inside, space)
		if at, message := checkPath(path); message != "" {
			return nil, syntax(text, opened+2+lead+at, message)
		}
		t.variables = append(t.variables, path)
		rest = behind
	}
}

const space = " \t\r\n"

// checkPath says what is wrong with a path, and at which byte.
func checkPath(path string) (at int, message string) {
	if path == "" {
		return 0, "the name of a variable is missing"
	}
	if len(path) > MaxPath {
		return 0, fmt.Sprintf("the name of a variable has at most %d characters", MaxPath)
	}
	first := true
	for i, r := range path {
		switch {
		case r == '.' && !first && i+1 < len(path):
			first = true
		case letter(r), !first && (r >= '0' && r <= '9' || r == '-'):
			first = false
		case first:
			return i, "each part of a variable's name begins with a letter or _"
		default:
			return i, fmt.Sprintf("%q cannot be in the name of a variable: letters, digits, _, - and dots between the parts", r)
		}
	}
	return 0, ""
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' }

func syntax(text string, at int, message string) error {
	before := text[:at]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return &SyntaxError{Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(line), Message: message}
}

// Variables are the paths the template uses, sorted, each once.
func (t *Template) Variables() []string {
	return slices.Compact(slices.Sorted(slices.Values(t.variables)))
}

// Render puts value(path) in the place of each variable, as it is. It is for callers that have values of another kind than
// text; the others use Text, HTML or Header.
func (t *Template) Render(value func(path string) string) string {
	var out strings.Builder
	for i, text := range t.texts {
		out.WriteString(text)
		if i < len(t.variables) {
			out.WriteString(value(t.variables[i]))
		}
	}
	return out.String()
}

// Text fills the template for plain text. A variable without a value is empty. Control characters of a value other than
// tabs and line breaks are left out.
func (t *Template) Text(vars map[string]string) string {
	return t.Render(func(path string) string { return printable(vars[path]) })
}

// HTML fills the template for HTML: values are text in it or in a quoted attribute, never markup.
func (t *Template) HTML(vars map[string]string) string {
	return t.Render(func(path string) string { return html.EscapeString(printable(vars[path])) })
}

// Header fills the template for one header field of a mail, such as its subject: the result is a single line, whatever the
// values contain, with one space in the place of each run of white space.
func (t *Template) Header(vars map[string]string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(t.Render(func(path string) string { return vars[path] }), ""))), " ")
}

func printable(value string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, ""))
}
