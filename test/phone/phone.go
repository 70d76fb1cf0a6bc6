// Package phone is a small SIP user agent (RFC 3261) for tests and the demo:
// it registers with digest authentication over UDP, TCP, TLS or a WebSocket,
// places and answers calls, sends a tone and listens to what comes back, so
// that a step of a proof can say "this phone rang" or "these two heard each
// other" instead of "no error was returned".
package phone

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
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
	// Unavailable refuses with 480 at once.
	Unavailable
)

// Options describe one phone. Server, User and Password are required.
type Options struct {
	// Server is the PBX as host:port.
	Server string
	// Transport is "udp" (default), "tcp", "tls", "ws" or "wss". WebSockets are
	// opened at the path /ws, where Asterisk serves them (RFC 7118). Media is
	// always plain RTP.
	Transport string
	// RootCAs verify the PBX over tls and wss; nil means the system's.
	RootCAs *x509.CertPool
	// ServerName is the name in the PBX's certificate; default "localhost".
	ServerName string
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
	// Expires is the registration lifetime asked for; default 10 minutes. A
	// negative one leaves it to the PBX.
	Expires time.Duration
	// Refresh registers again this often by itself after the first Register,
	// and every second while that fails; 0 means never.
	Refresh time.Duration
	// Contact is shown as the phone's own host:port instead of the true one, as
	// a phone behind address translation does.
	Contact string
	// MediaAddress is the IP address SDP shows instead of the true one.
	MediaAddress string
	// Codecs are "ulaw" and "alaw" in order of preference; default ulaw alone.
	Codecs []string
	// Tone is the frequency in Hz of what the phone says; default 1000.
	Tone float64
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
	options atomic.Int64
	cseq    atomic.Uint32
	callID  string
	refresh sync.Once
	// kept is false once Unregister was called.
	kept atomic.Bool

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	calls    map[*Call]struct{}
	last     *Call
	incoming []Incoming
	answer   chan struct{}
}

// quiet keeps sipgo from writing what it finds remarkable to the program's log.
var quiet = sync.OnceFunc(func() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) })

// New binds a phone to a free port. It sends nothing until Register or Call.
// Close releases everything.
func New(opts Options) (*Phone, error) {
	quiet()
	opts = withDefaults(opts)
	host, portText, err := net.SplitHostPort(opts.Server)
	if err != nil {
		return nil, fmt.Errorf("phone: server %q: %w", opts.Server, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("phone: server %q: %w", opts.Server, err)
	}
	if err := opts.check(); err != nil {
		return nil, err
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
		answer: make(chan struct{}),
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
	opts.Local = cmp.Or(opts.Local, "127.0.0.1")
	opts.ServerName = cmp.Or(opts.ServerName, "localhost")
	opts.Tone = cmp.Or(opts.Tone, 1000)
	if len(opts.Codecs) == 0 {
		opts.Codecs = []string{"ulaw"}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

func (o Options) check() error {
	switch o.Transport {
	case "udp", "tcp", "tls", "ws", "wss":
	default:
		return fmt.Errorf("phone: unknown transport %q", o.Transport)
	}
	for _, c := range o.Codecs {
		if _, ok := payloadOf[c]; !ok {
			return fmt.Errorf("phone: unknown codec %q", c)
		}
	}
	return nil
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
		sipgo.WithUserAgenTLSConfig(&tls.Config{RootCAs: p.opts.RootCAs, ServerName: p.opts.ServerName, MinVersion: tls.VersionTLS12}),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(p.log), sip.WithTransportLayerTransports(webSockets())),
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

// webSockets are opened where Asterisk serves them.
func webSockets() sip.TransportsConfig {
	return sip.TransportsConfig{
		WS:  &sip.TransportWS{DialURI: func(host string) string { return "ws://" + host + "/ws" }},
		WSS: &sip.TransportWSS{TransportWS: &sip.TransportWS{DialURI: func(host string) string { return "wss://" + host + "/ws" }}},
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
	if host, port, err := net.SplitHostPort(p.opts.Contact); err == nil {
		uri.Host = host
		uri.Port, _ = strconv.Atoi(port)
	}
	if p.opts.Transport != "udp" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", p.opts.Transport)
	}
	return sip.ContactHeader{Address: uri}
}

// User is the SIP user of the phone.
func (p *Phone) User() string { return p.opts.User }

// Addr is the local SIP address the phone listens at.
func (p *Phone) Addr() string { return p.local.String() }

// SetMode changes what the phone does with the next incoming call.
func (p *Phone) SetMode(m AnswerMode) { p.mode.Store(int32(m)) }

// Answer answers the calls that ring now, whatever the mode.
func (p *Phone) Answer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.answer)
	p.answer = make(chan struct{})
}

// Rings is the number of calls that have made this phone ring so far.
func (p *Phone) Rings() int { return int(p.rings.Load()) }

// Ringing is the number of incoming calls ringing now.
func (p *Phone) Ringing() int { return int(p.ringing.Load()) }

// Incoming are the calls that have made this phone ring so far, in order.
func (p *Phone) Incoming() []Incoming {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.incoming)
}

// Qualified is how many OPTIONS requests the PBX has sent.
func (p *Phone) Qualified() int { return int(p.options.Load()) }

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
	p.mu.Lock()
	p.cancel()
	p.mu.Unlock()
	err := p.ua.Close()
	p.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("phone: close: %w", err)
	}
	return nil
}
