package controllers

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// figuresInterval is how often the figures are read.
const figuresInterval = 15 * time.Second

// Figures are the metrics of e-mail accounts and of their queues: where interactions are, and how quickly they are accepted. The leader alone has them, so
// that nothing is counted twice; the labels are those of the object.
type Figures struct {
	store FiguresStore

	mu   sync.Mutex
	read time.Time // by the store's clock
	// accounts and queues, nil when nothing is known.
	accounts []store.AccountFigures
	queues   []store.QueueFigures
}

// FiguresStore is what Figures need of the store.
type FiguresStore interface {
	ListAccountFigures(ctx context.Context, account store.Key) ([]store.AccountFigures, error)
	ListQueueFigures(ctx context.Context, queue store.Key) ([]store.QueueFigures, error)
	Now(ctx context.Context) (time.Time, error)
}

// NewFigures returns figures that are unknown until Start has read them.
func NewFigures(s FiguresStore) *Figures { return &Figures{store: s} }

// accountMetric is one gauge of an account.
type accountMetric struct {
	desc *prometheus.Desc
	of   func(f store.AccountFigures, now time.Time) float64
}

var accountMetrics = []accountMetric{
	emailGauge("waiting", "Interactions that wait in a queue, for an agent or in a flow.", func(f store.AccountFigures, _ time.Time) float64 { return float64(f.Waiting) }),
	emailGauge("offered", "Interactions that are offered to agents.", func(f store.AccountFigures, _ time.Time) float64 { return float64(f.Offered) }),
	emailGauge("open", "Interactions that are open with agents.", func(f store.AccountFigures, _ time.Time) float64 { return float64(f.Open) }),
	emailGauge("unread", "Interactions that left routing unread and wait for somebody to take them over.",
		func(f store.AccountFigures, _ time.Time) float64 { return float64(f.Unread) }),
	emailGauge("oldest_waiting_seconds", "How long the first of the waiting interactions has waited; 0 when there is none.",
		func(f store.AccountFigures, now time.Time) float64 { return age(f.OldestWaiting, now) }),
	emailGauge("assigned_waiting_seconds", "How long the first follow-up has waited to be read by the agent who has its conversation; 0 when there is none.",
		func(f store.AccountFigures, now time.Time) float64 { return age(f.OldestFollowUp, now) }),
}

func emailGauge(name, help string, of func(store.AccountFigures, time.Time) float64) accountMetric {
	return accountMetric{emailDesc(name, help), of}
}

// queueMetric is one gauge of an e-mail queue.
type queueMetric struct {
	desc *prometheus.Desc
	of   func(f store.QueueFigures) float64
}

var queueMetrics = []queueMetric{
	{emailDesc("queue_accepted", "Interactions accepted from the queue in the last 24 hours."), func(f store.QueueFigures) float64 { return float64(f.Accepted) }},
	{emailDesc("queue_accepted_in_time", "Those of them that waited no longer than the threshold of the queue's serviceLevel."),
		func(f store.QueueFigures) float64 { return float64(f.InTime) }},
	{emailDesc("queue_accepted_wait_seconds", "How long they had waited in the queue, on average."), func(f store.QueueFigures) float64 { return f.Waited.Seconds() }},
}

func emailDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ringmaster_email_"+name, help, []string{"namespace", "name"}, nil)
}

func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(now.Sub(since).Seconds(), 0)
}

// Describe implements prometheus.Collector.
func (f *Figures) Describe(out chan<- *prometheus.Desc) {
	for _, m := range accountMetrics {
		out <- m.desc
	}
	for _, m := range queueMetrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (f *Figures) Collect(out chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, account := range f.accounts {
		for _, m := range accountMetrics {
			out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.of(account, f.read), account.Account.Namespace, account.Account.Name)
		}
	}
	for _, queue := range f.queues {
		for _, m := range queueMetrics {
			out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.of(queue), queue.Queue.Namespace, queue.Queue.Name)
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f *Figures) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable: it reads the figures until ctx ends. What cannot be read is not known, and is not shown.
func (f *Figures) Start(ctx context.Context) error {
	ticker := time.NewTicker(figuresInterval)
	defer ticker.Stop()
	for {
		if err := f.refresh(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).WithName("figures").Error(err, "reading the figures of accounts and queues")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (f *Figures) refresh(ctx context.Context) error {
	accounts, err := f.store.ListAccountFigures(ctx, store.Key{})
	var queues []store.QueueFigures
	if err == nil {
		queues, err = f.store.ListQueueFigures(ctx, store.Key{})
	}
	var now time.Time
	if err == nil {
		now, err = f.store.Now(ctx)
	}
	if err != nil {
		accounts, queues = nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accounts, f.queues, f.read = accounts, queues, now
	return err
}
