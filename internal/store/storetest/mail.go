package storetest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testLeases(t *testing.T, open Open) {
	clk := newClock()
	s := open(t, clk.option())
	ctx := t.Context()
	acquire := func(holder string, wantOK bool) store.Lease {
		t.Helper()
		l, ok, err := s.AcquireLease(ctx, "mail/x", holder, time.Minute)
		if err != nil || ok != wantOK {
			t.Fatalf("%s: ok %v, %v", holder, ok, err)
		}
		return l
	}
	held := func(want bool) {
		t.Helper()
		if got, err := s.LeaseHeld(ctx, "mail/x"); err != nil || got != want {
			t.Fatalf("held %v, %v, want %v", got, err, want)
		}
	}
	held(false)
	a := acquire("a", true)
	held(true)
	acquire("b", false)
	clk.advance(50 * time.Second)
	if renewed := acquire("a", true); renewed != a {
		t.Fatalf("renewed %+v, want %+v", renewed, a)
	}
	clk.advance(50 * time.Second)
	acquire("b", false)
	clk.advance(20 * time.Second)
	held(false)
	b := acquire("b", true)
	if b.Fence <= a.Fence {
		t.Fatalf("fence %d after %d", b.Fence, a.Fence)
	}
	acquire("a", false)
	if err := s.ReleaseLease(ctx, a); err != nil { // stale: changes nothing
		t.Fatal(err)
	}
	acquire("a", false)
	if err := s.ReleaseLease(ctx, b); err != nil {
		t.Fatal(err)
	}
	held(false)
	if again := acquire("a", true); again.Fence <= b.Fence {
		t.Fatalf("fence %d after %d", again.Fence, b.Fence)
	}
}

