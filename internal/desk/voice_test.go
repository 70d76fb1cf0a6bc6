package desk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// presence of the token's agent as "state reason source telephone".
func (f *fixture) presence(token string) string {
	f.Helper()
	a := f.want(200, "", token, "GET", "/v1/me/presence", nil)
	text := func(name string) string { s, _ := a.body[name].(string); return s }
	return strings.TrimSpace(fmt.Sprint(text("state"), " ", text("reason"), " ", text("source"), " ", text("telephone")))
}

func (f *fixture) wantPresence(token, want string) {
	f.Helper()
	if got := f.presence(token); got != want {
		f.Errorf("presence %q, want %q", got, want)
	}
}

func setPresence(state, reason string) map[string]string {
	return map[string]string{"state": state, "reason": reason}
}

// Login in pause holds at every sign-in, and only there.
func TestLoginInPause(t *testing.T) {
	f := newFixture(t)
	f.putAgent("alice", true, `{"typology":"External","loginState":"Paused"}`)
	for range 2 {
		token := f.loginWith("alice", "Web", "")
		f.wantPresence(token, "Paused LoginInPause Web")
		f.want(200, "", token, "PUT", "/v1/me/presence", setPresence("Ready", ""))
		f.wantPresence(f.login("alice"), "Ready  Web") // a second client
		f.want(204, "", token, "POST", "/v1/logout", nil)
	}
	f.wantPresence(f.login("bob"), "Ready  Other")
	f.want(422, desk.CodeValidation, "", "POST", "/v1/login", map[string]string{"username": "bob.r", "password": password, "client": "Toaster"})
}

// The web client of a phonebar's agent is a mirror.
func TestPhonebarControlsPresence(t *testing.T) {
	f := newFixture(t)
	f.putAgent("alice", true, `{"typology":"Phonebar","phonebarControl":"PhonebarOnly"}`)
	web := f.loginWith("alice", "Web", "")
	f.wantPresence(web, "SignedOut")
	f.want(409, desk.CodePhonebarControls, web, "PUT", "/v1/me/presence", setPresence("Ready", ""))
	f.want(409, desk.CodePhonebarControls, web, "DELETE", "/v1/me/presence/wrap-up", nil)
	if a := f.want(200, "", web, "GET", "/v1/me", nil); a.at("capabilities", "changePresence") != false {
		t.Errorf("capabilities of the mirror: %s", a.raw)
	}

	bar := f.loginWith("alice", "Phonebar", "")
	f.want(200, "", bar, "PUT", "/v1/me/presence", setPresence("Paused", "lunch"))
	f.wantPresence(web, "Paused lunch Phonebar")
	f.want(409, desk.CodePhonebarControls, web, "PUT", "/v1/me/presence", setPresence("Ready", ""))
	f.want(204, "", web, "POST", "/v1/logout", nil)
	f.want(401, desk.CodeAuthFailed, web, "GET", "/v1/me", nil)
	f.wantPresence(bar, "Paused lunch Phonebar")

	// The center may allow both; other typologies are free.
	f.putAgent("alice", true, `{"typology":"Phonebar","phonebarControl":"Any"}`)
	web = f.loginWith("alice", "Web", "")
	f.want(200, "", web, "PUT", "/v1/me/presence", setPresence("Ready", ""))
	f.wantPresence(bar, "Ready  Web")
	f.want(204, "", web, "POST", "/v1/logout", nil)
	f.wantPresence(bar, "SignedOut  Web")
	f.putAgent("alice", true, `{"typology":"WebRTC"}`)
	f.wantPresence(f.loginWith("alice", "Web", ""), "Ready  Web")
}

func TestClientSettings(t *testing.T) {
	f := newFixture(t)
	f.putAgent("alice", true, `{"typology":"Phonebar","sipPort":5070,"recording":"Wav49","callForwarding":"Allowed","previewDialDuringPause":"Allowed",
		"hotDesk":{},"autoAnswer":{"delaySeconds":3},"remoteControl":{"port":9888},"screenRecordingPath":"Video/{agentID}_{agentName}/{yyyy}/"}`)
	f.ok(f.store.PutAgent(t.Context(), store.Agent{Key: agentKey("eve"), Username: "eve", Active: true}))
	token := f.login("alice")
	agent, err := f.store.GetAgent(t.Context(), agentKey("alice"))
	f.ok(err)
	agent.DisplayName = `..\A/l"ice {yyyy}. `
	f.ok(f.store.PutAgent(t.Context(), agent))
	a := f.want(200, "", token, "GET", "/v1/me", nil)
	for _, check := range []struct{ got, want any }{
		{a.at("client", "sipPort"), 5070.0}, {a.at("client", "autoAnswer", "delaySeconds"), 3.0}, {a.at("client", "remoteControl", "port"), 9888.0},
		{a.at("client", "screenRecordingPath"), "Video/alice__A_l_ice _yyyy_/{yyyy}/"}, {a.at("capabilities", "forwardCalls"), true},
		{a.at("capabilities", "recordCalls"), true}, {a.at("capabilities", "hotDesk"), true}, {a.at("capabilities", "previewDialDuringPause"), true},
		{a.at("capabilities", "changePresence"), true},
	} {
		if check.got != check.want {
			t.Errorf("%v, want %v in %s", check.got, check.want, a.raw)
		}
	}
	a = f.want(200, "", f.login("bob"), "GET", "/v1/me", nil)
	for _, name := range []string{"forwardCalls", "recordCalls", "hotDesk", "previewDialDuringPause"} {
		if a.at("capabilities", name) != false {
			t.Errorf("%s without a word of it in the profile: %s", name, a.raw)
		}
	}
}

