package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Answer is what replies and forwards have in common.
type Answer struct {
	Cc          []string `json:"cc,omitempty" maxItems:"20" doc:"Addresses without display names; needs the permission sensitiveData"`
	Bcc         []string `json:"bcc,omitempty" maxItems:"20" doc:"Addresses without display names; the other recipients do not see them; needs the permission sensitiveData"`
	Attachments []string `json:"attachments,omitempty" maxItems:"20" doc:"Ids of files uploaded to the interaction"`
}

type replyInput struct {
	ID   string `path:"id" maxLength:"64"`
	Key  string `header:"Idempotency-Key" pattern:"^[!-~]{1,128}$" doc:"1 to 128 visible characters. Sent again with the same key within a day, the answer goes out once, and this returns the same message"`
	Body struct {
		Text string `json:"text" pattern:"\\S" patternDescription:"not blank" doc:"Plain text"`
		// Keys, so that their files need not travel to the client and back.
		CannedAnswers []string `json:"cannedAnswers,omitempty" maxItems:"8" doc:"Keys of canned answers of the interaction whose attachments go with the reply"`
		Answer
	}
}

type forwardInput struct {
	ID   string `path:"id" maxLength:"64"`
	Key  string `header:"Idempotency-Key" pattern:"^[!-~]{1,128}$" doc:"As for replies"`
	Body struct {
		To   []string `json:"to" minItems:"1" maxItems:"20" doc:"Addresses without display names"`
		Text string   `json:"text,omitempty" doc:"Plain text above what is forwarded"`
		Answer
	}
}

// Resolve refuses what is not exactly an address before it comes near a mail header.
func (in *replyInput) Resolve(huma.Context) []error { return in.Body.check() }

// Resolve as for replies.
func (in *forwardInput) Resolve(huma.Context) []error {
	return append(badAddresses("to", in.Body.To), in.Body.check()...)
}

func (a Answer) check() []error {
	return append(badAddresses("cc", a.Cc), badAddresses("bcc", a.Bcc)...)
}

func badAddresses(field string, list []string) []error {
	var errs []error
	for n, address := range list {
		if !isAddress(address) {
			errs = append(errs, &huma.ErrorDetail{Location: fmt.Sprintf("body.%s[%d]", field, n), Message: notAnAddress})
		}
	}
	return errs
}

const notAnAddress = "expected an e-mail address without a display name"

// isAddress of a length that SMTP allows.
func isAddress(s string) bool {
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s && len(s) <= 254
}

func (s *server) registerReplies(api huma.API) {
	add := func(id, path, summary, description string) huma.Operation {
		op := operation(id, http.MethodPost, "/v1/interactions/{id}/"+path, summary)
		op.Description = description + " The message.state event tells what became of it. The draft and the files sent are gone then."
		op.DefaultStatus = http.StatusAccepted
		op.MaxBodyBytes = maxReplyBodyBytes
		op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge,
			http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
		return op
	}
	huma.Register(api, add("reply", "replies", "Answer the customer", "Stores the answer and sends it through the e-mail account."), s.reply)
	// Whoever may not see the customer shall not send them on either.
	huma.Register(api, needing(add("forward", "forwards", "Forward the customer's last message",
		"Sends it with its attachments to somebody else through the e-mail account; with the account's forwarding.includeHistory the earlier messages of both sides, too. "+
			"Attachments that do not fit are named instead. An answer to it joins the interaction."), sensitiveData), s.forward)
}

// answer is what is about to be sent.
type answer struct {
	Answer
	id, key, text string
	forward       []string
	canned        []string // keys
}

func (s *server) reply(ctx context.Context, in *replyInput) (*messageOutput, error) {
	return s.answer(ctx, "replying", answer{Answer: in.Body.Answer, id: in.ID, key: in.Key, text: in.Body.Text, canned: in.Body.CannedAnswers})
}

func (s *server) forward(ctx context.Context, in *forwardInput) (*messageOutput, error) {
	return s.answer(ctx, "forwarding", answer{Answer: in.Body.Answer, id: in.ID, key: in.Key, text: in.Body.Text, forward: in.Body.To})
}

func (s *server) answer(ctx context.Context, doing string, a answer) (*messageOutput, error) {
	m, err := s.send(ctx, a)
	if err != nil {
		return nil, s.fail(ctx, doing, err)
	}
	return &messageOutput{Body: messageOf(m)}, nil
}

