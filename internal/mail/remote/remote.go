// Package remote holds what IMAP and SMTP share: the description of a mail server, the sign-in, the
// dialled connection with its deadlines, and the reasons a connection can fail for.
package remote

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Security of a connection.
type Security string

// Securities: TLS from the first byte, TLS after STARTTLS (never silently without), or none.
const (
	TLS      Security = "TLS"
	StartTLS Security = "StartTLS"
	None     Security = "None"
)

// Secret is a value that never shows in logs, errors or dumps.
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer, for %#v.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the value out of JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the value; only for the wire.
func (s Secret) Reveal() string { return string(s) }

// DefaultConnectionTimeout bounds TCP, TLS and greeting together.
const DefaultConnectionTimeout = 10 * time.Second

// DefaultAuthenticationTimeout bounds the sign-in.
const DefaultAuthenticationTimeout = 5 * time.Second

// Server is one end to dial.
type Server struct {
	Host string
	// Port; 0 means the usual one of the protocol and security.
	Port     int
	Security Security
	// InsecureSkipVerify accepts any certificate; the fingerprint is reported all the same.
	InsecureSkipVerify bool
	// RootCAs are PEM certificates trusted in place of the system's; "" means the system's.
	RootCAs string
	// PinnedSHA256 is the fingerprint of the one certificate that is accepted, and then without further checks; "" means
	// that chain and name decide.
	PinnedSHA256 string
	// ConnectionTimeout for TCP, TLS and greeting together; default 10 s.
	ConnectionTimeout time.Duration
	// AuthenticationTimeout for the sign-in; default 5 s.
	AuthenticationTimeout time.Duration
}

// Addr is host:port.
func (s Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// WithDefaults fills what is zero; port is the one for TLS, plainPort for the others.
func (s Server) WithDefaults(tlsPort, plainPort int) Server {
	if s.Security == "" {
		s.Security = TLS
	}
	if s.Port == 0 {
		s.Port = plainPort
		if s.Security == TLS {
			s.Port = tlsPort
		}
	}
	if s.ConnectionTimeout <= 0 {
		s.ConnectionTimeout = DefaultConnectionTimeout
	}
	if s.AuthenticationTimeout <= 0 {
		s.AuthenticationTimeout = DefaultAuthenticationTimeout
	}
	return s
}

// AuthType of an account.
type AuthType string

// Types: no sign-in (a relay, or an IMAP server that greets with PREAUTH or takes ANONYMOUS), a username and a
// password, or a username and an access token.
const (
	AuthNone   AuthType = "None"
	AuthBasic  AuthType = "Basic"
	AuthOAuth2 AuthType = "OAuth2"
)

// Auth is a sign-in.
type Auth struct {
	Type     AuthType
	Username string
	Password Secret
	// Token of OAuth 2.0, got just before the sign-in.
	Token Secret
	// PasswordVersion identifies the content the password came from, such as the resourceVersion of its
	// Secret. It stands for the password in Config.Hash.
	PasswordVersion string
	// AllowInsecure lets the password travel over a connection without TLS.
	AllowInsecure bool
	// AppPassword says that the server takes a password made for one program only, not the one of the person.
	AppPassword bool
}

// Check refuses to send a password or a token over a connection that is not encrypted.
func (a Auth) Check(s Security) error {
	if a.Type != AuthNone && s == None && !a.AllowInsecure {
		return &Error{Reason: ReasonEncryptionRequired, Message: "the password would travel in clear text: use TLS or STARTTLS, or allow insecure authentication"}
	}
	return nil
}

// Refused is what a refused sign-in means; detail is what the server's code adds, "" for nothing.
func (a Auth) Refused(detail string, cause error) error {
	if detail != "" {
		detail = " (" + detail + ")"
	}
	if a.AppPassword && a.Type == AuthBasic {
		return &Error{
			Reason:  ReasonAppPasswordRequired,
			Message: "the server refused the username or password" + detail + ": this service takes an app password of 16 letters, which needs two-step verification",
			Err:     cause,
		}
	}
	what := "username or password"
	if a.Type == AuthOAuth2 {
		what = "access token: is it one of this mailbox, and does it allow IMAP and SMTP?"
	}
	return &Error{Reason: ReasonAuthenticationFailed, Message: "the server refused the " + what + detail, Err: cause}
}

// SignInRefused reports whether trying the same sign-in again soon may lock the account.
func SignInRefused(reason string) bool {
	return reason == ReasonAuthenticationFailed || reason == ReasonAppPasswordRequired || reason == ReasonAuthorizationRequired
}

// Conn is a dialled connection whose reads must make progress: go-imap sets deadlines of its own that
// count the consumer's time and leave an idle connection without any, so only the owner's count.
type Conn struct {
	net.Conn
	err   atomic.Pointer[error] // the first of any
	ended atomic.Pointer[error] // of reading

	mu    sync.Mutex // orders Stall and the deadline of a read that begins
	stall time.Duration
}

// Err is the first error a read or write met; libraries that flatten errors to text hide it.
func (c *Conn) Err() error {
	if p := c.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (c *Conn) keep(err error) {
	if err != nil {
		c.err.CompareAndSwap(nil, &err)
	}
}

// Ended reports whether a read failed.
func (c *Conn) Ended() bool { return c.ended.Load() != nil }

// SetDeadline does nothing: see Conn.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: see Conn.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// Stall sets how long a read may wait for the next byte from now on, the one under way included; 0 is
// for ever.
func (c *Conn) Stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stall = d
	c.arm()
}

func (c *Conn) arm() {
	var t time.Time
	if c.stall > 0 {
		t = time.Now().Add(c.stall)
	}
	_ = c.Conn.SetReadDeadline(t)
}

// Read fails for good once it failed: a reader that did not expect a stall would otherwise go on in the
// middle of a literal and take a mail's text for the server's answers.
func (c *Conn) Read(b []byte) (int, error) {
	if p := c.ended.Load(); p != nil {
		return 0, *p
	}
	c.mu.Lock()
	if c.stall > 0 {
		c.arm()
	}
	c.mu.Unlock()
	n, err := c.Conn.Read(b)
	if err != nil {
		c.keep(err)
		c.ended.Store(&err)
	}
	return n, err
}

func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.keep(err)
	return n, err
}

