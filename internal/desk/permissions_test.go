package desk_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// permit records an agent's permissions.
func (f *fixture) permit(name string, p desk.Permissions) {
	f.Helper()
	agent, err := f.store.GetAgent(f.Context(), agentKey(name))
	f.ok(err)
	agent.Permissions, err = json.Marshal(p)
	f.ok(err)
	f.ok(f.store.PutAgent(f.Context(), agent))
}

func allowed() desk.Permissions {
	return desk.Permissions{
		Role: "Agent", InternalMessenger: "Allowed", RecallMeCampaign: "Denied", Modules: []string{"Colleagues", "Contacts", "Email", "Voice", "Voicemail"},
		Downloads:     desk.Downloads{Attachments: "Allowed", Interactions: "Allowed", Recordings: "Allowed"},
		Contacts:      desk.ContactRights{Edit: "Denied", Import: "Denied"},
		SensitiveData: "Visible",
	}
}

func without(module string) desk.Permissions {
	p := allowed()
	var left []string
	for _, m := range p.Modules {
		if m != module {
			left = append(left, m)
		}
	}
	p.Modules = left
	return p
}

func TestPermissionsOfOperations(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	f.want(200, "", token, "PUT", "/v1/me/presence", map[string]string{"state": "Ready"})
	id := f.receive("Invoice")
	f.route()
	detail := f.want(200, "", token, "GET", "/v1/interactions/"+id, nil)
	message := "/v1/interactions/" + id + "/messages/" + detail.at("messages", 0, "id").(string)

	noAttachments := allowed()
	noAttachments.Downloads.Attachments = "Denied"
	noInteractions := allowed()
	noInteractions.Downloads.Interactions = "Denied"
	for name, test := range map[string]struct {
		permissions desk.Permissions
		path        string
		names       string
	}{
		"calls":       {without("Voice"), "/v1/calls", "modules.Voice"},
		"missed":      {without("Voice"), "/v1/calls?missed=true", "modules.Voice"},
		"voicemail":   {without("Voicemail"), "/v1/me/voicemail", "modules.Voicemail"},
		"e-mails":     {without("Email"), "/v1/interactions", "modules.Email"},
		"export":      {noInteractions, "/v1/interactions.csv", "downloads.interactions"},
		"its module":  {without("Email"), "/v1/interactions.csv", "modules.Email"},
		"colleagues":  {without("Colleagues"), "/v1/agents", "modules.Colleagues"},
		"contacts":    {without("Contacts"), "/v1/contacts", "modules.Contacts"},
		"attachment":  {noAttachments, message + "/attachments/0", "downloads.attachments"},
		"raw message": {noAttachments, message + "/raw", "downloads.attachments"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{T: t, store: f.store, url: f.url}
			f.permit("alice", allowed())
			f.want(200, "", token, "GET", test.path, nil)
			f.permit("alice", test.permissions)
			refused := f.want(403, desk.CodePermissionDenied, token, "GET", test.path, nil)
			if detail, _ := refused.body["detail"].(string); !strings.Contains(detail, test.names) {
				t.Errorf("the problem does not name %s: %s", test.names, detail)
			}
			// What the queue gave stays in the agent's hands, whatever is hidden.
			f.want(200, "", token, "GET", "/v1/interactions/"+id, nil)
		})
	}
	f.permit("alice", without("Email"))
	f.want(200, "", token, "POST", "/v1/interactions/"+id+"/accept", nil)
	f.want(202, "", token, "POST", "/v1/interactions/"+id+"/replies", map[string]string{"text": "Hello"})
}

func TestMenuAndProfileShowPermissions(t *testing.T) {
	f := newFixture(t)
	token := f.login("alice")
	profile := func() desk.Permissions {
		var got struct{ Permissions desk.Permissions }
		f.ok(json.Unmarshal(f.want(200, "", token, "GET", "/v1/me", nil).raw, &got))
		return got.Permissions
	}
	if diff := cmp.Diff(allowed(), profile()); diff != "" {
		t.Errorf("an agent recorded without permissions has other ones than the defaults (-want +got):\n%s", diff)
	}
	f.permit("alice", without("Voice"))
	if diff := cmp.Diff(without("Voice"), profile()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	menu := f.want(200, "", token, "GET", "/v1/me/menu", nil)
	if diff := cmp.Diff([]any{"Colleagues", "Contacts", "Email", "Voicemail"}, menu.at("modules")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
	f.permit("alice", desk.Permissions{})
	if menu := f.want(200, "", token, "GET", "/v1/me/menu", nil); len(menu.at("modules").([]any)) != 0 {
		t.Errorf("an agent without modules has the menu %s", menu.raw)
	}
}

// Live sessions of the agent, and nobody else's, hear of a change before any heartbeat.
func TestPermissionChangesReachLiveSessions(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.Heartbeat = time.Hour })
	alice, bob := f.stream(f.login("alice"), ""), f.stream(f.login("bob"), "")
	alice.expect("hello", "")
	bob.expect("hello", "")
	f.permit("alice", without("Voice"))
	alice.expect(store.EventPermissions, "alice")
	// The same again is no change: the next event is that of another one.
	f.permit("alice", without("Voice"))
	f.permit("bob", without("Voice"))
	bob.expect(store.EventPermissions, "bob")
	f.ok(f.store.SetForward(f.Context(), agentKey("alice"), "200"))
	alice.expect(store.EventForward, "alice")
}