func (s *server) send(ctx context.Context, a answer) (store.Message, error) {
	c := callerOf(ctx)
	if len(a.Cc)+len(a.Bcc) > 0 {
		// A copy shows the customer's address to whoever gets it, the agent's own mailbox included.
		if err := c.may(sensitiveData); err != nil {
			return store.Message{}, err
		}
	}
	i, err := s.visible(ctx, a.id)
	if err != nil {
		return store.Message{}, err
	}
	extras := store.ReplyExtras{Key: a.key, Digest: a.digest(), Uploads: a.Attachments}
	if sent, err := s.Store.ReplyUnder(ctx, c.Key, extras); !errors.Is(err, store.ErrNotFound) {
		return sent, err
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
	in := ReplyInput{Account: account, Interaction: i, Agent: c.Agent, Text: a.text, Forward: a.forward, Cc: a.Cc, Bcc: a.Bcc}
	if in.Files, err = s.uploaded(ctx, i, a.Attachments); err != nil {
		return store.Message{}, err
	}
	canned, err := s.cannedFiles(ctx, i, a.canned)
	if err != nil {
		return store.Message{}, err
	}
	in.Files = append(in.Files, canned...)
	if err := s.addOriginal(ctx, &in); err != nil {
		return store.Message{}, err
	}
	m, raw, err := s.Composer.Compose(ctx, in)
	if err != nil {
		return store.Message{}, fmt.Errorf("composing: %w", err)
	}
	return s.Store.AddReply(ctx, m, raw, extras)
}

// digest tells one answer from another.
func (a answer) digest() string {
	whole, err := json.Marshal([]any{a.id, a.text, a.forward, a.canned, a.Cc, a.Bcc, a.Attachments})
	if err != nil {
		panic(err) // strings can be encoded
	}
	return security.TokenHash(string(whole))
}

// uploaded reads the files of an answer.
func (s *server) uploaded(ctx context.Context, i store.Interaction, ids []string) ([]message.File, error) {
	var files []message.File
	for n, id := range ids {
		if slices.Contains(ids[:n], id) {
			return nil, problem(CodeValidation, "body.attachments names a file twice")
		}
		u, content, err := s.Store.UploadContent(ctx, i.Namespace, i.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil, problem(CodeValidation, "body.attachments names a file that is not there")
		}
		if err != nil {
			return nil, err
		}
		files = append(files, message.File{Name: u.Name, ContentType: u.ContentType, Content: content})
	}
	return files, nil
}

// addOriginal adds what is answered or forwarded: the last message of the customer.
func (s *server) addOriginal(ctx context.Context, in *ReplyInput) error {
	messages, err := s.Store.ListMessages(ctx, in.Interaction.Namespace, in.Interaction.ID)
	if err != nil {
		return err
	}
	last := -1
	for n, m := range slices.Backward(messages) {
		if m.Direction == store.Inbound {
			last = n
			break
		}
	}
	if last >= 0 {
		if in.Original, err = s.Store.RawMessage(ctx, in.Interaction.Namespace, messages[last].ID); err != nil {
			return err
		}
	}
	if len(in.Forward) == 0 {
		return nil
	}
	if last < 0 {
		return fmt.Errorf("%w: the customer has not written anything to forward", ErrNotSendable)
	}
	forwarded := []store.Message{messages[last]}
	if in.Account.Desk.ForwardHistory {
		rest := slices.Delete(slices.Clone(messages), last, last+1)
		slices.Reverse(rest)
		forwarded = append(forwarded, rest...)
	}
	if left := forwardFiles(in, messages[last].Attachments); len(left) > 0 {
		in.Text += "\n\n[not attached, for it is too large: " + strings.Join(left, ", ") + "]"
	}
	in.Text = message.ForwardText(in.Text, forwarded)
	return nil
}

// forwardFiles adds the attachments of the mail forwarded and returns the names of those that do not fit.
func forwardFiles(in *ReplyInput, attachments []store.Attachment) (left []string) {
	total := int64(0)
	for _, f := range in.Files {
		total += int64(len(f.Content))
	}
	for n, a := range attachments {
		if len(in.Files) >= store.MaxUploads || total+a.Size > store.MaxUploadBytes {
			left = append(left, a.Name)
			continue
		}
		_, content, err := message.Attachment(in.Original, n)
		if err != nil {
			left = append(left, a.Name) // the mail was stored without its body
			continue
		}
		total += int64(len(content))
		in.Files = append(in.Files, message.File{Name: a.Name, ContentType: a.ContentType, Content: content})
	}
	return left
}
