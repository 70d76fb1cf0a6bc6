// Package message turns raw mail into what agents read, and an agent's words into raw mail. It is pure:
// no network, no store.
//
// Mail is written by anyone, so nothing here trusts its form: sizes, depths and counts are bounded,
// every string that leaves is valid UTF-8 without NUL, and a mail that breaks the parser is quarantined
// with a reason instead of stopping the ones behind it.
package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"strings"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Limits on what is shown of a body; the raw mail is kept whole.
const (
	maxText  = 256 << 10
	maxHTML  = 1 << 20
	maxParts = 100
	maxDepth = 20
)

var wordDecoder = mime.WordDecoder{CharsetReader: charset.Reader}

// Parsed is what a mail says.
type Parsed struct {
	// Message without ID, InteractionID and State.
	Message store.Message
	// CustomerName is the display name of the sender, may be empty.
	CustomerName string
	// ThreadKeys: see store.IngestMail.
	ThreadKeys []string
	// Automatic names why the mail is machine mail; "" for a person's.
	Automatic string
	// Quarantine says why nothing could be made of the mail; "" when something could.
	Quarantine string
}

// Parse reads a mail, or a header alone. ownAddress is the account's. It never fails: see Parsed.Quarantine.
func Parse(raw []byte, ownAddress string) (p Parsed) {
	defer func() {
		if r := recover(); r != nil {
			p = Parsed{Quarantine: "the mail cannot be read: the parser gave up"}
		}
	}()
	h, body := ReadHeader(raw)
	if len(h.fields) == 0 {
		return Parsed{Quarantine: "the mail has no header"}
	}
	from := h.addresses("From")
	p.Message = store.Message{
		Direction: store.Inbound,
		Subject:   cut(h.Get("Subject"), maxSubject),
		Date:      h.date(),
		To:        bare(h.addresses("To")),
		Cc:        bare(h.addresses("Cc")),
	}
	if ids := h.ids("Message-ID"); len(ids) > 0 {
		p.Message.MessageID = ids[0]
	}
	for _, name := range []string{"From", "Sender", "Reply-To", "Return-Path"} {
		if a := h.addresses(name); len(a) > 0 {
			p.Message.From, p.CustomerName = a[0].Address, a[0].Name
			break
		}
	}
	p.ThreadKeys = h.threadKeys()
	p.Automatic = h.automatic(from, ownAddress)
	w := walker{message: &p.Message, want: -1}
	w.read(h, body)
	return p
}

// Attachment decodes the n-th attachment (from 0) of a raw mail, counted as in store.Message.Attachments;
// store.ErrNotFound when it has no such part.
func Attachment(raw []byte, n int) (a store.Attachment, content []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			a, content, err = store.Attachment{}, nil, store.ErrNotFound
		}
	}()
	if n < 0 {
		return store.Attachment{}, nil, store.ErrNotFound
	}
	h, body := ReadHeader(raw)
	var m store.Message
	w := walker{message: &m, want: n}
	w.read(h, body)
	if n >= len(m.Attachments) {
		return store.Attachment{}, nil, store.ErrNotFound
	}
	return m.Attachments[n], w.content, nil
}

func bare(list []mail.Address) []string {
	addresses := make([]string, 0, len(list))
	for _, a := range list {
		addresses = append(addresses, a.Address)
	}
	return addresses
}

// walker collects text, HTML and attachments.
type walker struct {
	message *store.Message
	text    strings.Builder
	html    string
	parts   int
	// want is the number of the attachment whose bytes are asked for, -1 for none.
	want    int
	content []byte
}

func (w *walker) read(h Header, body []byte) {
	entity, err := gomessage.New(h.mime(), bytes.NewReader(body))
	if err != nil && !gomessage.IsUnknownCharset(err) && !gomessage.IsUnknownEncoding(err) {
		w.message.Detail = "the MIME header cannot be read"
	}
	w.entity(entity, 0)
	if w.text.Len() == 0 && w.html == "" && len(w.message.Attachments) == 0 && len(body) > 0 {
		// Nothing came out of the structure it claims to have: show what there is.
		w.text.WriteString(plain(io.LimitReader(bytes.NewReader(body), maxText)))
	}
	text := w.text.String()
	if text == "" && w.html != "" {
		text = textOf(w.html)
	}
	w.message.Text = cut(text, maxText)
	if w.html != "" {
		w.message.HTML = sanitise(w.html)
	}
}

func (w *walker) entity(e *gomessage.Entity, depth int) {
	w.parts++
	if w.parts > maxParts || depth > maxDepth {
		w.message.Detail = fmt.Sprintf("more than %d parts or %d levels: the rest is only in the raw mail", maxParts, maxDepth)
		return
	}
	if parts := e.MultipartReader(); parts != nil {
		w.multipart(parts, depth)
		return
	}
	mediaType, params, err := e.Header.ContentType()
	if err != nil || mediaType == "" {
		mediaType = "text/plain"
	}
	disposition, dispositionParams, _ := e.Header.ContentDisposition()
	name := attachmentName(dispositionParams["filename"], params["name"])
	switch {
	case disposition == "attachment" || name != "" || !strings.HasPrefix(mediaType, "text/"):
		var size int64
		if w.want == len(w.message.Attachments) {
			w.content, _ = io.ReadAll(e.Body) // what a broken encoding leaves is better than nothing
			size = int64(len(w.content))
		} else {
			size, _ = io.Copy(io.Discard, e.Body)
		}
		w.message.Attachments = append(w.message.Attachments, store.Attachment{Name: name, ContentType: cut(oneLine(mediaType), 255), Size: size})
	case mediaType == "text/html":
		if w.html == "" {
			w.html = plain(io.LimitReader(e.Body, maxHTML))
		}
	case w.text.Len() < maxText:
		if w.text.Len() > 0 {
			w.text.WriteString("\n")
		}
		w.text.WriteString(plain(io.LimitReader(e.Body, maxText)))
	}
}

func (w *walker) multipart(parts gomessage.MultipartReader, depth int) {
	for w.parts <= maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if part == nil {
			w.message.Detail = "the MIME structure is broken: the rest is only in the raw mail"
			return
		}
		w.entity(part, depth+1)
	}
}

// plain reads text, whatever it is encoded in, into clean UTF-8 with \n line ends.
func plain(r io.Reader) string {
	raw, _ := io.ReadAll(r) // a broken encoding ends the text early
	// The limit may have cut the last character in two.
	for cut := 1; cut < utf8.UTFMax && cut < len(raw); cut++ {
		if tail := raw[len(raw)-cut:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				raw = raw[:len(raw)-cut]
			}
			break
		}
	}
	s := strings.ReplaceAll(toUTF8(string(raw)), "\r\n", "\n")
	return strings.ReplaceAll(s, "\x00", "")
}

// attachmentName is for display: no path, one line, decoded.
func attachmentName(candidates ...string) string {
	for _, c := range candidates {
		c = decode(c)
		if i := strings.LastIndexAny(c, `/\`); i >= 0 {
			c = c[i+1:]
		}
		if c = strings.TrimSpace(c); c != "" {
			return cut(c, 255)
		}
	}
	return ""
}
