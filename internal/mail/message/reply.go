package message

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Limits on a reply.
const (
	// MaxReplyText an agent may write, in bytes.
	MaxReplyText = 1 << 20
	// maxReferences kept of a long thread: the first and the latest.
	maxReferences = 20
)

// Errors of BuildReply.
var (
	// ErrNoRecipient: neither the mail answered nor Reply.To names an address that can be written to.
	ErrNoRecipient = errors.New("the customer has no e-mail address to answer to")
	// ErrBadAddress: a recipient is not an e-mail address.
	ErrBadAddress = errors.New("not an e-mail address")
	// ErrTextTooLong: see MaxReplyText.
	ErrTextTooLong = fmt.Errorf("the text is longer than %d bytes", MaxReplyText)
)

// ErrFilesTooLarge says that an answer has more than MaxFiles.
var ErrFilesTooLarge = fmt.Errorf("the attachments are together larger than %d bytes", MaxFiles)

// Reply is an agent's answer.
type Reply struct {
	// Account it is sent from, and its visible sender.
	Account store.Key
	From    mail.Address
	// Agent who wrote it.
	Agent string
	// InteractionID goes into the Message-ID, so that the customer's next mail finds its way back.
	InteractionID string
	// Original is the raw mail answered (or its header alone); nil when there is none.
	Original []byte
	// To and Subject are used where Original has none.
	To      mail.Address
	Subject string
	// Forward are plain addresses it goes to instead, as a message of its own that answers nothing.
	Forward []string
	// Cc and Bcc are plain addresses. Bcc stands in no header.
	Cc, Bcc []string
	// Files go with it.
	Files []File
	// Text in plain words.
	Text string
	// Layout of the HTML that goes beside the text, and the values of its variables. nil: text alone, as in a forward.
	Layout    *Layout
	Variables map[string]string
	// At is the Date.
	At time.Time
}

// MaxFiles is how much may be attached to a reply, in bytes; many servers take no mail over 25 MiB, and base64 makes a third more of it.
const MaxFiles = 18 << 20

// BuildReply composes the mail and its row for Outbox.AddReply. Without Forward it goes to the Reply-To of the original,
// else to its From, with In-Reply-To and References as RFC 5322 section 3.6.4 asks. No value can add a
// header: line breaks become spaces.
func BuildReply(r Reply) (store.Message, []byte, error) {
	if len(r.Text) > MaxReplyText {
		return store.Message{}, nil, ErrTextTooLong
	}
	attachments, err := describe(r.Files)
	if err != nil {
		return store.Message{}, nil, err
	}
	original, _ := ReadHeader(r.Original)
	to, err := recipients(original, r)
	if err != nil {
		return store.Message{}, nil, err
	}
	_, domain, ok := strings.Cut(r.From.Address, "@")
	if !ok {
		return store.Message{}, nil, fmt.Errorf("the account's address has no domain")
	}
	subject := cut(original.Get("Subject"), maxSubject)
	if subject == "" {
		subject = cut(oneLine(r.Subject), maxSubject)
	}
	m := store.Message{
		InteractionID: r.InteractionID, Namespace: r.Account.Namespace, Account: r.Account.Name,
		Direction: store.Outbound, State: store.MessagePending, Agent: r.Agent,
		MessageID: NewMessageID(r.InteractionID, domain),
		From:      r.From.Address, To: bare(to), Subject: replySubject(subject),
		Cc: r.Cc, Bcc: r.Bcc,
		Date: r.At.UTC().Truncate(time.Second), Text: cut(cleanText(r.Text), maxText), Attachments: attachments,
	}
	if len(r.Forward) > 0 {
		m.Subject, original = forwardSubject(subject), Header{}
	}
	body, err := r.design()
	if err != nil {
		return store.Message{}, nil, err
	}
	raw, err := compose(m, r, to, original, body)
	m.HTML = sanitise(body.inside)
	if body.logo != nil {
		logo := store.Attachment{Name: body.logo.Name, ContentType: body.logo.ContentType, Size: int64(len(body.logo.Content))}
		m.Attachments = slices.Insert(m.Attachments, 0, logo) // as Attachment counts
	}
	return m, raw, err
}

