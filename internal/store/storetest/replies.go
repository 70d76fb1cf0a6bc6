package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// rules changes what the account support says about replies and time.
func (c *center) rules(r routing.Rules) {
	c.t.Helper()
	a, err := c.GetAccount(c.ctx, key("support"))
	c.must(err)
	a.Routing = r
	c.must(c.PutAccount(c.ctx, a))
}

func (c *center) presence(agent string, in, paused bool) {
	c.t.Helper()
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key(agent), SignedIn: in, Paused: paused}))
}

// reply is a customer's mail into an interaction.
func (c *center) reply(id string) {
	c.t.Helper()
	if res := c.ingest(c.mail(id)); !res[0].Joined || res[0].InteractionID != id {
		c.t.Fatalf("the reply went to %+v", res[0])
	}
}

func (c *center) answer(id, agent string) {
	c.t.Helper()
	c.uid++
	_, err := c.AddReply(c.ctx, store.Message{InteractionID: id, Namespace: ns, Agent: agent, MessageID: fmt.Sprintf("out%d@example.com", c.uid)}, []byte("raw"), store.ReplyExtras{})
	c.must(err)
}

// wantDue: nothing happens before the deadline in d, and then something does.
func (c *center) wantDue(clk *clock, d time.Duration) {
	c.t.Helper()
	c.route()
	if due, err := c.NextDue(c.ctx); err != nil || !due.Equal(clk.now().Add(d)) {
		c.t.Fatalf("due in %v, %v, want %v", due.Sub(clk.now()), err, d)
	}
	clk.advance(d - time.Microsecond)
	if n, err := c.Route(c.ctx, 10, routing.Decide); n != 0 || err != nil {
		c.t.Fatalf("too early: looked at %d, %v", n, err)
	}
	clk.advance(time.Microsecond)
	if n, err := c.Route(c.ctx, 10, routing.Decide); n == 0 || err != nil {
		c.t.Fatalf("nothing was due: %v", err)
	}
}

func (c *center) wantNothingDue() {
	c.t.Helper()
	c.route()
	if due, err := c.NextDue(c.ctx); err != nil || !due.IsZero() {
		c.t.Fatalf("due %v, %v", due, err)
	}
}

func (c *center) lastReason(id string) string {
	c.t.Helper()
	list, err := c.History(c.ctx, ns, id)
	c.must(err)
	return list[len(list)-1].Reason
}

func (c *center) wantLast(id string, state store.InteractionState, agent, reason string) {
	c.t.Helper()
	c.wantState(id, state, agent)
	if got := c.lastReason(id); got != reason {
		c.t.Fatalf("reason %s, want %s", got, reason)
	}
}

// withClock opens a center whose time stands still.
func withClock(t *testing.T, open Open, rules routing.Rules, capacity int, agents ...string) (*center, *clock) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), capacity, agents...)
	c.rules(rules)
	return c, clk
}

const week = 168 * time.Hour

