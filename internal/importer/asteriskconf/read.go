package asteriskconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Read reads a file and what it includes. Relative names, also those in #include, are relative to the root of fsys, as they
// are relative to Asterisk's configuration directory; what lies outside of it is not read and becomes a Notice, as do #exec
// lines, which are never run. A file that Asterisk would refuse is an *Error; a file that is missing is fs.ErrNotExist.
//
// Text that is not UTF-8 is taken as Windows-1252, with a Notice.
func Read(fsys fs.FS, name string) (*File, error) {
	r := &reader{fsys: fsys, out: &File{Name: name}}
	if err := r.file(name, nil); err != nil {
		return nil, err
	}
	return r.out, nil
}

type reader struct {
	fsys fs.FS
	out  *File
	// current is the section that an included file starts in.
	current *Section
	files   int
	bytes   int
	// settings of all sections so far.
	settings int
}

// file reads one file; trail are those that lead to it.
func (r *reader) file(name string, trail []string) error {
	data, err := r.load(name)
	if err != nil {
		return err
	}
	if !utf8.Valid(data) {
		if data, err = charmap.Windows1252.NewDecoder().Bytes(data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.notice(Position{name, 1}, "", "the file is not UTF-8 and was read as Windows-1252: check names with accents")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	f := &fileReader{reader: r, name: name, trail: append(slices.Clone(trail), name), section: r.current}
	var open comments
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		position := Position{name, line}
		if len(text) > MaxLine+1 {
			return &Error{position, fmt.Sprintf("the line is longer than the %d bytes that Asterisk reads", MaxLine)}
		}
		text, ok := open.strip(text)
		if !ok {
			return &Error{position, fmt.Sprintf("more than %d nested comments", maxNesting)}
		}
		if text = strip(text); text == "" {
			continue
		}
		if err := f.line(position, text); err != nil {
			return err
		}
	}
	switch {
	case open > 0:
		r.notice(Position{name, line}, "", "a comment that begins with ;-- is not closed: the rest of the file is part of it")
	case open < 0:
		r.notice(Position{name, line}, "", "a comment ends with --; that has not begun: Asterisk skips the rest of the file")
	}
	return nil
}

// load returns the content of a file, unless it is no text or beyond the limits.
func (r *reader) load(name string) ([]byte, error) {
	if r.files++; r.files > MaxFiles {
		return nil, &Error{Position{name, 1}, fmt.Sprintf("more than %d files are included", MaxFiles)}
	}
	info, err := fs.Stat(r.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Position{name, 1}, "not a regular file"}
	}
	file, err := r.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.bytes += len(data); len(data) > MaxFile || r.bytes > MaxTotal {
		return nil, &Error{Position{name, 1}, fmt.Sprintf("more than %d MiB in one file or %d MiB in all", MaxFile>>20, MaxTotal>>20)}
	}
	if before, _, ok := bytes.Cut(data, []byte{0}); ok {
		return nil, &Error{Position{name, 1 + bytes.Count(before, []byte("\n"))}, "not a text file: it contains a NUL byte"}
	}
	return data, nil
}

func (r *reader) notice(at Position, text, why string) {
	r.out.Notices = append(r.out.Notices, Notice{Position: at, Text: text, Why: why})
}

// fileReader is one file on its way.
type fileReader struct {
	*reader
	name    string
	trail   []string
	section *Section
}

func (f *fileReader) line(at Position, text string) error {
	switch text[0] {
	case '[':
		return f.header(at, text)
	case '#':
		return f.directive(at, text)
	}
	return f.setting(at, text)
}

// header is [name](templates).
func (f *fileReader) header(at Position, text string) error {
	name, rest, ok := strings.Cut(text[1:], "]")
	if !ok {
		return &Error{at, "a section without closing bracket"}
	}
	s := &Section{Name: name, Position: at}
	target := s
	if list, ok := strings.CutPrefix(rest, "("); ok {
		list, _, ok := strings.Cut(list, ")")
		if !ok {
			return &Error{at, "a list of templates without closing parenthesis"}
		}
		for word := range strings.SplitSeq(list, ",") {
			var err error
			if target, err = f.option(at, s, target, word); err != nil {
				return err
			}
		}
	}
	if target == s {
		f.out.Sections = append(f.out.Sections, s)
	}
	f.section, f.current = target, target
	return nil
}

// option is one word behind a section's name: ! for a template, + to continue a section, else the name of a template. It
// returns the section that the lines below belong to.
func (f *fileReader) option(at Position, s, target *Section, word string) (*Section, error) {
	filter, more := strings.CutPrefix(word, "+")
	switch {
	case word == "!":
		target.Template = true
	case more:
		found := f.find(s.Name, filter)
		if found == nil {
			return nil, &Error{at, fmt.Sprintf("[%s](+) continues a section that is not defined above", s.Name)}
		}
		if target == s {
			found.Template = found.Template || s.Template
			found.Settings = append(found.Settings, s.Settings...)
		}
		return found, nil
	default:
		base := f.find(word, "TEMPLATES=include")
		if base == nil {
			return nil, &Error{at, fmt.Sprintf("[%s] inherits from [%s], which is not defined above", s.Name, word)}
		}
		if f.settings += len(base.Settings); f.settings > MaxSettings {
			return nil, &Error{at, fmt.Sprintf("more than %d settings", MaxSettings)}
		}
		// A section may inherit from itself when it is continued: what is appended must not be what is read.
		for _, inherited := range slices.Clone(base.Settings) {
			inherited.Inherited = true
			target.Settings = append(target.Settings, inherited)
		}
	}
	return target, nil
}

