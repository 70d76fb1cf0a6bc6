// Package session is one IMAP connection with every guard that go-imap leaves to its caller: deadlines
// on each step, bodies that arrive whole or not at all, and a dead or silent server that is noticed.
//
// A Session belongs to one goroutine. Nothing here deletes or expunges, and bodies are only peeked at.
package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// Usual ports.
const (
	PortTLS   = 993
	PortPlain = 143
)

// Defaults of Timeouts.
const (
	DefaultCommandTimeout = 30 * time.Second
	DefaultStallTimeout   = 60 * time.Second
)

// Config of a connection.
type Config struct {
	Server remote.Server
	Auth   remote.Auth
	// CommandTimeout bounds every command without a literal; default 30 s.
	CommandTimeout time.Duration
	// StallTimeout is how long a literal may make no progress; default 60 s.
	StallTimeout time.Duration
	// WatchFlags makes Idle end when a flag of a mail is changed by somebody else, too.
	WatchFlags bool
	Log        *slog.Logger
}

// Session is a signed-in IMAP connection.
type Session struct {
	cfg         Config
	conn        *remote.Conn
	client      *imapclient.Client
	bye         *byeWatch
	fingerprint string
	// changed is signalled when the server says that mails arrived.
	changed chan struct{}
	caps    imap.CapSet
	broken  atomic.Bool

	mu       sync.Mutex
	expected int // fetches under way
}

// Dial connects, secures and signs in. Errors are *remote.Error.
func Dial(ctx context.Context, cfg Config) (*Session, error) {
	cfg.Server = cfg.Server.WithDefaults(PortTLS, PortPlain)
	if cfg.CommandTimeout <= 0 {
		cfg.CommandTimeout = DefaultCommandTimeout
	}
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Auth.Check(cfg.Server.Security); err != nil {
		return nil, err
	}
	s := &Session{cfg: cfg, changed: make(chan struct{}, 1), bye: &byeWatch{seen: make(chan struct{})}}
	if err := s.connect(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.authenticate(ctx); err != nil {
		// A failed sign-in leaves the command stream undefined: the connection is not used again.
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect is TCP, TLS and greeting within one ConnectionTimeout.
func (s *Session) connect(ctx context.Context) error {
	limit := s.cfg.Server.ConnectionTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &remote.TimeoutError{Step: "connecting", After: limit})
	defer cancel()
	conn, err := remote.Dial(ctx, s.cfg.Server)
	if err != nil {
		return err
	}
	s.conn = conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = s.greet(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	return s.classify(ctx, err)
}

func (s *Session) greet(ctx context.Context) error {
	tlsConfig, err := s.cfg.Server.TLSConfig(func(f string) { s.fingerprint = f })
	if err != nil {
		return err
	}
	changes := &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				s.notify()
			}
		},
	}
	if s.cfg.WatchFlags {
		changes.Fetch = func(m *imapclient.FetchMessageData) {
			for item := m.Next(); item != nil; {
				item = m.Next() // what it says is looked up
			}
			s.notify()
		}
	}
	options := &imapclient.Options{
		TLSConfig:             tlsConfig,
		DebugWriter:           s.bye,
		UnilateralDataHandler: changes,
	}
	switch s.cfg.Server.Security {
	case remote.TLS:
		secured := tls.Client(wire{s.conn}, tlsConfig)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		s.client = imapclient.New(secured, options)
	case remote.StartTLS:
		s.client, err = imapclient.NewStartTLS(wire{s.conn}, options)
		if err != nil {
			return startTLSError(err)
		}
	case remote.None:
		s.client = imapclient.New(wire{s.conn}, options)
	default:
		return &remote.Error{Reason: remote.ReasonNotConfigured, Message: fmt.Sprintf("unknown security %q", s.cfg.Server.Security)}
	}
	if err := s.client.WaitGreeting(); err != nil {
		return err
	}
	s.caps = s.client.Caps()
	return nil
}

// startTLSError tells a server without STARTTLS from a failed handshake.
func startTLSError(err error) error {
	if _, ok := errors.AsType[*imap.Error](err); ok {
		return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server does not offer STARTTLS", Err: err}
	}
	if strings.Contains(err.Error(), "PREAUTH") {
		return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server signed the connection in before it was encrypted", Err: err}
	}
	return err
}

// wire is the connection as go-imap sees it. go-imap ends its commands when a write fails as well as when a
// read does, and the former while its reader may be handing them an answer; so a failed write only ends the
// reading, which tells the commands.
type wire struct{ *remote.Conn }

func (w wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err == nil || w.Ended() { // with no reader left nobody else would end the command
		return n, err
	}
	_ = w.Close()
	return len(b), nil
}

