package desk_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func credentials(username, password string) map[string]string {
	return map[string]string{"username": username, "password": password}
}

func TestLoginAndLogout(t *testing.T) {
	f := newFixture(t)
	a := f.want(200, "", "", "POST", "/v1/login", credentials("alice.r", password))
	token, _ := a.body["token"].(string)
	if len(token) != 43 || a.at("agent", "name") != "alice" || a.at("agent", "center") != center {
		t.Errorf("login answered %s", a.raw)
	}
	expires, err := time.Parse(time.RFC3339, a.body["expiresAt"].(string))
	if left := time.Until(expires); err != nil || left < 11*time.Hour || left > 13*time.Hour {
		t.Errorf("session ends at %v (%v), want in 12 h", expires, err)
	}
	if a := f.want(200, "", token, "GET", "/v1/me/presence", nil); a.body["state"] != "Ready" {
		t.Errorf("presence after sign-in: %s", a.raw)
	}
	// A second client of the same agent does not end a pause.
	f.want(200, "", token, "PUT", "/v1/me/presence", map[string]string{"state": "Paused", "reason": "Lunch"})
	second := f.login("alice")
	if a := f.want(200, "", second, "GET", "/v1/me/presence", nil); a.body["state"] != "Paused" || a.body["reason"] != "Lunch" {
		t.Errorf("presence after a second sign-in: %s", a.raw)
	}
	f.want(204, "", token, "POST", "/v1/logout", nil)
	f.want(401, desk.CodeAuthFailed, token, "GET", "/v1/me", nil)
	if a := f.want(200, "", second, "GET", "/v1/me/presence", nil); a.body["state"] != "SignedOut" {
		t.Errorf("presence after sign-out: %s", a.raw)
	}
	for _, secret := range []string{token, password} {
		if strings.Contains(f.log.String(), secret) {
			t.Error("the log contains a secret")
		}
	}
}

func TestLoginRefused(t *testing.T) {
	f := newFixture(t)
	unknown := f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("nobody", password))
	wrong := f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", "Passw0rd?"))
	if string(unknown.raw) != string(wrong.raw) {
		t.Errorf("unknown and wrong differ:\n%s%s", unknown.raw, wrong.raw)
	}
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", map[string]string{"center": "other", "username": "alice.r", "password": password})
	f.want(200, "", "", "POST", "/v1/login", map[string]string{"center": center, "username": "alice.r", "password": password})

	// Without a password in the store nothing matches.
	f.putAgent("carol", true, "")
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("carol.r", password))

	// Deactivated is told only to who knows the password.
	bob := f.login("bob")
	f.putAgent("bob", false, "")
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("bob.r", "wrong"))
	f.want(403, desk.CodeAccountDeactivated, "", "POST", "/v1/login", credentials("bob.r", password))
	f.want(401, desk.CodeAuthFailed, bob, "GET", "/v1/me", nil)
}

// A user name of several centers needs the center's name, and without it looks like an unknown one.
func TestLoginAmbiguousUsername(t *testing.T) {
	f := newFixture(t)
	twin := store.Key{Namespace: "sales", Name: "alice"}
	f.ok(f.store.PutAgent(t.Context(), store.Agent{Key: twin, Username: "alice.r", DisplayName: "Other Alice", Active: true}))
	hash, err := security.Hash(t.Context(), "Other-passw0rd")
	f.ok(err)
	f.ok(f.store.SetPassword(t.Context(), store.Credential{Agent: twin, Hash: hash}, 0, ""))

	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", password))
	a := f.want(200, "", "", "POST", "/v1/login", map[string]string{"center": "sales", "username": "alice.r", "password": "Other-passw0rd"})
	if a.at("agent", "center") != "sales" {
		t.Errorf("signed in at %s", a.raw)
	}
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", map[string]string{"center": center, "username": "alice.r", "password": "Other-passw0rd"})
}

func TestFailedSignInsAreLimited(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) {
		o.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
	})
	for range 10 {
		f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", "wrong"), "X-Test-Address", "a")
	}
	a := f.want(429, desk.CodeRateLimited, "", "POST", "/v1/login", credentials("alice.r", password), "X-Test-Address", "a")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.want(200, "", "", "POST", "/v1/login", credentials("alice.r", password), "X-Test-Address", "b")
	f.want(200, "", "", "POST", "/v1/login", credentials("bob.r", password), "X-Test-Address", "a")
}

