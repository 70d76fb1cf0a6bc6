package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// ErrBadSender of BuildNotice: From is not an e-mail address.
var ErrBadSender = errors.New("the sender is not an e-mail address")

// Notice is a mail that Ringmaster itself writes to a person.
type Notice struct {
	From, To mail.Address
	Subject  string
	// Text in plain words, HTML, or both as alternatives.
	Text, HTML string
	// At is the Date.
	At time.Time
	// ID says what the notice is about; the Message-ID is made of it and At.
	ID string
}

// BuildNotice composes a notice. It says that a machine wrote it (Auto-Submitted of RFC 3834 section 5, and what Exchange asks for),
// so that out-of-office replies and other programs do not answer. No value can add a header: line breaks become spaces. Errors:
// ErrBadSender, ErrBadAddress (To).
func BuildNotice(n Notice) ([]byte, error) {
	from, err := plainAddress(n.From.Address)
	if err != nil {
		return nil, ErrBadSender
	}
	to, err := plainAddress(n.To.Address)
	if err != nil {
		return nil, ErrBadAddress
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(displayName(n.From.Name), from); err != nil {
		return nil, ErrBadSender
	}
	if err := msg.AddToFormat(displayName(n.To.Name), to); err != nil {
		return nil, ErrBadAddress
	}
	msg.Subject(cut(oneLine(n.Subject), maxSubject))
	msg.SetDateWithValue(n.At)
	msg.SetMessageIDWithValue(noticeID(n, from))
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	setBodies(msg, n.Text, n.HTML)
	var raw bytes.Buffer
	if _, err := msg.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("composing the notice: %w", err)
	}
	return raw.Bytes(), nil
}

// noticeID has a form of its own: no interaction is found by it (see ownID).
func noticeID(n Notice, from string) string {
	sum := sha256.Sum256([]byte(n.ID + "\n" + n.At.UTC().Format(time.RFC3339Nano)))
	return "notice." + hex.EncodeToString(sum[:16]) + from[strings.LastIndexByte(from, '@'):]
}

// plainAddress is s when that is one address and nothing else.
func plainAddress(s string) (string, error) {
	parsed, err := mail.ParseAddress("<" + s + ">")
	if err != nil {
		return "", err
	}
	if parsed.Address != s {
		return "", fmt.Errorf("not a plain address")
	}
	return s, nil
}

// mailboxNumber is what agents dial to hear their messages.
const mailboxNumber = "*97"

// VoicemailNotice is what an agent is told of added new voice messages, when unread are there in all. Who called is left to the
// mailbox: mail travels and stays where nobody expects a customer's number.
func VoicemailNotice(name string, added, unread int) (subject, text string) {
	hear := fmt.Sprintf("Dial %s to hear it.", mailboxNumber)
	what := "a new voice message"
	subject = fmt.Sprintf("New voice message (%d unread)", unread)
	if added > 1 {
		hear = fmt.Sprintf("Dial %s to hear them.", mailboxNumber)
		what = fmt.Sprintf("%d new voice messages", added)
		subject = fmt.Sprintf("%d new voice messages (%d unread)", added, unread)
	}
	return subject, fmt.Sprintf("Hello %s,\n\nYou have %s (%d unread). %s\n", name, what, unread, hear)
}

// PasswordResetNotice is what an agent is told who asked for a link to set a new password.
func PasswordResetNotice(name, username, url, expires string) (subject, text string) {
	return "Set a new password", fmt.Sprintf("Hello %s,\n\nsomebody, probably you, asked for a new password for the user name %s. Set it here:\n\n%s\n\n"+
		"The link works once, until %s. If you did not ask for it, do nothing: your password stays as it is.\n", name, username, url, expires)
}
