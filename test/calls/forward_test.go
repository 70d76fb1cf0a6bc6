package calls

import (
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestForward(t *testing.T) {
	s := newScene(t)
	caller, away, target := s.agent(), s.agent(), s.agent()
	first, second := s.agent(), s.agent()
	queue := s.queue([]string{away})
	bound := s.agent(func(e *voice.Endpoint) { e.OutboundPrefixRequired = true })
	s.start()
	c, a, to := registered(t, caller, says(400)), registered(t, away), registered(t, target, says(700))
	t.Run("Followed", func(t *testing.T) {
		forward(t, away, target)
		out := call(t, c, away)
		hears(t, "the caller", out, []float64{700}, nil)
		hears(t, "the target", inCall(t, to), []float64{400}, nil)
		hangup(t, out)
		isFree(t, to)
		if a.Rings() != 0 {
			t.Error("the phone that is forwarded rang")
		}
	})
	t.Run("NotFromQueues", func(t *testing.T) {
		forward(t, away, target)
		ready(t, away)
		rang := to.Rings()
		out := call(t, c, queue)
		inCall(t, a)
		hangup(t, out)
		isFree(t, a)
		if to.Rings() != rang {
			t.Error("a queue's call was forwarded")
		}
	})
	t.Run("Undone", func(t *testing.T) { talk(t, c, away, a) })
	t.Run("LoopEnds", func(t *testing.T) {
		forward(t, first, second)
		forward(t, second, first)
		refused(t, c, first, 480)
	})
	t.Run("Outbound", func(t *testing.T) {
		forward(t, away, "0215550100")
		out := call(t, c, away)
		wentOut(t, "0215550100")
		hangup(t, out)
	})
	t.Run("OutboundWithTheForwardersRights", func(t *testing.T) {
		forward(t, bound, "0215550101")
		refused(t, c, bound, 403)
		forward(t, bound, servicePrefix+"0215550102")
		out := call(t, c, bound)
		wentOut(t, servicePrefix+"0215550102")
		hangup(t, out)
	})
	for name, number := range map[string]string{
		"ForbiddenPrefix": forbiddenPrefix + "882130001", "FeatureCode": "*97", "Monitoring": "*71" + target,
		"Injected": target + ",1)", "Expression": "${SHELL(id)}",
	} {
		t.Run("Never/"+name, func(t *testing.T) {
			forward(t, away, number)
			rang := a.Rings()
			out := call(t, c, away)
			inCall(t, a)
			hangup(t, out)
			isFree(t, a)
			if a.Rings() != rang+1 {
				t.Error("the agent's own phone did not ring")
			}
			if events := pbx.log.find("UserEvent", "Number", number); len(events) != 0 {
				t.Error("the forbidden number was dialled")
			}
		})
	}
}

func TestDoNotDisturb(t *testing.T) {
	s := newScene(t)
	caller, agent, boxed := s.agent(), s.agent(), s.agent(withMailbox())
	queue := s.queue([]string{agent})
	s.start()
	c, a, b := registered(t, caller), registered(t, agent), registered(t, boxed)
	ready(t, agent)
	t.Run("Direct", func(t *testing.T) {
		pause(t, agent)
		doNotDisturb(t, agent)
		refused(t, c, agent, 480)
		if a.Rings() != 0 {
			t.Error("the phone rang")
		}
		paused(t, queue, agent, true)
	})
	t.Run("Over", func(t *testing.T) {
		ready(t, agent)
		talk(t, c, agent, a)
	})
	t.Run("Voicemail", func(t *testing.T) {
		doNotDisturb(t, boxed)
		out := call(t, c, boxed)
		audible(t, out, 1)
		hangup(t, out)
		if b.Rings() != 0 {
			t.Error("the phone rang")
		}
	})
	t.Run("QueueIsLeftAlone", func(t *testing.T) {
		doNotDisturb(t, agent)
		out := call(t, c, queue)
		inCall(t, a)
		hangup(t, out)
		isFree(t, a)
		if got := queueMember(t, queue, agent); got.Get("Paused") != "0" {
			t.Errorf("member %v", got)
		}
	})
}

// TestAutoAnswer: the phone is asked to answer by itself, in calls of both
// kinds and in no others.
func TestAutoAnswer(t *testing.T) {
	s := newScene(t)
	caller, plain := s.agent(), s.agent()
	delay := 3 * time.Second
	agent := s.agent(func(e *voice.Endpoint) { e.AutoAnswer = &delay })
	queue := s.queue([]string{agent})
	s.start()
	c, p, a := registered(t, caller), registered(t, plain, rings), registered(t, agent, rings)
	ready(t, agent)
	for name, number := range map[string]string{"Direct": agent, "Queue": queue} {
		t.Run(name, func(t *testing.T) {
			ringing := dial(t, c, number)
			isRinging(t, a)
			in := a.Incoming()[a.Rings()-1]
			if in.CallInfo != "<sip:localhost>;answer-after=3" {
				t.Errorf("Call-Info is %q", in.CallInfo)
			}
			if in.AlertInfo != "<http://localhost>;info=alert-autoanswer;delay=3" {
				t.Errorf("Alert-Info is %q", in.AlertInfo)
			}
			ringing.giveUp()
			if ringing.call != nil {
				hangup(t, ringing.call)
			}
			isFree(t, a)
		})
	}
	t.Run("Off", func(t *testing.T) {
		dial(t, c, plain)
		isRinging(t, p)
		if in := p.Incoming()[0]; in.CallInfo+in.AlertInfo != "" {
			t.Errorf("Call-Info %q, Alert-Info %q", in.CallInfo, in.AlertInfo)
		}
	})
}
