package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testInvitations(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob", "carol", "dave")
	person := func(name string, active bool) {
		t.Helper()
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key(name), Username: name, Email: name + "@example.com", Active: active}))
	}
	decide := func(name string, first, want store.Invitation) {
		t.Helper()
		if got, err := c.DecideInvitation(c.ctx, key(name), first); err != nil || got != want {
			t.Fatalf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	letter := func(name, token string, asked time.Time) store.InvitationMail {
		return store.InvitationMail{
			Agent: key(name), TokenHash: token, TTL: time.Hour, AskedAt: asked,
			Mail: store.SystemMail{Namespace: ns, Account: "support", Recipient: name + "@example.com", Raw: []byte(token)},
		}
	}
	send := func(m store.InvitationMail, want bool) store.Invitation {
		t.Helper()
		got, sent, err := c.SendInvitation(c.ctx, m)
		if err != nil || sent != want {
			t.Fatalf("sent %v, %v; want %v", sent, err, want)
		}
		return got
	}
	mails := func(want ...string) {
		t.Helper()
		for _, raw := range want {
			m, err := c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Hour)
			c.must(err)
			if string(m.Raw) != raw || m.DedupeKey != "invitation/"+raw {
				t.Fatalf("mail %q, key %q; want %q", m.Raw, m.DedupeKey, raw)
			}
			c.must(c.FinishSystemMail(c.ctx, c.lease, m.ID, store.MessageSent, "", 0))
		}
		_, err := c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Hour)
		wantErr(t, err, store.ErrNotFound)
	}
	none, due := store.Invitation{State: store.InvitationNone}, store.Invitation{State: store.InvitationDue}
	for _, name := range []string{"alice", "bob", "carol"} {
		person(name, name != "carol")
	}
	start := clk.now()

	// What was decided first counts.
	decide("alice", due, due)
	decide("alice", none, due)
	decide("bob", none, none)
	decide("bob", due, none)
	_, _, err := c.SendInvitation(c.ctx, letter("nobody", "t0", start))
	wantErr(t, err, store.ErrNotFound)
	decide("carol", due, due)
	_, _, err = c.SendInvitation(c.ctx, letter("carol", "t0", time.Time{})) // not active
	wantErr(t, err, store.ErrConflict)
	wrong := letter("alice", "t0", time.Time{})
	wrong.Mail.Recipient = "alice@example.net"
	_, _, err = c.SendInvitation(c.ctx, wrong)
	wantErr(t, err, store.ErrConflict)
	send(letter("bob", "t0", time.Time{}), false)
	mails()
	if _, err := c.GetPasswordLink(c.ctx, "t0"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a link without a mail: %v", err)
	}

	// One by itself, with link, mail and event.
	end, err := c.LastCursor(c.ctx)
	c.must(err)
	sent := store.Invitation{State: store.InvitationSent, SentAt: start}
	if got := send(letter("alice", "a1", time.Time{}), true); got != sent {
		t.Fatalf("%+v", got)
	}
	events, err := c.EventsAfter(c.ctx, ns, end, 10)
	c.must(err)
	kinds := map[string]string{}
	for _, e := range events {
		kinds[e.Kind] = e.Subject
	}
	if len(events) != 2 || kinds[store.EventSystemMail] != "support" || kinds[store.EventCredential] != "alice" {
		t.Fatalf("events %+v", events)
	}
	if got := send(letter("alice", "a2", time.Time{}), false); got != sent {
		t.Fatalf("%+v", got)
	}
	mails("a1")

	// By hand: each time once, not for a time before the last, and the older link ends.
	send(letter("alice", "a3", start.Add(-time.Hour)), false)
	clk.advance(time.Minute)
	if got := send(letter("alice", "a4", clk.now()), true); got != (store.Invitation{State: store.InvitationSent, SentAt: clk.now(), AskedAt: clk.now()}) {
		t.Fatalf("%+v", got)
	}
	send(letter("alice", "a5", clk.now()), false)
	mails("a4")
	if _, err := c.GetPasswordLink(c.ctx, "a1"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the older link: %v", err)
	}
	if l, err := c.GetPasswordLink(c.ctx, "a4"); err != nil || l.Agent != key("alice") || !l.Expires.Equal(clk.now().Add(time.Hour)) {
		t.Fatalf("link %+v, %v", l, err)
	}
	send(letter("bob", "b1", clk.now()), true)
	mails("b1")

	// Whoever has a password is not invited by itself, but by hand.
	person("carol", true)
	c.must(c.SetPassword(c.ctx, store.Credential{Agent: key("carol"), Hash: "h"}, 0, ""))
	send(letter("carol", "c1", time.Time{}), false)
	send(letter("carol", "c2", clk.now()), true)
	mails("c2")

	// Who is deleted and made again was invited.
	was := store.Invitation{State: store.InvitationSent, SentAt: clk.now(), AskedAt: clk.now()}
	asked := clk.now()
	c.must(c.DeleteAgent(c.ctx, key("alice")))
	clk.advance(time.Minute)
	person("alice", true)
	decide("alice", due, was)
	send(letter("alice", "a6", time.Time{}), false)
	send(letter("alice", "a7", asked), false) // the annotation was in the manifest
	mails()

	// A store that was lost learns from the status that somebody was invited.
	decide("eve", store.Invitation{State: store.InvitationSent, SentAt: start}, sent)
}

// Of several managers that send at the same time, one does.
func testInvitationRace(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	c.must(c.PutAgent(c.ctx, store.Agent{Key: key("alice"), Username: "alice", Email: "alice@example.com", Active: true}))
	_, err := c.DecideInvitation(c.ctx, key("alice"), store.Invitation{State: store.InvitationDue})
	c.must(err)
	var wg sync.WaitGroup
	var sent atomic.Int32
	for _, token := range []string{"t1", "t2", "t3", "t4"} {
		wg.Go(func() {
			_, did, err := c.SendInvitation(c.ctx, store.InvitationMail{Agent: key("alice"), TokenHash: token, TTL: time.Hour, Mail: store.SystemMail{
				Namespace: ns, Account: "support", Recipient: "alice@example.com", Raw: []byte(token),
			}})
			if err != nil {
				t.Error(err)
			}
			if did {
				sent.Add(1)
			}
		})
	}
	wg.Wait()
	m, err := c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Hour)
	c.must(err)
	if _, err := c.GetPasswordLink(c.ctx, string(m.Raw)); err != nil || sent.Load() != 1 {
		t.Errorf("%d sent; the link of the mail: %v", sent.Load(), err)
	}
	_, err = c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Hour)
	wantErr(t, err, store.ErrNotFound)
}
