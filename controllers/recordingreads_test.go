package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// recordingLink answers for one PBX that is connected.
type recordingLink struct {
	pbxLink
	asked []string
	part  pbxlink.RecordingPart
	err   error
}

func (l *recordingLink) Status(pbx string) linkStatus {
	return linkStatus{Connected: pbx == ns+"/main"}
}

func (l *recordingLink) ReadRecording(_ context.Context, pbx, file string, offset int64, length int) (pbxlink.RecordingPart, error) {
	l.asked = append(l.asked, pbx+" "+file)
	if offset != 7 || length != 100 {
		return pbxlink.RecordingPart{}, errors.New("another part was asked for")
	}
	return l.part, l.err
}

func TestRecordingReads(t *testing.T) {
	db := storetest.SQLite(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.PutAgent(t.Context(), store.Agent{Key: store.Key{Namespace: ns, Name: "alice"}, Username: "alice", Extension: "100", Active: true}))
	link := &recordingLink{part: pbxlink.RecordingPart{Content: []byte("RIFF"), Size: 11, ChangedAt: time.Unix(1_700_000_000, 0).UTC()}}
	reads := &recordingReads{store: db, link: link}
	read := func(pbx string) store.RecordingRead {
		t.Helper()
		must(db.PutCall(t.Context(), store.Key{Namespace: ns, Name: pbx}, store.Call{Uniqueid: "u1", Extension: "100", State: store.CallEnded, Recordings: []string{"ringmaster/100/a.wav"}}))
		calls, err := db.ListCalls(t.Context(), store.CallFilter{Namespace: ns, Limit: 1})
		must(err)
		r, err := db.AddRecordingRead(t.Context(), ns, calls[0].ID, 0, 7, 100)
		must(err)
		must(reads.run(t.Context()))
		r, err = db.TakeRecordingRead(t.Context(), r.ID)
		must(err)
		return r
	}
	r := read("main")
	if diff := cmp.Diff(store.RecordingPart{Content: []byte("RIFF"), Size: 11, ChangedAt: link.part.ChangedAt}, r.Part); r.Outcome != store.OutcomeDone || diff != "" {
		t.Errorf("%s (-want +got):\n%s", r.Outcome, diff)
	}
	for want, err := range map[store.CallOutcome]error{
		store.OutcomeNoRecording: pbxlink.ErrNoRecording, store.OutcomeNotConnected: context.DeadlineExceeded, store.OutcomeFailed: errors.New("no permission"),
	} {
		if link.err = err; read("main").Outcome != want {
			t.Errorf("%v did not become %s", err, want)
		}
	}
	if diff := cmp.Diff(ns+"/main ringmaster/100/a.wav", link.asked[0]); diff != "" || len(link.asked) != 4 {
		t.Errorf("asked %d times (-want +got):\n%s", len(link.asked), diff)
	}
	if r := read("other"); r.Outcome != store.OutcomeNotConnected || len(link.asked) != 4 {
		t.Errorf("of a PBX that is away: %+v", r)
	}
}
