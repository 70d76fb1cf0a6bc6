package controllers

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// A pass asked for by something else must not swallow the coalesced one that later changes rely on.
func TestCoalescedPassComesInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := priorityqueue.New[reconcile.Request]("test")
		defer queue.ShutDown()
		p := newPokes()
		if err := p.source().Start(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		pass := func(after time.Duration) {
			t.Helper()
			got := make(chan reconcile.Request, 1)
			go func() {
				request, _ := queue.Get()
				got <- request
			}()
			select {
			case request := <-got:
				queue.Done(request)
			case <-time.After(time.Hour):
				t.Fatal("no pass")
			}
			if took := time.Since(begin); took != after {
				t.Errorf("a pass after %s instead of %s", took, after)
			}
		}
		key := types.NamespacedName{Namespace: "n", Name: "a"}
		p.coalesced(key)
		pass(0)
		p.coalesced(key) // due in ten seconds
		queue.Add(reconcile.Request{NamespacedName: key})
		pass(0)
		p.coalesced(key) // covered by the one that is due
		pass(statusInterval)
	})
}
