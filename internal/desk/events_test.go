package desk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// event as a client of the stream sees it; name "heartbeat" stands for the comment.
type event struct {
	id, name string
	data     map[string]any
}

// stream is one connected event stream.
type stream struct {
	f      *fixture
	events chan event // closed at the end of the stream
	cancel context.CancelFunc
	header http.Header
}

func (f *fixture) stream(token, lastEventID string) *stream {
	f.Helper()
	ctx, cancel := context.WithCancel(f.Context())
	f.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/events", nil)
	f.ok(err)
	request.Header.Set("Authorization", "Bearer "+token)
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request) //nolint:bodyclose // closed by the reader below
	f.ok(err)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		f.Fatalf("event stream: %d %v", response.StatusCode, response.Header)
	}
	s := &stream{f: f, events: make(chan event, 1000), cancel: cancel, header: response.Header}
	go func() {
		defer close(s.events)
		defer func() { _ = response.Body.Close() }()
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data)
			case "":
				if value == "heartbeat" {
					e.name = value
				} else {
					s.events <- e
					e = event{}
				}
			}
		}
	}()
	return s
}

// next returns the next event that is not a heartbeat.
func (s *stream) next() event {
	s.f.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.f.Fatal("the event stream ended")
			}
			if e.name != "heartbeat" {
				return e
			}
		case <-timeout:
			s.f.Fatal("no event within 10 s")
		}
	}
}

// expect takes the next event, which must have this name and subject.
func (s *stream) expect(name, subject string) event {
	s.f.Helper()
	e := s.next()
	if e.name != name || (subject != "" && e.data["subject"] != subject) {
		s.f.Fatalf("event %+v, want %s about %q", e, name, subject)
	}
	return e
}

// drained waits for the end of the stream.
func (s *stream) drained() []event {
	s.f.Helper()
	var rest []event
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return rest
			}
			rest = append(rest, e)
		case <-timeout:
			s.f.Fatal("the event stream did not end")
		}
	}
}

func TestEventStream(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	s := f.stream(alice, "")
	if e := s.expect("hello", ""); e.id == "" || e.data["resumed"] != false || e.data["heartbeatSeconds"] == nil {
		t.Errorf("hello: %+v", e)
	}
	id := f.receive("Lamp")
	f.route()
	e := s.expect(store.EventOffered, id)
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(e.data["at"])); err != nil || e.id == "" {
		t.Errorf("offered: %+v", e)
	}
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	s.expect(store.EventOpened, id)
	f.want(200, "", alice, "PUT", "/v1/me/presence", map[string]string{"state": "Paused"})
	s.expect(store.EventPresence, "alice")
	if e := <-s.events; e.name != "heartbeat" {
		t.Errorf("%+v where nothing happened", e)
	}
	s.cancel()
	s.drained()
}

// What happened while the connection was broken comes exactly once after it is back.
func TestEventStreamResumes(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	s := f.stream(alice, "")
	last := s.expect("hello", "").id
	s.cancel()
	s.drained()

	id := f.receive("While away")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)

	s = f.stream(alice, last)
	if e := s.expect("hello", ""); e.data["resumed"] != true {
		t.Errorf("hello: %+v", e)
	}
	last = s.expect(store.EventOffered, id).id
	s.expect(store.EventOpened, id)
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/close", nil)
	s.expect(store.EventClosed, id)

	// Several streams of one agent, each from its own place, while more happens.
	again := f.stream(alice, last)
	again.expect("hello", "")
	again.expect(store.EventOpened, id)
	again.expect(store.EventClosed, id)
	next := f.receive("Next")
	f.route()
	s.expect(store.EventOffered, next)
	again.expect(store.EventOffered, next)

	// A Last-Event-ID that is none must not lock a browser out.
	s = f.stream(alice, "not-a-cursor")
	if e := s.expect("hello", ""); e.data["resumed"] != false {
		t.Errorf("hello: %+v", e)
	}
}

