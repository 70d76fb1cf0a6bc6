package desk_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const maskedCustomerMail = `From: Zelda Quux <zelda.quux@customer.example>
To: info@example.com
Cc: zelda.quux@home.example
Message-ID: <m1@customer.example>
Subject: Zelda Quux wants a call
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=c

--c

Call me at +39 333 7654321. Zelda
--c
Content-Type: text/html

<p>Call me at <b>+39</b> 333 <i>7654321</i>. Zelda <a href="mailto:zelda.quux@customer.example">Q</a></p>
--c--
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="for zelda.quux@customer.example.pdf"

PDF
--b
Content-Type: text/vcard
Content-Disposition: attachment; filename="me.vcf"

BEGIN:VCARD
--b--
`

// whoItIs are the parts of the customer that no masked answer may have.
var whoItIs = []string{"elda", "uux", "7654321"}

func (f *fixture) receiveRaw(raw string) string {
	f.Helper()
	f.receive("before")
	parsed := message.Parse([]byte(strings.ReplaceAll(raw, "\n", "\r\n")), "info@example.com")
	m := parsed.Message
	m.Namespace, m.Account, m.State = center, accountKey.Name, store.MessageStored
	f.uid++
	results, err := f.store.Ingest(f.Context(), f.lease, accountKey, []store.IngestMail{{
		Mailbox: "INBOX", UIDValidity: 1, UID: f.uid, Kind: store.IngestMessage, Raw: []byte(raw), SHA256: security.TokenHash(raw),
		Size: int64(len(raw)), CustomerName: parsed.CustomerName, ThreadKeys: parsed.ThreadKeys, Message: m,
	}})
	f.ok(err)
	return results[0].InteractionID
}

// callOf lets a customer call alice and returns the id of the call.
func (f *fixture) callOf(name, number string) string {
	f.Helper()
	alice, err := f.store.GetAgent(f.Context(), agentKey("alice"))
	f.ok(err)
	f.ok(f.store.PutCall(f.Context(), pbxKey, store.Call{
		Uniqueid: "u1", Extension: alice.Extension, Direction: store.Inbound, Number: number, Name: name, State: store.CallUp,
	}))
	calls, err := f.store.ListCalls(f.Context(), store.CallFilter{Namespace: center, Agent: "alice", Limit: 1})
	f.ok(err)
	return calls[0].ID
}

// paths of the OpenAPI document with their methods.
func (f *fixture) paths() map[string]map[string]any {
	f.Helper()
	var document struct{ Paths map[string]map[string]any }
	f.ok(json.Unmarshal(f.do("", "GET", "/openapi.json", nil).raw, &document))
	return document.Paths
}

func maskedPermissions() string {
	p := allowed()
	p.SensitiveData, p.MaskedCharacters = "Masked", 32
	raw, _ := json.Marshal(p)
	return string(raw)
}

