package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testInteractions(t *testing.T, open Open) {
	t.Run("commands", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
		id := c.newInteraction()
		_, err := c.Accept(c.ctx, ns, id, "alice")
		wantErr(t, err, store.ErrConflict)
		_, err = c.Accept(c.ctx, ns, "nothing", "alice")
		wantErr(t, err, store.ErrNotFound)
		c.route()
		if i := c.wantState(id, store.StateOffered, "alice"); !i.Deadline.Equal(clk.now().Add(30 * time.Second)) {
			t.Fatalf("deadline %v", i.Deadline)
		}
		for _, err := range []error{
			second(c.Accept(c.ctx, ns, id, "bob")), second(c.Reject(c.ctx, ns, id, "bob")),
			second(c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{})), c.MarkRead(c.ctx, ns, id, "bob"),
		} {
			wantErr(t, err, store.ErrConflict)
		}
		wantErr(t, second(c.Accept(c.ctx, "other", id, "alice")), store.ErrNotFound)
		i, err := c.Reject(c.ctx, ns, id, "alice")
		if err != nil || i.State != store.StateQueued {
			t.Fatalf("%+v, %v", i, err)
		}
		c.route()
		before := c.cursor()
		i, err = c.Accept(c.ctx, ns, id, "bob")
		if err != nil || i.State != store.StateOpen || i.LastQueue != "mail" || !i.Deadline.IsZero() {
			t.Fatalf("%+v, %v", i, err)
		}
		if diff := cmp.Diff(i, c.get(id)); diff != "" {
			t.Fatalf("returned and stored differ:\n%s", diff)
		}
		wantErr(t, second(c.Accept(c.ctx, ns, id, "bob")), store.ErrConflict)
		wantErr(t, second(c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{})), store.ErrConflict)
		i, err = c.CloseInteraction(c.ctx, ns, id, "bob", store.Disposal{})
		if err != nil || i.State != store.StateClosed || i.Agent != "" || i.LastAgent != "bob" {
			t.Fatalf("%+v, %v", i, err)
		}
		if diff := cmp.Diff([]string{store.EventOpened, store.EventClosed}, c.eventKinds(before)); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
		c.wantReasons(id, "Ingested", "Offered", "Rejected", "Offered", "Accepted", "Closed")
	})
	t.Run("a deadline ends an offer by itself", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 0, "alice")
		id := c.newInteraction()
		c.route()
		clk.advance(30 * time.Second)
		wantErr(t, second(c.Accept(c.ctx, ns, id, "alice")), store.ErrConflict)
	})
	t.Run("lists", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		var ids []string
		for range 7 {
			ids = append(ids, c.newInteraction())
		}
		c.route()
		_, err := c.Accept(c.ctx, ns, ids[0], "alice")
		c.must(err)
		c.must(c.MarkRead(c.ctx, ns, ids[0], "alice"))
		slices.Reverse(ids) // newest first
		var got []string
		f := store.InteractionFilter{Namespace: ns, Limit: 3}
		for {
			page, err := c.ListInteractions(c.ctx, f)
			c.must(err)
			if len(page) == 0 {
				break
			}
			for _, i := range page {
				got = append(got, i.ID)
			}
			f.After = got[len(got)-1]
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Fatalf("pages (-want +got):\n%s", diff)
		}
		for name, tc := range map[string]struct {
			filter store.InteractionFilter
			want   int
		}{
			"all":       {store.InteractionFilter{}, 7},
			"agent":     {store.InteractionFilter{Agent: "alice"}, 7},
			"nobody":    {store.InteractionFilter{Agent: "bob"}, 0},
			"last":      {store.InteractionFilter{LastAgent: "alice"}, 1},
			"never":     {store.InteractionFilter{LastAgent: "bob"}, 0},
			"open":      {store.InteractionFilter{States: []store.InteractionState{store.StateOpen}}, 1},
			"both":      {store.InteractionFilter{States: []store.InteractionState{store.StateOpen, store.StateOffered}}, 7},
			"unread":    {store.InteractionFilter{Unread: true}, 6},
			"account":   {store.InteractionFilter{Account: "support", Queue: "mail"}, 7},
			"queue":     {store.InteractionFilter{Queue: "other"}, 0},
			"namespace": {store.InteractionFilter{Namespace: "other"}, 0},
		} {
			if tc.filter.Namespace == "" {
				tc.filter.Namespace = ns
			}
			list, err := c.ListInteractions(c.ctx, tc.filter)
			c.must(err)
			n, err := c.CountInteractions(c.ctx, tc.filter)
			c.must(err)
			if n != tc.want || len(list) != tc.want {
				t.Errorf("%s: counted %d, listed %d, want %d", name, n, len(list), tc.want)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func testOutbox(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice")
	id, _ := c.open()
	reply := store.Message{InteractionID: id, Namespace: ns, Agent: "alice", MessageID: id + ".1@host", From: "support@example.com",
		To: []string{"carla@example.net"}, Subject: "Re: broken", Text: "try again"}
	_, _, err := c.ClaimOutbound(c.ctx, c.lease, key("support"), time.Minute)
	wantErr(t, err, store.ErrNotFound)
	for _, bad := range []store.Message{
		{InteractionID: id, Namespace: ns, Agent: "bob", MessageID: "x"},
		{InteractionID: id, Namespace: ns, MessageID: "x"},
	} {
		wantErr(t, second(c.AddReply(c.ctx, bad, nil, store.ReplyExtras{})), store.ErrConflict)
	}
	sent, err := c.AddReply(c.ctx, reply, []byte("raw bytes"), store.ReplyExtras{})
	if err != nil || sent.State != store.MessagePending || sent.ID == "" || sent.Account != "support" {
		t.Fatalf("%+v, %v", sent, err)
	}
	if again, err := c.AddReply(c.ctx, reply, []byte("raw bytes"), store.ReplyExtras{}); err != nil || again.ID != sent.ID {
		t.Fatalf("the same reply again: %+v, %v", again, err)
	}
	if i := c.get(id); i.MessageCount != 2 || i.LastDirection != store.Outbound {
		t.Fatalf("interaction %+v", i)
	}
	claim := func(attempt int) {
		t.Helper()
		m, raw, err := c.ClaimOutbound(c.ctx, c.lease, key("support"), time.Minute)
		if err != nil || m.ID != sent.ID || string(raw) != "raw bytes" || m.Attempts != attempt || m.State != store.MessageSending {
			t.Fatalf("claimed %+v %q, %v", m, raw, err)
		}
	}
	none := func() {
		t.Helper()
		_, _, err := c.ClaimOutbound(c.ctx, c.lease, key("support"), time.Minute)
		wantErr(t, err, store.ErrNotFound)
	}
	claim(1)
	none()
	clk.advance(time.Minute) // the claim went stale
	claim(2)
	c.must(c.FinishOutbound(c.ctx, c.lease, sent.ID, store.MessagePending, "421", 10*time.Second))
	none()
	clk.advance(10 * time.Second)
	claim(3)
	before := c.cursor()
	c.must(c.FinishOutbound(c.ctx, c.lease, sent.ID, store.MessageSent, "", 0))
	events, err := c.EventsAfter(c.ctx, ns, before, 10)
	if err != nil || len(events) != 1 || events[0].Kind != store.EventMessageState || events[0].Agent != "alice" || events[0].Subject != sent.ID {
		t.Fatalf("events %+v, %v", events, err)
	}
	wantErr(t, c.FinishOutbound(c.ctx, c.lease, sent.ID, store.MessageFailed, "", 0), store.ErrConflict)
	if m, err := c.GetMessage(c.ctx, ns, sent.ID); err != nil || m.State != store.MessageSent || m.Attempts != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	clk.advance(time.Hour)
	none()
	lost := c.lease
	clk.advance(time.Hour)
	if _, ok, err := c.AcquireLease(c.ctx, "support", "another", time.Hour); err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	_, _, err = c.ClaimOutbound(c.ctx, lost, key("support"), time.Minute)
	wantErr(t, err, store.ErrLeaseLost)
	wantErr(t, c.FinishOutbound(c.ctx, lost, sent.ID, store.MessageSent, "", 0), store.ErrLeaseLost)
}

func testRegistrations(t *testing.T, open Open) {
	clk := newClock()
	s := open(t, clk.option())
	ctx := t.Context()
	pbx, other := key("pbx"), key("pbx2")
	cursor := store.Cursor("")
	wantEvents := func(want ...string) {
		t.Helper()
		events, err := s.EventsAfter(ctx, ns, cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			if e.Kind != store.EventRegistration {
				t.Fatalf("event %+v", e)
			}
			got, cursor = append(got, e.Subject), e.Cursor
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(s.SetRegistrations(ctx, pbx, []store.Registration{{Extension: "1001", URI: "sip:a", UserAgent: "x"}, {Extension: "1002", URI: "sip:b"}, {Extension: "1002", URI: "sip:b"}}))
	wantEvents("1001", "1002")
	first := clk.now()
	clk.advance(time.Minute)
	ok(s.SetRegistrations(ctx, pbx, []store.Registration{{Extension: "1001", URI: "sip:a", UserAgent: "x"}, {Extension: "1003", URI: "sip:c"}}))
	wantEvents("1002", "1003")
	ok(s.PutRegistration(ctx, other, store.Registration{Extension: "1001", URI: "sip:d"}))
	wantEvents("1001")
	ok(s.PutRegistration(ctx, other, store.Registration{Extension: "1001", URI: "sip:d"}))
	wantEvents()
	got, err := s.RegistrationsOf(ctx, ns, "1001")
	want := []store.Registration{{PBX: "pbx", Extension: "1001", URI: "sip:a", UserAgent: "x", Since: first},
		{PBX: "pbx2", Extension: "1001", URI: "sip:d", Since: clk.now()}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	ok(s.PutRegistration(ctx, other, store.Registration{Extension: "1001"}))
	wantEvents("1001")
	for p, want := range map[store.Key]int{pbx: 2, other: 0} {
		if n, err := s.CountRegistrations(ctx, p); err != nil || n != want {
			t.Fatalf("%s has %d, %v; want %d", p, n, err, want)
		}
	}
}
