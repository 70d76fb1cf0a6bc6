// Package oauth gets the access tokens that accounts sign in with (RFC 6749), and keeps the refresh tokens they come from: one
// that the provider replaced is stored before anything is done with what came with it.
package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// margin before its end at which an access token is replaced; of one that lives less than twice that long, half its life.
const margin = 5 * time.Minute

// requestTimeout bounds a request to the token endpoint.
const requestTimeout = 15 * time.Second

// ErrReplaced says that somebody else stored another refresh token meanwhile.
var ErrReplaced = errors.New("the refresh token was replaced")

// SecretKey is a place for a refresh token.
type SecretKey struct{ Namespace, Name, Key string }

// Config is what an account's tokens come from.
type Config struct {
	// Owner keeps the tokens of accounts apart that have everything else in common.
	Owner        string
	TokenURL     string
	ClientID     string
	ClientSecret remote.Secret
	// BasicAuthentication sends the client's secret in the header (RFC 6749 section 2.3.1) instead of the body.
	BasicAuthentication bool
	Scopes              []string
	// Refresh is where the refresh token is kept; nil for the client's own credentials.
	Refresh *SecretKey
	// RootCAs are PEM certificates trusted in place of the system's; "" means the system's.
	RootCAs string
	// Version changes when somebody else than this package changes a secret.
	Version string
}

// Vault keeps refresh tokens where a restart finds them.
type Vault interface {
	RefreshToken(ctx context.Context, at SecretKey) (remote.Secret, error)
	// Rotate replaces old by new. It is ErrReplaced when there is neither of them.
	Rotate(ctx context.Context, at SecretKey, old, new remote.Secret) error
}

// Tokens are the access tokens of all accounts.
type Tokens struct {
	vault Vault

	mu      sync.Mutex
	sources map[string]*source
}

// NewTokens makes Tokens; nothing happens before one is asked for.
func NewTokens(v Vault) *Tokens { return &Tokens{vault: v, sources: map[string]*source{}} }

