// Package customer writes to a contact center by e-mail and reads its answers, for the demo and for tests.
package customer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/smtp"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/mail"
	"github.com/google/uuid"
)

// Send delivers one mail through an SMTP server that asks for no sign-in. headers are added as they are, "Name: value" each.
func Send(server, from, to, subject, text string, headers ...string) error {
	lines := append([]string{
		"From: <" + from + ">", "To: <" + to + ">", "Subject: " + subject,
		"Date: " + time.Now().Format(time.RFC1123Z), "Message-ID: <" + uuid.NewString() + "@customer.test>",
		"MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
	}, headers...)
	return SendRaw(server, from, to, []byte(strings.Join(lines, "\r\n")+"\r\n\r\n"+text+"\r\n"))
}

// SendRaw delivers a mail exactly as it is.
func SendRaw(server, from, to string, raw []byte) error {
	if err := smtp.SendMail(server, nil, from, []string{to}, raw); err != nil {
		return fmt.Errorf("customer: sending: %w", err)
	}
	return nil
}

// Mail is one received mail.
type Mail struct {
	From, Subject, Text  string
	MessageID, InReplyTo string
	References           []string
	// Type is the media type of the whole mail.
	Type string
	// HTML is the other form of the text; empty when there is none.
	HTML string
	// Inline are the files that HTML shows, by their Content-ID.
	Inline map[string]File
}

// File is a part of a mail.
type File struct {
	Type    string
	Content []byte
}

// Mailbox is a customer's own mailbox at an IMAP server over TLS.
type Mailbox struct {
	Addr, User, Password string
	// CA is PEM.
	CA []byte
}

// WaitFor polls until a mail with a subject is in the mailbox.
func (m Mailbox) WaitFor(ctx context.Context, subject string) (Mail, error) {
	for {
		found, err := m.find(subject)
		if err == nil || !errors.Is(err, errNotThere) {
			return found, err
		}
		select {
		case <-ctx.Done():
			return Mail{}, fmt.Errorf("customer: waiting for %q: %w", subject, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var errNotThere = errors.New("no such mail")

func (m Mailbox) find(subject string) (Mail, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(m.CA)
	c, err := imapclient.DialTLS(m.Addr, &imapclient.Options{TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		return Mail{}, fmt.Errorf("customer: %w", err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login(m.User, m.Password).Wait(); err != nil {
		return Mail{}, fmt.Errorf("customer: %w", err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		return Mail{}, fmt.Errorf("customer: %w", err)
	}
	search, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: subject}}}, nil).Wait()
	if err != nil {
		return Mail{}, fmt.Errorf("customer: %w", err)
	}
	if len(search.AllUIDs()) == 0 {
		return Mail{}, errNotThere
	}
	section := &imap.FetchItemBodySection{Peek: true}
	fetched, err := c.Fetch(imap.UIDSetNum(search.AllUIDs()...), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(fetched) == 0 {
		return Mail{}, errors.Join(errNotThere, err)
	}
	return parse(string(fetched[len(fetched)-1].FindBodySection(section)))
}

func parse(raw string) (Mail, error) {
	r, err := mail.CreateReader(strings.NewReader(raw))
	if err != nil {
		return Mail{}, fmt.Errorf("customer: %w", err)
	}
	var m Mail
	m.Subject, _ = r.Header.Subject()
	m.MessageID, _ = r.Header.MessageID()
	if from, err := r.Header.AddressList("From"); err == nil && len(from) > 0 {
		m.From = from[0].String()
	}
	if ids, err := r.Header.MsgIDList("In-Reply-To"); err == nil && len(ids) > 0 {
		m.InReplyTo = ids[0]
	}
	m.References, _ = r.Header.MsgIDList("References")
	m.Type, _, _ = r.Header.ContentType()
	m.Inline = map[string]File{}
	for n := 0; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) && n > 0 {
			return m, nil
		}
		if err != nil {
			return m, fmt.Errorf("customer: %w", err)
		}
		if err := m.add(n, part); err != nil {
			return m, fmt.Errorf("customer: %w", err)
		}
	}
}

// add takes the nth part; the first is the text.
func (m *Mail) add(n int, part *mail.Part) error {
	content, err := io.ReadAll(part.Body)
	if err != nil {
		return err
	}
	mediaType, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if n > 0 && err != nil {
		return err
	}
	id := strings.Trim(part.Header.Get("Content-ID"), "<>")
	switch {
	case n == 0:
		m.Text = string(content)
	case mediaType == "text/html":
		m.HTML = string(content)
	case id != "":
		m.Inline[id] = File{Type: mediaType, Content: content}
	}
	return nil
}
