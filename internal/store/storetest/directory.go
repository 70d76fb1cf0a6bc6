package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testDirectory(t *testing.T, open Open) {
	t.Run("agents", func(t *testing.T) {
		s := open(t)
		ctx := t.Context()
		alice := store.Agent{Key: key("alice"), Username: "alice.r", DisplayName: "Alice Rossi", Alias: "Ally", Email: "a@example.com",
			Extension: "1001", Active: true, EmailCapacity: 3, Profile: []byte(`{"locale":"it"}`),
			Permissions: []byte(`{"modules":["Voice"]}`), ClientLogs: []byte(`{"level":"Debug"}`)}
		_, err := s.GetAgent(ctx, alice.Key)
		wantErr(t, err, store.ErrNotFound)
		for range 2 {
			if err := s.PutAgent(ctx, alice); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.GetAgent(ctx, alice.Key)
		if diff := cmp.Diff(alice, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		var taken *store.TakenError
		err = s.PutAgent(ctx, store.Agent{Key: key("bob"), Username: "alice.r"})
		if !errors.As(err, &taken) || taken.By != "agent/alice" {
			t.Fatalf("duplicate username: %v", err)
		}
		other := store.Agent{Key: store.Key{Namespace: "other", Name: "alice"}, Username: "alice.r", Active: true}
		if err := s.PutAgent(ctx, other); err != nil {
			t.Fatal(err)
		}
		_, err = s.FindAgent(ctx, "", "alice.r")
		wantErr(t, err, store.ErrConflict)
		_, err = s.FindAgent(ctx, ns, "nobody")
		wantErr(t, err, store.ErrNotFound)
		if got, err := s.FindAgent(ctx, "other", "alice.r"); err != nil || got.Key != other.Key {
			t.Fatalf("found %v, %v", got.Key, err)
		}
		for range 2 {
			if err := s.DeleteAgent(ctx, alice.Key); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.FindAgent(ctx, "", "alice.r"); err != nil || got.Key != other.Key {
			t.Fatalf("found %v, %v", got.Key, err)
		}
	})
	t.Run("queues", func(t *testing.T) {
		s := open(t)
		ctx := t.Context()
		q := store.Queue{Key: key("mail"), DisplayName: "Mail", Channel: store.ChannelEmail, Strategy: "LeastRecent",
			OfferTimeout: 20 * time.Second, WrapUpTime: time.Minute, Weight: 3, ServiceLevel: time.Hour, Members: []store.QueueMember{{Agent: "alice", Penalty: 0}, {Agent: "bob", Penalty: 5}}}
		put := func() {
			t.Helper()
			if err := s.PutQueue(ctx, q); err != nil {
				t.Fatal(err)
			}
			got, err := s.GetQueue(ctx, q.Key)
			if diff := cmp.Diff(q, got); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
		}
		put()
		put()
		q.Members = []store.QueueMember{{Agent: "bob", Penalty: 1}, {Agent: "carol", Penalty: 0}}
		q.Strategy = "RRMemory"
		put()
		q.WrapUpTime = 0
		put()
		q.Weight = 0
		put()
		q.ServiceLevel = 0
		put()
		if err := s.PutQueue(ctx, store.Queue{Key: key("another"), Channel: store.ChannelEmail, Members: q.Members}); err != nil {
			t.Fatal(err)
		}
		queues, err := s.QueuesOf(ctx, key("bob"))
		if diff := cmp.Diff([]string{"another", "mail"}, queues); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		if err := s.DeleteQueue(ctx, q.Key); err != nil {
			t.Fatal(err)
		}
		_, err = s.GetQueue(ctx, q.Key)
		wantErr(t, err, store.ErrNotFound)
		if queues, err := s.QueuesOf(ctx, key("carol")); err != nil || len(queues) != 1 {
			t.Fatalf("queues of carol: %v, %v", queues, err)
		}
	})
	t.Run("accounts", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		a := store.Account{Key: key("support"), Label: "S", DisplayName: "Support", Address: "s@example.com", Queue: "q", Active: true}
		c.must(c.PutAccount(c.ctx, a))
		got, err := c.GetAccount(c.ctx, a.Key)
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		m := c.mail()
		id := c.ingest(m)[0].InteractionID
		c.must(c.SetMailbox(c.ctx, a.Key, "INBOX", store.MailboxState{UIDValidity: 7, FloorUID: 3}))
		c.must(c.PutAccountStatus(c.ctx, store.AccountStatus{Account: a.Key, IMAP: "Ready"}))
		c.must(c.DeleteAccount(c.ctx, a.Key))
		_, err = c.GetAccount(c.ctx, a.Key)
		wantErr(t, err, store.ErrNotFound)
		_, err = c.GetMailbox(c.ctx, a.Key, "INBOX")
		wantErr(t, err, store.ErrNotFound)
		_, err = c.GetAccountStatus(c.ctx, a.Key)
		wantErr(t, err, store.ErrNotFound)
		c.wantState(id, store.StateClosed, "") // kept
		if res := c.ingest(m); !res[0].Duplicate || res[0].InteractionID != id {
			t.Fatalf("content known before the account was deleted: %+v", res[0])
		}
	})
	t.Run("the agent's desk hears what changes for it", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice")
		for _, step := range []struct {
			permissions, logs string
			want              []string
		}{
			{"", "", nil},
			{"p1", "", []string{store.EventPermissions + " "}},
			{"p1", "", nil},
			{"p1", "l1", []string{store.EventClientLogsEnabled + " l1"}},
			{"p2", "l2", []string{store.EventPermissions + " ", store.EventClientLogsEnabled + " l2"}},
			{"p2", "", []string{store.EventClientLogsDisabled + " "}},
			{"", "", []string{store.EventPermissions + " "}},
		} {
			before, err := c.LastCursor(c.ctx)
			c.must(err)
			c.must(c.PutAgent(c.ctx, store.Agent{Key: key("alice"), Username: "alice", Active: true, EmailCapacity: 1,
				Permissions: []byte(step.permissions), ClientLogs: []byte(step.logs)}))
			events, err := c.EventsAfter(c.ctx, ns, before, 10)
			c.must(err)
			var got []string
			for _, e := range events {
				if e.Agent != "alice" || e.Subject != "alice" {
					t.Errorf("an event for %q about %q", e.Agent, e.Subject)
				}
				got = append(got, e.Kind+" "+string(e.Data))
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("after %q and %q (-want +got):\n%s", step.permissions, step.logs, diff)
			}
		}
	})
	t.Run("what changes for waiting interactions", func(t *testing.T) {
		c := newCenter(t, open(t), 1, "alice")
		first, second := c.newInteraction(), c.newInteraction()
		c.route()
		c.wantState(first, store.StateOffered, "alice")
		c.wantState(second, store.StateQueued, "")
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key("alice"), Username: "alice", Active: true, EmailCapacity: 2}))
		c.route()
		c.wantState(second, store.StateOffered, "alice")

		// Deactivated: sessions, presence and offers end.
		c.must(c.CreateSession(c.ctx, key("alice"), store.ClientOther, "token", time.Hour))
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key("alice"), Username: "alice", EmailCapacity: 2}))
		_, err := c.GetSession(c.ctx, "token")
		wantErr(t, err, store.ErrNotFound)
		wantErr(t, c.CreateSession(c.ctx, key("alice"), store.ClientOther, "token", time.Hour), store.ErrConflict)
		wantErr(t, c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true}), store.ErrConflict)
		if p, err := c.GetPresence(c.ctx, key("alice")); err != nil || p.SignedIn {
			t.Fatalf("presence %+v, %v", p, err)
		}
		c.route()
		c.wantState(first, store.StateQueued, "")

		// A new member gets what waits.
		c.agent("bob", 1)
		c.must(c.PutQueue(c.ctx, store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute,
			Members: []store.QueueMember{{Agent: "bob"}}}))
		c.route()
		c.wantState(first, store.StateOffered, "bob")
		if _, err := c.Accept(c.ctx, ns, first, "bob"); err != nil {
			t.Fatal(err)
		}

		// A deleted agent gives everything back, and a deleted queue ends routing.
		c.must(c.DeleteAgent(c.ctx, key("bob")))
		c.wantState(first, store.StateQueued, "")
		c.must(c.DeleteQueue(c.ctx, key("mail")))
		c.wantState(first, store.StateUnread, "")
		c.wantState(second, store.StateUnread, "")
		c.wantReasons(first, "Ingested", "Offered", "Deactivated", "Offered", "Accepted", "AgentDeleted", "QueueDeleted")
		if n, err := c.Route(c.ctx, 10, nil); n != 0 || err != nil {
			t.Fatalf("routed %d, %v", n, err)
		}
	})
}
