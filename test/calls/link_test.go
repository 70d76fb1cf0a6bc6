package calls

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	pbxKey   = "calls/main"
	linkAuth = "token-of-the-link"
)

// link is a manager's end with the real pbxlet at the other: the way every
// center reaches its Asterisk.
type link struct {
	server *pbxlink.Server
	events *recorder
	grpc   *grpc.Server
	cancel context.CancelFunc
	done   chan error

	mu     sync.Mutex
	states map[string]pbxlink.MemberState
}

func newLink(a *env.AsteriskServer) (*link, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	l := &link{events: newRecorder(), done: make(chan error, 1), states: map[string]pbxlink.MemberState{}}
	l.server = pbxlink.NewServer(pbxlink.Options{
		Logger: log, Observer: l.events, MinInterval: 20 * time.Millisecond,
		Authenticate: func(_ context.Context, key, token string) error {
			if key != pbxKey || token != linkAuth {
				return errors.New("wrong token")
			}
			return nil
		},
	})
	cert, key, err := a.CA.Issue("manager", pkix.Name{CommonName: "localhost"})
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(env.Loopback, "0"))
	if err != nil {
		return nil, err
	}
	l.grpc = grpc.NewServer(append(pbxlink.ServerOptions(), grpc.Creds(credentials.NewServerTLSFromCert(&pair)))...)
	l.server.Register(l.grpc)
	go func() { _ = l.grpc.Serve(listener) }()

	token := filepath.Join(filepath.Dir(a.StateDir), "link-token")
	if err := os.WriteFile(token, []byte(linkAuth), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() {
		l.done <- pbxlet.Run(ctx, pbxlet.Config{
			Manager: listener.Addr().String(), ServerName: "localhost", CAFile: a.CAFile, TokenFile: token, PBX: pbxKey,
			StateDir: a.StateDir, SpoolDir: a.SpoolDir, Logger: log,
			AMIAddr: a.AMIAddr, AMIUser: a.AMIUser, AMISecret: a.AMISecret,
		})
	}()
	return l, nil
}

func (l *link) close() error {
	l.cancel()
	err := <-l.done
	l.server.Shutdown()
	l.grpc.Stop()
	return err
}

