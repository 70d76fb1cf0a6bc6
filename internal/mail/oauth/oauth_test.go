package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/oauthtest"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// vault is a Secret in memory.
type vault struct {
	mu     sync.Mutex
	token  remote.Secret
	err    error
	before func() // each Rotate
}

func (v *vault) RefreshToken(context.Context, SecretKey) (remote.Secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.token, nil
}

func (v *vault) Rotate(_ context.Context, _ SecretKey, old, new remote.Secret) error {
	if v.before != nil {
		v.before()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.err != nil:
		return v.err
	case v.token != old:
		return ErrReplaced
	}
	v.token = new
	return nil
}

func (v *vault) set(token string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.token, v.err = remote.Secret(token), err
}

func authorized(t *testing.T) (*oauthtest.Server, *vault, Config) {
	t.Helper()
	s := oauthtest.New(t, "support@example.test")
	v := &vault{token: remote.Secret(s.Authorize())}
	return s, v, Config{
		Owner: "center/support", TokenURL: s.TokenURL, ClientID: oauthtest.ClientID, ClientSecret: oauthtest.ClientSecret,
		Refresh: &SecretKey{"center", "support", "token"}, RootCAs: s.CA, Version: "1",
	}
}

func TestTokenIsUsedUntilItsEndIsNear(t *testing.T) {
	g := NewWithT(t)
	s, v, cfg := authorized(t)
	tokens := NewTokens(v)
	first, used, err := tokens.Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(used).To(BeFalse())
	g.Expect(v.token.Reveal()).To(Equal("refresh-2"), "the replaced refresh token is stored")
	again, used, err := tokens.Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(used).To(BeTrue())
	g.Expect(again).To(Equal(first))

	// Another account with the same client has tokens of its own.
	other := cfg
	other.Owner = "center/sales"
	foreign, _, err := tokens.Token(t.Context(), other)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(foreign).NotTo(Equal(first))

	tokens.Drop(cfg, first)
	renewed, used, err := tokens.Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(used).To(BeFalse())
	g.Expect(renewed).NotTo(Equal(first))

	s.Live(2 * time.Second) // of which the first half is used
	tokens.Drop(cfg, renewed)
	short, _, err := tokens.Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() remote.Secret {
		token, _, err := tokens.Token(t.Context(), cfg)
		g.Expect(err).NotTo(HaveOccurred())
		return token
	}, 5*time.Second, 20*time.Millisecond).ShouldNot(Equal(short))
}

func TestEnd(t *testing.T) {
	now := time.Now()
	for life, want := range map[time.Duration]time.Duration{time.Hour: 55 * time.Minute, 11 * time.Minute: 6 * time.Minute, time.Minute: 30 * time.Second} {
		token := testToken(now.Add(life))
		if got := end(token, now).Sub(now); got != want {
			t.Errorf("a token of %s is used for %s, want %s", life, got, want)
		}
	}
	if end(testToken(time.Time{}), now).Before(now.AddDate(0, 1, 0)) {
		t.Error("a token of unknown life is not used until it is refused")
	}
}

// A refresh token that cannot be stored holds back the access token that came with it, and is not lost meanwhile.
func TestRotatedTokenIsStoredFirst(t *testing.T) {
	g := NewWithT(t)
	s, v, cfg := authorized(t)
	v.set(v.token.Reveal(), errors.New("the API server is away"))
	tokens := NewTokens(v)
	for range 3 {
		_, _, err := tokens.Token(t.Context(), cfg)
		g.Expect(remote.ReasonOf(err)).To(Equal(remote.ReasonTokenNotStored))
	}
	g.Expect(s.Issued()).To(Equal(3), "asked once: the old refresh token is worth nothing any more")
	v.set(v.token.Reveal(), nil)
	token, _, err := tokens.Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(token.Reveal()).To(Equal("access-3"))
	g.Expect(v.token.Reveal()).To(Equal("refresh-2"))

	// A process that ended after the write and before the first use left what the next one needs.
	_, _, err = NewTokens(v).Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.token.Reveal()).To(Equal("refresh-4"))
}

