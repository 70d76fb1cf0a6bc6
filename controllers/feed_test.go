package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// An assignment that has lasted too long is an Event of its account; another end of routing is none.
func TestExpiredAssignmentIsAnEvent(t *testing.T) {
	clock := time.Now()
	db := storetest.SQLite(t, store.WithClock(func() time.Time { return clock }))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := func(name string) store.Key { return store.Key{Namespace: ns, Name: name} }
	must(db.PutAgent(t.Context(), store.Agent{Key: key("alice"), Username: "alice", Active: true}))
	must(db.SetPresence(t.Context(), store.Presence{Agent: key("alice"), SignedIn: true}))
	must(db.PutQueue(t.Context(), store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
		Members: []store.QueueMember{{Agent: "alice"}}}))
	// Of the second account nothing is an object any more; mails of the third have nowhere to go.
	var ids []string
	for n, name := range []string{"support", "gone", "lost"} {
		queue := map[bool]string{true: "mail"}[name != "lost"]
		must(db.PutAccount(t.Context(), store.Account{Key: key(name), Queue: queue, Active: true, Routing: routing.Rules{MaxAssignmentAge: time.Hour}}))
		lease, _, err := db.AcquireLease(t.Context(), name, "test", time.Hour)
		must(err)
		res, err := db.Ingest(t.Context(), lease, key(name), []store.IngestMail{{Mailbox: "INBOX", UID: uint32(n + 1), Kind: store.IngestMessage, SHA256: name}}) //nolint:gosec // three
		must(err)
		ids = append(ids, res[0].InteractionID)
	}
	route := func() { t.Helper(); _, err := db.Route(t.Context(), 10, routing.Decide); must(err) }
	route()
	for _, id := range ids[:2] {
		_, err := db.Accept(t.Context(), ns, id, "alice")
		must(err)
	}
	clock = clock.Add(time.Hour)
	route()

	recorder := events.NewFakeRecorder(10)
	f := &feed{
		Reader: readerOf(t, &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "support"}},
			&v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "lost"}}),
		accounts: newPokes(), queues: newPokes(), agents: newPokes(), recorder: recorder,
	}
	happened, err := db.EventsAfter(t.Context(), ns, "", 100)
	must(err)
	for _, e := range happened {
		f.handle(t.Context(), e)
	}
	if len(recorder.Events) != 1 {
		t.Fatalf("%d Events, want one", len(recorder.Events))
	}
	want := "Warning AssignmentExpired interaction " + ids[0] +
		" was with agent alice for longer than spec.routing.maxAssignmentAge of the ContactCenter; it is Unread now"
	if got := <-recorder.Events; got != want {
		t.Errorf("%q", got)
	}

	// The next leader makes it again, because it cannot know that it was made; and nothing of what has been for long.
	f.store = db
	for n, passed := range []time.Duration{leaderless / 2, leaderless} {
		clock = clock.Add(passed)
		must(db.SetPresence(t.Context(), store.Presence{Agent: key("alice"), SignedIn: true, Paused: n == 0}))
		end, err := db.LastCursor(t.Context())
		must(err)
		must(f.catchUp(t.Context(), end))
		if len(recorder.Events) != 1-n {
			t.Fatalf("%d Events by the leader %v later", len(recorder.Events), passed)
		}
		if n == 0 && <-recorder.Events != want {
			t.Error("it is another Event")
		}
	}
}
