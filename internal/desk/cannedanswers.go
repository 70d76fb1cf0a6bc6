package desk

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// cannedAnswers are the texts agents put into their answers.
type cannedAnswers interface {
	CannedAnswersOf(ctx context.Context, namespace, interactionID string) ([]store.CannedAnswer, error)
	GetCannedFile(ctx context.Context, set store.Key, sum string) ([]byte, error)
}

// CannedAnswer is a text for an answer, with its variables filled in.
type CannedAnswer struct {
	Key         string             `json:"key" example:"price-list"`
	Text        string             `json:"text" doc:"Plain text; variables have this interaction's values, and none where there is no value or, for the customer's name and address, the agent has masked data"`
	Description string             `json:"description,omitempty"`
	Attachments []store.Attachment `json:"attachments" doc:"In the order of their numbers; they go with a reply that names the key in cannedAnswers"`
}

type cannedAnswersOutput struct {
	Body struct {
		CannedAnswers []CannedAnswer `json:"cannedAnswers" doc:"Those of the account first, then of the queue, then those of everybody; each key once"`
	}
}

type cannedFileInput struct {
	ID  string `path:"id" maxLength:"64"`
	Key string `path:"key" maxLength:"32"`
	N   int    `path:"n" minimum:"0" maximum:"10000" doc:"Number of the attachment, from 0"`
}

func (s *server) registerCannedAnswers(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	list := operation("listCannedAnswers", http.MethodGet, "/v1/interactions/{id}/canned-answers", "Texts for answers to an interaction")
	list.Errors = errorsOfOne
	huma.Register(api, list, s.listCannedAnswers)

	file := operation("getCannedAttachment", http.MethodGet, "/v1/interactions/{id}/canned-answers/{key}"+attachmentSuffix, "An attachment of a canned answer")
	file.Errors = errorsOfOne
	file.Responses = download("application/octet-stream")
	huma.Register(api, file, s.cannedAttachment)
}

// Variables are the values of the variables in canned answers and layouts.
func Variables(account store.Account, i store.Interaction, agent store.Agent) map[string]string {
	return map[string]string{
		"account.address": account.Address, "account.key": account.Label, "account.name": account.DisplayName,
		"agent.alias": cmp.Or(agent.Alias, agent.DisplayName), "agent.email": agent.Email, "agent.extension": agent.Extension, "agent.name": agent.DisplayName,
		"customer.address": i.Customer, "customer.name": i.Name, "interaction.id": i.ID, "mail.subject": i.Subject,
	}
}

func (s *server) listCannedAnswers(ctx context.Context, in *idInput) (*cannedAnswersOutput, error) {
	i, answers, err := s.cannedAnswersOf(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "listing canned answers", err)
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if err != nil {
		return nil, s.fail(ctx, "reading an account", err)
	}
	values := Variables(account, i, callerOf(ctx).Agent)
	if callerOf(ctx).permissions.SensitiveData == SensitiveMasked {
		values["customer.name"], values["customer.address"] = "", "" // half of a name must not be sent to anybody
	}
	out := &cannedAnswersOutput{}
	out.Body.CannedAnswers = []CannedAnswer{}
	for _, a := range answers {
		text, err := template.Parse(a.Value)
		if err != nil {
			return nil, s.fail(ctx, "reading a canned answer", err)
		}
		v := CannedAnswer{Key: a.Key, Text: text.Text(values), Description: a.Description, Attachments: []store.Attachment{}}
		for _, f := range a.Attachments {
			v.Attachments = append(v.Attachments, f.Attachment)
		}
		out.Body.CannedAnswers = append(out.Body.CannedAnswers, v)
	}
	return out, nil
}

// cannedAnswersOf an interaction that the caller may see.
func (s *server) cannedAnswersOf(ctx context.Context, id string) (store.Interaction, []store.CannedAnswer, error) {
	i, err := s.visible(ctx, id)
	if err != nil {
		return i, nil, err
	}
	answers, err := s.Store.CannedAnswersOf(ctx, i.Namespace, i.ID)
	return i, answers, err
}

func (s *server) cannedAttachment(ctx context.Context, in *cannedFileInput) (*downloadOutput, error) {
	i, answers, err := s.cannedAnswersOf(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading canned answers", err)
	}
	n := slices.IndexFunc(answers, func(a store.CannedAnswer) bool { return a.Key == in.Key })
	if n < 0 || in.N >= len(answers[n].Attachments) {
		return nil, problem(CodeNotFound, "")
	}
	f := answers[n].Attachments[in.N]
	content, err := s.Store.GetCannedFile(ctx, store.Key{Namespace: i.Namespace, Name: answers[n].Set}, f.SHA256)
	if err != nil {
		return nil, s.fail(ctx, "reading an attachment", err)
	}
	return &downloadOutput{ContentType: safeContentType(f.ContentType), ContentDisposition: saveAs(f.Name), Body: content}, nil
}

// cannedFiles are the attachments of the canned answers with these keys.
func (s *server) cannedFiles(ctx context.Context, i store.Interaction, keys []string) ([]message.File, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	answers, err := s.Store.CannedAnswersOf(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, err
	}
	var files []message.File
	for _, key := range keys {
		n := slices.IndexFunc(answers, func(a store.CannedAnswer) bool { return a.Key == key })
		if n < 0 {
			return nil, problem(CodeCannedAnswerUnknown, "")
		}
		for _, f := range answers[n].Attachments {
			content, err := s.Store.GetCannedFile(ctx, store.Key{Namespace: i.Namespace, Name: answers[n].Set}, f.SHA256)
			if err != nil {
				return nil, err
			}
			files = append(files, message.File{Name: f.Name, ContentType: f.ContentType, Content: content})
		}
	}
	return files, nil
}