func testReplies(t *testing.T, open Open) {
	t.Run("a reply waits a week for its absent agent", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{AssignedAgentTimeout: week}, 1, "alice", "bob")
		id, _ := c.open()
		c.presence("alice", true, true)
		c.reply(id)
		c.reply(id) // the second one does not start anew
		c.wantDue(clk, week)
		c.wantLast(id, store.StateQueued, "", routing.ReasonAssignedAgentTimeout)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		if i := c.get(id); i.LastQueue != "mail" || i.LastAgent != "alice" {
			t.Fatalf("last queue %q, last agent %q before anybody accepted", i.LastQueue, i.LastAgent)
		}
	})
	t.Run("only while the agent is absent and has not read it", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{AssignedAgentTimeout: time.Hour}, 1, "alice")
		id, _ := c.open()
		c.presence("alice", false, false)
		c.wantNothingDue() // no reply
		c.presence("alice", true, false)
		c.reply(id)
		c.wantNothingDue() // she has it, whatever else she does
		c.presence("alice", false, false)
		clk.advance(30 * time.Minute)
		c.presence("alice", true, true) // back, but paused: still waiting
		c.presence("alice", true, false)
		c.wantNothingDue()
		c.presence("alice", true, true)
		c.wantDue(clk, time.Hour)
		c.wantLast(id, store.StateQueued, "", routing.ReasonAssignedAgentTimeout)

		c.presence("alice", true, false)
		c.route()
		_, err := c.Accept(c.ctx, ns, id, "alice")
		c.must(err)
		c.reply(id)
		c.must(c.MarkRead(c.ctx, ns, id, "alice"))
		c.presence("alice", false, false)
		c.wantNothingDue()
		c.wantState(id, store.StateOpen, "alice")
	})
	t.Run("routing may end instead", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{AssignedAgentTimeout: time.Second, EndRouting: true}, 1, "alice")
		id, _ := c.open()
		c.presence("alice", false, false)
		c.reply(id)
		before := c.cursor()
		c.wantDue(clk, time.Second)
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignedAgentTimeout)
		if events, err := c.EventsAfter(c.ctx, ns, before, 10); err != nil || len(events) != 1 || events[0].Kind != store.EventUnread || events[0].Agent != "alice" {
			t.Fatalf("events %+v, %v", events, err)
		}
	})
	t.Run("without a previous queue too", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{AssignedAgentTimeout: time.Second}, 1, "alice")
		id, _ := c.open()
		c.presence("alice", false, false)
		c.must(c.DeleteQueue(c.ctx, key("mail")))
		c.reply(id)
		c.wantDue(clk, time.Second)
		c.wantLast(id, store.StateUnread, "", routing.ReasonNoPreviousQueue)
	})
	t.Run("without a timeout for ever, which is 90 days", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{MaxAssignmentAge: 90 * 24 * time.Hour}, 1, "alice")
		id, _ := c.open()
		c.reply(id)
		c.presence("alice", false, false)
		c.wantDue(clk, 90*24*time.Hour)
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignmentExpired)
		c.wantNothingDue()
	})
	t.Run("back in the queue by arrival", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{AssignedAgentTimeout: time.Hour}, 1, "alice")
		id, _ := c.open()
		c.presence("alice", true, true)
		older := c.newInteraction()
		clk.advance(time.Minute)
		c.reply(id)
		clk.advance(time.Minute)
		younger := c.newInteraction()
		clk.advance(time.Hour)
		c.route()
		for _, next := range []string{older, id, younger} {
			c.presence("alice", true, false)
			c.route()
			c.wantState(next, store.StateOffered, "alice")
			_, err := c.Accept(c.ctx, ns, next, "alice")
			c.must(err)
			_, err = c.CloseInteraction(c.ctx, ns, next, "alice", store.Disposal{})
			c.must(err)
		}
	})
	t.Run("replies first", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{RepliesFirst: true}, 1, "alice")
		id, _ := c.open()
		_, err := c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{})
		c.must(err)
		c.presence("alice", true, true)
		fresh := c.newInteraction()
		clk.advance(time.Minute)
		c.reply(id)
		c.presence("alice", true, false)
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		c.wantState(fresh, store.StateQueued, "")
	})
	t.Run("why it waits", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice")
		id, _ := c.open()
		second, third := c.newInteraction(), c.newInteraction()
		c.route()
		for _, waiting := range []string{second, third} {
			if got := c.get(waiting).WaitDetail; got != "nobody available; alice at capacity 1/1" {
				t.Fatalf("waits because %q", got)
			}
		}
		_, err := c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{})
		c.must(err)
		c.route()
		if got := c.get(second).WaitDetail; got != "" {
			t.Fatalf("offered, and waits because %q", got)
		}
		_, err = c.Reject(c.ctx, ns, second, "alice")
		c.must(err)
		c.route()
		c.wantState(third, store.StateOffered, "alice")
		if got := c.get(second).WaitDetail; !strings.Contains(got, "alice") {
			t.Fatalf("waits because %q", got)
		}
	})
}

