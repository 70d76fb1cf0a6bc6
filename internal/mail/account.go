package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// account is one run of an account with one configuration: wait for the lease, then receive and send while
// it is held.
type account struct {
	s       *Supervisor
	cfg     Config
	changed bool // the configuration is new: see Supervisor.start
	log     *slog.Logger
	status  *status
	wake    chan struct{} // there are mails to send
	flags   chan struct{} // there are flags to change on the server
}

func newAccount(s *Supervisor, cfg Config, changed bool) *account {
	log := s.opts.Log.With("namespace", cfg.Account.Namespace, "emailaccount", cfg.Account.Name)
	return &account{
		s: s, cfg: cfg, changed: changed, log: log, wake: make(chan struct{}, 1), flags: make(chan struct{}, 1),
		status: &status{store: s.store, log: log, value: store.AccountStatus{Account: cfg.Account, ConfigHash: cfg.Hash()}},
	}
}

// kick makes the account look for mails to send.
func (a *account) kick() { signal(a.wake) }

// look makes the account look into its mailbox, and for flags to change there.
func (a *account) look() { signal(a.flags) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (a *account) run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, ok := a.acquire(ctx)
		if !ok {
			return
		}
		err := a.hold(ctx, lease)
		a.release(lease)
		if ctx.Err() == nil {
			a.log.Warn("mail lease lost", "error", err)
		}
	}
}

// acquire waits for the lease.
func (a *account) acquire(ctx context.Context) (store.Lease, bool) {
	for ctx.Err() == nil {
		ttl := a.s.leaseTTL()
		var (
			lease store.Lease
			ok    bool
			err   error
		)
		aside(func() { lease, ok, err = a.s.store.AcquireLease(ctx, a.leaseName(), a.s.opts.Holder, ttl) })
		if err != nil && ctx.Err() == nil {
			a.log.Warn("mail lease cannot be taken", "error", err)
		}
		if err == nil && ok {
			return lease, true
		}
		wait := backoff{lo: ttl / 3, hi: ttl / 3, jitter: true}
		sleep(ctx, ttl/6+wait.delay()/2)
	}
	return store.Lease{}, false
}

func (a *account) leaseName() string { return LeaseName(a.cfg.Account) }

// LeaseName of the lease that whoever works on an account's mailbox holds.
func LeaseName(account store.Key) string { return "mail/" + account.String() }

// release lets another replica go on at once instead of after the lease's end.
func (a *account) release(l store.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.s.store.ReleaseLease(ctx, l); err != nil && !errors.Is(err, store.ErrLeaseLost) {
		a.log.Debug("mail lease not released", "error", err)
	}
}

// hold receives and sends until ctx ends or the lease is lost; it returns why.
func (a *account) hold(ctx context.Context, lease store.Lease) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	aside(func() {
		if err := a.status.load(ctx); err != nil {
			a.log.Warn("mail status cannot be read", "error", err)
		}
	})
	defer a.tellUnverified()()
	w := &worker{account: a, lease: lease}
	o := &outbox{account: a, lease: lease}
	received := make(chan struct{})
	go func() {
		defer close(received)
		if a.cfg.IMAP.Host == "" {
			w.report(ctx, &remote.Error{Reason: ReasonNotConfigured, Message: "no IMAP server is configured"})
			return
		}
		cancel(w.run(ctx))
	}()
	a.keep(ctx, cancel, lease, o)
	<-received
	o.wait()
	return context.Cause(ctx)
}

// tellUnverified counts the account among those that accept any certificate, until the function it returns is called.
func (a *account) tellUnverified() (end func()) {
	if !a.cfg.IMAP.InsecureSkipVerify && !a.cfg.SMTP.InsecureSkipVerify {
		return func() {}
	}
	gauge := a.s.metrics.unverified
	gauge.WithLabelValues(a.cfg.Account.Namespace, a.cfg.Account.Name).Set(1)
	return func() { gauge.DeleteLabelValues(a.cfg.Account.Namespace, a.cfg.Account.Name) }
}

// keep renews the lease, starts the outbox's work, and cancels everything when the lease can no longer be
// proven to be ours.
func (a *account) keep(ctx context.Context, cancel context.CancelCauseFunc, lease store.Lease, o *outbox) {
	ttl := a.s.leaseTTL()
	held := time.Now()
	renew := time.NewTimer(ttl / 3)
	defer renew.Stop()
	o.verify(ctx)
	o.send(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
			o.send(ctx)
		case <-renew.C:
			asked := time.Now()
			var (
				l   store.Lease
				ok  bool
				err error
			)
			aside(func() {
				l, ok, err = a.s.store.AcquireLease(ctx, lease.Name, lease.Holder, ttl)
				a.status.flush(ctx)
			})
			switch {
			case err == nil && ok && l.Fence == lease.Fence:
				held = asked
			case err == nil:
				cancel(store.ErrLeaseLost)
				return
			case time.Since(held) > ttl*2/3:
				// The store does not answer; another replica may soon take over.
				cancel(store.ErrLeaseLost)
				return
			}
			o.verify(ctx)
			o.send(ctx)
			ttl = a.s.leaseTTL()
			renew.Reset(ttl / 3)
		}
	}
}

// signIn connects with what the account signs in with. A token that an earlier connection had, too, may have been withdrawn before
// its end: when it is refused, a new one is tried at once.
func (a *account) signIn(ctx context.Context, auth remote.Auth, from *oauth.Config, connect func(remote.Auth) error) error {
	if from == nil {
		return connect(auth)
	}
	for again := true; ; again = false {
		token, used, err := a.s.tokens.Token(ctx, *from)
		if err != nil {
			return err
		}
		auth.Token = token
		err = connect(auth)
		if err == nil || remote.ReasonOf(err) != ReasonAuthenticationFailed {
			return err
		}
		a.s.tokens.Drop(*from, token)
		if !used || !again {
			return err
		}
	}
}

// fail counts and logs a failure; messages carry no passwords and no customer's data.
func (a *account) fail(what string, err error) {
	reason := remote.ReasonOf(err)
	a.s.metrics.errors.WithLabelValues(a.cfg.Account.Namespace, a.cfg.Account.Name, reason).Inc()
	a.log.Warn(what, "reason", reason, "error", err)
}
