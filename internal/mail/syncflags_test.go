package mail

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// awaitUnseen waits until so many mails are unseen on the server.
func (r *rig) awaitUnseen(n int) {
	r.t.Helper()
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 10*time.Second, 20*time.Millisecond).Should(Equal(n))
}

// syncing lets marks of agents reach the server.
func (r *rig) syncing() {
	r.t.Helper()
	a, err := r.store.GetAccount(r.t.Context(), r.cfg.Account)
	r.Expect(err).NotTo(HaveOccurred())
	a.Desk.SyncFlags = true
	r.Expect(r.store.PutAccount(r.t.Context(), a)).To(Succeed())
	r.cfg.IMAP.SyncFlags = SyncTwoWay
}

// An agent's mark reaches the server at once, or when a worker is there again, and is not taken back by the next look.
func TestSyncFlags(t *testing.T) {
	r := newRig(t)
	r.syncing()
	r.put("support", letter("one", "x"))
	_, stop := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.awaitUnseen(0)
	id := r.find("one").ID
	mark := func(how func(context.Context, string, string, string) error) {
		t.Helper()
		r.Expect(how(t.Context(), namespace, id, "alice")).To(Succeed())
	}
	mark(r.store.MarkRead)
	mark(r.store.MarkUnread)
	r.awaitUnseen(1)
	r.put("support", letter("two", "x")) // a look that must not flag the first
	r.awaitCount(2)
	r.awaitUnseen(1)
	mark(r.store.MarkRead)
	r.awaitUnseen(0)

	stop()
	mark(r.store.MarkUnread)
	_, stop = r.run(fast(), r.cfg)
	r.awaitUnseen(1)
	stop()

	// Dying between the change and its record: it is made again, and so is the next one.
	mark(r.store.MarkRead)
	r.live(beforeRecord, nil)
	r.awaitUnseen(0)
	r.Expect(r.flags(1)).To(HaveKeyWithValue(uint32(1), store.FlagMarkSeen))
	mark(r.store.MarkUnread)
	r.live(beforeRecord, nil)
	r.run(fast(), r.cfg)
	r.Eventually(func() store.MailFlag { return r.flags(1)[1] }, 10*time.Second, 10*time.Millisecond).Should(Equal(store.FlagUnseen))
	r.awaitUnseen(1)
	r.Expect(r.count()).To(Equal(2))
}

// A mark of an agent is no wish to have the mail again; somebody else who reads it and marks it unread afterwards has one.
func TestSyncFlagsAndTakeAgain(t *testing.T) {
	r := newRig(t)
	r.syncing()
	r.cfg.IMAP.TakeAgain, r.cfg.IMAP.Delivery, r.cfg.IMAP.PollInterval = true, Poll, 50*time.Millisecond
	r.put("support", letter("one", "x"))
	_, stop := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.awaitFlags(everySeen(1), 1)
	id := r.find("one").ID
	r.Expect(r.store.MarkRead(t.Context(), namespace, id, "alice")).To(Succeed())
	r.Expect(r.store.MarkUnread(t.Context(), namespace, id, "alice")).To(Succeed())
	r.awaitUnseen(1)
	stop()
	r.run(fast(), r.cfg)
	r.put("support", letter("two", "x"))
	r.awaitCount(2)
	r.Expect(r.flags(1)).To(HaveKeyWithValue(uint32(1), store.FlagUnseen))
	r.setSeen("support", true, 1)
	r.awaitFlags(everySeen(2), 2)
	r.setSeen("support", false, 1)
	r.awaitCount(3)
}

// With None nothing is ever written to the mailbox, and still each mail is taken once, whatever the selection.
func TestSyncFlagsNone(t *testing.T) {
	for _, selection := range []Selection{UIDWatermark, Unseen} {
		t.Run(string(selection), func(t *testing.T) {
			r, server := scripted(t, three()...)
			r.cfg.IMAP.SyncFlags, r.cfg.IMAP.Selection, r.cfg.IMAP.Delivery = SyncNone, selection, Poll
			_, stop := r.run(fast(), r.cfg)
			r.awaitCount(3)
			stop()
			r.run(fast(), r.cfg)
			server.Deliver(imaptest.Mail{UID: 100, Raw: letter("next", "x")})
			r.awaitCount(4)
			fetches := 0
			for _, command := range server.Commands() {
				r.Expect(command).NotTo(HavePrefix("UID STORE"))
				if strings.HasPrefix(command, "UID FETCH") {
					fetches++
				}
			}
			r.Expect(fetches).To(Equal(4), "sizes and bodies, twice")
		})
	}
}
