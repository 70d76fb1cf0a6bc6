package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// An assignment that has lasted too long is an Event of its account; another end of routing is none.
func TestExpiredAssignmentIsAnEvent(t *testing.T) {
	recorder := events.NewFakeRecorder(10)
	f := &feed{
		Reader:   readerOf(t, &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "support"}}),
		accounts: newPokes(), queues: newPokes(), recorder: recorder,
	}
	for _, e := range []store.Event{
		{Kind: store.EventUnread, Agent: "alice", Subject: "1", Data: []byte(`{"account":"support","reason":"AssignedAgentTimeout"}`)},
		{Kind: store.EventQueued, Agent: "alice", Subject: "2", Data: []byte(`{"account":"support","reason":"AssignmentExpired"}`)},
		{Kind: store.EventUnread, Agent: "alice", Subject: "3", Data: []byte(`{"account":"gone","reason":"AssignmentExpired"}`)},
		{Kind: store.EventUnread, Agent: "alice", Subject: "4", Data: []byte(`{"account":"support","reason":"AssignmentExpired"}`)},
	} {
		e.Namespace = ns
		f.handle(t.Context(), e)
	}
	want := "Warning AssignmentExpired interaction 4 was with agent alice for longer than spec.routing.maxAssignmentAge of the ContactCenter; it is Unread now"
	if got := <-recorder.Events; got != want || len(recorder.Events) > 0 {
		t.Errorf("%q, and %d more", got, len(recorder.Events))
	}
}
