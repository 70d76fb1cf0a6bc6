package storetest

import (
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func (c *center) transfer(id, agent string, kind store.TransferKind, name string) {
	c.t.Helper()
	_, err := c.Transfer(c.ctx, ns, id, agent, store.TransferTarget{Kind: kind, Name: name})
	c.must(err)
}

// second is a queue of its own, with bob.
func (c *center) second() {
	c.t.Helper()
	c.must(c.PutQueue(c.ctx, store.Queue{Key: key("second"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Hour,
		Members: []store.QueueMember{{Agent: "bob"}}}))
}

func testTransfers(t *testing.T, open Open) {
	rules := routing.Rules{TransferToQueue: time.Minute, TransferToAgent: week, TransferToAccounts: []string{"sales", "gone"}, AssignedAgentTimeout: time.Hour,
		MaxAssignmentAge: 90 * 24 * time.Hour}
	start := func(t *testing.T, rules routing.Rules) (*center, *clock, string) {
		c, clk := withClock(t, open, rules, 1, "alice", "bob")
		c.second()
		id, agent := c.open()
		if agent != "alice" {
			t.Fatal(agent)
		}
		return c, clk, id
	}
	t.Run("to a queue", func(t *testing.T) {
		c, clk, id := start(t, rules)
		before := c.cursor()
		c.transfer(id, "alice", store.TransferToQueue, "second")
		if events, err := c.EventsAfter(c.ctx, ns, before, 10); err != nil || len(events) != 1 || events[0].Agent != "alice" || events[0].Kind != store.EventQueued {
			t.Fatalf("events %+v, %v", events, err)
		}
		c.route()
		if i := c.wantState(id, store.StateOffered, "bob"); !i.Deadline.Equal(clk.now().Add(time.Minute)) || i.LastQueue != "mail" {
			t.Fatalf("offered %+v", i)
		}
		next := c.newInteraction() // the sender has room again
		c.route()
		c.wantState(next, store.StateOffered, "alice")
		_, err := c.Accept(c.ctx, ns, id, "bob")
		c.must(err)
		if i := c.get(id); i.LastQueue != "second" || i.LastAgent != "bob" {
			t.Fatalf("last queue %q, last agent %q", i.LastQueue, i.LastAgent)
		}
		// Later timeouts return it to the queue that managed it last.
		c.presence("bob", false, false)
		c.reply(id)
		clk.advance(time.Hour)
		c.route()
		if i := c.wantState(id, store.StateQueued, ""); i.Queue != "second" {
			t.Fatalf("returned to %q", i.Queue)
		}
	})
	t.Run("nobody accepts", func(t *testing.T) {
		c, clk, id := start(t, rules)
		c.must(c.MarkRead(c.ctx, ns, id, "alice"))
		c.transfer(id, "alice", store.TransferToQueue, "second")
		c.route()
		next := c.newInteraction()
		c.route()
		_, err := c.Accept(c.ctx, ns, next, "alice")
		c.must(err)
		c.wantDue(clk, time.Minute)
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonTransferTimeout) // above her capacity: it is hers
		if i := c.get(id); i.Read || i.LastQueue != "mail" || i.Queue != "mail" {
			t.Fatalf("back as %+v", i)
		}
		// It waits like a reply.
		c.presence("alice", true, true)
		c.wantDue(clk, time.Hour)
		c.wantLast(id, store.StateQueued, "", routing.ReasonAssignedAgentTimeout)
	})
	t.Run("a rejection leaves time for others", func(t *testing.T) {
		c, clk, id := start(t, rules)
		c.transfer(id, "alice", store.TransferToQueue, "second")
		c.route()
		_, err := c.Reject(c.ctx, ns, id, "bob")
		c.must(err)
		c.wantDue(clk, 30*time.Second) // everybody declined: it starts over
		c.wantState(id, store.StateOffered, "bob")
		c.wantDue(clk, 30*time.Second)
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonTransferTimeout)
	})
	t.Run("to the own queue, others first", func(t *testing.T) {
		c, _, id := start(t, rules)
		c.transfer(id, "alice", store.TransferToQueue, "mail")
		c.route()
		c.wantState(id, store.StateOffered, "bob")
	})
	t.Run("the queue is deleted meanwhile", func(t *testing.T) {
		c, _, id := start(t, rules)
		c.presence("bob", false, false)
		c.transfer(id, "alice", store.TransferToQueue, "second")
		c.must(c.DeleteQueue(c.ctx, key("second")))
		c.route()
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonTransferTimeout)
	})
	t.Run("to an agent", func(t *testing.T) {
		c, clk, id := start(t, rules)
		c.presence("bob", true, true)
		c.transfer(id, "alice", store.TransferToAgent, "bob")
		c.route()
		if got := c.wantState(id, store.StateQueued, "").WaitDetail; got != "waits for bob: paused" {
			t.Fatalf("waits because %q", got)
		}
		clk.advance(100 * time.Hour)
		c.presence("bob", true, false)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		_, err := c.Accept(c.ctx, ns, id, "bob")
		c.must(err)
		if i := c.get(id); i.LastQueue != "mail" || i.LastAgent != "bob" {
			t.Fatalf("last queue %q, last agent %q", i.LastQueue, i.LastAgent)
		}
		c.wantDue(clk, 90*24*time.Hour) // an assignment of its own
	})
	t.Run("the agent has no room, then declines", func(t *testing.T) {
		c, _, id := start(t, rules)
		busy, _ := c.open()
		c.wantState(busy, store.StateOpen, "bob")
		c.transfer(id, "alice", store.TransferToAgent, "bob")
		c.route()
		c.wantState(id, store.StateQueued, "")
		_, err := c.CloseInteraction(c.ctx, ns, busy, "bob", store.Disposal{})
		c.must(err)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		_, err = c.Reject(c.ctx, ns, id, "bob")
		c.must(err)
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonTransferRejected)
	})
	t.Run("the agent never comes", func(t *testing.T) {
		c, clk, id := start(t, rules)
		c.presence("bob", false, false)
		c.transfer(id, "alice", store.TransferToAgent, "bob")
		c.wantDue(clk, week)
		c.wantLast(id, store.StateOpen, "alice", routing.ReasonTransferTimeout)
	})
	t.Run("neither does the sender", func(t *testing.T) {
		c, clk, id := start(t, rules)
		c.presence("bob", false, false)
		c.transfer(id, "alice", store.TransferToAgent, "bob")
		c.must(c.DeleteAgent(c.ctx, key("alice")))
		c.wantDue(clk, week)
		c.wantLast(id, store.StateUnread, "", routing.ReasonTransferTimeout)
	})
	t.Run("Legacy leaves it unread", func(t *testing.T) {
		legacy := rules
		legacy.Model = routing.ModelLegacy
		c, clk, id := start(t, legacy)
		c.presence("bob", false, false)
		c.transfer(id, "alice", store.TransferToQueue, "second")
		c.wantDue(clk, time.Minute)
		c.wantLast(id, store.StateUnread, "", routing.ReasonTransferTimeout)
	})
	t.Run("to an account", func(t *testing.T) {
		c, _, id := start(t, rules)
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Queue: "second", Active: true}))
		sales, _, err := c.AcquireLease(c.ctx, "sales", "test", time.Hour)
		c.must(err)
		c.answer(id, "alice")
		c.transfer(id, "alice", store.TransferToAccount, "sales")
		c.route()
		if i := c.wantState(id, store.StateOffered, "bob"); i.Account != "sales" {
			t.Fatalf("account %q", i.Account)
		}
		_, err = c.Accept(c.ctx, ns, id, "bob")
		c.must(err)
		messages, err := c.ListMessages(c.ctx, ns, id)
		c.must(err)
		for n, thread := range []string{id, messages[0].MessageID, messages[1].MessageID} {
			res, err := c.Ingest(c.ctx, sales, key("sales"), []store.IngestMail{c.mail(thread)})
			c.must(err)
			if !res[0].Joined || res[0].InteractionID != id {
				t.Fatalf("reply %d to the new address went to %+v", n, res[0])
			}
			c.reply(id) // one to the old address
			if res := c.ingest(c.mail(thread)); !res[0].Joined || res[0].InteractionID != id {
				t.Fatalf("reply %d to the old address went to %+v", n, res[0])
			}
		}
		other := c.newInteraction() // of another account, whose token says nothing here
		res, err := c.Ingest(c.ctx, sales, key("sales"), []store.IngestMail{c.mail(other)})
		c.must(err)
		if res[0].Joined {
			t.Fatal("joined an interaction of another account")
		}
	})
	t.Run("to an account with a flow", func(t *testing.T) {
		c, _, id := start(t, rules)
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Flow: "incoming", Active: true}))
		_, err := c.Transfer(c.ctx, ns, id, "alice", store.TransferTarget{Kind: store.TransferToAccount, Name: "sales"})
		wantErr(t, err, store.ErrTransferTarget) // there is no such flow yet
		c.flow(flow.Spec{Steps: []flow.Step{
			{Name: "other", When: `mail.subject != "broken"`, Queue: &flow.Place{Name: "mail"}},
			{Name: "tag", Tags: []string{"sales"}},
			{Name: "sales", Queue: &flow.Place{Name: "second"}},
		}})
		before := c.cursor()
		c.transfer(id, "alice", store.TransferToAccount, "sales")
		if i := c.wantState(id, store.StateNew, ""); i.Account != "sales" || i.Queue != "" {
			t.Fatalf("account %q, queue %q", i.Account, i.Queue)
		}
		c.wantEvents(before, store.EventQueued+" alice")
		c.route()
		if i := c.wantState(id, store.StateOffered, "bob"); i.Queue != "second" || len(i.Tags) != 1 {
			t.Fatalf("queue %q, tags %q", i.Queue, i.Tags)
		}
		next := c.newInteraction() // the sender has room again
		c.route()
		c.wantState(next, store.StateOffered, "alice")
		c.wantReasons(id, "Ingested", "Offered", "Accepted", routing.ReasonTransferred, flow.ReasonSkipped, flow.ReasonTagged, flow.ReasonQueued, "Offered")
		_, err = c.Accept(c.ctx, ns, id, "bob")
		c.must(err)
		sales, _, err := c.AcquireLease(c.ctx, "sales", "test", time.Hour)
		c.must(err)
		if res, err := c.Ingest(c.ctx, sales, key("sales"), []store.IngestMail{c.mail(id)}); err != nil || !res[0].Joined {
			t.Fatalf("a reply to the new address: %+v, %v", res, err)
		}
		c.wantState(id, store.StateOpen, "bob")
	})
	t.Run("refused", func(t *testing.T) {
		c, _, id := start(t, rules)
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Queue: "second"}))
		for _, tc := range []struct {
			agent string
			kind  store.TransferKind
			name  string
			want  error
		}{
			{"bob", store.TransferToQueue, "second", store.ErrConflict},
			{"alice", store.TransferToQueue, "nowhere", store.ErrTransferTarget},
			{"alice", store.TransferToAgent, "nobody", store.ErrTransferTarget},
			{"alice", store.TransferToAgent, "alice", store.ErrTransferTarget},
			{"alice", store.TransferToAccount, "gone", store.ErrTransferTarget},
			{"alice", store.TransferToAccount, "sales", store.ErrTransferTarget}, // inactive
			{"alice", store.TransferToAccount, "other", store.ErrTransferDenied},
		} {
			_, err := c.Transfer(c.ctx, ns, id, tc.agent, store.TransferTarget{Kind: tc.kind, Name: tc.name})
			wantErr(t, err, tc.want)
		}
		c.rules(routing.Rules{})
		for _, kind := range []store.TransferKind{store.TransferToQueue, store.TransferToAgent, store.TransferToAccount} {
			_, err := c.Transfer(c.ctx, ns, id, "alice", store.TransferTarget{Kind: kind, Name: "bob"})
			wantErr(t, err, store.ErrTransferDenied)
		}
		c.wantState(id, store.StateOpen, "alice")
	})
}