func testInactivity(t *testing.T, open Open) {
	rules := routing.Rules{InactivityTimeout: 72 * time.Hour, MaxAssignmentAge: 90 * 24 * time.Hour}
	t.Run("a silent customer", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice")
		id, _ := c.open()
		clk.advance(time.Hour)
		c.answer(id, "alice")
		clk.advance(time.Hour)
		c.answer(id, "alice") // the last one counts
		before := c.cursor()
		c.wantDue(clk, 72*time.Hour)
		c.wantLast(id, store.StateClosed, "", routing.ReasonClosedForInactivity)
		if events, err := c.EventsAfter(c.ctx, ns, before, 10); err != nil || len(events) != 1 || events[0].Kind != store.EventClosed || events[0].Agent != "alice" {
			t.Fatalf("events %+v, %v", events, err)
		}
		if got := c.get(id).Disposition; got != routing.DispositionClosedForInactivity {
			t.Fatalf("disposition %q", got)
		}
		next := c.newInteraction()
		c.route()
		c.wantState(next, store.StateOffered, "alice") // she has room again
	})
	t.Run("an answer of the customer ends the silence", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice")
		id, _ := c.open()
		c.answer(id, "alice")
		clk.advance(71 * time.Hour)
		c.reply(id)
		c.wantDue(clk, 90*24*time.Hour-71*time.Hour) // nothing but the assignment's age is left
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignmentExpired)
	})
	t.Run("at nobody's desk too", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice")
		id, _ := c.open()
		c.answer(id, "alice")
		c.must(c.DeleteAgent(c.ctx, key("alice")))
		c.wantDue(clk, 72*time.Hour)
		c.wantLast(id, store.StateClosed, "", routing.ReasonClosedForInactivity)
	})
}

