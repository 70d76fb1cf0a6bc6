// Package asteriskconf reads configuration files in Asterisk's format: sections, templates, includes and comments as
// main/config.c of Asterisk 22 understands them
// (https://docs.asterisk.org/Fundamentals/Asterisk-Configuration/Asterisk-Configuration-Files/Config-File-Format/).
// It runs nothing and reads nothing outside the directory it is given, and every setting knows the line it comes from.
package asteriskconf

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what is read. A file beyond them is an error, because Asterisk would not read all of it either or because no
// configuration written by people is that large.
const (
	// MaxLine is the longest line, in bytes. Asterisk skips longer ones with a warning.
	MaxLine = 8190
	// MaxFile is the largest file, in bytes.
	MaxFile = 16 << 20
	// MaxFiles is how many files one Read follows.
	MaxFiles = 1000
	// MaxTotal is how many bytes one Read reads in all its files.
	MaxTotal = 64 << 20
	// MaxDepth is how deep files may include each other; Asterisk's own limit.
	MaxDepth = 10
	// MaxSettings is how many settings all sections may have together, the inherited ones included.
	MaxSettings = 2_000_000
	// maxNesting of block comments; Asterisk's own limit.
	maxNesting = 128
)

// Position is a line of a file.
type Position struct {
	// File is relative to the directory that is read.
	File string
	// Line counts from 1.
	Line int
}

// String is file:line.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Setting is a line name=value or name => value.
type Setting struct {
	// Name as written. Asterisk compares most names without regard to letter case.
	Name string
	// Value without surrounding space and comments; quotes are part of it.
	Value string
	// Position of the line; of a setting that was inherited, the line in the template.
	Position Position
	// Inherited from a template.
	Inherited bool
}

// Section is what stands between two lines [name].
type Section struct {
	// Name between the brackets.
	Name string
	// Template sections, [name](!), only hand their settings down.
	Template bool
	// Position of the line with the name.
	Position Position
	// Settings in the order they count, the inherited ones first. A name may occur several times.
	Settings []Setting
}

// Notice is a line that was left out although Asterisk may act on it.
type Notice struct {
	Position Position
	// Text of the line, without what may be secret.
	Text string
	// Why it was left out.
	Why string
}

// File is a configuration file with everything it includes.
type File struct {
	// Name of the file that was asked for.
	Name string
	// Sections in order. The same name may occur several times.
	Sections []*Section
	// Notices in order.
	Notices []Notice
}

// Error is a line at which reading stopped.
type Error struct {
	Position Position
	Why      string
}

// Error is file:line: why.
func (e *Error) Error() string { return e.Position.String() + ": " + e.Why }

// Get is the value of the last setting of a name, whatever its letter case.
func (s *Section) Get(name string) (string, bool) {
	for _, v := range slices.Backward(s.Settings) {
		if strings.EqualFold(v.Name, name) {
			return v.Value, true
		}
	}
	return "", false
}

// strip removes what Asterisk's ast_strip removes: spaces and control characters at both ends.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// comments removes comments line by line; its value is how many block comments are open. An end without a beginning makes it
// negative, and then Asterisk skips lines as if a comment was open.
type comments int

// strip returns what is left of a line: ";" begins a comment, "\;" is a semicolon, ";--" and "--;" enclose a block, which may
// nest. It is false if too many are nested.
func (c *comments) strip(line string) (string, bool) {
	var out []byte
	from := 0
	on := *c == 0
	for i := 0; i < len(line); i++ {
		if line[i] != ';' {
			if on {
				out = append(out, line[i])
			}
			continue
		}
		rest := line[i+1:]
		switch {
		case i > from && line[i-1] == '\\':
			if on {
				out[len(out)-1] = ';'
			}
		case strings.HasPrefix(rest, "--") && !strings.HasPrefix(rest, "---"):
			if *c == maxNesting {
				return "", false
			}
			*c++
			on = false
			i += 2
		case i >= from+2 && line[i-2:i] == "--":
			if *c--; *c == 0 {
				on = true
			} else if on {
				out = append(out, ';')
			}
		case *c == 0:
			return string(out), true
		case on:
			out = append(out, ';')
		}
		from = i + 1
	}
	return string(out), true
}
