package desk

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// disposals are how conversations are classified and closed.
type disposals interface {
	DispositionsOf(ctx context.Context, namespace, interactionID string) (store.Dispositions, error)
	BeginDisposing(ctx context.Context, namespace, id, agent string) error
	CloseInteraction(ctx context.Context, namespace, id, agent string, d store.Disposal) (store.Interaction, error)
}

// Disposition is one result that a conversation may be closed with.
type Disposition struct {
	Path        string `json:"path" example:"Sales/Offer/Accepted" doc:"What to close with"`
	Name        string `json:"name" example:"Accepted"`
	Parent      string `json:"parent,omitempty" example:"Sales/Offer" doc:"Path of the level above; absent on the first"`
	Description string `json:"description,omitempty"`
}

type dispositionsOutput struct {
	Body struct {
		Mode                string        `json:"mode" enum:"Optional,Mandatory" doc:"Mandatory: the interaction cannot be closed without one, unless there is none"`
		PauseWhileDisposing string        `json:"pauseWhileDisposing" enum:"Enabled,Disabled"`
		Dispositions        []Disposition `json:"dispositions" doc:"Each level before the next; those of the account first, then of the queue, then those of everybody"`
	}
}

type closeInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body *struct {
		Disposition string `json:"disposition,omitempty" maxLength:"242" example:"Sales/Offer/Accepted" doc:"Path of one of the interaction's dispositions"`
		Note        string `json:"note,omitempty" maxLength:"2000" doc:"Free text kept with the disposition"`
	}
}

func (s *server) registerDispositions(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	list := operation("listDispositions", http.MethodGet, "/v1/interactions/{id}/dispositions", "What an interaction can be closed with")
	list.Errors = errorsOfOne
	huma.Register(api, list, s.listDispositions)

	begin := operation("beginDisposing", http.MethodPost, "/v1/interactions/{id}/dispose", "Begin to choose a disposition")
	begin.Description = "When the account has mode Mandatory and pauseWhileDisposing Enabled, the agent is paused (reason Disposition) until every interaction " +
		"that they began to dispose is closed or has left them, or they sign out. A pause of their own stays. Otherwise nothing happens."
	begin.DefaultStatus = http.StatusNoContent
	begin.Errors = append([]int{http.StatusConflict}, errorsOfOne...)
	huma.Register(api, begin, s.beginDisposing)

	end := operation("closeInteraction", http.MethodPost, "/v1/interactions/{id}/close", "Close an open interaction")
	end.Description = "A later answer of the customer opens it again. Where a disposition is mandatory, trying to close without one begins to dispose."
	end.Errors = append([]int{http.StatusConflict, http.StatusUnprocessableEntity}, errorsOfOne...)
	huma.Register(api, end, s.closeInteraction)
}

func (s *server) listDispositions(ctx context.Context, in *idInput) (*dispositionsOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading an interaction", err)
	}
	d, err := s.Store.DispositionsOf(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, s.fail(ctx, "listing dispositions", err)
	}
	out := &dispositionsOutput{}
	out.Body.Mode, out.Body.PauseWhileDisposing = "Optional", "Disabled"
	if d.Mandatory {
		out.Body.Mode = "Mandatory"
	}
	if d.PauseWhileDisposing {
		out.Body.PauseWhileDisposing = "Enabled"
	}
	out.Body.Dispositions = []Disposition{}
	for _, item := range d.Items {
		v := Disposition{Path: item.Path, Name: item.Path, Description: item.Description}
		if at := strings.LastIndexByte(item.Path, '/'); at >= 0 {
			v.Parent, v.Name = item.Path[:at], item.Path[at+1:]
		}
		out.Body.Dispositions = append(out.Body.Dispositions, v)
	}
	return out, nil
}

func (s *server) beginDisposing(ctx context.Context, in *idInput) (*noBody, error) {
	c := callerOf(ctx)
	err := s.Store.BeginDisposing(ctx, c.Namespace, in.ID, c.Name)
	if errors.Is(err, store.ErrConflict) {
		err = s.refusal(ctx, in.ID, CodeNotOpen)
	}
	if err != nil {
		return nil, s.fail(ctx, "beginning to dispose", err)
	}
	return nil, nil
}

func (s *server) closeInteraction(ctx context.Context, in *closeInput) (*interactionOutput, error) {
	var d store.Disposal
	if in.Body != nil {
		d = store.Disposal{Path: in.Body.Disposition, Note: in.Body.Note}
	}
	c := callerOf(ctx)
	i, err := s.Store.CloseInteraction(ctx, c.Namespace, in.ID, c.Name, d)
	switch {
	case errors.Is(err, store.ErrConflict):
		err = s.refusal(ctx, in.ID, CodeNotOpen)
	case errors.Is(err, store.ErrDispositionUnknown):
		err = problem(CodeDispositionUnknown, "")
	case errors.Is(err, store.ErrDispositionRequired):
		// The conversation is over for the agent; what is left is to dispose it.
		if err = s.Store.BeginDisposing(ctx, c.Namespace, in.ID, c.Name); err == nil {
			err = problem(CodeDispositionRequired, "")
		}
	}
	if err != nil {
		return nil, s.fail(ctx, "closing an interaction", err)
	}
	return &interactionOutput{Body: interactionOf(i)}, nil
}