func TestAuthorizationHeader(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	a := f.want(401, desk.CodeAuthRequired, "", "GET", "/v1/me", nil)
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("WWW-Authenticate: %q", a.header.Get("WWW-Authenticate"))
	}
	if a.body["type"] != "https://ringmaster.dev/problems/AUTH_REQUIRED" || a.body["status"] != 401.0 || a.body["title"] == "" {
		t.Errorf("not a problem document: %s", a.raw)
	}
	for _, header := range []string{"", "Bearer", "Bearer ", token, "Basic YWxpY2U6c2VjcmV0", "Bearer " + token + " x", "Bearer a,b", "Token " + token, "Bearer short"} {
		f.want(401, desk.CodeAuthFormat, "", "GET", "/v1/me", nil, "Authorization", header)
	}
	f.want(401, desk.CodeAuthFormat, token, "GET", "/v1/me", nil, "Authorization", "Bearer "+token) // twice
	f.want(401, desk.CodeAuthFailed, security.NewToken(), "GET", "/v1/me", nil)
	f.want(401, desk.CodeAuthRequired, "", "GET", "/v1/events?access_token="+token, nil)
	f.want(200, "", "", "GET", "/v1/me", nil, "Authorization", "bearer "+token)
}

func TestSessionExpires(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.SessionTTL = time.Second })
	token := f.login("alice")
	f.eventually("session expires", func() error {
		if a := f.do(token, "GET", "/v1/me", nil); a.status != 401 || a.code() != string(desk.CodeAuthFailed) {
			return errUnreachable
		}
		return nil
	})
}

func TestChangePassword(t *testing.T) {
	f := newFixture(t)
	token, other := f.login("alice"), f.login("alice")
	change := func(current, wanted string) map[string]string {
		return map[string]string{"current": current, "new": wanted}
	}
	f.want(403, desk.CodeCurrentPassword, token, "POST", "/v1/me/password", change("wrong", "Passw0rd!2"))

	a := f.want(422, desk.CodePasswordPolicy, token, "POST", "/v1/me/password", change(password, "kurz"))
	if a.at("errors", 0, "rule") != "MinLength" || a.at("errors", 0, "location") != "body.new" || strings.Contains(string(a.raw), "kurz") {
		t.Errorf("policy problem: %s", a.raw)
	}
	f.want(422, desk.CodePasswordReused, token, "POST", "/v1/me/password", change(password, password))

	f.want(204, "", token, "POST", "/v1/me/password", change(password, "Passw0rd!2"))
	f.want(401, desk.CodeAuthFailed, other, "GET", "/v1/me", nil) // ended
	f.want(200, "", token, "GET", "/v1/me", nil)                  // goes on
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", password))
	f.want(200, "", "", "POST", "/v1/login", credentials("alice.r", "Passw0rd!2"))

	// History 2: the present one and the one before.
	f.want(422, desk.CodePasswordReused, token, "POST", "/v1/me/password", change("Passw0rd!2", password))
	f.want(204, "", token, "POST", "/v1/me/password", change("Passw0rd!2", "Passw0rd!3"))
	f.want(204, "", token, "POST", "/v1/me/password", change("Passw0rd!3", password))

	c, err := f.store.GetCredential(t.Context(), agentKey("alice"))
	f.ok(err)
	if c.SecretVersion != "7" {
		t.Errorf("SecretVersion %q: a change by the agent must not look like one of the Secret", c.SecretVersion)
	}

	bob := f.login("bob")
	f.want(409, desk.CodePasswordEnforced, bob, "POST", "/v1/me/password", change(password, "Passw0rd!2"))
}

// The current password cannot be guessed with a stolen session either.
func TestChangePasswordIsLimited(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	body := map[string]string{"current": "wrong", "new": "Passw0rd!2"}
	for range 10 {
		f.want(403, desk.CodeCurrentPassword, token, "POST", "/v1/me/password", body)
	}
	f.want(429, desk.CodeRateLimited, token, "POST", "/v1/me/password", body)
}

// With the suite disabled and no history anything but nothing goes.
func TestChangePasswordSuiteDisabled(t *testing.T) {
	f := newFixture(t)
	f.rules = desk.PasswordRules{}
	token := f.login("alice")
	f.want(204, "", token, "POST", "/v1/me/password", map[string]string{"current": password, "new": "x"})
	f.want(204, "", token, "POST", "/v1/me/password", map[string]string{"current": "x", "new": "x"})
}
