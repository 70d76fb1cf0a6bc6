package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// changeQueue changes the queue mail.
func (c *center) changeQueue(change func(q *store.Queue)) {
	c.t.Helper()
	q, err := c.GetQueue(c.ctx, key("mail"))
	c.must(err)
	change(&q)
	c.must(c.PutQueue(c.ctx, q))
}

func (c *center) close(id, agent string) {
	c.t.Helper()
	_, err := c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
	c.must(err)
}

// wantWrapUp: the agent's wrap-up time ends in d; 0: none runs.
func (c *center) wantWrapUp(clk *clock, agent string, d time.Duration) {
	c.t.Helper()
	var want time.Time
	if d > 0 {
		want = clk.now().Add(d)
	}
	p, err := c.GetPresence(c.ctx, key(agent))
	if err != nil || !p.WrapUp.Equal(want) {
		c.t.Fatalf("wrap-up until %v, %v; want %v", p.WrapUp, err, want)
	}
	list, err := c.ListPresence(c.ctx, ns)
	c.must(err)
	for _, p := range list {
		if p.Agent.Name == agent && !p.WrapUp.Equal(want) {
			c.t.Fatalf("listed with wrap-up until %v, want %v", p.WrapUp, want)
		}
	}
}

func testWrapUp(t *testing.T, open Open) {
	start := func(t *testing.T, capacity int, agents ...string) (*center, *clock) {
		c, clk := withClock(t, open, routing.Rules{TransferToQueue: time.Hour, TransferToAgent: time.Hour}, capacity, agents...)
		c.changeQueue(func(q *store.Queue) { q.WrapUpTime = time.Minute })
		c.second()
		return c, clk
	}
	t.Run("nothing from queues until it is over", func(t *testing.T) {
		c, clk := start(t, 2, "alice")
		id, _ := c.open()
		running := c.newInteraction()
		c.route()
		before := c.cursor()
		c.close(id, "alice")
		c.wantWrapUp(clk, "alice", time.Minute)
		events, err := c.EventsAfter(c.ctx, ns, before, 10)
		c.must(err)
		last := events[len(events)-1]
		var told struct{ WrapUpUntil time.Time }
		c.must(json.Unmarshal(last.Data, &told))
		if last.Kind != store.EventPresence || last.Subject != "alice" || !told.WrapUpUntil.Equal(clk.now().Add(time.Minute)) {
			t.Fatalf("the last event is %s of %q: %s", last.Kind, last.Subject, last.Data)
		}
		if _, err := c.Accept(c.ctx, ns, running, "alice"); err != nil { // the offer was there before
			t.Fatal(err)
		}
		c.must(c.PutQueue(c.ctx, store.Queue{Key: key("third"), Channel: store.ChannelEmail, Strategy: "LeastRecent", OfferTimeout: time.Hour,
			Members: []store.QueueMember{{Agent: "alice"}}}))
		next := c.newInteraction()
		c.route()
		if got := c.wantState(next, store.StateQueued, "").WaitDetail; got != "nobody available; alice in wrap-up until 2026-03-01T08:01:00Z" {
			t.Fatalf("waits because %q", got)
		}
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("support"), Queue: "third"}))
		other := c.newInteraction() // of a queue without wrap-up time
		c.wantDue(clk, time.Minute)
		c.route()
		c.wantWrapUp(clk, "alice", 0)
		c.wantState(next, store.StateOffered, "alice")
		c.wantState(other, store.StateQueued, "") // no room for two
		c.wantNext(clk, 30*time.Second)
	})
	t.Run("ended early", func(t *testing.T) {
		c, clk := start(t, 1, "alice")
		wantErr(t, c.EndWrapUp(c.ctx, key("nobody")), store.ErrNotFound)
		id, _ := c.open()
		c.close(id, "alice")
		next := c.newInteraction()
		c.route()
		c.wantState(next, store.StateQueued, "")
		c.presence("alice", true, true)
		before := c.cursor()
		c.must(c.EndWrapUp(c.ctx, key("alice"))) // a pause stays one
		c.wantWrapUp(clk, "alice", 0)
		events, err := c.EventsAfter(c.ctx, ns, before, 10)
		c.must(err)
		if len(events) != 1 || events[0].Kind != store.EventPresence || events[0].Subject != "alice" || strings.Contains(string(events[0].Data), "wrapUpUntil") {
			t.Fatalf("events %+v", events)
		}
		c.route()
		c.wantState(next, store.StateQueued, "")
		c.presence("alice", true, false)
		c.route()
		c.wantState(next, store.StateOffered, "alice")
		c.must(second(c.Accept(c.ctx, ns, next, "alice")))
		c.close(next, "alice")
		again := c.newInteraction()
		c.route()
		c.wantState(again, store.StateQueued, "")
		c.wantWrapUp(clk, "alice", time.Minute)
		c.must(c.EndWrapUp(c.ctx, key("alice")))
		c.route()
		c.wantState(again, store.StateOffered, "alice")
		c.must(second(c.Accept(c.ctx, ns, again, "alice")))
		before = c.cursor()
		c.must(c.EndWrapUp(c.ctx, key("alice"))) // none runs
		if c.cursor() != before {
			t.Fatal("ending none is told")
		}
		c.close(again, "alice") // and the next begins as ever
		c.wantWrapUp(clk, "alice", time.Minute)
	})
	t.Run("the longest counts", func(t *testing.T) {
		c, clk := start(t, 0, "alice")
		first, _ := c.open()
		second, _ := c.open()
		third, _ := c.open()
		c.close(first, "alice")
		clk.advance(10 * time.Second)
		c.changeQueue(func(q *store.Queue) { q.WrapUpTime = 20 * time.Second })
		c.close(second, "alice")
		c.wantWrapUp(clk, "alice", 50*time.Second)
		c.changeQueue(func(q *store.Queue) { q.WrapUpTime = 0 })
		c.close(third, "alice")
		c.wantWrapUp(clk, "alice", 50*time.Second)
		c.presence("alice", false, false) // coming back is no way around it
		c.presence("alice", true, false)
		c.wantWrapUp(clk, "alice", 50*time.Second)
		next := c.newInteraction()
		c.wantDue(clk, 50*time.Second)
		c.wantState(next, store.StateOffered, "alice")
	})
	t.Run("a transfer begins it, and what is meant for the agent passes", func(t *testing.T) {
		c, clk := start(t, 1, "alice", "bob")
		id, _ := c.open()
		other, _ := c.open()
		c.transfer(id, "alice", store.TransferToQueue, "second")
		c.wantWrapUp(clk, "alice", time.Minute)
		c.transfer(other, "bob", store.TransferToAgent, "alice")
		c.wantWrapUp(clk, "bob", time.Minute)
		c.route()
		c.wantState(id, store.StateQueued, "")
		c.wantState(other, store.StateOffered, "alice")
	})
	t.Run("a follow-up passes", func(t *testing.T) {
		c, clk := start(t, 1, "alice")
		c.rules(routing.Rules{Model: routing.ModelLegacy, AssignedAgentWait: 10 * time.Second, AssignedQueueWait: time.Hour})
		id, _ := c.open()
		c.close(id, "alice")
		c.reply(id)
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		c.wantWrapUp(clk, "alice", time.Minute)
	})
	t.Run("who declined rests longer", func(t *testing.T) {
		c, clk := start(t, 1, "alice", "bob")
		done, _ := c.open()
		id := c.newInteraction()
		c.route()
		clk.advance(time.Second)
		c.changeQueue(func(q *store.Queue) { q.WrapUpTime = 10 * time.Second })
		c.close(done, "alice")
		_, err := c.Reject(c.ctx, ns, id, "bob")
		c.must(err)
		c.wantDue(clk, 10*time.Second)
		c.wantState(id, store.StateOffered, "alice")
	})
	t.Run("everyone at once is everyone else", func(t *testing.T) {
		c, clk := start(t, 0, "alice", "bob", "carol")
		id, agent := c.open()
		c.everyone()
		c.close(id, agent)
		next := c.newInteraction()
		c.route()
		c.wantOffered(next, "bob", "carol")
		c.wantWrapUp(clk, "alice", time.Minute)
	})
	t.Run("after disposing", func(t *testing.T) {
		c, clk := start(t, 1, "alice")
		c.must(c.PutDispositionSet(c.ctx, store.DispositionSet{Key: key("all"), Scope: store.ScopeGlobal, Items: items("Done")}))
		c.must(c.PutAnswerSettings(c.ctx, key("support"), store.AnswerSettings{DispositionMandatory: true, PauseWhileDisposing: true}))
		id, _ := c.open()
		c.must(c.BeginDisposing(c.ctx, ns, id, "alice"))
		before := c.cursor()
		c.must(second(c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{Path: "Done"})))
		c.wantPresence("alice", false, "")
		c.wantWrapUp(clk, "alice", time.Minute)
		events, err := c.EventsAfter(c.ctx, ns, before, 10)
		c.must(err)
		for _, e := range events {
			if e.Kind == store.EventPresence && !strings.Contains(string(e.Data), `"wrapUpUntil"`) {
				t.Fatalf("a presence without the wrap-up time: %s", e.Data)
			}
		}
	})
	t.Run("no queue, no wrap-up time", func(t *testing.T) {
		c, clk := start(t, 1, "alice")
		id, _ := c.open()
		c.must(c.DeleteQueue(c.ctx, key("mail")))
		c.close(id, "alice")
		c.wantWrapUp(clk, "alice", 0)
	})
}
