package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

var epoch = store.MailboxEpoch{Account: key("support"), Mailbox: "INBOX", UIDValidity: 7}

// flags of mails, those that are to be changed, and those not known to be seen.
func (c *center) wantFlags(flags, wanted map[uint32]store.MailFlag, unconfirmed ...uint32) {
	c.t.Helper()
	var all []uint32
	for uid := range c.uid + 1 {
		all = append(all, uid)
	}
	got, err := c.MailFlags(c.ctx, epoch, all)
	c.must(err)
	if diff := cmp.Diff(flags, got); diff != "" {
		c.t.Errorf("flags (-want +got):\n%s", diff)
	}
	got, err = c.WantedFlags(c.ctx, epoch)
	c.must(err)
	if diff := cmp.Diff(wanted, got); diff != "" {
		c.t.Errorf("wanted (-want +got):\n%s", diff)
	}
	uids, err := c.UnconfirmedUIDs(c.ctx, epoch)
	c.must(err)
	slices.Sort(uids)
	if diff := cmp.Diff(unconfirmed, uids); diff != "" {
		c.t.Errorf("unconfirmed (-want +got):\n%s", diff)
	}
}

func (c *center) record(flag store.MailFlag, uids ...uint32) {
	c.t.Helper()
	c.must(c.RecordFlags(c.ctx, c.lease, epoch, flag, uids))
}

type flagMap = map[uint32]store.MailFlag

