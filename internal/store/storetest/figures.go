package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// into puts a new interaction into a queue by way of the account.
func (c *center) into(queue string) string {
	c.t.Helper()
	a, err := c.GetAccount(c.ctx, key("support"))
	c.must(err)
	a.Queue = queue
	c.must(c.PutAccount(c.ctx, a))
	return c.newInteraction()
}

// Who is a member of two queues serves the heavier one first, whichever waits longer, and whichever comes first by name.
func testWeight(t *testing.T, open Open) {
	for _, heavy := range []string{"mail", "second"} {
		t.Run(heavy, func(t *testing.T) {
			c, clk := withClock(t, open, routing.Rules{}, 1, "alice")
			c.must(c.PutQueue(c.ctx, store.Queue{Key: key("second"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Hour,
				Members: []store.QueueMember{{Agent: "alice"}}}))
			q, err := c.GetQueue(c.ctx, key(heavy))
			c.must(err)
			q.Weight = 1
			c.must(c.PutQueue(c.ctx, q))
			light := map[string]string{"mail": "second", "second": "mail"}[heavy]

			busy, _ := c.open()
			first := c.into(light)
			c.route()
			clk.advance(time.Minute)
			second := c.into(heavy)
			c.route()
			c.close(busy, "alice")
			c.route()
			c.wantState(second, store.StateOffered, "alice")
			c.wantState(first, store.StateQueued, "")
			_, err = c.Accept(c.ctx, ns, second, "alice")
			c.must(err)
			c.close(second, "alice")
			c.route()
			c.wantState(first, store.StateOffered, "alice")
		})
	}
}

func (c *center) wantFigures(queue string, accepted, inTime int, waited time.Duration) {
	c.t.Helper()
	var want []store.QueueFigures
	if accepted > 0 {
		want = append(want, store.QueueFigures{Queue: key(queue), Accepted: accepted, InTime: inTime, Waited: waited})
	}
	got, err := c.ListQueueFigures(c.ctx, key(queue))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		c.t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
}

func testQueueFigures(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
	c.rules(routing.Rules{TransferToQueue: time.Hour, TransferToAgent: time.Hour})
	c.second()
	accept := func(id, agent string) {
		t.Helper()
		c.route()
		c.wantState(id, store.StateOffered, agent)
		_, err := c.Accept(c.ctx, ns, id, agent)
		c.must(err)
	}
	c.wantFigures("mail", 0, 0, 0)
	c.presence("alice", false, false)
	c.presence("bob", false, false)
	id := c.newInteraction()
	clk.advance(20 * time.Second)
	c.presence("alice", true, false)
	accept(id, "alice")
	c.wantFigures("mail", 1, 0, 20*time.Second) // there was no service level
	c.changeQueue(func(q *store.Queue) { q.ServiceLevel = 20 * time.Second })

	// An offer that nobody answered is part of the wait, and so is one that was declined.
	late := c.newInteraction()
	c.route()
	clk.advance(30 * time.Second)
	c.presence("bob", true, false)
	c.route()
	_, err := c.Reject(c.ctx, ns, late, "bob")
	c.must(err)
	clk.advance(30 * time.Second)
	accept(late, "alice")
	c.wantFigures("mail", 2, 0, 40*time.Second)
	inTime := c.newInteraction()
	clk.advance(20 * time.Second)
	accept(inTime, "bob")
	third := (100 * time.Second / 3).Truncate(time.Microsecond)
	c.wantFigures("mail", 3, 1, third)

	// Each queue has its own wait; what reaches an agent without a queue has none.
	c.transfer(inTime, "bob", store.TransferToQueue, "second")
	c.route()
	clk.advance(30 * time.Second) // the sender's colleagues come first
	accept(inTime, "bob")
	c.wantFigures("second", 1, 0, 30*time.Second)
	c.transfer(late, "alice", store.TransferToAgent, "bob")
	accept(late, "bob")
	c.wantFigures("mail", 3, 1, third)

	// Accepted automatically, and from an offer to all.
	c.must(c.PutAgent(c.ctx, store.Agent{Key: key("alice"), Username: "alice", Active: true, EmailAutoAnswer: store.AutoAnswer{Enabled: true}}))
	c.everyone()
	c.newInteraction()
	c.route()
	c.wantFigures("mail", 4, 2, 25*time.Second)

	list, err := c.ListQueueFigures(c.ctx, store.Key{})
	c.must(err)
	if len(list) != 2 || list[0].Queue != key("mail") || list[1].Queue != key("second") {
		t.Fatalf("all of them: %+v", list)
	}
	clk.advance(23 * time.Hour) // of the same day still
	c.wantFigures("mail", 4, 2, 25*time.Second)
	clk.advance(time.Hour)
	c.wantFigures("mail", 0, 0, 0)
	c.newInteraction()
	c.route()
	c.wantFigures("mail", 1, 1, 0)
	c.must(c.DeleteQueue(c.ctx, key("mail")))
	c.wantFigures("mail", 0, 0, 0)
	c.wantFigures("second", 0, 0, 0)
}

func testAccountFigures(t *testing.T, open Open) {
	c, clk := withClock(t, open, routing.Rules{}, 1, "alice", "bob")
	want := func(account store.Key, want ...store.AccountFigures) {
		t.Helper()
		got, err := c.ListAccountFigures(c.ctx, account)
		c.must(err)
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	want(store.Key{})
	start := clk.now()
	open1, agent := c.open()
	_, other := c.open()
	clk.advance(time.Minute)
	c.newInteraction()
	clk.advance(time.Minute)
	c.newInteraction()
	c.route()
	f := store.AccountFigures{Account: key("support"), Open: 2, Waiting: 2, OldestWaiting: start.Add(time.Minute)}
	want(store.Key{}, f)
	c.reply(open1)
	f.OldestFollowUp = clk.now()
	clk.advance(time.Minute)
	c.reply(open1) // the first one counts
	want(key("support"), f)
	c.must(c.MarkRead(c.ctx, ns, open1, agent))
	f.OldestFollowUp = time.Time{}
	want(key("support"), f)
	c.close(open1, agent)
	c.route()
	f.Open, f.Offered, f.Waiting, f.OldestWaiting = 1, 1, 1, start.Add(2*time.Minute)
	want(key("support"), f)

	// Another account, whose interactions nobody takes.
	c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Queue: "nowhere"}))
	lease, _, err := c.AcquireLease(c.ctx, "sales", "test", time.Hour)
	c.must(err)
	_, err = c.Ingest(c.ctx, lease, key("sales"), []store.IngestMail{c.mail()})
	c.must(err)
	sales := store.AccountFigures{Account: key("sales"), Unread: 1}
	want(store.Key{}, sales, f)
	want(key("sales"), sales)
	want(key("nobody"))
	c.presence(other, false, false)
	want(key("support"), f) // what is open stays open
}
