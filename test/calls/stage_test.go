package calls

import (
	"context"
	"crypto/x509"
	"os"
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
	link     *link
	roots    *x509.CertPool
	settings voice.PBX
	// soundDir has the sound files that the tests made.
	soundDir string

	mu     sync.Mutex
	scenes map[*scene]bool // whether Asterisk has it
	next   int
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
	if err := pbx.link.load(c); err != nil {
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
	if err := pbx.link.load(voice.Center{PBX: s.settings, Agents: s.agents, Telephones: s.telephones, Queues: s.queues}); err != nil {
		s.t.Fatal(err)
	}
}

func (p *stage) close() error {
	err := p.link.close()
	p.ami.Close()
	<-p.log.done
	return err
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
	// Also for clean-ups, when the test's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
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
