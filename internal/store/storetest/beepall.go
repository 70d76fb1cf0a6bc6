package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// beepAll is a center whose queue offers to everyone at once.
func beepAll(t *testing.T, open Open, capacity int, agents ...string) (*center, *clock) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), capacity, agents...)
	c.everyone()
	return c, clk
}

func (c *center) everyone() {
	c.t.Helper()
	q, err := c.GetQueue(c.ctx, key("mail"))
	c.must(err)
	q.Strategy = string(routing.BeepAll)
	c.must(c.PutQueue(c.ctx, q))
}

// wantOffered: these are asked, and it is in the lists of these alone.
func (c *center) wantOffered(id string, agents ...string) {
	c.t.Helper()
	if diff := cmp.Diff(agents, c.wantState(id, store.StateOffered, "").OfferedTo); diff != "" {
		c.t.Fatalf("offered to (-want +got):\n%s", diff)
	}
	var listed []string
	for _, agent := range []string{"alice", "bob", "carol"} {
		for _, i := range c.held(agent) {
			if i == id {
				listed = append(listed, agent)
			}
		}
	}
	if diff := cmp.Diff(agents, listed); diff != "" {
		c.t.Fatalf("in the lists of (-want +got):\n%s", diff)
	}
}

func (c *center) held(agent string) []string {
	c.t.Helper()
	list, err := c.ListInteractions(c.ctx, store.InteractionFilter{Namespace: ns, Agent: agent,
		States: []store.InteractionState{store.StateOffered, store.StateOpen}})
	c.must(err)
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

// wantEvents compares kind and agent of what happened.
func (c *center) wantEvents(after store.Cursor, want ...string) {
	c.t.Helper()
	events, err := c.EventsAfter(c.ctx, ns, after, 1000)
	c.must(err)
	var got []string
	for _, e := range events {
		got = append(got, e.Kind+" "+e.Agent)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Fatalf("events (-want +got):\n%s", diff)
	}
}

func testBeepAll(t *testing.T, open Open) {
	t.Run("the first accept wins", func(t *testing.T) { testFirstAccept(t, open) })
	t.Run("a rejection ends only one's own", func(t *testing.T) { testOwnRejection(t, open) })
	t.Run("the deadline ends all", func(t *testing.T) { testSharedDeadline(t, open) })
	t.Run("who leaves loses only their own", func(t *testing.T) { testLeaving(t, open) })
	t.Run("answered automatically", func(t *testing.T) { testAnsweredForAll(t, open) })
	t.Run("everyone accepts at once", func(t *testing.T) { testAcceptRace(t, open(t)) })
	t.Run("agents, ingestion and routers at once", func(t *testing.T) { testShift(t, open(t), routing.BeepAll) })
}

func testFirstAccept(t *testing.T, open Open) {
	c, clk := beepAll(t, open, 1, "alice", "bob", "carol")
	before := c.cursor()
	id, next := c.newInteraction(), c.newInteraction()
	c.route()
	c.wantOffered(id, "alice", "bob", "carol")
	c.wantState(next, store.StateQueued, "") // each offer counts
	c.wantEvents(before, store.EventQueued+" ", store.EventQueued+" ",
		store.EventOffered+" alice", store.EventOffered+" bob", store.EventOffered+" carol")
	_, err := c.TakeOver(c.ctx, ns, next, "alice")
	wantErr(t, err, store.ErrConflict)

	before = c.cursor()
	i, err := c.Accept(c.ctx, ns, id, "bob")
	c.must(err)
	if i.Agent != "bob" || i.State != store.StateOpen {
		t.Fatalf("%s with %q", i.State, i.Agent)
	}
	c.wantEvents(before, store.EventOpened+" bob", store.EventOfferEnded+" alice", store.EventOfferEnded+" carol")
	for _, late := range []string{"alice", "bob", "carol"} {
		_, err = c.Accept(c.ctx, ns, id, late)
		wantErr(t, err, store.ErrConflict)
		_, err = c.Reject(c.ctx, ns, id, late)
		wantErr(t, err, store.ErrConflict)
	}
	c.route()
	c.wantOffered(next, "alice", "carol") // bob is busy
	c.wantReasons(id, "Ingested", "Offered", "Offered", "Offered", "Accepted")
	if due, err := c.NextDue(c.ctx); err != nil || !due.Equal(clk.now().Add(30*time.Second)) {
		t.Fatalf("due %v, %v", due, err)
	}
}

func testOwnRejection(t *testing.T, open Open) {
	c, clk := beepAll(t, open, 1, "alice", "bob", "carol")
	id := c.newInteraction()
	c.route()
	before := c.cursor()
	_, err := c.Reject(c.ctx, ns, id, "bob")
	c.must(err)
	c.route()
	c.wantOffered(id, "alice", "carol")
	c.wantEvents(before, store.EventOfferEnded+" bob")
	_, err = c.Accept(c.ctx, ns, id, "bob")
	wantErr(t, err, store.ErrConflict)
	_, err = c.Reject(c.ctx, ns, id, "carol")
	c.must(err)
	c.wantState(id, store.StateOffered, "alice") // the last one
	_, err = c.Reject(c.ctx, ns, id, "alice")
	c.must(err)
	c.route()
	c.wantState(id, store.StateQueued, "")
	clk.advance(30 * time.Second) // everyone declined: it rests and starts over
	c.route()
	c.wantOffered(id, "alice", "bob", "carol")

	// Who has declined is not asked again while others are there.
	_, err = c.Reject(c.ctx, ns, id, "alice")
	c.must(err)
	for _, agent := range []string{"bob", "carol"} {
		c.presence(agent, true, true)
	}
	c.presence("bob", true, false)
	c.presence("carol", true, false)
	c.route()
	if i := c.get(id); i.Agent == "alice" || len(i.OfferedTo) > 0 && i.OfferedTo[0] == "alice" {
		t.Fatalf("offered to %q %q", i.Agent, i.OfferedTo)
	}
}

func testSharedDeadline(t *testing.T, open Open) {
	c, clk := beepAll(t, open, 1, "alice", "bob", "carol")
	id := c.newInteraction()
	c.route()
	_, err := c.Reject(c.ctx, ns, id, "carol")
	c.must(err)
	// A mail meanwhile is told to those who may take it.
	before := c.cursor()
	c.reply(id)
	c.wantEvents(before, store.EventMessage+" alice", store.EventMessage+" bob")
	clk.advance(30 * time.Second)
	_, err = c.Accept(c.ctx, ns, id, "alice")
	wantErr(t, err, store.ErrConflict)
	before = c.cursor()
	other := c.newInteraction()
	c.route()
	c.wantState(id, store.StateQueued, "")
	c.wantOffered(other, "alice", "bob", "carol") // all have room again
	c.wantEvents(before, store.EventQueued+" ", store.EventOfferEnded+" alice", store.EventOfferEnded+" bob",
		store.EventQueued+" ", store.EventOffered+" alice", store.EventOffered+" bob", store.EventOffered+" carol")
	c.wantReasons(id, "Ingested", "Offered", "Offered", "Offered", "Rejected", "OfferTimeout")
}

func testLeaving(t *testing.T, open Open) {
	c, _ := beepAll(t, open, 2, "alice", "bob", "carol")
	first, second := c.newInteraction(), c.newInteraction()
	c.route()
	c.presence("alice", true, true)
	c.route()
	c.wantOffered(first, "bob", "carol")
	c.wantOffered(second, "bob", "carol")
	_, err := c.Accept(c.ctx, ns, second, "bob")
	c.must(err)
	c.must(c.DeleteAgent(c.ctx, key("bob")))
	c.wantLast(first, store.StateOffered, "carol", "AgentDeleted")
	c.presence("alice", true, false)
	c.presence("carol", false, false)
	c.route()
	c.wantState(first, store.StateOffered, "alice") // alone, as any offer
	c.must(c.DeleteQueue(c.ctx, key("mail")))
	if got := c.held("bob"); got != nil {
		t.Fatalf("bob still has %v", got)
	}
}

func testAnsweredForAll(t *testing.T, open Open) {
	c, clk := beepAll(t, open, 1, "alice", "bob", "carol")
	answers := func(agent string, delay time.Duration) {
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key(agent), Username: agent, Active: true, EmailCapacity: 1,
			EmailAutoAnswer: store.AutoAnswer{Enabled: true, Delay: delay}}))
	}
	answers("bob", 10*time.Second)
	answers("carol", 5*time.Second)
	id := c.newInteraction()
	c.route()
	c.wantOffered(id, "alice", "bob", "carol")
	_, err := c.Reject(c.ctx, ns, id, "carol") // hers was the first
	c.must(err)
	c.wantDue(clk, 10*time.Second)
	c.wantLast(id, store.StateOpen, "bob", routing.ReasonAutoAnswered)
	answers("carol", 0)
	next := c.newInteraction()
	c.route()
	c.wantLast(next, store.StateOpen, "carol", routing.ReasonAutoAnswered)
	last := c.newInteraction()
	c.route()
	c.wantState(last, store.StateOffered, "alice") // she has room, the others have not
}

