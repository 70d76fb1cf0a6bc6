package desk_test

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func TestProfile(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	a := f.want(200, "", token, "GET", "/v1/me", nil)
	for want, got := range map[any]any{
		"alice.r": a.at("agent", "username"), "Ready": a.at("presence", "state"), "mail": a.at("queues", 0),
		"WSS": a.at("client", "transport"), "alaw": a.at("client", "codecs", 1), 3600.0: a.at("client", "expiresSeconds"),
		"sip-alice": a.at("sip", "password"), "wss://192.0.2.1/ws": a.at("sip", "wssURL"),
		true: a.at("capabilities", "changePassword"), 2.0: a.at("capabilities", "emailCapacity"),
	} {
		if want != got {
			t.Errorf("profile lacks %v (%v): %s", want, got, a.raw)
		}
	}
	f.sip = func(store.Key) (desk.SIPSecret, error) { return desk.SIPSecret{}, errUnreachable }
	a = f.want(200, "", token, "GET", "/v1/me", nil)
	if a.body["sip"] != nil || a.body["sipUnavailable"] != string(desk.CodeSIPUnavailable) {
		t.Errorf("profile without a SIP secret: %s", a.raw)
	}
	if a := f.want(200, "", f.login("bob"), "GET", "/v1/me", nil); a.at("capabilities", "changePassword") != false {
		t.Errorf("an enforced password can be changed: %s", a.raw)
	}
}

func TestColleagues(t *testing.T) {
	f := newFixture(t)
	f.ok(f.store.PutAgent(t.Context(), store.Agent{Key: store.Key{Namespace: "sales", Name: "mallory"}, Username: "mallory", Active: true}))
	token := f.login("alice")
	a := f.want(200, "", token, "GET", "/v1/agents?limit=1", nil)
	if a.at("agents", 0, "displayName") != "Alice" || a.at("agents", 0, "presence", "state") != "Ready" || a.body["nextCursor"] != "alice" {
		t.Errorf("first page: %s", a.raw)
	}
	a = f.want(200, "", token, "GET", "/v1/agents?limit=1&cursor=alice", nil)
	if a.at("agents", 0, "name") != "bob" || a.at("agents", 0, "presence", "state") != "SignedOut" || a.body["nextCursor"] != nil {
		t.Errorf("second page: %s", a.raw)
	}
	if strings.Contains(string(a.raw), "sip-") || strings.Contains(string(a.raw), "bob.r") {
		t.Errorf("too much about a colleague: %s", a.raw)
	}
}

