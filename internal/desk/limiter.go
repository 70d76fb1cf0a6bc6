package desk

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Failed sign-ins of one user from one address: ten at once, then one a minute.
const (
	attemptBurst  = 10
	attemptRefill = time.Minute
	// maxTracked bounds memory under a flood of invented user names (about 200 bytes each).
	maxTracked = 10_000
)

// attemptLimiter counts password attempts by key. It lives in one process: behind several replicas an attacker has as
// many times the attempts as there are replicas.
type attemptLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newAttemptLimiter() *attemptLimiter {
	return &attemptLimiter{now: time.Now, buckets: map[string]*rate.Limiter{}}
}

// begin takes an attempt before the password is verified, so that attempts side by side count too. It returns how
// long to wait when none is left.
func (l *attemptLimiter) begin(key string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	bucket := l.buckets[key]
	if bucket == nil {
		l.makeRoom(now)
		bucket = rate.NewLimiter(rate.Every(attemptRefill), attemptBurst)
		l.buckets[key] = bucket
	}
	r := bucket.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// succeeded forgets the attempts: whoever knows the password is not guessing.
func (l *attemptLimiter) succeeded(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, key)
}

// makeRoom drops buckets that are full again, and when that is not enough any one.
func (l *attemptLimiter) makeRoom(now time.Time) {
	if len(l.buckets) < maxTracked {
		return
	}
	for key, bucket := range l.buckets {
		if bucket.TokensAt(now) >= attemptBurst {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets {
		if len(l.buckets) < maxTracked {
			return
		}
		delete(l.buckets, key)
	}
}
