package desk_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// opened is an interaction open with the agent, and its path.
func (f *fixture) opened(token, subject string) string {
	f.Helper()
	id := f.receive(subject)
	f.route()
	path := "/v1/interactions/" + id
	f.want(200, "", token, "POST", path+"/accept", nil)
	return path
}

// upload adds a file and returns its id.
func (f *fixture) upload(token, path, name, content string) string {
	f.Helper()
	a := f.want(201, "", token, "POST", path+"/uploads?contentType=application/pdf&name="+name, content, "Content-Type", "application/octet-stream")
	id, _ := a.body["id"].(string)
	return id
}

// sent is the raw mail of a message.
func (f *fixture) sent(a answer) *mail.Message {
	f.Helper()
	id, _ := a.body["id"].(string)
	raw, err := f.store.RawMessage(f.Context(), center, id)
	f.ok(err)
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	f.ok(err)
	return m
}

func (f *fixture) setDesk(d store.AccountDesk) {
	f.Helper()
	account, err := f.store.GetAccount(f.Context(), accountKey)
	f.ok(err)
	account.Desk = d
	f.ok(f.store.PutAccount(f.Context(), account))
}

func TestReplyWithFilesAndHiddenRecipients(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	path := f.opened(alice, "Lamp")
	first, second := f.upload(alice, path, "manual.pdf", "%PDF one"), f.upload(alice, path, "Pr%C3%BCfung.pdf", "two")
	if a := f.want(200, "", alice, "GET", path+"/uploads", nil); a.at("uploads", 0, "name") != "manual.pdf" || a.at("uploads", 1, "name") != "Prüfung.pdf" || a.at("uploads", 0, "size") != 8.0 {
		t.Errorf("uploads: %s", a.raw)
	}
	a := f.want(202, "", alice, "POST", path+"/replies", map[string]any{
		"text": "See below.", "cc": []string{"cc@customer.example"}, "bcc": []string{"boss@example.com"}, "attachments": []string{second, first},
	})
	if a.at("bcc", 0) != "boss@example.com" || a.at("attachments", 0, "name") != "Prüfung.pdf" || a.at("attachments", 1, "contentType") != "application/pdf" {
		t.Errorf("reply: %s", a.raw)
	}
	m := f.sent(a)
	if m.Header.Get("Bcc") != "" || !strings.Contains(m.Header.Get("Cc"), "cc@customer.example") {
		t.Errorf("headers of the reply: %v", m.Header)
	}
	content, err := io.ReadAll(m.Body)
	f.ok(err)
	if strings.Contains(string(content), "boss@") {
		t.Error("the mail names the hidden recipient")
	}
	raw, err := f.store.RawMessage(t.Context(), center, fmt.Sprint(a.body["id"]))
	f.ok(err)
	for n, want := range []string{"two", "%PDF one"} {
		if _, got, err := message.Attachment(raw, n); err != nil || string(got) != want {
			t.Errorf("attachment %d: %q, %v", n, got, err)
		}
	}
	if a := f.want(200, "", alice, "GET", path+"/uploads", nil); a.at("uploads", 0) != nil {
		t.Errorf("uploads after sending: %s", a.raw)
	}
	f.want(422, desk.CodeValidation, alice, "POST", path+"/replies", map[string]any{"text": "again", "attachments": []string{first}})
}

