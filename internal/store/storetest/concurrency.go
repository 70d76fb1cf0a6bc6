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
	t.Run("what happens during a decision", func(t *testing.T) { testDuringDecision(t, open) })
	t.Run("agents, ingestion and routers at once", func(t *testing.T) { testShift(t, open(t), routing.RRMemory) })
}

// testRouters: four queues share their agents, and fill while routers work. There is room for a quarter of what comes.
func testRouters(t *testing.T, s store.Store, callers int) {
	const agents, capacity, queues = 6, 3, 4
	var members []store.QueueMember
	c := newCenter(t, s, capacity)
	for n := range agents {
		name := fmt.Sprintf("agent%d", n)
		c.agent(name, capacity)
		members = append(members, store.QueueMember{Agent: name})
	}
	var filling, routers sync.WaitGroup
	for n := range queues {
		name := fmt.Sprintf("queue%d", n)
		c.must(c.PutQueue(c.ctx, store.Queue{Key: key(name), Channel: store.ChannelEmail, Strategy: []string{"RRMemory", "LeastRecent"}[n%2],
			OfferTimeout: time.Minute, Members: members}))
		c.must(c.PutAccount(c.ctx, store.Account{Key: key(name), Queue: name}))
		lease, _, err := c.AcquireLease(c.ctx, name, "test", time.Hour)
		c.must(err)
		var mails []store.IngestMail
		for range agents * capacity {
			mails = append(mails, c.mail())
		}
		filling.Go(func() {
			for _, m := range mails {
				if _, err := s.Ingest(t.Context(), lease, key(name), []store.IngestMail{m}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	filled := make(chan struct{})
	go func() { filling.Wait(); close(filled) }()
	for range callers {
		routers.Go(func() { routeUntil(t, s, filled) })
	}
	routers.Wait()
	<-filled
	checkLoads(c, queues*agents*capacity, members, capacity)
}

// routeUntil routes until stop, and then what is left.
func routeUntil(t *testing.T, s store.Store, stop <-chan struct{}) {
	for stopped := false; ; {
		select {
		case <-stop:
			stopped = true
		default:
		}
		n, err := s.Route(t.Context(), 7, routing.Decide)
		if err != nil {
			t.Error(err)
			return
		}
		if n == 0 && stopped {
			return
		}
	}
}

// checkLoads: every member holds exactly its capacity, and nothing was offered twice.
func checkLoads(c *center, interactions int, members []store.QueueMember, capacity int) {
	c.t.Helper()
	list, err := c.ListInteractions(c.ctx, store.InteractionFilter{Namespace: ns, Limit: 200})
	c.must(err)
	if len(list) != interactions {
		c.t.Fatalf("%d interactions, want %d", len(list), interactions)
	}
	load := map[string]int{}
	for _, i := range list {
		if i.State == store.StateOffered {
			load[i.Agent]++
			c.wantReasons(i.ID, "Ingested", "Offered")
		} else {
			c.wantReasons(i.ID, "Ingested")
		}
	}
	for _, m := range members {
		if load[m.Agent] != capacity {
			c.t.Errorf("%s holds %d, want %d", m.Agent, load[m.Agent], capacity)
		}
	}
}

// testDuringDecision holds a routing transaction up in its decision while something else goes on.
func testDuringDecision(t *testing.T, open Open) {
	for name, tc := range map[string]struct {
		capacity int
		during   func(c *center) error
		check    func(c *center)
	}{
		"another router offers to the same agent": {
			capacity: 1,
			during: func(c *center) error {
				_, err := c.Ingest(c.ctx, c.lease, key("second"), []store.IngestMail{c.mail()})
				if err == nil {
					_, err = c.Route(c.ctx, 10, routing.Decide)
				}
				return err
			},
			check: func(c *center) {
				n, err := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns, Agent: "alice"})
				if c.must(err); n != 1 {
					c.t.Fatalf("alice has %d, capacity 1", n)
				}
			},
		},
		"the agent pauses": {
			capacity: 1,
			during: func(c *center) error {
				return c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true, Paused: true})
			},
			check: func(c *center) {
				n, err := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns, States: []store.InteractionState{store.StateQueued}})
				if c.must(err); n != 1 {
					c.t.Fatalf("%d queued, want the one that was offered before the pause", n)
				}
			},
		},
		"a mail comes into the queue": {
			capacity: 2,
			during: func(c *center) error {
				_, err := c.Ingest(c.ctx, c.lease, key("support"), []store.IngestMail{c.mail()})
				return err
			},
			check: func(c *center) {
				c.route()
				n, err := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns, Agent: "alice"})
				if c.must(err); n != 2 {
					c.t.Fatalf("alice has %d, want both", n)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCenter(t, open(t), tc.capacity, "alice")
			q, err := c.GetQueue(c.ctx, key("mail"))
			c.must(err)
			q.Key = key("second")
			c.must(c.PutQueue(c.ctx, q))
			c.route()
			c.must(c.PutAccount(c.ctx, store.Account{Key: key("second"), Queue: "second"}))
			c.newInteraction()

			var wg sync.WaitGroup
			done := make(chan struct{})
			once := sync.OnceFunc(func() {
				wg.Go(func() {
					defer close(done)
					if err := tc.during(c); err != nil {
						t.Error(err)
					}
				})
				select { // either it can go on, or it rightly waits for this transaction
				case <-done:
				case <-time.After(300 * time.Millisecond):
				}
			})
			_, err = c.Route(c.ctx, 10, func(i routing.Interaction, q routing.Queue, cs []routing.Candidate, now time.Time) routing.Decision {
				once()
				return routing.Decide(i, q, cs, now)
			})
			c.must(err)
			wg.Wait()
			tc.check(c)
		})
	}
}

