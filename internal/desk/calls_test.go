package desk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

var pbxKey = store.Key{Namespace: center, Name: "pbx"}

// ring reports a call that rings at the agent's phone and returns its id.
func (f *fixture) ring(agent, uniqueid string) string {
	f.Helper()
	a, err := f.store.GetAgent(f.Context(), agentKey(agent))
	f.ok(err)
	f.ok(f.store.PutCall(f.Context(), pbxKey, store.Call{
		Uniqueid: uniqueid, Extension: a.Extension, Direction: store.Inbound, Number: "0299990000", Name: "Zoe", State: store.CallRinging,
	}))
	list, err := f.store.ListCalls(f.Context(), store.CallFilter{Namespace: center, Agent: agent, Limit: 1})
	f.ok(err)
	if len(list) != 1 || list[0].Uniqueid != uniqueid {
		f.Fatalf("newest call of %s: %+v", agent, list)
	}
	return list[0].ID
}

func (f *fixture) report(c store.Call) {
	f.Helper()
	f.ok(f.store.PutCall(f.Context(), pbxKey, c))
}

func TestCalls(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	stream := f.stream(alice, "")
	stream.expect("hello", "")
	first := f.ring("alice", "u1")
	if e := stream.expect(store.EventCall, first); strings.Contains(fmt.Sprint(e.data), "0299") || strings.Contains(fmt.Sprint(e.data), "Zoe") {
		t.Errorf("an event names the other side: %+v", e)
	}
	a := f.want(200, "", alice, "GET", "/v1/calls/"+first, nil)
	if a.at("party", "number") != "0299990000" || a.at("party", "name") != "Zoe" || a.body["state"] != "Ringing" || a.body["direction"] != "Inbound" ||
		a.body["answeredAt"] != nil || a.at("recording", "state") != "Off" {
		t.Errorf("call: %s", a.raw)
	}
	f.want(404, desk.CodeNotFound, bob, "GET", "/v1/calls/"+first, nil)
	f.want(404, desk.CodeNotFound, bob, "POST", "/v1/calls/"+first+"/recording:start", nil)
	if a := f.want(200, "", bob, "GET", "/v1/calls", nil); len(a.body["calls"].([]any)) != 0 {
		t.Errorf("bob's calls: %s", a.raw)
	}

	f.report(store.Call{Uniqueid: "u1", State: store.CallEnded})
	second := f.ring("alice", "u2")
	f.report(store.Call{Uniqueid: "u2", State: store.CallUp})
	third := f.ring("alice", "u3")
	for query, want := range map[string][]string{
		"": {third, second, first}, "?missed=true": {first}, "?state=Up": {second}, "?state=Ringing,Up": {third, second},
		"?limit=2": {third, second, "next " + second}, "?limit=2&cursor=" + second: {first},
	} {
		a := f.want(200, "", alice, "GET", "/v1/calls"+query, nil)
		var got []string
		for n := range a.body["calls"].([]any) {
			got = append(got, fmt.Sprint(a.at("calls", n, "id")))
		}
		if next := a.body["nextCursor"]; next != nil {
			got = append(got, "next "+fmt.Sprint(next))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	f.want(422, desk.CodeValidation, alice, "GET", "/v1/calls?mised=true", nil)
}

func TestVoicemailCounts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	stream := f.stream(alice, "")
	stream.expect("hello", "")
	f.ok(f.store.PutVoicemail(t.Context(), pbxKey, store.Voicemail{Extension: "1005", Unread: 2, Read: 1}))
	if e := stream.expect(store.EventVoicemail, "alice"); fmt.Sprint(e.data["data"]) != "map[read:1 unread:2]" {
		t.Errorf("event %+v", e)
	}
	if a := f.want(200, "", alice, "GET", "/v1/me/voicemail", nil); a.body["unread"] != 2.0 || a.body["read"] != 1.0 {
		t.Errorf("counts: %s", a.raw)
	}
}

// leader does what the leader and a PBX do with commands: one call at most two files.
type leader struct {
	store store.Store
	// outcome replaces what the PBX answers, when set.
	outcome store.CallOutcome
	mu      sync.Mutex
	verbs   []store.CallVerb
}

// start works until the test ends.
func (l *leader) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for ctx.Err() == nil {
			wake := l.store.Wake()
			commands, err := l.store.ClaimCallCommands(ctx, 10)
			for _, m := range commands {
				err = errors.Join(err, l.do(ctx, m))
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-wake:
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
}

func (l *leader) do(ctx context.Context, m store.CallCommand) error {
	l.mu.Lock()
	l.verbs = append(l.verbs, m.Verb)
	l.mu.Unlock()
	if l.outcome != "" {
		return l.store.FinishCallCommand(ctx, m.ID, l.outcome, "because")
	}
	call, err := l.store.GetCall(ctx, m.Namespace, m.CallID)
	if err != nil {
		return err
	}
	report := store.Call{Uniqueid: m.Uniqueid, State: store.CallUp, Recording: store.RecordingOn, Recordings: call.Recordings}
	switch m.Verb {
	case store.VerbPause:
		report.Recording = store.RecordingPaused
	case store.VerbResume:
	case store.VerbStart, store.VerbRestart:
		report.Recordings = append(report.Recordings, fmt.Sprintf("%s/%d.wav", m.Extension, len(call.Recordings)+1))
	}
	// The result may overtake the report.
	if err := l.store.FinishCallCommand(ctx, m.ID, store.OutcomeDone, ""); err != nil {
		return err
	}
	return l.store.PutCall(ctx, store.Key{Namespace: m.Namespace, Name: m.PBX}, report)
}

// recordAll walks through a recording; the leader is another process's where the store has several.
func recordAll(t *testing.T, f *fixture, l *leader) {
	f.putAgent("alice", true, `{"manualRecording":"Allowed","recording":"Inactive"}`)
	alice := f.login("alice")
	id := f.ring("alice", "u1")
	path := "/v1/calls/" + id + "/recording:"
	f.want(409, desk.CodeCallNotUp, alice, "POST", path+"start", nil)
	f.report(store.Call{Uniqueid: "u1", State: store.CallUp})
	stream := f.stream(alice, "")
	stream.expect("hello", "")
	l.start(t)
	for _, verb := range []string{"pause", "resume", "restart"} {
		f.want(409, desk.CodeRecordingState, alice, "POST", path+verb, nil)
	}
	for _, step := range []struct {
		verb, state string
		files       float64
		event       string
	}{
		{"start", "On", 1, store.EventRecordingStarted},
		{"pause", "Paused", 1, store.EventRecordingPaused},
		{"resume", "On", 1, store.EventRecordingResumed},
		{"restart", "On", 2, store.EventRecordingStarted},
		{"pause", "Paused", 2, store.EventRecordingPaused},
	} {
		a := f.want(200, "", alice, "POST", path+step.verb, nil)
		if a.at("recording", "state") != step.state || a.at("recording", "files") != step.files {
			t.Errorf("%s: %s", step.verb, a.raw)
		}
		stream.expect(store.EventCall, id)
		stream.expect(step.event, id)
	}
	f.want(409, desk.CodeRecordingState, alice, "POST", path+"start", nil)
	f.want(409, desk.CodeRecordingLimit, alice, "POST", path+"restart", nil)
	f.report(store.Call{Uniqueid: "u1", State: store.CallEnded})
	stream.expect(store.EventCall, id)
	stream.expect(store.EventRecordingStopped, id)
	f.want(409, desk.CodeCallNotUp, alice, "POST", path+"resume", nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	if want := []store.CallVerb{store.VerbStart, store.VerbPause, store.VerbResume, store.VerbRestart, store.VerbPause}; fmt.Sprint(l.verbs) != fmt.Sprint(want) {
		t.Errorf("the PBX was asked for %v, want %v", l.verbs, want)
	}
}

func TestRecording(t *testing.T) {
	f := newFixture(t)
	recordAll(t, f, &leader{store: f.store})
}

func TestRecordingThroughAnotherReplica(t *testing.T) {
	server, err := env.Temp(t).StartPostgres(t.Context(), env.PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dsn := server.NewDatabase(t)
	var replicas []store.Store
	for range 2 {
		st, err := store.OpenPostgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		replicas = append(replicas, st)
	}
	recordAll(t, newFixtureOn(t, replicas[0]), &leader{store: replicas[1]})
}

func TestRecordingRefused(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.CommandTimeout = 300 * time.Millisecond })
	alice := f.login("alice")
	id := f.ring("alice", "u1")
	f.report(store.Call{Uniqueid: "u1", State: store.CallUp})
	path := "/v1/calls/" + id + "/recording:"
	f.want(404, desk.CodeNotFound, alice, "POST", "/v1/calls/nonsense/recording:start", nil)
	f.want(403, desk.CodeRecordingDenied, alice, "POST", path+"start", nil)

	// Nobody does it in time: it is not done later either.
	f.putAgent("alice", true, `{"manualRecording":"Denied","recording":"Wav"}`)
	a := f.want(503, desk.CodePBXUnavailable, alice, "POST", path+"start", nil)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if commands, err := f.store.ClaimCallCommands(t.Context(), 10); err != nil || len(commands) != 0 {
		t.Errorf("left over: %+v, %v", commands, err)
	}
	for outcome, want := range map[store.CallOutcome]struct {
		status int
		code   desk.Code
	}{
		store.OutcomeNotConnected: {503, desk.CodePBXUnavailable}, store.OutcomeFailed: {503, desk.CodePBXUnavailable},
		store.OutcomeNotRecording: {409, desk.CodeRecordingState}, store.OutcomeDenied: {403, desk.CodeRecordingDenied},
		store.OutcomeGone: {409, desk.CodeCallNotUp}, store.OutcomeLimit: {409, desk.CodeRecordingLimit},
	} {
		t.Run(string(outcome), func(t *testing.T) {
			l := &leader{store: f.store, outcome: outcome}
			l.start(t)
			f.want(want.status, want.code, alice, "POST", path+"start", nil)
		})
	}
	if strings.Contains(f.log.String(), "0299990000") {
		t.Error("the log names the other side")
	}
}
