package desk

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

type loginInput struct {
	address string
	Body    struct {
		Center   string `json:"center,omitempty" maxLength:"63" example:"support" doc:"Namespace of the contact center; may be omitted when the user name exists in one center only"`
		Username string `json:"username" minLength:"1" maxLength:"64" example:"alice.r"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`

		Client    store.Client `json:"client,omitempty" enum:"Phonebar,Web,Other" default:"Other" doc:"What kind of client this is"`
		Telephone string       `json:"telephone,omitempty" maxLength:"253" doc:"Hot desk: name of the telephone to sit at"`
	}
}

// Resolve takes the caller's address from the request, which an operation does not see otherwise.
func (in *loginInput) Resolve(ctx huma.Context) []error {
	in.address, _ = ctx.Context().Value(addressKey).(string)
	return nil
}

type loginOutput struct {
	Body struct {
		Token     string    `json:"token" doc:"Send it as Authorization: Bearer TOKEN; it cannot be read again"`
		ExpiresAt time.Time `json:"expiresAt"`
		Agent     Identity  `json:"agent"`
	}
}

type noBody struct{}

type passwordInput struct {
	Body struct {
		Current string `json:"current" minLength:"1" maxLength:"1024"`
		New     string `json:"new" minLength:"1" maxLength:"1024"`
	}
}

func (s *server) registerSignIn(api huma.API) {
	login := operation("login", http.MethodPost, "/v1/login", "Sign in")
	login.Description = "Opens a session and signs the agent in, as ready or, where the agent's loginState says so, paused with the reason " +
		LoginPauseReason + "; an agent who is signed in already keeps their presence. A web client of an agent with typology Phonebar only opens " +
		"a session, unless the center allows more: the phonebar signs in."
	login.Security = nil
	login.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	huma.Register(api, login, s.login)

	logout := operation("logout", http.MethodPost, "/v1/logout", "Sign out")
	logout.Description = "Ends this session and signs the agent out. Running offers go back to their queue; open interactions stay. A web client " +
		"of an agent with typology Phonebar only ends the session, unless the center allows more."
	logout.DefaultStatus = http.StatusNoContent
	logout.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	huma.Register(api, logout, s.logout)

	password := operation("changePassword", http.MethodPost, "/v1/me/password", "Change the own password")
	password.Description = "Ends all other sessions of the agent."
	password.DefaultStatus = http.StatusNoContent
	password.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	huma.Register(api, password, s.changePassword)
}

func (s *server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	out, err := s.signIn(ctx, in)
	if err != nil {
		return nil, s.fail(ctx, "signing in", err)
	}
	return out, nil
}

func (s *server) signIn(ctx context.Context, in *loginInput) (*loginOutput, error) {
	agent, err := s.verifyAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	if !agent.Active {
		return nil, problem(CodeAccountDeactivated, "the account was deactivated by an administrator")
	}

	if in.Body.Telephone != "" {
		if err := s.checkTelephone(ctx, agent, in.Body.Telephone); err != nil {
			return nil, err
		}
	}
	token := security.NewToken()
	tokenHash := security.TokenHash(token)
	if err := s.Store.CreateSession(ctx, agent.Key, in.Body.Client, tokenHash, s.SessionTTL); err != nil {
		return nil, err
	}
	session, err := s.Store.GetSession(ctx, tokenHash)
	if err != nil {
		return nil, err
	}
	if err := s.startWork(ctx, agent, in.Body.Client, in.Body.Telephone); err != nil {
		// The client may have gone as well.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if deleting := s.Store.DeleteSession(ending, tokenHash); deleting != nil {
			s.Logger.WarnContext(ctx, "ending the session of a refused sign-in", "agent", agent.String(), "requestID", requestID(ctx), "error", deleting)
		}
		return nil, s.telephoneTaken(ctx, agent.Namespace, err)
	}
	out := &loginOutput{}
	out.Body.Token = token
	out.Body.ExpiresAt = session.Expires.UTC()
	out.Body.Agent = identityOf(agent)
	return out, nil
}

// LoginPauseReason is why an agent whose loginState is Paused is paused after signing in.
const LoginPauseReason = "LoginInPause"

