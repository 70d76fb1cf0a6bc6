package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	eventsPath = "/v1/events"
	// eventWriteTimeout ends a stream whose client does not read.
	eventWriteTimeout = 10 * time.Second
)

// Names of events that the stream itself makes; the others are the store's Event* constants.
const (
	eventHello = "hello"
	eventEnd   = "end"
)

const eventsDescription = `Server-sent events (WHATWG HTML, section 9.2) about this agent only. Every event has an id; after a broken
connection send the last one as Last-Event-ID and the stream goes on where it stopped.

- ` + "`hello`" + ` comes first: ` + "`{resumed, heartbeatSeconds}`" + `. When ` + "`resumed`" + ` is false, reload what you show.
- ` + "`presence`, `permissions.changed`, `clientLogs.enabled`, `clientLogs.disabled`, `interaction.offered`, `interaction.offerEnded`, `interaction.opened`, `interaction.message`, `interaction.updated`, `interaction.closed`, `interaction.queued`, `interaction.unread`, `message.state`, `credential`, `seat`, `forwarding`, `voicemail`, `call.updated`, `recording.started`, `recording.paused`, `recording.resumed`, `recording.stopped`" + `:
  ` + "`{subject, at, data}`" + `, where subject is the id or name of what changed: of the call for ` + "`call.*` and `recording.*`" + `. Who is on the
  other side of a call is in ` + "`GET /v1/calls/{id}`" + ` only. ` + "`interaction.offered`" + ` has ` + "`notification: {sound, shake, text}`, sound and shake each `Enabled` or `Disabled`" + `, too.
- ` + "`end`" + `: ` + "`{code}`" + `; the session has ended, do not reconnect before signing in again.

A comment comes every 15 seconds when nothing happens. A client that reads too slowly is disconnected and can resume.
The token is accepted in the Authorization header only.`

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"Id of the last event received"`
}

type helloEvent struct {
	// Resumed is true when the events after Last-Event-ID follow.
	Resumed          bool `json:"resumed"`
	HeartbeatSeconds int  `json:"heartbeatSeconds"`
}

type endEvent struct {
	Code Code `json:"code"`
}

// changeEvent is the data of an event of the store.
type changeEvent struct {
	Subject string          `json:"subject"`
	At      time.Time       `json:"at"`
	Data    json.RawMessage `json:"data,omitempty"`
	// Notification of an offer.
	Notification *Notification `json:"notification,omitempty"`
}

func (s *server) registerEvents(api huma.API) {
	op := operation("streamEvents", http.MethodGet, eventsPath, "Event stream")
	op.Description = eventsDescription
	op.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The stream",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, s.events)
}

// events prepares everything that may fail while a status can still tell.
func (s *server) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	c := callerOf(ctx)
	cursor := store.Cursor(in.LastEventID)
	resumed := cursor != ""
	if resumed {
		_, err := s.Store.EventsAfter(ctx, c.Namespace, cursor, 1)
		if errors.Is(err, store.ErrNotFound) {
			resumed = false // not a cursor: an error would make browsers give up for good
		} else if err != nil {
			return nil, s.fail(ctx, "reading events", err)
		}
	}
	if !resumed {
		var err error
		if cursor, err = s.Store.LastCursor(ctx); err != nil {
			return nil, s.fail(ctx, "reading the last event", err)
		}
	}
	sub, err := s.hub.subscribe(ctx, c.Key)
	if err != nil {
		return nil, s.fail(ctx, "subscribing to events", err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer s.hub.unsubscribe(sub)
		_, w := humago.Unwrap(hctx)
		stream := &eventStream{server: s, caller: c, sub: sub, w: w, rc: http.NewResponseController(w)}
		stream.run(hctx.Context(), cursor, resumed)
	}}, nil
}

// eventStream is one connection.
type eventStream struct {
	*server
	caller caller
	sub    *subscription
	w      http.ResponseWriter
	rc     *http.ResponseController
	// replayed are the cursors that were sent from the store and may come from the hub again.
	replayed map[store.Cursor]bool
}

var errSessionEnded = errors.New("session ended")

// run ends with ctx, the session, a slow or gone client, or a store that cannot be read; the client resumes.
func (e *eventStream) run(ctx context.Context, cursor store.Cursor, resumed bool) {
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	_ = e.rc.SetReadDeadline(time.Time{})

	begun, err := e.begin(ctx)
	defer begun()
	if err != nil {
		e.Logger.WarnContext(ctx, "recording an event stream", "agent", e.caller.String(), "requestID", requestID(ctx), "error", err)
	}
	hello := helloEvent{Resumed: resumed, HeartbeatSeconds: int(e.Heartbeat.Seconds())}
	err = e.send(eventHello, cursor, hello)
	if err == nil {
		err = e.replay(ctx, cursor)
	}
	if err == nil {
		err = e.follow(ctx)
	}
	if errors.Is(err, errSessionEnded) {
		err = e.send(eventEnd, "", endEvent{Code: CodeAuthFailed})
	}
	e.Logger.DebugContext(ctx, "event stream ended", "agent", e.caller.String(), "requestID", requestID(ctx), "error", err)
}

// begin records that the agent's client is connected, until the function it returns is called. Events flow without it as well.
func (e *eventStream) begin(ctx context.Context) (end func(), err error) {
	id := uuid.NewString()
	err = e.Store.BeginStream(ctx, e.caller.Key, id, e.hub.lease)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // the client has gone
		defer cancel()
		if err := e.Store.EndStream(ctx, id); err != nil {
			e.Logger.DebugContext(ctx, "recording the end of an event stream", "agent", e.caller.String(), "error", err)
		}
	}, err
}

// replay sends what happened after cursor up to now. The hub has been buffering since before, so the two overlap and
// leave no gap.
func (e *eventStream) replay(ctx context.Context, cursor store.Cursor) error {
	e.replayed = map[store.Cursor]bool{}
	for {
		page, err := e.Store.EventsAfter(ctx, e.caller.Namespace, cursor, hubPage)
		if err != nil {
			return fmt.Errorf("replaying events: %w", err)
		}
		for _, event := range page {
			cursor = event.Cursor
			if recipient(event) != e.caller.Key {
				continue
			}
			e.replayed[cursor] = true
			if err := e.sendChange(ctx, event); err != nil {
				return err
			}
		}
		if len(page) < hubPage {
			return nil
		}
	}
}

func (e *eventStream) follow(ctx context.Context) error {
	heartbeat := time.NewTicker(e.Heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.sub.lagged:
			return errors.New("the client reads too slowly")
		case event := <-e.sub.events:
			if e.replayed[event.Cursor] {
				continue
			}
			e.replayed = nil // both come in commit order: nothing replayed follows
			if err := e.sendChange(ctx, event); err != nil {
				return err
			}
		case <-e.sub.recheck:
			if err := e.checkSession(ctx); err != nil {
				return err
			}
		case <-heartbeat.C:
			if err := e.checkSession(ctx); err != nil {
				return err
			}
			if err := e.write([]byte(": heartbeat\n\n")); err != nil {
				return err
			}
		}
	}
}

func (e *eventStream) sendChange(ctx context.Context, event store.Event) error {
	if event.Kind == store.EventPermissions {
		// What follows must be as the agent may see it now.
		agent, err := e.Store.GetAgent(ctx, e.caller.Key)
		if err != nil {
			return fmt.Errorf("reading the agent again: %w", err)
		}
		if e.caller.permissions, err = parsePermissions(agent.Permissions); err != nil {
			return err
		}
	}
	notification, err := e.notification(ctx, e.caller, event)
	if err != nil {
		return err
	}
	change := masked(e.caller, changeEvent{Subject: event.Subject, At: event.At.UTC(), Data: event.Data, Notification: notification})
	if err := e.send(event.Kind, event.Cursor, change); err != nil {
		return err
	}
	if event.Kind == store.EventPresence || event.Kind == store.EventCredential {
		// Signing out, a changed password and a deactivated account end sessions.
		return e.checkSession(ctx)
	}
	return nil
}

// checkSession ends the stream only on the store's word: while it does not answer, the session is not known to be over.
func (e *eventStream) checkSession(ctx context.Context) error {
	_, err := e.Store.GetSession(ctx, e.caller.tokenHash)
	if errors.Is(err, store.ErrNotFound) {
		return errSessionEnded
	}
	return nil
}

func (e *eventStream) send(name string, id store.Cursor, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", name, err)
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, encoded)
	return e.write(b.Bytes())
}

func (e *eventStream) write(b []byte) error {
	// Without deadline support (a test recorder) there is no slow client either.
	_ = e.rc.SetWriteDeadline(time.Now().Add(eventWriteTimeout))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.rc.Flush()
}
