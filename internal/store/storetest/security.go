package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testSignInLocks(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice")
	alice := key("alice")
	want := func(want store.SignInLock) {
		t.Helper()
		if got, err := c.SignInLockOf(c.ctx, alice); err != nil || got != want {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	fail := func(maxAttempts int) {
		t.Helper()
		_, err := c.FailSignIn(c.ctx, alice, maxAttempts)
		c.must(err)
	}
	want(store.SignInLock{})
	_, err := c.FailSignIn(c.ctx, key("nobody"), 1)
	wantErr(t, err, store.ErrNotFound)
	for range 4 {
		fail(0)
	}
	want(store.SignInLock{Failed: 4}) // 0 never locks
	c.must(c.PassSignIn(c.ctx, alice))
	want(store.SignInLock{})
	fail(2)
	want(store.SignInLock{Failed: 1})
	end, err := c.LastCursor(c.ctx)
	c.must(err)
	fail(2)
	lockedAt := clk.now()
	want(store.SignInLock{Failed: 2, LockedAt: lockedAt})
	if events, err := c.EventsAfter(c.ctx, ns, end, 10); err != nil || len(events) != 1 || events[0].Kind != store.EventCredential {
		t.Fatalf("events of a lock: %v, %v", events, err)
	}
	clk.advance(24 * time.Hour) // no lock ends by itself
	fail(2)
	want(store.SignInLock{Failed: 2, LockedAt: lockedAt})
	wantErr(t, c.PassSignIn(c.ctx, alice), store.ErrConflict)
	c.must(c.Unlock(c.ctx, alice))
	unlocked := store.SignInLock{UnlockedAt: clk.now()}
	want(unlocked)
	clk.advance(time.Hour)
	c.must(c.Unlock(c.ctx, alice)) // nothing to release
	want(unlocked)
	fail(2)
	c.must(c.DeleteAgent(c.ctx, alice))
	want(store.SignInLock{})
	c.must(c.Unlock(c.ctx, alice))
}

// Attempts side by side are all counted, and one of them locks.
func testLockRace(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	var wg sync.WaitGroup
	errs := make(chan error, 12)
	for range cap(errs) {
		wg.Go(func() {
			_, err := c.FailSignIn(c.ctx, key("alice"), 8)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		c.must(err)
	}
	if l, err := c.SignInLockOf(c.ctx, key("alice")); err != nil || l.Failed != 8 || !l.Locked() {
		t.Fatalf("%+v, %v", l, err)
	}
}

func testPasswordLinks(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
	alice := key("alice")
	add := func(token string, want bool) {
		t.Helper()
		if added, err := c.AddPasswordLink(c.ctx, alice, token, time.Hour, time.Minute); err != nil || added != want {
			t.Fatalf("added %v, %v", added, err)
		}
	}
	gone := func(token string) {
		t.Helper()
		_, err := c.GetPasswordLink(c.ctx, token)
		wantErr(t, err, store.ErrNotFound)
		_, err = c.RedeemPasswordLink(c.ctx, token, "evil", 0)
		wantErr(t, err, store.ErrNotFound)
	}
	_, err := c.AddPasswordLink(c.ctx, key("nobody"), "t0", time.Hour, 0)
	wantErr(t, err, store.ErrNotFound)
	gone("t0")

	c.must(c.SetPassword(c.ctx, store.Credential{Agent: alice, Hash: "h1", SecretVersion: "v1"}, 2, ""))
	add("t1", true)
	add("t2", false) // too soon
	if l, err := c.GetPasswordLink(c.ctx, "t1"); err != nil || l != (store.PasswordLink{Agent: alice, Expires: clk.now().Add(time.Hour)}) {
		t.Fatalf("link %+v, %v", l, err)
	}
	clk.advance(time.Minute)
	add("t2", true)
	gone("t1") // the newer one is the one that works

	c.must(c.CreateSession(c.ctx, alice, store.ClientOther, "s1", time.Hour))
	if l, err := c.RedeemPasswordLink(c.ctx, "t2", "h2", 2); err != nil || l.Agent != alice {
		t.Fatalf("redeemed %+v, %v", l, err)
	}
	got, err := c.GetCredential(c.ctx, alice)
	if want := (store.Credential{Agent: alice, Hash: "h2", SecretVersion: "v1", ChangedAt: clk.now()}); err != nil || got != want {
		t.Fatalf("credential %+v, %v", got, err)
	}
	_, err = c.GetSession(c.ctx, "s1")
	wantErr(t, err, store.ErrNotFound)
	gone("t2") // once

	add("t3", true)
	c.must(c.SetPassword(c.ctx, store.Credential{Agent: alice, Hash: "h3", SecretVersion: "v2"}, 2, ""))
	gone("t3") // a link goes with every change

	add("t4", true)
	clk.advance(time.Hour)
	gone("t4") // expired by the store's clock
	c.must(c.PrunePasswordLinks(c.ctx))
	if added, err := c.AddPasswordLink(c.ctx, alice, "t5", time.Hour, 24*time.Hour); err != nil || !added {
		t.Fatalf("an expired link holds nothing up once it is pruned: %v, %v", added, err)
	}

	// One of many wins.
	var wg sync.WaitGroup
	results := make(chan error, 6)
	for i := range cap(results) {
		wg.Go(func() {
			_, err := c.RedeemPasswordLink(c.ctx, "t5", fmt.Sprintf("r%d", i), 2)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d redeemed one link", won)
	}

	// A first password needs none before.
	if _, err := c.AddPasswordLink(c.ctx, key("bob"), "t6", time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	_, err = c.RedeemPasswordLink(c.ctx, "t6", "b1", 0)
	c.must(err)
	if got, err := c.GetCredential(c.ctx, key("bob")); err != nil || got.Hash != "b1" || got.SecretVersion != "" {
		t.Fatalf("credential %+v, %v", got, err)
	}

	c.must(c.PutAgent(c.ctx, store.Agent{Key: key("carol"), Username: "carol", Email: "Carol@Example.com", Active: true}))
	c.must(c.PutAgent(c.ctx, store.Agent{Key: store.Key{Namespace: "other", Name: "carol"}, Username: "carol", Email: "carol@example.com", Active: true}))
	for namespace, want := range map[string]int{"": 2, ns: 1, "none": 0} {
		if found, err := c.FindAgentsByEmail(c.ctx, namespace, "carol@EXAMPLE.com"); err != nil || len(found) != want {
			t.Errorf("in %q: %d agents, %v; want %d", namespace, len(found), err, want)
		}
	}
	if found, err := c.FindAgentsByEmail(c.ctx, "", ""); err != nil || len(found) != 0 {
		t.Errorf("agents without an address: %v, %v", found, err)
	}
}