// Under steady change, resuming at any moment neither loses nor repeats an event.
func TestEventStreamHasNoGaps(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	keeper := f.stream(alice, "") // keeps the shared reader running
	last := keeper.expect("hello", "").id
	const changes = 60
	done := make(chan error, 1)
	go func() {
		for i := range changes {
			p := store.Presence{Agent: agentKey("alice"), SignedIn: true, Paused: true, Reason: fmt.Sprint(i)}
			if err := f.store.SetPresence(f.Context(), p); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for seen := 0; seen < changes; {
		s := f.stream(alice, last)
		s.expect("hello", "")
		for range min(7, changes-seen) {
			e := s.expect(store.EventPresence, "alice")
			data, _ := e.data["data"].(map[string]any)
			if data["reason"] != fmt.Sprint(seen) {
				t.Fatalf("change %v where %d was next", data["reason"], seen)
			}
			last = e.id
			seen++
		}
		s.cancel()
		s.drained()
	}
	f.ok(<-done)
}

func TestEventsOfOthersStayWithThem(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	start, err := f.store.LastCursor(t.Context())
	f.ok(err)
	live := f.stream(bob, "")
	live.expect("hello", "")
	f.want(200, "", bob, "PUT", "/v1/me/presence", map[string]string{"state": "Paused"})
	live.expect(store.EventPresence, "bob")

	id := f.receive("For Alice")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+id+"/accept", nil)
	f.want(200, "", alice, "PUT", "/v1/me/presence", map[string]string{"state": "Paused"})
	f.want(200, "", bob, "PUT", "/v1/me/presence", map[string]string{"state": "Ready"})
	live.expect(store.EventPresence, "bob") // and nothing of alice before it

	resumed := f.stream(bob, string(start))
	resumed.expect("hello", "")
	resumed.expect(store.EventPresence, "bob")
	resumed.expect(store.EventPresence, "bob")
}

func TestEventStreamEndsWithTheSession(t *testing.T) {
	for name, tc := range map[string]struct {
		options func(*desk.Options)
		end     func(f *fixture, token string)
	}{
		"sign-out":    {nil, func(f *fixture, token string) { f.want(204, "", token, "POST", "/v1/logout", nil) }},
		"expiry":      {func(o *desk.Options) { o.SessionTTL = 3 * time.Second }, func(*fixture, string) {}},
		"deactivated": {nil, func(f *fixture, _ string) { f.putAgent("alice", false, "") }},
		"deleted":     {nil, func(f *fixture, _ string) { f.ok(f.store.DeleteAgent(f.Context(), agentKey("alice"))) }},
		"password changed elsewhere": {nil, func(f *fixture, _ string) {
			other := f.login("alice")
			f.want(204, "", other, "POST", "/v1/me/password", map[string]string{"current": password, "new": "Passw0rd!2"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*desk.Options)
			if tc.options != nil {
				change = append(change, tc.options)
			}
			f := newFixture(t, change...)
			token := f.login("alice")
			s := f.stream(token, "")
			s.expect("hello", "")
			tc.end(f, token)
			rest := s.drained()
			if len(rest) == 0 {
				t.Fatal("the stream ended without a word")
			}
			if last := rest[len(rest)-1]; last.name != "end" || last.data["code"] != string(desk.CodeAuthFailed) {
				t.Errorf("last event %+v, want end", last)
			}
			f.want(401, desk.CodeAuthFailed, token, "GET", "/v1/events", nil)
		})
	}
}

// While a client follows the events the store knows, and while none does it knows since when.
func TestStreamsAreRecorded(t *testing.T) {
	f := newFixture(t)
	state := func(open bool) {
		t.Helper()
		f.eventually("stream", func() error {
			if got, err := f.store.StreamOf(t.Context(), agentKey("alice")); err != nil || got.Open != open || (got.EndedAgo > 0) == open {
				return fmt.Errorf("%+v, %w", got, err)
			}
			return nil
		})
	}
	token := f.login("alice")
	first, second := f.stream(token, ""), f.stream(token, "")
	first.expect("hello", "")
	second.expect("hello", "")
	state(true)
	if n, err := f.store.EndLostStreams(t.Context()); err != nil || n != 0 {
		t.Errorf("%d streams of a process that lives were ended, %v", n, err)
	}
	first.cancel()
	first.drained()
	state(true)
	second.cancel()
	state(false)
	third := f.stream(token, "")
	third.expect("hello", "")
	state(true)
}
