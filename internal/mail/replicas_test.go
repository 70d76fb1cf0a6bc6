package mail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// Two replicas on PostgreSQL, one of them always dying: each mail of every account becomes one interaction.
func TestReplicasOnPostgres(t *testing.T) {
	dsn := env.Postgres(t).NewDatabase(t)
	d := env.Dovecot(t)
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	open := func() *store.DB {
		st, err := store.OpenPostgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		return st
	}
	r := &rig{t: t, Gomega: NewWithT(t), dovecot: d, store: open()}
	r.Expect(r.store.PutQueue(t.Context(), store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: "RRMemory", OfferTimeout: time.Minute})).To(Succeed())
	const accounts, each = 4, 150
	var cfgs []Config
	for a := range accounts {
		name := fmt.Sprintf("box%d", a)
		cfgs = append(cfgs, r.account(name))
		var mails []string
		for i := range each {
			mails = append(mails, letter(fmt.Sprintf("%s number %d", name, i), "x"))
		}
		r.put(name, mails...)
	}
	others := open()
	var running sync.WaitGroup
	for round := range 6 {
		st, o := r.store, fast()
		if round%2 == 1 {
			st = others
		}
		o.Holder = fmt.Sprintf("replica %d", round)
		s := NewSupervisor(st, o)
		for _, c := range cfgs {
			s.Apply(c)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		running.Go(func() { done <- s.Run(ctx) })
		// It dies while the next one is already waiting for its leases.
		t.Cleanup(func() { cancel() })
		if round < 5 {
			time.AfterFunc(time.Duration(100+rand.IntN(200))*time.Millisecond, cancel)
			if round%2 == 1 {
				r.Eventually(done, 30*time.Second).Should(Receive(BeNil()))
			}
			continue
		}
		r.awaitCount(accounts * each)
		cancel()
		r.Eventually(done, 30*time.Second).Should(Receive(BeNil()))
	}
	running.Wait()
	for _, i := range r.interactions() {
		r.Expect(i.MessageCount).To(Equal(1))
	}
	r.Expect(r.count()).To(Equal(accounts * each))
}
