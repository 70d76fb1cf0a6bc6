package calls

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

func TestQueueCall(t *testing.T) {
	s := newScene(t)
	caller, member, other := s.agent(), s.agent(), s.agent()
	queue := s.queue([]string{member, other}, func(q *voice.Queue) {
		q.ServiceLevel = 10 * time.Second
		q.Members[0].Name = `Rossi, Anna (sales); "A"`
	})
	s.start()
	c, m, o := registered(t, caller, says(400)), registered(t, member, says(700)), registered(t, other)
	ready(t, member)
	t.Run("Audio", func(t *testing.T) {
		out := call(t, c, queue)
		in := inCall(t, m)
		hears(t, "the caller", out, []float64{700}, nil)
		hears(t, "the member", in, []float64{400}, nil)
		hangup(t, out)
		isFree(t, m)
	})
	t.Run("Paused", func(t *testing.T) {
		if o.Rings() != 0 {
			t.Error("a member that has not signed in rang")
		}
	})
	t.Run("MemberName", func(t *testing.T) {
		if got := queueMember(t, queue, member).Get("Name"); got != `Rossi, Anna (sales); "A"` {
			t.Errorf("the member is called %s", got)
		}
	})
	t.Run("ServiceLevel", func(t *testing.T) {
		eventually(t, "the figures are right", func() error {
			p := queueParams(t, queue)
			if p.Get("Completed") != "1" || p.Get("ServiceLevel") != "10" || p.Get("ServicelevelPerf") != "100.0" {
				return fmt.Errorf("figures %v", p)
			}
			return nil
		})
	})
}

// TestQueuePenalty: who has a higher penalty rings only while nobody with a
// lower one can.
func TestQueuePenalty(t *testing.T) {
	s := newScene(t)
	caller, tm := s.agent(), s.newTeam(2)
	queue := s.queue(tm.names, func(q *voice.Queue) { q.Members[0].Penalty = 5 })
	s.start()
	c := registered(t, caller)
	tm.arrive(t, quick)
	for range 3 {
		if who := tm.serve(t, c, queue, nil); who != tm.names[1] {
			t.Errorf("the call went to %s, who has a penalty", who)
		}
	}
	pause(t, tm.names[1])
	if who := tm.serve(t, c, queue, nil); who != tm.names[0] {
		t.Errorf("the call went to %s, who is paused", who)
	}
}

func TestQueueTimeoutAndRetry(t *testing.T) {
	s := newScene(t)
	caller, tm := s.agent(), s.newTeam(1)
	queue := s.queue(tm.names, func(q *voice.Queue) { q.Timeout, q.Retry = 2*time.Second, 3*time.Second })
	s.start()
	tm.arrive(t, rings)
	dial(t, registered(t, caller), queue)
	tm.rung(t, 2)
	order := ringOrder(tm.phones)
	if apart := order[1].at.Sub(order[0].at); apart < 4500*time.Millisecond || apart > 7*time.Second {
		t.Errorf("it rang again after %s, want 2 s of ringing and 3 s of waiting", apart)
	}
}

func TestQueueWrapUpTime(t *testing.T) {
	s := newScene(t)
	caller, tm := s.agent(), s.newTeam(1)
	queue := s.queue(tm.names, func(q *voice.Queue) { q.WrapUpTime = 4 * time.Second })
	s.start()
	c := registered(t, caller)
	tm.arrive(t, quick)
	tm.serve(t, c, queue, nil)
	ended := time.Now()
	dial(t, c, queue)
	tm.rung(t, 2)
	if rest := ringOrder(tm.phones)[1].at.Sub(ended); rest < 3*time.Second || rest > 8*time.Second {
		t.Errorf("the member rested %s, want about 4 s", rest)
	}
}

// TestQueueMemberWrapUpTime: a member's own rest replaces the queue's.
func TestQueueMemberWrapUpTime(t *testing.T) {
	s := newScene(t)
	caller, tm := s.agent(), s.newTeam(1)
	queue := s.queue(tm.names, func(q *voice.Queue) { q.WrapUpTime, q.Members[0].WrapUpTime = time.Hour, 3*time.Second })
	s.start()
	c := registered(t, caller)
	tm.arrive(t, quick)
	tm.serve(t, c, queue, nil)
	ended := time.Now()
	dial(t, c, queue)
	tm.rung(t, 2)
	if rest := ringOrder(tm.phones)[1].at.Sub(ended); rest < 2*time.Second {
		t.Errorf("the member rested %s, want about 3 s", rest)
	}
}