// startWork signs the agent in, at the telephone if one is given, unless they are already or this client does not decide.
func (s *server) startWork(ctx context.Context, agent store.Agent, client store.Client, telephone string) error {
	profile, err := parseProfile(agent.Profile)
	if err != nil {
		return err
	}
	presence, err := s.Store.GetPresence(ctx, agent.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	switch {
	case !profile.mayChangePresence(client):
		return nil
	case !presence.SignedIn:
		p := store.Presence{Agent: agent.Key, SignedIn: true, Source: client, Telephone: telephone}
		if profile.LoginState == LoginPaused {
			p.Paused, p.Reason = true, LoginPauseReason
		}
		return s.Store.SetPresence(ctx, p)
	case telephone != "":
		return s.Store.TakeSeat(ctx, agent.Key, telephone)
	}
	return nil
}

// verifyAgent finds the agent the password belongs to. Unknown users, ambiguous ones, users without a password and
// wrong passwords look and take the same.
func (s *server) verifyAgent(ctx context.Context, in *loginInput) (store.Agent, error) {
	agent, err := s.Store.FindAgent(ctx, in.Body.Center, in.Body.Username)
	unknown := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict)
	if err != nil && !unknown {
		return store.Agent{}, err
	}
	var credential store.Credential
	if !unknown {
		credential, err = s.Store.GetCredential(ctx, agent.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.Agent{}, err
		}
	}
	match, err := s.checkPassword(ctx, in.Body.Password, credential.Hash, in.address, in.Body.Center, in.Body.Username)
	if err != nil {
		return store.Agent{}, err
	}
	if !match {
		// Never the user name as it was typed: people type passwords there.
		s.Logger.InfoContext(ctx, "sign-in refused", "agent", agent.String(), "known", !unknown, "address", in.address, "requestID", requestID(ctx))
		return store.Agent{}, problem(CodeAuthFailed, "the user name or the password is wrong, or the user name exists in several centers and none was named")
	}
	return agent, nil
}

// checkPassword verifies a password within the limit of wrong ones for key.
func (s *server) checkPassword(ctx context.Context, password, hash string, key ...string) (bool, error) {
	attempt, wait, err := s.signIns.begin(ctx, strings.Join(key, "\x00"))
	if err != nil {
		return false, err
	}
	if wait > 0 {
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		return false, problem(CodeRateLimited, "too many wrong passwords; wait "+seconds+" s").withHeader("Retry-After", seconds)
	}
	match, err := security.Verify(ctx, password, hash)
	if errors.Is(err, security.ErrPasswordTooLong) {
		err = nil // wrong like any other
	}
	attempt.finish(match, err)
	return match, err
}

func (s *server) logout(ctx context.Context, _ *noBody) (*noBody, error) {
	c := callerOf(ctx)
	profile, err := parseProfile(c.Profile)
	if err != nil {
		return nil, s.fail(ctx, "reading a profile", err)
	}
	if profile.mayChangePresence(c.client) {
		// Presence first: when it fails the session is still there to try again with.
		if err := s.Store.SetPresence(ctx, store.Presence{Agent: c.Key, Source: c.client}); err != nil {
			return nil, s.fail(ctx, "signing out", err)
		}
	}
	if err := s.Store.DeleteSession(ctx, c.tokenHash); err != nil {
		return nil, s.fail(ctx, "ending a session", err)
	}
	s.hub.recheck(c.Key)
	return nil, nil
}

func (s *server) changePassword(ctx context.Context, in *passwordInput) (*noBody, error) {
	if err := s.setPassword(ctx, callerOf(ctx), in.Body.Current, in.Body.New); err != nil {
		return nil, s.fail(ctx, "changing a password", err)
	}
	return nil, nil
}

func (s *server) setPassword(ctx context.Context, c caller, current, wanted string) error {
	profile, err := parseProfile(c.Profile)
	if err != nil {
		return err
	}
	if profile.PasswordManagement == PasswordEnforced {
		return problem(CodePasswordEnforced, "the password is managed by the administrators of the center")
	}
	credential, err := s.Store.GetCredential(ctx, c.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	match, err := s.checkPassword(ctx, current, credential.Hash, "current", c.Namespace, c.Name)
	if err != nil {
		return err
	}
	if !match {
		return problem(CodeCurrentPassword, "the current password is wrong")
	}

	rules, err := s.PasswordRules(ctx, c.Namespace)
	if err != nil {
		return err
	}
	if err := s.checkNewPassword(ctx, c.Key, rules, wanted); err != nil {
		return err
	}
	if credential.Hash, err = security.Hash(ctx, wanted); err != nil {
		return err
	}
	credential.Agent = c.Key
	// SecretVersion stays: only a later change of the Secret replaces what the agent chose.
	return s.Store.SetPassword(ctx, credential, max(0, rules.History-1), c.tokenHash)
}

func (s *server) checkNewPassword(ctx context.Context, agent store.Key, rules PasswordRules, wanted string) error {
	if violations := rules.Policy.Check(wanted); len(violations) > 0 {
		p := problem(CodePasswordPolicy, security.Explain(violations))
		for _, v := range violations {
			p.Errors = append(p.Errors, ProblemDetail{Location: "body.new", Rule: v.Rule, Message: v.Message})
		}
		return p
	}
	hashes, err := s.Store.PasswordHistory(ctx, agent)
	if err != nil {
		return err
	}
	for _, hash := range hashes[:min(len(hashes), max(0, rules.History))] {
		reused, err := security.Verify(ctx, wanted, hash)
		if err != nil {
			return err
		}
		if reused {
			return store.ErrPasswordReused
		}
	}
	return nil
}
