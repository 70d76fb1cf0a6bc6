package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testCredentials(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice")
	alice := key("alice")
	_, err := c.GetCredential(c.ctx, alice)
	wantErr(t, err, store.ErrNotFound)
	set := func(hash, version, keep string) {
		t.Helper()
		c.must(c.SetPassword(c.ctx, store.Credential{Agent: alice, Hash: hash, SecretVersion: version}, 2, keep))
	}
	wantHistory := func(want ...string) {
		t.Helper()
		got, err := c.PasswordHistory(c.ctx, alice)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	wantHistory()
	set("h1", "v1", "")
	wantHistory("h1")
	for _, token := range []string{"t1", "t2"} {
		c.must(c.CreateSession(c.ctx, alice, store.ClientOther, token, time.Hour))
	}
	set("h1", "v2", "") // the same password: sessions stay
	if got, err := c.GetCredential(c.ctx, alice); err != nil || got != (store.Credential{Agent: alice, Hash: "h1", SecretVersion: "v2", ChangedAt: clk.now()}) {
		t.Fatalf("credential %+v, %v", got, err)
	}
	if s, err := c.GetSession(c.ctx, "t1"); err != nil || s.Agent != alice || s.Client != store.ClientOther || !s.Expires.Equal(clk.now().Add(time.Hour)) {
		t.Fatalf("session %+v, %v", s, err)
	}
	set("h2", "v2", "t2")
	_, err = c.GetSession(c.ctx, "t1")
	wantErr(t, err, store.ErrNotFound)
	if _, err := c.GetSession(c.ctx, "t2"); err != nil {
		t.Fatal(err)
	}
	set("h3", "v2", "t2")
	set("h4", "v2", "t2")
	wantHistory("h4", "h3", "h2")

	clk.advance(time.Hour)
	_, err = c.GetSession(c.ctx, "t2")
	wantErr(t, err, store.ErrNotFound) // expired by the store's clock
	c.must(c.CreateSession(c.ctx, alice, store.ClientOther, "t3", time.Hour))
	c.must(c.DeleteSession(c.ctx, "t3"))
	c.must(c.DeleteSession(c.ctx, "t3"))
	_, err = c.GetSession(c.ctx, "t3")
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, c.CreateSession(c.ctx, key("nobody"), store.ClientOther, "t4", time.Hour), store.ErrNotFound)

	c.must(c.DeleteAgent(c.ctx, alice))
	wantHistory()
}

func testPresence(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "bob", "alice")
	list, err := c.ListPresence(c.ctx, ns)
	want := []store.Presence{{Agent: key("alice"), SignedIn: true, Since: clk.now()}, {Agent: key("bob"), SignedIn: true, Since: clk.now()}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	wantErr(t, c.SetPresence(c.ctx, store.Presence{Agent: key("nobody"), SignedIn: true}), store.ErrNotFound)
	c.must(c.PutAgent(c.ctx, store.Agent{Key: key("carol"), Username: "carol", Active: true}))
	if p, err := c.GetPresence(c.ctx, key("carol")); err != nil || p != (store.Presence{Agent: key("carol")}) {
		t.Fatalf("presence before any sign-in: %+v, %v", p, err)
	}

	before := c.cursor()
	clk.advance(time.Minute)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob"), SignedIn: true})) // unchanged
	if c.cursor() != before {
		t.Fatal("unchanged presence made an event")
	}
	id := c.newInteraction()
	c.route()
	c.wantState(id, store.StateOffered, "alice")
	before = c.cursor()
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true, Paused: true, Reason: "lunch"}))
	c.wantState(id, store.StateQueued, "")
	if diff := cmp.Diff([]string{store.EventPresence, store.EventOfferEnded, store.EventQueued}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if p, err := c.GetPresence(c.ctx, key("alice")); err != nil || !p.Paused || p.Reason != "lunch" || !p.Since.Equal(clk.now()) {
		t.Fatalf("presence %+v, %v", p, err)
	}
	c.route()
	c.wantState(id, store.StateOffered, "bob")
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob")}))
	c.route()
	c.wantState(id, store.StateQueued, "")
	if due, err := c.NextDue(c.ctx); err != nil || !due.IsZero() {
		t.Fatalf("nobody is there, but due at %v, %v", due, err)
	}
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true}))
	c.route()
	c.wantState(id, store.StateOffered, "alice")
	if _, err := c.Accept(c.ctx, ns, id, "alice"); err != nil {
		t.Fatal(err)
	}
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice")}))
	c.wantState(id, store.StateOpen, "alice") // open ones stay
	c.wantReasons(id, "Ingested", "Offered", "Paused", "Offered", "SignedOut", "Offered", "Accepted")
}

func testAbandoned(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "alice", "bob")
	alice, bob := key("alice"), key("bob")
	c.must(c.CreateSession(c.ctx, alice, store.ClientOther, "t1", time.Hour))
	c.must(c.CreateSession(c.ctx, bob, store.ClientOther, "t2", 3*time.Hour))
	sweep := func(want int) {
		t.Helper()
		if n, err := c.SignOutAbandoned(c.ctx, time.Minute); err != nil || n != want {
			t.Fatalf("%d signed out, want %d: %v", n, want, err)
		}
	}
	clk.advance(30 * time.Minute)
	sweep(0)
	id := c.newInteraction()
	c.route()
	c.wantState(id, store.StateOffered, "alice")
	clk.advance(31 * time.Minute)
	sweep(1)
	c.wantState(id, store.StateQueued, "")
	if p, err := c.GetPresence(c.ctx, alice); err != nil || p.SignedIn {
		t.Fatalf("alice's session is over, presence %+v, %v", p, err)
	}
	if p, err := c.GetPresence(c.ctx, bob); err != nil || !p.SignedIn {
		t.Fatalf("bob's is not, presence %+v, %v", p, err)
	}
	sweep(0)
	// Who has just signed in is left alone: the session may follow the presence.
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice, SignedIn: true}))
	sweep(0)
	clk.advance(2 * time.Minute)
	sweep(1)
}
