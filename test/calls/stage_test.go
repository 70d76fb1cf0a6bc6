package calls

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	realm       = "ringmaster"
	ringTimeout = 4 * time.Second
	firstNumber = 1001
)

// stage is the one Asterisk and the center it runs. The center is the union of
// the scenes of the tests that are about to run: a test describes its scene
// before it calls T.Parallel, and the testing package lets no parallel test go
// on before all are described, so one load serves them all.
type stage struct {
	asterisk *env.AsteriskServer
	ami      *ami.Client
	log      *eventLog
	roots    *x509.CertPool
	settings voice.PBX
	// wsAddr is the host:port of SIP over a plain WebSocket.
	wsAddr string
	// soundDir has the sound files that the tests made.
	soundDir string

	mu     sync.Mutex
	scenes map[*scene]bool // whether Asterisk has it
	next   int
	loads  int
}

// scene is one test's own part of the center: its agents and queues.
type scene struct {
	t          *testing.T
	agents     []voice.Endpoint
	telephones []voice.Endpoint
	queues     []voice.Queue
	settings   voice.PBX
}

// newScene begins the description of what a test needs.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, settings: pbx.settings}
	pbx.mu.Lock()
	pbx.scenes[s] = false
	pbx.mu.Unlock()
	t.Cleanup(func() {
		pbx.mu.Lock()
		defer pbx.mu.Unlock()
		delete(pbx.scenes, s)
	})
	return s
}

// number is one that no other test has.
func (s *scene) number() string {
	pbx.mu.Lock()
	defer pbx.mu.Unlock()
	pbx.next++
	return strconv.Itoa(pbx.next - 1)
}

// agent adds an agent and returns the extension.
func (s *scene) agent(change ...func(*voice.Endpoint)) string {
	e := endpoint(s.number())
	for _, c := range change {
		c(&e)
	}
	s.agents = append(s.agents, e)
	return e.Extension
}

func endpoint(extension string) voice.Endpoint {
	user := "user." + extension
	return voice.Endpoint{
		Key: "Agent/" + user, Extension: extension, Username: user, DisplayName: "User " + extension,
		HA1: voice.HA1(user, realm, password(extension)),
	}
}

func password(extension string) string { return "pw" + extension }

// queue adds a queue of the members and returns the number to dial, which is
// also its name.
func (s *scene) queue(members []string, change ...func(*voice.Queue)) string {
	number := "6" + s.number()
	q := voice.Queue{Key: "Queue/" + number, Name: "q" + number, Number: number, Timeout: 2 * time.Second, Retry: time.Second}
	for _, m := range members {
		q.Members = append(q.Members, voice.Member{Extension: m})
	}
	for _, c := range change {
		c(&q)
	}
	s.queues = append(s.queues, q)
	return q.Number
}

// start runs the rest of the test beside the others, once Asterisk has loaded
// the scene.
func (s *scene) start() {
	s.t.Helper()
	s.t.Parallel()
	pbx.mu.Lock()
	defer pbx.mu.Unlock()
	if pbx.scenes[s] {
		return
	}
	c := voice.Center{PBX: pbx.settings}
	for scene := range pbx.scenes {
		c.Agents = append(c.Agents, scene.agents...)
		c.Telephones = append(c.Telephones, scene.telephones...)
		c.Queues = append(c.Queues, scene.queues...)
	}
	if err := pbx.load(c); err != nil {
		s.t.Fatal(err)
	}
	for scene := range pbx.scenes {
		pbx.scenes[scene] = true
	}
}

// alone loads this scene and nothing else, with its own settings. It may be
// called again after a change. The test must not be a parallel one.
func (s *scene) alone() {
	s.t.Helper()
	pbx.mu.Lock()
	defer pbx.mu.Unlock()
	if err := pbx.load(voice.Center{PBX: s.settings, Agents: s.agents, Telephones: s.telephones, Queues: s.queues}); err != nil {
		s.t.Fatal(err)
	}
}

// modules are what has to be reloaded for the files of a snapshot.
var modules = []string{
	"http", "res_pjsip.so", "app_voicemail.so", "res_pjsip_mwi.so", "res_musiconhold.so", "app_queue.so", "pbx_config.so", "features",
}

