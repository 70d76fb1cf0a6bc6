package mail

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauthtest"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// memoryVault keeps one refresh token.
type memoryVault struct {
	mu    sync.Mutex
	token remote.Secret
}

func (v *memoryVault) RefreshToken(context.Context, oauth.SecretKey) (remote.Secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.token, nil
}

func (v *memoryVault) Rotate(_ context.Context, _ oauth.SecretKey, old, new remote.Secret) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token != old {
		return oauth.ErrReplaced
	}
	v.token = new
	return nil
}

// oauthRig is a Dovecot that asks an authorization server about access tokens, and Postfix, which asks Dovecot.
func oauthRig(t *testing.T, mechanisms string) (*rig, *oauthtest.Server, Options) {
	t.Helper()
	issuer := oauthtest.New(t, "support@"+env.MailDomain)
	d := env.DovecotWith(t, env.DovecotOptions{IntrospectionURL: issuer.IntrospectionURL, BearerMechanisms: mechanisms})
	smtp := env.SMTP(t, d)
	ignore := goleak.IgnoreCurrent()
	serving := goleak.IgnoreAnyFunction("net/http.(*conn).serve") // the authorization server, which Dovecot stays connected to
	restarted := goleak.IgnoreAnyFunction("github.com/ringmaster-dev/ringmaster/test/env.(*Process).start.func1")
	t.Cleanup(func() { goleak.VerifyNone(t, ignore, serving, restarted) })
	r := rigOn(t, d)
	from := &oauth.Config{
		Owner: "center/support", TokenURL: issuer.TokenURL, ClientID: oauthtest.ClientID, ClientSecret: oauthtest.ClientSecret,
		Refresh: &oauth.SecretKey{Namespace: namespace, Name: "support", Key: "token"}, RootCAs: issuer.CA,
	}
	auth := remote.Auth{Type: remote.AuthOAuth2, Username: d.Address("support")}
	r.cfg.IMAP.Auth, r.cfg.IMAP.OAuth = auth, from
	r.cfg.SMTP = SMTP{Server: serverAt(t, smtp.SMTPSAddr, remote.TLS, smtp.CAFile), Auth: auth, OAuth: from}
	o := fast()
	o.Vault = &memoryVault{token: remote.Secret(issuer.Authorize())}
	return r, issuer, o
}

// Both mechanisms sign in at a real IMAP and a real SMTP server; a token that was withdrawn early is replaced without a wait.
func TestOAuth(t *testing.T) {
	for _, mechanism := range []string{"xoauth2", "oauthbearer"} {
		t.Run(mechanism, func(t *testing.T) {
			r, issuer, o := oauthRig(t, mechanism)
			r.put("support", letter("first", "x"))
			_, stop := r.run(o, r.cfg)
			r.awaitCount(1)
			r.Eventually(func() string { return r.status("support").SMTP }, 10*time.Second, 20*time.Millisecond).Should(Equal(ReasonReady), "%s", r.status("support").SMTPMessage)
			r.Expect(issuer.Issued()).To(Equal(3), "IMAP and SMTP share a token")

			issuer.Withdraw()
			r.Expect(r.dovecot.Kill9()).To(Succeed())
			r.Expect(r.dovecot.Restart(t.Context())).To(Succeed())
			r.put("support", letter("second", "x"))
			r.awaitCount(2)
			stop()
		})
	}
}

// A token of another mailbox, or a grant that was withdrawn, is said in the status and not tried again and again.
func TestOAuthRefused(t *testing.T) {
	r, issuer, o := oauthRig(t, "")
	foreign := r.account("sales")
	foreign.IMAP.Auth, foreign.IMAP.OAuth = r.cfg.IMAP.Auth, r.cfg.IMAP.OAuth
	foreign.IMAP.Auth.Username = r.dovecot.Address("sales")
	r.run(o, foreign)
	r.Eventually(func() string { return r.status("sales").IMAP }, 10*time.Second, 20*time.Millisecond).Should(Equal(ReasonAuthenticationFailed))
	r.Expect(r.status("sales").IMAPMessage).To(And(ContainSubstring("access token"), Not(ContainSubstring("access-"))))
	issued := issuer.Issued()
	r.Consistently(issuer.Issued, 500*time.Millisecond).Should(Equal(issued))

	issuer.Authorize() // what the vault has is worth nothing now
	o.Vault = &memoryVault{token: "refresh-0"}
	r.run(o, r.cfg)
	r.awaitIMAP("support", ReasonAuthorizationRequired)
	r.Expect(r.status("support").IMAPMessage).To(ContainSubstring("kubectl ringmaster authorize"))
}
