package desk

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	// hubPoll finds changes that no Wake told of.
	hubPoll = time.Second
	// hubPage is how many events one query fetches.
	hubPage = 500
	// subscriptionBuffer is how far one client may fall behind before its stream ends and it has to resume.
	subscriptionBuffer = 256
	// hubLease is how long streams count as open after their process has died; the lease is renewed three times as often.
	hubLease = 2 * time.Minute
)

// hub reads the store's events once for all event streams of this process. Its reader runs while anyone subscribes.
type hub struct {
	feed feed
	log  *slog.Logger
	poke chan struct{} // tells the reader that someone joins
	// lease is held while the reader runs.
	lease string

	mu      sync.Mutex
	users   int // subscriptions, admitted or joining
	subs    map[store.Key]map[*subscription]struct{}
	joining []*subscription
	stop    context.CancelFunc // of the running reader; nil when none runs
}

// subscription receives one agent's events.
type subscription struct {
	agent  store.Key
	events chan store.Event
	// lagged is closed when events did not fit: the stream has a gap from there on and must end.
	lagged chan struct{}
	// recheck asks the stream to look whether its session still lives.
	recheck chan struct{}
	// admitted gets nil, or why the events cannot be read.
	admitted chan error
	gone     bool // guarded by hub.mu
}

func newHub(f feed, log *slog.Logger) *hub {
	return &hub{feed: f, log: log, poke: make(chan struct{}, 1), subs: map[store.Key]map[*subscription]struct{}{}, lease: "desk/" + uuid.NewString()}
}

// subscribe delivers, in order, every event of the agent that is committed after it returns, and none that was
// committed before it was called. A cursor read before calling is therefore never ahead of what is delivered.
func (h *hub) subscribe(ctx context.Context, agent store.Key) (*subscription, error) {
	sub := &subscription{
		agent:    agent,
		events:   make(chan store.Event, subscriptionBuffer),
		lagged:   make(chan struct{}),
		recheck:  make(chan struct{}, 1),
		admitted: make(chan error, 1),
	}
	h.join(sub)
	var err error
	select {
	case err = <-sub.admitted:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		h.unsubscribe(sub)
		return nil, err
	}
	return sub, nil
}

func (h *hub) join(sub *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	h.joining = append(h.joining, sub)
	if h.stop == nil {
		// The reader serves all streams and ends with the last of them, not with the one that came first.
		var ctx context.Context
		ctx, h.stop = context.WithCancel(context.Background())
		go h.read(ctx)
	}
	select {
	case h.poke <- struct{}{}:
	default:
	}
}

func (h *hub) unsubscribe(sub *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub.gone = true
	h.remove(sub)
	h.users--
	if h.users == 0 {
		h.stop()
		h.stop, h.joining = nil, nil
	}
}

// recheck makes the agent's streams in this process notice an ended session at once; elsewhere the heartbeat does.
func (h *hub) recheck(agent store.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subs[agent] {
		select {
		case sub.recheck <- struct{}{}:
		default:
		}
	}
}

func (h *hub) remove(sub *subscription) {
	delete(h.subs[sub.agent], sub)
	if len(h.subs[sub.agent]) == 0 {
		delete(h.subs, sub.agent)
	}
}

func (h *hub) read(ctx context.Context) {
	ticker := time.NewTicker(hubPoll)
	defer ticker.Stop()
	var cursor store.Cursor
	var renewed time.Time
	for {
		if time.Since(renewed) > hubLease/3 && h.renew(ctx) {
			renewed = time.Now()
		}
		// Taken before reading, so that a change in between is not slept over.
		wake := h.feed.Wake()
		joining := h.takeJoining(ctx)
		more, err := h.readPage(ctx, &cursor)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			h.log.WarnContext(ctx, "reading events for the desks", "error", err)
			wake = nil // wait for the next tick
		}
		h.admit(ctx, joining, more, err)
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-h.poke:
		case <-ticker.C:
		}
	}
}

// renew says that this process serves its streams. Without it they count as ended, and nothing else follows.
func (h *hub) renew(ctx context.Context) bool {
	_, ok, err := h.feed.AcquireLease(ctx, h.lease, h.lease, hubLease)
	if err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "renewing the lease of the event streams", "error", err)
	}
	return ok && err == nil
}

// readPage delivers the next events and reports whether there may be more at once. An empty cursor starts at the end.
func (h *hub) readPage(ctx context.Context, cursor *store.Cursor) (more bool, err error) {
	if *cursor == "" {
		*cursor, err = h.feed.LastCursor(ctx)
		return false, err
	}
	events, err := h.feed.EventsAfter(ctx, "", *cursor, hubPage)
	if err != nil || len(events) == 0 {
		return false, err
	}
	*cursor = events[len(events)-1].Cursor
	h.deliver(ctx, events)
	return len(events) == hubPage, nil
}

func (h *hub) takeJoining(ctx context.Context) []*subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return nil // they are the next reader's
	}
	joining := h.joining
	h.joining = nil
	return joining
}

// admit lets those in who came before the read that has now reached the end of the feed.
func (h *hub) admit(ctx context.Context, joining []*subscription, more bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if more {
		h.joining = append(joining, h.joining...)
		return
	}
	for _, sub := range joining {
		if sub.gone {
			continue
		}
		if err == nil {
			if h.subs[sub.agent] == nil {
				h.subs[sub.agent] = map[*subscription]struct{}{}
			}
			h.subs[sub.agent][sub] = struct{}{}
		}
		sub.admitted <- err
	}
}

func (h *hub) deliver(ctx context.Context, events []store.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // stopped meanwhile, and perhaps another reader runs
	}
	for _, e := range events {
		for sub := range h.subs[recipient(e)] {
			select {
			case sub.events <- e:
			default:
				close(sub.lagged)
				h.remove(sub)
			}
		}
	}
}

// recipient is the agent whose desk may see an event; the zero Key, which nobody has, when no desk may.
func recipient(e store.Event) store.Key {
	switch {
	case e.Agent != "":
		return store.Key{Namespace: e.Namespace, Name: e.Agent}
	case e.Kind == store.EventPresence, e.Kind == store.EventCredential:
		return store.Key{Namespace: e.Namespace, Name: e.Subject}
	}
	return store.Key{}
}
