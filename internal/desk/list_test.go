package desk_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// ids of a list the API answers with.
func (f *fixture) ids(token, path string) []string {
	f.Helper()
	list, _ := f.want(200, "", token, "GET", path, nil).body["interactions"].([]any)
	ids := []string{}
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		id, _ := m["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// assign lets agents see the account's interactions.
func (f *fixture) assign(agents ...string) {
	f.Helper()
	f.ok(f.store.SetAccountAgents(f.Context(), accountKey, agents))
}

// giveUp lets a mail arrive that routing does not place.
func (f *fixture) giveUp(subject string) string {
	f.Helper()
	f.ok(f.store.DeleteQueue(f.Context(), queueKey))
	return f.receive(subject)
}

func TestListFilters(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	first, second := f.receive("Broken lamp"), f.receive("A 100% discount")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+first+"/accept", nil)
	f.want(204, "", alice, "POST", "/v1/interactions/"+first+"/read", nil)
	f.want(200, "", alice, "PATCH", "/v1/interactions/"+first, `{"tags":["vip","lamp"]}`)
	began, err := f.store.GetInteraction(t.Context(), center, second)
	f.ok(err)
	between := began.CreatedAt.UTC().Format(time.RFC3339Nano)
	for query, want := range map[string][]string{
		"read=true":                         {first},
		"read=false":                        {second},
		"tags=vip":                          {first},
		"tags=other,lamp":                   {first},
		"tags=other":                        {},
		"text=LAMP":                         {first},
		"text=100%25":                       {second},
		"text=zoe@customer":                 {second, first},
		"text=nobody":                       {},
		"agent=alice":                       {second, first},
		"agent=bob":                         {},
		"account=info&state=Open,Offered":   {second, first},
		"state=Open&read=true&tags=vip":     {first},
		"from=" + url.QueryEscape(between):  {second},
		"to=" + url.QueryEscape(between):    {first},
		"from=2001-01-01T00:00:00%2B02:00":  {second, first},
		"mine=true&text=lamp&state=Offered": {},
	} {
		if d := cmp.Diff(want, f.ids(alice, "/v1/interactions?"+query)); d != "" {
			t.Errorf("%s (-want +got):\n%s", query, d)
		}
	}
	for _, query := range []string{"tags=vip&tags=lamp", "state=Open&state=Closed", "text=a&text=a", "limit=1&limit=2"} {
		f.want(400, desk.CodeDuplicateFilter, alice, "GET", "/v1/interactions?"+query, nil)
	}
	for _, query := range []string{"from=yesterday", "read=maybe", "unread=true", "cursor=of-another-world", "text=" + strings.Repeat("x", 201)} {
		f.want(422, desk.CodeValidation, alice, "GET", "/v1/interactions?"+query, nil)
	}
}

// An account's list is the agent's own, cut to it, and is not there for agents who may not see the account.
func TestAccountInteractions(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	f.ok(f.store.SetPresence(t.Context(), store.Presence{Agent: agentKey("bob")})) // everything is alice's
	f.ok(f.store.PutAccount(t.Context(), store.Account{Key: store.Key{Namespace: center, Name: "sales"}, Queue: "mail", Active: true}))
	first, second := f.receive("Broken lamp"), f.receive("Another lamp")
	f.route()
	const path = "/v1/emailaccounts/info/interactions"
	for query, want := range map[string][]string{
		"":                           {second, first},
		"?limit=1":                   {second},
		"?limit=1&cursor=" + second:  {first},
		"?text=broken&state=Offered": {first},
		"?state=Closed":              {},
		"?mine=true":                 {second, first},
	} {
		if d := cmp.Diff(want, f.ids(alice, path+query)); d != "" {
			t.Errorf("%s (-want +got):\n%s", query, d)
		}
	}
	for where, token := range map[string]string{"of another account": alice, "of another agent": bob} {
		name := map[string]string{"of another account": "sales", "of another agent": "info"}[where]
		if ids := f.ids(token, "/v1/emailaccounts/"+name+"/interactions"); len(ids) != 0 {
			t.Errorf("%s: %v", where, ids)
		}
	}
	f.want(400, desk.CodeDuplicateFilter, alice, "GET", path+"?tags=a&tags=b", nil)
	f.want(422, desk.CodeValidation, alice, "GET", path+"?account=sales", nil)
	f.want(404, desk.CodeNotFound, alice, "GET", "/v1/emailaccounts/gone/interactions", nil)

	f.assign("bob")
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil)
	if d := cmp.Diff([]string{second, first}, f.ids(bob, path)); d != "" {
		t.Errorf("of the assigned agent (-want +got):\n%s", d)
	}
	f.permit("bob", without("Email"))
	f.want(403, desk.CodePermissionDenied, bob, "GET", path, nil)
}

