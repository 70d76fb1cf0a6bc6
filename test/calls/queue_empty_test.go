package calls

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestQueueEmptyReason brings the only member into each state: a queue that
// names the reason turns callers away, one that does not keeps them.
func TestQueueEmptyReason(t *testing.T) {
	s := newScene(t)
	type part struct{ caller, other, member, named, unnamed string }
	parts := map[voice.EmptyReason]part{}
	cases := map[voice.EmptyReason]func(*testing.T, part){
		voice.EmptyPaused:      func(t *testing.T, p part) { registered(t, p.member) },
		voice.EmptyUnavailable: func(t *testing.T, p part) { ready(t, p.member) },
		voice.EmptyInUse: func(t *testing.T, p part) {
			m := registered(t, p.member)
			ready(t, p.member)
			call(t, registered(t, p.other), p.member)
			inCall(t, m)
		},
		voice.EmptyRinging: func(t *testing.T, p part) {
			m := registered(t, p.member, rings)
			ready(t, p.member)
			dial(t, registered(t, p.other), p.member)
			isRinging(t, m)
		},
		voice.EmptyWrapUp: func(t *testing.T, p part) {
			m := registered(t, p.member)
			ready(t, p.member)
			out := call(t, registered(t, p.other), p.unnamed)
			inCall(t, m)
			hangup(t, out)
			isFree(t, m)
		},
	}
	states := map[voice.EmptyReason]string{
		voice.EmptyPaused: "1", voice.EmptyUnavailable: "5", voice.EmptyInUse: "2", voice.EmptyRinging: "6", voice.EmptyWrapUp: "1",
	}
	for reason := range cases {
		p := part{caller: s.agent(), other: s.agent(), member: s.agent()}
		others := voice.EmptyInvalid
		p.named = s.queue([]string{p.member}, func(q *voice.Queue) {
			q.JoinWhenEmpty, q.WrapUpTime = []voice.EmptyReason{others, reason}, time.Hour
		})
		p.unnamed = s.queue([]string{p.member}, func(q *voice.Queue) {
			q.JoinWhenEmpty, q.WrapUpTime = []voice.EmptyReason{others, voice.EmptyPenalty}, time.Hour
		})
		parts[reason] = p
	}
	s.start()
	for reason, prepare := range cases {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			p := parts[reason]
			prepare(t, p)
			eventually(t, "the queue knows", func() error {
				if got := queueMember(t, p.named, p.member).Get("Status"); got != states[reason] {
					return fmt.Errorf("device state %s, want %s", got, states[reason])
				}
				return nil
			})
			caller := registered(t, p.caller)
			turnedAway(t, caller, p.named)
			stays := call(t, caller, p.unnamed)
			waiting(t, p.unnamed, 1)
			hangup(t, stays)
		})
	}
}

// TestQueueAutoPauseDelay: soon after a call nobody is paused for not answering.
func TestQueueAutoPauseDelay(t *testing.T) {
	s := newScene(t)
	caller, tm := s.agent(), s.newTeam(1)
	queue := s.queue(tm.names, func(q *voice.Queue) {
		q.AutoPause, q.AutoPauseDelay, q.Timeout = voice.AutoPauseQueue, time.Hour, time.Second
	})
	s.start()
	c := registered(t, caller)
	tm.arrive(t, quick)
	tm.serve(t, c, queue, nil)
	tm.phones[tm.names[0]].SetMode(phone.RingOnly)
	dial(t, c, queue)
	tm.rung(t, 3)
	paused(t, queue, tm.names[0], false)
}
