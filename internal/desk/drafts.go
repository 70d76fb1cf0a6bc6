package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const draftPath = "/v1/interactions/{id}/draft"

// DraftBody is what an agent has written so far; addresses in it may be half typed.
type DraftBody struct {
	Text string   `json:"text,omitempty" doc:"Plain text"`
	To   []string `json:"to,omitempty" maxItems:"20" doc:"Of a forward"`
	Cc   []string `json:"cc,omitempty" maxItems:"20"`
	Bcc  []string `json:"bcc,omitempty" maxItems:"20"`
}

// Draft of the next answer. Files are not part of it: they wait with the interaction.
type Draft struct {
	DraftBody
	Version   string    `json:"version" doc:"For If-Match of the next change"`
	Agent     string    `json:"agent" doc:"Who wrote it"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Drafting is what the account asks of clients.
type Drafting struct {
	Autosave        string `json:"autosave" enum:"Enabled,Disabled" doc:"Enabled: the client keeps the draft by itself"`
	IntervalSeconds int    `json:"intervalSeconds" doc:"How often, while the text changes"`
}

type putDraftInput struct {
	ID      string `path:"id" maxLength:"64"`
	IfMatch string `header:"If-Match" maxLength:"32" doc:"Version that is replaced; absent for the first one"`
	Body    DraftBody
}

type deleteDraftInput struct {
	ID      string `path:"id" maxLength:"64"`
	IfMatch string `header:"If-Match" maxLength:"32" doc:"Version that is deleted; absent: any"`
}

type draftOutput struct {
	ETag string `header:"ETag"`
	Body Draft
}

func (s *server) registerDrafts(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	get := operation("getDraft", http.MethodGet, draftPath, "The draft of the next answer")
	get.Errors = errorsOfOne
	huma.Register(api, get, s.getDraft)

	errorsOfWrites := append([]int{http.StatusConflict, http.StatusPreconditionFailed}, errorsOfOne...)
	put := operation("putDraft", http.MethodPut, draftPath, "Keep the draft of the next answer")
	put.Description = "By the agent the interaction is open with. It stays with the interaction when that moves on, until an answer is sent."
	put.MaxBodyBytes = maxReplyBodyBytes
	put.Errors = append([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, errorsOfWrites...)
	huma.Register(api, put, s.putDraft)

	remove := operation("deleteDraft", http.MethodDelete, draftPath, "Throw the draft away")
	remove.DefaultStatus = http.StatusNoContent
	remove.Errors = errorsOfWrites
	huma.Register(api, remove, s.deleteDraft)
}

// draftVersion reads an entity tag (RFC 9110 section 8.8.3), with or without its quotes; 0 for none.
func draftVersion(tag string) (int64, error) {
	if tag == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, problem(CodeDraftChanged, "If-Match is no version of a draft")
	}
	return version, nil
}

func draftOf(d store.Draft) (*draftOutput, error) {
	out := &draftOutput{Body: Draft{Version: strconv.FormatInt(d.Version, 10), Agent: d.Agent, UpdatedAt: d.UpdatedAt.UTC()}}
	out.ETag = `"` + out.Body.Version + `"`
	if err := json.Unmarshal(d.Body, &out.Body.DraftBody); err != nil {
		return nil, fmt.Errorf("stored draft: %w", err)
	}
	return out, nil
}

func (s *server) getDraft(ctx context.Context, in *idInput) (*draftOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading a draft", err)
	}
	d, err := s.Store.GetDraft(ctx, i.Namespace, i.ID)
	return s.draft(ctx, "reading a draft", d, err)
}

func (s *server) putDraft(ctx context.Context, in *putDraftInput) (*draftOutput, error) {
	version, err := draftVersion(in.IfMatch)
	if err == nil {
		err = s.mustHold(ctx, in.ID)
	}
	if err != nil {
		return nil, s.fail(ctx, "keeping a draft", err)
	}
	body, err := json.Marshal(in.Body)
	if err != nil {
		return nil, s.fail(ctx, "keeping a draft", err)
	}
	c := callerOf(ctx)
	d, err := s.Store.PutDraft(ctx, store.Draft{InteractionID: in.ID, Namespace: c.Namespace, Agent: c.Name, Body: body}, version)
	return s.draft(ctx, "keeping a draft", d, err)
}

func (s *server) draft(ctx context.Context, doing string, d store.Draft, err error) (*draftOutput, error) {
	var out *draftOutput
	if err == nil {
		out, err = draftOf(d)
	}
	if err != nil {
		return nil, s.fail(ctx, doing, err)
	}
	return out, nil
}

func (s *server) deleteDraft(ctx context.Context, in *deleteDraftInput) (*noBody, error) {
	version, err := draftVersion(in.IfMatch)
	if err == nil {
		err = s.mustHold(ctx, in.ID)
	}
	if err == nil {
		c := callerOf(ctx)
		err = s.Store.DeleteDraft(ctx, c.Namespace, in.ID, c.Name, version)
	}
	if err != nil {
		return nil, s.fail(ctx, "deleting a draft", err)
	}
	return nil, nil
}

// drafting is what the account of an interaction asks of clients; without the account nothing.
func drafting(a store.Account) Drafting {
	d := Drafting{Autosave: "Disabled", IntervalSeconds: 5}
	if a.Desk.Autosave {
		d.Autosave = "Enabled"
	}
	if a.Desk.AutosaveInterval > 0 {
		d.IntervalSeconds = int(a.Desk.AutosaveInterval / time.Second)
	}
	return d
}
