package mail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/corpus"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// flood is how many mails each fault meets; none of them may be lost or doubled.
const flood = 2000

func (r *rig) layFlood() {
	r.t.Helper()
	mails := make([]corpus.Mail, flood)
	for i := range mails {
		mails[i] = corpus.Mail{Raw: []byte(letter(fmt.Sprintf("number %d", i), fmt.Sprintf("body %d", i)))}
	}
	r.lay("support", mails)
}

// during waits until more than n mails are stored, and then for a random moment.
func (r *rig) during(n int) {
	r.t.Helper()
	r.Eventually(r.count, time.Minute, time.Millisecond).Should(BeNumerically(">", n))
	time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // the random moment
	stored := r.count()
	r.t.Logf("the fault comes after %d of %d", stored, flood)
	r.Expect(stored).To(BeNumerically("<", flood), "the fault must meet work under way")
}

// exactlyOnce is what must hold after every fault.
func (r *rig) exactlyOnce() {
	r.t.Helper()
	r.awaitCount(flood)
	r.Eventually(func() int { u, _ := r.unseen("support"); return u }, 3*time.Minute, 50*time.Millisecond).Should(BeZero())
	subjects := map[string]bool{}
	for _, i := range r.interactions() {
		subjects[i.Subject] = true
		r.Expect(i.MessageCount).To(Equal(1), i.Subject)
		if messages := r.messages(i); messages[0].State != store.MessageStored {
			r.t.Errorf("%s is %s: %s", i.Subject, messages[0].State, messages[0].Detail)
		}
	}
	r.Expect(subjects).To(HaveLen(flood))
	_, all := r.unseen("support")
	r.Expect(all).To(Equal(flood), "nothing is deleted")
}

