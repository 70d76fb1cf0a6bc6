// Package smtp sends mail through an account's server, and proves without sending anything that it could.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// Usual ports.
const (
	PortTLS        = 465
	PortSubmission = 587
)

// Limits on a command and on the transfer of a mail.
const (
	commandTimeout  = 60 * time.Second
	transferTimeout = 10 * time.Minute // RFC 5321 section 4.5.3.2.6: after the final dot
	// stopGrace lets a transfer end when its context does: cut off, nobody knows whether the mail went out.
	stopGrace = 10 * time.Second
)

// Config of a server.
type Config struct {
	Server remote.Server
	Auth   remote.Auth
	// LocalName said in EHLO; default localhost.
	LocalName string
}

// SendError is a server's refusal of a mail.
type SendError struct {
	// Code of SMTP, 4xx or 5xx.
	Code int
	// Step is the command refused.
	Step string
	Err  error
}

func (e *SendError) Error() string {
	return fmt.Sprintf("the server answered %d to %s", e.Code, e.Step)
}

func (e *SendError) Unwrap() error { return e.Err }

// Permanent reports whether trying again cannot help.
func Permanent(err error) bool {
	var refused *SendError
	return errors.As(err, &refused) && refused.Code >= 500
}

// Verify connects, greets, encrypts, signs in and says NOOP and QUIT. No mail is sent.
func Verify(ctx context.Context, cfg Config) error {
	c, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.close()
	err = c.step(ctx, commandTimeout, "NOOP", func() error {
		if err := c.client.Noop(); err != nil {
			return err
		}
		return c.client.Quit()
	})
	if status, ok := errors.AsType[*textproto.Error](err); ok {
		return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: fmt.Sprintf("the server answered %d to NOOP", status.Code), Err: err}
	}
	return err
}

// Send delivers raw, exactly as it is, to the server. Errors: *SendError for a refusal of this mail, otherwise
// *remote.Error. A nil error means that the server took responsibility.
func Send(ctx context.Context, cfg Config, from string, to []string, raw []byte) error {
	c, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.close()
	err = c.step(ctx, commandTimeout, "MAIL", func() error { return c.client.Mail("<" + from + ">") })
	if err != nil {
		return refusal("MAIL", err)
	}
	for _, rcpt := range to {
		err = c.step(ctx, commandTimeout, "RCPT", func() error { return c.client.Rcpt("<" + rcpt + ">") })
		if err != nil {
			return refusal("RCPT", err)
		}
	}
	transfer, cancel := graced(ctx)
	defer cancel()
	err = c.step(transfer, transferTimeout, "DATA", func() error {
		w, err := c.client.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		return w.Close()
	})
	if err != nil {
		return refusal("DATA", err)
	}
	// The mail is accepted; what QUIT meets does not matter any more.
	_ = c.step(ctx, time.Second, "QUIT", c.client.Quit)
	return nil
}

// graced is a context that ends stopGrace after ctx, for the same cause.
func graced(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(stopGrace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(later, func() { timer.Stop() })
	})
	return later, func() {
		stop()
		cancel(nil)
	}
}

func refusal(step string, err error) error {
	if status, ok := errors.AsType[*textproto.Error](err); ok {
		return &SendError{Code: status.Code, Step: step, Err: err}
	}
	return err
}

type connection struct {
	cfg    Config
	conn   *remote.Conn
	client *gosmtp.Client
}

// dial connects, encrypts and signs in.
func dial(ctx context.Context, cfg Config) (*connection, error) {
	cfg.Server = cfg.Server.WithDefaults(PortTLS, PortSubmission)
	if cfg.LocalName == "" {
		cfg.LocalName = "localhost"
	}
	if err := cfg.Auth.Check(cfg.Server.Security); err != nil {
		return nil, err
	}
	c := &connection{cfg: cfg}
	if err := c.connect(ctx); err != nil {
		c.close()
		return nil, err
	}
	if err := c.authenticate(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// connect is TCP, TLS, greeting and EHLO within one ConnectionTimeout.
func (c *connection) connect(ctx context.Context) error {
	limit := c.cfg.Server.ConnectionTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &remote.TimeoutError{Step: "connecting", After: limit})
	defer cancel()
	conn, err := remote.Dial(ctx, c.cfg.Server)
	if err != nil {
		return err
	}
	c.conn = conn
	err = c.guarded(ctx, func() error { return c.greet(ctx) })
	if status, ok := errors.AsType[*textproto.Error](err); ok {
		return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: fmt.Sprintf("the server refused the connection (%d)", status.Code), Err: err}
	}
	return err
}