// Dial opens the TCP connection.
func Dial(ctx context.Context, s Server) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return nil, Classify(ctx, err)
	}
	return &Conn{Conn: c}, nil
}

// TLSConfig verifies the server's name and chain (the fingerprint, with PinnedSHA256, or nothing, with
// InsecureSkipVerify) and tells fingerprint the SHA-256 of the certificate the server showed.
func (s Server) TLSConfig(fingerprint func(string)) (*tls.Config, error) {
	c := &tls.Config{
		ServerName: s.Host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: s.InsecureSkipVerify || s.PinnedSHA256 != "", //nolint:gosec // asked for by name: certificateValidation AcceptAny, or checked below
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) > 0 && fingerprint != nil {
				fingerprint(Fingerprint(cs.PeerCertificates[0]))
			}
			return s.checkPin(cs.PeerCertificates)
		},
	}
	if s.RootCAs != "" {
		if c.RootCAs = rootPool(s.RootCAs); c.RootCAs == nil {
			return nil, &Error{Reason: ReasonCertificateInvalid, Message: "the CA bundle holds no PEM certificate"}
		}
	}
	return c, nil
}

// checkPin compares what the server showed with the pinned fingerprint.
func (s Server) checkPin(shown []*x509.Certificate) error {
	if s.PinnedSHA256 == "" || (len(shown) > 0 && Fingerprint(shown[0]) == s.PinnedSHA256) {
		return nil
	}
	refused := &tls.CertificateVerificationError{UnverifiedCertificates: shown, Err: errNotPinned}
	return &Error{Reason: ReasonCertificateInvalid, Message: certificateMessage(refused), Err: refused}
}

// pool is the last bundle that was parsed: accounts of one center mostly share theirs, and a pool of its own
// would cost every idle connection some kilobytes.
var pool atomic.Pointer[parsedPool]

type parsedPool struct {
	pem   string
	certs *x509.CertPool
}

// rootPool parses a PEM bundle; nil when it holds no certificate.
func rootPool(pem string) *x509.CertPool {
	if last := pool.Load(); last != nil && last.pem == pem {
		return last.certs
	}
	certs := x509.NewCertPool()
	if !certs.AppendCertsFromPEM([]byte(pem)) {
		return nil
	}
	pool.Store(&parsedPool{pem, certs})
	return certs
}

// Fingerprint is the SHA-256 of a certificate in hex.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Error is a failure with the reason it shows under. Its message never holds passwords, server texts or
// customers' data.
type Error struct {
	Reason  string
	Message string
	Err     error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// TimeoutError says which step took too long.
type TimeoutError struct {
	Step  string
	After time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("no answer to %s within %s", e.Step, e.After)
}

// Timeout implements net.Error's notion of a timeout.
func (e *TimeoutError) Timeout() bool { return true }

// Reasons: condition reasons, so they count as API.
const (
	ReasonReady                 = "Ready"
	ReasonPending               = "Pending"
	ReasonConnecting            = "Connecting"
	ReasonDNSFailure            = "DNSFailure"
	ReasonConnectionFailed      = "ConnectionFailed"
	ReasonCertificateInvalid    = "CertificateInvalid"
	ReasonEncryptionRequired    = "EncryptionRequired"
	ReasonAuthenticationFailed  = "AuthenticationFailed"
	ReasonAppPasswordRequired   = "AppPasswordRequired"
	ReasonAuthorizationRequired = "AuthorizationRequired"
	ReasonTokenNotStored        = "TokenNotStored" //nolint:gosec // a reason
	ReasonMailboxNotFound       = "MailboxNotFound"
	ReasonTimedOut              = "TimedOut"
	ReasonProtocolError         = "ProtocolError"
	ReasonStoreUnavailable      = "StoreUnavailable"
	ReasonNotConfigured         = "NotConfigured"
)

// ReasonOf names the reason of any error; an unclassified one is ConnectionFailed.
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ReasonConnectionFailed
}