func TestUploads(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	path := f.opened(alice, "Lamp")
	if alice, bob = f.holder(alice, bob, path); alice == "" {
		t.Fatal("nobody has it")
	}
	id := f.upload(alice, path, "a.pdf", "x")
	binary := []string{"Content-Type", "application/octet-stream"}
	f.want(404, desk.CodeNotFound, bob, "POST", path+"/uploads?name=a", "x", binary...)
	f.want(404, desk.CodeNotFound, bob, "GET", path+"/uploads", nil)
	f.want(404, desk.CodeNotFound, bob, "DELETE", path+"/uploads/"+id, nil)
	for _, query := range []string{"", "name=", "name=a%0d%0aX:1", "name=..%2Fa", "name=a&contentType=" + "nonsense%20here", "name=a&contentType=text/html%3Bcharset=x"} {
		f.want(422, desk.CodeValidation, alice, "POST", path+"/uploads?"+query, "x", binary...)
	}
	f.want(413, desk.CodeTooLarge, alice, "POST", path+"/uploads?name=a", strings.Repeat("x", store.MaxUpload+1), binary...)
	f.want(201, "", alice, "POST", path+"/uploads?name=b", strings.Repeat("x", store.MaxUpload), binary...)
	f.want(413, desk.CodeTooMuch, alice, "POST", path+"/uploads?name=c", strings.Repeat("x", store.MaxUpload), binary...)
	f.want(422, desk.CodeValidation, alice, "POST", path+"/replies", map[string]any{"text": "hi", "attachments": []string{id, id}})
	f.want(204, "", alice, "DELETE", path+"/uploads/"+id, nil)
	f.want(404, desk.CodeNotFound, alice, "DELETE", path+"/uploads/"+id, nil)
	f.want(200, "", alice, "POST", path+"/close", nil)
	f.want(409, desk.CodeNotOpen, alice, "POST", path+"/uploads?name=a", "x", binary...)
}

// holder returns the tokens with that of the agent who has the interaction first.
func (f *fixture) holder(one, other, path string) (holder, rest string) {
	f.Helper()
	switch {
	case f.do(one, "GET", path, nil).status == http.StatusOK:
		return one, other
	case f.do(other, "GET", path, nil).status == http.StatusOK:
		return other, one
	}
	return "", ""
}

func TestReplyOncePerKey(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	path := f.opened(alice, "Lamp")
	body := map[string]any{"text": "On its way."}
	first := f.want(202, "", alice, "POST", path+"/replies", body, "Idempotency-Key", "abc-1")
	again := f.want(202, "", alice, "POST", path+"/replies", body, "Idempotency-Key", "abc-1")
	if first.body["id"] != again.body["id"] {
		t.Errorf("sent twice: %v and %v", first.body["id"], again.body["id"])
	}
	f.want(422, desk.CodeKeyReused, alice, "POST", path+"/replies", map[string]any{"text": "Another."}, "Idempotency-Key", "abc-1")
	f.want(422, desk.CodeValidation, alice, "POST", path+"/replies", body, "Idempotency-Key", "with space")
	f.want(200, "", alice, "POST", path+"/close", nil)
	if late := f.want(202, "", alice, "POST", path+"/replies", body, "Idempotency-Key", "abc-1"); late.body["id"] != first.body["id"] {
		t.Errorf("after closing: %s", late.raw)
	}
	if a := f.want(200, "", alice, "GET", path, nil); a.body["messageCount"] != 2.0 {
		t.Errorf("messages: %s", a.raw)
	}
}