func testLegacy(t *testing.T, open Open) {
	rules := routing.Rules{Model: routing.ModelLegacy, AssignedAgentWait: 10 * time.Second, AssignedQueueWait: 20 * time.Second}
	closed := func(c *center) string {
		c.t.Helper()
		id, agent := c.open()
		_, err := c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
		c.must(err)
		return id
	}
	t.Run("agent, then queue, then the flow", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice", "bob")
		id := closed(c)
		c.presence("alice", false, false)
		c.presence("bob", true, true)
		c.reply(id)
		c.route()
		if got := c.get(id).WaitDetail; got != "waits for alice: signed out" {
			t.Fatalf("waits because %q", got)
		}
		c.wantDue(clk, 10*time.Second)
		c.wantLast(id, store.StateQueued, "", routing.ReasonAssignedAgentTimeout)
		c.wantDue(clk, 20*time.Second)
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignedQueueTimeout)
	})
	t.Run("it reaches the agent above the capacity", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice", "bob")
		id := closed(c)
		c.presence("bob", false, false)
		busy, _ := c.open()
		c.wantState(busy, store.StateOpen, "alice")
		c.presence("alice", true, true)
		c.reply(id)
		c.route()
		c.wantState(id, store.StateQueued, "")
		clk.advance(4 * time.Second)
		c.presence("alice", true, false)
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		c.presence("alice", true, true) // it goes on waiting for her
		c.wantState(id, store.StateQueued, "")
		c.presence("alice", true, false)
		c.wantDue(clk, 6*time.Second) // nobody answers
		c.wantLast(id, store.StateQueued, "", routing.ReasonAssignedAgentTimeout)
	})
	t.Run("rejections go on at once", func(t *testing.T) {
		c, _ := withClock(t, open, rules, 1, "alice")
		id := closed(c)
		c.reply(id)
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		_, err := c.Reject(c.ctx, ns, id, "alice")
		c.must(err)
		c.route()
		c.wantLast(id, store.StateOffered, "alice", "Offered") // now as a member of the queue
		_, err = c.Reject(c.ctx, ns, id, "alice")
		c.must(err)
		c.route()
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignedQueueTimeout)
		c.wantReasons(id, "Ingested", "Offered", "Accepted", "Closed", "Reopened", "Offered", "Rejected", "AssignedAgentTimeout",
			"Offered", "Rejected", "AssignedQueueTimeout")
	})
	t.Run("an open one of an absent agent", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice", "bob")
		id, _ := c.open()
		c.presence("alice", false, false)
		c.reply(id)
		c.wantDue(clk, 10*time.Second)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		c.wantDue(clk, 20*time.Second) // an offer does not outlast the wait it is part of
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignedQueueTimeout)
	})
	t.Run("an agent who is gone is not waited for", func(t *testing.T) {
		c, _ := withClock(t, open, rules, 1, "alice", "bob")
		id := closed(c)
		c.must(c.DeleteAgent(c.ctx, key("alice")))
		c.reply(id)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
	})
	t.Run("nor one who goes meanwhile", func(t *testing.T) {
		c, _ := withClock(t, open, rules, 1, "alice", "bob")
		id := closed(c)
		c.presence("alice", false, false)
		c.reply(id)
		c.route()
		c.wantState(id, store.StateQueued, "")
		c.must(c.DeleteAgent(c.ctx, key("alice")))
		c.route()
		c.wantState(id, store.StateOffered, "bob")
	})
	t.Run("nor a queue", func(t *testing.T) {
		c, clk := withClock(t, open, rules, 1, "alice")
		id := closed(c)
		c.presence("alice", false, false)
		c.reply(id)
		c.wantDue(clk, 10*time.Second)
		c.must(c.DeleteQueue(c.ctx, key("mail")))
		c.route()
		c.wantLast(id, store.StateUnread, "", routing.ReasonAssignedQueueTimeout)
	})
}

func testAutoAnswer(t *testing.T, open Open) {
	auto := func(c *center, delay time.Duration) {
		c.t.Helper()
		a, err := c.GetAgent(c.ctx, key("alice"))
		c.must(err)
		a.EmailAutoAnswer = store.AutoAnswer{Enabled: true, Delay: delay}
		c.must(c.PutAgent(c.ctx, a))
		if got, err := c.GetAgent(c.ctx, a.Key); err != nil || got.EmailAutoAnswer != a.EmailAutoAnswer {
			c.t.Fatalf("agent %+v, %v", got, err)
		}
	}
	t.Run("at once", func(t *testing.T) {
		c, _ := withClock(t, open, routing.Rules{}, 1, "alice")
		auto(c, 0)
		id := c.newInteraction()
		c.route()
		c.wantState(id, store.StateOpen, "alice")
		c.wantReasons(id, "Ingested", "Offered", routing.ReasonAutoAnswered)
		second := c.newInteraction()
		c.route()
		c.wantState(second, store.StateQueued, "") // the capacity holds
	})
	t.Run("after a delay", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{}, 1, "alice")
		auto(c, 5*time.Second)
		id := c.newInteraction()
		c.wantDue(clk, 5*time.Second)
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonAutoAnswered)
	})
	t.Run("not for an agent who pauses", func(t *testing.T) {
		c, _ := withClock(t, open, routing.Rules{}, 1, "alice")
		auto(c, 5*time.Second)
		id := c.newInteraction()
		c.route()
		c.presence("alice", true, true)
		c.wantNothingDue()
		c.wantLast(id, store.StateQueued, "", "Paused")
	})
	t.Run("not after the offer", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{}, 1, "alice")
		auto(c, 40*time.Second)
		id := c.newInteraction()
		c.wantDue(clk, 30*time.Second)
		c.wantLast(id, store.StateQueued, "", "OfferTimeout")
	})
}
