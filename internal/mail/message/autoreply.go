package message

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Flows reads and writes mails for routing flows; it implements store.FlowMail.
type Flows struct{}

var _ store.FlowMail = Flows{}

// Header implements store.FlowMail. Of several fields of one name the values are joined with a comma and a space.
func (Flows) Header(raw []byte) map[string]string {
	header, _ := ReadHeader(raw)
	values := map[string][]string{}
	for _, f := range header.fields {
		name := strings.ToLower(f.name)
		values[name] = append(values[name], decode(f.value, header.charset))
	}
	out := make(map[string]string, len(values))
	for name, list := range values {
		out[name] = strings.Join(list, ", ")
	}
	return out
}

// AutoReply implements store.FlowMail. The mail says that a machine answers (RFC 3834 section 5, and what Exchange asks for), and it goes
// with a null return path: neither is answered by a program that follows the rules. Errors: ErrBadSender, ErrBadAddress.
func (Flows) AutoReply(r store.AutoReply) (store.Message, []byte, error) {
	from, err := plainAddress(r.Account.Address)
	if err != nil {
		return store.Message{}, nil, ErrBadSender
	}
	to, err := plainAddress(r.Interaction.Customer)
	if err != nil {
		return store.Message{}, nil, ErrBadAddress
	}
	original, _ := ReadHeader(r.Original)
	m := store.Message{
		InteractionID: r.Interaction.ID, Namespace: r.Account.Namespace, Account: r.Account.Name, Direction: store.Outbound,
		MessageID: NewMessageID(r.Interaction.ID, from[strings.LastIndexByte(from, '@')+1:]),
		From:      from, To: []string{to}, Subject: cut(oneLine(r.Subject), maxSubject), Date: r.At.UTC().Truncate(time.Second),
		Text: cut(cleanText(r.Text), maxText), HTML: sanitise(r.HTML),
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(displayName(r.Account.DisplayName), from); err != nil {
		return store.Message{}, nil, ErrBadSender
	}
	if err := msg.AddToFormat(displayName(r.Interaction.Name), to); err != nil {
		return store.Message{}, nil, ErrBadAddress
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(r.At)
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetGenHeader("Auto-Submitted", "auto-replied")
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	if parent, chain := references(original); parent != "" {
		msg.SetGenHeader(gomail.HeaderInReplyTo, parent)
		msg.SetGenHeader(gomail.HeaderReferences, strings.Join(chain, " "))
	}
	setBodies(msg, r.Text, r.HTML)
	var raw bytes.Buffer
	if _, err := msg.WriteTo(&raw); err != nil {
		return store.Message{}, nil, fmt.Errorf("composing the automatic answer: %w", err)
	}
	return m, raw.Bytes(), nil
}

// setBodies writes text, HTML, or both as alternatives.
func setBodies(msg *gomail.Msg, text, html string) {
	crlf := func(s string) string { return strings.ReplaceAll(cut(s, maxHTML), "\n", "\r\n") }
	text, html = crlf(cleanText(text)), crlf(cleanText(html))
	switch {
	case html == "":
		msg.SetBodyString(gomail.TypeTextPlain, text)
	case text == "":
		msg.SetBodyString(gomail.TypeTextHTML, html)
	default:
		msg.SetBodyString(gomail.TypeTextPlain, text)
		msg.AddAlternativeString(gomail.TypeTextHTML, html)
	}
}