func TestForward(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	path := f.opened(alice, "Lamp")
	f.want(202, "", alice, "POST", path+"/replies", map[string]any{"text": "An earlier answer."})
	body := map[string]any{"to": []string{"expert@other.example", "second@other.example"}, "text": "What do you think?", "bcc": []string{"boss@example.com"}}
	a := f.want(202, "", alice, "POST", path+"/forwards", body, "Idempotency-Key", "f1")
	m := f.sent(a)
	if m.Header.Get("Subject") != "Fwd: Lamp" || m.Header.Get("In-Reply-To") != "" || !strings.Contains(m.Header.Get("To"), "second@other.example") ||
		strings.Contains(m.Header.Get("To"), "zoe@") {
		t.Errorf("headers: %v", m.Header)
	}
	text, _ := a.body["text"].(string)
	for _, want := range []string{"What do you think?\n\n----------", "From: zoe@customer.example\n", "Subject: Lamp\n", "\nHello"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "An earlier answer.") || a.at("attachments", 0, "name") != "Prüfung.html" || a.at("attachments", 1) != nil {
		t.Errorf("without history: %s", a.raw)
	}
	if again := f.want(202, "", alice, "POST", path+"/forwards", body, "Idempotency-Key", "f1"); again.body["id"] != a.body["id"] {
		t.Error("forwarded twice")
	}

	f.setDesk(store.AccountDesk{ForwardHistory: true})
	delete(body, "text")
	a = f.want(202, "", alice, "POST", path+"/forwards", body)
	text, _ = a.body["text"].(string)
	if strings.Count(text, "\n\n---------- Forwarded message ----------\n") != 4 || !strings.Contains(text, "An earlier answer.") {
		t.Errorf("with history:\n%s", text)
	}
	for _, bad := range []map[string]any{{}, {"to": []string{}}, {"to": []string{"Zoe <zoe@customer.example>"}}, {"to": []string{"a@b\r\nBcc: c@d"}},
		{"to": []string{"a@b.example"}, "bcc": []string{"x"}}, {"to": strings.Split(strings.Repeat("a@b.example ", 20)+"a@b.example", " ")}} {
		f.want(422, desk.CodeValidation, alice, "POST", path+"/forwards", bad)
	}
	f.want(404, desk.CodeNotFound, f.login("bob"), "POST", path+"/forwards", body)
}

func TestDrafts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	path := f.opened(alice, "Lamp")
	draft := path + "/draft"
	if a := f.want(200, "", alice, "GET", path, nil); a.at("drafts", "autosave") != "Disabled" || a.at("drafts", "intervalSeconds") != 5.0 {
		t.Errorf("drafting: %s", a.raw)
	}
	f.setDesk(store.AccountDesk{Autosave: true, AutosaveInterval: 2e9})
	if a := f.want(200, "", alice, "GET", path, nil); a.at("drafts", "autosave") != "Enabled" || a.at("drafts", "intervalSeconds") != 2.0 {
		t.Errorf("drafting: %s", a.raw)
	}
	f.want(404, desk.CodeNotFound, alice, "GET", draft, nil)
	first := f.want(200, "", alice, "PUT", draft, map[string]any{"text": "Hel", "cc": []string{"half@"}})
	tag := first.header.Get("ETag")
	f.want(412, desk.CodeDraftChanged, alice, "PUT", draft, map[string]any{"text": "other window"})
	next := f.want(200, "", alice, "PUT", draft, map[string]any{"text": "Hello"}, "If-Match", tag)
	f.want(412, desk.CodeDraftChanged, alice, "PUT", draft, map[string]any{"text": "other window"}, "If-Match", tag)
	f.want(412, desk.CodeDraftChanged, alice, "PUT", draft, map[string]any{"text": "other window"}, "If-Match", "*")
	a := f.want(200, "", alice, "GET", draft, nil)
	if a.body["text"] != "Hello" || a.header.Get("ETag") != next.header.Get("ETag") || cmp.Diff(a.body, next.body) != "" || a.body["agent"] != "alice" {
		t.Errorf("kept: %s, want %s", a.raw, next.raw)
	}
	bob := f.login("bob")
	f.want(404, desk.CodeNotFound, bob, "GET", draft, nil)
	f.want(404, desk.CodeNotFound, bob, "PUT", draft, map[string]any{"text": "x"})
	f.want(404, desk.CodeNotFound, bob, "DELETE", draft, nil)
	f.assign("bob", "alice")
	f.want(200, "", bob, "GET", draft, nil)
	f.want(409, desk.CodeNotOpen, bob, "PUT", draft, map[string]any{"text": "x"}, "If-Match", next.header.Get("ETag"))
	f.want(412, desk.CodeDraftChanged, alice, "DELETE", draft, nil, "If-Match", tag)
	f.want(204, "", alice, "DELETE", draft, nil)
	f.want(200, "", alice, "PUT", draft, map[string]any{"text": "again"})
	f.want(202, "", alice, "POST", path+"/replies", map[string]any{"text": "sent"})
	f.want(404, desk.CodeNotFound, alice, "GET", draft, nil)
}
