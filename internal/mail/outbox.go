package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/mail/smtp"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Sending is tried sendAttempts times, by default over about four hours.
const (
	sendAttempts   = 10
	lastRetry      = 2 * time.Hour
	claimStale     = 15 * time.Minute // longer than any one attempt can take
	watchInterval  = time.Second
	watchBatch     = 500
	watchMinPeriod = 20 * time.Millisecond
)

// outbox sends the replies of an account, and the system mails it is chosen for, and checks that it could. One thing runs at a time.
type outbox struct {
	account *account
	lease   store.Lease

	mu      sync.Mutex
	running bool
	again   bool
	// paused is until when nothing is tried after the server could not be used: neither the attempts of the other
	// mails nor the patience of a server that counts sign-ins shall be spent.
	paused time.Time
	work   sync.WaitGroup

	checkAt time.Time // when verify is due next
	check   backoff
	refused time.Duration // present wait after a refused sign-in
}

// with does something at the server, signed in.
func (o *outbox) with(ctx context.Context, do func(smtp.Config) error) error {
	host, _ := os.Hostname()
	cfg := o.account.cfg.SMTP
	return o.account.signIn(ctx, cfg.Auth, cfg.OAuth, func(auth remote.Auth) error {
		return do(smtp.Config{Server: cfg.Server, Auth: auth, LocalName: host})
	})
}

func (o *outbox) wait() { o.work.Wait() }

// send starts to send what is pending, unless that runs already: then it looks once more at its end.
func (o *outbox) send(ctx context.Context) {
	if o.account.cfg.SMTP.Host == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Now().Before(o.paused) {
		return
	}
	if o.running {
		o.again = true
		return
	}
	o.running = true
	o.work.Go(func() {
		for {
			o.sendAll(ctx)
			o.mu.Lock()
			if !o.again || ctx.Err() != nil {
				o.running = false
				o.mu.Unlock()
				return
			}
			o.again = false
			o.mu.Unlock()
		}
	})
}

func (o *outbox) sendAll(ctx context.Context) {
	for ctx.Err() == nil && !o.pausing() {
		p, err := o.claim(ctx)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				o.account.log.Warn("mails to send cannot be claimed", "error", err)
			}
			return
		}
		o.sendOne(ctx, p)
	}
}

func (o *outbox) pausing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Before(o.paused)
}

// pause after err, which is about the server and not about one mail; nil ends a pause.
func (o *outbox) pause(err error) {
	opts := o.account.s.opts
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.paused = time.Time{}
	case remote.SignInRefused(remote.ReasonOf(err)):
		o.paused = time.Now().Add(opts.MinAuthBackoff)
	default:
		o.paused = time.Now().Add(opts.SendRetry)
	}
}

func (o *outbox) sendOne(ctx context.Context, p parcel) {
	err := o.with(ctx, func(c smtp.Config) error { return smtp.Send(ctx, c, p.from, p.to, p.raw) })
	// What happened is recorded even when this process is stopping.
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	state, detail, retry := outcome(p.attempts, err, o.account.s.opts.SendRetry)
	key := o.account.cfg.Account
	switch {
	case err == nil:
		o.account.s.metrics.sent.WithLabelValues(key.Namespace, key.Name).Inc()
	case ctx.Err() != nil:
		state, detail, retry = store.MessagePending, "interrupted", 0
	default:
		o.account.fail(p.what+" not sent", err)
		if _, ok := errors.AsType[*smtp.SendError](err); !ok {
			o.pause(err)
		}
	}
	if err := p.finish(record, state, detail, retry); err != nil {
		o.account.log.Warn("the outcome of a "+p.what+" cannot be recorded", "error", err)
	}
}

// outcome decides what becomes of a mail after its attempt number attempts.
func outcome(attempts int, err error, first time.Duration) (store.MessageState, string, time.Duration) {
	var refused *smtp.SendError
	switch {
	case err == nil:
		return store.MessageSent, "", 0
	case smtp.Permanent(err):
		return store.MessageFailed, err.Error(), 0
	case attempts >= sendAttempts:
		return store.MessageFailed, fmt.Sprintf("given up after %d attempts: %s", attempts, detailOf(err)), 0
	case errors.As(err, &refused):
		return store.MessagePending, err.Error(), retryAfter(attempts, first)
	}
	return store.MessagePending, detailOf(err), retryAfter(attempts, first)
}