func compose(m store.Message, r Reply, to []mail.Address, original Header, body designed) ([]byte, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(displayName(r.From.Name), r.From.Address); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	for _, a := range to {
		if err := msg.AddToFormat(displayName(a.Name), a.Address); err != nil {
			return nil, fmt.Errorf("recipient: %w", err)
		}
	}
	for _, cc := range r.Cc {
		if err := msg.AddCc(cc); err != nil {
			return nil, fmt.Errorf("%w: %q", ErrBadAddress, cc)
		}
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(r.At)
	msg.SetMessageIDWithValue(m.MessageID)
	if parent, chain := references(original); parent != "" {
		msg.SetGenHeader(gomail.HeaderInReplyTo, parent)
		msg.SetGenHeader(gomail.HeaderReferences, strings.Join(chain, " "))
	}
	msg.SetBodyString(gomail.TypeTextPlain, strings.ReplaceAll(cleanText(r.Text), "\n", "\r\n"))
	if err := body.attach(msg, r.Layout); err != nil {
		return nil, err
	}
	for n, f := range r.Files {
		err := msg.AttachReader(m.Attachments[n].Name, bytes.NewReader(f.Content), gomail.WithFileContentType(gomail.ContentType(m.Attachments[n].ContentType)))
		if err != nil {
			return nil, fmt.Errorf("attaching a file: %w", err)
		}
	}
	var raw bytes.Buffer
	if _, err := msg.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("composing the reply: %w", err)
	}
	return raw.Bytes(), nil
}

// describe lists what is attached.
func describe(files []File) ([]store.Attachment, error) {
	var list []store.Attachment
	total := 0
	for _, f := range files {
		total += len(f.Content)
		list = append(list, store.Attachment{Name: attachmentName(f.Name), ContentType: fileType(f.ContentType), Size: int64(len(f.Content))})
	}
	if total > MaxFiles {
		return nil, ErrFilesTooLarge
	}
	return list, nil
}

// recipients are those of a forward, or the one the answer goes to. They and the hidden ones are checked, for nobody else does.
func recipients(original Header, r Reply) ([]mail.Address, error) {
	for _, address := range slices.Concat(r.Forward, r.Bcc) {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			return nil, fmt.Errorf("%w: %q", ErrBadAddress, address)
		}
	}
	var to []mail.Address
	for _, address := range r.Forward {
		to = append(to, mail.Address{Address: address})
	}
	if len(to) > 0 {
		return to, nil
	}
	if a, ok := recipient(original, r); ok {
		return []mail.Address{a}, nil
	}
	return nil, ErrNoRecipient
}

// recipient is where the answer goes: never to the account itself.
func recipient(original Header, r Reply) (mail.Address, bool) {
	candidates := append(original.addresses("Reply-To"), original.addresses("From")...)
	candidates = append(candidates, r.To)
	for _, c := range candidates {
		if strings.EqualFold(c.Address, r.From.Address) {
			continue
		}
		if parsed, err := mail.ParseAddress("<" + c.Address + ">"); err == nil {
			return mail.Address{Name: c.Name, Address: parsed.Address}, true
		}
	}
	return mail.Address{}, false
}

// sendableID: ids are copied from strangers' headers; only visible ASCII goes back out.
var sendableID = regexp.MustCompile(`^[!-;=?-~]+$`)

// references returns the parent and the whole chain, each in angle brackets.
func references(original Header) (parent string, chain []string) {
	ids := original.ids("Message-ID")
	if len(ids) == 0 || !sendableID.MatchString(ids[0]) {
		return "", nil
	}
	ancestors := original.ids("References")
	if len(ancestors) == 0 {
		if ancestors = original.ids("In-Reply-To"); len(ancestors) > 1 {
			ancestors = nil // RFC 5322 section 3.6.4: several parents make no chain
		}
	}
	for _, id := range ancestors {
		if sendableID.MatchString(id) && id != ids[0] {
			chain = append(chain, "<"+id+">")
		}
	}
	if len(chain) > maxReferences {
		chain = append(chain[:1:1], chain[len(chain)-maxReferences+1:]...)
	}
	parent = "<" + ids[0] + ">"
	return parent, append(chain, parent)
}

var rePrefix = regexp.MustCompile(`(?i)^\s*re\s*:`)

func replySubject(s string) string {
	if rePrefix.MatchString(s) {
		return s
	}
	return strings.TrimSpace("Re: " + s)
}

// displayName leaves out what a quoted string cannot carry.
func displayName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || unicode.IsControl(r) {
			return -1
		}
		return r
	}, cut(strings.ToValidUTF8(s, ""), maxName))
}

func cleanText(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
