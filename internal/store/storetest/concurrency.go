package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testConcurrency(t *testing.T, open Open) {
	for _, callers := range []int{2, 8} {
		t.Run(fmt.Sprintf("%d routers", callers), func(t *testing.T) { testRouters(t, open(t), callers) })
	}
	t.Run("agents, ingestion and routers at once", func(t *testing.T) { testShift(t, open(t)) })
}

// testRouters: as many interactions as there is room, two queues that share their agents.
func testRouters(t *testing.T, s store.Store, callers int) {
	const agents, capacity = 10, 5
	var names []string
	for n := range agents {
		names = append(names, fmt.Sprintf("agent%d", n))
	}
	c := newCenter(t, s, capacity, names...)
	var members []store.QueueMember
	for _, n := range names {
		members = append(members, store.QueueMember{Agent: n})
	}
	c.must(c.PutQueue(c.ctx, store.Queue{Key: key("second"), Channel: store.ChannelEmail, Strategy: "LeastRecent", OfferTimeout: time.Minute, Members: members}))
	var ids []string
	for _, queue := range []string{"mail", "second"} {
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("support"), Queue: queue}))
		for range agents * capacity {
			ids = append(ids, c.newInteraction())
		}
	}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for idle := 0; idle < 3; {
				n, err := s.Route(t.Context(), 7, routing.Decide)
				if err != nil {
					t.Error(err)
					return
				}
				if n == 0 {
					idle++
				}
			}
		})
	}
	wg.Wait()
	load := map[string]int{}
	for _, id := range ids {
		i := c.get(id)
		history, err := c.History(c.ctx, ns, id)
		c.must(err)
		offers := 0
		for _, tr := range history {
			if tr.Reason == "Offered" {
				offers++
			}
		}
		if i.State == store.StateOffered {
			load[i.Agent]++
		} else if offers != 0 || i.State != store.StateQueued {
			t.Fatalf("%s is %s after %d offers", id, i.State, offers)
		}
		if offers > 1 {
			t.Fatalf("%s was offered %d times", id, offers)
		}
	}
	for _, n := range names {
		if load[n] != capacity {
			t.Errorf("%s has %d, want %d", n, load[n], capacity)
		}
	}
}

// testShift: agents accept, reject, close, pause and come back while mails arrive; at every moment nobody has more than
// the capacity, and at the end nothing is forgotten.
func testShift(t *testing.T, s store.Store) {
	const capacity, mails = 2, 80
	names := []string{"alice", "bob", "carol", "dave"}
	c := newCenter(t, s, capacity, names...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var closed atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	background := func(step func() error) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := step(); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		background(func() error {
			_, err := s.Route(ctx, 10, routing.Decide)
			return err
		})
	}
	for n, name := range names {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		background(func() error { return workAsAgent(ctx, s, name, capacity, rng, &closed) })
	}
	for n := 0; n < mails; n += 4 {
		c.ingest(c.mail(), c.mail(), c.mail(), c.mail())
	}
	for closed.Load() < mails && ctx.Err() == nil && !t.Failed() {
		select {
		case <-s.Wake():
		case <-time.After(100 * time.Millisecond):
		}
	}
	close(done)
	wg.Wait()
	n, err := s.CountInteractions(t.Context(), store.InteractionFilter{Namespace: ns, States: []store.InteractionState{store.StateClosed}})
	if err != nil || n != mails {
		t.Fatalf("%d of %d closed, %v", n, mails, err)
	}
}