func TestTitleAndTags(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Broken lamp")
	path := "/v1/interactions/" + id
	f.want(404, desk.CodeNotFound, alice, "PATCH", path, `{"title":"mine"}`) // still queued
	f.route()
	if a := f.want(200, "", alice, "GET", path, nil); a.body["title"] != "Broken lamp" || cmp.Diff([]any{}, a.body["tags"]) != "" {
		t.Errorf("untouched: %s", a.raw)
	}
	a := f.want(200, "", alice, "PATCH", path, map[string]any{"title": "Warranty", "tags": []string{"vip", "lamp", "vip"}})
	if a.body["title"] != "Warranty" || a.body["subject"] != "Broken lamp" || cmp.Diff([]any{"lamp", "vip"}, a.body["tags"]) != "" {
		t.Errorf("changed: %s", a.raw)
	}
	a = f.want(200, "", alice, "PATCH", path, `{"tags":[]}`)
	if a.body["title"] != "Warranty" || cmp.Diff([]any{}, a.body["tags"]) != "" {
		t.Errorf("without tags: %s", a.raw)
	}
	if a := f.want(200, "", alice, "PATCH", path, `{"title":""}`); a.body["title"] != "Broken lamp" {
		t.Errorf("title taken off: %s", a.raw)
	}
	for _, body := range []map[string]any{
		{"title": strings.Repeat("ü", 201)}, {"title": "two\r\nlines"}, {"tags": []string{"a,b"}}, {"tags": []string{""}}, {"tags": []string{strings.Repeat("x", 51)}},
		{"tags": strings.Split(strings.Repeat("x ", 20)+"x", " ")}, {"subject": "no"},
	} {
		f.want(422, desk.CodeValidation, alice, "PATCH", path, body)
	}
	f.want(404, desk.CodeNotFound, f.login("bob"), "PATCH", path, `{"title":"mine"}`)
}

// An agent sees an account's interactions when assigned to it; whoever holds one sees it whoever is assigned.
func TestAssignedAgents(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	f.ok(f.store.SetPresence(t.Context(), store.Presence{Agent: agentKey("bob")})) // everything is alice's
	id := f.receive("Hello")
	path := "/v1/interactions/" + id
	f.assign("bob")
	f.want(200, "", bob, "GET", path, nil) // even while it is queued
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil)
	f.route()
	f.want(200, "", alice, "POST", path+"/accept", nil)
	if ids := f.ids(bob, "/v1/interactions"); len(ids) != 1 || ids[0] != id {
		t.Errorf("the assigned agent's list: %v", ids)
	}
	if ids := f.ids(bob, "/v1/interactions?mine=true"); len(ids) != 0 {
		t.Errorf("what the assigned agent does not hold: %v", ids)
	}
	f.want(404, desk.CodeNotFound, bob, "POST", path+"/close", nil)
	f.want(409, desk.CodeNotOpen, bob, "POST", path+"/replies", map[string]string{"text": "hi"})
	f.want(409, desk.CodeConflict, bob, "POST", path+"/read", nil)
	f.want(200, "", alice, "GET", path, nil)
	f.want(200, "", alice, "POST", path+"/close", nil)
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil)
	if ids := f.ids(alice, "/v1/interactions"); len(ids) != 0 {
		t.Errorf("an account that others are assigned to: %v", ids)
	}
	f.want(204, "", bob, "POST", path+"/read", nil)
	f.assign()
	f.want(404, desk.CodeNotFound, bob, "GET", path, nil)
	f.want(200, "", alice, "GET", path, nil)
}

func TestMarkUnread(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	id := f.receive("Hello")
	path := "/v1/interactions/" + id
	f.route()
	f.want(200, "", alice, "POST", path+"/accept", nil)
	f.want(204, "", alice, "POST", path+"/read", nil)
	f.want(403, desk.CodeMarkUnreadDenied, alice, "POST", path+"/unread", nil)
	account, err := f.store.GetAccount(t.Context(), accountKey)
	f.ok(err)
	account.Desk.MarkUnread = true
	f.ok(f.store.PutAccount(t.Context(), account))
	f.want(204, "", alice, "POST", path+"/unread", nil)
	if a := f.want(200, "", alice, "GET", path, nil); a.body["read"] != false || a.body["state"] != "Open" {
		t.Errorf("marked unread: %s", a.raw)
	}
	f.want(404, desk.CodeNotFound, f.login("bob"), "POST", path+"/unread", nil)
	f.ok(f.store.DeleteAccount(t.Context(), accountKey))
	f.want(403, desk.CodeMarkUnreadDenied, alice, "POST", path+"/unread", nil)
}

func TestTakeOver(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	id := f.giveUp("Nobody answers")
	take := "/v1/interactions/" + id + "/take"
	f.want(404, desk.CodeNotFound, alice, "POST", take, nil)
	f.assign("alice", "bob")
	if ids := f.ids(alice, "/v1/unread?account=info"); len(ids) != 1 || ids[0] != id {
		t.Errorf("unread list: %v", ids)
	}
	if a := f.want(200, "", alice, "POST", take, nil); a.body["state"] != "Open" || a.body["agent"] != "alice" {
		t.Errorf("taken: %s", a.raw)
	}
	f.want(409, desk.CodeNotUnread, bob, "POST", take, nil)
	if ids := f.ids(bob, "/v1/unread"); len(ids) != 0 {
		t.Errorf("unread list after that: %v", ids)
	}
	f.want(200, "", alice, "POST", "/v1/interactions/"+f.receive("Second")+"/take", nil)
	third := f.receive("Third")
	f.want(409, desk.CodeCapacityReached, alice, "POST", "/v1/interactions/"+third+"/take", nil)
	f.want(200, "", bob, "POST", "/v1/interactions/"+third+"/take", nil)
}
