package desk_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
		if diff := cmp.Diff(map[string]any{"sound": test.sound, "shake": test.shake}, e.data["notification"]); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.desk, diff)
		}
	}
}
