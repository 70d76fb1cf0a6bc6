package desk_test

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Canned answers have the interaction's values, and their attachments go out with a reply.
func TestCannedAnswers(t *testing.T) {
	f := newFixture(t)
	set := store.Key{Namespace: center, Name: "all"}
	f.ok(f.store.PutCannedFile(f.Context(), set, "sum", []byte("%PDF-")))
	f.ok(f.store.PutCannedAnswerSet(f.Context(), store.CannedAnswerSet{Key: set, Scope: store.ScopeGlobal, Items: []store.CannedAnswer{
		{Key: "hello", Value: "Dear {{ customer.name }},\n{{ agent.name }} for {{account.name}} {{ nobody }}.", Description: "greeting",
			Attachments: []store.CannedFile{{Attachment: store.Attachment{Name: "Prüfung.pdf", ContentType: "application/pdf", Size: 5}, SHA256: "sum"}}},
		{Key: "bye", Value: "Bye"},
	}}))
	alice, bob := f.login("alice"), f.login("bob")
	f.want(200, "", bob, "PUT", "/v1/me/presence", map[string]string{"state": "Paused"})
	path := "/v1/interactions/" + f.receive("Broken")
	f.route()
	f.want(200, "", alice, "POST", path+"/accept", nil)
	f.want(404, desk.CodeNotFound, bob, "GET", path+"/canned-answers", nil)

	a := f.want(200, "", alice, "GET", path+"/canned-answers", nil)
	if a.at("cannedAnswers", 0, "text") != "Dear Zoe,\nAlice for Info ." || a.at("cannedAnswers", 0, "attachments", 0, "name") != "Prüfung.pdf" ||
		a.at("cannedAnswers", 0, "description") != "greeting" || a.at("cannedAnswers", 1, "key") != "bye" || a.at("cannedAnswers", 2) != nil {
		t.Errorf("canned answers: %s", a.raw)
	}
	a = f.want(200, "", alice, "GET", path+"/canned-answers/hello/attachments/0", nil)
	if string(a.raw) != "%PDF-" || a.header.Get("Content-Type") != "application/pdf" {
		t.Errorf("attachment: %q %s", a.raw, a.header.Get("Content-Type"))
	}
	for _, missing := range []string{"hello/attachments/1", "nothing/attachments/0", "bye/attachments/0"} {
		f.want(404, desk.CodeNotFound, alice, "GET", path+"/canned-answers/"+missing, nil)
	}
	f.want(404, desk.CodeNotFound, bob, "GET", path+"/canned-answers/hello/attachments/0", nil)

	reply := map[string]any{"text": "Hello", "cannedAnswers": []string{"hello", "nothing"}}
	f.want(422, desk.CodeCannedAnswerUnknown, alice, "POST", path+"/replies", reply)
	reply["cannedAnswers"] = []string{"hello"}
	a = f.want(202, "", alice, "POST", path+"/replies", reply)
	if a.at("attachments", 0, "name") != "Prüfung.pdf" {
		t.Errorf("reply: %s", a.raw)
	}
	id, _ := a.at("id").(string)
	raw, err := f.store.RawMessage(f.Context(), center, id)
	f.ok(err)
	got, content, err := message.Attachment(raw, 0)
	if err != nil || got.Name != "Prüfung.pdf" || got.ContentType != "application/pdf" || string(content) != "%PDF-" {
		t.Errorf("sent %+v %q, %v", got, content, err)
	}
	if parsed := message.Parse(raw, "info@example.com"); parsed.Message.Text != "Hello" {
		t.Errorf("text %q", parsed.Message.Text)
	}
}
