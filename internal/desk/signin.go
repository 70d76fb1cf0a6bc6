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

		PasswordExpiresInDays int `json:"passwordExpiresInDays,omitempty" doc:"Set from some days before the password must be changed (the center's warnBefore): tell the agent. The day that has begun counts"`
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

	s.registerExpired(api)

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
	known, err := s.verifyAgent(ctx, in.address, in.Body.Center, in.Body.Username, in.Body.Password)
	if err != nil {
		return nil, err
	}
	agent := known.Agent
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	if known.rules.Age.Expired(known.credential.ChangedAt, now) {
		return nil, problem(CodePasswordExpired, "the password must be changed before signing in")
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
	out.Body.PasswordExpiresInDays, _ = known.rules.Age.Warn(known.credential.ChangedAt, now)
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

// knownAgent is an active agent who gave the right password.
type knownAgent struct {
	store.Agent
	credential store.Credential
	rules      PasswordRules
}

// verifyAgent finds the agent the password belongs to. Unknown users, ambiguous ones, users without a password, locked ones and
// wrong passwords look and take the same.
func (s *server) verifyAgent(ctx context.Context, address, center, username, password string) (knownAgent, error) {
	agent, err := s.Store.FindAgent(ctx, center, username)
	unknown := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict)
	if err != nil && !unknown {
		return knownAgent{}, err
	}
	found := knownAgent{Agent: agent}
	if !unknown {
		found.credential, err = s.Store.GetCredential(ctx, agent.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return knownAgent{}, err
		}
		if found.rules, err = s.PasswordRules(ctx, agent.Namespace); err != nil {
			return knownAgent{}, err
		}
	}
	match, err := s.countedPassword(ctx, found, password, address, center, username)
	if err != nil {
		return knownAgent{}, err
	}
	if !match {
		// Never the user name as it was typed: people type passwords there.
		s.Logger.InfoContext(ctx, "sign-in refused", "agent", agent.String(), "known", !unknown, "address", address, "requestID", requestID(ctx))
		return knownAgent{}, problem(CodeAuthFailed, "the user name or the password is wrong, the account is locked after too many wrong passwords, or the user name exists in several centers and none was named")
	}
	if !agent.Active {
		return knownAgent{}, problem(CodeAccountDeactivated, "the account was deactivated by an administrator")
	}
	return found, nil
}

// countedPassword is checkPassword that counts wrong ones and locks the account of the agent; of a locked one, no password is right. An
// agent without a name is nobody.
func (s *server) countedPassword(ctx context.Context, a knownAgent, password string, key ...string) (bool, error) {
	nobody := a.Name == ""
	var locked store.SignInLock
	if !nobody {
		var err error
		if locked, err = s.Store.SignInLockOf(ctx, a.Key); err != nil {
			return false, err
		}
	}
	hash := a.credential.Hash
	if locked.Locked() {
		hash = "" // takes as long, and matches nothing
	}
	match, err := s.checkPassword(ctx, password, hash, key...)
	switch {
	case err != nil || nobody || locked.Locked():
		return match, err
	case match:
		err = s.Store.PassSignIn(ctx, a.Key)
		if errors.Is(err, store.ErrConflict) { // another attempt has just locked it
			return false, nil
		}
		return err == nil, err
	}
	now, err := s.Store.FailSignIn(ctx, a.Key, a.rules.MaxAttempts)
	if now.Locked() && err == nil {
		s.Logger.WarnContext(ctx, "an account was locked after wrong passwords", "agent", a.String(), "attempts", now.Failed, "requestID", requestID(ctx))
	}
	if errors.Is(err, store.ErrNotFound) { // deleted meanwhile
		err = nil
	}
	return false, err
}

// checkPassword verifies a password within the limit of wrong ones for key.
func (s *server) checkPassword(ctx context.Context, password, hash string, key ...string) (bool, error) {
	attempt, wait, err := s.signIns.begin(ctx, strings.Join(key, "\x00"))
	if err != nil {
		return false, err
	}
	if wait > 0 {
		return false, rateLimited("too many wrong passwords", wait)
	}
	match, err := security.Verify(ctx, password, hash)
	if errors.Is(err, security.ErrPasswordTooLong) {
		err = nil // wrong like any other
	}
	attempt.finish(match, err)
	return match, err
}

func rateLimited(why string, wait time.Duration) *Problem {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return problem(CodeRateLimited, why+"; wait "+seconds+" s").withHeader("Retry-After", seconds)
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
	credential, err := s.Store.GetCredential(ctx, c.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	rules, err := s.PasswordRules(ctx, c.Namespace)
	if err != nil {
		return err
	}
	known := knownAgent{Agent: c.Agent, credential: credential, rules: rules}
	if err := mayChooseOwn(c.Agent); err != nil {
		return err
	}
	match, err := s.countedPassword(ctx, known, current, "current", c.Namespace, c.Name)
	if err != nil {
		return err
	}
	if !match {
		return problem(CodeCurrentPassword, "the current password is wrong, or the account is locked after too many wrong passwords")
	}
	return s.choosePassword(ctx, known, wanted, c.tokenHash)
}

// mayChooseOwn refuses agents whose password is the administrators'.
func mayChooseOwn(a store.Agent) error {
	profile, err := parseProfile(a.Profile)
	if err != nil {
		return err
	}
	if profile.PasswordManagement == PasswordEnforced {
		return problem(CodePasswordEnforced, "the password is managed by the administrators of the center")
	}
	return nil
}

// choosePassword replaces the password by one that the agent wants. Sessions end but keepSession.
func (s *server) choosePassword(ctx context.Context, a knownAgent, wanted, keepSession string) error {
	if err := s.checkNewPassword(ctx, a.Key, a.rules, wanted); err != nil {
		return err
	}
	var err error
	if a.credential.Hash, err = security.Hash(ctx, wanted); err != nil {
		return err
	}
	a.credential.Agent = a.Key
	// SecretVersion stays: only a later change of the Secret replaces what the agent chose.
	return s.Store.SetPassword(ctx, a.credential, max(0, a.rules.History-1), keepSession)
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
