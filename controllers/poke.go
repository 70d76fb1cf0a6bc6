package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// statusInterval is the least time between two passes over an object that only runtime state asks for: presence, registrations
// and mail counts change all the time, and the API server is no place to watch them.
const statusInterval = 10 * time.Second

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// pokes asks for passes over objects of one kind for reasons that no watch reports. It is a source of that kind's
// controller; what is asked before the controller runs waits for it.
type pokes struct{ *pokeState }

type pokeState struct {
	mu      sync.Mutex
	queue   requestQueue
	pending map[types.NamespacedName]bool
	last    map[types.NamespacedName]time.Time
}

func newPokes() pokes {
	return pokes{&pokeState{pending: map[types.NamespacedName]bool{}, last: map[types.NamespacedName]time.Time{}}}
}

// source feeds the controller of the kind.
func (p pokes) source() source.Source {
	return source.Func(func(_ context.Context, q requestQueue) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.queue = q
		for key := range p.pending {
			q.Add(reconcile.Request{NamespacedName: key})
		}
		clear(p.pending)
		return nil
	})
}

// poke asks for a pass now.
func (p pokes) poke(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue == nil {
		p.pending[key] = true
		return
	}
	p.queue.Add(reconcile.Request{NamespacedName: key})
}

// coalesced asks for a pass at once if the last one asked this way is long enough ago, else when it is.
func (p pokes) coalesced(key types.NamespacedName) {
	p.mu.Lock()
	now := time.Now()
	next := p.last[key].Add(statusInterval)
	if next.Before(now) {
		next = now
	}
	if p.last[key].After(now) {
		p.mu.Unlock()
		return // one is under way already
	}
	p.last[key] = next
	p.mu.Unlock()
	if next.Equal(now) {
		p.poke(key)
		return
	}
	// Not the queue's own delay: it would be forgotten with the first pass asked for meanwhile, which may come before the
	// change that relies on this one.
	time.AfterFunc(next.Sub(now), func() { p.poke(key) })
}

// pokeChanged asks for a pass over every name that is in one list and not in the other.
func (p pokes) pokeChanged(namespace string, before, after []string) {
	was := make(map[string]bool, len(before))
	for _, name := range before {
		was[name] = true
	}
	for _, name := range after {
		if !was[name] {
			p.poke(types.NamespacedName{Namespace: namespace, Name: name})
		}
		delete(was, name)
	}
	for name := range was {
		p.poke(types.NamespacedName{Namespace: namespace, Name: name})
	}
}
