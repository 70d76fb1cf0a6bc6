package desk

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const bearerScheme = "session"

// caller is who a request comes from.
type caller struct {
	store.Agent
	// client is the kind of program the session was opened with.
	client      store.Client
	permissions Permissions
	// customers are the names that the request came by: texts that answer it may repeat them.
	customers *[]string
	tokenHash string
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey).(caller)
	return c
}

// bearer is RFC 6750 section 2.1 credentials with a token as security.NewToken makes them; the scheme is
// case-insensitive (RFC 9110 section 11.1).
var bearer = regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9_-]{20,200})$`)

// authenticate admits the operations that ask for it only with a live session of an active agent.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	c, err := s.identify(ctx.Context(), r.Header)
	if err != nil {
		s.asProblem(ctx.Context(), "authenticating", err).write(w)
		return
	}
	next(huma.WithValue(ctx, callerKey, c))
}

func (s *server) identify(ctx context.Context, h http.Header) (caller, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return caller{}, problem(CodeAuthRequired, "send the token of POST /v1/login as Authorization: Bearer TOKEN")
	}
	match := bearer.FindStringSubmatch(values[0])
	if len(values) > 1 || match == nil {
		return caller{}, problem(CodeAuthFormat, "the Authorization header must be one of the form: Bearer TOKEN")
	}
	tokenHash := security.TokenHash(match[1])
	session, err := s.Store.GetSession(ctx, tokenHash)
	if errors.Is(err, store.ErrNotFound) {
		return caller{}, sessionEnded()
	} else if err != nil {
		return caller{}, err
	}
	agent, err := s.Store.GetAgent(ctx, session.Agent)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !agent.Active) {
		return caller{}, sessionEnded()
	} else if err != nil {
		return caller{}, err
	}
	permissions, err := parsePermissions(agent.Permissions)
	if err != nil {
		return caller{}, err
	}
	return caller{Agent: agent, client: session.Client, permissions: permissions, customers: new([]string), tokenHash: tokenHash}, nil
}

func sessionEnded() *Problem { return problem(CodeAuthFailed, "the session has ended; sign in again") }
