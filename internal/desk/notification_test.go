package desk_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func TestOfferNotification(t *testing.T) {
	f := newFixture(t)
	s := f.stream(f.login("alice"), "")
	s.expect("hello", "")
	for _, test := range []struct {
		desk         store.AccountDesk
		sound, shake string
	}{
		{store.AccountDesk{}, "Enabled", "Enabled"},
		{store.AccountDesk{Silent: true}, "Disabled", "Enabled"},
	} {
		f.setDesk(test.desk)
		id := f.receive("Lamp")
		f.route()
		e := s.expect(store.EventOffered, id)
		if diff := cmp.Diff(map[string]any{"sound": test.sound, "shake": test.shake, "text": "Info: Lamp (Zoe)"}, e.data["notification"]); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.desk, diff)
		}
	}
}

func TestNotificationText(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	s := f.stream(alice, "")
	s.expect("hello", "")
	masked := allowed()
	masked.SensitiveData, masked.MaskedCharacters = "Masked", 2
	for _, test := range []struct {
		template, want string
		permissions    desk.Permissions
	}{
		{"", "Info: Lamp of Zoe (Zoe)", allowed()},
		{"{{ account.key }}/{{ queue.name }}: {{ customer.name }} <{{ customer.address }}> {{ account.address }}{{ nobody }}",
			"INFO/Mail: Zoe <zoe@customer.example> info@example.com", allowed()},
		{"", "Info: Lamp of Z** (Z**)", masked},
		{"{{ customer.address }} {{ sender }}", "z**@customer.example Z**", masked},
	} {
		f.setDesk(store.AccountDesk{Notification: test.template})
		f.permit("alice", test.permissions)
		id := f.receive("Lamp of Zoe")
		f.route()
		e := s.next()
		for e.name != store.EventOffered {
			e = s.next()
		}
		notification, _ := e.data["notification"].(map[string]any)
		if diff := cmp.Diff(any(test.want), notification["text"]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.template, diff)
		}
		f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
		f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/close", nil)
	}
}
