package routing

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// How the worker paces itself.
const (
	workerBatch = 100
	// pollMost bounds the sleep: a wake-up from another replica may be lost.
	pollMost     = time.Second
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 10 * time.Second
)

// Router is what a worker needs of the store.
type Router interface {
	Route(ctx context.Context, limit int, decide Decider) (int, error)
	// NextDue is when work falls due; zero when none is known, the past when it already is.
	NextDue(ctx context.Context) (time.Time, error)
	Now(ctx context.Context) (time.Time, error)
	Wake() <-chan struct{}
}

// Worker does routing as it falls due. Any number of them may run on one store, in one process or many.
type Worker struct {
	store  Router
	log    *slog.Logger
	decide Decider
}

// NewWorker makes a worker that decides by Decide.
func NewWorker(store Router, logger *slog.Logger) *Worker {
	return &Worker{store: store, log: logger, decide: observed(Decide)}
}

// Run routes until ctx ends, and then returns nil. Errors of the store are logged and retried with backoff.
func (w *Worker) Run(ctx context.Context) error {
	delay := backoffFirst
	for ctx.Err() == nil {
		// Taken before looking, so that a change during the look is not missed.
		wake := w.store.Wake()
		looked, err := w.store.Route(ctx, workerBatch, w.decide)
		if err == nil && looked > 0 {
			delay = backoffFirst
			continue
		}
		var sleep time.Duration
		if err == nil {
			sleep, err = w.idle(ctx)
		}
		if err != nil && ctx.Err() == nil {
			errorsTotal.Inc()
			w.log.Error("routing failed, trying again", "error", err, "delay", delay)
			sleep, wake = delay/2+rand.N(delay), nil
			delay = min(2*delay, backoffMost)
		} else {
			delay = backoffFirst
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// idle is how long to sleep when nothing was due.
func (w *Worker) idle(ctx context.Context) (time.Duration, error) {
	due, err := w.store.NextDue(ctx)
	if err != nil || due.IsZero() {
		return pollMost, err
	}
	now, err := w.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	// What is due and was not done is in another worker's hands: look again soon, but do not spin.
	return min(max(due.Sub(now), 10*time.Millisecond), pollMost), nil
}