func TestQueueMaxWaiting(t *testing.T) {
	s := newScene(t)
	first, second, member := s.agent(), s.agent(), s.agent()
	queue := s.queue([]string{member}, func(q *voice.Queue) { q.MaxLen = 1 })
	s.start()
	registered(t, member)
	c := call(t, registered(t, first), queue)
	waiting(t, queue, 1)
	turnedAway(t, registered(t, second), queue)
	waiting(t, queue, 1)
	hangup(t, c)
}

// turnedAway asserts that the queue does not keep the caller.
func turnedAway(t *testing.T, from *phone.Phone, queue string) {
	t.Helper()
	c, err := from.Call(soon(t), queue)
	if err != nil {
		if status(err) == 0 {
			t.Fatal(err)
		}
		return
	}
	ended(t, c)
}

// ended waits until the other side has hung up.
func ended(t *testing.T, c *phone.Call) {
	t.Helper()
	eventually(t, "the call ends", func() error {
		select {
		case <-c.Done():
			return nil
		default:
			return errors.New("it goes on")
		}
	})
}

func TestQueueMaxWaitTime(t *testing.T) {
	s := newScene(t)
	caller, member := s.agent(), s.agent()
	queue := s.queue([]string{member}, func(q *voice.Queue) { q.MaxWaitTime = 3 * time.Second })
	s.start()
	registered(t, member)
	began := time.Now()
	c := call(t, registered(t, caller), queue)
	ended(t, c)
	if waited := time.Since(began); waited < 2500*time.Millisecond || waited > 7*time.Second {
		t.Errorf("the caller waited %s, want about 3 s", waited)
	}
}

func TestQueueWhenEmpty(t *testing.T) {
	s := newScene(t)
	caller, second, member := s.agent(), s.agent(), s.agent()
	closed := s.queue([]string{member}, func(q *voice.Queue) {
		q.JoinWhenEmpty = []voice.EmptyReason{voice.EmptyPaused}
	})
	leaving := s.queue([]string{member}, func(q *voice.Queue) {
		q.LeaveWhenEmpty = []voice.EmptyReason{voice.EmptyPaused}
	})
	open := s.queue([]string{member})
	s.start()
	c, m := registered(t, caller), registered(t, member, rings)
	t.Run("MayJoin", func(t *testing.T) {
		waits := call(t, c, open)
		waiting(t, open, 1)
		hangup(t, waits)
	})
	t.Run("MayNotJoin", func(t *testing.T) { turnedAway(t, c, closed) })
	t.Run("MayJoinWhenSomebodyIsThere", func(t *testing.T) {
		ready(t, member)
		waits := call(t, c, closed)
		isRinging(t, m)
		hangup(t, waits)
		isFree(t, m)
	})
	t.Run("Leaves", func(t *testing.T) {
		waits := call(t, registered(t, second), leaving)
		isRinging(t, m)
		pause(t, member)
		ended(t, waits)
	})
}

// TestQueueWeight: a member of two queues is given to the heavier one first.
func TestQueueWeight(t *testing.T) {
	s := newScene(t)
	early, late, member := s.agent(), s.agent(), s.agent()
	light := s.queue([]string{member})
	heavy := s.queue([]string{member}, func(q *voice.Queue) { q.Weight = 10 })
	s.start()
	m := registered(t, member, rings)
	dial(t, registered(t, early), light)
	waiting(t, light, 1)
	dial(t, registered(t, late), heavy)
	waiting(t, heavy, 1)
	ready(t, member)
	isRinging(t, m)
	if got := m.Incoming()[0].Number; got != late {
		t.Errorf("the call of %s came first, want that of %s in the heavier queue", got, late)
	}
}

func TestQueueAutoPause(t *testing.T) {
	s := newScene(t)
	modes := []voice.AutoPause{voice.AutoPauseNever, voice.AutoPauseQueue, voice.AutoPauseAll}
	type part struct{ caller, member, queue, other string }
	parts := map[voice.AutoPause]part{}
	for _, mode := range modes {
		p := part{caller: s.agent(), member: s.agent()}
		p.queue = s.queue([]string{p.member}, func(q *voice.Queue) { q.AutoPause = mode })
		p.other = s.queue([]string{p.member})
		parts[mode] = p
	}
	s.start()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			p := parts[mode]
			m := registered(t, p.member, rings)
			ready(t, p.member)
			dial(t, registered(t, p.caller), p.queue)
			isRinging(t, m)
			if mode == voice.AutoPauseNever {
				eventually(t, "it rings again", func() error {
					if m.Rings() < 2 {
						return errors.New("not yet")
					}
					return nil
				})
			}
			paused(t, p.queue, p.member, mode != voice.AutoPauseNever)
			paused(t, p.other, p.member, mode == voice.AutoPauseAll)
		})
	}
}

