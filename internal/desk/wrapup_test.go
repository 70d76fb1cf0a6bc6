package desk_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// The end of wrap-up time is in the own profile and in what colleagues see, and masking leaves it in the event.
func TestWrapUp(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	bob := f.login("bob")
	masked := allowed()
	masked.SensitiveData, masked.MaskedCharacters = "Masked", 4
	f.permit("alice", masked)
	q, err := f.store.GetQueue(t.Context(), queueKey)
	f.ok(err)
	q.WrapUpTime = time.Hour
	f.ok(f.store.PutQueue(t.Context(), q))

	f.ok(f.store.SetPresence(t.Context(), store.Presence{Agent: agentKey("bob"), SignedIn: true, Paused: true}))
	path := f.opened(alice, "Lamp")
	s := f.stream(alice, "")
	s.expect("hello", "")
	before := time.Now().Add(time.Hour)
	f.want(200, "", alice, "POST", path+"/close", nil)
	after := time.Now().Add(time.Hour)
	s.expect(store.EventClosed, strings.TrimPrefix(path, "/v1/interactions/"))
	data, _ := s.expect(store.EventPresence, "alice").data["data"].(map[string]any)

	until := f.want(200, "", alice, "GET", "/v1/me/presence", nil).body["wrapUpUntil"]
	text, _ := until.(string)
	if end, err := time.Parse(time.RFC3339, text); err != nil || end.Before(before.Truncate(time.Microsecond)) || end.After(after) {
		t.Errorf("wrap-up until %v, want an hour from now", until)
	}
	profile := f.want(200, "", alice, "GET", "/v1/me", nil)
	colleagues := f.want(200, "", bob, "GET", "/v1/agents", nil)
	got := []any{data["wrapUpUntil"], profile.at("presence", "wrapUpUntil"), colleagues.at("agents", 0, "presence", "wrapUpUntil")}
	if diff := cmp.Diff([]any{until, until, until}, got); diff != "" {
		t.Errorf("in the event, the profile and for colleagues (-presence +got):\n%s", diff)
	}
	f.ok(f.store.SetPresence(t.Context(), store.Presence{Agent: agentKey("alice")}))
	if p := f.want(200, "", bob, "GET", "/v1/agents", nil); p.at("agents", 0, "presence", "wrapUpUntil") != nil {
		t.Errorf("signed out, and in wrap-up: %s", p.raw)
	}
}

// An agent ends their own wrap-up time, and is offered the next at once; a client that only shows presence does not.
func TestEndWrapUp(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	q, err := f.store.GetQueue(t.Context(), queueKey)
	f.ok(err)
	q.WrapUpTime = time.Hour
	f.ok(f.store.PutQueue(t.Context(), q))
	f.want(200, "", alice, "DELETE", "/v1/me/presence/wrap-up", nil) // none runs

	f.want(200, "", alice, "POST", f.opened(alice, "Lamp")+"/close", nil)
	if f.want(200, "", alice, "GET", "/v1/me/presence", nil).body["wrapUpUntil"] == nil {
		t.Fatal("no wrap-up time runs")
	}
	s := f.stream(alice, "")
	s.expect("hello", "")
	after := f.want(200, "", alice, "DELETE", "/v1/me/presence/wrap-up", nil)
	if after.body["state"] != "Ready" || after.body["wrapUpUntil"] != nil {
		t.Errorf("presence %s", after.raw)
	}
	if data, _ := s.expect(store.EventPresence, "alice").data["data"].(map[string]any); data["wrapUpUntil"] != nil {
		t.Errorf("the event says %v", data)
	}
	f.opened(alice, "Next lamp")
}
