package pbxlink

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

func TestCallsAndVoicemailAreToldOnce(t *testing.T) {
	o := &observer{}
	s, dial := serve(t, Options{Observer: o})
	st := dial(testPBX, "good")
	hello(t, st, "")
	send := func(e *pbxlinkv1.Events) {
		t.Helper()
		if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Events{Events: e}}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(second int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(second, 0)) }
	call := func(id string, state pbxlinkv1.CallState, answered *timestamppb.Timestamp) *pbxlinkv1.Call {
		return &pbxlinkv1.Call{Id: id, Extension: "1001", State: state, StartedAt: at(100), AnsweredAt: answered, Inbound: true}
	}
	up, ringing, ended := pbxlinkv1.CallState_CALL_STATE_UP, pbxlinkv1.CallState_CALL_STATE_RINGING, pbxlinkv1.CallState_CALL_STATE_ENDED
	send(&pbxlinkv1.Events{Calls: []*pbxlinkv1.Call{call("a", ringing, nil), call("b", ringing, nil)}, CallsComplete: true})
	send(&pbxlinkv1.Events{Calls: []*pbxlinkv1.Call{call("a", up, at(105))}})
	// A pbxlet that was restarted knows the call and not when it was answered.
	send(&pbxlinkv1.Events{Calls: []*pbxlinkv1.Call{call("a", up, nil)}, CallsComplete: true,
		Voicemail: []*pbxlinkv1.Voicemail{{Extension: "1001", Unread: 2, Read: 1}}, VoicemailComplete: true})
	want := []string{"call a of 1001 Ringing", "call b of 1001 Ringing", "call a of 1001 Up", "call b of 1001 Ended", "1001 has 2 and 1"}
	eventually(t, "all that is told", func() bool { return len(o.told()) >= len(want) })
	if calls := s.Calls(testPBX); len(calls) != 1 || calls[0].AnsweredAt.Unix() != 105 || calls[0].Direction != Inbound {
		t.Errorf("calls %+v", calls)
	}
	send(&pbxlinkv1.Events{Calls: []*pbxlinkv1.Call{call("a", ended, nil)}, VoicemailComplete: true})
	want = append(want, "call a of 1001 Ended", "1001 has 0 and 0")
	eventually(t, "the end is told", func() bool { return len(o.told()) >= len(want) })
	if got := o.told(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if calls := s.Calls(testPBX); len(calls) != 0 {
		t.Errorf("calls %+v are left", calls)
	}
}

func refuse(t *testing.T, st stream, id string, refusal pbxlinkv1.Refusal) {
	t.Helper()
	if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_CommandResult{
		CommandResult: &pbxlinkv1.CommandResult{Id: id, Error: "no", Refusal: refusal},
	}}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordCallIsRepeatedUnderItsID(t *testing.T) {
	s, dial := serve(t, Options{})
	answer := make(chan error, 1)
	record := func(ctx context.Context, verb RecordVerb) {
		go func() { answer <- s.RecordCall(ctx, testPBX, "171.1", verb) }()
	}
	record(t.Context(), RecordRestart)
	st := dial(testPBX, "good")
	hello(t, st, "")
	first := next(t, st).GetCommand()
	if r := first.GetRecordCall(); r.GetCallId() != "171.1" || r.GetVerb() != pbxlinkv1.RecordVerb_RECORD_VERB_RESTART {
		t.Fatalf("got %v", first)
	}
	// The session ends before the answer.
	again := dial(testPBX, "good")
	hello(t, again, "")
	second := next(t, again).GetCommand()
	if second.GetId() != first.GetId() {
		t.Errorf("ids %s and %s: the pbxlet cannot tell the repetition", first.GetId(), second.GetId())
	}
	done(t, again, second.GetId(), "")
	if err := <-answer; err != nil {
		t.Error(err)
	}

	for refusal, want := range refusals {
		record(t.Context(), RecordStart)
		refuse(t, again, next(t, again).GetCommand().GetId(), refusal)
		if err := <-answer; !errors.Is(err, want) || RefusalOf(err) != refusal {
			t.Errorf("%s became %v", refusal, err)
		}
	}

	// Whoever does not wait any more gets nothing done later.
	ctx, cancel := context.WithCancel(t.Context())
	record(ctx, RecordPause)
	late := next(t, again).GetCommand()
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done(t, again, late.GetId(), "")
	third := dial(testPBX, "good")
	hello(t, third, "")
	s.DropContacts(testPBX, "1001")
	if c := next(t, third).GetCommand(); c.GetDropContacts() == nil {
		t.Errorf("got %v", c)
	}
	if err := s.RecordCall(t.Context(), testPBX, "171.1", "Stop"); err == nil {
		t.Error("an unknown verb is taken")
	}
}

func TestPurgeMailboxOutlivesWhoAsked(t *testing.T) {
	s, dial := serve(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PurgeMailbox(ctx, testPBX, "1001", "uid-1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	answers := make(chan error, 2)
	for range 2 {
		go func() { answers <- s.PurgeMailbox(t.Context(), testPBX, "1001", "uid-1") }()
	}
	st := dial(testPBX, "good")
	hello(t, st, "")
	c := next(t, st).GetCommand()
	if p := c.GetPurgeMailbox(); p.GetExtension() != "1001" || p.GetOwner() != "uid-1" {
		t.Fatalf("got %v", c)
	}
	done(t, st, c.GetId(), "the mailbox is still in use")
	again := dial(testPBX, "good")
	hello(t, again, "")
	repeated := next(t, again).GetCommand()
	if repeated.GetId() != c.GetId() {
		t.Fatalf("got %v", repeated)
	}
	done(t, again, repeated.GetId(), "")
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

func TestForgottenPBXAnswersEverybody(t *testing.T) {
	s, _ := serve(t, Options{})
	answer := make(chan error, 1)
	go func() { answer <- s.RecordCall(t.Context(), testPBX, "171.1", RecordStart) }()
	eventually(t, "it is asked", func() bool {
		l, ok := s.known(testPBX)
		if !ok {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.asked) == 1
	})
	s.Forget(testPBX)
	if err := <-answer; !errors.Is(err, ErrForgotten) {
		t.Errorf("got %v", err)
	}
}
