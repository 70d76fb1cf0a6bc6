package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func systemMail(dedupe string) store.SystemMail {
	return store.SystemMail{Namespace: ns, Account: "support", Recipient: "alice@example.com", DedupeKey: dedupe, Raw: []byte("raw " + dedupe)}
}

func (c *center) addSystemMail(m store.SystemMail) store.SystemMail {
	c.t.Helper()
	added, err := c.AddSystemMail(c.ctx, m)
	c.must(err)
	return added
}

func testSystemMails(t *testing.T, open Open) {
	t.Run("life", func(t *testing.T) { testSystemMailLife(t, open) })
	t.Run("own", func(t *testing.T) { testSystemMailKeys(t, open) })
	t.Run("races", func(t *testing.T) { testSystemMailRaces(t, open) })
}

func testSystemMailLife(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0)
	claim := func() (store.SystemMail, error) {
		return c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Minute)
	}
	none := func() {
		t.Helper()
		wantErr(t, second(claim()), store.ErrNotFound)
	}
	none()
	before := c.cursor()
	m := c.addSystemMail(systemMail("one"))
	want := systemMail("one")
	want.ID, want.State, want.CreatedAt = m.ID, store.MessagePending, clk.now()
	if diff := cmp.Diff(want, m); diff != "" || m.ID == "" {
		t.Fatalf("added (-want +got):\n%s", diff)
	}
	again := systemMail("one")
	again.Recipient, again.Raw = "another@example.com", []byte("other")
	if diff := cmp.Diff(m, c.addSystemMail(again)); diff != "" {
		t.Fatalf("the same again (-want +got):\n%s", diff)
	}
	events, err := c.EventsAfter(c.ctx, ns, before, 10)
	if err != nil || len(events) != 1 || events[0].Kind != store.EventSystemMail || events[0].Subject != "support" || events[0].Agent != "" {
		t.Fatalf("events %+v, %v", events, err)
	}
	claimed := func(id string, attempt int) {
		t.Helper()
		got, err := claim()
		if err != nil || got.ID != id || got.Attempts != attempt || got.State != store.MessageSending || len(got.Raw) == 0 {
			t.Fatalf("claimed %+v, %v", got, err)
		}
	}
	claimed(m.ID, 1)
	none()
	clk.advance(time.Minute) // the claim went stale
	claimed(m.ID, 2)
	c.must(c.FinishSystemMail(c.ctx, c.lease, m.ID, store.MessagePending, "busy", 10*time.Second))
	none()
	other := c.addSystemMail(systemMail("two")) // does not wait for the one that does
	claimed(other.ID, 1)
	c.must(c.FinishSystemMail(c.ctx, c.lease, other.ID, store.MessageFailed, "550", 0))
	clk.advance(10 * time.Second)
	claimed(m.ID, 3)
	c.must(c.FinishSystemMail(c.ctx, c.lease, m.ID, store.MessageSent, "", 0))
	wantErr(t, c.FinishSystemMail(c.ctx, c.lease, m.ID, store.MessageFailed, "", 0), store.ErrConflict)
	wantErr(t, c.FinishSystemMail(c.ctx, c.lease, "unknown", store.MessageSent, "", 0), store.ErrNotFound)
	if c.FinishSystemMail(c.ctx, c.lease, m.ID, store.MessageStored, "", 0) == nil {
		t.Fatal("a state that is none")
	}
	for id, want := range map[string]store.SystemMail{m.ID: {State: store.MessageSent, Attempts: 3}, other.ID: {State: store.MessageFailed, Detail: "550", Attempts: 1}} {
		got, err := c.GetSystemMail(c.ctx, ns, id)
		if err != nil || got.State != want.State || got.Detail != want.Detail || got.Attempts != want.Attempts || len(got.Raw) != 0 {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	clk.advance(time.Hour)
	none()
	if got := c.addSystemMail(systemMail("one")); got.ID != m.ID || got.State != store.MessageSent {
		t.Fatalf("added again after it was sent: %+v", got)
	}
	none()

	c.addSystemMail(systemMail("three"))
	lost := c.lease
	if _, ok, err := c.AcquireLease(c.ctx, "support", "another", time.Hour); err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	wantErr(t, second(c.ClaimSystemMail(c.ctx, lost, key("support"), time.Minute)), store.ErrLeaseLost)
	wantErr(t, c.FinishSystemMail(c.ctx, lost, m.ID, store.MessageSent, "", 0), store.ErrLeaseLost)
}

// Whose a mail is, and how long it is kept.
func testSystemMailKeys(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0)
	old := c.addSystemMail(systemMail("one"))
	elsewhere := systemMail("one")
	elsewhere.Namespace = "other"
	if c.addSystemMail(elsewhere).ID == old.ID {
		t.Fatal("namespaces share dedupe keys")
	}
	wantErr(t, second(c.GetSystemMail(c.ctx, "other", old.ID)), store.ErrNotFound)
	for _, bad := range []func(*store.SystemMail){
		func(m *store.SystemMail) { m.DedupeKey = "" }, func(m *store.SystemMail) { m.Account = "" }, func(m *store.SystemMail) { m.Recipient = "" },
	} {
		m := systemMail("bad")
		bad(&m)
		if _, err := c.AddSystemMail(c.ctx, m); err == nil {
			t.Fatalf("added %+v", m)
		}
	}
	sales := systemMail("two")
	sales.Account = "sales"
	sales = c.addSystemMail(sales)
	if m, err := c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Minute); err != nil || m.ID != old.ID {
		t.Fatalf("claimed %+v, %v", m, err)
	}
	wantErr(t, second(c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Minute)), store.ErrNotFound)
	c.must(c.DeleteAccount(c.ctx, key("sales")))
	wantErr(t, second(c.GetSystemMail(c.ctx, ns, sales.ID)), store.ErrNotFound)

	clk.advance(time.Hour)
	young := c.addSystemMail(systemMail("young"))
	c.must(c.PruneSystemMails(c.ctx, time.Hour))
	if _, err := c.GetSystemMail(c.ctx, ns, old.ID); err != nil {
		t.Fatalf("pruned too early: %v", err)
	}
	clk.advance(time.Second)
	c.must(c.PruneSystemMails(c.ctx, time.Hour))
	wantErr(t, second(c.GetSystemMail(c.ctx, ns, old.ID)), store.ErrNotFound)
	if _, err := c.GetSystemMail(c.ctx, ns, young.ID); err != nil {
		t.Fatal(err)
	}
}