// An agent's mark becomes a wish that lasts until the worker says that the server has it so.
func testMailFlags(t *testing.T, open Open) {
	sync := func(c *center, yes bool) {
		a, err := c.GetAccount(c.ctx, key("support"))
		c.must(err)
		a.Desk.SyncFlags = yes
		c.must(c.PutAccount(c.ctx, a))
	}
	t.Run("marks", func(t *testing.T) {
		c := newCenter(t, open(t), 0, "alice")
		id, _ := c.open()
		c.ingest(c.mail(id)) // the last mail counts
		c.must(c.MarkRead(c.ctx, ns, id, "alice"))
		c.must(c.MarkUnread(c.ctx, ns, id, "alice"))
		c.wantFlags(flagMap{}, flagMap{}, 1, 2) // not wanted

		sync(c, true)
		c.must(c.MarkRead(c.ctx, ns, id, "alice"))
		before := c.cursor()
		c.must(c.MarkUnread(c.ctx, ns, id, "alice"))
		c.wantFlags(flagMap{2: store.FlagMarkUnseen}, flagMap{2: store.FlagMarkUnseen}, 1)
		if kinds := c.eventKinds(before); !slices.Contains(kinds, store.EventMailFlags) {
			t.Errorf("events %v", kinds)
		}
		c.record(store.FlagSeen, 1, 2) // what a worker knew before
		c.wantFlags(flagMap{1: store.FlagSeen, 2: store.FlagMarkUnseen}, flagMap{2: store.FlagMarkUnseen})
		c.record(store.FlagUnseen, 1, 2)
		c.wantFlags(flagMap{1: store.FlagSeen, 2: store.FlagUnseen}, flagMap{}, 2)

		c.must(c.MarkRead(c.ctx, ns, id, "alice"))
		c.wantFlags(flagMap{1: store.FlagSeen, 2: store.FlagMarkSeen}, flagMap{2: store.FlagMarkSeen})
		c.must(c.MarkUnread(c.ctx, ns, id, "alice"))
		c.record(store.FlagSeen, 2) // the mark before this one was carried out
		c.wantFlags(flagMap{1: store.FlagSeen, 2: store.FlagMarkUnseen}, flagMap{2: store.FlagMarkUnseen})
		c.record(store.FlagUnseen, 2)
	})
	for name, end := range map[string]func(c *center, id string) error{
		"read": func(c *center, id string) error { return c.MarkRead(c.ctx, ns, id, "alice") },
		"answered": func(c *center, id string) error {
			_, err := c.AddReply(c.ctx, store.Message{InteractionID: id, Namespace: ns, Agent: "alice", MessageID: "r@x"}, []byte("raw"), store.ReplyExtras{})
			return err
		},
		"closed": func(c *center, id string) error {
			_, err := c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCenter(t, open(t), 0, "alice")
			sync(c, true)
			id, _ := c.open()
			c.must(c.MarkRead(c.ctx, ns, id, "alice"))
			c.must(c.MarkUnread(c.ctx, ns, id, "alice"))
			c.record(store.FlagUnseen, 1)
			c.must(end(c, id))
			c.wantFlags(flagMap{1: store.FlagMarkSeen}, flagMap{1: store.FlagMarkSeen})
			c.record(store.FlagSeen, 1)
			c.wantFlags(flagMap{1: store.FlagSeen}, flagMap{})
		})
	}
	t.Run("fencing and deletion", func(t *testing.T) {
		clk := newClock()
		c := newCenter(t, open(t, clk.option()), 0, "alice")
		c.newInteraction()
		c.record(store.FlagSeen, 1)
		clk.advance(2 * time.Hour)
		_, _, err := c.AcquireLease(c.ctx, "support", "another", time.Hour)
		c.must(err)
		wantErr(t, c.RecordFlags(c.ctx, c.lease, epoch, store.FlagSeen, []uint32{1}), store.ErrLeaseLost)
		c.must(c.DeleteAccount(c.ctx, key("support")))
		c.wantFlags(flagMap{}, flagMap{})
	})
	t.Run("place", func(t *testing.T) {
		c := newCenter(t, open(t), 0)
		want := store.MailboxState{UIDValidity: 7, FloorUID: 3, WatermarkUID: 1<<32 - 1}
		c.must(c.SetMailbox(c.ctx, key("support"), "INBOX", want))
		if got, err := c.GetMailbox(c.ctx, key("support"), "INBOX"); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A mail is taken again once for each time it was known to be seen, and by nothing else.
func testIngestAgain(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	m := c.mail()
	m.ThreadKeys = []string{"m1@example.net"} // its own conversation, which it would join
	first := c.ingest(m)[0].InteractionID
	m.Again = true
	unchanged := func() {
		t.Helper()
		if res := c.ingest(m)[0]; !res.Duplicate {
			t.Errorf("taken again: %+v", res)
		}
	}
	unchanged()
	seen := map[string]bool{first: true}
	for range 3 {
		c.record(store.FlagSeen, m.UID)
		batch := []store.IngestMail{m, m} // the second is a duplicate of the first
		res := c.ingest(batch...)
		if res[0].Duplicate || res[0].Joined || seen[res[0].InteractionID] || !res[1].Duplicate {
			t.Fatalf("results %+v", res)
		}
		seen[res[0].InteractionID] = true
		c.wantState(res[0].InteractionID, store.StateQueued, "")
		c.wantFlags(flagMap{}, flagMap{}, m.UID)
		unchanged()
	}
	if n, err := c.CountInteractions(c.ctx, store.InteractionFilter{Namespace: ns}); err != nil || n != 4 {
		t.Errorf("%d interactions, %v", n, err)
	}
	list, err := c.MailLocations(c.ctx, key("support"), "INBOX", 7)
	c.must(err)
	if latest := list[m.UID].InteractionID; latest == first || !seen[latest] {
		t.Errorf("the place leads to %s", latest)
	}
	// Elsewhere the content is a duplicate as ever.
	elsewhere := m
	elsewhere.UID = 900
	if res := c.ingest(elsewhere)[0]; !res.Duplicate {
		t.Errorf("a copy: %+v", res)
	}
	c.record(store.FlagSeen, m.UID)
	plain := m
	plain.Again = false
	if res := c.ingest(plain)[0]; !res.Duplicate {
		t.Errorf("not asked for: %+v", res)
	}
}
