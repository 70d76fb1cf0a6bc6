// Package conffile reads text as Asterisk's configuration reader does
// (main/config.c), for tests that prove what a rendered file means. It knows
// comments, nested block comments, escapes, sections with templates and
// additions, directives, "=", "=>" and "+=". It is stricter in one thing: what
// Asterisk would warn about or cut is an error.
package conffile

import (
	"errors"
	"fmt"
	"strings"
)

// maxLine is the size of Asterisk's line buffer; longer lines are cut.
const maxLine = 8190

// maxNested is how deep block comments go.
const maxNested = 128

// File is one file, with nothing included.
type File struct {
	Sections []Section
	// Directives are lines that begin with "#": include, tryinclude, exec.
	Directives []Directive
}

// Directive includes a file or the output of a program.
type Directive struct{ Name, Argument string }

// Section is one [name].
type Section struct {
	Name string
	// Template is "!": the section is for inheriting only. Addition is "+": it
	// goes on with the section of that name.
	Template, Addition bool
	// Inherits are the templates it copies.
	Inherits []string
	Settings []Setting
}

// Setting is one key and value.
type Setting struct {
	Key, Value string
	// Object is "=>" instead of "=", Append is "+=".
	Object, Append bool
}

// Parse reads a file.
func Parse(text string) (File, error) {
	p := parser{names: map[string]bool{}}
	for n, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return File{}, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if p.nested > 0 {
		return File{}, errors.New("a block comment is not closed")
	}
	return p.file, nil
}

type parser struct {
	file   File
	nested int
	names  map[string]bool
}

func (p *parser) line(line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("is longer than %d bytes", maxLine)
	}
	if strings.ContainsRune(line, 0) {
		return errors.New("contains a NUL, which ends it")
	}
	text, err := p.uncomment(line)
	if err != nil {
		return err
	}
	text = strip(text)
	switch {
	case text == "":
		return nil
	case strings.ContainsRune(text, '\r'):
		return errors.New("contains a carriage return")
	case text[0] == '[':
		return p.section(text[1:])
	case text[0] == '#':
		return p.directive(text[1:])
	default:
		return p.setting(text)
	}
}

// strip removes what ast_strip takes for blank: every byte up to the space.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// uncomment is the loop over semicolons in config_text_file_load.
func (p *parser) uncomment(line string) (string, error) {
	var kept strings.Builder
	rest := line
	for {
		i := strings.IndexByte(rest, ';')
		if i < 0 {
			p.keep(&kept, rest)
			return kept.String(), nil
		}
		before, after := rest[:i], rest[i+1:]
		switch {
		case strings.HasSuffix(before, `\`):
			// An escaped semicolon is no comment, and the backslash goes.
			p.keep(&kept, before[:len(before)-1]+";")
			rest = after
		case strings.HasPrefix(after, "--") && !strings.HasPrefix(after, "---"):
			p.keep(&kept, before)
			if p.nested++; p.nested > maxNested {
				return "", errors.New("block comments are nested too deep")
			}
			rest = after[2:]
		case strings.HasSuffix(before, "--"):
			if p.nested--; p.nested < 0 {
				return "", errors.New("a block comment ends that did not begin")
			}
			rest = after
		case p.nested > 0:
			rest = after
		default:
			p.keep(&kept, before)
			return kept.String(), nil
		}
	}
}

func (p *parser) keep(b *strings.Builder, s string) {
	if p.nested == 0 {
		b.WriteString(s)
	}
}

func (p *parser) section(text string) error {
	name, rest, ok := strings.Cut(text, "]")
	if !ok {
		return errors.New("a section has no closing bracket")
	}
	s := Section{Name: name}
	if rest != "" {
		options, tail, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if rest[0] != '(' || !ok || strip(tail) != "" {
			return fmt.Errorf("%q follows a section", rest)
		}
		for o := range strings.SplitSeq(options, ",") {
			if err := p.option(&s, o); err != nil {
				return err
			}
		}
	}
	p.names[name] = true
	p.file.Sections = append(p.file.Sections, s)
	return nil
}

func (p *parser) option(s *Section, option string) error {
	switch {
	case option == "!":
		s.Template = true
	case option == "+" && !p.names[s.Name]:
		return fmt.Errorf("an addition to %q, which does not exist", s.Name)
	case option == "+":
		s.Addition = true
	case !p.names[option]:
		return fmt.Errorf("%q inherits from %q, which does not exist", s.Name, option)
	default:
		s.Inherits = append(s.Inherits, option)
	}
	return nil
}

func (p *parser) directive(text string) error {
	name, argument, _ := strings.Cut(text, " ")
	switch name {
	case "include", "tryinclude", "exec":
		p.file.Directives = append(p.file.Directives, Directive{name, strings.Trim(strip(argument), `"<>`)})
		return nil
	default:
		return fmt.Errorf("unknown directive %q", name)
	}
}

func (p *parser) setting(text string) error {
	if len(p.file.Sections) == 0 {
		return fmt.Errorf("%q is before every section", text)
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q has no equal sign", text)
	}
	s := Setting{Object: strings.HasPrefix(value, ">")}
	if s.Object {
		value = value[1:]
	}
	if key, s.Append = strings.CutSuffix(key, "+"); s.Append && key == "" {
		return errors.New("nothing to append to")
	}
	s.Key, s.Value = strip(key), strip(value)
	last := &p.file.Sections[len(p.file.Sections)-1]
	last.Settings = append(last.Settings, s)
	return nil
}

// SplitArguments splits as ast_app_separate_args does for a list of arguments:
// quotes and brackets protect commas, quotes and backslashes are removed.
func SplitArguments(s string) []string {
	var (
		out           []string
		current       strings.Builder
		quoted        bool
		paren, square int
	)
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s):
			i++
			current.WriteByte(s[i])
		case ch == '"':
			quoted = !quoted
		case ch == ',' && !quoted && paren == 0 && square == 0:
			out = append(out, current.String())
			current.Reset()
		default:
			paren += depth(ch, '(', ')', paren)
			square += depth(ch, '[', ']', square)
			current.WriteByte(ch)
		}
	}
	return append(out, current.String())
}

func depth(ch, open, shut byte, now int) int {
	switch {
	case ch == open:
		return 1
	case ch == shut && now > 0:
		return -1
	}
	return 0
}