// The life of a conversation: a mail comes in, is offered, accepted, read, answered and closed.
func TestConversation(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Broken lamp")
	path := "/v1/interactions/" + id
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil) // still queued
	f.route()

	a := f.want(200, "", alice, "GET", "/v1/interactions?state=Offered&account=info&queue=mail&read=false&mine=true", nil)
	if a.at("interactions", 0, "id") != id || a.at("interactions", 0, "deadline") == nil ||
		a.at("interactions", 0, "lastMessage", "direction") != "Inbound" || a.at("interactions", 0, "customer", "name") != "Zoe" {
		t.Fatalf("offered: %s", a.raw)
	}
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/replies", map[string]string{"text": "too early"})

	a = f.want(200, "", alice, "POST", path+"/accept", nil)
	if a.body["state"] != "Open" || a.body["agent"] != "alice" || a.body["deadline"] != nil {
		t.Errorf("accepted: %s", a.raw)
	}
	f.want(409, desk.CodeOfferGone, alice, "POST", path+"/accept", nil)
	f.want(204, "", alice, "POST", path+"/read", nil)
	a = f.want(200, "", alice, "GET", path, nil)
	if a.body["read"] != true || a.at("messages", 0, "text") != "Hello" || a.at("history", 0, "reason") != "Ingested" {
		t.Errorf("open: %s", a.raw)
	}

	reply := f.want(202, "", alice, "POST", path+"/replies", map[string]any{"text": "Use a new bulb.", "cc": []string{"boss@customer.example"}})
	if reply.body["state"] != "Pending" || reply.body["direction"] != "Outbound" || reply.body["agent"] != "alice" || reply.at("cc", 0) != "boss@customer.example" {
		t.Errorf("reply: %s", reply.raw)
	}
	a = f.want(200, "", alice, "GET", path, nil)
	if a.at("messages", 1, "id") != reply.body["id"] || a.at("lastMessage", "direction") != "Outbound" || a.body["messageCount"] != 2.0 {
		t.Errorf("answered: %s", a.raw)
	}

	a = f.want(200, "", alice, "POST", path+"/close", nil)
	if a.body["state"] != "Closed" {
		t.Errorf("closed: %s", a.raw)
	}
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/close", nil)
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/replies", map[string]string{"text": "too late"})
	f.want(200, "", alice, "GET", path, nil) // the last to handle it still sees it
	if a := f.want(200, "", alice, "GET", "/v1/interactions?state=Closed", nil); a.at("interactions", 0, "id") != id {
		t.Errorf("own closed ones: %s", a.raw)
	}
	if a := f.want(200, "", alice, "GET", "/v1/interactions?mine=true", nil); a.at("interactions", 0) != nil {
		t.Errorf("mine after closing: %s", a.raw)
	}
	for _, word := range []string{"zoe@", "Zoe", "lamp", "bulb", "boss@", "Hello", id} {
		if strings.Contains(f.log.String(), word) {
			t.Errorf("the log contains %q", word)
		}
	}
}

func TestRejectedOfferGoesOn(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	id := f.receive("For someone")
	path := "/v1/interactions/" + id
	f.route()
	first, second := alice, bob
	if f.do(alice, "GET", path, nil).status != 200 {
		first, second = bob, alice
	}
	f.want(404, desk.CodeNotFound, second, "POST", path+"/accept", nil)
	f.want(200, "", first, "POST", path+"/reject", nil)
	f.want(409, desk.CodeOfferGone, first, "POST", path+"/accept", nil)
	f.want(409, desk.CodeOfferGone, first, "POST", path+"/reject", nil)
	f.want(404, desk.CodeNotFound, first, "GET", path, nil)
	f.route()
	f.want(200, "", second, "POST", path+"/accept", nil)
	f.want(409, desk.CodeOfferGone, first, "POST", path+"/accept", nil)
}

func TestOfferToAllAtOnce(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	q, err := f.store.GetQueue(f.Context(), queueKey)
	f.ok(err)
	q.Strategy = string(routing.BeepAll)
	f.ok(f.store.PutQueue(f.Context(), q))
	id := f.receive("For the quickest")
	path := "/v1/interactions/" + id
	f.route()
	for _, token := range []string{alice, bob} {
		if a := f.want(200, "", token, "GET", path, nil); a.at("state") != "Offered" || a.at("agent") != nil || a.at("deadline") == nil {
			t.Errorf("shown as %v", a.body)
		}
		if ids := f.ids(token, "/v1/interactions?state=Offered&mine=true"); len(ids) != 1 || ids[0] != id {
			t.Errorf("listed %v", ids)
		}
	}
	f.want(200, "", bob, "POST", path+"/accept", nil)
	f.want(409, desk.CodeOfferGone, alice, "POST", path+"/accept", nil)
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil)
}