func testToken(expiry time.Time) *oauth2.Token {
	return &oauth2.Token{AccessToken: "a", Expiry: expiry}
}

// What an administrator stores meanwhile is the later word.
func TestAnotherTokenMeanwhile(t *testing.T) {
	g := NewWithT(t)
	s, v, cfg := authorized(t)
	v.before = func() {
		v.before = nil
		v.set(s.Authorize(), nil)
	}
	token, _, err := NewTokens(v).Token(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(token.Reveal()).To(Equal("access-6"))
	g.Expect(v.token.Reveal()).To(Equal("refresh-5"))
}

func TestOneRequestAtATime(t *testing.T) {
	g := NewWithT(t)
	_, v, cfg := authorized(t)
	tokens := NewTokens(v)
	var wait sync.WaitGroup
	got := make([]remote.Secret, 8)
	for i := range got {
		wait.Go(func() { got[i], _, _ = tokens.Token(t.Context(), cfg) })
	}
	wait.Wait()
	g.Expect(got).To(HaveEach(remote.Secret("access-3")))
}

func TestClientCredentialsAndKeptRefreshTokens(t *testing.T) {
	g := NewWithT(t)
	s, v, cfg := authorized(t)
	own := cfg
	own.Refresh, own.BasicAuthentication = nil, true
	_, _, err := NewTokens(nil).Token(t.Context(), own)
	g.Expect(err).NotTo(HaveOccurred())
	s.KeepRefreshToken()
	for range 2 {
		_, _, err = NewTokens(v).Token(t.Context(), cfg)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(v.token.Reveal()).To(Equal("refresh-1"))
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*oauthtest.Server, *vault, *Config)
		reason string
		says   string
	}{
		"withdrawn":      {func(_ *oauthtest.Server, v *vault, _ *Config) { v.set("refresh-0", nil) }, remote.ReasonAuthorizationRequired, "authorize"},
		"wrong secret":   {func(_ *oauthtest.Server, _ *vault, c *Config) { c.ClientSecret = "wrong-one" }, remote.ReasonAuthenticationFailed, "invalid_client"},
		"unknown issuer": {func(_ *oauthtest.Server, _ *vault, c *Config) { c.RootCAs = "" }, remote.ReasonCertificateInvalid, "token endpoint: "},
		"no bundle":      {func(_ *oauthtest.Server, _ *vault, c *Config) { c.RootCAs = "none" }, remote.ReasonCertificateInvalid, "PEM"},
		"no server":      {func(_ *oauthtest.Server, _ *vault, c *Config) { c.TokenURL = "https://127.0.0.1:1/token" }, remote.ReasonConnectionFailed, "refused"},
		"down":           {fails(http.StatusServiceUnavailable, "try later"), remote.ReasonConnectionFailed, "503"},
		"not found":      {fails(http.StatusNotFound, "what?"), remote.ReasonAuthenticationFailed, "404"},
		"elsewhere":      {fails(http.StatusFound, ""), remote.ReasonConnectionFailed, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s, v, cfg := authorized(t)
			test.change(s, v, &cfg)
			_, _, err := NewTokens(v).Token(t.Context(), cfg)
			g.Expect(remote.ReasonOf(err)).To(Equal(test.reason), "%v", err)
			g.Expect(err.Error()).To(ContainSubstring(test.says))
			for _, secret := range []string{"refresh-", "wrong-one", "secret words", "try later", "what?"} {
				g.Expect(strings.Contains(err.Error(), secret)).To(BeFalse(), "shows %q", secret)
			}
		})
	}
}

func fails(status int, body string) func(*oauthtest.Server, *vault, *Config) {
	return func(s *oauthtest.Server, _ *vault, _ *Config) {
		s.Fail(func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "https://elsewhere.example.test/")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		})
	}
}