func (c *connection) greet(ctx context.Context) error {
	tlsConfig, err := c.cfg.Server.TLSConfig(nil)
	if err != nil {
		return err
	}
	if c.cfg.Server.Security == remote.TLS {
		secured := tls.Client(c.conn, tlsConfig)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		c.client, err = gosmtp.NewClient(secured, c.cfg.Server.Host)
	} else {
		c.client, err = gosmtp.NewClient(c.conn, c.cfg.Server.Host)
	}
	if err != nil {
		return err
	}
	if err := c.client.Hello(c.cfg.LocalName); err != nil {
		return err
	}
	if c.cfg.Server.Security != remote.StartTLS {
		return nil
	}
	if ok, _ := c.client.Extension("STARTTLS"); !ok {
		return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server does not offer STARTTLS"}
	}
	return c.client.StartTLS(tlsConfig)
}

// authenticate signs in within AuthenticationTimeout.
func (c *connection) authenticate(ctx context.Context) error {
	if c.cfg.Auth.Type == remote.AuthNone || c.cfg.Auth.Type == "" {
		return nil
	}
	auth, err := c.mechanism()
	if err != nil {
		return err
	}
	err = c.step(ctx, c.cfg.Server.AuthenticationTimeout, "the sign-in", func() error { return c.client.Auth(auth) })
	var status *textproto.Error
	if !errors.As(err, &status) {
		return err
	}
	// RFC 4954 section 6: 4xx are temporary, 538 asks for encryption.
	switch {
	case status.Code < 500:
		return &remote.Error{Reason: remote.ReasonConnectionFailed, Message: fmt.Sprintf("the server cannot sign in now (%d)", status.Code), Err: err}
	case status.Code == 538 || status.Code == 530:
		return &remote.Error{Reason: remote.ReasonEncryptionRequired, Message: "the server takes sign-ins only over an encrypted connection", Err: err}
	}
	return c.cfg.Auth.Refused(strconv.Itoa(status.Code), err)
}

// mechanism is the first one for the account that the server offers.
func (c *connection) mechanism() (gosmtp.Auth, error) {
	offered, mechanisms := c.client.Extension("AUTH")
	words := strings.Fields(strings.ToUpper(mechanisms))
	offers := func(name string) bool { return slices.Contains(words, name) }
	user, password, host := c.cfg.Auth.Username, c.cfg.Auth.Password.Reveal(), c.cfg.Server.Host
	switch {
	case !offered:
		return nil, &remote.Error{Reason: remote.ReasonAuthenticationFailed, Message: "the server offers no sign-in on this port"}
	case c.cfg.Auth.Type == remote.AuthOAuth2:
		client, err := c.cfg.Auth.Bearer(c.cfg.Server, offers)
		return saslAuth{client}, err
	case offers("PLAIN"):
		return gosmtp.PlainAuth("", user, password, host, c.cfg.Auth.AllowInsecure), nil
	case offers("LOGIN"):
		return gosmtp.LoginAuth(user, password, host, c.cfg.Auth.AllowInsecure), nil
	}
	return nil, &remote.Error{Reason: remote.ReasonAuthenticationFailed, Message: "the server offers neither PLAIN nor LOGIN"}
}

// saslAuth is a SASL client as the SMTP client wants it.
type saslAuth struct{ client sasl.Client }

func (a saslAuth) Start(*gosmtp.ServerInfo) (mechanism string, initial []byte, err error) {
	return a.client.Start()
}

func (a saslAuth) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return a.client.Next(challenge)
}

// step runs fn and closes the connection when it takes longer than d or ctx ends.
func (c *connection) step(ctx context.Context, d time.Duration, name string, fn func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, &remote.TimeoutError{Step: name, After: d})
	defer cancel()
	return c.guarded(ctx, fn)
}

func (c *connection) guarded(ctx context.Context, fn func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	err := fn()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	var status *textproto.Error
	if errors.As(err, &status) && ctx.Err() == nil {
		return err
	}
	return remote.Classify(ctx, err)
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}