// find is the first section of a name that a filter lets through: nothing for every section that is no template,
// TEMPLATES=include for all, name=value for one that has the setting.
func (f *fileReader) find(name, filter string) *Section {
	for _, s := range f.out.Sections {
		if !strings.EqualFold(s.Name, name) {
			continue
		}
		templates, matches := filter == "", true
		for condition := range strings.SplitSeq(filter, "&") {
			key, value, _ := strings.Cut(condition, "=")
			switch {
			case condition == "":
			case strings.EqualFold(key, "TEMPLATES"):
				templates = true
			default:
				got, _ := s.Get(key)
				matches = matches && got == value
			}
		}
		if matches && (templates || !s.Template) {
			return s
		}
	}
	return nil
}

// directive is #include, #tryinclude or #exec.
func (f *fileReader) directive(at Position, text string) error {
	word, argument := text[1:], ""
	if end := strings.IndexFunc(word, func(r rune) bool { return r <= ' ' }); end >= 0 {
		word, argument = word[:end], strip(word[end:])
	}
	if n := len(argument); n > 1 && (argument[0] == '"' && argument[n-1] == '"' || argument[0] == '<' && argument[n-1] == '>') {
		argument = argument[1 : n-1]
	}
	switch strings.ToLower(word) {
	case "include", "tryinclude":
	case "exec":
		f.notice(at, "#exec", "programs are never run: run it yourself and import what it prints")
		return nil
	default:
		f.notice(at, "#"+word, "an unknown directive, which Asterisk ignores")
		return nil
	}
	if argument == "" {
		f.notice(at, "#"+word, "it names no file")
		return nil
	}
	return f.include(at, "#"+word, argument)
}

func (f *fileReader) include(at Position, word, pattern string) error {
	label := word + " " + pattern
	if !fs.ValidPath(path.Clean(pattern)) {
		f.notice(at, label, "only files inside the given directory are read: name it relative to that directory")
		return nil
	}
	names := []string{path.Clean(pattern)}
	if strings.ContainsAny(pattern, `*?[{\`) {
		matches, err := fs.Glob(f.fsys, names[0])
		if errors.Is(err, path.ErrBadPattern) {
			f.notice(at, label, "the pattern is not understood")
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		names = matches
	}
	if len(names) == 0 {
		f.notice(at, label, "no file matches")
	}
	for _, name := range names {
		if slices.Contains(f.trail, name) {
			return &Error{at, fmt.Sprintf("%s is included by itself: %s", name, strings.Join(append(f.trail, name), " > "))}
		}
		if len(f.trail) >= MaxDepth {
			return &Error{at, fmt.Sprintf("files include each other more than %d deep", MaxDepth)}
		}
		if err := f.file(name, f.trail); err != nil {
			if _, ok := errors.AsType[*Error](err); ok {
				return err
			}
			f.notice(at, label, "the file cannot be read: "+reason(err))
		}
	}
	return nil
}

// reason is what is wrong with a file, without its name.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// setting is name=value, name => value or name += value.
func (f *fileReader) setting(at Position, text string) error {
	if f.section == nil {
		return &Error{at, "a line before the first section"}
	}
	// A backslash lets a name begin with [ or #.
	escaped := text[0] == '\\'
	if escaped {
		if text = text[1:]; text == "" || text[0] <= ' ' {
			return &Error{at, "a backslash with nothing behind it"}
		}
	}
	equals := strings.IndexByte(text[1:], '=') + 1
	if !escaped && text[0] == '=' {
		equals = 0
	} else if equals == 0 {
		f.notice(at, truncate(text), "a line without an equals sign, which Asterisk ignores")
		return nil
	}
	name, value := text[:equals], text[equals+1:]
	appended := strings.HasSuffix(name, "+")
	if appended {
		name = name[:len(name)-1]
	} else {
		value = strings.TrimPrefix(value, ">")
	}
	if name = strip(name); name == "" {
		f.notice(at, "", "a line without a name in front of the equals sign, which Asterisk ignores")
		return nil
	}
	if appended {
		for i, s := range slices.Backward(f.section.Settings) {
			if s.Name == name {
				f.section.Settings[i].Value = strip(s.Value + value)
				return nil
			}
		}
	}
	if f.settings++; f.settings > MaxSettings {
		return &Error{at, fmt.Sprintf("more than %d settings", MaxSettings)}
	}
	f.section.Settings = append(f.section.Settings, Setting{Name: name, Value: strip(value), Position: at})
	return nil
}

// truncate keeps the first word of a line, which may hold a secret behind it.
func truncate(text string) string {
	word, _, more := strings.Cut(text, " ")
	if len(word) > 32 {
		word, more = strings.ToValidUTF8(word[:32], ""), true
	}
	if more {
		word += " ..."
	}
	return word
}
