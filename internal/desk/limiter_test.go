package desk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAttemptLimiter(t *testing.T) {
	now := time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC)
	l := newAttemptLimiter()
	l.now = func() time.Time { return now }
	try := func(right bool, failure error) time.Duration {
		t.Helper()
		a, wait, err := l.begin(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		if wait == 0 {
			a.finish(right, failure)
		}
		return wait
	}
	for n := range attemptBurst {
		if wait := try(false, nil); wait != 0 {
			t.Fatalf("attempt %d has to wait %v", n, wait)
		}
	}
	for range 3 { // refused attempts do not count
		if wait := try(false, nil); wait != attemptRefill {
			t.Errorf("after the burst: wait %v", wait)
		}
	}
	now = now.Add(attemptRefill / 2)
	if wait := try(true, nil); wait != attemptRefill/2 {
		t.Errorf("half a minute later: wait %v", wait)
	}
	now = now.Add(attemptRefill / 2)
	for range 3 { // nor do those without an answer
		if wait := try(false, errors.New("the database is away")); wait != 0 {
			t.Errorf("a minute later: wait %v", wait)
		}
	}
	if wait := try(false, nil); wait != 0 {
		t.Errorf("a minute later: wait %v", wait)
	}
	if wait := try(false, nil); wait == 0 {
		t.Error("more than one attempt after one refill")
	}
	now = now.Add(attemptRefill)
	if wait := try(true, nil); wait != 0 || len(l.buckets) != 0 {
		t.Errorf("the right password: wait %v, %d users remembered", wait, len(l.buckets))
	}
}

// Guesses side by side are counted like guesses in a row, and right passwords side by side all pass.
func TestAttemptLimiterSideBySide(t *testing.T) {
	for right, want := range map[bool]int64{false: attemptBurst, true: 100} {
		l := newAttemptLimiter()
		var verified atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				a, wait, err := l.begin(t.Context(), "alice")
				if err == nil && wait == 0 {
					verified.Add(1)
					a.finish(right, nil)
				}
			})
		}
		wg.Wait()
		if verified.Load() != want {
			t.Errorf("right %v: %d of 100 verified, want %d", right, verified.Load(), want)
		}
	}
}

func TestAttemptLimiterBounds(t *testing.T) {
	l := newAttemptLimiter()
	held, _, err := l.begin(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	for n := range maxTracked + 100 {
		a, _, err := l.begin(t.Context(), fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		a.finish(false, nil)
	}
	if len(l.buckets) > maxTracked {
		t.Errorf("%d users tracked, want at most %d", len(l.buckets), maxTracked)
	}
	waiting, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.begin(waiting, "held"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting behind another attempt with an ended context: %v", err)
	}
	held.finish(true, nil)
}
