package calls

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestCrash kills Asterisk in the middle of 50 calls and 200 registrations.
// After its restart the phones are registered, calls succeed, and everybody is
// signed in, paused and forwarded as before.
func TestCrash(t *testing.T) {
	const phones, calls = 200, 50
	other, err := newStage(t.Context(), env.Asterisk(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.close(); err != nil {
			t.Error(err)
		}
	}()
	c := voice.Center{PBX: other.settings}
	q := voice.Queue{Key: "Queue/support", Name: "support", Number: "600"}
	for n := range phones {
		c.Agents = append(c.Agents, endpoint(strconv.Itoa(firstNumber+n)))
		q.Members = append(q.Members, voice.Member{Extension: c.Agents[n].Extension})
	}
	c.Queues = []voice.Queue{q}
	if err := other.link.load(c); err != nil {
		t.Fatal(err)
	}
	name := func(n int) string { return c.Agents[n].Extension }
	other.link.change([]string{name(0)}, func(m *pbxlink.MemberState) { m.Paused = false })
	other.link.change([]string{name(1)}, func(m *pbxlink.MemberState) { m.Reason = "Lunch" })
	other.link.change([]string{name(2)}, func(m *pbxlink.MemberState) { m.ForwardTo = name(3) })
	members := func() error {
		for n, want := range []pbxlink.QueueMember{{}, {Paused: true, PauseReason: "Lunch"}} {
			if got, _ := other.link.events.member("support", name(n)); got.Paused != want.Paused || got.PauseReason != want.PauseReason {
				return fmt.Errorf("member %+v, want %+v", got, want)
			}
		}
		return nil
	}
	state := func(up bool, registrations int) func() error {
		return func() error {
			st := other.link.server.Status(pbxKey)
			if st.AsteriskUp != up || up && st.Registered != registrations {
				return fmt.Errorf("Asterisk up %t, %d registered, %s", st.AsteriskUp, st.Registered, st.Problem)
			}
			return nil
		}
	}
	var people []*phone.Phone
	for n := range phones {
		people = append(people, registered(t, name(n), func(o *phone.Options) { o.Server, o.Refresh = other.asterisk.SIPAddr, time.Second }))
	}
	for n := range calls {
		call(t, people[10+2*n], name(11+2*n))
	}
	eventually(t, "all are registered", state(true, phones))
	eventually(t, "the members are as set", members)

	if err := other.asterisk.Kill9(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the outage is reported", state(false, 0))
	if err := other.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "the recovery is reported", state(true, phones))
	eventually(t, "the members are as before", members)
	caller, target := people[4], people[3]
	out := call(t, caller, name(2)) // forwarded
	audible(t, out, 200*time.Millisecond)
	if target.Calls() != 1 {
		t.Errorf("the forward led elsewhere: %d calls at its target", target.Calls())
	}
	hangup(t, out)
}