func detailOf(err error) string {
	if refused, ok := errors.AsType[*smtp.SendError](err); ok {
		return refused.Error()
	}
	return explain(err)
}

func retryAfter(attempts int, first time.Duration) time.Duration {
	d := first
	for range max(attempts-1, 0) {
		d = min(2*d, lastRetry)
	}
	return d
}

// verify proves in the background that sending would work: at the start, and then every
// SMTPCheckInterval; after a failure sooner, after a refused sign-in slowly.
func (o *outbox) verify(ctx context.Context) {
	opts := o.account.s.opts
	if o.account.cfg.SMTP.Host == "" {
		if o.checkAt.IsZero() {
			o.checkAt = time.Now()
			o.report(ctx, &remote.Error{Reason: ReasonNotConfigured, Message: "no SMTP server is configured"})
		}
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Now().Before(o.checkAt) {
		return
	}
	o.checkAt = time.Now().Add(opts.SMTPCheckInterval) // until the result is known
	o.work.Go(func() {
		release, err := o.account.s.dials.acquire(ctx, o.account.cfg.SMTP.Addr())
		if err != nil {
			return
		}
		err = o.with(ctx, func(c smtp.Config) error { return smtp.Verify(ctx, c) })
		release()
		if ctx.Err() != nil {
			return
		}
		o.report(ctx, err)
		o.mu.Lock()
		o.checkAt = time.Now().Add(o.nextCheck(err))
		o.mu.Unlock()
		if err == nil {
			o.pause(nil)
			o.account.kick()
		}
	})
}

func (o *outbox) nextCheck(err error) time.Duration {
	opts := o.account.s.opts
	switch {
	case err == nil:
		o.check.reset()
		o.refused = 0
		return opts.SMTPCheckInterval
	case remote.SignInRefused(remote.ReasonOf(err)):
		o.refused = min(max(opts.MinAuthBackoff, 2*o.refused), opts.MaxAuthBackoff)
		return o.refused
	}
	o.check.lo, o.check.hi = opts.MinBackoff, opts.MaxBackoff
	return o.check.delay()
}

func (o *outbox) report(ctx context.Context, err error) {
	if err != nil && remote.ReasonOf(err) != ReasonNotConfigured {
		o.account.fail("SMTP check failed", err)
	}
	o.account.status.update(ctx, func(s *store.AccountStatus) {
		s.SMTP, s.SMTPMessage = ReasonReady, ""
		if err != nil {
			s.SMTP, s.SMTPMessage = remote.ReasonOf(err), explain(err)
		}
	})
}

// watchOutbox follows the event feed, so that a mail stored by any replica is sent at once. Each account
// also looks by itself at every renewal of its lease.
func (s *Supervisor) watchOutbox(ctx context.Context) {
	cursor, err := s.store.LastCursor(ctx)
	for ctx.Err() == nil {
		wake := s.store.Wake()
		var events []store.Event
		if err == nil {
			events, err = s.store.EventsAfter(ctx, "", cursor, watchBatch)
		} else {
			cursor, err = s.store.LastCursor(ctx)
		}
		for _, e := range events {
			cursor = e.Cursor
			s.dispatch(e)
		}
		if len(events) == watchBatch {
			continue
		}
		timer := time.NewTimer(watchInterval)
		select {
		case <-wake:
			// Ingestion changes the store hundreds of times a second; one look serves them all.
			sleep(ctx, watchMinPeriod)
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// dispatch wakes the account that got a system mail or a flag to change, or whose interaction got a message: replies are only written to open ones,
// automatic answers to any.
func (s *Supervisor) dispatch(e store.Event) {
	switch e.Kind {
	case store.EventSystemMail:
		s.Wake(store.Key{Namespace: e.Namespace, Name: e.Subject})
		return
	case store.EventMailFlags:
		s.tell(store.Key{Namespace: e.Namespace, Name: e.Subject}, (*account).look)
		return
	case store.EventMessage:
	default:
		return
	}
	var data struct {
		Account string                 `json:"account"`
		State   store.InteractionState `json:"state"`
		Reason  string                 `json:"reason"`
	}
	if json.Unmarshal(e.Data, &data) == nil && (data.State == store.StateOpen || data.Reason == flow.ReasonReplied) {
		s.Wake(store.Key{Namespace: e.Namespace, Name: data.Account})
	}
}
