package desk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	// resetSpacing between two links of one agent, so that nobody can fill a mailbox.
	resetSpacing = 5 * time.Minute
	// resetAnswer is how long the answer to a request takes at least: finding nobody takes less than writing a mail.
	resetAnswer = 300 * time.Millisecond
)

type resetInput struct {
	address string
	Body    struct {
		Center string `json:"center,omitempty" maxLength:"63" example:"support" doc:"Namespace of the contact center; may be omitted: a user name must then exist in one center only, and for an address every center sends its own mail"`
		User   string `json:"user" minLength:"1" maxLength:"254" example:"alice.r" doc:"User name or e-mail address"`
	}
}

// Resolve takes the caller's address from the request, which an operation does not see otherwise.
func (in *resetInput) Resolve(ctx huma.Context) []error {
	in.address, _ = ctx.Context().Value(addressKey).(string)
	return nil
}

type linkInput struct {
	Body struct {
		Token string `json:"token" minLength:"20" maxLength:"200" doc:"From the fragment of the link: #token=TOKEN"`
		New   string `json:"new" minLength:"1" maxLength:"1024"`
	}
}

// registerReset adds the way on for agents who forgot their password.
func (s *server) registerReset(api huma.API) {
	ask := operation("requestPasswordReset", http.MethodPost, "/v1/password-reset", "Ask for a link to set a new password")
	ask.Description = "Mails a link to the agents whom the user name or e-mail address belongs to. The answer is always the same, whether there is " +
		"somebody or not. No mail goes to deactivated agents, to those without an address, to those whose passwordManagement is Enforced, and to " +
		"those who got one in the last five minutes."
	ask.Security = nil
	ask.DefaultStatus = http.StatusAccepted
	ask.Errors = []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	huma.Register(api, ask, s.requestReset)

	redeem := operation("redeemPasswordLink", http.MethodPost, "/v1/password-links", "Set a new password by a link")
	redeem.Description = "Ends all sessions of the agent and opens none: sign in afterwards. A refused password leaves the link as it was. An account " +
		"that is locked after wrong passwords stays locked."
	redeem.Security = nil
	redeem.DefaultStatus = http.StatusNoContent
	redeem.Errors = []int{http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, redeem, s.redeemLink)
}

func (s *server) requestReset(ctx context.Context, in *resetInput) (*noBody, error) {
	began := time.Now()
	if err := s.reset(ctx, in); err != nil {
		return nil, s.fail(ctx, "asking for a new password", err)
	}
	select {
	case <-time.After(resetAnswer - time.Since(began)):
	case <-ctx.Done():
	}
	return nil, nil
}

// reset fails only by what does not depend on who is asked for.
func (s *server) reset(ctx context.Context, in *resetInput) error {
	user := strings.TrimSpace(in.Body.User)
	attempt, wait, err := s.signIns.begin(ctx, strings.Join([]string{"reset", in.address, in.Body.Center, strings.ToLower(user)}, "\x00"))
	if err != nil {
		return err
	}
	if wait > 0 {
		return rateLimited("too many requests for a new password", wait)
	}
	defer attempt.finish(false, nil)
	if in.Body.Center != "" {
		way, err := s.PasswordReset(ctx, in.Body.Center)
		if err != nil {
			return err
		}
		if way == nil {
			return problem(CodeResetUnavailable, "")
		}
	}
	agents, err := s.whoForgot(ctx, in.Body.Center, user)
	if err != nil {
		return err
	}
	for _, a := range agents {
		if err := s.sendLink(ctx, a); err != nil {
			s.Logger.ErrorContext(ctx, "a link to set a password was not sent", "agent", a.String(), "requestID", requestID(ctx), "error", err)
		}
	}
	return nil
}

// whoForgot are the agents whom a user name or an address belongs to. No user name has an @.
func (s *server) whoForgot(ctx context.Context, center, user string) ([]store.Agent, error) {
	if strings.Contains(user, "@") {
		return s.Store.FindAgentsByEmail(ctx, center, user)
	}
	a, err := s.Store.FindAgent(ctx, center, user)
	switch {
	case errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []store.Agent{a}, nil
}

// sendLink mails a link to an agent who may set the password by one.
func (s *server) sendLink(ctx context.Context, a store.Agent) error {
	way, err := s.PasswordReset(ctx, a.Namespace)
	if err != nil || way == nil || !a.Active || a.Email == "" {
		return err
	}
	if err := mayChooseOwn(a); err != nil {
		if _, refused := errors.AsType[*Problem](err); refused {
			return nil
		}
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return err
	}
	token := security.NewToken()
	mail, err := way.Mail(a, token, now.Add(way.TTL))
	if err != nil {
		return err
	}
	tokenHash := security.TokenHash(token)
	mail.DedupeKey = "password-reset/" + tokenHash
	added, err := s.Store.AddPasswordLink(ctx, a.Key, tokenHash, way.TTL, resetSpacing)
	if err != nil || !added {
		return err
	}
	if _, err := s.Store.AddSystemMail(ctx, mail); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "a link to set a password is sent", "agent", a.String(), "requestID", requestID(ctx))
	return nil
}

func (s *server) redeemLink(ctx context.Context, in *linkInput) (*noBody, error) {
	err := s.redeem(ctx, security.TokenHash(in.Body.Token), in.Body.New)
	if errors.Is(err, store.ErrNotFound) { // the link, or by now its agent
		err = problem(CodeLinkGone, "")
	}
	if err != nil {
		return nil, s.fail(ctx, "setting a password by a link", err)
	}
	return nil, nil
}

func (s *server) redeem(ctx context.Context, tokenHash, wanted string) error {
	link, err := s.Store.GetPasswordLink(ctx, tokenHash)
	if err != nil {
		return err
	}
	agent, err := s.Store.GetAgent(ctx, link.Agent)
	if err != nil {
		return err
	}
	if !agent.Active {
		return problem(CodeAccountDeactivated, "the account was deactivated by an administrator")
	}
	if err := mayChooseOwn(agent); err != nil {
		return err
	}
	rules, err := s.PasswordRules(ctx, agent.Namespace)
	if err != nil {
		return err
	}
	if err := s.checkNewPassword(ctx, agent.Key, rules, wanted); err != nil {
		return err
	}
	hash, err := security.Hash(ctx, wanted)
	if err != nil {
		return err
	}
	if _, err := s.Store.RedeemPasswordLink(ctx, tokenHash, hash, max(0, rules.History-1)); err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "a password was set by a link", "agent", agent.String(), "requestID", requestID(ctx))
	return nil
}
