package desk_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// resetDesk sends links for an hour in the center, and remembers their tokens by agent.
type resetDesk struct {
	*fixture
	ahead  atomic.Int64
	tokens map[string][]string
	fault  error
}

func newResetDesk(t *testing.T) *resetDesk {
	t.Helper()
	d := &resetDesk{tokens: map[string][]string{}}
	st := storetest.SQLite(t, store.WithClock(func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }))
	d.fixture = newFixtureOn(t, st, func(o *desk.Options) {
		o.PasswordReset = func(_ context.Context, namespace string) (*desk.PasswordReset, error) {
			if namespace != center {
				return nil, nil
			}
			return &desk.PasswordReset{TTL: time.Hour, Mail: d.mail}, nil
		}
	})
	return d
}

func (d *resetDesk) mail(a store.Agent, token string, expires time.Time) (store.SystemMail, error) {
	if d.fault != nil {
		return store.SystemMail{}, d.fault
	}
	now, err := d.store.Now(d.Context())
	if left := expires.Sub(now); err != nil || left < 59*time.Minute || left > time.Hour {
		d.Errorf("the link of %s holds for %s, %v", a.Name, left, err)
	}
	d.tokens[a.Name] = append(d.tokens[a.Name], token)
	return store.SystemMail{Namespace: a.Namespace, Account: "ops", Recipient: a.Email, Raw: []byte(token)}, nil
}

func (d *resetDesk) ask(user string) answer {
	d.Helper()
	return d.want(202, "", "", "POST", "/v1/password-reset", map[string]string{"center": center, "user": user})
}

func (d *resetDesk) later(by time.Duration) { d.ahead.Add(int64(by)) }

// inMail are the recipients of the mails that wait, with the tokens they got.
func (d *resetDesk) inMail() map[string]string {
	d.Helper()
	lease, ok, err := d.store.AcquireLease(d.Context(), "ops", "test", 24*time.Hour)
	d.ok(err)
	if !ok {
		d.Fatal("no lease")
	}
	out := map[string]string{}
	for {
		m, err := d.store.ClaimSystemMail(d.Context(), lease, store.Key{Namespace: center, Name: "ops"}, time.Hour)
		if errors.Is(err, store.ErrNotFound) {
			return out
		}
		d.ok(err)
		if strings.Contains(m.DedupeKey, string(m.Raw)) {
			d.Errorf("the token is in the key %s", m.DedupeKey)
		}
		out[m.Recipient] = string(m.Raw)
		d.ok(d.store.FinishSystemMail(d.Context(), lease, m.ID, store.MessageSent, "", 0))
	}
}

// Nobody learns who exists, and nobody can fill a mailbox.
func TestAskForReset(t *testing.T) {
	d := newResetDesk(t)
	d.putAgent("carol", false, "")
	d.ok(d.store.PutAgent(t.Context(), store.Agent{Key: agentKey("dave"), Username: "dave.r", Active: true}))
	first := d.ask("alice.r")
	for _, user := range []string{"nobody", "carol.r", "bob.r", "dave.r", "alice.r", "ALICE@example.com", "bob@example.com", "nobody@example.com"} {
		began := time.Now()
		if a := d.ask(user); string(a.raw) != string(first.raw) {
			t.Errorf("%s: %s", user, a.raw)
		}
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("%s: answered after %s", user, took)
		}
	}
	sent := d.tokens["alice"][0]
	if diff := cmp.Diff(map[string]string{"alice@example.com": sent}, d.inMail()); diff != "" {
		t.Fatal(diff)
	}
	if strings.Contains(d.log.String(), sent) {
		t.Error("a token is in the log")
	}
	// By the address, of whatever case, and without the center.
	d.later(6 * time.Minute)
	d.want(202, "", "", "POST", "/v1/password-reset", map[string]string{"user": " Alice@Example.com "})
	if got := d.inMail()["alice@example.com"]; got == "" || got == sent {
		t.Errorf("the second link %q", got)
	}
	// What goes wrong with one agent is told to nobody.
	d.later(6 * time.Minute)
	d.fault = errors.New("disk full")
	if a := d.ask("alice.r"); string(a.raw) != string(first.raw) || !strings.Contains(d.log.String(), "disk full") {
		t.Errorf("a fault: %s", a.raw)
	}

	d.want(503, desk.CodeResetUnavailable, "", "POST", "/v1/password-reset", map[string]string{"center": "none", "user": "alice.r"})
	for range 10 {
		d.want(503, desk.CodeResetUnavailable, "", "POST", "/v1/password-reset", map[string]string{"center": "other", "user": "alice.r"})
	}
	if a := d.want(429, desk.CodeRateLimited, "", "POST", "/v1/password-reset", map[string]string{"center": "other", "user": "Alice.R"}); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A link sets one password that obeys the rules, once, within its time.
func TestRedeemLink(t *testing.T) {
	d := newResetDesk(t)
	session := d.login("alice")
	redeem := func(status int, code desk.Code, token, wanted string) {
		t.Helper()
		d.want(status, code, "", "POST", "/v1/password-links", map[string]string{"token": token, "new": wanted})
	}
	newLink := func() string {
		t.Helper()
		d.later(6 * time.Minute)
		d.ask("alice.r")
		return d.inMail()["alice@example.com"]
	}
	redeem(410, desk.CodeLinkGone, security.NewToken(), "Marble-Window-77")
	first := newLink()
	second := newLink()
	redeem(410, desk.CodeLinkGone, first, "Marble-Window-77") // the newer one works
	redeem(422, desk.CodePasswordPolicy, second, "kurz")
	redeem(422, desk.CodePasswordReused, second, password)
	d.want(200, "", session, "GET", "/v1/me", nil)
	redeem(204, "", second, "Marble-Window-77")
	d.want(401, desk.CodeAuthFailed, session, "GET", "/v1/me", nil)
	d.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", password))
	d.want(200, "", "", "POST", "/v1/login", credentials("alice.r", "Marble-Window-77"))
	redeem(410, desk.CodeLinkGone, second, "Copper-Garden-12") // once

	late := newLink()
	redeem(422, desk.CodePasswordReused, late, password) // the one before the present one
	d.later(time.Hour)
	redeem(410, desk.CodeLinkGone, late, "Copper-Garden-12")

	// Who may not choose a password any more does not, link or not.
	link := newLink()
	d.putAgent("alice", false, "")
	redeem(403, desk.CodeAccountDeactivated, link, "Copper-Garden-12")
	d.putAgent("alice", true, `{"passwordManagement":"Enforced"}`)
	redeem(409, desk.CodePasswordEnforced, link, "Copper-Garden-12")
	d.ok(d.store.DeleteAgent(t.Context(), agentKey("alice")))
	redeem(410, desk.CodeLinkGone, link, "Copper-Garden-12")
}
