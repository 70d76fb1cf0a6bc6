package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// newCallCenter has alice at 100, bob at 101 and carol at the telephone t1.
func newCallCenter(t *testing.T, open Open) (*center, *clock) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 1, "alice", "bob", "carol")
	for name, extension := range map[string]string{"alice": "100", "bob": "101", "carol": "102"} {
		c.must(c.PutAgent(c.ctx, store.Agent{Key: key(name), Username: name, Active: true, Extension: extension}))
	}
	c.must(c.PutTelephone(c.ctx, telephone("t1")))
	c.must(c.TakeSeat(c.ctx, key("carol"), "t1"))
	return c, clk
}

func (c *center) calls(agent string, f store.CallFilter) []store.Call {
	c.t.Helper()
	f.Namespace, f.Agent = ns, agent
	list, err := c.ListCalls(c.ctx, f)
	c.must(err)
	return list
}

func (c *center) onlyCall(agent string) store.Call {
	c.t.Helper()
	list := c.calls(agent, store.CallFilter{})
	if len(list) != 1 {
		c.t.Fatalf("%d calls of %s", len(list), agent)
	}
	return list[0]
}

func ringing(uniqueid, extension string) store.Call {
	return store.Call{Uniqueid: uniqueid, LinkedID: "L" + uniqueid, Extension: extension, Direction: store.Inbound, Number: "0123",
		Name: "Zoe", State: store.CallRinging, Recording: store.RecordingOff}
}

