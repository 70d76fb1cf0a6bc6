// Package phone is a small SIP user agent (RFC 3261) for tests and the demo:
// it registers with digest authentication, places and answers calls, and
// counts the audio that flows, so that a step of a proof can say "this phone
// rang" or "these two heard each other" instead of "no error was returned".
package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// AnswerMode says what the phone does with an incoming call.
type AnswerMode int

const (
	// Answer rings for Options.AnswerAfter and then answers. The default.
	Answer AnswerMode = iota
	// RingOnly rings until the caller gives up.
	RingOnly
	// Busy refuses with 486 at once.
	Busy
)

// Options describe one phone. Server, User and Password are required.
type Options struct {
	// Server is the PBX as host:port.
	Server string
	// Transport is "udp" (default) or "tcp".
	Transport string
	// User is the SIP user: From, To and Contact. At a Ringmaster PBX it is
	// the extension.
	User string
	// AuthUser is the digest username; empty means User. At a Ringmaster PBX
	// it is the Agent's username.
	AuthUser string
	// Password is the SIP password.
	Password string
	// DisplayName is shown to the called party when the PBX permits it.
	DisplayName string
	// Expires is the registration lifetime asked for; default 10 minutes. The
	// phone does not refresh by itself.
	Expires time.Duration
	// Mode is the initial AnswerMode.
	Mode AnswerMode
	// AnswerAfter is how long an incoming call rings before it is answered;
	// default 100 ms.
	AnswerAfter time.Duration
	// Local is the IP address to bind to; default 127.0.0.1.
	Local string
	// Logger receives SIP traces at debug level; default discards them.
	Logger *slog.Logger
}

// StatusError is a final SIP response other than success.
type StatusError struct {
	// Method is the request that was refused.
	Method string
	// Code is the SIP status, for example 401, 403 or 404.
	Code int
	// Reason is the phrase that came with it.
	Reason string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.Method, e.Code, e.Reason)
}

// Phone is one SIP user agent bound to its own UDP and TCP port. Its methods
// may be used from several goroutines.
type Phone struct {
	opts   Options
	host   string
	port   int
	local  net.UDPAddr
	log    *slog.Logger
	ua     *sipgo.UserAgent
	client *sipgo.Client
	in     *sipgo.DialogServerCache
	out    *sipgo.DialogClientCache

	mode    atomic.Int32
	rings   atomic.Int64
	ringing atomic.Int64
	waiting atomic.Int64
	cseq    atomic.Uint32
	callID  string

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	calls map[*Call]struct{}
	last  *Call
}