// testShift: agents of several queues accept, reject, close, pause and come back while mails arrive; at every moment nobody
// has more than the capacity, and at the end nothing is forgotten.
func testShift(t *testing.T, s store.Store, strategy routing.Strategy) {
	const capacity, mails, queues = 1, 60, 4
	names := []string{"alice", "bob", "carol", "dave"}
	c := newCenter(t, s, capacity, names...)
	for n := range queues {
		q, err := c.GetQueue(c.ctx, key("mail"))
		c.must(err)
		q.Key, q.Strategy = key(fmt.Sprint("queue", n)), string(strategy)
		c.must(c.PutQueue(c.ctx, q))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var closed atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	// background repeats step, after a change when it says that there was nothing to do.
	background := func(step func() (idle bool, err error)) {
		wg.Go(func() {
			for {
				wake := s.Wake()
				idle, err := step()
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				if !idle {
					wake = closedChannel
				}
				select {
				case <-done:
					return
				case <-wake:
				}
			}
		})
	}
	for range 3 {
		background(func() (bool, error) {
			n, err := s.Route(ctx, 10, routing.Decide)
			return n == 0, err
		})
	}
	for n, name := range names {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		background(func() (bool, error) { return workAsAgent(ctx, s, name, capacity, rng, &closed) })
	}
	for n := range mails {
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("support"), Queue: fmt.Sprint("queue", n%queues)}))
		c.ingest(c.mail())
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

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func workAsAgent(ctx context.Context, s store.Store, name string, capacity int, rng *rand.Rand, closed *atomic.Int64) (idle bool, err error) {
	mine, err := s.ListInteractions(ctx, store.InteractionFilter{Namespace: ns, Agent: name,
		States: []store.InteractionState{store.StateOffered, store.StateOpen}})
	if err != nil {
		return false, err
	}
	if len(mine) > capacity {
		return false, fmt.Errorf("%s holds %d", name, len(mine))
	}
	if len(mine) > 0 && rng.IntN(15) == 0 {
		return false, errors.Join(s.SetPresence(ctx, store.Presence{Agent: key(name), SignedIn: true, Paused: true}),
			s.SetPresence(ctx, store.Presence{Agent: key(name), SignedIn: true}))
	}
	for _, i := range mine {
		switch {
		case i.State == store.StateOpen:
			_, err = s.CloseInteraction(ctx, ns, i.ID, name, store.Disposal{})
			if err == nil {
				closed.Add(1)
			}
		case rng.IntN(50) == 0:
			_, err = s.Reject(ctx, ns, i.ID, name)
		default:
			_, err = s.Accept(ctx, ns, i.ID, name)
		}
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return false, err
		}
	}
	return len(mine) == 0, nil
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
	t.Run("the end as it was", func(t *testing.T) {
		c, clk := withClock(t, open, routing.Rules{}, 0, "alice")
		before := func(age time.Duration) store.Cursor {
			t.Helper()
			at, err := c.CursorBefore(c.ctx, age)
			c.must(err)
			return at
		}
		clk.advance(time.Minute)
		start := c.cursor()
		c.presence("alice", true, true)
		clk.advance(10 * time.Second)
		paused := c.cursor()
		c.presence("alice", true, false)
		end := c.cursor()
		clk.advance(10 * time.Second)
		for age, want := range map[time.Duration]store.Cursor{0: end, 9 * time.Second: end, 10 * time.Second: paused, 19 * time.Second: paused, 20 * time.Second: start} {
			if got := before(age); got != want {
				t.Errorf("%v ago it was %s, want %s", age, got, want)
			}
		}
		c.must(c.PruneEvents(c.ctx, 15*time.Second))
		if got := before(time.Hour); got != paused {
			t.Errorf("of what is kept %s, want %s", got, paused)
		}
	})
}
