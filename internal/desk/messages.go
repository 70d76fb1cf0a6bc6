package desk

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/mail"
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
		To: append([]string{}, m.To...), Cc: m.Cc, Subject: m.Subject, Date: timeOrNil(m.Date), Text: m.Text, HTML: m.HTML,
		Attachments: append([]store.Attachment{}, m.Attachments...), Agent: m.Agent, CreatedAt: m.CreatedAt.UTC(),
	}
}

type replyInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Text string   `json:"text" pattern:"\\S" patternDescription:"not blank" doc:"Plain text"`
		Cc   []string `json:"cc,omitempty" maxItems:"20" doc:"Addresses without display names"`
		// Keys, so that their files need not travel to the client and back.
		CannedAnswers []string `json:"cannedAnswers,omitempty" maxItems:"8" doc:"Keys of canned answers of the interaction whose attachments go with the reply"`
	}
}

// Resolve refuses what is not exactly an address before it comes near a mail header.
func (in *replyInput) Resolve(huma.Context) []error {
	var errs []error
	for n, address := range in.Body.Cc {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || len(address) > 254 {
			errs = append(errs, &huma.ErrorDetail{Location: fmt.Sprintf("body.cc[%d]", n), Message: "expected an e-mail address without a display name"})
		}
	}
	return errs
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
	reply := operation("reply", http.MethodPost, "/v1/interactions/{id}/replies", "Answer the customer")
	reply.Description = "Stores the answer and sends it through the e-mail account; the message.state event tells what became of it."
	reply.DefaultStatus = http.StatusAccepted
	reply.MaxBodyBytes = maxReplyBodyBytes
	reply.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}
	huma.Register(api, reply, s.reply)

	errorsOfReads := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	raw := operation("getRawMessage", http.MethodGet, messagePath+rawSuffix, "A message exactly as it came or was sent")
	raw.Errors = errorsOfReads
	raw.Responses = download("message/rfc822")
	huma.Register(api, needing(raw, downloadAttachments, sensitiveData), s.rawMessage)

	attachment := operation("getAttachment", http.MethodGet, messagePath+attachmentSuffix, "One attachment, decoded")
	attachment.Errors = errorsOfReads
	attachment.Responses = download("application/octet-stream")
	huma.Register(api, needing(attachment, downloadAttachments), s.attachment)
}

func download(contentType string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The content, to be saved",
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
}

func (s *server) reply(ctx context.Context, in *replyInput) (*messageOutput, error) {
	m, err := s.addReply(ctx, in)
	if err != nil {
		return nil, s.fail(ctx, "replying", err)
	}
	return &messageOutput{Body: messageOf(m)}, nil
}

func (s *server) addReply(ctx context.Context, in *replyInput) (store.Message, error) {
	c := callerOf(ctx)
	i, err := s.visible(ctx, in.ID)
	if err != nil {
		return store.Message{}, err
	}
	if i.State != store.StateOpen || i.Agent != c.Name {
		return store.Message{}, problem(CodeNotOpen, "")
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if err != nil {
		return store.Message{}, err
	}
	if !account.Active {
		return store.Message{}, problem(CodeAccountInactive, "")
	}
	original, err := s.lastInbound(ctx, i)
	if err != nil {
		return store.Message{}, err
	}
	files, err := s.cannedFiles(ctx, i, in.Body.CannedAnswers)
	if err != nil {
		return store.Message{}, err
	}
	reply, raw, err := s.Composer.Compose(ctx, ReplyInput{
		Account: account, Interaction: i, Original: original, Agent: c.Agent, Text: in.Body.Text, Cc: in.Body.Cc, Files: files,
	})
	if err != nil {
		return store.Message{}, fmt.Errorf("composing: %w", err)
	}
	return s.Store.AddReply(ctx, reply, raw)
}

// lastInbound returns the raw mail a reply answers; nil when the customer has not written.
func (s *server) lastInbound(ctx context.Context, i store.Interaction) ([]byte, error) {
	messages, err := s.Store.ListMessages(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(messages) {
		if m.Direction == store.Inbound {
			return s.Store.RawMessage(ctx, i.Namespace, m.ID)
		}
	}
	return nil, nil
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
