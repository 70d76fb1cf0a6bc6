package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// The pause while an agent chooses a disposition stops calls of queues too, ends with it or by signing out, and is no other pause's end.
func TestDispositionPausesCalls(t *testing.T) {
	db := storetest.SQLite(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	alice := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice"}}
	alice.Status.Extension = "1001"
	d := &duty{Reader: readerOf(t, alice), store: db}
	want := func(when string, paused bool, reason string) {
		t.Helper()
		got, err := d.states(t.Context(), ns)
		must(err)
		if len(got) == 1 {
			got[0].RejectDirect = false // what a pause means for direct calls is the client's setting
		}
		if diff := cmp.Diff([]memberState{{Extension: "1001", Paused: paused, Reason: reason}}, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", when, diff)
		}
	}

	key := store.Key{Namespace: ns, Name: "alice"}
	account := store.Key{Namespace: ns, Name: "support"}
	must(db.PutAgent(t.Context(), store.Agent{Key: key, Username: "alice", Active: true}))
	must(db.PutQueue(t.Context(), store.Queue{Key: store.Key{Namespace: ns, Name: "mail"}, Channel: store.ChannelEmail, Strategy: string(routing.RRMemory),
		OfferTimeout: time.Hour, Members: []store.QueueMember{{Agent: "alice"}}}))
	must(db.PutAccount(t.Context(), store.Account{Key: account, Queue: "mail", Active: true}))
	must(db.PutAnswerSettings(t.Context(), account, store.AnswerSettings{DispositionMandatory: true, PauseWhileDisposing: true}))
	must(db.PutDispositionSet(t.Context(), store.DispositionSet{Key: account, Scope: store.ScopeGlobal, Items: []store.Disposition{{Path: "Done"}}}))
	lease, _, err := db.AcquireLease(t.Context(), "support", "test", time.Hour)
	must(err)
	presence := func(in bool, reason string) {
		t.Helper()
		must(db.SetPresence(t.Context(), store.Presence{Agent: key, SignedIn: in, Paused: reason != "", Reason: reason}))
	}
	disposing := func(sum string) (id string) {
		t.Helper()
		res, err := db.Ingest(t.Context(), lease, account, []store.IngestMail{{Mailbox: "INBOX", UID: uint32(len(sum)), Kind: store.IngestMessage, SHA256: sum}}) //nolint:gosec // short
		must(err)
		id = res[0].InteractionID
		_, err = db.Route(t.Context(), 10, routing.Decide)
		must(err)
		_, err = db.Accept(t.Context(), ns, id, "alice")
		must(err)
		return id
	}
	closed := func(id string) {
		t.Helper()
		_, err := db.CloseInteraction(t.Context(), ns, id, "alice", store.Disposal{Path: "Done"})
		must(err)
	}

	want("before signing in", true, "SignedOut")
	presence(true, "")
	want("signed in", false, "")
	id := disposing("a")
	must(db.BeginDisposing(t.Context(), ns, id, "alice"))
	want("choosing", true, "Disposition")
	closed(id)
	want("chosen", false, "")

	id = disposing("aa")
	presence(true, "lunch")
	must(db.BeginDisposing(t.Context(), ns, id, "alice"))
	want("choosing in a pause", true, "lunch")
	closed(id)
	want("chosen in a pause", true, "lunch")
	presence(true, "")

	id = disposing("aaa")
	must(db.BeginDisposing(t.Context(), ns, id, "alice"))
	presence(false, "")
	want("signed out", true, "SignedOut")
	presence(true, "")
	want("back", false, "")
}
