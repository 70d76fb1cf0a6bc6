package desk

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// InteractionCapabilities are what the caller may do with an interaction in its present state.
type InteractionCapabilities struct {
	TransferToQueue    bool     `json:"transferToQueue"`
	TransferToAgent    bool     `json:"transferToAgent"`
	TransferToAccounts []string `json:"transferToAccounts" doc:"Names of EmailAccount objects"`
}

// capabilities of the caller: who has the interaction open, and who is over that agent, may send it on.
func (s *server) capabilities(ctx context.Context, i store.Interaction) (InteractionCapabilities, error) {
	c := InteractionCapabilities{TransferToAccounts: []string{}}
	if i.State != store.StateOpen {
		return c, nil
	}
	if i.Agent != callerOf(ctx).Name {
		if over, err := s.over(ctx, i.Agent); !over {
			return c, err
		}
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if errors.Is(err, store.ErrNotFound) {
		return c, nil // an account that is gone allows nothing any more
	}
	if err != nil {
		return c, err
	}
	c.TransferToQueue, c.TransferToAgent = account.Routing.TransferToQueue > 0, account.Routing.TransferToAgent > 0
	for _, name := range account.Routing.TransferToAccounts {
		to, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: name})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return c, err
		}
		if to.Active {
			c.TransferToAccounts = append(c.TransferToAccounts, name)
		}
	}
	return c, nil
}

type transferInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Queue   string `json:"queue,omitempty" maxLength:"253" doc:"Name of a Queue object of channel Email"`
		Agent   string `json:"agent,omitempty" maxLength:"253" doc:"Name of an Agent object"`
		Account string `json:"account,omitempty" maxLength:"253" doc:"Name of an EmailAccount object"`
	}
}

func (in *transferInput) target() (to store.TransferTarget, ok bool) {
	given := 0
	for _, t := range []store.TransferTarget{
		{Kind: store.TransferToQueue, Name: in.Body.Queue}, {Kind: store.TransferToAgent, Name: in.Body.Agent},
		{Kind: store.TransferToAccount, Name: in.Body.Account},
	} {
		if t.Name != "" {
			to = t
			given++
		}
	}
	return to, given == 1
}

func (s *server) registerTransfer(api huma.API) {
	op := operation("transferInteraction", http.MethodPost, "/v1/interactions/{id}/transfer", "Transfer an open interaction")
	op.Description = "To exactly one of a queue, an agent or an account, as the account allows (`capabilities`). What nobody accepts in the account's time is " +
		"open with its sender again, as unread. Supervisors of the agent it is open with, and role Admin, may transfer it in the agent's place; the agent is the sender then."
	op.Errors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, op, s.transfer)
}

func (s *server) transfer(ctx context.Context, in *transferInput) (*interactionOutput, error) {
	to, ok := in.target()
	if !ok {
		return nil, problem(CodeValidation, "exactly one of queue, agent and account is needed")
	}
	i, err := s.transferTo(ctx, in.ID, to)
	switch {
	case errors.Is(err, store.ErrConflict):
		err = s.refusal(ctx, in.ID, CodeNotOpen)
	case errors.Is(err, store.ErrTransferDenied):
		err = problem(CodeTransferDenied, "")
	case errors.Is(err, store.ErrTransferTarget):
		err = problem(CodeTransferTarget, "")
	}
	if err != nil {
		return nil, s.fail(ctx, "transferring an interaction", err)
	}
	return &interactionOutput{Body: interactionOf(i)}, nil
}

func (s *server) transferTo(ctx context.Context, id string, to store.TransferTarget) (store.Interaction, error) {
	c := callerOf(ctx)
	i, err := s.Store.GetInteraction(ctx, c.Namespace, id)
	if err != nil {
		return i, err
	}
	holder, err := s.inPlaceOf(ctx, i)
	if err != nil {
		return i, err
	}
	if holder == "" {
		return s.Store.Transfer(ctx, c.Namespace, id, c.Name, to)
	}
	to.By = c.Name
	return s.Store.Transfer(ctx, c.Namespace, id, holder, to)
}
