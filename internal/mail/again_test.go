package mail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// setSeen changes \Seen as somebody's mail program does.
func (r *rig) setSeen(name string, seen bool, uids ...uint32) {
	r.t.Helper()
	c := r.client(name)
	defer func() { _ = c.Close() }()
	_, err := c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	op := imap.StoreFlagsAdd
	if !seen {
		op = imap.StoreFlagsDel
	}
	var set imap.UIDSet
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	r.Expect(c.Store(set, &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()).To(Succeed())
}

// flags of the first n mails of the account as the store knows them.
func (r *rig) flags(n uint32) map[uint32]store.MailFlag {
	state, err := r.store.GetMailbox(r.t.Context(), r.cfg.Account, "INBOX")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	r.Expect(err).NotTo(HaveOccurred())
	var uids []uint32
	for uid := range n {
		uids = append(uids, uid+1)
	}
	flags, err := r.store.MailFlags(r.t.Context(), store.MailboxEpoch{Account: r.cfg.Account, Mailbox: "INBOX", UIDValidity: state.UIDValidity}, uids)
	r.Expect(err).NotTo(HaveOccurred())
	return flags
}

func everySeen(n uint32) map[uint32]store.MailFlag {
	flags := map[uint32]store.MailFlag{}
	for uid := range n {
		flags[uid+1] = store.FlagSeen
	}
	return flags
}

func (r *rig) awaitFlags(want map[uint32]store.MailFlag, n uint32) {
	r.t.Helper()
	r.Eventually(func() string { return cmp.Diff(want, r.flags(n)) }, 20*time.Second, 10*time.Millisecond).Should(BeEmpty())
}

// death is when a process ends.
type death int

const (
	beforeCommit death = iota
	afterCommit
	beforeRecord
	never
)

var errDead = errors.New("the process has ended")

// mortal is the store of a process that ends at a moment: nothing of it is written afterwards, but for the lease it gives back.
type mortal struct {
	*store.DB
	at   death
	dead atomic.Bool
	end  func()
}

func (s *mortal) die() error {
	s.dead.Store(true)
	s.end()
	return errDead
}

func (s *mortal) Ingest(ctx context.Context, l store.Lease, account store.Key, mails []store.IngestMail) ([]store.IngestResult, error) {
	switch {
	case s.dead.Load():
		return nil, errDead
	case s.at == beforeCommit:
		return nil, s.die()
	}
	results, err := s.DB.Ingest(ctx, l, account, mails)
	if err == nil && s.at == afterCommit {
		return nil, s.die()
	}
	return results, err
}

func (s *mortal) RecordFlags(ctx context.Context, l store.Lease, e store.MailboxEpoch, flag store.MailFlag, uids []uint32) error {
	switch {
	case s.dead.Load():
		return errDead
	case s.at == beforeRecord:
		return s.die()
	}
	return s.DB.RecordFlags(ctx, l, e, flag, uids)
}

func (s *mortal) SetMailbox(ctx context.Context, account store.Key, mailbox string, state store.MailboxState) error {
	if s.dead.Load() {
		return errDead
	}
	return s.DB.SetMailbox(ctx, account, mailbox, state)
}

// live runs the account until the process dies or alive ends.
func (r *rig) live(at death, alive func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	died := make(chan struct{})
	st := &mortal{DB: r.store, at: at, end: func() { cancel(); close(died) }}
	s := NewSupervisor(st, fast())
	s.Apply(r.cfg)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if alive != nil {
		alive()
		cancel()
	} else {
		r.Eventually(died, 20*time.Second).Should(BeClosed())
	}
	r.Eventually(done, 20*time.Second).Should(Receive(BeNil()))
}

// A mail that was seen and is unseen again becomes one new interaction, whatever dies between fetch and commit, commit and flag, or flag and its
// record; and nothing else does.
func TestTakeAgain(t *testing.T) {
	r := newRig(t)
	r.cfg.IMAP.TakeAgain, r.cfg.IMAP.Delivery, r.cfg.IMAP.PollInterval = true, Poll, 50*time.Millisecond
	const mails = 4
	for n := range mails {
		r.put("support", letter(fmt.Sprintf("mail %d", n), "x"))
	}
	for _, at := range []death{beforeCommit, afterCommit, beforeRecord} {
		r.live(at, nil)
	}
	want := mails
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for round := range 12 {
		r.live(never, func() {
			r.awaitCount(want)
			r.awaitFlags(everySeen(mails), mails)
		})
		var uids []uint32
		for uid := range uint32(mails) {
			if rng.IntN(2) == 0 {
				uids = append(uids, uid+1)
			}
		}
		if len(uids) == 0 {
			uids = []uint32{1}
		}
		r.setSeen("support", false, uids...)
		want += len(uids)
		// It dies once or twice on the way.
		at := death(rng.IntN(int(never)))
		r.live(at, nil)
		if at == beforeCommit && round%2 == 0 {
			r.live(afterCommit, nil)
		}
	}
	r.live(never, func() {
		r.awaitCount(want)
		r.awaitFlags(everySeen(mails), mails)
		r.Consistently(r.count, 300*time.Millisecond).Should(Equal(want))
	})
	for _, i := range r.interactions() {
		r.Expect(i.MessageCount).To(Equal(1))
	}
}

// The change of a flag is noticed while the connection idles, mails of the conversation join the new interaction's answer or the first, and an
// account that checks for duplicates only flags the mail.
func TestTakeAgainIsNoticed(t *testing.T) {
	r := newRig(t)
	r.cfg.IMAP.TakeAgain = true
	r.put("support", letter("one", "x"))
	s, _ := r.run(fast(), r.cfg)
	r.awaitCount(1)
	r.awaitFlags(everySeen(1), 1)
	for n := range 2 {
		r.setSeen("support", false, 1)
		r.awaitCount(n + 2)
		r.awaitFlags(everySeen(1), 1)
	}
	r.Expect(r.status("support").Ingested).To(BeEquivalentTo(3))

	r.cfg.IMAP.TakeAgain = false
	s.Apply(r.cfg)
	r.setSeen("support", false, 1)
	r.put("support", letter("two", "x")) // makes it look
	r.awaitCount(4)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
	r.Expect(r.count()).To(Equal(4))
}

// What was stored before duplicates were wanted is not taken again for being unseen: only what was seen in between.
func TestTakeAgainBeginsWithWhatIsSeen(t *testing.T) {
	r := newRig(t)
	r.put("support", letter("one", "x"), letter("two", "x"))
	r.live(never, func() {
		r.awaitCount(2)
		r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 5*time.Second).Should(BeZero())
	})
	r.setSeen("support", false, 1)
	r.cfg.IMAP.TakeAgain = true
	r.live(never, func() { r.awaitFlags(everySeen(2), 2) })
	r.Expect(r.count()).To(Equal(2))
}
