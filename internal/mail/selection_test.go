package mail

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
)

// watermark that is stored.
func (r *rig) watermark() uint32 {
	state, err := r.store.GetMailbox(r.t.Context(), r.cfg.Account, r.cfg.WithDefaults().IMAP.Mailbox)
	if err != nil {
		return 0
	}
	return state.WatermarkUID
}

// What arrives is taken also when another program opens it first; what was read before the account was connected is not.
func TestSelection(t *testing.T) {
	for selection, want := range map[Selection][]string{
		UIDWatermark: {"unseen before", "read while stopped", "unseen"},
		Unseen:       {"unseen before", "unseen"},
	} {
		t.Run(string(selection), func(t *testing.T) {
			r := newRig(t)
			r.cfg.IMAP.Selection = selection
			r.put("support", letter("read before", "x"), letter("unseen before", "x"))
			r.setSeen("support", true, 1)
			_, stop := r.run(fast(), r.cfg)
			r.awaitCount(1)
			stop()
			r.put("support", letter("read while stopped", "x"), letter("unseen", "x"))
			r.setSeen("support", true, 3)
			_, stop = r.run(fast(), r.cfg)
			r.awaitCount(len(want))
			r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
			stop()
			r.run(fast(), r.cfg) // nothing more comes of it
			r.awaitIMAP("support", ReasonReady)
			r.put("support", letter("last", "x"))
			r.awaitCount(len(want) + 1)
			r.Expect(r.subjects()).To(ConsistOf(append(want, "last")))
		})
	}
}

// The selection may be changed: the watermark begins where the change comes, and what was read while it did not count stays.
func TestSelectionChanges(t *testing.T) {
	r := newRig(t)
	r.cfg.IMAP.Selection = Unseen
	r.put("support", letter("one", "x"), letter("read", "x"))
	r.setSeen("support", true, 2)
	s, _ := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.Expect(r.watermark()).To(BeZero())
	r.cfg.IMAP.Selection = UIDWatermark
	s.Apply(r.cfg)
	r.Eventually(r.watermark, 10*time.Second, 10*time.Millisecond).Should(BeEquivalentTo(3))
	r.put("support", letter("three", "x"))
	r.awaitCount(2)
	r.cfg.IMAP.Selection = Unseen
	s.Apply(r.cfg)
	r.Eventually(r.watermark, 10*time.Second, 10*time.Millisecond).Should(BeZero())
	r.Expect(r.subjects()).To(ConsistOf("one", "three"))
}

// After a renumbering mails that arrived meanwhile are new, seen or not, and those that are stored are not.
func TestRenumberedWatermark(t *testing.T) {
	r := newRig(t)
	r.cfg.IMAP.InitialSync, r.cfg.IMAP.Mailbox = FromNow, "Cases"
	c := r.client("support")
	defer func() { _ = c.Close() }()
	r.Expect(c.Create("Cases", nil).Wait()).To(Succeed())
	_, stop := r.run(fast(), r.cfg)
	r.awaitIMAP("support", ReasonReady)
	kept := letter("kept", "x")
	r.Expect(r.append(c, "Cases", kept)).To(Succeed())
	r.awaitCount(1)
	stop()
	r.Expect(c.Delete("Cases").Wait()).To(Succeed())
	r.Expect(c.Create("Cases", nil).Wait()).To(Succeed())
	r.Expect(r.append(c, "Cases", kept, letter("read", "x"))).To(Succeed())
	_, err := c.Select("Cases", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(c.Store(imap.UIDSetNum(1, 2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()).To(Succeed())
	r.run(fast(), r.cfg)
	r.awaitCount(2)
	r.Expect(r.append(c, "Cases", letter("next", "x"))).To(Succeed())
	r.awaitCount(3)
	r.Expect(r.subjects()).To(ConsistOf("kept", "read", "next"))
}

// The watermark is stored as it moves, and a mail that the server does not speak of for a while holds it back.
func TestWatermarkMoves(t *testing.T) {
	r, server := scripted(t, three()...)
	r.cfg.IMAP.Delivery = Poll
	var silent atomic.Bool
	silent.Store(true)
	server.Handle("UID FETCH", func(c *imaptest.Conn, args string) bool {
		if !silent.Load() {
			return false
		}
		set, items, _ := strings.Cut(args, " ")
		if set, spoken := strings.CutSuffix(set, ":219"); spoken {
			c.Fetch(set + ":149 " + items)
		} else {
			c.Fetch(args)
		}
		return true
	})
	r.run(fast(), r.cfg)
	r.awaitCount(3)
	for uid := uint32(100); uid < 220; uid++ {
		server.Deliver(imaptest.Mail{UID: uid, Seen: true, Raw: letter(fmt.Sprintf("mail %d", uid), "x")})
	}
	r.awaitCount(53)
	r.Expect(r.watermark()).To(BeEquivalentTo(100))
	silent.Store(false)
	r.awaitCount(123)
	r.Eventually(r.watermark, 5*time.Second, 10*time.Millisecond).Should(BeEquivalentTo(220))
}
