package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

var alice = store.Key{Namespace: "support", Name: "alice"}

// countingFeed is a store whose reads are counted and can be made to fail, as a database that is away does.
type countingFeed struct {
	feed
	reads atomic.Int64
	away  atomic.Bool
}

func (c *countingFeed) EventsAfter(ctx context.Context, namespace string, after store.Cursor, limit int) ([]store.Event, error) {
	c.reads.Add(1)
	if c.away.Load() {
		return nil, errors.New("the database is away")
	}
	return c.feed.EventsAfter(ctx, namespace, after, limit)
}

func hubStore(t *testing.T) store.Store {
	t.Helper()
	st := storetest.SQLite(t)
	if err := st.PutAgent(t.Context(), store.Agent{Key: alice, Username: "alice", Active: true}); err != nil {
		t.Fatal(err)
	}
	return st
}

func change(t *testing.T, st store.Store, n int) {
	t.Helper()
	if err := st.SetPresence(t.Context(), store.Presence{Agent: alice, SignedIn: true, Paused: true, Reason: fmt.Sprint(n)}); err != nil {
		t.Fatal(err)
	}
}

func TestHubEndsStreamsThatFallBehind(t *testing.T) {
	st := hubStore(t)
	h := newHub(st, slog.New(slog.DiscardHandler))
	slow, err := h.subscribe(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer h.unsubscribe(slow)
	quick, err := h.subscribe(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer h.unsubscribe(quick)
	for n := range subscriptionBuffer + 1 {
		change(t, st, n)
		select {
		case <-quick.events:
		case <-time.After(10 * time.Second):
			t.Fatal("no event within 10 s")
		}
	}
	select {
	case <-slow.lagged:
	case <-time.After(10 * time.Second):
		t.Fatal("a full stream was kept")
	}
	select {
	case <-quick.lagged:
		t.Error("a stream that kept up was ended")
	default:
	}
}

// Many streams cost one reader, which ends with the last of them.
func TestHubReadsOnceForAll(t *testing.T) {
	f := &countingFeed{feed: hubStore(t)}
	h := newHub(f, slog.New(slog.DiscardHandler))
	var subs []*subscription
	for range 500 {
		sub, err := h.subscribe(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	before := f.reads.Load()
	change(t, f.feed.(store.Store), 1)
	for _, sub := range subs {
		select {
		case <-sub.events:
		case <-time.After(10 * time.Second):
			t.Fatal("no event within 10 s")
		}
	}
	if reads := f.reads.Load() - before; reads > 10 {
		t.Errorf("%d reads for one change and 500 streams", reads)
	}
	for _, sub := range subs {
		h.unsubscribe(sub)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil || len(h.subs) != 0 || h.users != 0 {
		t.Errorf("after the last stream: %d users, %d agents, reader runs: %v", h.users, len(h.subs), h.stop != nil)
	}
}

func TestHubWithoutAStore(t *testing.T) {
	f := &countingFeed{feed: hubStore(t)}
	h := newHub(f, slog.New(slog.DiscardHandler))
	sub, err := h.subscribe(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer h.unsubscribe(sub)
	f.away.Store(true)
	if _, err := h.subscribe(t.Context(), alice); err == nil {
		t.Error("joined while events cannot be read")
	}
	change(t, f.feed.(store.Store), 1)
	f.away.Store(false)
	select {
	case <-sub.events: // what happened meanwhile is not lost
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
	}
}