func testIngest(t *testing.T, open Open) {
	t.Run("a mail becomes an interaction once", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		m := c.mail()
		m.Message.Attachments = []store.Attachment{{Name: "a.pdf", ContentType: "application/pdf", Size: 10}}
		m.Message.Subject = "nul \x00 and \xff"
		before := c.cursor()
		first := c.ingest(m)[0]
		if first.Duplicate || first.Joined || first.UID != m.UID || first.InteractionID == "" {
			t.Fatalf("result %+v", first)
		}
		if diff := cmp.Diff([]string{store.EventQueued}, c.eventKinds(before)); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
		i := c.wantState(first.InteractionID, store.StateQueued, "")
		want := store.Interaction{ID: i.ID, Namespace: ns, Channel: store.ChannelEmail, Account: "support", Queue: "mail",
			State: store.StateQueued, Subject: "nul  and \uFFFD", Customer: "carla@example.net", Name: "Carla",
			CreatedAt: i.CreatedAt, UpdatedAt: i.CreatedAt, MessageCount: 1, LastDirection: store.Inbound, Version: 1}
		if diff := cmp.Diff(want, i); diff != "" || i.CreatedAt.IsZero() {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		messages, err := c.ListMessages(c.ctx, ns, i.ID)
		c.must(err)
		wantMessage := m.Message
		wantMessage.InteractionID, wantMessage.Namespace, wantMessage.Account = i.ID, ns, "support"
		wantMessage.Direction, wantMessage.State, wantMessage.Subject = store.Inbound, store.MessageStored, want.Subject
		if diff := cmp.Diff([]store.Message{wantMessage}, messages, cmpopts.IgnoreFields(store.Message{}, "ID", "CreatedAt"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		raw, err := c.RawMessage(c.ctx, ns, messages[0].ID)
		if err != nil || !bytes.Equal(raw, m.Raw) {
			t.Fatalf("raw %q, %v", raw, err)
		}
		_, err = c.RawMessage(c.ctx, "other", messages[0].ID)
		wantErr(t, err, store.ErrNotFound)

		elsewhere, epoch := m, m
		elsewhere.UID, elsewhere.Mailbox = 900, "Archive"
		epoch.UIDValidity = 8
		for _, again := range []store.IngestMail{m, elsewhere, epoch, epoch} {
			if res := c.ingest(again)[0]; !res.Duplicate || res.InteractionID != i.ID {
				t.Fatalf("again %+v: %+v", again.UID, res)
			}
		}
		if diff := cmp.Diff(i, c.get(i.ID)); diff != "" {
			t.Fatalf("a duplicate changed it:\n%s", diff)
		}
		known, err := c.KnownUIDs(c.ctx, key("support"), "INBOX", 8, []uint32{m.UID, 77})
		if diff := cmp.Diff(map[uint32]bool{m.UID: true}, known); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("kinds", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		filtered, cut, bad, auto, same := c.mail(), c.mail(), c.mail(), c.mail(), c.mail()
		filtered.Kind, filtered.Raw, filtered.SHA256 = store.IngestFiltered, nil, ""
		cut.Kind, cut.Detail = store.IngestHeadersOnly, "over 50 MB"
		bad.Kind, bad.Message = store.IngestQuarantined, store.Message{}
		auto.Automatic = true
		same.SHA256, same.Raw = auto.SHA256, auto.Raw // the same content twice in one batch
		res := c.ingest(filtered, cut, bad, auto, same)
		if res[0].InteractionID != "" || res[0].Duplicate {
			t.Fatalf("filtered: %+v", res[0])
		}
		if !res[4].Duplicate || res[4].InteractionID != res[3].InteractionID {
			t.Fatalf("same content: %+v after %+v", res[4], res[3])
		}
		c.wantState(res[3].InteractionID, store.StateUnread, "")
		c.wantReasons(res[3].InteractionID, "Automatic")
		for n, state := range map[int]store.MessageState{1: store.MessageHeadersOnly, 2: store.MessageQuarantined, 3: store.MessageStored} {
			list, err := c.ListMessages(c.ctx, ns, res[n].InteractionID)
			if err != nil || len(list) != 1 || list[0].State != state {
				t.Fatalf("mail %d: %+v, %v", n, list, err)
			}
		}
		if known, err := c.KnownUIDs(c.ctx, key("support"), "INBOX", 7, []uint32{1, 2, 3, 4, 5, 6}); err != nil || len(known) != 5 {
			t.Fatalf("known %v, %v", known, err)
		}
		if res := c.ingest(filtered); !res[0].Duplicate || res[0].InteractionID != "" {
			t.Fatalf("filtered again: %+v", res[0])
		}
		c.must(c.PutAccountStatus(c.ctx, store.AccountStatus{Account: key("support"), IMAP: "Ready"}))
		if st, err := c.GetAccountStatus(c.ctx, key("support")); err != nil || st.Ingested != 3 || st.Quarantined != 1 {
			t.Fatalf("counters %+v, %v", st, err)
		}
	})
	t.Run("without a queue", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		c.must(c.DeleteQueue(c.ctx, key("mail")))
		id := c.newInteraction()
		c.wantState(id, store.StateUnread, "")
		c.wantReasons(id, "NoQueue")
	})
	t.Run("fencing", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 0, "alice")
		clk.advance(2 * time.Hour)
		if _, ok, err := c.AcquireLease(c.ctx, "support", "another", time.Hour); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		m := c.mail()
		_, err := c.Ingest(c.ctx, c.lease, key("support"), []store.IngestMail{m})
		wantErr(t, err, store.ErrLeaseLost)
		if known, err := c.KnownUIDs(c.ctx, key("support"), "INBOX", 7, []uint32{m.UID}); err != nil || len(known) != 0 {
			t.Fatalf("written without the lease: %v, %v", known, err)
		}
	})
	t.Run("aborted in the middle", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		var batch []store.IngestMail
		for range 100 {
			m := c.mail()
			m.Raw = append(m.Raw, bytes.Repeat([]byte("x"), 20000)...)
			batch = append(batch, m)
		}
		start := time.Now()
		c.ingest(batch[:50]...)
		took := time.Since(start) // of half of it: aborts fall all over the transaction
		aborted := 0
		for n := range 20 {
			ctx, cancel := context.WithTimeout(c.ctx, took*time.Duration(n)/15)
			_, err := c.Ingest(ctx, c.lease, key("support"), batch[50:])
			cancel()
			count, countErr := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns})
			c.must(countErr)
			switch {
			case err == nil && count == 100, err != nil && (count == 50 || count == 100):
			default:
				t.Fatalf("%d interactions after error %v", count, err)
			}
			if err != nil {
				aborted++
			}
		}
		if aborted == 0 {
			t.Fatal("no transaction was aborted")
		}
		c.ingest(batch...)
		count, err := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns})
		if err != nil || count != 100 {
			t.Fatalf("%d interactions, %v", count, err)
		}
		if known, err := c.KnownUIDs(c.ctx, key("support"), "INBOX", 7, uids(batch)); err != nil || len(known) != 100 {
			t.Fatalf("%d locations, %v", len(known), err)
		}
	})
	t.Run("50 MB", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		m := c.mail()
		m.Raw = bytes.Repeat([]byte("0123456789abcdef"), 50<<20/16)
		id := c.ingest(m)[0].InteractionID
		list, err := c.ListMessages(c.ctx, ns, id)
		c.must(err)
		raw, err := c.RawMessage(c.ctx, ns, list[0].ID)
		if err != nil || !bytes.Equal(raw, m.Raw) {
			t.Fatalf("%d bytes back, %v", len(raw), err)
		}
	})
	t.Run("status", func(t *testing.T) { testAccountStatus(t, open) })
}

func uids(mails []store.IngestMail) []uint32 {
	var out []uint32
	for _, m := range mails {
		out = append(out, m.UID)
	}
	return out
}

