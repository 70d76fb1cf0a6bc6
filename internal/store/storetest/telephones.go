package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func telephone(name string) store.Telephone {
	return store.Telephone{Key: key(name), DisplayName: "Desk " + name, Username: "sip-" + name, Labels: map[string]string{"room": name}}
}

// seat is where a telephone's list says that an agent sits.
func (c *center) seat(telephone string) string {
	c.t.Helper()
	s, err := c.GetTelephone(c.ctx, key(telephone))
	c.must(err)
	return s.Agent
}

func testTelephones(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "alice")
	_, err := c.GetTelephone(c.ctx, key("t1"))
	wantErr(t, err, store.ErrNotFound)
	for _, name := range []string{"t2", "t1", "t1"} {
		c.must(c.PutTelephone(c.ctx, telephone(name)))
	}
	c.must(c.PutTelephone(c.ctx, store.Telephone{Key: store.Key{Namespace: "other", Name: "t3"}, Username: "t3"}))
	c.must(c.PutRegistration(c.ctx, key("pbx"), store.Registration{Extension: "sip-t2", URI: "sip:t2@192.0.2.7"}))
	c.must(c.TakeSeat(c.ctx, key("alice"), "t1"))
	want := []store.TelephoneState{
		{Telephone: telephone("t1"), Agent: "alice", Since: clk.now()},
		{Telephone: telephone("t2"), Registered: true},
	}
	got, err := c.ListTelephones(c.ctx, ns)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	changed := telephone("t1")
	changed.Labels = nil
	c.must(c.PutTelephone(c.ctx, changed))
	if got, err := c.GetTelephone(c.ctx, key("t1")); err != nil || len(got.Labels) > 0 || got.Agent != "alice" {
		t.Fatalf("changed: %+v, %v", got, err)
	}
	before := c.cursor()
	for range 2 {
		c.must(c.DeleteTelephone(c.ctx, key("t1")))
	}
	if diff := cmp.Diff([]string{store.EventSeat}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if p, err := c.GetPresence(c.ctx, key("alice")); err != nil || p.Telephone != "" || !p.SignedIn {
		t.Fatalf("presence without the telephone: %+v, %v", p, err)
	}
	wantErr(t, c.TakeSeat(c.ctx, key("alice"), "t1"), store.ErrNotFound)
}