// Every path to an interaction, by an agent it does not concern.
func TestOthersInteractionsAreNotFound(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Private")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	mid := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil).at("messages", 0, "id")
	bob := f.login("bob")
	bobs := f.receive("Bob's own") // alice was last offered to, so this one is bob's
	f.route()
	f.want(200, "", bob, "POST", "/v1/interactions/"+bobs+"/accept", nil)

	for _, path := range []string{"/v1/interactions/" + id, fmt.Sprintf("/v1/interactions/%s/messages/%s/raw", id, mid), fmt.Sprintf("/v1/interactions/%s/messages/%s/attachments/0", id, mid),
		// a message by way of an interaction it does not belong to
		fmt.Sprintf("/v1/interactions/%s/messages/%s/raw", bobs, mid), fmt.Sprintf("/v1/interactions/%s/messages/%s/attachments/0", bobs, mid)} {
		f.want(404, desk.CodeNotFound, bob, "GET", path, nil)
	}
	for _, command := range []string{"accept", "reject", "close", "read"} {
		f.want(404, desk.CodeNotFound, bob, "POST", "/v1/interactions/"+id+"/"+command, nil)
	}
	f.want(404, desk.CodeNotFound, bob, "POST", "/v1/interactions/"+id+"/replies", map[string]string{"text": "hi"})
	if a := f.want(200, "", bob, "GET", "/v1/interactions", nil); strings.Contains(string(a.raw), id) || !strings.Contains(string(a.raw), bobs) {
		t.Errorf("list of bob: %s", a.raw)
	}
	// Nothing happened to it.
	if a := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil); a.body["state"] != "Open" || a.body["read"] != false || a.body["messageCount"] != 1.0 {
		t.Errorf("after bob's attempts: %s", a.raw)
	}
}