func TestFaultStoreIsKilled(t *testing.T) {
	e := env.Temp(t)
	postgres, err := e.StartPostgres(t.Context(), env.PostgresOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := postgres.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := rigIn(t, postgresIn(t, dsn))
	r.layFlood()
	r.run(fast(), r.cfg)
	for _, n := range []int{100, 700} {
		r.during(n)
		r.Expect(postgres.Kill9()).To(Succeed())
		r.Expect(postgres.Restart(t.Context())).To(Succeed())
	}
	r.exactlyOnce()
}

func TestFaultMailServerIsKilled(t *testing.T) {
	r := newRig(t)
	r.layFlood()
	r.run(fast(), r.cfg)
	for _, n := range []int{100, 700} {
		r.during(n)
		r.Expect(r.dovecot.Kill9()).To(Succeed())
		r.Expect(r.dovecot.Restart(t.Context())).To(Succeed())
	}
	r.exactlyOnce()
}

// Each connection is cut after a random number of bytes, in TLS records, commands and bodies alike.
func TestFaultConnectionIsCut(t *testing.T) {
	r := newRig(t)
	p := newProxy(t, r.dovecot.IMAPSAddr, func(int) int64 { return rand.Int64N(150_000) })
	r.cfg.IMAP.Port = p.port()
	r.layFlood()
	r.run(fast(), r.cfg)
	r.exactlyOnce()
	t.Logf("%d connections", p.connections())
	r.Expect(p.connections()).To(BeNumerically(">", 3))
}

// The mailbox gets new UIDs while it is read, as after a restore from a backup: some mails are stored and not flagged then.
func TestFaultUIDValidityChanges(t *testing.T) {
	r := newRig(t)
	r.layFlood()
	before := r.uidValidity()
	r.run(fast(), r.cfg)
	for _, n := range []int{100, 700} {
		r.during(n)
		r.Expect(r.dovecot.Kill9()).To(Succeed())
		dir := r.dovecot.Maildir("support")
		indexes, err := filepath.Glob(filepath.Join(dir, "dovecot.index*"))
		r.Expect(err).NotTo(HaveOccurred())
		for _, file := range append(indexes, filepath.Join(dir, "dovecot-uidlist")) {
			r.Expect(os.Remove(file)).To(Succeed())
		}
		r.Expect(r.dovecot.Restart(t.Context())).To(Succeed())
		// Until Dovecot has numbered the mailbox anew, its STATUS may name none.
		r.Eventually(r.uidValidity, 10*time.Second).ShouldNot(Or(BeZero(), Equal(before)))
		before = r.uidValidity()
	}
	r.exactlyOnce()
}

func (r *rig) uidValidity() uint32 {
	r.t.Helper()
	c := r.client("support")
	defer func() { _ = c.Close() }()
	data, err := c.Status("INBOX", &imap.StatusOptions{UIDValidity: true}).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	return data.UIDValidity
}

// Another program moves mails away all the time, between SEARCH and FETCH too, and brings them back in the end.
func TestFaultMailsAreMovedAway(t *testing.T) {
	r := newRig(t)
	r.layFlood()
	c := r.client("support")
	defer func() { _ = c.Close() }()
	r.Expect(c.Create("Elsewhere", nil).Wait()).To(Succeed())
	_, err := c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	_, stop := r.run(fast(), r.cfg)
	moved := 0
	for moved < 500 && r.count() < flood {
		first := imap.UID(1 + rand.IntN(flood-20))
		var set imap.UIDSet
		set.AddRange(first, first+19)
		data, err := c.Move(set, "Elsewhere").Wait()
		r.Expect(err).NotTo(HaveOccurred())
		if uids, ok := data.SourceUIDs.(imap.UIDSet); ok {
			nums, _ := uids.Nums()
			moved += len(nums)
		}
	}
	stop()
	before := r.count()
	t.Logf("%d were moved away, %d stored before they came back", moved, before)
	r.Expect(moved).To(BeNumerically(">", 100))
	_, err = c.Select("Elsewhere", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	_, err = c.Move(imap.SeqSet{imap.SeqRange{Start: 1}}, "INBOX").Wait()
	r.Expect(err).NotTo(HaveOccurred())
	r.run(fast(), r.cfg)
	r.exactlyOnce()
}

// stopping is a store for a process that stands still from one of its commits on, as a paused machine does, and goes on later.
type stopping struct {
	*store.DB
	at      int32
	commits atomic.Int32
	stopped chan struct{}
	resume  chan struct{}
	refused atomic.Int32
	still   sync.RWMutex
}

func (s *stopping) wait() {
	s.still.RLock()
	defer s.still.RUnlock()
}

func (s *stopping) Ingest(ctx context.Context, l store.Lease, account store.Key, mails []store.IngestMail) ([]store.IngestResult, error) {
	if s.commits.Add(1) == s.at {
		s.still.Lock()
		close(s.stopped)
		<-s.resume
		s.still.Unlock()
	}
	s.wait()
	results, err := s.DB.Ingest(context.WithoutCancel(ctx), l, account, mails)
	if errors.Is(err, store.ErrLeaseLost) {
		s.refused.Add(1)
	}
	return results, err
}

func (s *stopping) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error) {
	s.wait()
	return s.DB.AcquireLease(ctx, name, holder, ttl)
}

func (s *stopping) ReleaseLease(ctx context.Context, l store.Lease) error {
	s.wait()
	return s.DB.ReleaseLease(ctx, l)
}

// Two replicas on one account: the one that stands still loses it within seconds, and what it still tries to store when it goes
// on is refused.
func TestFaultReplicaStandsStill(t *testing.T) {
	dsn := env.Postgres(t).NewDatabase(t)
	r := rigIn(t, postgresIn(t, dsn))
	r.layFlood()
	first := &stopping{DB: r.store, at: 4, stopped: make(chan struct{}), resume: make(chan struct{})}
	run := func(name string, st Store) (stop func()) {
		o := fast()
		o.Holder = name
		s := NewSupervisor(st, o)
		s.Apply(r.cfg)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		return sync.OnceFunc(func() {
			cancel()
			r.Expect(<-done).To(Succeed())
		})
	}
	stopFirst := run("first", first)
	defer stopFirst()
	r.Eventually(first.stopped, 30*time.Second).Should(BeClosed())
	stopped, before := time.Now(), r.count()
	r.Expect(before).To(BeNumerically("<", flood))
	stopSecond := run("second", r.store)
	defer stopSecond()
	r.Eventually(r.count, 30*time.Second, 5*time.Millisecond).Should(BeNumerically(">", before))
	took := time.Since(stopped)
	close(first.resume)
	t.Logf("after %d mails; the account moved in %s with a lease of %s", before, took.Round(time.Millisecond), fast().LeaseTTL)
	r.Expect(took).To(BeNumerically("<", 3*fast().LeaseTTL))
	r.Eventually(first.refused.Load, 10*time.Second).Should(BeNumerically(">", 0))
	r.exactlyOnce()
}

// The disk of the store gets full: nothing is flagged that is not stored, nothing is quarantined for it, and all goes on once
// there is room.
func TestFaultDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := rigIn(t, opened(t, func() (*store.DB, error) { return store.OpenSQLite(t.Context(), filepath.Join(dir, "store.db")) }))
	r.layFlood()
	s, _ := r.run(fast(), r.cfg)
	failures := s.metrics.errors.WithLabelValues(namespace, "support", ReasonStoreUnavailable)
	r.Eventually(func() float64 { return gauge(t, failures) }, time.Minute, 5*time.Millisecond).Should(BeNumerically(">=", 3))
	stored := r.count()
	unseen, all := r.unseen("support")
	t.Logf("full after %d mails; %d are flagged", stored, all-unseen)
	r.Expect(stored).To(BeNumerically("<", flood))
	r.Expect(all - unseen).To(BeNumerically("<=", stored))
	r.Expect(syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=200m")).To(Succeed())
	r.exactlyOnce()
}

// The store's clock jumps to and fro while two replicas share the account, and is put back by hours while the holder is dead: the
// leases move, and the fence keeps each mail single.
func TestFaultClockMoves(t *testing.T) {
	var shift atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	r := rigIn(t, func() *store.DB { return storetest.SQLite(t, store.WithClock(now)) })
	r.layFlood()
	replica := func(name string) Options {
		o := fast()
		o.Holder = name
		return o
	}
	_, stopFirst := r.run(replica("first"), r.cfg)
	_, stopSecond := r.run(replica("second"), r.cfg)
	for _, step := range []struct {
		after int
		jump  time.Duration
	}{{100, 2 * time.Hour}, {400, -4 * time.Hour}, {700, 30 * time.Hour}} {
		r.during(step.after)
		shift.Add(int64(step.jump))
	}
	stopFirst()
	stopSecond()
	// A holder that died without letting go, just before the clock went back.
	_, ok, err := r.store.AcquireLease(t.Context(), "mail/"+key("support").String(), "dead", 2*time.Second)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(ok).To(BeTrue())
	shift.Add(int64(-5 * time.Hour))
	stored := r.count()
	r.put("support", letter("after the clock went back", "x"))
	begin := time.Now()
	r.run(replica("third"), r.cfg)
	r.Eventually(r.count, 30*time.Second, 5*time.Millisecond).Should(BeNumerically(">", stored))
	r.Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
	r.awaitCount(flood + 1)
	subjects := map[string]bool{}
	for _, i := range r.interactions() {
		subjects[i.Subject] = true
		r.Expect(i.MessageCount).To(Equal(1))
	}
	r.Expect(subjects).To(HaveLen(flood + 1))
}
