package routing_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runWorker runs a worker until the test ends.
func runWorker(t *testing.T, r routing.Router) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- routing.NewWorker(r, slog.New(slog.DiscardHandler)).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("worker still runs")
		}
	})
}

func key(name string) store.Key { return store.Key{Namespace: "acme", Name: name} }

func TestWorkerRoutesOnAStore(t *testing.T) {
	g := gomega.NewWithT(t)
	db := storetest.SQLite(t)
	runWorker(t, db)

	ctx := t.Context()
	g.Expect(db.PutAgent(ctx, store.Agent{Key: key("alice"), Username: "alice", Active: true})).To(gomega.Succeed())
	g.Expect(db.PutAgent(ctx, store.Agent{Key: key("bob"), Username: "bob", Active: true})).To(gomega.Succeed())
	g.Expect(db.PutQueue(ctx, store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory),
		OfferTimeout: 2 * time.Second, Members: []store.QueueMember{{Agent: "alice"}, {Agent: "bob"}}})).To(gomega.Succeed())
	g.Expect(db.PutAccount(ctx, store.Account{Key: key("support"), Queue: "mail"})).To(gomega.Succeed())
	lease, _, err := db.AcquireLease(ctx, "support", "test", time.Hour)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	res, err := db.Ingest(ctx, lease, key("support"), []store.IngestMail{{Mailbox: "INBOX", UID: 1, Kind: store.IngestMessage, SHA256: "a"}})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	history := func() []string {
		list, err := db.History(ctx, "acme", res[0].InteractionID)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		var out []string
		for _, tr := range list {
			out = append(out, tr.Reason+" "+tr.Agent)
		}
		return out
	}
	g.Consistently(history, "200ms").Should(gomega.Equal([]string{"Ingested "}))
	g.Expect(db.SetPresence(ctx, store.Presence{Agent: key("alice"), SignedIn: true})).To(gomega.Succeed())
	g.Eventually(history, "800ms", "5ms").Should(gomega.Equal([]string{"Ingested ", "Offered alice"}), "a wake-up, not the poll")
	g.Expect(db.SetPresence(ctx, store.Presence{Agent: key("bob"), SignedIn: true})).To(gomega.Succeed())
	g.Eventually(history, "15s", "5ms").Should(gomega.HaveExactElements("Ingested ", "Offered alice", "OfferTimeout alice", "Offered bob"))
	_, err = db.Accept(ctx, "acme", res[0].InteractionID, "bob")
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// faultyRouter fails a number of times, which a real store does not do on demand.
type faultyRouter struct {
	fails    int32
	calls    atomic.Int32
	nextDue  time.Time
	dueCalls atomic.Int32
}

func (f *faultyRouter) Route(context.Context, int, routing.Decider) (int, error) {
	if f.calls.Add(1) <= f.fails {
		return 0, errors.New("no connection")
	}
	return 0, nil
}

func (f *faultyRouter) NextDue(context.Context) (time.Time, error) {
	f.dueCalls.Add(1)
	return f.nextDue, nil
}
func (f *faultyRouter) Now(context.Context) (time.Time, error) { return time.Now(), nil }
func (f *faultyRouter) Wake() <-chan struct{}                  { return make(chan struct{}) }

func TestWorkerSurvivesErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &faultyRouter{fails: 3}
	start := time.Now()
	runWorker(t, f)
	g.Eventually(f.dueCalls.Load, "5s", "5ms").Should(gomega.BeNumerically(">", 0))
	g.Expect(f.calls.Load()).To(gomega.Equal(int32(4)))
	g.Expect(time.Since(start)).To(gomega.BeNumerically(">", 200*time.Millisecond), "with backoff")
}

func TestWorkerDoesNotSpinOnWorkInOtherHands(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &faultyRouter{nextDue: time.Now().Add(-time.Minute)}
	runWorker(t, f)
	g.Consistently(f.calls.Load, "300ms").Should(gomega.BeNumerically("<=", 31))
}

func TestMetricsRegister(t *testing.T) {
	if err := routing.RegisterMetrics(prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
}