func TestListPages(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	first, second := f.receive("One"), f.receive("Two")
	f.route()
	a := f.want(200, "", alice, "GET", "/v1/interactions?limit=1", nil)
	if a.at("interactions", 0, "id") != second || a.body["nextCursor"] != second {
		t.Fatalf("first page: %s", a.raw)
	}
	a = f.want(200, "", alice, "GET", "/v1/interactions?limit=1&cursor="+second, nil)
	if a.at("interactions", 0, "id") != first || a.body["nextCursor"] != nil {
		t.Errorf("second page: %s", a.raw)
	}
	for _, query := range []string{"account=other", "queue=other", "state=Closed,Open", "mine=true&state=Closed"} {
		if a := f.want(200, "", alice, "GET", "/v1/interactions?"+query, nil); a.at("interactions", 0) != nil {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
}

func TestDownloads(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("With a file")
	f.route()
	mid, _ := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil).at("messages", 0, "id").(string)
	path := "/v1/interactions/" + id + "/messages/" + mid

	raw := f.want(200, "", alice, "GET", path+"/raw", nil)
	if raw.header.Get("Content-Type") != "message/rfc822" || !strings.HasPrefix(string(raw.raw), "From: Zoe <zoe@customer.example>\r\n") {
		t.Errorf("raw message: %v %s", raw.header, raw.raw)
	}
	a := f.want(200, "", alice, "GET", path+"/attachments/0", nil)
	if string(a.raw) != "<script>alert(1)</script>" || a.header.Get("Content-Type") != "text/html" {
		t.Errorf("attachment: %v %q", a.header, a.raw)
	}
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
	if err != nil || kind != "attachment" || params["filename"] != "Prüfung.html" {
		t.Errorf("Content-Disposition: %q %v", a.header.Get("Content-Disposition"), err)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	f.want(404, desk.CodeNotFound, alice, "GET", path+"/attachments/7", nil)
	f.want(404, desk.CodeNotFound, alice, "GET", "/v1/interactions/"+id+"/messages/nope/raw", nil)
}

func TestReplyFromInactiveAccount(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Late")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	account, err := f.store.GetAccount(t.Context(), accountKey)
	f.ok(err)
	account.Active = false
	f.ok(f.store.PutAccount(t.Context(), account))
	f.want(409, desk.CodeAccountInactive, alice, "POST", "/v1/interactions/"+id+"/replies", map[string]string{"text": "hi"})
}

func TestPausingGivesOffersBack(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Waiting")
	f.route()
	f.want(200, "", alice, "PUT", "/v1/me/presence", map[string]string{"state": "Paused", "reason": "Lunch"})
	f.want(409, desk.CodeOfferGone, alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	f.route()
	f.want(409, desk.CodeOfferGone, alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	f.want(200, "", alice, "PUT", "/v1/me/presence", map[string]string{"state": "Ready"})
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
}

// Requests no honest client sends, each with the answer it gets.
func TestBadRequests(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Target")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	replies := "/v1/interactions/" + id + "/replies"
	secret := "S3cret-and-wrong!"
	for name, tc := range map[string]struct {
		method, path string
		body         any
		status       int
		code         desk.Code
		headers      []string
	}{
		"no body":              {"POST", "/v1/login", "", 400, desk.CodeValidation, nil},
		"not JSON":             {"POST", "/v1/login", `{"username": alice, "password": "` + secret + `"`, 400, desk.CodeValidation, nil},
		"wrong type":           {"POST", "/v1/login", `{"username": ["alice.r"], "password": "` + secret + `"}`, 422, desk.CodeValidation, nil},
		"unknown field":        {"POST", "/v1/login", `{"username": "alice.r", "password": "x", "pasword": "` + secret + `"}`, 422, desk.CodeValidation, nil},
		"password too long":    {"POST", "/v1/login", credentials("alice.r", strings.Repeat(secret, 100)), 422, desk.CodeValidation, nil},
		"password in bytes":    {"POST", "/v1/login", credentials("alice.r", strings.Repeat("€", 1000)), 401, desk.CodeAuthFailed, nil},
		"body too large":       {"POST", "/v1/login", credentials("alice.r", strings.Repeat("x", 100<<10)), 413, desk.CodeTooLarge, nil},
		"XML":                  {"POST", "/v1/login", "<login/>", 415, desk.CodeUnsupportedMedia, []string{"Content-Type", "application/xml"}},
		"bad state":            {"PUT", "/v1/me/presence", `{"state": "SignedOut"}`, 422, desk.CodeValidation, nil},
		"long reason":          {"PUT", "/v1/me/presence", map[string]string{"state": "Paused", "reason": strings.Repeat("x", 81)}, 422, desk.CodeValidation, nil},
		"reason of two lines":  {"PUT", "/v1/me/presence", map[string]string{"state": "Paused", "reason": "a\r\nAction: Originate"}, 422, desk.CodeValidation, nil},
		"unknown filter":       {"GET", "/v1/interactions?stat=Open", nil, 422, desk.CodeValidation, nil},
		"unknown state":        {"GET", "/v1/interactions?state=Lost", nil, 422, desk.CodeValidation, nil},
		"limit 0":              {"GET", "/v1/interactions?limit=0", nil, 422, desk.CodeValidation, nil},
		"limit 1000":           {"GET", "/v1/interactions?limit=1000", nil, 422, desk.CodeValidation, nil},
		"limit text":           {"GET", "/v1/interactions?limit=ten", nil, 422, desk.CodeValidation, nil},
		"no such interaction":  {"GET", "/v1/interactions/018f0000-0000-7000-8000-000000000000", nil, 404, desk.CodeNotFound, nil},
		"SQL in the id":        {"GET", "/v1/interactions/1'%20OR%20'1'='1", nil, 404, desk.CodeNotFound, nil},
		"NUL in the id":        {"GET", "/v1/interactions/%00", nil, 404, desk.CodeNotFound, nil},
		"blank reply":          {"POST", replies, `{"text": " \n "}`, 422, desk.CodeValidation, nil},
		"reply over 1 MiB":     {"POST", replies, map[string]string{"text": strings.Repeat("x", 1<<20)}, 413, desk.CodeTooLarge, nil},
		"cc with a header":     {"POST", replies, `{"text": "hi", "cc": ["a@b.example\r\nBcc: c@d.example"]}`, 422, desk.CodeValidation, nil},
		"cc with a name":       {"POST", replies, `{"text": "hi", "cc": ["A <a@b.example>"]}`, 422, desk.CodeValidation, nil},
		"21 cc":                {"POST", replies, map[string]any{"text": "hi", "cc": strings.Split(strings.Repeat("a@b.example ", 20)+"a@b.example", " ")}, 422, desk.CodeValidation, nil},
		"attachment -1":        {"GET", "/v1/interactions/" + id + "/messages/x/attachments/-1", nil, 422, desk.CodeValidation, nil},
		"no such path":         {"GET", "/v2/me", nil, 404, desk.CodeNotFound, nil},
		"no such method":       {"DELETE", "/v1/me", nil, 405, desk.CodeMethodNotAllowed, nil},
		"nothing but a dotdot": {"GET", "/v1/../v1/nothing", nil, 404, desk.CodeNotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.T = t
			if body, ok := tc.body.(string); ok && body == "" {
				tc.body = http.NoBody
				tc.body = nil
			}
			a := f.want(tc.status, tc.code, alice, tc.method, tc.path, tc.body, tc.headers...)
			if strings.Contains(string(a.raw), secret) {
				t.Errorf("the answer repeats a password: %s", a.raw)
			}
		})
	}
	if a := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil); a.body["messageCount"] != 1.0 {
		t.Errorf("a refused reply was stored: %s", a.raw)
	}
}

// While the store does not answer the API says so, and logs why under the request's id.
func TestStoreUnavailable(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	f.ok(f.store.Close())
	a := f.want(503, desk.CodeUnavailable, token, "GET", "/v1/me", nil, "X-Request-Id", "req-1")
	if a.header.Get("Retry-After") == "" || a.header.Get("X-Request-Id") != "req-1" || a.body["detail"] != nil {
		t.Errorf("unavailable: %v %s", a.header, a.raw)
	}
	if !strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), "requestID=req-1") {
		t.Errorf("log: %s", f.log.String())
	}
	a = f.want(503, desk.CodeUnavailable, token, "GET", "/v1/me", nil, "X-Request-Id", "with a blank")
	if a.header.Get("X-Request-Id") == "with a blank" {
		t.Error("an unacceptable request id was taken over")
	}
}