func (s *Session) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// authenticate signs in within AuthenticationTimeout.
func (s *Session) authenticate(ctx context.Context) error {
	if s.client.State() == imap.ConnStateAuthenticated {
		return nil // PREAUTH
	}
	err := s.within(ctx, s.cfg.Server.AuthenticationTimeout, "the sign-in", func() error {
		switch {
		case s.cfg.Auth.Type == remote.AuthNone && s.caps.Has(imap.AuthCap(sasl.Anonymous)):
			return s.client.Authenticate(sasl.NewAnonymousClient("ringmaster"))
		case s.cfg.Auth.Type == remote.AuthNone:
			return &remote.Error{Reason: remote.ReasonAuthenticationFailed, Message: "the server asks for a sign-in, and none is configured"}
		case s.cfg.Auth.Type == remote.AuthOAuth2:
			client, err := s.cfg.Auth.Bearer(s.cfg.Server, func(mechanism string) bool { return s.caps.Has(imap.AuthCap(mechanism)) })
			if err != nil {
				return err
			}
			return s.client.Authenticate(client)
		case s.caps.Has(imap.AuthCap(sasl.Plain)):
			return s.client.Authenticate(sasl.NewPlainClient("", s.cfg.Auth.Username, s.cfg.Auth.Password.Reveal()))
		case s.caps.Has(imap.CapLoginDisabled):
			return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server takes passwords only over an encrypted connection"}
		default:
			return s.client.Login(s.cfg.Auth.Username, s.cfg.Auth.Password.Reveal()).Wait()
		}
	})
	if err != nil {
		return authError(s.cfg.Auth, err)
	}
	return s.within(ctx, s.cfg.CommandTimeout, "CAPABILITY", func() error {
		s.caps = s.client.Caps()
		return nil
	})
}

// authError separates a refused password from a server that cannot check it now (RFC 5530 codes).
func authError(auth remote.Auth, err error) error {
	var status *imap.Error
	if !errors.As(err, &status) {
		return err
	}
	switch status.Code { //nolint:exhaustive // the others are refusals

	case imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodeServerBug:
		return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: fmt.Sprintf("the server cannot sign in now (%s)", status.Code), Err: err}
	case imap.ResponseCodePrivacyRequired:
		return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server takes passwords only over an encrypted connection", Err: err}
	}
	return auth.Refused(string(status.Code), err)
}

// within runs fn and closes the connection when it takes longer than d or ctx ends: go-imap's waits end
// in no other way.
func (s *Session) within(ctx context.Context, d time.Duration, step string, fn func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, &remote.TimeoutError{Step: step, After: d})
	defer cancel()
	return s.guarded(ctx, fn)
}

// guarded runs fn and closes the connection when ctx ends first.
func (s *Session) guarded(ctx context.Context, fn func() error) error {
	stop := context.AfterFunc(ctx, func() { s.breakOff() })
	err := fn()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	return s.classify(ctx, err)
}

func (s *Session) breakOff() {
	s.broken.Store(true)
	_ = s.conn.Close()
}

// classify keeps a server's answer (*imap.Error) as it is; everything else is about the connection.
func (s *Session) classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var (
		status *imap.Error
		known  *remote.Error
	)
	if errors.As(err, &known) {
		return err
	}
	if errors.As(err, &status) && ctx.Err() == nil {
		if status.Type == imap.StatusResponseTypeBye {
			return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: "the server said goodbye", Err: err}
		}
		return err
	}
	if ctx.Err() == nil && s.conn != nil {
		if cause := s.conn.Err(); cause != nil {
			err = errors.Join(err, cause)
		} else if strings.HasPrefix(err.Error(), "in ") { // how go-imap's decoder begins its errors
			return &remote.Error{Reason: remote.ReasonProtocolError, Message: "the server sent something that is not IMAP", Err: err}
		}
	}
	return remote.Classify(ctx, err)
}

// CertificateSHA256 is the fingerprint of the server's certificate, "" without TLS.
func (s *Session) CertificateSHA256() string { return s.fingerprint }

// CanIdle reports whether the server offers IDLE.
func (s *Session) CanIdle() bool { return s.caps.Has(imap.CapIdle) || s.caps.Has(imap.CapIMAP4rev2) }

// Close ends the connection, with LOGOUT when it is healthy and nothing is being fetched. It may be called
// more than once.
func (s *Session) Close() {
	if s.conn == nil {
		return
	}
	if s.client == nil {
		_ = s.conn.Close()
		return
	}
	if s.client.State() == imap.ConnStateAuthenticated || s.client.State() == imap.ConnStateSelected {
		if !s.broken.Swap(true) && !s.fetching() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = s.guarded(ctx, func() error { return s.client.Logout().Wait() })
			cancel()
		}
	}
	_ = s.conn.Close()
	_ = s.client.Close()
}