// load makes the center what Asterisk runs.
func (l *link) load(c voice.Center) error {
	snapshot, err := voice.Render(c)
	if err != nil {
		return err
	}
	l.server.SetSnapshot(pbxKey, snapshot, pbxlink.SnapshotOptions{AllowShrink: true})
	refused := ""
	err = poll(60*time.Second, func() error {
		st := l.server.Status(pbxKey)
		if st.AppliedVersion == snapshot.Version && st.AsteriskUp {
			return nil
		}
		if r := st.LastRejection; r != nil && r.Version == snapshot.Version {
			refused = r.Reason
			return nil
		}
		return fmt.Errorf("connected %t, Asterisk up %t, %s", st.Connected, st.AsteriskUp, st.Problem)
	})
	if refused != "" {
		err = errors.New(refused)
	}
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

// change sets the wanted run-time state of some endpoints.
func (l *link) change(extensions []string, change func(*pbxlink.MemberState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range extensions {
		m, ok := l.states[e]
		if !ok {
			m = pbxlink.MemberState{Extension: e, Paused: true}
		}
		change(&m)
		l.states[e] = m
	}
	l.server.SetMemberStates(pbxKey, slices.Collect(maps.Values(l.states)))
}

// ready signs agents in; pause makes them pause.
func ready(t *testing.T, extensions ...string) {
	t.Helper()
	setPause(t, extensions, false, "")
}

func pause(t *testing.T, extensions ...string) {
	t.Helper()
	setPause(t, extensions, true, "Lunch")
}

// setPause waits until every queue of the agents has it.
func setPause(t *testing.T, extensions []string, paused bool, reason string) {
	t.Helper()
	pbx.link.change(extensions, func(m *pbxlink.MemberState) { m.Paused, m.Reason = paused, reason })
	for _, e := range extensions {
		eventually(t, fmt.Sprintf("the pause of %s is %t", e, paused), func() error {
			for _, q := range pbx.queuesOf(e) {
				if m, ok := pbx.link.events.member(q, e); !ok || m.Paused != paused {
					return fmt.Errorf("in %s: %+v", q, m)
				}
			}
			return nil
		})
	}
}

// queuesOf are the names of the queues of all scenes with that member.
func (p *stage) queuesOf(extension string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for s := range p.scenes {
		for _, q := range s.queues {
			if slices.ContainsFunc(q.Members, func(m voice.Member) bool { return m.Extension == extension }) {
				names = append(names, q.Name)
			}
		}
	}
	return names
}

// set changes the run-time state of an agent for the rest of the test, and
// waits until AstDB, where the dialplan looks, has the value.
func set(t *testing.T, extension string, change func(*pbxlink.MemberState), key, value string) {
	t.Helper()
	was := astDB(t, extension, key)
	pbx.link.mu.Lock()
	before, known := pbx.link.states[extension]
	pbx.link.mu.Unlock()
	if !known {
		before = pbxlink.MemberState{Extension: extension, Paused: true}
	}
	pbx.link.change([]string{extension}, change)
	inAstDB(t, extension, key, value)
	t.Cleanup(func() {
		pbx.link.change([]string{extension}, func(m *pbxlink.MemberState) { *m = before })
		inAstDB(t, extension, key, was)
	})
}

// astDB is a value of the dialplan's database; empty when there is none.
func astDB(t *testing.T, extension, key string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	list, err := pbx.ami.List(ctx, "DBGet", pairs([]string{"Family", "ringmaster", "Key", extension + "/" + key})...)
	if _, missing := errors.AsType[*ami.Error](err); missing {
		return ""
	}
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].Get("Val")
}

func inAstDB(t *testing.T, extension, key, value string) {
	t.Helper()
	eventually(t, "AstDB has it", func() error {
		if got := astDB(t, extension, key); got != value {
			return fmt.Errorf("%s of %s is %q, want %q", key, extension, got, value)
		}
		return nil
	})
}

func doNotDisturb(t *testing.T, extension string) {
	t.Helper()
	set(t, extension, func(m *pbxlink.MemberState) { m.RejectDirect = true }, "dnd", "1")
}

func forward(t *testing.T, extension, number string) {
	t.Helper()
	set(t, extension, func(m *pbxlink.MemberState) { m.ForwardTo = number }, "forward", number)
}

// recorder keeps what the manager was told last.
type recorder struct {
	mu        sync.Mutex
	members   map[string]pbxlink.QueueMember
	calls     map[string]pbxlink.Call
	voicemail map[string][2]int
	// failures are wrong passwords of phones, and failedFrom where the last one came from.
	failures   map[string]int
	failedFrom map[string]string
}

func newRecorder() *recorder {
	return &recorder{failures: map[string]int{}, failedFrom: map[string]string{}, members: map[string]pbxlink.QueueMember{}, calls: map[string]pbxlink.Call{}, voicemail: map[string][2]int{}}
}

func (*recorder) OnStatusChange(string)                               {}
func (*recorder) OnContacts(string, string, []pbxlink.Contact)        {}
func (*recorder) OnQueueFigures(string, string, pbxlink.QueueFigures) {}
func (*recorder) OnDeviceState(string, string, string)                {}
func (o *recorder) OnSignInFailures(_, extension string, count int, address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures[extension] += count
	o.failedFrom[extension] = address
}

func (o *recorder) signInFailures(extension string) (count int, address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failures[extension], o.failedFrom[extension]
}

func (o *recorder) OnVoicemail(_, extension string, unread, read int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.voicemail[extension] = [2]int{unread, read}
}

func (o *recorder) OnQueueMember(_ string, m pbxlink.QueueMember) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.members[m.Queue+"/"+m.Extension] = m
}

func (o *recorder) OnCall(_ string, c pbxlink.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls[c.Extension] = c
}

func (o *recorder) member(queue, extension string) (pbxlink.QueueMember, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.members[queue+"/"+extension]
	return m, ok
}

// call is the extension's newest.
func (o *recorder) call(extension string) pbxlink.Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls[extension]
}
