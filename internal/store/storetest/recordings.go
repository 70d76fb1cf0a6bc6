package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// recorded is a call of alice's with two recordings.
func (c *center) recorded() store.Call {
	c.t.Helper()
	c.must(c.PutCall(c.ctx, key("p1"), store.Call{Uniqueid: "u1", Extension: "100", State: store.CallEnded, Recordings: []string{"100/a.wav", "100/b.wav"}}))
	return c.onlyCall("alice")
}

func testRecordedCalls(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	began := clk.now().Truncate(time.Second)
	for i, r := range []store.Call{
		{Uniqueid: "a1", Extension: "100", Number: "0299", Queue: "sales", Recordings: []string{"100/a.wav"}},
		{Uniqueid: "b1", Extension: "101", Number: "0299", Recordings: []string{"101/a.wav"}},
		{Uniqueid: "a2", Extension: "100", Number: "0299"},
		{Uniqueid: "a3", Extension: "100", Number: "0288", Recordings: []string{"100/b.wav"}},
		{Uniqueid: "c1", Extension: "102", Number: "0288", Recordings: []string{"102/a.wav"}},
	} {
		r.State, r.StartedAt = store.CallEnded, began.Add(time.Duration(i)*time.Minute)
		c.must(c.PutCall(c.ctx, key("p1"), r))
	}
	c.must(c.SetSupervisors(c.ctx, key("alice"), []string{"bob"}))
	for name, test := range map[string]struct {
		filter store.CallFilter
		want   []string
	}{
		"all":            {store.CallFilter{}, []string{"c1", "a3", "b1", "a1"}},
		"own":            {store.CallFilter{Overseer: "alice"}, []string{"a3", "a1"}},
		"with the team":  {store.CallFilter{Overseer: "bob"}, []string{"a3", "b1", "a1"}},
		"of the team":    {store.CallFilter{Overseer: "bob", Agent: "alice"}, []string{"a3", "a1"}},
		"of another one": {store.CallFilter{Overseer: "bob", Agent: "carol"}, nil},
		"number":         {store.CallFilter{Number: "0299"}, []string{"b1", "a1"}},
		"queue":          {store.CallFilter{Queue: "sales"}, []string{"a1"}},
		"from":           {store.CallFilter{From: began.Add(time.Minute)}, []string{"c1", "a3", "b1"}},
		"to":             {store.CallFilter{To: began.Add(time.Minute)}, []string{"a1"}},
	} {
		test.filter.Recorded = true
		var got []string
		for _, call := range c.calls(test.filter.Agent, test.filter) {
			got = append(got, call.Uniqueid)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func testRecordingReads(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	call := c.recorded()
	add := func(n int, offset int64) store.RecordingRead {
		t.Helper()
		r, err := c.AddRecordingRead(c.ctx, ns, call.ID, n, offset, 10)
		c.must(err)
		return r
	}
	claim := func(want ...store.RecordingRead) {
		t.Helper()
		got, err := c.ClaimRecordingReads(c.ctx, 10)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	for _, n := range []int{-1, 2} {
		_, err := c.AddRecordingRead(c.ctx, ns, call.ID, n, 0, 10)
		wantErr(t, err, store.ErrNotFound)
	}
	_, err := c.AddRecordingRead(c.ctx, "elsewhere", call.ID, 0, 0, 10)
	wantErr(t, err, store.ErrNotFound)
	claim()

	before := c.cursor()
	first, second := add(0, 0), add(1, 20)
	if diff := cmp.Diff([]string{store.EventRecordingRead, store.EventRecordingRead}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(store.RecordingRead{ID: second.ID, Namespace: ns, CallID: call.ID, PBX: "p1", N: 1, File: "100/b.wav",
		Offset: 20, Length: 10, RequestedAt: clk.now()}, second); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	claim(first, second)
	claim()

	// It is there until somebody takes it, finished.
	if r, err := c.TakeRecordingRead(c.ctx, second.ID); err != nil || r.Outcome != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	second.Outcome, second.Part = store.OutcomeDone, store.RecordingPart{Content: []byte{0, 1, 255}, Size: 23, ChangedAt: clk.now()}
	c.must(c.FinishRecordingRead(c.ctx, second.ID, second.Outcome, second.Part))
	wantErr(t, c.FinishRecordingRead(c.ctx, second.ID, store.OutcomeDone, store.RecordingPart{}), store.ErrNotFound)
	r, err := c.TakeRecordingRead(c.ctx, second.ID)
	if diff := cmp.Diff(second, r); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	_, err = c.TakeRecordingRead(c.ctx, second.ID)
	wantErr(t, err, store.ErrNotFound)

	// Whoever asked has gone.
	c.must(c.DropRecordingRead(c.ctx, first.ID))
	c.must(c.DropRecordingRead(c.ctx, first.ID))
	wantErr(t, c.FinishRecordingRead(c.ctx, first.ID, store.OutcomeDone, store.RecordingPart{}), store.ErrNotFound)
	dropped := add(0, 0)
	c.must(c.DropRecordingRead(c.ctx, dropped.ID))
	claim()
	old := add(0, 0)
	clk.advance(store.CallCommandTTL)
	claim()
	clk.advance(2 * store.CallCommandTTL)
	c.must(c.PruneCalls(c.ctx, time.Hour))
	_, err = c.TakeRecordingRead(c.ctx, old.ID)
	wantErr(t, err, store.ErrNotFound)
}

func testRecordingDownloads(t *testing.T, open Open) {
	c, clk := newCallCenter(t, open)
	call := c.recorded()
	const within = 10 * time.Minute
	download := func(agent string, n int) store.RecordingDownload {
		t.Helper()
		d := store.RecordingDownload{Namespace: ns, CallID: call.ID, N: n, Agent: agent}
		c.must(c.AddRecordingDownload(c.ctx, d, within))
		d.At = clk.now()
		return d
	}
	first := download("alice", 0)
	clk.advance(within - time.Second)
	download("alice", 0) // goes on
	other, file := download("bob", 0), download("alice", 1)
	clk.advance(time.Second)
	again := download("alice", 0)
	got, err := c.ListRecordingDownloads(c.ctx, ns, call.ID)
	if diff := cmp.Diff([]store.RecordingDownload{again, file, other, first}, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := c.ListRecordingDownloads(c.ctx, "elsewhere", call.ID); err != nil || len(got) != 0 {
		t.Fatalf("another center's: %+v, %v", got, err)
	}
	wantErr(t, c.AddRecordingDownload(c.ctx, store.RecordingDownload{Namespace: "elsewhere", CallID: call.ID, Agent: "alice"}, within), store.ErrNotFound)

	// They go with the call.
	clk.advance(store.DefaultCallRetention)
	c.must(c.PruneCalls(c.ctx, store.DefaultCallRetention))
	if got, err := c.ListRecordingDownloads(c.ctx, ns, call.ID); err != nil || len(got) != 0 {
		t.Fatalf("left: %+v, %v", got, err)
	}
}
