// Package message turns raw mail into what agents read, and an agent's words into raw mail. It is pure:
// no network, no store.
//
// Mail is written by anyone, so nothing here trusts its form: sizes, depths and counts are bounded,
// every string that leaves is valid UTF-8 without NUL, and a mail that breaks the parser is quarantined
// with a reason instead of stopping the ones behind it.
package message

import (
	"net/mail"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Limits on what is shown of a body; the raw mail is kept whole.
const (
	maxText  = 256 << 10
	maxHTML  = 1 << 20
	maxParts = 100
	maxDepth = 20
)

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
	p.Automatic = h.automatic(from, ownAddress)
	w := walker{message: &p.Message, want: -1}
	w.read(h, body)
	p.ThreadKeys = h.threadKeys(w.returned)
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
