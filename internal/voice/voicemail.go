package voice

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// Defaults of a Mailbox.
const (
	defaultMaxMessages      = 100
	defaultMaxMessageLength = 3 * time.Minute
)

// renderVoicemail writes voicemail.conf: one mailbox per agent who has one. A
// PIN that the owner changes by telephone goes to the spool, where it holds
// until the pbxlet sees another one in Expect.
func renderVoicemail(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	fmt.Fprintf(&b, "\n[general]\nformat=wav\npasswordlocation=spooldir\n\n[%s]\n", MailboxContext)
	for _, e := range c.Agents {
		if e.Voicemail == nil {
			continue
		}
		want, err := writeBox(&b, e, *e.Voicemail)
		if err != nil {
			return File{}, err
		}
		expect.Mailboxes = append(expect.Mailboxes, want)
	}
	return NewFile(VoicemailFile, b.Bytes()), nil
}

func writeBox(b *bytes.Buffer, e Endpoint, m Mailbox) (ExpectMailbox, error) {
	name := m.FullName
	if name == "" {
		name = e.DisplayName
	}
	escaped, err := voicemailField(name)
	if err != nil {
		return ExpectMailbox{}, &FieldError{Object: e.Key, Field: "Voicemail.FullName", Reason: err.Error()}
	}
	messages := m.MaxMessages
	if messages == 0 {
		messages = defaultMaxMessages
	}
	options := []string{fmt.Sprintf("maxmsg=%d", messages), fmt.Sprintf("maxsecs=%d", seconds(m.MaxMessageLength, defaultMaxMessageLength))}
	if m.Language != "" {
		options = append(options, "language="+strings.ReplaceAll(m.Language, "-", "_"))
	}
	// The owner is a comment, so that another one is another file.
	fmt.Fprintf(b, "; %s %s\n", e.Extension, m.Owner)
	// PIN, name, e-mail, pager, options
	fmt.Fprintf(b, "%s => %s,%s,,,%s\n", e.Extension, m.PIN, escaped, strings.Join(options, "|"))
	return ExpectMailbox{Number: e.Extension, Owner: m.Owner, PIN: MailboxPIN(m.Owner, m.PIN)}, nil
}
