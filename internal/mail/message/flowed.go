package message

import "strings"

// unflow joins the lines that format=flowed (RFC 3676) broke. delSp: the space at the break is not part of the text.
func unflow(text string, delSp bool) string {
	var out strings.Builder
	var paragraph strings.Builder
	depth, open := 0, false
	flush := func() {
		if !open {
			return
		}
		writeQuoted(&out, paragraph.String(), depth)
		paragraph.Reset()
		open = false
	}
	lines := strings.Split(text, "\n")
	last := lines[len(lines)-1] == ""
	if last {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		content := strings.TrimLeft(line, ">")
		d := len(line) - len(content)
		content = strings.TrimPrefix(content, " ") // stuffed
		if open && (d != depth || content == "-- ") {
			flush()
		}
		depth = d
		flowed := strings.HasSuffix(content, " ") && content != "-- "
		if flowed && delSp {
			content = content[:len(content)-1]
		}
		paragraph.WriteString(content)
		open = true
		if !flowed {
			flush()
		}
	}
	flush()
	if s := out.String(); !last {
		return strings.TrimSuffix(s, "\n")
	}
	return out.String()
}

func writeQuoted(out *strings.Builder, line string, depth int) {
	if depth > 0 {
		out.WriteString(strings.Repeat(">", depth))
		if line != "" {
			out.WriteByte(' ')
		}
	}
	out.WriteString(line)
	out.WriteByte('\n')
}
