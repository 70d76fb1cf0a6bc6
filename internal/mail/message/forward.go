package message

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// File goes out with an answer.
type File struct {
	// Name for display; a path or line breaks in it do not survive.
	Name string
	// ContentType is type/subtype without parameters; anything else becomes application/octet-stream.
	ContentType string
	Content     []byte
}

// ForwardText is what an agent says with the messages forwarded below it, in their order, each under its heading. Messages that make it longer than
// MaxReplyText are left out, and said to be.
func ForwardText(text string, messages []store.Message) string {
	var b strings.Builder
	b.WriteString(text)
	for n, m := range messages {
		var part strings.Builder
		part.WriteString("\n\n---------- Forwarded message ----------\n")
		for _, line := range []struct{ name, value string }{
			{"From", m.From}, {"Date", forwardDate(m)}, {"Subject", m.Subject}, {"To", strings.Join(m.To, ", ")}, {"Cc", strings.Join(m.Cc, ", ")},
		} {
			if line.value != "" {
				part.WriteString(line.name + ": " + oneLine(line.value) + "\n")
			}
		}
		part.WriteString("\n" + strings.TrimRight(m.Text, "\n"))
		const note = 80
		if b.Len()+part.Len() > MaxReplyText-note {
			fmt.Fprintf(&b, "\n\n[%d earlier messages are left out]", len(messages)-n)
			break
		}
		b.WriteString(part.String())
	}
	return b.String()
}

func forwardDate(m store.Message) string {
	at := m.Date
	if at.IsZero() {
		at = m.CreatedAt
	}
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700")
}

var fwdPrefix = regexp.MustCompile(`(?i)^\s*(fwd?|wg)\s*:`)

func forwardSubject(s string) string {
	if fwdPrefix.MatchString(s) {
		return s
	}
	return strings.TrimSpace("Fwd: " + s)
}

var plainType = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$`)

// fileType is the type a file is sent under: parts of these two kinds must not be encoded (RFC 2046, sections 5.1 and 5.2).
func fileType(claimed string) string {
	claimed = strings.ToLower(claimed)
	if !plainType.MatchString(claimed) || strings.HasPrefix(claimed, "multipart/") || strings.HasPrefix(claimed, "message/") {
		return "application/octet-stream"
	}
	return claimed
}
