package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testRouting(t *testing.T, open Open) {
	t.Run("round robin below capacity", func(t *testing.T) {
		c := newCenter(t, open(t), 2, "alice", "bob", "carol")
		var got []string
		var ids []string
		for range 4 {
			id := c.newInteraction()
			c.route()
			ids, got = append(ids, id), append(got, c.get(id).Agent)
		}
		if diff := cmp.Diff([]string{"alice", "bob", "carol", "alice"}, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for range 4 { // only two of them fit
			ids = append(ids, c.newInteraction())
		}
		c.route()
		for n, want := range []string{"bob", "carol", "", ""} {
			if i := c.get(ids[4+n]); i.Agent != want {
				t.Fatalf("interaction %d is with %q, want %q", 4+n, i.Agent, want)
			}
		}
		// Whoever closes gets the one that waits longest; accepting frees nothing.
		_, err := c.Accept(c.ctx, ns, ids[1], "bob")
		c.must(err)
		c.route()
		c.wantState(ids[6], store.StateQueued, "")
		_, err = c.CloseInteraction(c.ctx, ns, ids[1], "bob", store.Disposal{})
		c.must(err)
		c.route()
		c.wantState(ids[6], store.StateOffered, "bob")
		c.wantState(ids[7], store.StateQueued, "")
	})
	t.Run("timeout offers on, everyone declined rests", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 1, "alice", "bob")
		id := c.newInteraction()
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		if due, err := c.NextDue(c.ctx); err != nil || !due.Equal(clk.now().Add(30*time.Second)) {
			t.Fatalf("due %v, %v", due, err)
		}
		clk.advance(29 * time.Second)
		if n, err := c.Route(c.ctx, 10, routing.Decide); n != 0 || err != nil {
			t.Fatalf("looked at %d, %v", n, err)
		}
		clk.advance(time.Second)
		before := c.cursor()
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		if diff := cmp.Diff([]string{store.EventOfferEnded, store.EventOffered}, c.eventKinds(before)); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
		_, err := c.Reject(c.ctx, ns, id, "bob")
		c.must(err)
		c.route()
		c.wantState(id, store.StateQueued, "")
		if due, err := c.NextDue(c.ctx); err != nil || !due.Equal(clk.now().Add(30*time.Second)) {
			t.Fatalf("due %v, %v", due, err)
		}
		// Others are served meanwhile, and their rejections do not spin.
		other := c.newInteraction()
		c.route()
		c.wantState(other, store.StateOffered, "alice")
		clk.advance(30 * time.Second) // id starts over with the next one, and then only alice is left, who declined other
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		c.wantState(other, store.StateQueued, "")
		c.wantReasons(id, "Ingested", "Offered", "OfferTimeout", "Offered", "Rejected", "Offered")
		history, err := c.History(c.ctx, ns, id)
		if err != nil || history[1].Agent != "alice" || history[1].Detail == "" || history[2].Agent != "alice" || history[1].Queue != "mail" {
			t.Fatalf("history %+v, %v", history, err)
		}
	})
	t.Run("a newcomer ends the rest", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice", "bob")
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob")}))
		id := c.newInteraction()
		c.route()
		_, err := c.Reject(c.ctx, ns, id, "alice")
		c.must(err)
		c.route()
		c.wantState(id, store.StateQueued, "")
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob"), SignedIn: true}))
		c.route()
		c.wantState(id, store.StateOffered, "bob")
	})
	t.Run("declined ones do not block those behind", func(t *testing.T) {
		c := newCenter(t, open(t), 5, "alice")
		var ids []string
		for range 5 {
			ids = append(ids, c.newInteraction())
		}
		c.route()
		for _, id := range ids {
			_, err := c.Reject(c.ctx, ns, id, "alice")
			c.must(err)
		}
		for range 10 { // each call may look at two
			_, err := c.Route(c.ctx, 2, routing.Decide)
			c.must(err)
		}
		late := c.newInteraction()
		c.route()
		c.wantState(late, store.StateOffered, "alice")
	})
	t.Run("no hot loop", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice")
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true, Paused: true}))
		for range 20 {
			c.newInteraction()
		}
		c.route()
		calls := 0
		for range 5 {
			n, err := c.Route(c.ctx, 100, func(i routing.Interaction, q routing.Queue, cs []routing.Candidate, now time.Time) routing.Decision {
				calls++
				return routing.Decide(i, q, cs, now)
			})
			if n != 0 || err != nil {
				t.Fatalf("looked at %d, %v", n, err)
			}
		}
		if due, err := c.NextDue(c.ctx); err != nil || !due.IsZero() || calls != 0 {
			t.Fatalf("%d decisions, due %v, %v", calls, due, err)
		}
	})
	t.Run("an expired offer frees its agent for another queue", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 1, "alice", "bob")
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob"), SignedIn: true, Paused: true}))
		id := c.newInteraction()
		c.route()
		c.wantState(id, store.StateOffered, "alice")
		// The queue "a" has only alice, and its work waits.
		c.must(c.PutQueue(c.ctx, store.Queue{Key: key("a"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute,
			Members: []store.QueueMember{{Agent: "alice"}}}))
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("support"), Queue: "a"}))
		waiting := c.newInteraction()
		c.route()
		c.wantState(waiting, store.StateQueued, "")
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob"), SignedIn: true}))
		clk.advance(time.Minute)
		c.route()
		c.wantState(id, store.StateOffered, "bob")
		c.wantState(waiting, store.StateOffered, "alice")
	})
	t.Run("a wrong decision changes nothing", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice")
		id := c.newInteraction()
		_, err := c.Route(c.ctx, 10, func(routing.Interaction, routing.Queue, []routing.Candidate, time.Time) routing.Decision {
			return routing.Decision{Action: routing.Offer, Agent: "mallory"}
		})
		if err == nil {
			t.Fatal("offered to someone who is no member")
		}
		c.wantState(id, store.StateQueued, "")
		c.route()
		c.wantState(id, store.StateOffered, "alice")
	})
}