func TestPanicIsAnswered(t *testing.T) {
	f := newFixture(t)
	f.sip = func(store.Key) (desk.SIPSecret, error) { panic("broken") }
	token := f.login("alice")
	f.want(500, desk.CodeInternal, token, "GET", "/v1/me", nil)
	if !strings.Contains(f.log.String(), "panic=broken") {
		t.Errorf("log: %s", f.log.String())
	}
}

func TestCORS(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.AllowedOrigins = []string{"https://desk.example.com"} })
	preflight := []string{"Access-Control-Request-Method", "POST", "Origin"}
	a := f.do("", "OPTIONS", "/v1/login", nil, append(preflight, "https://desk.example.com")...)
	if methods := a.header.Get("Access-Control-Allow-Methods"); !strings.Contains(methods, "DELETE") {
		t.Errorf("a browser may use %s", methods)
	}
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://desk.example.com" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	a = f.do("", "OPTIONS", "/v1/login", nil, append(preflight, "https://evil.example")...)
	if a.status != 405 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %d %v", a.status, a.header)
	}
	a = f.do("", "GET", "/v1/me", nil, "Origin", "https://desk.example.com")
	if a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != "https://desk.example.com" || a.header.Get("Vary") != "Origin" {
		t.Errorf("request: %d %v", a.status, a.header)
	}
	off := newFixture(t)
	if a := off.do("", "OPTIONS", "/v1/login", nil, append(preflight, "https://desk.example.com")...); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("CORS is on by default: %v", a.header)
	}
}

func TestOptionsAreRequired(t *testing.T) {
	if _, err := desk.New(desk.Options{PasswordRules: func(context.Context, string) (desk.PasswordRules, error) { return desk.PasswordRules{}, nil }}); err == nil {
		t.Error("New accepted no store")
	}
}
