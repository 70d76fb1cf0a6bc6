package mail

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// dialLimits bounds the connections being opened, so that a restarted server is not run over.
type dialLimits struct {
	all     *semaphore.Weighted
	perHost int64

	mu    sync.Mutex
	hosts map[string]*hostLimit
}

type hostLimit struct {
	slots *semaphore.Weighted
	users int
}

func newDialLimits(all, perHost int) *dialLimits {
	return &dialLimits{all: semaphore.NewWeighted(int64(all)), perHost: int64(perHost), hosts: map[string]*hostLimit{}}
}

// acquire waits for a place; the host's first, so that one slow host does not hold the places of others.
func (d *dialLimits) acquire(ctx context.Context, host string) (release func(), err error) {
	d.mu.Lock()
	h, ok := d.hosts[host]
	if !ok {
		h = &hostLimit{slots: semaphore.NewWeighted(d.perHost)}
		d.hosts[host] = h
	}
	h.users++
	d.mu.Unlock()
	leave := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(d.hosts, host)
		}
	}
	if err := h.slots.Acquire(ctx, 1); err != nil {
		leave()
		return nil, context.Cause(ctx)
	}
	if err := d.all.Acquire(ctx, 1); err != nil {
		h.slots.Release(1)
		leave()
		return nil, context.Cause(ctx)
	}
	return func() {
		d.all.Release(1)
		h.slots.Release(1)
		leave()
	}, nil
}

// backoff doubles from lo to hi.
type backoff struct {
	lo, hi time.Duration
	jitter bool
	next   time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// delay returns the next wait; with jitter anything up to it (full jitter), so that accounts of one server do
// not come back all at once.
func (b *backoff) delay() time.Duration {
	b.next = min(max(b.lo, 2*b.next), b.hi)
	if b.jitter {
		return rand.N(b.next) + 1
	}
	return b.next
}

// sleep waits for d, or ends early with ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// aside runs fn on a goroutine of its own and waits for it. TLS and SQL need deep stacks; thousands of
// goroutines that mostly wait would each keep one.
func aside(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}