// load makes Asterisk run the center and reads its dialplan's revision back.
func (p *stage) load(c voice.Center) error {
	snapshot, err := voice.Render(c)
	if err != nil {
		return err
	}
	p.loads++
	dir := filepath.Join(p.asterisk.StateDir, fmt.Sprintf("v%d", p.loads))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range snapshot.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Path), f.Content, 0o644); err != nil {
			return err
		}
	}
	link := filepath.Join(p.asterisk.StateDir, "current")
	if err := os.Symlink(dir, link+".new"); err != nil {
		return err
	}
	if err := os.Rename(link+".new", link); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, m := range modules {
		if _, err := p.ami.Action(ctx, "Reload", ami.Header{Name: "Module", Value: m}); err != nil {
			return fmt.Errorf("reload %s: %w", m, err)
		}
	}
	return poll(10*time.Second, func() error { return p.runs(ctx, snapshot.Expect) })
}

// runs checks that Asterisk shows the endpoints, queues and dialplan.
func (p *stage) runs(ctx context.Context, want voice.Expect) error {
	m, err := p.ami.Action(ctx, "Getvar", ami.Header{Name: "Variable", Value: voice.RevisionVariable})
	if err != nil {
		return err
	}
	if got := m.Get("Value"); got != want.DialplanRevision {
		return fmt.Errorf("the dialplan is of revision %q, want %q", got, want.DialplanRevision)
	}
	endpoints, err := p.ami.List(ctx, "PJSIPShowEndpoints")
	if err != nil {
		return err
	}
	queues, err := p.ami.List(ctx, "QueueSummary")
	if err != nil {
		return err
	}
	if len(endpoints) != len(want.Endpoints) || len(queues) != len(want.Queues) {
		return fmt.Errorf("%d endpoints and %d queues, want %d and %d", len(endpoints), len(queues), len(want.Endpoints), len(want.Queues))
	}
	return nil
}

func (p *stage) close() {
	p.ami.Close()
	<-p.log.done
}

// poll asks until check returns nil, and returns its last error.
func poll(limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// eventually polls until check returns nil, and fails with its last error.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	within(t, 15*time.Second, what, check)
}

func within(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	if err := poll(limit, check); err != nil {
		t.Fatalf("not within %s: %s: %v", limit, what, err)
	}
}

// action sends one action of the manager interface.
func action(t *testing.T, name string, headers ...string) ami.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := pbx.ami.Action(ctx, name, pairs(headers)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// list sends an action that answers with a list.
func list(t *testing.T, name string, headers ...string) []ami.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := pbx.ami.List(ctx, name, pairs(headers)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func pairs(words []string) []ami.Header {
	var hs []ami.Header
	for pair := range slices.Chunk(words, 2) {
		hs = append(hs, ami.Header{Name: pair[0], Value: pair[1]})
	}
	return hs
}

// rx runs one command of Asterisk's console.
func rx(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := pbx.ami.Command(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// eventLog keeps the events of the manager interface.
type eventLog struct {
	done chan struct{}

	mu     sync.Mutex
	events []ami.Message
}

func newEventLog(c *ami.Client) *eventLog {
	l := &eventLog{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for m := range c.Events() {
			l.mu.Lock()
			l.events = append(l.events, m)
			l.mu.Unlock()
		}
	}()
	return l
}

// find returns the events of the name whose headers have the values.
func (l *eventLog) find(name string, headers ...string) []ami.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []ami.Message
	for _, m := range l.events {
		if m.Event() != name {
			continue
		}
		if !slices.ContainsFunc(pairs(headers), func(h ami.Header) bool { return m.Get(h.Name) != h.Value }) {
			found = append(found, m)
		}
	}
	return found
}

// channels are the Newchannel events of an extension's phone.
func (l *eventLog) channels(extension string) []ami.Message {
	var found []ami.Message
	for _, m := range l.find("Newchannel") {
		if strings.HasPrefix(m.Get("Channel"), "PJSIP/"+extension+"-") {
			found = append(found, m)
		}
	}
	return found
}

// logTail is the end of what Asterisk wrote to its log.
func logTail(a *env.AsteriskServer) string {
	const most = 8 << 10
	text, err := os.ReadFile(a.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
