package mail

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// worker owns the IMAP connection of an account: Dial → TLS → Auth → Select → Drain → Idle → Drain, and
// Backoff after any failure.
type worker struct {
	account *account
	lease   store.Lease

	// failures counts by UID how often a mail could not be fetched; see doubt.
	failures map[uint32]int
	epoch    store.MailboxState
	epochSet bool
	// stored is the watermark that a restart would begin with.
	stored uint32
	// forgets is true when the server does not keep \Seen.
	forgets bool
	// unconfirmed are stored mails that are not known to be seen on the server; with TakeAgain only.
	unconfirmed map[uint32]bool
	// again are the mails of the present window that are taken once more.
	again map[uint32]bool
}

// run returns when ctx ends, with its cause, or with store.ErrLeaseLost.
func (w *worker) run(ctx context.Context) error {
	opts := &w.account.s.opts // no copy: thousands of accounts wait below this frame, see await
	network := backoff{lo: opts.MinBackoff, hi: opts.MaxBackoff, jitter: true}
	sign := backoff{lo: opts.MinAuthBackoff, hi: opts.MaxAuthBackoff}
	w.failures = map[uint32]int{}
	w.patience(ctx, &sign)
	for ctx.Err() == nil {
		err := w.session(ctx, func() { network.reset(); sign.reset() })
		w.connected(false)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, store.ErrLeaseLost) {
			return store.ErrLeaseLost
		}
		w.report(ctx, err)
		if remote.SignInRefused(remote.ReasonOf(err)) {
			sleep(ctx, sign.delay())
		} else {
			sleep(ctx, network.delay())
		}
	}
	return context.Cause(ctx)
}

// patience keeps the wait after a refused sign-in across restarts and replicas: a process that starts again and
// again must not lock the account. A changed configuration ends it.
func (w *worker) patience(ctx context.Context, sign *backoff) {
	refused := w.account.status.refusedAt()
	if w.account.changed || refused.IsZero() {
		return
	}
	if rest := time.Until(refused.Add(w.account.s.opts.MinAuthBackoff)); rest > 0 {
		sign.next = w.account.s.opts.MinAuthBackoff
		sleep(ctx, min(rest, w.account.s.opts.MinAuthBackoff))
	}
}

func (w *worker) report(ctx context.Context, err error) {
	if remote.ReasonOf(err) != ReasonNotConfigured {
		w.account.fail("IMAP connection ended", err)
	}
	w.account.status.update(ctx, func(s *store.AccountStatus) {
		s.IMAP, s.IMAPMessage = remote.ReasonOf(err), explain(err)
	})
}

func (w *worker) connected(yes bool) {
	key := w.account.cfg.Account
	value := 0.0
	if yes {
		value = 1
	}
	w.account.s.metrics.connected.WithLabelValues(key.Namespace, key.Name).Set(value)
}

// session is one connection from dialling to its end; working is called after each drain.
func (w *worker) session(ctx context.Context, working func()) (err error) {
	var s *session.Session
	aside(func() { s, err = w.open(ctx) })
	if s != nil {
		defer s.Close()
	}
	unasked := false
	for err == nil {
		if err = w.look(ctx, s, unasked); err == nil {
			working()
			unasked, err = w.await(ctx, s)
		}
	}
	return err
}

// look goes through the mailbox, at its turn. One that no notice asked for is preceded by NOOP: an open session otherwise shows the past.
func (w *worker) look(ctx context.Context, s *session.Session, unasked bool) (err error) {
	if !w.idles(s) {
		gate := w.account.s.polls(w.account.cfg.Account.Namespace)
		if err := gate.acquire(ctx); err != nil {
			return err
		}
		defer gate.release()
	}
	aside(func() {
		if unasked {
			err = s.Noop(ctx)
		}
		if err == nil {
			err = w.drain(ctx, s)
		}
		if err == nil {
			w.ready(ctx, s)
		}
	})
	return err
}

// idles tells whether the server says when there is something new.
func (w *worker) idles(s *session.Session) bool {
	return w.account.cfg.IMAP.Delivery != Poll && s.CanIdle()
}

// open connects and finds its place in the mailbox; the session may be there even with an error.
func (w *worker) open(ctx context.Context) (*session.Session, error) {
	w.account.status.update(ctx, func(s *store.AccountStatus) {
		if s.IMAP == ReasonReady || s.IMAP == ReasonPending {
			s.IMAP, s.IMAPMessage = ReasonConnecting, ""
		}
	})
	s, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	if w.account.cfg.IMAP.Delivery == Idle && !s.CanIdle() {
		return s, &remote.Error{Reason: ReasonProtocolError, Message: "the server does not offer IDLE, which imap.delivery asks for"}
	}
	mailbox, err := s.Select(ctx, w.account.cfg.IMAP.Mailbox)
	if err != nil {
		return s, err
	}
	return s, w.enter(ctx, s, mailbox)
}

func (w *worker) ready(ctx context.Context, s *session.Session) {
	w.connected(true)
	key := w.account.cfg.Account
	w.account.s.metrics.lastLook.WithLabelValues(key.Namespace, key.Name).SetToCurrentTime()
	w.account.status.update(ctx, func(st *store.AccountStatus) {
		st.IMAP, st.IMAPMessage = ReasonReady, ""
		st.CertificateSHA256 = s.CertificateSHA256()
		st.LastPoll = time.Now().UTC()
	})
}

func (w *worker) dial(ctx context.Context) (*session.Session, error) {
	cfg := w.account.cfg.IMAP
	release, err := w.account.s.dials.acquire(ctx, cfg.Addr())
	if err != nil {
		return nil, err
	}
	defer release()
	var s *session.Session
	err = w.account.signIn(ctx, cfg.Auth, cfg.OAuth, func(auth remote.Auth) (err error) {
		s, err = session.Dial(ctx, session.Config{Server: cfg.Server, Auth: auth, WatchFlags: cfg.TakeAgain, Log: w.account.log})
		return err
	})
	if err == nil && cfg.InsecureSkipVerify {
		w.account.log.Warn("the certificate of the IMAP server was not verified", "sha256", s.CertificateSHA256())
	}
	return s, err
}

// await returns when it is time to look again, and whether no notice asked for it. Thousands of accounts wait in here, so its frame
// is small: no copy of the configuration lies in it.
func (w *worker) await(ctx context.Context, s *session.Session) (unasked bool, err error) {
	cfg := &w.account.cfg.IMAP
	if w.idles(s) {
		wait := w.account.s.opts.IdleInterval
		if len(w.failures) > 0 {
			wait = min(wait, cfg.PollInterval) // no notice will come for a mail that is still to be fetched
		}
		noticed, err := s.Idle(ctx, wait, w.account.flags)
		return !noticed, err
	}
	tenth := cfg.PollInterval / 10
	return true, s.Wait(ctx, cfg.PollInterval-tenth+rand.N(2*tenth+1), w.account.flags)
}

// storeError marks a failure of the store, which is not the mail server's.
func storeError(err error) error {
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	return &remote.Error{Reason: ReasonStoreUnavailable, Message: "what was fetched cannot be stored now", Err: err}
}
