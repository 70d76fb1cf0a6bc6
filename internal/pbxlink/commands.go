package pbxlink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// ErrForgotten says that the PBX was deleted while a command waited for it.
var ErrForgotten = errors.New("pbxlink: the PBX was deleted")

// asked is a command with an answer for whoever asked. Its id is the same in
// every session, so that the pbxlet can tell a repetition.
type asked struct {
	command *pbxlinkv1.Command
	// durable commands stay until they are done, whoever still waits.
	durable bool
	retryAt time.Time
	// done is closed when err, or else result, is the answer.
	done   chan struct{}
	result *pbxlinkv1.CommandResult
	err    error
}

// RecordCall changes the recording of a call and waits until that is done; it is
// repeated when the pbxlet is away, until ctx ends. The error is one of
// ErrCallEnded, ErrRecordingLimit, ErrNotRecording, ErrNotAllowed, ErrForgotten,
// that of ctx, or what Asterisk said.
func (s *Server) RecordCall(ctx context.Context, pbx, callID string, verb RecordVerb) error {
	wire, ok := recordVerbs[verb]
	if !ok {
		return fmt.Errorf("pbxlink: %q is no verb of RecordCall", verb)
	}
	c := &pbxlinkv1.Command{Id: uuid.NewString(), Action: &pbxlinkv1.Command_RecordCall{
		RecordCall: &pbxlinkv1.RecordCall{CallId: callID, Verb: wire},
	}}
	_, err := s.link(pbx).ask(ctx, c, false)
	return err
}

// PurgeMailbox deletes the messages and greetings that owner (voice.Mailbox.Owner)
// has left under the extension. It is repeated until it is done, also after ctx
// has ended, for as long as this Server lives; asking again while it is
// outstanding only waits. A mailbox that owner still has in the snapshot in force
// is not purged before it is gone.
func (s *Server) PurgeMailbox(ctx context.Context, pbx, extension, owner string) error {
	c := &pbxlinkv1.Command{Id: "purge/" + extension + "/" + owner, Action: &pbxlinkv1.Command_PurgeMailbox{
		PurgeMailbox: &pbxlinkv1.PurgeMailbox{Extension: extension, Owner: owner},
	}}
	_, err := s.link(pbx).ask(ctx, c, true)
	return err
}

// ask puts the command on the list, unless it is there, and waits for its answer.
func (l *link) ask(ctx context.Context, c *pbxlinkv1.Command, durable bool) (*pbxlinkv1.CommandResult, error) {
	l.mu.Lock()
	a, ok := l.asked[c.GetId()]
	if !ok {
		a = &asked{command: c, durable: durable, done: make(chan struct{})}
		l.asked[c.GetId()] = a
	}
	l.mu.Unlock()
	l.wake()
	select {
	case <-a.done:
		return a.result, a.err
	case <-ctx.Done():
	}
	if !durable {
		l.mu.Lock()
		delete(l.asked, c.GetId())
		l.mu.Unlock()
	}
	return nil, ctx.Err()
}

func (l *link) nextAsked(ss *session, later func(time.Time) bool) *pbxlinkv1.SyncResponse {
	for _, id := range slices.Sorted(maps.Keys(l.asked)) {
		a := l.asked[id]
		if ss.sentAsked[id] || later(a.retryAt) {
			continue
		}
		ss.sentAsked[id] = true
		return command(a.command)
	}
	return nil
}

// answered takes in the result of an asked command. The link is locked.
func (l *link) answered(a *asked, r *pbxlinkv1.CommandResult) {
	switch refusal := refusals[r.GetRefusal()]; {
	case r.GetError() == "":
		a.result = r
	case refusal != nil:
		a.err = refusal
	case a.durable:
		a.retryAt = time.Now().Add(commandRetry)
		return
	default:
		a.err = fmt.Errorf("pbxlink: %s", r.GetError())
	}
	delete(l.asked, r.GetId())
	close(a.done)
}

// giveUp answers everything that is still asked.
func (l *link) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.asked {
		a.err = ErrForgotten
		delete(l.asked, id)
		close(a.done)
	}
}
