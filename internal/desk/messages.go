package desk

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	messagePath      = "/v1/interactions/{id}/messages/{mid}"
	rawSuffix        = "/raw"
	attachmentSuffix = "/attachments/{n}"
)

// Message of a conversation.
type Message struct {
	ID          string             `json:"id"`
	Direction   store.Direction    `json:"direction" enum:"Inbound,Outbound"`
	State       store.MessageState `json:"state" enum:"Stored,HeadersOnly,Quarantined,Pending,Sending,Sent,Failed"`
	Detail      string             `json:"detail,omitempty" doc:"Why it is cut, quarantined or failed"`
	MessageID   string             `json:"messageId,omitempty" doc:"RFC 5322 Message-ID without angle brackets"`
	From        string             `json:"from,omitempty"`
	To          []string           `json:"to"`
	Cc          []string           `json:"cc,omitempty"`
	Bcc         []string           `json:"bcc,omitempty" doc:"Hidden recipients of an outbound message"`
	Subject     string             `json:"subject"`
	Date        *time.Time         `json:"date,omitempty" doc:"As the sender's Date header says"`
	Text        string             `json:"text"`
	HTML        string             `json:"html,omitempty" doc:"Sanitised"`
	Attachments []store.Attachment `json:"attachments" doc:"In the order of their numbers"`
	Agent       string             `json:"agent,omitempty" doc:"Who wrote an outbound message"`
	CreatedAt   time.Time          `json:"createdAt"`
}

func messageOf(m store.Message) Message {
	return Message{
		ID: m.ID, Direction: m.Direction, State: m.State, Detail: m.Detail, MessageID: m.MessageID, From: m.From,
		To: append([]string{}, m.To...), Cc: m.Cc, Bcc: m.Bcc, Subject: m.Subject, Date: timeOrNil(m.Date), Text: m.Text, HTML: m.HTML,
		Attachments: append([]store.Attachment{}, m.Attachments...), Agent: m.Agent, CreatedAt: m.CreatedAt.UTC(),
	}
}

type messageOutput struct{ Body Message }

type rawInput struct {
	ID  string `path:"id" maxLength:"64"`
	MID string `path:"mid" maxLength:"64"`
}

type attachmentInput struct {
	ID  string `path:"id" maxLength:"64"`
	MID string `path:"mid" maxLength:"64"`
	N   int    `path:"n" minimum:"0" maximum:"10000" doc:"Number of the attachment, from 0"`
}

type downloadOutput struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (s *server) registerMessages(api huma.API) {
	errorsOfReads := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	raw := operation("getRawMessage", http.MethodGet, messagePath+rawSuffix, "A message exactly as it came or was sent")
	raw.Errors = errorsOfReads
	raw.Responses = download("message/rfc822")
	huma.Register(api, needing(raw, downloadAttachments, sensitiveData), s.rawMessage)

	attachment := operation("getAttachment", http.MethodGet, messagePath+attachmentSuffix, "One attachment, decoded")
	attachment.Errors = errorsOfReads
	attachment.Responses = download("application/octet-stream")
	huma.Register(api, needing(attachment, downloadAttachments), s.attachment)
	s.registerViews(api)
}

func download(contentType string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The content, to be saved",
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
}

// rawOf returns the bytes of a message of an interaction the caller may see.
func (s *server) rawOf(ctx context.Context, id, messageID string) ([]byte, error) {
	i, err := s.visible(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.Store.GetMessage(ctx, i.Namespace, messageID)
	if err != nil {
		return nil, err
	}
	if m.InteractionID != i.ID {
		return nil, store.ErrNotFound
	}
	return s.Store.RawMessage(ctx, i.Namespace, messageID)
}

func (s *server) rawMessage(ctx context.Context, in *rawInput) (*downloadOutput, error) {
	raw, err := s.rawOf(ctx, in.ID, in.MID)
	if err != nil {
		return nil, s.fail(ctx, "reading a raw message", err)
	}
	return &downloadOutput{ContentType: "message/rfc822", ContentDisposition: saveAs(in.MID + ".eml"), Body: raw}, nil
}

func (s *server) attachment(ctx context.Context, in *attachmentInput) (*downloadOutput, error) {
	raw, err := s.rawOf(ctx, in.ID, in.MID)
	if err != nil {
		return nil, s.fail(ctx, "reading a raw message", err)
	}
	a, content, err := message.Attachment(raw, in.N)
	if err != nil {
		return nil, s.fail(ctx, "reading an attachment", err)
	}
	c := callerOf(ctx)
	if tellsWhoSent(a.ContentType) {
		if err := c.may(sensitiveData); err != nil {
			return nil, err
		}
	}
	return &downloadOutput{ContentType: safeContentType(a.ContentType), ContentDisposition: saveAs(masked(c, a).Name), Body: content}, nil
}

// tellsWhoSent: the attachment is a message with its header, or a business card.
func tellsWhoSent(claimed string) bool {
	claimed = strings.ToLower(claimed)
	return slices.ContainsFunc([]string{"message/", "text/vcard", "text/x-vcard", "text/directory"}, func(p string) bool { return strings.HasPrefix(claimed, p) })
}

// safeContentType lets a type that the sender chose into a header only when it is well-formed.
func safeContentType(claimed string) string {
	mediaType, params, err := mime.ParseMediaType(claimed)
	if err == nil && strings.Contains(mediaType, "/") {
		if formatted := mime.FormatMediaType(mediaType, params); formatted != "" {
			return formatted
		}
	}
	return "application/octet-stream"
}

// saveAs makes browsers store a download under name instead of showing it (RFC 6266); FormatMediaType encodes what
// is not plain ASCII by RFC 2231.
func saveAs(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if name == "" {
		name = "attachment"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
