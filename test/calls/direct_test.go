package calls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

func TestAgentToAgent(t *testing.T) {
	s := newScene(t)
	alice := s.agent(func(e *voice.Endpoint) { e.CallerID = voice.CallerID{Name: `Alice "A" Rossi`, Number: "4711"} })
	bob := s.agent()
	away := s.agent()
	s.start()

	a, b := registered(t, alice, says(400)), registered(t, bob, says(700))
	t.Run("Audio", func(t *testing.T) {
		out := call(t, a, bob)
		in := inCall(t, b)
		hears(t, "the caller", out, []float64{700}, []float64{400})
		hears(t, "the called", in, []float64{400}, []float64{700})
		hangup(t, out)
		isFree(t, b)
	})
	t.Run("CallerID", func(t *testing.T) {
		got := b.Incoming()[0]
		if !strings.Contains(got.Name, "Rossi") || got.Number != "4711" {
			t.Errorf("the called party is shown %q <%s>", got.Name, got.Number)
		}
	})
	t.Run("Hold", func(t *testing.T) {
		out := call(t, a, bob)
		in := inCall(t, b)
		hears(t, "the called", in, []float64{400}, nil)
		if err := out.Hold(soon(t), true); err != nil {
			t.Fatal(err)
		}
		before := in.Audible()
		eventually(t, "the party on hold hears music and not the other", func() error {
			if in.Level(400) > quiet || in.Audible() < before+500*time.Millisecond {
				return fmt.Errorf("tone at %.0f, %s heard", in.Level(400), in.Audible()-before)
			}
			return nil
		})
		if err := out.Hold(soon(t), false); err != nil {
			t.Fatal(err)
		}
		hears(t, "the called", in, []float64{400}, nil)
		hangup(t, out)
		isFree(t, b)
	})
	t.Run("NotFound", func(t *testing.T) { refused(t, a, "9999", 404) })
	t.Run("NobodyThere", func(t *testing.T) { refused(t, a, away, 480) })
	t.Run("NoAnswer", func(t *testing.T) {
		b.SetMode(phone.RingOnly)
		refused(t, a, bob, 480)
	})
	t.Run("Busy", func(t *testing.T) {
		b.SetMode(phone.Busy)
		refused(t, a, bob, 486)
	})
}

func TestRegistration(t *testing.T) {
	s := newScene(t)
	alice, bob := s.agent(), s.agent()
	s.start()
	for name, change := range map[string]phoneOption{
		"WrongPassword":    func(o *phone.Options) { o.Password = "no" },
		"UnknownUser":      func(o *phone.Options) { o.User = "9999" },
		"AnothersUsername": func(o *phone.Options) { o.AuthUser = "user." + bob },
	} {
		t.Run(name, func(t *testing.T) {
			if code, err := newPhone(t, alice, change).RegisterStatus(soon(t)); err != nil || code != 401 {
				t.Errorf("got %d, %v, want 401", code, err)
			}
		})
	}
	t.Run("Replaced", func(t *testing.T) {
		old, now := registered(t, alice), registered(t, alice)
		talk(t, registered(t, bob), alice, now)
		if old.Rings() != 0 {
			t.Error("the phone that was registered before rang")
		}
	})
	t.Run("Unregistered", func(t *testing.T) {
		a, b := registered(t, alice), registered(t, bob)
		if err := a.Unregister(soon(t)); err != nil {
			t.Fatal(err)
		}
		refused(t, b, alice, 480)
	})
	t.Run("Refreshed", func(t *testing.T) {
		a := registered(t, alice, func(o *phone.Options) { o.Refresh = 200 * time.Millisecond })
		first := contactExpiry(t, alice)
		eventually(t, "it registers again by itself", func() error {
			if got := contactExpiry(t, alice); got == first {
				return fmt.Errorf("the contact still ends at %s", got)
			}
			return nil
		})
		if err := a.Unregister(soon(t)); err != nil {
			t.Error(err)
		}
	})
}

// contactExpiry is when the registration of the extension ends, as AMI shows.
func contactExpiry(t *testing.T, extension string) string {
	t.Helper()
	for _, m := range list(t, "PJSIPShowContacts") {
		if strings.HasPrefix(m.Get("ObjectName"), extension+";@") {
			return m.Get("ExpirationTime")
		}
	}
	return ""
}