// hotDeskFixture has three telephones on floor 1, one on floor 2 and one of another center; alice and bob may use floor 1.
func hotDeskFixture(t *testing.T, change ...func(*desk.Options)) *fixture {
	f := newFixture(t, change...)
	for name, labels := range map[string]map[string]string{"t1": {"floor": "1"}, "t2": {"floor": "1"}, "t3": {"floor": "1"}, "up": {"floor": "2"}} {
		f.ok(f.store.PutTelephone(t.Context(), store.Telephone{
			Key: agentKey(name), DisplayName: "Desk " + strings.ToUpper(name), Username: "sip-" + name, Labels: labels,
		}))
	}
	f.ok(f.store.PutTelephone(t.Context(), store.Telephone{Key: store.Key{Namespace: "sales", Name: "t9"}, Labels: map[string]string{"floor": "1"}}))
	f.ok(f.store.PutRegistration(t.Context(), agentKey("pbx"), store.Registration{Extension: "sip-t2", URI: "sip:t2@192.0.2.7"}))
	for _, name := range []string{"alice", "bob"} {
		f.putAgent(name, true, `{"typology":"External","hotDesk":{"telephoneSelector":"floor=1"}}`)
	}
	return f
}

func (f *fixture) telephones(token, query string) string {
	f.Helper()
	a := f.want(200, "", token, "GET", "/v1/telephones"+query, nil)
	var names []string
	list, _ := a.body["telephones"].([]any)
	for n := range list {
		name := fmt.Sprint(a.at("telephones", n, "name"))
		if agent := a.at("telephones", n, "agent"); agent != nil {
			name += "=" + fmt.Sprint(agent)
		}
		names = append(names, name)
	}
	if next, ok := a.body["nextCursor"].(string); ok {
		names = append(names, "next:"+next)
	}
	return strings.Join(names, " ")
}