// New binds a phone to a free port. It sends nothing until Register or Call.
// Close releases everything.
func New(opts Options) (*Phone, error) {
	opts = withDefaults(opts)
	host, portText, err := net.SplitHostPort(opts.Server)
	if err != nil {
		return nil, fmt.Errorf("phone: server %q: %w", opts.Server, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("phone: server %q: %w", opts.Server, err)
	}
	if opts.Transport != "udp" && opts.Transport != "tcp" {
		return nil, fmt.Errorf("phone: transport %q is neither udp nor tcp", opts.Transport)
	}
	udp, tcp, err := listen(opts.Local)
	if err != nil {
		return nil, err
	}
	p := &Phone{
		opts: opts, host: host, port: port, log: opts.Logger,
		local:  *udp.LocalAddr().(*net.UDPAddr),
		callID: fmt.Sprintf("%s-%d-%d", opts.User, time.Now().UnixNano(), udp.LocalAddr().(*net.UDPAddr).Port),
		calls:  map[*Call]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.mode.Store(int32(opts.Mode))
	if err := p.start(udp, tcp); err != nil {
		p.cancel()
		return nil, errors.Join(err, udp.Close(), tcp.Close())
	}
	return p, nil
}

func withDefaults(opts Options) Options {
	if opts.Transport == "" {
		opts.Transport = "udp"
	}
	opts.Transport = strings.ToLower(opts.Transport)
	if opts.AuthUser == "" {
		opts.AuthUser = opts.User
	}
	if opts.Expires == 0 {
		opts.Expires = 10 * time.Minute
	}
	if opts.AnswerAfter == 0 {
		opts.AnswerAfter = 100 * time.Millisecond
	}
	if opts.Local == "" {
		opts.Local = "127.0.0.1"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

// listen takes one port number for both UDP and TCP, so that one Contact
// serves whichever transport the PBX chooses to call back on.
func listen(local string) (*net.UDPConn, net.Listener, error) {
	var last error
	for range 20 {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(local)})
		if err != nil {
			return nil, nil, fmt.Errorf("phone: listen: %w", err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp, nil
		}
		last = err
		_ = udp.Close()
	}
	return nil, nil, fmt.Errorf("phone: listen: %w", last)
}

func (p *Phone) start(udp *net.UDPConn, tcp net.Listener) error {
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgent(userAgent),
		sipgo.WithUserAgentHostname(p.host),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(p.log)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(p.log)),
	)
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	opts := []sipgo.ClientOption{sipgo.WithClientHostname(p.opts.Local), sipgo.WithClientLogger(p.log), sipgo.WithClientNAT()}
	if p.opts.Transport == "udp" {
		opts = append(opts, sipgo.WithClientConnectionAddr(p.local.String()))
	}
	client, err := sipgo.NewClient(ua, opts...)
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(p.log))
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	p.ua, p.client = ua, client
	p.in = sipgo.NewDialogServerCache(client, p.contact())
	p.out = sipgo.NewDialogClientCache(client, p.contact())
	p.handle(srv)
	conn := &readySignal{PacketConn: udp, ready: make(chan struct{})}
	p.wg.Go(func() { _ = srv.ServeUDP(conn) })
	p.wg.Go(func() { _ = srv.ServeTCP(tcp) })
	p.wg.Go(func() {
		<-p.ctx.Done()
		_ = tcp.Close()
		_ = udp.Close()
	})
	// Requests may leave only once the transport knows the listening socket;
	// otherwise it would try to bind the same port again.
	select {
	case <-conn.ready:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("phone: the SIP transport did not start")
	}
}

// readySignal closes ready when its owner first reads from it.
type readySignal struct {
	net.PacketConn
	once  sync.Once
	ready chan struct{}
}

func (r *readySignal) ReadFrom(b []byte) (int, net.Addr, error) {
	r.once.Do(func() { close(r.ready) })
	return r.PacketConn.ReadFrom(b)
}

func (p *Phone) contact() sip.ContactHeader {
	uri := sip.Uri{Scheme: "sip", User: p.opts.User, Host: p.opts.Local, Port: p.local.Port}
	if p.opts.Transport != "udp" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", p.opts.Transport)
	}
	return sip.ContactHeader{Address: uri}
}

// Addr is the local SIP address the phone listens at.
func (p *Phone) Addr() string { return p.local.String() }

// SetMode changes what the phone does with the next incoming call.
func (p *Phone) SetMode(m AnswerMode) { p.mode.Store(int32(m)) }

// Rings is the number of calls that have made this phone ring so far.
func (p *Phone) Rings() int { return int(p.rings.Load()) }

// Ringing is the number of incoming calls ringing now.
func (p *Phone) Ringing() int { return int(p.ringing.Load()) }

// MessagesWaiting is the number of new voicemail messages in the last message
// summary (RFC 3842) the PBX sent; 0 before the first.
func (p *Phone) MessagesWaiting() int { return int(p.waiting.Load()) }

// Calls is the number of calls that are up now.
func (p *Phone) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// LastCall is the call most recently answered or placed; nil when there was
// none.
func (p *Phone) LastCall() *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Close hangs up every call and stops the phone. It does not unregister, as a
// phone that loses power does not. Close may be called more than once.
func (p *Phone) Close() error {
	p.mu.Lock()
	calls := make([]*Call, 0, len(p.calls))
	for c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, c := range calls {
		_ = c.Hangup(ctx)
	}
	p.cancel()
	err := p.ua.Close()
	p.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("phone: close: %w", err)
	}
	return nil
}
