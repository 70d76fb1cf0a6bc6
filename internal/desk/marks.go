package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

type patchInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Title *string  `json:"title,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"One line. Empty: the subject again"`
		Tags  []string `json:"tags,omitempty" maxItems:"20" doc:"All of them; an empty list takes them off. Each 1 to 50 characters without a comma"`
	}
}

// Resolve refuses what the store would leave out.
func (in *patchInput) Resolve(huma.Context) []error {
	var errs []error
	for n, tag := range in.Body.Tags {
		if len(store.CleanTags([]string{tag})) == 0 {
			errs = append(errs, &huma.ErrorDetail{Location: fmt.Sprintf("body.tags[%d]", n), Message: "expected 1 to 50 characters without commas and control characters"})
		}
	}
	return errs
}

// registerMarks adds what agents put on interactions without moving them, and the way out of the unread list.
func (s *server) registerMarks(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	patch := operation("patchInteraction", http.MethodPatch, "/v1/interactions/{id}", "Change title and tags")
	patch.Description = "Whoever sees the interaction may. What is absent stays."
	patch.Errors = append([]int{http.StatusBadRequest, http.StatusUnprocessableEntity}, errorsOfOne...)
	huma.Register(api, patch, s.patchInteraction)

	read := operation("markRead", http.MethodPost, "/v1/interactions/{id}/read", "Mark an interaction as read")
	read.Description = "By the agent it is with; while it is with nobody, by whoever sees it."
	read.DefaultStatus = http.StatusNoContent
	read.Errors = append([]int{http.StatusConflict}, errorsOfOne...)
	huma.Register(api, read, s.markRead)

	unread := operation("markUnread", http.MethodPost, "/v1/interactions/{id}/unread", "Mark an interaction as unread")
	unread.Description = "As for read, and only when the account's agentActions.markAsUnread is Allowed, or the agent's role is Admin. It changes neither state nor agent; with the account's imap.syncFlags TwoWay the customer's mail is unseen in the mailbox again."
	unread.DefaultStatus = http.StatusNoContent
	unread.Errors = append([]int{http.StatusForbidden, http.StatusConflict}, errorsOfOne...)
	huma.Register(api, unread, s.markUnread)

	take := operation("takeInteraction", http.MethodPost, "/v1/interactions/{id}/take", "Take over an interaction that routing gave up")
	take.Description = "It is then open with the agent. The capacity of the channel holds."
	take.Errors = append([]int{http.StatusConflict}, errorsOfOne...)
	huma.Register(api, take, s.takeOver)
}

func (s *server) patchInteraction(ctx context.Context, in *patchInput) (*interactionOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err == nil {
		p := store.InteractionPatch{Title: in.Body.Title}
		if in.Body.Tags != nil {
			p.Tags = &in.Body.Tags
		}
		i, err = s.Store.PatchInteraction(ctx, i.Namespace, i.ID, p)
	}
	if err != nil {
		return nil, s.fail(ctx, "changing an interaction", err)
	}
	return &interactionOutput{Body: interactionOf(i)}, nil
}

func (s *server) markRead(ctx context.Context, in *idInput) (*noBody, error) {
	i, err := s.visible(ctx, in.ID)
	if err == nil {
		err = s.Store.MarkRead(ctx, i.Namespace, i.ID, callerOf(ctx).Name)
	}
	if err != nil {
		return nil, s.fail(ctx, "marking an interaction read", err)
	}
	return nil, nil
}

func (s *server) markUnread(ctx context.Context, in *idInput) (*noBody, error) {
	i, err := s.visible(ctx, in.ID)
	if err == nil {
		err = s.mayMarkUnread(ctx, i)
	}
	if err == nil {
		err = s.Store.MarkUnread(ctx, i.Namespace, i.ID, callerOf(ctx).Name)
	}
	if err != nil {
		return nil, s.fail(ctx, "marking an interaction unread", err)
	}
	return nil, nil
}

// mayMarkUnread: an account that is gone allows nothing any more. Its switch is for agents, not for administrators.
func (s *server) mayMarkUnread(ctx context.Context, i store.Interaction) error {
	if callerOf(ctx).isAdmin() {
		return nil
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !account.Desk.MarkUnread {
		return problem(CodeMarkUnreadDenied, "")
	}
	return nil
}

func (s *server) takeOver(ctx context.Context, in *idInput) (*interactionOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err == nil {
		i, err = s.Store.TakeOver(ctx, i.Namespace, i.ID, callerOf(ctx).Name)
	}
	if errors.Is(err, store.ErrConflict) {
		err = problem(CodeNotUnread, "")
	}
	if err != nil {
		return nil, s.fail(ctx, "taking an interaction over", err)
	}
	return &interactionOutput{Body: interactionOf(i)}, nil
}
