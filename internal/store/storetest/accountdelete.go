package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testDeleteAccount(t *testing.T, open Open) {
	account := key("support")
	// What alice has open, is offered, waits in the queue, is unread, is closed already, and a conversation that is another account's by now.
	start := func(t *testing.T) (c *center, ids []string, sales string) {
		c = newCenter(t, open(t), 2, "alice")
		c.rules(routing.Rules{TransferToAccounts: []string{"sales"}})
		c.must(c.PutAccount(c.ctx, store.Account{Key: key("sales"), Address: "sales@example.com", Queue: "second", Active: true}))
		c.second()
		sales, _ = c.open()
		c.transfer(sales, "alice", store.TransferToAccount, "sales")
		closed, _ := c.open()
		c.must(second(c.CloseInteraction(c.ctx, ns, closed, "alice", store.Disposal{})))
		opened, _ := c.open()
		offered, queued := c.newInteraction(), c.newInteraction()
		machine := c.mail()
		machine.Automatic = true
		unread := c.ingest(machine)[0].InteractionID
		c.route()
		c.wantState(opened, store.StateOpen, "alice")
		c.wantState(offered, store.StateOffered, "alice")
		c.wantState(queued, store.StateQueued, "")
		c.wantState(unread, store.StateUnread, "")
		return c, []string{closed, opened, offered, queued, unread}, sales
	}
	t.Run("what is not closed is closed", func(t *testing.T) {
		c, ids, sales := start(t)
		before, history := c.cursor(), c.reasonsOf(ids[0])
		c.must(c.DeleteAccount(c.ctx, account))
		if diff := cmp.Diff(history, c.reasonsOf(ids[0])); diff != "" {
			t.Errorf("what was closed before (-want +got):\n%s", diff)
		}
		for _, id := range ids[1:] {
			i := c.wantState(id, store.StateClosed, "")
			if reason := c.lastReason(id); i.Disposition != routing.DispositionAccountDeleted || reason != routing.ReasonAccountDeleted || i.MessageCount != 1 {
				t.Errorf("closed with %q, reason %q, %d messages", i.Disposition, reason, i.MessageCount)
			}
		}
		want := []string{store.EventClosed, store.EventOfferEnded, store.EventClosed, store.EventClosed, store.EventClosed}
		if diff := cmp.Diff(want, c.eventKinds(before)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		c.wantState(sales, store.StateQueued, "")
		c.must(c.DeleteAccount(c.ctx, account)) // again changes nothing
		if n := len(c.reasonsOf(ids[1])); n != 4 {
			t.Errorf("%d steps after another deletion", n)
		}

		// An account of the same name goes on with them.
		c.must(c.PutAccount(c.ctx, store.Account{Key: account, Address: "support@example.com", Queue: "mail", Active: true}))
		if id := c.ingest(c.mail(ids[1]))[0].InteractionID; id != ids[1] {
			t.Error("an answer to what is kept started anew")
		}
	})
	t.Run("more than one transaction closes, and purges", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		var mails []store.IngestMail
		for range 150 {
			mails = append(mails, c.mail())
		}
		c.ingest(mails...)
		count := func(f store.InteractionFilter) int {
			t.Helper()
			f.Namespace, f.Limit = ns, 500
			list, err := c.ListInteractions(c.ctx, f)
			c.must(err)
			return len(list)
		}
		c.must(c.DeleteAccount(c.ctx, account))
		if n := count(store.InteractionFilter{States: []store.InteractionState{store.StateClosed}}); n != 150 {
			t.Fatalf("%d of 150 closed", n)
		}
		c.must(c.PurgeAccount(c.ctx, account))
		if n := count(store.InteractionFilter{}); n != 0 {
			t.Fatalf("%d left", n)
		}
	})
	t.Run("purged", func(t *testing.T) {
		c, ids, sales := start(t)
		messages, err := c.ListMessages(c.ctx, ns, ids[1])
		c.must(err)
		c.must(c.DeleteAccount(c.ctx, account))
		c.must(c.PurgeAccount(c.ctx, account))
		c.must(c.PurgeAccount(c.ctx, account)) // nothing left
		for _, id := range ids {
			_, err := c.GetInteraction(c.ctx, ns, id)
			wantErr(t, err, store.ErrNotFound)
		}
		_, err = c.RawMessage(c.ctx, ns, messages[0].ID)
		wantErr(t, err, store.ErrNotFound)
		c.wantState(sales, store.StateQueued, "")
		if kept, err := c.ListMessages(c.ctx, ns, sales); err != nil || len(kept) != 1 {
			t.Fatalf("messages of what another account has: %d, %v", len(kept), err)
		}

		// Nothing is known any more: neither content nor whose answer it is.
		c.must(c.PutAccount(c.ctx, store.Account{Key: account, Address: "support@example.com", Queue: "mail", Active: true}))
		again := c.mail(messages[0].MessageID, ids[1])
		again.Message.MessageID = messages[0].MessageID
		if r := c.ingest(again)[0]; r.Duplicate || r.InteractionID == ids[1] {
			t.Fatalf("an answer to what is gone: %+v", r)
		}
	})
}