func testAccountStatus(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0)
	s := store.AccountStatus{Account: key("support"), ConfigHash: "h", IMAP: "Ready", SMTP: "Pending", SMTPMessage: "waiting",
		CertificateSHA256: "ab", LastPoll: clk.now()}
	put := func(wantEvent, wantWrite bool) {
		t.Helper()
		before, old := c.cursor(), clk.now()
		clk.advance(time.Second)
		c.must(c.PutAccountStatus(c.ctx, s))
		got, err := c.GetAccountStatus(c.ctx, s.Account)
		c.must(err)
		if wrote := got.UpdatedAt.After(old); wrote != wantWrite {
			t.Fatalf("wrote %v, want %v", wrote, wantWrite)
		}
		if event := len(c.eventKinds(before)) == 1; event != wantEvent {
			t.Fatalf("event %v, want %v", event, wantEvent)
		}
		if wantWrite {
			if diff := cmp.Diff(s, got, cmpopts.IgnoreFields(store.AccountStatus{}, "UpdatedAt")); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
	}
	put(true, true)
	put(false, false)
	s.LastPoll = s.LastPoll.Add(30 * time.Second)
	put(false, false)
	s.LastPoll = s.LastPoll.Add(30 * time.Second)
	put(false, true)
	s.IMAP, s.IMAPMessage = "AuthenticationFailed", "refused"
	put(true, true)
}

func testThreads(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	first := c.newInteraction() // m1@example.net
	t.Run("in one batch", func(t *testing.T) {
		starter := c.mail()
		reply := c.mail("unknown@example.net", starter.Message.MessageID)
		res := c.ingest(starter, reply)
		if !res[1].Joined || res[1].InteractionID != res[0].InteractionID {
			t.Fatalf("results %+v", res)
		}
	})
	t.Run("queued stays queued", func(t *testing.T) {
		res := c.ingest(c.mail("<m1@example.net>"))[0]
		if !res.Joined || res.InteractionID != first {
			t.Fatalf("result %+v", res)
		}
		if i := c.wantState(first, store.StateQueued, ""); i.MessageCount != 2 || i.Version != 1 {
			t.Fatalf("interaction %+v", i)
		}
	})
	t.Run("open stays with its agent", func(t *testing.T) {
		c.route()
		_, err := c.Accept(c.ctx, ns, first, "alice")
		c.must(err)
		c.must(c.MarkRead(c.ctx, ns, first, "alice"))
		if !c.get(first).Read {
			t.Fatal("not read")
		}
		before := c.cursor()
		c.ingest(c.mail("m1@example.net"))
		if i := c.wantState(first, store.StateOpen, "alice"); i.Read || i.MessageCount != 3 {
			t.Fatalf("interaction %+v", i)
		}
		events, err := c.EventsAfter(c.ctx, ns, before, 10)
		if err != nil || len(events) != 1 || events[0].Kind != store.EventMessage || events[0].Agent != "alice" {
			t.Fatalf("events %+v, %v", events, err)
		}
	})
	t.Run("own Message-ID, closed is queued again", func(*testing.T) {
		own := first + ".abc@host"
		_, err := c.AddReply(c.ctx, store.Message{InteractionID: first, Namespace: ns, Agent: "alice", MessageID: own}, []byte("raw"), store.ReplyExtras{})
		c.must(err)
		_, err = c.CloseInteraction(c.ctx, ns, first, "alice", store.Disposal{})
		c.must(err)
		c.ingest(c.mail(own))
		c.wantState(first, store.StateQueued, "")
		c.wantReasons(first, "Ingested", "Offered", "Accepted", "Closed", "Reopened")
	})
	t.Run("own token", func(t *testing.T) {
		if res := c.ingest(c.mail(first))[0]; !res.Joined || res.InteractionID != first {
			t.Fatalf("result %+v", res)
		}
	})
	t.Run("automatic does not queue a closed one", func(*testing.T) {
		id, agent := c.open()
		_, err := c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
		c.must(err)
		bounce := c.mail(id)
		bounce.Automatic = true
		c.ingest(bounce)
		c.wantState(id, store.StateUnread, "")
		c.ingest(c.mail(id)) // a person writes again
		c.wantState(id, store.StateQueued, "")
	})
	t.Run("another account's identifiers do not join", func(t *testing.T) {
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Queue: "mail"}))
		l, _, err := c.AcquireLease(c.ctx, "sales", "test", time.Hour)
		c.must(err)
		res, err := c.Ingest(c.ctx, l, key("sales"), []store.IngestMail{c.mail("m1@example.net", first)})
		if err != nil || res[0].Joined {
			t.Fatalf("results %+v, %v", res, err)
		}
	})
	t.Run("long and odd identifiers", func(t *testing.T) {
		long := strings.Repeat("x", 5000) + "@example.net"
		starter := c.mail(" ", "<>", "nul\x00")
		starter.Message.MessageID = long
		id := c.ingest(starter)[0].InteractionID
		if res := c.ingest(c.mail("<" + long + ">"))[0]; res.InteractionID != id {
			t.Fatalf("result %+v", res)
		}
		nameless := c.mail()
		nameless.Message.MessageID = ""
		c.ingest(nameless)
	})
}