// Token returns an access token, and whether an earlier call returned it, too. Errors are *remote.Error.
func (t *Tokens) Token(ctx context.Context, cfg Config) (token remote.Secret, used bool, err error) {
	s := t.source(cfg)
	select {
	case s.busy <- struct{}{}: // one request at a time: a refresh token may work once only
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
	if s.cfg.Version != cfg.Version {
		s.token, s.unsaved = nil, nil // what came from other secrets
	}
	s.cfg = cfg
	if s.token != nil && time.Now().Before(s.until) {
		return remote.Secret(s.token.AccessToken), true, nil
	}
	if err := s.renew(ctx, t.vault); err != nil {
		return "", false, err
	}
	return remote.Secret(s.token.AccessToken), false, nil
}

// Drop forgets a token that a server refused.
func (t *Tokens) Drop(cfg Config, token remote.Secret) {
	s := t.source(cfg)
	s.busy <- struct{}{}
	defer func() { <-s.busy }()
	if s.token != nil && s.token.AccessToken == token.Reveal() {
		s.token = nil
	}
}

func (t *Tokens) source(cfg Config) *source {
	cfg.Version = ""
	b, err := json.Marshal(cfg) // secrets marshal as a constant; nothing here can fail
	if err != nil {
		panic(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.sources[string(b)]
	if !ok {
		s = &source{busy: make(chan struct{}, 1)}
		t.sources[string(b)] = s
	}
	return s
}

// source gets the tokens of one configuration; busy guards it.
type source struct {
	busy    chan struct{}
	cfg     Config
	token   *oauth2.Token
	until   time.Time
	unsaved *rotation
}

// rotation is a refresh token that replaces another one and is not stored yet.
type rotation struct {
	old, new remote.Secret
	token    *oauth2.Token
}

// renew gets a token. With a new refresh token it is not used before that is stored; until then it is tried again here, because the old
// one may be worth nothing any more.
func (s *source) renew(ctx context.Context, v Vault) error {
	s.token = nil
	for attempt := 0; ; attempt++ {
		token, err := s.obtain(ctx, v)
		if errors.Is(err, ErrReplaced) && attempt == 0 {
			continue // an administrator's, or another replica's: theirs is the later one
		}
		if err != nil {
			return vaultError(err)
		}
		s.token, s.until = token, end(token, time.Now())
		return nil
	}
}

func (s *source) obtain(ctx context.Context, v Vault) (*oauth2.Token, error) {
	if s.unsaved == nil {
		var old remote.Secret
		if s.cfg.Refresh != nil {
			var err error
			if old, err = v.RefreshToken(ctx, *s.cfg.Refresh); err != nil {
				return nil, err
			}
		}
		token, err := s.request(ctx, old)
		if err != nil {
			return nil, err
		}
		if s.cfg.Refresh == nil || token.RefreshToken == "" || token.RefreshToken == old.Reveal() {
			return token, nil
		}
		s.unsaved = &rotation{old: old, new: remote.Secret(token.RefreshToken), token: token}
	}
	err := v.Rotate(ctx, *s.cfg.Refresh, s.unsaved.old, s.unsaved.new)
	if err != nil && !errors.Is(err, ErrReplaced) {
		return nil, err
	}
	token := s.unsaved.token
	s.unsaved = nil
	if err == nil && !time.Now().Before(end(token, time.Now())) {
		return s.obtain(ctx, v) // it took so long to store that the access token has ended
	}
	return token, err
}

// end is when a token is to be replaced. One of unknown life is used until it is refused.
func end(t *oauth2.Token, now time.Time) time.Time {
	if t.Expiry.IsZero() {
		return now.AddDate(1, 0, 0)
	}
	return t.Expiry.Add(-min(margin, t.Expiry.Sub(now)/2))
}

// request asks the token endpoint.
func (s *source) request(ctx context.Context, refresh remote.Secret) (*oauth2.Token, error) {
	client, err := HTTPClient(s.cfg.RootCAs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithValue(ctx, oauth2.HTTPClient, client), requestTimeout,
		&remote.TimeoutError{Step: "the request for an access token", After: requestTimeout})
	defer cancel()
	style := oauth2.AuthStyleInParams
	if s.cfg.BasicAuthentication {
		style = oauth2.AuthStyleInHeader
	}
	var token *oauth2.Token
	if s.cfg.Refresh == nil {
		c := clientcredentials.Config{
			ClientID: s.cfg.ClientID, ClientSecret: s.cfg.ClientSecret.Reveal(), TokenURL: s.cfg.TokenURL, Scopes: s.cfg.Scopes, AuthStyle: style,
		}
		token, err = c.Token(ctx)
	} else {
		c := oauth2.Config{
			ClientID: s.cfg.ClientID, ClientSecret: s.cfg.ClientSecret.Reveal(), Endpoint: oauth2.Endpoint{TokenURL: s.cfg.TokenURL, AuthStyle: style},
		}
		token, err = c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	}
	if err != nil {
		return nil, Classify(ctx, err)
	}
	return token, nil
}

// HTTPClient speaks to a token endpoint. It follows no redirection: that would carry secrets elsewhere.
func HTTPClient(rootCAs string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if rootCAs != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(rootCAs)) {
			return nil, &remote.Error{Reason: remote.ReasonCertificateInvalid, Message: "the CA bundle of the token endpoint holds no PEM certificate"}
		}
	}
	return &http.Client{
		Timeout:       requestTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Classify makes a *remote.Error of what a token endpoint answered. Only the codes of RFC 6749 section 5.2 are repeated.
func Classify(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		if strange, ok := errors.AsType[*json.SyntaxError](err); ok {
			return &remote.Error{Reason: remote.ReasonProtocolError, Message: "the token endpoint did not answer in JSON", Err: strange}
		}
		known := remote.Classify(ctx, err)
		if e, ok := errors.AsType[*remote.Error](known); ok {
			return &remote.Error{Reason: e.Reason, Message: "token endpoint: " + e.Message, Err: known}
		}
		return known
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	switch code := refused.ErrorCode; {
	case code == "invalid_grant":
		return &remote.Error{
			Reason: remote.ReasonAuthorizationRequired, Err: err,
			Message: "the refresh token has ended or was withdrawn: authorize the account again (kubectl ringmaster authorize)",
		}
	case code == "invalid_client" || code == "unauthorized_client" || code == "invalid_scope" || code == "invalid_request" || code == "unsupported_grant_type":
		return &remote.Error{Reason: remote.ReasonAuthenticationFailed, Message: "the token endpoint refused: " + code, Err: err}
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
		return &remote.Error{Reason: remote.ReasonAuthenticationFailed, Message: fmt.Sprintf("the token endpoint answered %d", status), Err: err}
	}
	return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: fmt.Sprintf("the token endpoint answered %d", status), Err: err}
}

// vaultError is for errors of the Vault; the others are known already.
func vaultError(err error) error {
	if _, ok := errors.AsType[*remote.Error](err); ok {
		return err
	}
	return &remote.Error{Reason: remote.ReasonTokenNotStored, Message: "the Secret with the refresh token cannot be read or written now", Err: err}
}
