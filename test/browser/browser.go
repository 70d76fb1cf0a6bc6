// Package browser drives pages of a headless Chromium that are WebRTC agents:
// each registers over WSS with JsSIP, calls and answers with a made-up
// microphone, and counts its media by the browser's own statistics. Tests use
// it where only a real browser proves that a call in one works.
package browser

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

//go:embed page
var page embed.FS

// Browser opens pages, each of which becomes one agent.
type Browser struct {
	chromium *env.ChromiumServer
	server   *httptest.Server
	// tab is the browser's first tab, whose end ends the connection; pages are
	// tabs beside it.
	tab context.Context
}

// Open connects to a browser for this test and serves it the page, over HTTPS
// with a certificate of the environment's CA.
func Open(t testing.TB, chromium *env.ChromiumServer) *Browser {
	t.Helper()
	b := &Browser{chromium: chromium, server: servePage(t, chromium)}
	allocated, cancelAllocator := remote.NewAllocator(context.Background(), chromium.DevToolsURL)
	t.Cleanup(cancelAllocator)
	tab, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b.tab = tab
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("connect to Chromium: %v", err)
	}
	return b
}

func servePage(t testing.TB, chromium *env.ChromiumServer) *httptest.Server {
	t.Helper()
	files, err := fs.Sub(page, "page")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := chromium.CA.Issue("page", pkix.Name{CommonName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	mux.HandleFunc("/jssip.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, chromium.JsSIPFile) })
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// Account is what a client must know to register; the SIP Secret of an Agent
// and the desk's profile hold it.
type Account struct {
	// URL is the WebSocket: wss://host:port/ws.
	URL string `json:"url"`
	// Server is the host of the SIP addresses.
	Server string `json:"server"`
	// Extension is the SIP user, Username the digest user.
	Extension string `json:"extension"`
	Username  string `json:"username"`
	Password  string `json:"password"`
	Realm     string `json:"realm"`
}

// State is what a page knows of itself and its call. Media is counted by the
// browser (W3C webrtc-stats) and zero without a call.
type State struct {
	// Connected and Registered describe the WebSocket and the SIP registration;
	// Sockets is how many WebSockets the client has opened for SIP.
	Connected  bool `json:"connected"`
	Registered bool `json:"registered"`
	Sockets    int  `json:"sockets"`
	// Ringing means that a call waits for Answer, Up that one is established.
	// Remote is the SIP user of the other side, Ended why the last call ended.
	Ringing bool   `json:"ringing"`
	Up      bool   `json:"up"`
	Remote  string `json:"remote"`
	Ended   string `json:"ended"`
	// Sent, Received and Lost are RTP packets. Energy grows with what was heard:
	// silence has none.
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Lost     int     `json:"lost"`
	Energy   float64 `json:"energy"`
	// Codec and ReceivedCodec are MIME types, as audio/opus.
	Codec         string `json:"codec"`
	ReceivedCodec string `json:"receivedCodec"`
	// DTLS is "connected" when the keys of SRTP are agreed, Cipher names the
	// SRTP profile, and ICE is "succeeded" when a path was found.
	DTLS   string `json:"dtls"`
	Cipher string `json:"cipher"`
	ICE    string `json:"ice"`
}

// Agent is one page. Its methods may be called by one goroutine at a time.
type Agent struct {
	tab context.Context
	// Close closes the page, as its user may do in the middle of anything.
	Close func()
}

// Page opens a page that is not registered yet.
func (b *Browser) Page(t testing.TB) *Agent {
	t.Helper()
	tab, cancel := chromedp.NewContext(b.tab)
	t.Cleanup(cancel)
	if err := chromedp.Do(tab, chromedp.Navigate(b.server.URL)); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	return &Agent{tab: tab, Close: cancel}
}

// Register registers the page. The error names the SIP answer, or says that
// there was no WebSocket.
func (a *Agent) Register(ctx context.Context, account Account) error {
	raw, err := json.Marshal(account)
	if err != nil {
		return err
	}
	return a.do(ctx, fmt.Sprintf("agent.register(%s)", raw))
}

// Unregister ends the registration.
func (a *Agent) Unregister(ctx context.Context) error { return a.do(ctx, "agent.unregister()") }

// Call dials a number and returns when it is answered; the error names the SIP
// answer of a refusal.
func (a *Agent) Call(ctx context.Context, number string) error {
	return a.do(ctx, fmt.Sprintf("agent.call(%q)", number))
}

// Answer takes the call that rings and returns when it is established.
func (a *Agent) Answer(ctx context.Context) error { return a.do(ctx, "agent.answer()") }

// Hangup ends the call, if there is one.
func (a *Agent) Hangup(ctx context.Context) error { return a.do(ctx, "agent.hangup()") }

// State asks the page.
func (a *Agent) State(ctx context.Context) (State, error) {
	return evaluate[State](ctx, a, "agent.state()")
}

// Connects tells whether the browser can open one more WebSocket to url,
// certificate included.
func (a *Agent) Connects(ctx context.Context, url string) (bool, error) {
	return evaluate[bool](ctx, a, fmt.Sprintf("agent.connects(%q)", url))
}

func (a *Agent) do(ctx context.Context, expression string) error {
	_, err := evaluate[chromedp.Void](ctx, a, expression)
	return err
}

// evaluate has the page evaluate an expression and waits for its promise.
func evaluate[T any](ctx context.Context, a *Agent, expression string) (T, error) {
	tab, cancel := context.WithCancel(a.tab)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return value, fmt.Errorf("page: %w", err)
	}
	return value, nil
}
