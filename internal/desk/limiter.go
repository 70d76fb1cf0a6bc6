package desk

import (
	"context"
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

// attemptLimiter counts wrong passwords by key. Attempts on one key are verified one after the other, so that guesses
// side by side cannot all pass before the first is counted. It lives in one process: behind several replicas an attacker
// has as many times the attempts as there are replicas.
type attemptLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*attemptBucket
}

type attemptBucket struct {
	wrong *rate.Limiter
	turn  chan struct{} // holds the one attempt that is being verified
	users int           // attempts that wait or are verified; guarded by attemptLimiter.mu
}

// attempt is one password that may be verified; finish must be called.
type attempt struct {
	limiter *attemptLimiter
	key     string
	bucket  *attemptBucket
}

func newAttemptLimiter() *attemptLimiter {
	return &attemptLimiter{now: time.Now, buckets: map[string]*attemptBucket{}}
}

// begin waits for the key's turn. A wait above zero means that too many attempts failed, and nothing is to be finished.
func (l *attemptLimiter) begin(ctx context.Context, key string) (*attempt, time.Duration, error) {
	a := &attempt{limiter: l, key: key, bucket: l.enter(key)}
	select {
	case a.bucket.turn <- struct{}{}:
	case <-ctx.Done():
		l.leave(a)
		return nil, 0, ctx.Err()
	}
	const almostOne = 1 - 1e-9 // tokens are floating-point
	tokens := a.bucket.wrong.TokensAt(l.now())
	if tokens >= almostOne {
		return a, 0, nil
	}
	<-a.bucket.turn
	l.leave(a)
	return nil, time.Duration((1 - tokens) * float64(attemptRefill)), nil
}

// finish counts a wrong password, or forgets earlier ones: whoever knows the password is not guessing. An attempt that
// came to no answer (err) is neither.
func (a *attempt) finish(right bool, err error) {
	switch {
	case err != nil:
	case right:
		a.bucket.wrong = newWrongLimiter()
	default:
		a.bucket.wrong.AllowN(a.limiter.now(), 1)
	}
	<-a.bucket.turn
	a.limiter.leave(a)
}

func newWrongLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(attemptRefill), attemptBurst) }

func (l *attemptLimiter) enter(key string) *attemptBucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.buckets[key]
	if bucket == nil {
		l.makeRoom()
		bucket = &attemptBucket{wrong: newWrongLimiter(), turn: make(chan struct{}, 1)}
		l.buckets[key] = bucket
	}
	bucket.users++
	return bucket
}

func (l *attemptLimiter) leave(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.bucket.users--
	l.dropIdle(a.key, a.bucket)
}

// dropIdle forgets a bucket that knows of nothing.
func (l *attemptLimiter) dropIdle(key string, bucket *attemptBucket) {
	if bucket.users == 0 && bucket.wrong.TokensAt(l.now()) >= attemptBurst {
		delete(l.buckets, key)
	}
}

// makeRoom drops buckets that have filled up again, and when that is not enough any that are not in use.
func (l *attemptLimiter) makeRoom() {
	if len(l.buckets) < maxTracked {
		return
	}
	for key, bucket := range l.buckets {
		l.dropIdle(key, bucket)
	}
	for key, bucket := range l.buckets {
		if len(l.buckets) < maxTracked {
			return
		}
		if bucket.users == 0 {
			delete(l.buckets, key)
		}
	}
}
