package desk_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func TestTransfer(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	id := f.receive("Hello")
	f.route()
	path := "/v1/interactions/" + id
	to := func(kind, name string) map[string]string { return map[string]string{kind: name} }
	capabilities := func(token string, want map[string]any) {
		t.Helper()
		if diff := cmp.Diff(want, f.want(200, "", token, "GET", path, nil).body["capabilities"]); diff != "" {
			t.Errorf("capabilities (-want +got):\n%s", diff)
		}
	}
	none := map[string]any{"transferToQueue": false, "transferToAgent": false, "transferToAccounts": []any{}}
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/transfer", to("agent", "bob")) // only offered
	f.want(200, "", alice, "POST", path+"/accept", nil)
	capabilities(alice, none)
	for _, kind := range []string{"queue", "agent", "account"} {
		f.want(403, desk.CodeTransferDenied, alice, "POST", path+"/transfer", to(kind, "mail"))
	}

	account, err := f.store.GetAccount(t.Context(), accountKey)
	f.ok(err)
	account.Routing = routing.Rules{TransferToQueue: time.Minute, TransferToAgent: time.Minute, TransferToAccounts: []string{"sales", "closed", "gone"}}
	f.ok(f.store.PutAccount(t.Context(), account))
	for name, active := range map[string]bool{"sales": true, "closed": false} {
		f.ok(f.store.PutAccount(t.Context(), store.Account{Key: store.Key{Namespace: center, Name: name}, Queue: "mail", Active: active}))
	}
	capabilities(alice, map[string]any{"transferToQueue": true, "transferToAgent": true, "transferToAccounts": []any{"sales"}})
	f.want(422, desk.CodeValidation, alice, "POST", path+"/transfer", map[string]string{})
	f.want(422, desk.CodeValidation, alice, "POST", path+"/transfer", map[string]string{"queue": "mail", "agent": "bob"})
	f.want(422, desk.CodeTransferTarget, alice, "POST", path+"/transfer", to("queue", "nowhere"))
	f.want(422, desk.CodeTransferTarget, alice, "POST", path+"/transfer", to("account", "closed"))
	f.want(404, desk.CodeNotFound, bob, "POST", path+"/transfer", to("queue", "mail"))

	if a := f.want(200, "", alice, "POST", path+"/transfer", to("agent", "bob")); a.body["state"] != "Queued" {
		t.Errorf("transferred: %s", a.raw)
	}
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/transfer", to("agent", "bob"))
	f.route()
	capabilities(bob, none)
	f.want(200, "", bob, "POST", path+"/reject", nil)
	if a := f.want(200, "", alice, "GET", path, nil); a.body["state"] != "Open" || a.body["agent"] != "alice" || a.body["read"] != false {
		t.Errorf("back: %s", a.raw)
	}
	if a := f.want(200, "", alice, "POST", path+"/transfer", to("account", "sales")); a.body["account"] != "sales" || a.body["state"] != "Queued" {
		t.Errorf("transferred: %s", a.raw)
	}
}

// Why something waits is shown to who may see it.
func TestWaitDetail(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Hello")
	f.route()
	path := "/v1/interactions/" + id
	f.want(200, "", alice, "POST", path+"/accept", nil)
	account, err := f.store.GetAccount(t.Context(), accountKey)
	f.ok(err)
	account.Routing = routing.Rules{TransferToAgent: time.Minute}
	f.ok(f.store.PutAccount(t.Context(), account))
	f.want(200, "", alice, "POST", path+"/transfer", map[string]string{"agent": "bob"})
	f.route()
	if a := f.want(200, "", alice, "GET", path, nil); a.body["waitDetail"] != "waits for bob: signed out" {
		t.Errorf("waiting: %s", a.raw)
	}
}
