package controllers

import (
	"context"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func TestWrongPasswordsOfPhones(t *testing.T) {
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	alice := store.Key{Namespace: ns, Name: "alice"}
	for name, test := range map[string]struct {
		lockout v1alpha1.LockoutSpec
		noted   []int
		failed  int
		locked  bool
	}{
		"below the limit":   {v1alpha1.LockoutSpec{MaxAttempts: new(int32(3))}, []int{2}, 2, false},
		"at the limit":      {v1alpha1.LockoutSpec{MaxAttempts: new(int32(3))}, []int{2, 1}, 3, true},
		"beyond it":         {v1alpha1.LockoutSpec{MaxAttempts: new(int32(3)), PhoneSignIns: v1alpha1.PhoneSignInsCounted}, []int{20}, 3, true},
		"the default":       {v1alpha1.LockoutSpec{}, []int{20}, defaultMaxAttempts, true},
		"locked already":    {v1alpha1.LockoutSpec{MaxAttempts: new(int32(1))}, []int{1, 1}, 1, true},
		"never":             {v1alpha1.LockoutSpec{MaxAttempts: new(int32(0))}, []int{20}, 0, false},
		"those of the desk": {v1alpha1.LockoutSpec{MaxAttempts: new(int32(3)), PhoneSignIns: v1alpha1.PhoneSignInsIgnored}, []int{20}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			db := storetest.SQLite(t)
			if err := db.PutAgent(t.Context(), store.Agent{Key: alice, Username: "alice", Active: true}); err != nil {
				t.Fatal(err)
			}
			center := &v1alpha1.ContactCenter{ObjectMeta: at("acme")}
			center.Spec.Security.Lockout = test.lockout
			agent := &v1alpha1.Agent{ObjectMeta: at("alice"), Spec: v1alpha1.AgentSpec{Extension: "100"}}
			other := &v1alpha1.Agent{ObjectMeta: at("bob"), Spec: v1alpha1.AgentSpec{Extension: "101"}} // not in the store
			reader := indexedReaderOf(t, agent, admission.IndexExtension, func(o client.Object) []string { return []string{o.(*v1alpha1.Agent).Spec.Extension} }, center, agent, other)
			f := newSignInFailures(reader, db)

			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			t.Cleanup(func() { cancel(); wg.Wait() })
			wg.Go(func() { _ = f.Start(ctx) })
			for _, n := range test.noted {
				f.note(ns+"/main", "999", n, "192.0.2.7")
				f.note(ns+"/main", "101", n, "192.0.2.7")
				f.note("elsewhere/main", "100", n, "192.0.2.7")
				f.note(ns+"/main", "100", n, "192.0.2.7")
			}
			// Whatever is wrong would be counted before what comes last.
			idle := func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return len(f.pending) == 0 && len(f.wake) == 0
			}
			for deadline := time.Now().Add(10 * time.Second); ; {
				lock, err := db.SignInLockOf(t.Context(), alice)
				if err != nil {
					t.Fatal(err)
				}
				if idle() && lock.Failed == test.failed && lock.Locked() == test.locked {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("lock %+v, want %d failed and locked %t", lock, test.failed, test.locked)
				}
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
			wg.Wait()
			if lock, err := db.SignInLockOf(t.Context(), alice); err != nil || lock.Failed != test.failed {
				t.Errorf("in the end: %+v, %v", lock, err)
			}
		})
	}
}