func workAsAgent(ctx context.Context, s store.Store, name string, capacity int, rng *rand.Rand, closed *atomic.Int64) error {
	mine, err := s.ListInteractions(ctx, store.InteractionFilter{Namespace: ns, Agent: name,
		States: []store.InteractionState{store.StateOffered, store.StateOpen}})
	if err != nil {
		return err
	}
	if len(mine) > capacity {
		return fmt.Errorf("%s holds %d", name, len(mine))
	}
	if rng.IntN(15) == 0 {
		return errors.Join(s.SetPresence(ctx, store.Presence{Agent: key(name), SignedIn: true, Paused: true}),
			s.SetPresence(ctx, store.Presence{Agent: key(name), SignedIn: true}))
	}
	for _, i := range mine {
		switch {
		case i.State == store.StateOpen:
			_, err = s.CloseInteraction(ctx, ns, i.ID, name)
			if err == nil {
				closed.Add(1)
			}
		case rng.IntN(50) == 0:
			_, err = s.Reject(ctx, ns, i.ID, name)
		default:
			_, err = s.Accept(ctx, ns, i.ID, name)
		}
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

func testEvents(t *testing.T, open Open) {
	t.Run("order under concurrent writers", func(t *testing.T) {
		c := newCenter(t, open(t), 0)
		const writers, each = 6, 30
		for w := range writers {
			c.must(c.PutAgent(c.ctx, store.Agent{Key: key(fmt.Sprint("w", w)), Username: fmt.Sprint("w", w), Active: true}))
		}
		start := c.cursor()
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					err := c.SetPresence(c.ctx, store.Presence{Agent: key(fmt.Sprint("w", w)), SignedIn: true, Reason: strconv.Itoa(n)})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		finished := make(chan struct{})
		go func() { wg.Wait(); close(finished) }()
		// A reader that follows all the while misses nothing.
		last := map[string]int{}
		seen, at, over := 0, start, false
		for {
			wake := c.Wake()
			events, err := c.EventsAfter(c.ctx, ns, at, 7)
			c.must(err)
			for _, e := range events {
				at = e.Cursor
				var n int
				if _, err := fmt.Sscanf(string(e.Data), `{"signedIn":true,"paused":false,"reason":"%d"}`, &n); err != nil {
					t.Fatalf("event data %s: %v", e.Data, err)
				}
				if n != last[e.Subject] {
					t.Fatalf("%s: event %d, want %d", e.Subject, n, last[e.Subject])
				}
				last[e.Subject]++
				seen++
			}
			if len(events) > 0 {
				continue
			}
			if over {
				break
			}
			select {
			case <-wake:
			case <-finished:
				over = true
			}
		}
		if seen != writers*each {
			t.Fatalf("saw %d of %d", seen, writers*each)
		}
	})
	t.Run("namespaces, wake and pruning", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 0, "alice")
		if events, err := c.EventsAfter(c.ctx, "other", "", 10); err != nil || len(events) != 0 {
			t.Fatalf("%+v, %v", events, err)
		}
		if events, err := c.EventsAfter(c.ctx, "", "", 10); err != nil || len(events) != 1 || !events[0].At.Equal(clk.now()) {
			t.Fatalf("%+v, %v", events, err)
		}
		if _, err := c.EventsAfter(c.ctx, ns, "nonsense", 10); err == nil {
			t.Fatal("nonsense is a cursor")
		}
		clk.advance(time.Hour)
		wake := c.Wake()
		select {
		case <-wake:
			t.Fatal("woken by nothing")
		default:
		}
		c.newInteraction()
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatal("not woken")
		}
		end := c.cursor()
		c.must(c.PruneEvents(c.ctx, time.Hour))
		if n := len(c.eventKinds("")); n != 2 {
			t.Fatalf("%d events, an hour old is not older than an hour", n)
		}
		clk.advance(time.Second)
		c.must(c.PruneEvents(c.ctx, time.Hour))
		if n := len(c.eventKinds("")); n != 1 {
			t.Fatalf("%d events", n)
		}
		clk.advance(2 * time.Hour)
		c.must(c.PruneEvents(c.ctx, time.Hour))
		if n := len(c.eventKinds("")); n != 0 || c.cursor() != end {
			t.Fatalf("%d events, cursor %s after %s", n, c.cursor(), end)
		}
	})
}
