package desk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Interaction is one conversation as its agent sees it.
type Interaction struct {
	ID           string                 `json:"id"`
	Channel      store.Channel          `json:"channel" example:"Email"`
	Account      string                 `json:"account,omitempty" doc:"Name of the EmailAccount object"`
	Queue        string                 `json:"queue,omitempty"`
	State        store.InteractionState `json:"state" enum:"New,Queued,Offered,Open,Closed,Unread"`
	Agent        string                 `json:"agent,omitempty" doc:"Whom it is offered to or open with; absent while it is offered to several agents at once"`
	Deadline     *time.Time             `json:"deadline,omitempty" doc:"When a running offer ends"`
	Title        string                 `json:"title" doc:"As agents named it, else the subject"`
	Subject      string                 `json:"subject"`
	Tags         []string               `json:"tags" doc:"Sorted"`
	Customer     Customer               `json:"customer"`
	CreatedAt    time.Time              `json:"createdAt"`
	UpdatedAt    time.Time              `json:"updatedAt"`
	Read         bool                   `json:"read" doc:"Whether the last message of the customer was read"`
	MessageCount int                    `json:"messageCount"`
	LastMessage  LastMessage            `json:"lastMessage"`
	Disposition  string                 `json:"disposition,omitempty" example:"Sales/Offer/Accepted" doc:"Path of what it was closed with last"`
	Note         string                 `json:"dispositionNote,omitempty" doc:"What the agent added to the disposition"`
	Version      int64                  `json:"version" doc:"Grows with every transition"`
}

// Customer is who a conversation is with.
type Customer struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
}

// LastMessage tells who spoke last.
type LastMessage struct {
	Direction store.Direction `json:"direction" enum:"Inbound,Outbound"`
}

func interactionOf(i store.Interaction) Interaction {
	return Interaction{
		ID: i.ID, Channel: i.Channel, Account: i.Account, Queue: i.Queue, State: i.State, Agent: i.Agent,
		Deadline: timeOrNil(i.Deadline), Title: cmp.Or(i.Title, i.Subject), Tags: append([]string{}, i.Tags...), Subject: i.Subject, Customer: Customer{Address: i.Customer, Name: i.Name},
		CreatedAt: i.CreatedAt.UTC(), UpdatedAt: i.UpdatedAt.UTC(), Read: i.Read, MessageCount: i.MessageCount,
		LastMessage: LastMessage{Direction: i.LastDirection}, Disposition: i.Disposition, Note: i.DispositionNote, Version: i.Version,
	}
}

// Transition is one step of a conversation and its reason.
type Transition struct {
	At     time.Time              `json:"at"`
	From   store.InteractionState `json:"from,omitempty"`
	To     store.InteractionState `json:"to"`
	Agent  string                 `json:"agent,omitempty"`
	Queue  string                 `json:"queue,omitempty"`
	Reason string                 `json:"reason" example:"Accepted"`
	Detail string                 `json:"detail,omitempty"`
}

type idInput struct {
	ID string `path:"id" maxLength:"64"`
}

type interactionOutput struct{ Body Interaction }

type detailOutput struct {
	Body struct {
		Interaction
		WaitDetail   string                  `json:"waitDetail,omitempty" example:"nobody available; bob paused" doc:"Why a queued interaction waits"`
		Capabilities InteractionCapabilities `json:"capabilities" doc:"What the caller may do with it now"`
		Contact      *Contact                `json:"contact,omitempty" doc:"The customer in the account's contact list; absent without one"`
		Drafts       Drafting                `json:"drafts" doc:"How the account wants drafts to be kept"`
		Messages     []Message               `json:"messages" doc:"Oldest first"`
		History      []Transition            `json:"history" doc:"Oldest first: why it is where it is"`
	}
}

func (s *server) registerInteractions(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	get := operation("getInteraction", http.MethodGet, "/v1/interactions/{id}", "An interaction with its messages and history")
	get.Errors = errorsOfOne
	huma.Register(api, get, s.getInteraction)

	command := func(id, path, summary, description string, gone Code, act func(ctx context.Context, namespace, id, agent string) (store.Interaction, error)) {
		op := operation(id, http.MethodPost, "/v1/interactions/{id}/"+path, summary)
		op.Description = description
		op.Errors = append([]int{http.StatusConflict}, errorsOfOne...)
		huma.Register(api, op, s.command(summary, gone, act))
	}
	command("acceptInteraction", "accept", "Accept an offer", "The interaction is then open with the agent.", CodeOfferGone, s.Store.Accept)
	command("rejectInteraction", "reject", "Reject an offer", "The queue offers it to others first.", CodeOfferGone, s.Store.Reject)
}

func (s *server) getInteraction(ctx context.Context, in *idInput) (*detailOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading an interaction", err)
	}
	history, err := s.Store.History(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading a history", err)
	}
	messages, err := s.Store.ListMessages(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading messages", err)
	}
	out := &detailOutput{}
	out.Body.Interaction, out.Body.WaitDetail = interactionOf(i), i.WaitDetail
	if out.Body.Capabilities, err = s.capabilities(ctx, i); err != nil {
		return nil, s.fail(ctx, "reading the account", err)
	}
	account, err := s.Store.GetAccount(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.fail(ctx, "reading an account", err)
	}
	out.Body.Drafts = drafting(account)
	if out.Body.Contact, err = s.contactIn(ctx, i); err != nil {
		return nil, s.fail(ctx, "reading a contact", err)
	}
	out.Body.Messages = make([]Message, 0, len(messages))
	for _, m := range messages {
		out.Body.Messages = append(out.Body.Messages, messageOf(m))
	}
	out.Body.History = make([]Transition, 0, len(history))
	for _, t := range history {
		out.Body.History = append(out.Body.History, Transition{
			At: t.At.UTC(), From: t.From, To: t.To, Agent: t.Agent, Queue: t.Queue, Reason: t.Reason, Detail: t.Detail,
		})
	}
	return out, nil
}

type commandFunc func(ctx context.Context, in *idInput) (*interactionOutput, error)

// command runs one of the store's commands, which decide by themselves whether the caller holds the interaction.
func (s *server) command(doing string, gone Code, act func(ctx context.Context, namespace, id, agent string) (store.Interaction, error)) commandFunc {
	return func(ctx context.Context, in *idInput) (*interactionOutput, error) {
		c := callerOf(ctx)
		i, err := act(ctx, c.Namespace, in.ID, c.Name)
		if errors.Is(err, store.ErrConflict) {
			err = s.refusal(ctx, in.ID, gone)
		}
		if err != nil {
			return nil, s.fail(ctx, doing, err)
		}
		return &interactionOutput{Body: interactionOf(i)}, nil
	}
}

// refusal says why a command on an interaction was refused: gone, to an agent who knew of it or is over one who did, and not
// found to everyone else.
func (s *server) refusal(ctx context.Context, id string, gone Code) error {
	c := callerOf(ctx)
	history, err := s.Store.History(ctx, c.Namespace, id)
	if err != nil {
		return err
	}
	for _, t := range history {
		if t.Agent == c.Name {
			return problem(gone, "")
		}
	}
	i, err := s.Store.GetInteraction(ctx, c.Namespace, id)
	if err != nil {
		return err
	}
	if oversees, err := s.oversees(ctx, i); oversees {
		return problem(gone, "")
	} else if err != nil {
		return err
	}
	return store.ErrNotFound
}
