package desk_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

const day = 24 * time.Hour

// Wrong passwords lock the account, from wherever they come; nobody is told, and only an administrator ends it.
func TestLockout(t *testing.T) {
	f := newFixture(t)
	f.rules.MaxAttempts = 3
	session := f.login("alice")
	wrong := credentials("alice.r", "Wrong-passw0rd")
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", wrong)
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", wrong)
	f.login("alice") // the right one forgets the wrong ones
	first := f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", wrong)
	f.want(403, desk.CodeCurrentPassword, session, "POST", "/v1/me/password", map[string]string{"current": "wrong", "new": "Passw0rd!2"})
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/password", map[string]string{"username": "alice.r", "current": "wrong", "new": "Passw0rd!2"})
	lock, err := f.store.SignInLockOf(t.Context(), agentKey("alice"))
	f.ok(err)
	if !lock.Locked() || lock.Failed != 3 {
		t.Fatalf("after three wrong passwords: %+v", lock)
	}

	locked := f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", password))
	if string(locked.raw) != string(first.raw) {
		t.Errorf("locked and wrong differ:\n%s%s", locked.raw, first.raw)
	}
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/password", map[string]string{"username": "alice.r", "current": password, "new": "Passw0rd!2"})
	f.want(403, desk.CodeCurrentPassword, session, "POST", "/v1/me/password", map[string]string{"current": password, "new": "Passw0rd!2"})
	f.want(200, "", session, "GET", "/v1/me", nil) // what runs goes on
	f.login("bob")                                 // others are not concerned

	f.ok(f.store.Unlock(t.Context(), agentKey("alice")))
	f.login("alice")
	// A center that does not lock counts only.
	f.rules.MaxAttempts = 0
	for range 4 {
		f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", wrong)
	}
	f.login("alice")
}

func TestPasswordExpires(t *testing.T) {
	var ahead atomic.Int64
	st := storetest.SQLite(t, store.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	f := newFixtureOn(t, st)
	f.rules.Age = security.PasswordAge{Max: 90 * day, WarnBefore: 15 * day}
	login := func() answer { return f.want(200, "", "", "POST", "/v1/login", credentials("alice.r", password)) }
	if a := login(); a.body["passwordExpiresInDays"] != nil {
		t.Errorf("a new password: %s", a.raw)
	}
	ahead.Store(int64(80*day - time.Hour))
	if a := login(); a.body["passwordExpiresInDays"] != 11.0 {
		t.Errorf("ten days and an hour before: %s", a.raw)
	}
	ahead.Store(int64(90 * day))
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", credentials("alice.r", "Wrong-passw0rd")) // told only to who knows it
	f.want(403, desk.CodePasswordExpired, "", "POST", "/v1/login", credentials("alice.r", password))

	replace := func(username, wanted string) map[string]string {
		return map[string]string{"center": center, "username": username, "current": password, "new": wanted}
	}
	f.want(422, desk.CodePasswordPolicy, "", "POST", "/v1/password", replace("alice.r", "kurz"))
	f.want(422, desk.CodePasswordReused, "", "POST", "/v1/password", replace("alice.r", password))
	f.want(409, desk.CodePasswordEnforced, "", "POST", "/v1/password", replace("bob.r", "Passw0rd!2"))
	f.want(204, "", "", "POST", "/v1/password", replace("alice.r", "Passw0rd!2"))
	f.want(200, "", "", "POST", "/v1/login", credentials("alice.r", "Passw0rd!2"))
	f.putAgent("alice", false, "")
	f.want(403, desk.CodeAccountDeactivated, "", "POST", "/v1/password", map[string]string{"username": "alice.r", "current": "Passw0rd!2", "new": "Passw0rd!3"})
}
