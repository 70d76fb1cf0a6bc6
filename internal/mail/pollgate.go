package mail

import (
	"context"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultMaxConcurrentPolls is the limit of a namespace that was told none.
const DefaultMaxConcurrentPolls = 32

// pollGate bounds how many mailboxes of a namespace are looked through at once because their time has come. A semaphore would do, could its size change.
type pollGate struct {
	waits prometheus.Gauge

	mu           sync.Mutex
	limit, taken int
	waiting      []chan struct{} // who came first is first; closed when it is their turn
}

// acquire waits for a place, in order of arrival.
func (g *pollGate) acquire(ctx context.Context) error {
	g.mu.Lock()
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.admit()
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, turn); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.waits.Set(float64(len(g.waiting)))
	} else {
		g.taken-- // the turn came just then
		g.admit()
	}
	return context.Cause(ctx)
}

func (g *pollGate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken--
	g.admit()
}

// resize takes effect at once; who has a place keeps it.
func (g *pollGate) resize(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.admit()
}

// admit lets in who there is a place for; g.mu is held.
func (g *pollGate) admit() {
	for g.taken < g.limit && len(g.waiting) > 0 {
		g.taken++
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
	g.waits.Set(float64(len(g.waiting)))
}

// LimitPolls sets how many mailboxes of a namespace are looked through at once because their time has come; those in IDLE do not count. Default 32.
func (s *Supervisor) LimitPolls(namespace string, limit int) {
	s.polls(namespace).resize(max(limit, 1))
}

// polls is the gate of a namespace.
func (s *Supervisor) polls(namespace string) *pollGate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.gates[namespace]
	if !ok {
		g = &pollGate{limit: DefaultMaxConcurrentPolls, waits: s.metrics.pollsWaiting.WithLabelValues(namespace)}
		s.gates[namespace] = g
	}
	return g
}
