package pbxlet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

const (
	pbxKey = "demo/main"
	token  = "s3cret-token"
	realm  = "ringmaster"
)

// rig is a real Asterisk with its pbxlet, a manager's link server, and phones.
type rig struct {
	t        *testing.T
	asterisk *env.AsteriskServer
	manager  *manager
	pbxlet   *running
	link     string
}

// manager is the server's end, which can be stopped and started again.
type manager struct {
	server *pbxlink.Server
	events *recorder
	grpc   *grpc.Server
	addr   string
}

type running struct {
	cancel context.CancelFunc
	done   chan error
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the pbxlet does not stop")
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, asterisk: env.Asterisk(t), link: t.TempDir()}
	r.startManager("127.0.0.1:0")
	ca, err := os.ReadFile(r.asterisk.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"ca.crt": string(ca), "token": token + "\n", "server": r.manager.addr, "pbx": pbxKey} {
		if err := os.WriteFile(filepath.Join(r.link, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.startPbxlet()
	t.Cleanup(func() {
		r.pbxlet.stop(t)
		r.stopManager()
	})
	return r
}

// newRigOn is a second Asterisk and pbxlet of the same PBX.
func newRigOn(t *testing.T, first *rig) *rig {
	t.Helper()
	r := &rig{t: t, asterisk: env.Asterisk(t), link: first.link, manager: first.manager}
	r.startPbxlet()
	t.Cleanup(func() { r.pbxlet.stop(t) })
	return r
}

func (r *rig) startManager(addr string) {
	r.t.Helper()
	events := &recorder{contacts: map[string][]pbxlink.Contact{}, members: map[string]pbxlink.QueueMember{}, figures: map[string]pbxlink.QueueFigures{}, devices: map[string]string{}, voicemail: map[string][2]int{}}
	server := pbxlink.NewServer(pbxlink.Options{
		Logger: logger(r.t), Observer: events,
		Authenticate: func(_ context.Context, pbx, given string) error {
			if pbx != pbxKey || given != token {
				return errors.New("wrong token")
			}
			return nil
		},
	})
	cert, key, err := r.asterisk.CA.Issue("manager", pkix.Name{CommonName: "localhost"})
	if err != nil {
		r.t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		r.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	opts := append(pbxlink.ServerOptions(), grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	g := grpc.NewServer(opts...)
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	r.manager = &manager{server: server, events: events, grpc: g, addr: listener.Addr().String()}
}

func (r *rig) stopManager() {
	r.manager.server.Shutdown()
	r.manager.grpc.Stop()
}

func (r *rig) startPbxlet() {
	ctx, cancel := context.WithCancel(context.Background())
	r.pbxlet = &running{cancel: cancel, done: make(chan error, 1)}
	cfg := pbxlet.Config{
		Dir: r.link, ServerName: "localhost", StateDir: r.asterisk.StateDir, SpoolDir: r.asterisk.SpoolDir, Logger: logger(r.t),
		AMIAddr: r.asterisk.AMIAddr, AMIUser: r.asterisk.AMIUser, AMISecret: r.asterisk.AMISecret,
	}
	done := r.pbxlet.done
	go func() { done <- pbxlet.Run(ctx, cfg) }()
}

// center is a Center of n agents from 1001 on, for this Asterisk.
func (r *rig) center(n int) voice.Center {
	r.t.Helper()
	host, portText, err := net.SplitHostPort(r.asterisk.SIPAddr)
	if err != nil {
		r.t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		r.t.Fatal(err)
	}
	c := voice.Center{PBX: voice.PBX{
		Realm: realm, BindAddress: host, UDPPort: port, TCPPort: port, RingTimeout: 2 * time.Second,
	}}
	for i := range n {
		c.Agents = append(c.Agents, agent(strconv.Itoa(1001+i)))
	}
	return c
}

func agent(extension string) voice.Endpoint {
	user := "user." + extension
	return voice.Endpoint{
		Key: "Agent/" + user, Extension: extension, Username: user, DisplayName: "User " + extension,
		HA1: voice.HA1(user, realm, "pw"+extension),
	}
}

// set renders the center and makes it what the PBX is to have.
func (r *rig) set(c voice.Center, opts ...pbxlink.SnapshotOptions) voice.Snapshot {
	r.t.Helper()
	s, err := voice.Render(c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.manager.server.SetSnapshot(pbxKey, s, append(opts, pbxlink.SnapshotOptions{})[0])
	return s
}

// apply is set, and waits until the PBX acknowledges.
func (r *rig) apply(c voice.Center, opts ...pbxlink.SnapshotOptions) voice.Snapshot {
	r.t.Helper()
	s := r.set(c, opts...)
	r.eventually("the snapshot is applied", func() error {
		st := r.status()
		if st.AppliedVersion != s.Version || !st.AsteriskUp {
			return fmt.Errorf("status %+v, rejection %+v", brief(st), st.LastRejection)
		}
		return nil
	})
	return s
}

func brief(s pbxlink.Status) pbxlink.Status {
	s.AppliedObjects = nil
	return s
}

func (r *rig) status() pbxlink.Status { return r.manager.server.Status(pbxKey) }

// eventually polls until check returns nil, and fails with its last error.
func (r *rig) eventually(what string, check func() error) {
	r.t.Helper()
	r.within(20*time.Second, what, check)
}

func (r *rig) within(limit time.Duration, what string, check func() error) {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not in %s: %s: %v", limit, what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *rig) rx(command string) string {
	r.t.Helper()
	out, err := r.asterisk.RX(r.t.Context(), command)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// phone makes an agent's phone without registering it.
func (r *rig) phone(extension string, change ...func(*phone.Options)) *phone.Phone {
	r.t.Helper()
	opts := phone.Options{Server: r.asterisk.SIPAddr, User: extension, AuthUser: "user." + extension, Password: "pw" + extension}
	for _, c := range change {
		c(&opts)
	}
	p, err := phone.New(opts)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return p
}

// registered is a phone that has registered.
func (r *rig) registered(extension string, change ...func(*phone.Options)) *phone.Phone {
	r.t.Helper()
	p := r.phone(extension, change...)
	if err := p.Register(r.soon()); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// soon is a context for one SIP exchange.
func (r *rig) soon() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	r.t.Cleanup(cancel)
	return ctx
}

// refused asserts that a call fails with the SIP status.
func (r *rig) refused(p *phone.Phone, target string, code int) {
	r.t.Helper()
	call, err := p.Call(r.soon(), target)
	var status *phone.StatusError
	if !errors.As(err, &status) || status.Code != code {
		r.t.Errorf("calling %s: got %v, %v; want SIP %d", target, call, err, code)
	}
}

// recorder keeps what the observer was told last.
type recorder struct {
	mu       sync.Mutex
	changes  int
	contacts map[string][]pbxlink.Contact
	members  map[string]pbxlink.QueueMember
	figures  map[string]pbxlink.QueueFigures
	devices  map[string]string
	// voicemail are the counts of unread and read messages.
	voicemail map[string][2]int
	// calls are all reports of calls, in order.
	calls []pbxlink.Call
}

func (o *recorder) OnStatusChange(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
}

func (o *recorder) OnContacts(_, extension string, contacts []pbxlink.Contact) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.contacts[extension] = contacts
}

func (o *recorder) OnQueueMember(_ string, m pbxlink.QueueMember) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.members[m.Queue+"/"+m.Extension] = m
}

func (o *recorder) OnQueueFigures(_, queue string, f pbxlink.QueueFigures) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.figures[queue] = f
}

func (o *recorder) OnCall(_ string, c pbxlink.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, c)
}

func (o *recorder) OnVoicemail(_, extension string, unread, read int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.voicemail[extension] = [2]int{unread, read}
}

func (o *recorder) OnDeviceState(_, extension, state string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.devices[extension] = state
}

// OnSignInFailures is observed in test/calls.
func (o *recorder) OnSignInFailures(string, string, int, string) {}

func (o *recorder) contactsOf(extension string) []pbxlink.Contact {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.contacts[extension]
}

func (o *recorder) member(key string) pbxlink.QueueMember {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.members[key]
}

// logger writes to the test's log while the test lasts.
func logger(t *testing.T) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct {
	mu sync.Mutex
	t  *testing.T
}

func (w *testWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// shortly is a context for something that is to fail.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}
