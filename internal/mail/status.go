package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Reasons of AccountStatus.IMAP and .SMTP; condition reasons, so they count as API.
const (
	ReasonReady                 = remote.ReasonReady
	ReasonPending               = remote.ReasonPending
	ReasonConnecting            = remote.ReasonConnecting
	ReasonDNSFailure            = remote.ReasonDNSFailure
	ReasonConnectionFailed      = remote.ReasonConnectionFailed
	ReasonCertificateInvalid    = remote.ReasonCertificateInvalid
	ReasonEncryptionRequired    = remote.ReasonEncryptionRequired
	ReasonAuthenticationFailed  = remote.ReasonAuthenticationFailed
	ReasonAppPasswordRequired   = remote.ReasonAppPasswordRequired
	ReasonAuthorizationRequired = remote.ReasonAuthorizationRequired
	ReasonTokenNotStored        = remote.ReasonTokenNotStored
	ReasonMailboxNotFound       = remote.ReasonMailboxNotFound
	ReasonTimedOut              = remote.ReasonTimedOut
	ReasonProtocolError         = remote.ReasonProtocolError
	ReasonStoreUnavailable      = remote.ReasonStoreUnavailable
	ReasonNotConfigured         = remote.ReasonNotConfigured
)

// status is what this process knows of an account; the lease holder alone writes it.
type status struct {
	store Store
	log   *slog.Logger

	mu       sync.Mutex
	value    store.AccountStatus
	previous store.AccountStatus // as another run left it
	dirty    bool
}

// load takes over what an earlier run left.
func (s *status) load(ctx context.Context) error {
	old, err := s.store.GetAccountStatus(ctx, s.value.Account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previous = old
	s.value.LastPoll = old.LastPoll
	if old.ConfigHash == s.value.ConfigHash {
		s.value.CertificateSHA256 = old.CertificateSHA256
		s.value.IMAP, s.value.IMAPMessage, s.value.SMTP, s.value.SMTPMessage = old.IMAP, old.IMAPMessage, old.SMTP, old.SMTPMessage
	}
	if s.value.IMAP == "" {
		s.value.IMAP = ReasonPending
	}
	if s.value.SMTP == "" {
		s.value.SMTP = ReasonPending
	}
	return nil
}

// refusedAt is when an earlier run with this configuration last had its sign-in refused; zero otherwise.
func (s *status) refusedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.previous.ConfigHash == s.value.ConfigHash && remote.SignInRefused(s.previous.IMAP) {
		return s.previous.UpdatedAt
	}
	return time.Time{}
}

func (s *status) lastPoll() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value.LastPoll
}

// update changes the status and writes it.
func (s *status) update(ctx context.Context, change func(*store.AccountStatus)) {
	s.mu.Lock()
	change(&s.value)
	s.dirty = true
	s.mu.Unlock()
	s.flush(ctx)
}

// flush writes what is not written yet; a store that is away gets it later.
func (s *status) flush(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty || ctx.Err() != nil {
		return
	}
	if err := s.store.PutAccountStatus(ctx, s.value); err != nil {
		s.log.Debug("mail status not written", "error", err)
		return
	}
	s.dirty = false
}

func explain(err error) string {
	if known, ok := errors.AsType[*remote.Error](err); ok {
		return known.Message
	}
	return "the connection failed"
}
