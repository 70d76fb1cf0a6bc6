package calls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// telephone adds a hot desk's telephone and returns its name.
func (s *scene) telephone(change ...func(*voice.Endpoint)) string {
	// Every kind of character that a name may have.
	name := "Desk-1_a." + s.number()
	e := endpoint(name)
	e.Key, e.Extension, e.Name, e.DisplayName = "Telephone/"+name, "", name, "Desk "+name
	for _, c := range change {
		c(&e)
	}
	s.telephones = append(s.telephones, e)
	return name
}

// TestHotDesk: an agent signs in at a telephone, is called and calls there,
// and signs out. Where queues ring is rendered, so the center changes.
func TestHotDesk(t *testing.T) {
	s := newScene(t)
	caller, boss := s.agent(), s.agent()
	agent := s.agent(func(e *voice.Endpoint) {
		e.Monitoring, e.Supervisors = true, []string{boss}
		e.CallerID = voice.CallerID{Name: "Anna Agent", Number: "4720"}
		e.Recording, e.AutoAnswer = voice.Wav, new(2*time.Second)
		withMailbox()(e)
	})
	colleague := s.agent(func(e *voice.Endpoint) { e.CallGroups = []int{9} })
	s.agents[2].PickupGroups = []int{9}
	queue := s.queue([]string{agent})
	desk := s.telephone()
	s.alone()
	c := registered(t, caller, says(700))
	d := registered(t, desk, says(400))

	t.Run("NobodySitsThere", func(t *testing.T) {
		out := call(t, c, agent) // there is a mailbox
		audible(t, out, time.Second)
		hangup(t, out)
		refused(t, d, "*97", 404)
		out = call(t, d, caller)
		inCall(t, c)
		hangup(t, out)
		isFree(t, c)
		if got := c.Incoming()[0]; got.Number == "4720" {
			t.Errorf("the call came from %q <%s>", got.Name, got.Number)
		}
	})

	set(t, agent, func(m *pbxlink.MemberState) { m.Telephone = desk }, "telephone", desk)
	inAstDB(t, desk, "agent", agent)
	s.agents[2].Telephone = desk
	s.alone()
	t.Run("ExtensionRings", func(t *testing.T) {
		out := call(t, c, agent)
		hears(t, "the caller", out, []float64{400}, nil)
		hears(t, "the agent", inCall(t, d), []float64{700}, nil)
		spoken(t, 60)(out)
		hangup(t, out)
		isFree(t, d)
		hasTones(t, recorded(t, agent, 1)[0], 400, 700)
	})
	t.Run("AutoAnswer", func(t *testing.T) {
		if got := d.Incoming()[d.Rings()-1].CallInfo; !strings.HasSuffix(got, "answer-after=2") {
			t.Errorf("Call-Info is %q", got)
		}
	})
	t.Run("Mailbox", func(t *testing.T) {
		out := call(t, d, "*97")
		audible(t, out, time.Second)
		hangup(t, out)
		isFree(t, d)
	})
	t.Run("Pickup", func(t *testing.T) {
		away := registered(t, colleague, rings)
		ringing := dial(t, c, colleague)
		isRinging(t, away)
		taken := call(t, d, "*8")
		hears(t, "the agent", taken, []float64{700}, nil)
		hangup(t, ringing.answered(t))
		isFree(t, d)
	})
	t.Run("Monitoring", func(t *testing.T) {
		out := call(t, c, agent)
		inCall(t, d)
		spy := call(t, registered(t, boss, says(1100)), "*72"+agent)
		hears(t, "the supervisor", spy, []float64{400, 700}, nil)
		hears(t, "the agent", d.LastCall(), []float64{700, 1100}, nil)
		hears(t, "the caller", out, []float64{400}, []float64{1100})
		hangup(t, out)
		ended(t, spy)
		isFree(t, d)
	})
	t.Run("DoNotDisturb", func(t *testing.T) {
		doNotDisturb(t, agent)
		rang := d.Rings()
		out := call(t, c, agent)
		audible(t, out, time.Second)
		hangup(t, out)
		if d.Rings() != rang {
			t.Error("the telephone rang")
		}
	})
	t.Run("CallerID", func(t *testing.T) {
		rang := c.Rings()
		out := call(t, d, caller)
		inCall(t, c)
		hangup(t, out)
		isFree(t, c)
		if got := c.Incoming()[rang]; got.Number != "4720" || got.Name != "Anna Agent" {
			t.Errorf("the call came from %q <%s>, want the agent's caller ID", got.Name, got.Number)
		}
	})
	t.Run("QueueRings", func(t *testing.T) {
		pbx.link.change([]string{agent}, func(m *pbxlink.MemberState) { m.Paused = false })
		eventually(t, "the telephone is ready", func() error {
			if m, ok := pbx.link.events.member(queueOf(queue), desk); !ok || m.Paused {
				return fmt.Errorf("member %+v", m)
			}
			return nil
		})
		out := call(t, c, queue)
		hears(t, "the agent", inCall(t, d), []float64{700}, nil)
		hangup(t, out)
		isFree(t, d)
	})
	t.Run("OwnPhoneDoesNotRing", func(t *testing.T) {
		own := registered(t, agent, rings)
		talk(t, c, agent, d)
		if own.Rings() != 0 {
			t.Error("the agent's own endpoint rang")
		}
		if err := own.Unregister(soon(t)); err != nil {
			t.Error(err)
		}
	})

	pbx.link.change([]string{agent}, func(m *pbxlink.MemberState) { m.Telephone = "" })
	inAstDB(t, agent, "telephone", "")
	inAstDB(t, desk, "agent", "")
	s.agents[2].Telephone = ""
	s.alone()
	t.Run("SignedOut", func(t *testing.T) {
		rang := d.Rings()
		out := call(t, c, agent)
		audible(t, out, time.Second)
		hangup(t, out)
		d.SetMode(phone.RingOnly)
		ready(t, agent)
		waits := call(t, c, queue)
		spoken(t, 60)(waits)
		hangup(t, waits)
		if d.Rings() != rang {
			t.Error("the telephone rang after the agent had signed out")
		}
	})
}
