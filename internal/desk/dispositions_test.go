package desk_test

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// A conversation that must be classified: the agent is paused from the first try to close it until it is.
func TestMandatoryDisposition(t *testing.T) {
	f := newFixture(t)
	f.ok(f.store.PutDispositionSet(f.Context(), store.DispositionSet{
		Key: agentKey("sales"), Scope: store.ScopeQueue, Ref: "mail",
		Items: []store.Disposition{{Path: "Sales"}, {Path: "Sales/Won", Description: "they pay"}},
	}))
	alice, bob := f.login("alice"), f.login("bob")
	f.want(200, "", bob, "PUT", "/v1/me/presence", map[string]string{"state": "Paused"})
	path := "/v1/interactions/" + f.receive("Broken")
	f.route()
	f.want(200, "", alice, "POST", path+"/accept", nil)

	a := f.want(200, "", alice, "GET", path+"/dispositions", nil)
	if a.at("mode") != "Optional" || a.at("pauseWhileDisposing") != "Disabled" || a.at("dispositions", 1, "path") != "Sales/Won" ||
		a.at("dispositions", 1, "parent") != "Sales" || a.at("dispositions", 1, "name") != "Won" || a.at("dispositions", 1, "description") != "they pay" ||
		a.at("dispositions", 0, "name") != "Sales" || a.at("dispositions", 0, "parent") != nil || a.at("dispositions", 2) != nil {
		t.Errorf("dispositions: %s", a.raw)
	}
	f.want(404, desk.CodeNotFound, bob, "GET", path+"/dispositions", nil)
	f.want(404, desk.CodeNotFound, bob, "POST", path+"/dispose", nil)
	f.want(404, desk.CodeNotFound, bob, "POST", path+"/close", nil)

	f.ok(f.store.PutAnswerSettings(f.Context(), accountKey, store.AnswerSettings{DispositionMandatory: true, PauseWhileDisposing: true}))
	presence := func(state, reason any) {
		t.Helper()
		if a := f.want(200, "", alice, "GET", "/v1/me/presence", nil); a.at("state") != state || a.at("reason") != reason {
			t.Fatalf("presence: %s", a.raw)
		}
	}
	f.want(422, desk.CodeDispositionUnknown, alice, "POST", path+"/close", map[string]string{"disposition": "Won"})
	presence("Ready", nil)
	f.want(409, desk.CodeDispositionRequired, alice, "POST", path+"/close", nil)
	presence("Paused", "Disposition")
	f.want(409, desk.CodeDisposing, alice, "PUT", "/v1/me/presence", map[string]string{"state": "Ready"})
	f.want(204, "", alice, "POST", path+"/dispose", nil)
	a = f.want(200, "", alice, "POST", path+"/close", map[string]string{"disposition": "Sales/Won", "note": "at last"})
	if a.at("state") != "Closed" || a.at("disposition") != "Sales/Won" || a.at("dispositionNote") != "at last" {
		t.Errorf("closed: %s", a.raw)
	}
	presence("Ready", nil)
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/dispose", nil)
	a = f.want(200, "", alice, "GET", path, nil)
	if a.at("history", 3, "detail") != "Sales/Won" {
		t.Errorf("history: %s", a.raw)
	}
}