// A masked agent goes through every operation that reads, by the OpenAPI document, and answers the customer.
func TestMaskedAgentSeesNoCustomer(t *testing.T) {
	f := newFixture(t)
	f.ok(f.store.PutAgent(f.Context(), store.Agent{
		Key: agentKey("alice"), Username: "alice.r", DisplayName: "Alice", Extension: "1005", Active: true, Permissions: []byte(maskedPermissions()),
	}))
	f.ok(f.store.PutQueue(f.Context(), store.Queue{
		Key: queueKey, DisplayName: "Mail", Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
		Members: []store.QueueMember{{Agent: "alice"}},
	}))
	token := f.login("alice")
	canned := store.Key{Namespace: center, Name: "canned"}
	f.ok(f.store.PutCannedFile(f.Context(), canned, "sum", []byte("price list")))
	f.ok(f.store.PutCannedAnswerSet(f.Context(), store.CannedAnswerSet{Key: canned, Scope: store.ScopeGlobal, Items: []store.CannedAnswer{{
		Key: "hello", Value: "Dear {{ customer.name }}, you wrote from {{ customer.address }}",
		Attachments: []store.CannedFile{{Attachment: store.Attachment{Name: "prices.pdf", ContentType: "application/pdf", Size: 10}, SHA256: "sum"}},
	}}}))
	f.storeContacts()
	f.ok(f.store.PutAvatar(f.Context(), agentKey("alice"), store.Avatar{Source: "a", SHA256: "a", ContentType: "image/png", Content: []byte("a picture")}))
	stream := f.stream(token, "")
	id := f.receiveRaw(maskedCustomerMail)
	f.route()
	known, err := f.store.ListContacts(f.Context(), store.ContactFilter{Namespace: center, Limit: 1})
	f.ok(err)
	call := f.callOf("Zelda Quux", "+393337654321")
	f.report(store.Call{Uniqueid: "u1", State: store.CallEnded, Recordings: []string{"ringmaster/1005/one.wav"}})
	f.ok(f.store.SetSupervisors(f.Context(), agentKey("alice"), []string{"alice"})) // who may see who downloaded

	check := func(what string, raw []byte, header string) {
		t.Helper()
		for _, part := range whoItIs {
			if strings.Contains(strings.ToLower(string(raw)+header), part) {
				t.Errorf("%s tells %q: %.300s", what, part, raw)
			}
		}
	}
	f.want(200, "", token, "POST", "/v1/interactions/"+id+"/accept", nil)
	for _, copied := range []string{"cc", "bcc"} {
		f.want(403, desk.CodePermissionDenied, token, "POST", "/v1/interactions/"+id+"/replies",
			map[string]any{"text": "We call you.", copied: []string{"agent@elsewhere.example"}})
	}
	sent := f.want(202, "", token, "POST", "/v1/interactions/"+id+"/replies", map[string]string{"text": "We call you."})
	check("reply", sent.raw, "")
	mid, _ := sent.at("id").(string)
	raw, err := f.store.RawMessage(f.Context(), center, mid)
	f.ok(err)
	if !strings.Contains(string(raw), "zelda.quux@customer.example") {
		t.Errorf("the answer does not go to the customer:\n%s", raw)
	}

	detail := f.want(200, "", token, "GET", "/v1/interactions/"+id, nil)
	inbound := detail.at("messages", 0).(map[string]any)
	if inbound["html"] != nil || !strings.Contains(fmt.Sprint(inbound["text"]), "Call me at") || detail.at("customer", "address") != "**********@customer.example" {
		t.Errorf("masked more or less than who it is: %s", detail.raw)
	}
	kept := f.want(200, "", token, "PUT", "/v1/interactions/"+id+"/draft", map[string]any{"text": "Dear Zelda Quux", "to": []string{"zelda.quux@customer.example"}})
	check("draft", kept.raw, "")
	of := strings.NewReplacer("/v1/calls/{id}", "/v1/calls/"+call, "/v1/agents/{name}", "/v1/agents/alice", "{contact}", known[0].ID, "{id}", id, "{mid}", fmt.Sprint(inbound["id"]), "{n}", "0", "{key}", "hello", "{name}", accountKey.Name)
	read := 0
	for path, methods := range f.paths() {
		if _, ok := methods["get"]; !ok || path == "/v1/events" {
			continue
		}
		a := f.do(token, "GET", of.Replace(path), nil)
		check(path, a.raw, a.header.Get("Content-Disposition"))
		if a.status != 200 && !strings.HasSuffix(path, "/raw") && !strings.HasSuffix(path, "/html") && !strings.HasSuffix(path, "/recordings/{n}") {
			t.Errorf("GET %s: %d; teach this test to read it", path, a.status)
		}
		read++
	}
	if read < 12 {
		t.Errorf("only %d operations were read", read)
	}
	for _, file := range []string{"/raw", "/html", "/html?remote=allow", "/attachments/1"} {
		f.want(403, "PERMISSION_DENIED", token, "GET", fmt.Sprintf("/v1/interactions/%s/messages/%s%s", id, inbound["id"], file), nil)
	}
	f.want(403, "PERMISSION_DENIED", token, "GET", "/v1/calls/"+call+"/recordings/0", nil)
	f.want(200, "", token, "POST", "/v1/interactions/"+id+"/close", nil)
	f.want(204, "", token, "POST", "/v1/logout", nil)
	for _, e := range stream.drained() {
		data, _ := json.Marshal(e.data)
		check("event "+e.name, data, "")
	}
}

// Masking begins and ends while a session is open.
func TestMaskingChangesInOpenSessions(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	call := f.callOf("Zelda Quux", "+393337654321")
	want := func(number, name string) {
		t.Helper()
		a := f.want(200, "", token, "GET", "/v1/calls/"+call, nil)
		if a.at("party", "number") != number || a.at("party", "name") != name {
			t.Errorf("%s, want %s and %s", a.raw, number, name)
		}
	}
	want("+393337654321", "Zelda Quux")
	p := allowed()
	p.SensitiveData, p.MaskedCharacters = "Masked", 4
	f.permit("alice", p)
	want("+39333765****", "Z**** ****")
	p.MaskedCharacters = 0 // not known: everything
	f.permit("alice", p)
	want("+************", "***** ****")
	f.permit("alice", allowed())
	want("+393337654321", "Zelda Quux")
}