func TestTelephoneList(t *testing.T) {
	f := hotDeskFixture(t)
	alice := f.login("alice")
	f.want(200, "", f.login("bob"), "PUT", "/v1/me/telephone", map[string]string{"telephone": "t1"})
	for query, want := range map[string]string{
		"": "t1=bob t2 t3", "?q=dESK%20t3": "t3", "?q=up": "", "?state=Registered": "t2", "?state=Free": "t2 t3",
		"?state=Free,Registered": "t2", "?limit=2": "t1=bob t2 next:t2", "?limit=2&cursor=t2": "t3",
	} {
		if got := f.telephones(alice, query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	f.want(422, desk.CodeValidation, alice, "GET", "/v1/telephones?state=Broken", nil)
	f.putAgent("alice", true, `{"typology":"External","hotDesk":{}}`)
	if got := f.telephones(alice, ""); got != "t1=bob t2 t3 up" {
		t.Errorf("an empty selector selects %q", got)
	}
	f.putAgent("alice", true, `{"typology":"External"}`)
	if got := f.telephones(alice, ""); got != "" {
		t.Errorf("without hot desk: %q", got)
	}
}

// sessionSpy remembers the sessions that were opened.
type sessionSpy struct {
	desk.Store
	opened []string
}

func (s *sessionSpy) CreateSession(ctx context.Context, agent store.Key, client store.Client, tokenHash string, ttl time.Duration) error {
	s.opened = append(s.opened, tokenHash)
	return s.Store.CreateSession(ctx, agent, client, tokenHash, ttl)
}

func TestHotDesk(t *testing.T) {
	spy := &sessionSpy{}
	f := hotDeskFixture(t, func(o *desk.Options) { spy.Store, o.Store = o.Store, spy })
	at := func(name string) map[string]string { return map[string]string{"telephone": name} }
	alice := f.loginWith("alice", "", "t1")
	f.wantPresence(alice, "Ready  Other t1")

	// At sign-in a taken telephone refuses it all.
	body := map[string]string{"username": "bob.r", "password": password, "telephone": "t1"}
	a := f.want(409, desk.CodeTelephoneTaken, "", "POST", "/v1/login", body)
	if !strings.Contains(fmt.Sprint(a.body["detail"]), "Alice") {
		t.Errorf("who sits there? %s", a.raw)
	}
	if p, err := f.store.GetPresence(t.Context(), agentKey("bob")); err != nil || p.SignedIn {
		t.Errorf("bob after a refused sign-in: %+v, %v", p, err)
	}
	if _, err := f.store.GetSession(t.Context(), spy.opened[len(spy.opened)-1]); len(spy.opened) != 2 || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("session %d of a refused sign-in: %v", len(spy.opened), err)
	}
	for _, name := range []string{"up", "t9", "nonsense"} {
		body["telephone"] = name
		f.want(404, desk.CodeNotFound, "", "POST", "/v1/login", body)
	}
	body["password"], body["telephone"] = "wrong", "nonsense"
	f.want(401, desk.CodeAuthFailed, "", "POST", "/v1/login", body) // nothing is told to who does not know the password

	bob := f.login("bob")
	stream := f.stream(bob, "")
	stream.expect("hello", "")
	f.want(409, desk.CodeTelephoneTaken, bob, "PUT", "/v1/me/telephone", at("t1"))
	f.want(404, desk.CodeNotFound, bob, "PUT", "/v1/me/telephone", at("up"))
	if a := f.want(200, "", bob, "PUT", "/v1/me/telephone", at("t2")); a.body["telephone"] != "t2" {
		t.Errorf("seated: %s", a.raw)
	}
	if e := stream.expect(store.EventSeat, "bob"); fmt.Sprint(e.data["data"]) != "map[taken:true telephone:t2]" {
		t.Errorf("event %+v", e)
	}
	f.want(204, "", bob, "DELETE", "/v1/me/telephone", nil)
	f.wantPresence(bob, "Ready  Other")
	f.want(204, "", alice, "POST", "/v1/logout", nil) // releases
	again := f.loginWith("bob", "", "t1")             // signed in already
	f.wantPresence(bob, "Ready  Other t1")

	f.want(204, "", again, "POST", "/v1/logout", nil)
	f.want(409, desk.CodeNotSignedIn, bob, "PUT", "/v1/me/telephone", at("t1"))
	f.putAgent("bob", true, `{"typology":"External"}`)
	f.want(403, desk.CodeHotDeskDenied, bob, "PUT", "/v1/me/telephone", at("t1"))
	body["password"], body["telephone"] = password, "t1"
	f.want(403, desk.CodeHotDeskDenied, "", "POST", "/v1/login", body)
}

func TestForwarding(t *testing.T) {
	f := newFixture(t)
	f.putAgent("alice", true, `{"callForwarding":"Allowed","forbiddenPrefixes":["899"]}`)
	alice, other := f.login("alice"), f.login("alice")
	to := func(number string) map[string]string { return map[string]string{"number": number} }
	if a := f.want(200, "", alice, "GET", "/v1/me/forwarding", nil); a.body["active"] != false || a.body["number"] != nil {
		t.Errorf("before: %s", a.raw)
	}
	stream := f.stream(other, "")
	stream.expect("hello", "")
	if a := f.want(200, "", alice, "PUT", "/v1/me/forwarding", to("+390299990000")); a.body["active"] != true || a.body["number"] != "+390299990000" || a.body["since"] == nil {
		t.Errorf("set: %s", a.raw)
	}
	if e := stream.expect(store.EventForward, "alice"); strings.Contains(fmt.Sprint(e.data), "0299") {
		t.Errorf("event %+v", e)
	}
	for _, number := range []string{"", "1", "+", "12 34", "1-2", "abc", "1\n2", "123456789012345678901", "++12"} {
		f.want(422, desk.CodeValidation, alice, "PUT", "/v1/me/forwarding", to(number))
	}
	for _, number := range []string{"8991", "*71100", "#31#200", "1005"} {
		f.want(403, desk.CodeNumberForbidden, alice, "PUT", "/v1/me/forwarding", to(number))
	}
	if a := f.want(200, "", other, "GET", "/v1/me/forwarding", nil); a.body["number"] != "+390299990000" {
		t.Errorf("after refusals: %s", a.raw)
	}
	// Without the right it can still be ended.
	f.putAgent("alice", true, `{"callForwarding":"Denied"}`)
	f.want(403, desk.CodeForwardingDenied, alice, "PUT", "/v1/me/forwarding", to("200"))
	f.want(204, "", alice, "DELETE", "/v1/me/forwarding", nil)
	if a := f.want(200, "", alice, "GET", "/v1/me/forwarding", nil); a.body["active"] != false {
		t.Errorf("ended: %s", a.raw)
	}
	stream.expect(store.EventForward, "alice")
}