// TestQueueAutoPauseOnBusy and TestQueueAutoPauseOnUnavailable: a phone that
// refuses a call pauses. Asterisk 22 takes a refusal by SIP for no answer, so it
// does so without the two options as well.
func TestQueueAutoPauseOnBusy(t *testing.T) {
	refusalPauses(t, busy, func(q *voice.Queue) { q.AutoPauseOnBusy = true })
}

func TestQueueAutoPauseOnUnavailable(t *testing.T) {
	refusalPauses(t, unavailable, func(q *voice.Queue) { q.AutoPauseOnUnavailable = true })
}

func refusalPauses(t *testing.T, refuses phoneOption, option func(*voice.Queue)) {
	t.Helper()
	s := newScene(t)
	caller, member := s.agent(), s.agent()
	queue := s.queue([]string{member}, func(q *voice.Queue) { q.AutoPause = voice.AutoPauseQueue }, option)
	never := s.queue([]string{member}, option)
	s.start()
	m := registered(t, member, refuses)
	ready(t, member)
	c := registered(t, caller)
	waits := call(t, c, never)
	waiting(t, never, 1)
	spoken(t, 50)(waits)
	paused(t, never, member, false)
	hangup(t, waits)
	dial(t, c, queue)
	paused(t, queue, member, true)
	if m.Rings() != 0 {
		t.Error("the phone rang")
	}
}

func TestQueueMemberDelay(t *testing.T) {
	s := newScene(t)
	caller, member := s.agent(), s.agent()
	queue := s.queue([]string{member}, func(q *voice.Queue) { q.MemberDelay = 3 * time.Second })
	s.start()
	m := registered(t, member)
	ready(t, member)
	call(t, registered(t, caller, says(400)), queue)
	in := inCall(t, m)
	answered := time.Now()
	hears(t, "the member", in, []float64{400}, nil)
	if waited := time.Since(answered); waited < 2*time.Second {
		t.Errorf("the member heard the caller after %s, want about 3 s", waited)
	}
}

func TestRingInUse(t *testing.T) {
	s := newScene(t)
	type part struct{ first, second, member, queue string }
	parts := map[string]part{}
	for name, ring := range map[string]bool{"Ring": true, "Skip": false} {
		p := part{first: s.agent(), second: s.agent(), member: s.agent(func(e *voice.Endpoint) { e.RingInUse = ring })}
		p.queue = s.queue([]string{p.member})
		parts[name] = p
	}
	s.start()
	for name, p := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second, m := registered(t, p.first), registered(t, p.second), registered(t, p.member)
			ready(t, p.member)
			up := call(t, first, p.member)
			inCall(t, m)
			eventually(t, "the member is in use", func() error {
				if got := queueMember(t, p.queue, p.member).Get("Status"); got != "2" && got != "3" {
					return fmt.Errorf("device state %s", got)
				}
				return nil
			})
			m.SetMode(phone.RingOnly)
			t.Run("Direct", func(t *testing.T) {
				if name == "Skip" {
					refused(t, second, p.member, 486)
					return
				}
				direct := dial(t, second, p.member)
				isRinging(t, m)
				direct.giveUp()
			})
			before := m.Rings()
			queued := dial(t, second, p.queue)
			waiting(t, p.queue, 1)
			if name == "Ring" {
				isRinging(t, m)
			} else {
				// It is passed over for as long as the call lasts, and no longer.
				spoken(t, 150)(up)
				if m.Rings() != before {
					t.Error("a member in a call rang")
				}
				hangup(t, up)
				isRinging(t, m)
			}
			queued.giveUp()
		})
	}
}

// TestQueueMembership: live calls see a change of members.
func TestQueueMembership(t *testing.T) {
	s := newScene(t)
	caller, member, joins := s.agent(), s.agent(), s.agent()
	queue := s.queue([]string{member})
	s.alone()
	registered(t, member, rings)
	j := registered(t, joins)
	c := registered(t, caller)
	waits := call(t, c, queue)
	waiting(t, queue, 1)
	s.queues[0].Members = append(s.queues[0].Members, voice.Member{Extension: joins})
	s.alone()
	ready(t, joins)
	inCall(t, j)
	s.queues[0].Members = slices.DeleteFunc(s.queues[0].Members, func(m voice.Member) bool { return m.Extension == member })
	s.alone()
	spoken(t, 10)(waits)
	for _, m := range list(t, "QueueStatus", "Queue", queueOf(queue)) {
		if m.Get("StateInterface") == "PJSIP/"+member {
			t.Error("the removed member is still there")
		}
	}
	hangup(t, waits)
	isFree(t, j)
}