// However many add the same mail and claim at once, it is one mail and claimed once.
func testSystemMailRaces(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0)
	const workers, mails = 8, 5
	var claims [mails]atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := range mails {
				if _, err := c.AddSystemMail(c.ctx, systemMail(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
				m, err := c.ClaimSystemMail(c.ctx, c.lease, key("support"), time.Hour)
				if err != nil {
					continue
				}
				var which int
				if _, err := fmt.Sscan(m.DedupeKey, &which); err != nil {
					t.Error(err)
					continue
				}
				claims[which].Add(1)
			}
		})
	}
	wg.Wait()
	for n := range claims {
		if got := claims[n].Load(); got != 1 {
			t.Errorf("mail %d was claimed %d times", n, got)
		}
	}
}

func testNewVoicemail(t *testing.T, open Open) {
	c := newCenter(t, open(t), 1, "alice", "bob")
	for n, name := range []string{"alice", "bob"} {
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key(name), Username: name, Active: true, Extension: fmt.Sprint(100 + n)}))
	}
	want := func(want ...store.VoicemailNews) {
		t.Helper()
		got, err := c.NewVoicemail(c.ctx, 10)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	alice, bob := key("alice"), key("bob")
	want()
	c.must(c.SetVoicemail(c.ctx, key("p1"), []store.Voicemail{{Extension: "100", Unread: 2, Read: 1}, {Extension: "101", Read: 7}, {Extension: "999", Unread: 1}}))
	c.must(c.PutVoicemail(c.ctx, key("p2"), store.Voicemail{Extension: "100", Unread: 3}))
	five := store.VoicemailNews{Agent: alice, Unread: 5}
	want(five)
	for range 2 {
		c.must(c.SeeVoicemail(c.ctx, five))
		want()
	}
	// What another looked at meanwhile is not taken back.
	c.must(c.PutVoicemail(c.ctx, key("p2"), store.Voicemail{Extension: "100"}))
	two := store.VoicemailNews{Agent: alice, Unread: 2, Seen: 5, Looks: 1}
	want(two)
	c.must(c.SeeVoicemail(c.ctx, store.VoicemailNews{Agent: alice, Unread: 2}))
	want(two)
	c.must(c.SeeVoicemail(c.ctx, two))
	want()

	c.must(c.PutVoicemail(c.ctx, key("p1"), store.Voicemail{Extension: "101", Unread: 1}))
	c.must(c.PutVoicemail(c.ctx, key("p1"), store.Voicemail{Extension: "100"}))
	first := store.VoicemailNews{Agent: bob, Unread: 1}
	want(store.VoicemailNews{Agent: alice, Seen: 2, Looks: 2}, first)
	if news, err := c.NewVoicemail(c.ctx, 1); err != nil || len(news) != 1 || news[0].Agent != alice {
		t.Fatalf("%+v, %v", news, err)
	}
	// Who comes after an agent that was deleted begins anew, whatever was still being looked at.
	c.must(c.SeeVoicemail(c.ctx, first))
	c.must(c.DeleteAgent(c.ctx, bob))
	first.Looks, first.Unread = 1, 0
	c.must(c.SeeVoicemail(c.ctx, first))
	c.must(c.PutAgent(c.ctx, store.Agent{Key: bob, Username: "bob", Active: true, Extension: "101"}))
	want(store.VoicemailNews{Agent: alice, Seen: 2, Looks: 2}, store.VoicemailNews{Agent: bob, Unread: 1})
}
