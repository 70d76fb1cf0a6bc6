// Package operatorapi serves what operators ask of the run-time state: which interactions there are, why one is where it is, and what
// became of every mail on a server. It says nothing of customers. Who may ask is Kubernetes' decision.
package operatorapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Attributes of a request, in the words of Kubernetes' authorization. The group is ringmaster.dev.
type Attributes struct{ Verb, Resource, Subresource, Namespace, Name string }

// Errors of Access.
var (
	// ErrUnknownCaller: the request shows no valid credentials.
	ErrUnknownCaller = errors.New("the request shows no credentials that the API server knows")
	// ErrForbidden: the caller may not do it.
	ErrForbidden = errors.New("forbidden")
)

// Access decides who may ask what.
type Access interface {
	// Allow returns the name of the caller. Errors: ErrUnknownCaller, ErrForbidden; anything else is temporary.
	Allow(r *http.Request, a Attributes) (user string, err error)
}

// Store is what the API reads.
type Store interface {
	GetInteraction(ctx context.Context, namespace, id string) (store.Interaction, error)
	ListInteractions(ctx context.Context, f store.InteractionFilter) ([]store.Interaction, error)
	CountInteractions(ctx context.Context, f store.InteractionFilter) (int, error)
	History(ctx context.Context, namespace, interactionID string) ([]store.Transition, error)
	GetQueue(ctx context.Context, key store.Key) (store.Queue, error)
	GetAgent(ctx context.Context, key store.Key) (store.Agent, error)
	ListPresence(ctx context.Context, namespace string) ([]store.Presence, error)
	Now(ctx context.Context) (time.Time, error)
}

// Options of the API; all are required.
type Options struct {
	Store  Store
	Access Access
	// Audit compares an account's mailbox on its server with the store. ErrNotFound of the store: no such account runs here.
	Audit func(ctx context.Context, account store.Key) (wire.Audit, error)
	// Logger gets every request with its caller at info level: reading is on record.
	Logger *slog.Logger
}

type server struct{ Options }

// requestTimeout bounds every request but an audit, which waits for a mail server.
const (
	requestTimeout = 30 * time.Second
	auditTimeout   = 90 * time.Second
)

// New returns the handler of the API.
func New(o Options) http.Handler {
	s := &server{o}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/namespaces/{namespace}/interactions", s.handle(requestTimeout, Attributes{Verb: "list", Resource: "interactions"}, s.list))
	mux.Handle("GET /v1/namespaces/{namespace}/interactions/{name}", s.handle(requestTimeout, Attributes{Verb: "get", Resource: "interactions"}, s.why))
	mux.Handle("GET /v1/namespaces/{namespace}/emailaccounts/{name}/audit", s.handle(auditTimeout, Attributes{Verb: "get", Resource: "emailaccounts", Subresource: "audit"}, s.audit))
	return mux
}

// badRequest is an error about the request, shown to the caller.
type badRequest string

func (b badRequest) Error() string { return string(b) }

// handle puts around an operation who may do it and what an error means.
func (s *server) handle(timeout time.Duration, a Attributes, do func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		r = r.WithContext(ctx)
		a := a
		a.Namespace, a.Name = r.PathValue("namespace"), r.PathValue("name")
		user, err := s.Access.Allow(r, a)
		var body any
		if err == nil {
			body, err = do(r)
		}
		status := http.StatusOK
		if err != nil {
			var text string
			if status, text = explain(err); status >= http.StatusInternalServerError {
				s.Logger.ErrorContext(ctx, "operator request failed", "verb", a.Verb, "resource", a.Resource, "namespace", a.Namespace, "error", err)
			}
			body = wire.Error{Message: text}
		}
		s.Logger.InfoContext(ctx, "operator request", "user", user, "verb", a.Verb, "resource", a.Resource, "subresource", a.Subresource,
			"namespace", a.Namespace, "name", a.Name, "status", status)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // the caller may be gone
	})
}

func explain(err error) (status int, text string) {
	var bad badRequest
	var there *remote.Error
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, bad.Error()
	case errors.Is(err, ErrUnknownCaller):
		return http.StatusUnauthorized, ErrUnknownCaller.Error()
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden, err.Error()
	case errors.As(err, &there):
		return http.StatusBadGateway, "the mail server: " + there.Message
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, "there is no such object in this namespace"
	}
	return http.StatusServiceUnavailable, "a part behind the API does not answer; its log says more"
}

func (s *server) audit(r *http.Request) (any, error) {
	return s.Audit(r.Context(), store.Key{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")})
}

func (s *server) list(r *http.Request) (any, error) {
	q := r.URL.Query()
	limit := 50
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return nil, badRequest("limit must be a number from 1 to " + strconv.Itoa(maxPage))
		}
		limit = n
	}
	f := store.InteractionFilter{
		Namespace: r.PathValue("namespace"), Agent: q.Get("agent"), Account: q.Get("account"), Queue: q.Get("queue"),
		After: q.Get("cursor"), Limit: limit + 1,
	}
	for _, state := range q["state"] {
		f.States = append(f.States, store.InteractionState(state))
	}
	found, err := s.Store.ListInteractions(r.Context(), f)
	if err != nil {
		return nil, err
	}
	out := wire.InteractionList{Interactions: []wire.Interaction{}}
	if len(found) > limit {
		found = found[:limit]
		out.Next = found[limit-1].ID
	}
	for _, i := range found {
		out.Interactions = append(out.Interactions, interactionOf(i))
	}
	return out, nil
}

// maxPage is below the store's own limit, so that one more row tells whether there is a next page.
const maxPage = 199

func interactionOf(i store.Interaction) wire.Interaction {
	return wire.Interaction{
		ID: i.ID, Channel: string(i.Channel), Account: i.Account, Queue: i.Queue, State: string(i.State), Agent: i.Agent, LastAgent: i.LastAgent,
		Deadline: i.Deadline, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, Messages: i.MessageCount,
	}
}
