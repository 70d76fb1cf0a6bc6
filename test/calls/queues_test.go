package calls

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// queueOf is the name of the queue with the number.
func queueOf(number string) string { return "q" + number }

// queueParams are the figures of a queue.
func queueParams(t *testing.T, number string) ami.Message {
	t.Helper()
	for _, m := range list(t, "QueueStatus", "Queue", queueOf(number)) {
		if m.Event() == "QueueParams" {
			return m
		}
	}
	t.Fatalf("there is no queue %s", queueOf(number))
	return nil
}

// queueMember is the member as the queue has it.
func queueMember(t *testing.T, number, extension string) ami.Message {
	t.Helper()
	for _, m := range list(t, "QueueStatus", "Queue", queueOf(number)) {
		if m.Event() == "QueueMember" && m.Get("StateInterface") == "PJSIP/"+extension {
			return m
		}
	}
	t.Fatalf("%s is no member of %s", extension, queueOf(number))
	return nil
}

// waiting waits until n callers wait in the queue.
func waiting(t *testing.T, number string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d wait", n), func() error {
		if got := queueParams(t, number).Get("Calls"); got != strconv.Itoa(n) {
			return fmt.Errorf("%s wait", got)
		}
		return nil
	})
}

// paused waits until the member is paused in the queue, or not.
func paused(t *testing.T, number, extension string, want bool) {
	t.Helper()
	value := map[bool]string{false: "0", true: "1"}[want]
	eventually(t, fmt.Sprintf("the pause of %s in %s is %s", extension, number, value), func() error {
		if got := queueMember(t, number, extension).Get("Paused"); got != value {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// team is some agents with their registered phones.
type team struct {
	names  []string
	phones map[string]*phone.Phone
}

// newTeam adds n agents to the scene; arrive registers their phones.
func (s *scene) newTeam(n int, change ...func(*voice.Endpoint)) *team {
	tm := &team{phones: map[string]*phone.Phone{}}
	for range n {
		tm.names = append(tm.names, s.agent(change...))
	}
	return tm
}

func (tm *team) arrive(t *testing.T, change ...phoneOption) {
	t.Helper()
	for _, name := range tm.names {
		tm.phones[name] = registered(t, name, change...)
		ready(t, name)
	}
}

// rung waits until the phones have rung n times in all and returns who.
func (tm *team) rung(t *testing.T, n int) []string {
	t.Helper()
	eventually(t, fmt.Sprintf("%d rings", n), func() error {
		if got := ringOrder(tm.phones); len(got) < n {
			return fmt.Errorf("only %v", extensions(got))
		}
		return nil
	})
	return extensions(ringOrder(tm.phones))[:n]
}

// serve places one call to the queue, waits until somebody answers, hangs up
// and returns who it was.
func (tm *team) serve(t *testing.T, from *phone.Phone, queue string, during func(*phone.Call)) string {
	t.Helper()
	before := ringOrder(tm.phones)
	c := call(t, from, queue)
	who := ""
	eventually(t, "a member answers", func() error {
		for name, p := range tm.phones {
			if p.Calls() == 1 {
				who = name
				return nil
			}
		}
		return fmt.Errorf("rings: %v", extensions(ringOrder(tm.phones))[len(before):])
	})
	if during != nil {
		during(c)
	}
	hangup(t, c)
	for _, p := range tm.phones {
		isFree(t, p)
	}
	eventually(t, who+" is free again in the queue", func() error {
		m := queueMember(t, queue, who)
		if m.Get("InCall") != "0" || m.Get("Status") != notInUse {
			return fmt.Errorf("member %v", m)
		}
		return nil
	})
	return who
}

// notInUse is the device state AST_DEVICE_NOT_INUSE in queue events.
const notInUse = "1"

// spoken waits until the call has lasted so many frames of 20 ms.
func spoken(t *testing.T, frames int) func(*phone.Call) {
	return func(c *phone.Call) {
		start, _ := c.Audio()
		eventually(t, "some time is spoken", func() error {
			if sent, _ := c.Audio(); sent < start+frames {
				return fmt.Errorf("%d frames", sent-start)
			}
			return nil
		})
	}
}
