package mail

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringmaster-dev/ringmaster/internal/mail/imaptest"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// So many looks at once and no more, whatever servers do; another limit holds from then on without a new connection, and mailboxes in IDLE go on.
func TestPollsAreBounded(t *testing.T) {
	r, slow := scripted(t)
	var looking, most atomic.Int64
	proceed := make(chan struct{})
	slow.Handle("UID SEARCH", func(*imaptest.Conn, string) bool {
		now := looking.Add(1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		<-proceed
		looking.Add(-1)
		return false
	})
	const accounts = 7
	s := NewSupervisor(r.store, fast())
	s.LimitPolls(namespace, 2)
	for i := range accounts {
		c := r.cfg
		c.Account.Name = fmt.Sprintf("slow-%d", i)
		c.IMAP.Delivery, c.IMAP.PollInterval = Poll, 10*time.Millisecond
		r.Expect(r.store.PutAccount(t.Context(), store.Account{Key: c.Account, Address: c.Account.Name + "@example.test", Queue: "mail", Active: true})).To(Succeed())
		s.Apply(c)
	}
	quick := imaptest.New(t)
	idle := r.cfg
	_, err := fmt.Sscanf(quick.Addr, "127.0.0.1:%d", &idle.IMAP.Port)
	r.Expect(err).NotTo(HaveOccurred())
	s.Apply(idle)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	waiting := func() float64 { return gauge(t, s.metrics.pollsWaiting.WithLabelValues(namespace)) }

	r.Eventually(waiting, 10*time.Second, 5*time.Millisecond).Should(BeEquivalentTo(accounts - 2))
	r.Eventually(looking.Load, 10*time.Second, 5*time.Millisecond).Should(BeEquivalentTo(2))
	// What is in IDLE waits for nobody.
	r.Eventually(quick.Idlers, 10*time.Second, 5*time.Millisecond).Should(Equal(1))
	quick.Deliver(imaptest.Mail{UID: 5, Raw: letter("at once", "x")})
	r.awaitCount(1)
	r.Expect(most.Load()).To(BeEquivalentTo(2))

	dials := slow.Dials()
	s.LimitPolls(namespace, 5)
	r.Eventually(looking.Load, 10*time.Second, 5*time.Millisecond).Should(BeEquivalentTo(5))
	r.Expect(waiting()).To(BeEquivalentTo(accounts - 5))
	r.Expect(slow.Dials()).To(Equal(dials), "nobody connects anew")

	// Everybody has their turn, and a smaller limit holds as well.
	s.LimitPolls(namespace, 1)
	close(proceed)
	looks := func() map[string]bool {
		looked := map[string]bool{}
		for i := range accounts {
			name := fmt.Sprintf("slow-%d", i)
			if status, err := r.store.GetAccountStatus(t.Context(), key(name)); err == nil && !status.LastPoll.IsZero() {
				looked[name] = true
			}
		}
		return looked
	}
	r.Eventually(looks, 20*time.Second, 20*time.Millisecond).Should(HaveLen(accounts))
	r.Eventually(looking.Load, 10*time.Second, time.Millisecond).Should(BeNumerically("<=", 1))
	most.Store(0)
	before := len(slow.Commands())
	r.Eventually(func() int { return len(slow.Commands()) - before }, 10*time.Second, 5*time.Millisecond).Should(BeNumerically(">", 30))
	r.Expect(most.Load()).To(BeEquivalentTo(1))
	cancel()
	r.Expect(<-ended).To(Succeed())
	r.Expect(s.polls(namespace).taken).To(BeZero())
	r.Expect(waiting()).To(BeZero())
}

// Who gives up leaves neither a place taken nor a place in the line.
func TestPollGateForgetsWhoGivesUp(t *testing.T) {
	g := NewWithT(t)
	gate := &pollGate{limit: 1, waits: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waits"})}
	g.Expect(gate.acquire(t.Context())).To(Succeed())
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- gate.acquire(ctx) }()
	first := make(chan error, 1)
	line := func() int { gate.mu.Lock(); defer gate.mu.Unlock(); return len(gate.waiting) }
	g.Eventually(line, time.Second, time.Millisecond).Should(Equal(1))
	go func() { first <- gate.acquire(t.Context()) }()
	g.Eventually(line, time.Second, time.Millisecond).Should(Equal(2))
	cancel()
	g.Expect(<-gone).To(MatchError(context.Canceled))
	g.Consistently(first, 20*time.Millisecond).ShouldNot(Receive())
	gate.release()
	g.Expect(<-first).To(Succeed())
	gate.release()
	g.Expect(gate.taken).To(BeZero())
	// Turn and end at the same time: whichever is seen, nothing is lost.
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if gate.acquire(ctx) == nil {
			gate.release()
		}
		cancel()
	}
	g.Expect(gate.taken).To(BeZero())
	g.Expect(line()).To(BeZero())
}
