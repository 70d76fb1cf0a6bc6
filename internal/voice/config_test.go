package voice

import (
	"fmt"
	"strings"
)

// section is one [name] of an Asterisk configuration file with its settings
// in order.
type section struct {
	name     string
	settings []setting
}

type setting struct{ key, value string }

// parseConfig reads a file as main/config.c does: ";" starts a comment unless
// a backslash precedes it, ";--" a block comment, "#" in the first column a
// directive, "[" a section; "=" and "=>" mean the same to it.
func parseConfig(text string) ([]section, error) {
	var out []section
	block := false
	for n, raw := range strings.Split(text, "\n") {
		line, stillBlock := stripComments(raw, block)
		block = stillBlock
		line = strings.Trim(line, " \t\r")
		switch {
		case line == "":
		case strings.ContainsAny(line, "\r\x00"):
			return nil, fmt.Errorf("line %d: control character", n+1)
		case line[0] == '#':
			return nil, fmt.Errorf("line %d: directive %q", n+1, line)
		case line[0] == '[':
			name, rest, ok := strings.Cut(line[1:], "]")
			if !ok || rest != "" {
				return nil, fmt.Errorf("line %d: section %q", n+1, line)
			}
			out = append(out, section{name: name})
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || len(out) == 0 {
				return nil, fmt.Errorf("line %d: %q is no setting", n+1, line)
			}
			value = strings.TrimPrefix(value, ">")
			s := &out[len(out)-1]
			s.settings = append(s.settings, setting{strings.TrimSpace(key), strings.TrimSpace(value)})
		}
	}
	if block {
		return nil, fmt.Errorf("unterminated block comment")
	}
	return out, nil
}

func stripComments(line string, block bool) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case block && strings.HasPrefix(line[i:], "--;"):
			block = false
			i += 2
		case block:
		case line[i] == ';' && i > 0 && line[i-1] == '\\':
			s := b.String()
			b.Reset()
			b.WriteString(s[:len(s)-1] + ";")
		case strings.HasPrefix(line[i:], ";--") && !strings.HasPrefix(line[i:], ";---"):
			block = true
			i += 2
		case line[i] == ';':
			return b.String(), false
		default:
			b.WriteByte(line[i])
		}
	}
	return b.String(), block
}

// splitArgs splits as ast_app_separate_args does for AST_STANDARD_APP_ARGS:
// quotes and brackets protect commas, quotes and backslashes are removed.
func splitArgs(s string) []string {
	var (
		out           []string
		cur           strings.Builder
		quote         bool
		paren, square int
	)
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s):
			i++
			cur.WriteByte(s[i])
		case ch == '"':
			quote = !quote
		case ch == ',' && !quote && paren == 0 && square == 0:
			out = append(out, cur.String())
			cur.Reset()
		default:
			paren += delta(ch, '(', ')', paren)
			square += delta(ch, '[', ']', square)
			cur.WriteByte(ch)
		}
	}
	return append(out, cur.String())
}

func delta(ch, open, shut byte, depth int) int {
	switch {
	case ch == open:
		return 1
	case ch == shut && depth > 0:
		return -1
	}
	return 0
}
