package calls

import (
	"errors"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestContext(t *testing.T) {
	s := newScene(t)
	agent := s.agent(func(e *voice.Endpoint) { e.Context = "special" })
	other := s.agent()
	s.start()
	a, o := registered(t, agent), registered(t, other)
	t.Run("Allowed", func(t *testing.T) {
		talk(t, a, other, o)
		if got := newestChannel(t, agent, "Context"); got != "special" {
			t.Errorf("the call began in %q", got)
		}
	})
	t.Run("NotAllowed", func(t *testing.T) {
		e := endpoint("2001")
		e.Context = "elsewhere"
		_, err := voice.Render(voice.Center{PBX: pbx.settings, Agents: []voice.Endpoint{e}})
		if field, ok := errors.AsType[*voice.FieldError](err); !ok || field.Field != "Context" {
			t.Errorf("got %v, want an error of the field Context", err)
		}
	})
}

func TestOutbound(t *testing.T) {
	s := newScene(t)
	agent := s.agent(func(e *voice.Endpoint) { e.CallerID.Number = "0215551" })
	bound := s.agent(func(e *voice.Endpoint) { e.OutboundPrefixRequired = true })
	s.start()
	a, b := registered(t, agent), registered(t, bound)
	t.Run("Reached", func(t *testing.T) {
		c := call(t, a, "0215550001")
		audible(t, c, 1)
		hangup(t, c)
		if got := wentOut(t, "0215550001").Get("Caller"); got != "0215551" {
			t.Errorf("the call went out as %q", got)
		}
	})
	t.Run("PrefixMissing", func(t *testing.T) {
		refused(t, b, "0215550002", 403)
		if events := pbx.log.find("UserEvent", "Number", "0215550002"); len(events) != 0 {
			t.Error("it went out all the same")
		}
	})
	t.Run("PrefixGiven", func(t *testing.T) {
		c := call(t, b, servicePrefix+"0215550003")
		hangup(t, c)
		wentOut(t, servicePrefix+"0215550003")
	})
	t.Run("PrefixNotAskedOfColleagues", func(t *testing.T) { talk(t, b, agent, a) })
}

// wentOut waits until the site's dialplan was given the number.
func wentOut(t *testing.T, number string) (event ami.Message) {
	t.Helper()
	eventually(t, number+" goes out", func() error {
		found := pbx.log.find("UserEvent", "Number", number)
		if len(found) == 0 {
			return errors.New("not seen")
		}
		event = found[0]
		return nil
	})
	return event
}