func testSeats(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "alice", "bob")
	alice, bob := key("alice"), key("bob")
	for _, name := range []string{"t1", "t2"} {
		c.must(c.PutTelephone(c.ctx, telephone(name)))
	}
	taken := func(err error, by string) {
		t.Helper()
		var e *store.TakenError
		if !errors.As(err, &e) || e.By != by || e.Value != "t1" {
			t.Fatalf("error %v, want that of %s", err, by)
		}
	}
	before := c.cursor()
	c.must(c.TakeSeat(c.ctx, alice, "t1"))
	c.must(c.TakeSeat(c.ctx, alice, "t1"))
	taken(c.TakeSeat(c.ctx, bob, "t1"), "agent/alice")
	taken(c.SetPresence(c.ctx, store.Presence{Agent: bob, SignedIn: true, Paused: true, Telephone: "t1"}), "agent/alice")
	if p, err := c.GetPresence(c.ctx, bob); err != nil || p.Paused {
		t.Fatalf("a refused seat changed the presence: %+v, %v", p, err)
	}
	c.must(c.TakeSeat(c.ctx, alice, "t2"))
	c.must(c.TakeSeat(c.ctx, bob, "t1"))
	events, err := c.EventsAfter(c.ctx, ns, before, 100)
	c.must(err)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Kind, e.Agent, e.Subject, string(e.Data)))
	}
	want := []string{
		`seatalicealice{"taken":true,"telephone":"t1"}`, `seatalicealice{"taken":false,"telephone":"t1"}`,
		`seatalicealice{"taken":true,"telephone":"t2"}`, `seatbobbob{"taken":true,"telephone":"t1"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}

	// A pause keeps the seat, and so does what says nothing of it; signing out gives it up.
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice, SignedIn: true, Paused: true, Source: store.ClientWeb}))
	if p, err := c.GetPresence(c.ctx, alice); err != nil || p.Telephone != "t2" || p.Source != store.ClientWeb {
		t.Fatalf("presence %+v, %v", p, err)
	}
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice}))
	if who := c.seat("t2"); who != "" {
		t.Fatalf("%q sits there after signing out", who)
	}
	wantErr(t, c.TakeSeat(c.ctx, alice, "t2"), store.ErrConflict) // not signed in
	wantErr(t, c.TakeSeat(c.ctx, key("nobody"), "t2"), store.ErrNotFound)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice, SignedIn: true, Telephone: "t2"}))
	if who := c.seat("t2"); who != "alice" {
		t.Fatalf("%q sits there after signing in with it", who)
	}
	for range 2 {
		c.must(c.ReleaseSeat(c.ctx, alice))
	}
	if who := c.seat("t2"); who != "" {
		t.Fatalf("%q sits there after the release", who)
	}

	// A lost session, a deactivation and a deletion release as well.
	c.must(c.TakeSeat(c.ctx, alice, "t2"))
	clk.advance(time.Hour)
	if n, err := c.SignOutAbandoned(c.ctx, time.Minute); err != nil || n != 2 {
		t.Fatalf("%d signed out, %v", n, err)
	}
	for name, remove := range map[string]func() error{
		"t1": func() error { return c.PutAgent(c.ctx, store.Agent{Key: alice, Username: "alice"}) },
		"t2": func() error { return c.DeleteAgent(c.ctx, bob) },
	} {
		if who := c.seat(name); who != "" {
			t.Fatalf("%q sits at %s after the last session ended", who, name)
		}
		agent := map[string]store.Key{"t1": alice, "t2": bob}[name]
		c.must(c.SetPresence(c.ctx, store.Presence{Agent: agent, SignedIn: true, Telephone: name}))
		c.must(remove())
		if who := c.seat(name); who != "" {
			t.Fatalf("%q sits at %s after removal", who, name)
		}
	}
}

// testSeatRace has many agents want the same telephone at once.
func testSeatRace(t *testing.T, open Open) {
	names := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"}
	c := newCenter(t, open(t), 1, names...)
	c.must(c.PutTelephone(c.ctx, telephone("t1")))
	var wg sync.WaitGroup
	var seated atomic.Int64
	for _, name := range names {
		wg.Go(func() {
			err := c.TakeSeat(c.ctx, key(name), "t1")
			var taken *store.TakenError
			switch {
			case err == nil:
				seated.Add(1)
			case !errors.As(err, &taken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if seated.Load() != 1 || c.seat("t1") == "" {
		t.Fatalf("%d agents at one telephone (%s)", seated.Load(), c.seat("t1"))
	}
}

func testForwards(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "bob", "alice")
	alice := key("alice")
	wantErr(t, c.SetForward(c.ctx, key("nobody"), "123"), store.ErrNotFound)
	if f, err := c.GetForward(c.ctx, alice); err != nil || f != (store.Forward{Agent: alice}) {
		t.Fatalf("%+v, %v", f, err)
	}
	before := c.cursor()
	for _, number := range []string{"", "+390123", "+390123", "200"} {
		c.must(c.SetForward(c.ctx, alice, number))
	}
	c.must(c.SetForward(c.ctx, key("bob"), "100"))
	if f, err := c.GetForward(c.ctx, alice); err != nil || f != (store.Forward{Agent: alice, Number: "200", Since: clk.now()}) {
		t.Fatalf("%+v, %v", f, err)
	}
	if diff := cmp.Diff([]string{store.EventForward, store.EventForward, store.EventForward}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	list, err := c.ListForwards(c.ctx, ns)
	if err != nil || len(list) != 2 || list[0].Agent != alice || list[1].Number != "100" {
		t.Fatalf("%+v, %v", list, err)
	}
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice})) // survives signing out
	if f, err := c.GetForward(c.ctx, alice); err != nil || f.Number != "200" {
		t.Fatalf("%+v, %v", f, err)
	}
	c.must(c.SetForward(c.ctx, alice, ""))
	c.must(c.DeleteAgent(c.ctx, key("bob")))
	if list, err := c.ListForwards(c.ctx, ns); err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
}

func testVoicemail(t *testing.T, open Open) {
	c := newCenter(t, open(t), 1, "alice", "bob")
	for n, name := range []string{"alice", "bob"} {
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key(name), Username: name, Active: true, Extension: fmt.Sprint(100 + n)}))
	}
	want := func(agent string, unread, read int) {
		t.Helper()
		v, err := c.VoicemailOf(c.ctx, key(agent))
		if err != nil || v.Unread != unread || v.Read != read {
			t.Fatalf("voicemail of %s: %+v, %v; want %d, %d", agent, v, err, unread, read)
		}
	}
	want("alice", 0, 0)
	_, err := c.VoicemailOf(c.ctx, key("nobody"))
	wantErr(t, err, store.ErrNotFound)

	before := c.cursor()
	c.must(c.SetVoicemail(c.ctx, key("p1"), []store.Voicemail{{Extension: "100", Unread: 2, Read: 1}, {Extension: "101", Unread: 1}, {Extension: "999"}}))
	c.must(c.PutVoicemail(c.ctx, key("p2"), store.Voicemail{Extension: "100", Unread: 3}))
	c.must(c.PutVoicemail(c.ctx, key("p2"), store.Voicemail{Extension: "100", Unread: 3})) // unchanged
	c.must(c.PutVoicemail(c.ctx, key("p2"), store.Voicemail{Extension: "998", Unread: 3})) // nobody's
	want("alice", 5, 1)
	want("bob", 1, 0)
	c.must(c.PutVoicemail(c.ctx, key("p1"), store.Voicemail{Extension: "101"}))
	want("bob", 0, 0)
	c.must(c.SetVoicemail(c.ctx, key("p1"), nil))
	want("alice", 3, 0)
	events, err := c.EventsAfter(c.ctx, ns, before, 100)
	c.must(err)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Kind, " ", e.Agent, " ", e.Subject, " ", string(e.Data)))
	}
	if diff := cmp.Diff([]string{
		`voicemail alice alice {"read":1,"unread":2}`, `voicemail bob bob {"read":0,"unread":1}`, `voicemail alice alice {"read":1,"unread":5}`,
		`voicemail bob bob {"read":0,"unread":0}`, `voicemail alice alice {"read":0,"unread":3}`,
	}, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
}