// testAcceptRace: of all who accept at once exactly one has it, and the others' places are free again.
func testAcceptRace(t *testing.T, s store.Store) {
	const rounds = 12
	names := []string{"alice", "bob", "carol", "dave"}
	c := newCenter(t, s, 1, names...)
	c.everyone()
	for round := range rounds {
		id := c.newInteraction()
		c.route()
		errs := make([]error, len(names))
		var wg sync.WaitGroup
		for n, name := range names {
			wg.Go(func() {
				if n == round%len(names) { // one changes their mind
					_, errs[n] = s.Reject(t.Context(), ns, id, name)
					if errs[n] == nil {
						errs[n] = store.ErrConflict
					}
					return
				}
				_, errs[n] = s.Accept(t.Context(), ns, id, name)
			})
		}
		wg.Wait()
		var winners []string
		for n, err := range errs {
			if err == nil {
				winners = append(winners, names[n])
			} else if !errors.Is(err, store.ErrConflict) {
				t.Fatal(err)
			}
		}
		winner := strings.Join(winners, "+")
		c.wantState(id, store.StateOpen, winner)
		for _, name := range names {
			if got := c.held(name); (name == winner) != (len(got) == 1) {
				t.Fatalf("%s holds %v, %s has accepted", name, got, winner)
			}
		}
		if _, err := s.CloseInteraction(t.Context(), ns, id, winner, store.Disposal{}); err != nil {
			t.Fatal(fmt.Errorf("round %d: %w", round, err))
		}
	}
}