func testCalls(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	pbx := key("p1")
	start := clk.now()
	report := ringing("u1", "100")
	report.StartedAt = start.Add(-time.Second)
	report.Queue = "sales"
	before := c.cursor()
	for range 2 {
		c.must(c.PutCall(c.ctx, pbx, report))
	}
	call := c.onlyCall("alice")
	want := report
	want.ID, want.Namespace, want.PBX, want.Agent, want.Recordings = call.ID, ns, "p1", "alice", []string{}
	if diff := cmp.Diff(want, call); diff != "" || call.ID == "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}

	// What a report leaves empty stays; the time of the answer is the store's when the report has none.
	clk.advance(time.Second)
	c.must(c.PutCall(c.ctx, pbx, store.Call{Uniqueid: "u1", State: store.CallUp}))
	want.State, want.AnsweredAt = store.CallUp, clk.now()
	if diff := cmp.Diff(want, c.onlyCall("alice")); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	// An old report does not make it ring again, one without a state says nothing of it.
	for _, state := range []store.CallState{store.CallRinging, ""} {
		c.must(c.PutCall(c.ctx, pbx, store.Call{Uniqueid: "u1", State: state}))
		if diff := cmp.Diff(want, c.onlyCall("alice")); diff != "" {
			t.Fatalf("after %q (-want +got):\n%s", state, diff)
		}
	}
	clk.advance(time.Minute)
	c.must(c.PutCall(c.ctx, pbx, store.Call{Uniqueid: "u1", State: store.CallEnded}))
	want.State, want.EndedAt = store.CallEnded, clk.now()
	// Nothing wakes it, but the name of a recording may come late.
	c.must(c.PutCall(c.ctx, pbx, report))
	c.must(c.PutCall(c.ctx, pbx, store.Call{Uniqueid: "u1", State: store.CallUp, Recording: store.RecordingOn, Recordings: []string{"100/x.wav"}}))
	want.Recordings = []string{"100/x.wav"}
	if diff := cmp.Diff(want, c.onlyCall("alice")); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	got, err := c.GetCall(c.ctx, ns, call.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	_, err = c.GetCall(c.ctx, "other", call.ID)
	wantErr(t, err, store.ErrNotFound)
	events, err := c.EventsAfter(c.ctx, ns, before, 100)
	c.must(err)
	for _, e := range events {
		if e.Kind != store.EventCall || e.Agent != "alice" || e.Subject != call.ID {
			t.Errorf("event %+v", e)
		}
	}
	if len(events) != 4 {
		t.Errorf("%d events", len(events))
	}

	// Whose is it: the one who sits there when it starts; nobody's are not kept.
	c.must(c.PutCall(c.ctx, pbx, ringing("u2", "sip-t1")))
	c.must(c.ReleaseSeat(c.ctx, key("carol")))
	c.must(c.PutCall(c.ctx, pbx, store.Call{Uniqueid: "u2", State: store.CallEnded}))
	c.must(c.PutCall(c.ctx, pbx, ringing("u3", "sip-t1")))
	c.must(c.PutCall(c.ctx, pbx, ringing("u4", "")))
	if call := c.onlyCall("carol"); call.Uniqueid != "u2" || !call.Missed {
		t.Fatalf("carol's call %+v", call)
	}
}

func testCallLists(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	p1, p2 := key("p1"), key("p2")
	for _, id := range []string{"u1", "u2", "u3"} {
		c.must(c.PutCall(c.ctx, p1, ringing(id, "100")))
	}
	c.must(c.PutCall(c.ctx, p2, ringing("u1", "100"))) // another PBX's leg of the same name is another call
	if list := c.calls("alice", store.CallFilter{States: []store.CallState{store.CallRinging}}); len(list) != 4 {
		t.Fatalf("%d active calls", len(list))
	}
	// After a reconnect only u3 is still there, and u5 came meanwhile.
	c.must(c.SetCalls(c.ctx, p1, []store.Call{ringing("u3", "100"), ringing("u5", "100")}))
	var active []string
	for _, call := range c.calls("alice", store.CallFilter{States: []store.CallState{store.CallRinging, store.CallUp}}) {
		active = append(active, call.PBX+call.Uniqueid)
	}
	if diff := cmp.Diff([]string{"p1u5", "p2u1", "p1u3"}, active); diff != "" {
		t.Fatalf("active, newest first (-want +got):\n%s", diff)
	}
	before := c.cursor()
	c.must(c.SetCalls(c.ctx, p1, []store.Call{ringing("u3", "100"), ringing("u5", "100")}))
	if kinds := c.eventKinds(before); kinds != nil {
		t.Fatalf("unchanged calls made events %v", kinds)
	}

	// A call that a colleague took is not missed.
	for _, r := range []store.Call{ringing("q1", "100"), ringing("q2", "101"), {Uniqueid: "q2", State: store.CallUp}, {Uniqueid: "q1", State: store.CallEnded}} {
		r.LinkedID = "group"
		c.must(c.PutCall(c.ctx, p1, r))
	}
	out := store.Call{Uniqueid: "o1", Extension: "101", Direction: store.Outbound, State: store.CallEnded}
	c.must(c.PutCall(c.ctx, p1, out))
	if list := c.calls("bob", store.CallFilter{Missed: true}); len(list) != 0 {
		t.Fatalf("bob missed %+v", list)
	}
	var pages [][]string
	for after := ""; ; {
		page := c.calls("alice", store.CallFilter{Missed: true, After: after, Limit: 1})
		if len(page) == 0 {
			break
		}
		after = page[0].ID
		pages = append(pages, []string{page[0].Uniqueid})
	}
	if diff := cmp.Diff([][]string{{"u2"}, {"u1"}}, pages); diff != "" {
		t.Fatalf("missed by alice (-want +got):\n%s", diff)
	}

	// What did not change for the retention goes.
	clk.advance(time.Hour)
	c.must(c.PutCall(c.ctx, p1, store.Call{Uniqueid: "u3", State: store.CallUp}))
	clk.advance(store.DefaultCallRetention - time.Minute)
	c.must(c.PruneCalls(c.ctx, store.DefaultCallRetention))
	if call := c.onlyCall("alice"); call.Uniqueid != "u3" {
		t.Fatalf("kept %+v", call)
	}
	c.must(c.DeleteAgent(c.ctx, key("alice")))
	c.agent("alice", 1)
	if list := c.calls("alice", store.CallFilter{}); len(list) != 0 {
		t.Fatalf("the next alice sees %+v", list)
	}
}

func testRecordings(t *testing.T, open Open) {
	c, _ := newCallCenter(t, open)
	report := ringing("u1", "100")
	c.must(c.PutCall(c.ctx, key("p1"), report))
	report.State = store.CallUp
	step := func(state store.RecordingState, files []string, want ...string) {
		t.Helper()
		before := c.cursor()
		report.Recording, report.Recordings = state, files
		c.must(c.PutCall(c.ctx, key("p1"), report))
		if diff := cmp.Diff(want, c.eventKinds(before)); diff != "" {
			t.Fatalf("%s %v (-want +got):\n%s", state, files, diff)
		}
	}
	step(store.RecordingOff, nil, store.EventCall)
	step(store.RecordingOn, nil, store.EventCall, store.EventRecordingStarted)
	step(store.RecordingOn, []string{"1"}, store.EventCall) // only its name
	step(store.RecordingPaused, []string{"1"}, store.EventCall, store.EventRecordingPaused)
	step(store.RecordingOn, []string{"1"}, store.EventCall, store.EventRecordingResumed)
	step(store.RecordingOn, []string{"1", "2"}, store.EventCall, store.EventRecordingStarted)
	report.State = store.CallEnded
	step(store.RecordingOn, []string{"1", "2"}, store.EventCall, store.EventRecordingStopped)
	if call := c.onlyCall("alice"); call.Recording != store.RecordingOff || len(call.Recordings) != 2 {
		t.Fatalf("ended %+v", call)
	}
}

func testCallCommands(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	c.must(c.PutCall(c.ctx, key("p1"), ringing("u1", "100")))
	call := c.onlyCall("alice")
	add := func(verb store.CallVerb) store.CallCommand {
		t.Helper()
		m, err := c.AddCallCommand(c.ctx, ns, call.ID, "alice", verb)
		c.must(err)
		return m
	}
	claim := func(want ...store.CallCommand) {
		t.Helper()
		got, err := c.ClaimCallCommands(c.ctx, 10)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	_, err := c.AddCallCommand(c.ctx, ns, call.ID, "alice", store.VerbStart)
	wantErr(t, err, store.ErrConflict) // rings only
	c.must(c.PutCall(c.ctx, key("p1"), store.Call{Uniqueid: "u1", State: store.CallUp}))
	_, err = c.AddCallCommand(c.ctx, ns, call.ID, "bob", store.VerbStart)
	wantErr(t, err, store.ErrNotFound)
	claim()

	before := c.cursor()
	first, second := add(store.VerbStart), add(store.VerbPause)
	if diff := cmp.Diff([]string{store.EventCallCommand, store.EventCallCommand}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(store.CallCommand{ID: first.ID, Namespace: ns, CallID: call.ID, PBX: "p1", Uniqueid: "u1", Extension: "100",
		Verb: store.VerbStart, RequestedBy: "alice", RequestedAt: clk.now()}, first); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	claim(first, second)
	claim()
	c.must(c.FinishCallCommand(c.ctx, first.ID, store.OutcomeLimit, "two files"))
	wantErr(t, c.FinishCallCommand(c.ctx, first.ID, store.OutcomeDone, ""), store.ErrConflict)
	wantErr(t, c.FinishCallCommand(c.ctx, "nonsense", store.OutcomeDone, ""), store.ErrNotFound)
	if m, err := c.GetCallCommand(c.ctx, first.ID); err != nil || m.Outcome != store.OutcomeLimit || m.Detail != "two files" {
		t.Fatalf("%+v, %v", m, err)
	}

	// Withdrawn or too old: nobody's work.
	withdrawn := add(store.VerbResume)
	c.must(c.FinishCallCommand(c.ctx, withdrawn.ID, store.OutcomeWithdrawn, ""))
	claim()
	old := add(store.VerbRestart)
	clk.advance(store.CallCommandTTL)
	claim()
	clk.advance(10 * store.CallCommandTTL)
	c.must(c.PruneCalls(c.ctx, time.Hour))
	_, err = c.GetCallCommand(c.ctx, old.ID)
	wantErr(t, err, store.ErrNotFound)
}

// testClaimRace has several leaders, as there are for a moment at a change, claim the same commands.
func testClaimRace(t *testing.T, open Open) {
	c, _ := newCallCenter(t, open)
	c.must(c.PutCall(c.ctx, key("p1"), store.Call{Uniqueid: "u1", Extension: "100", State: store.CallUp}))
	const commands = 20
	for range commands {
		_, err := c.AddCallCommand(c.ctx, ns, c.onlyCall("alice").ID, "alice", store.VerbStart)
		c.must(err)
	}
	var wg sync.WaitGroup
	var claimed atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range commands {
				got, err := c.ClaimCallCommands(c.ctx, 3)
				if err != nil {
					t.Error(err)
				}
				claimed.Add(int64(len(got)))
			}
		})
	}
	// Reports of the same leg from two sides make one call.
	for range 2 {
		wg.Go(func() {
			for _, id := range []string{"r1", "r2", "r3", "r4"} {
				if err := c.PutCall(c.ctx, key("p1"), ringing(id, "101")); err != nil {
					t.Error(err)
				}
			}
			if err := c.SetCalls(c.ctx, key("p1"), []store.Call{ringing("r4", "101"), ringing("r2", "101")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if claimed.Load() != commands {
		t.Fatalf("%d commands were claimed %d times", commands, claimed.Load())
	}
	if list := c.calls("bob", store.CallFilter{}); len(list) != 4 {
		t.Fatalf("%d calls of four legs", len(list))
	}
}
