package pbxlet

import (
	"context"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
)

// waitingIn are the channels of the callers who wait in the queues, whom
// nobody has answered.
func (a *asterisk) waitingIn(ctx context.Context, queues []string) ([]string, error) {
	var channels []string
	for _, queue := range queues {
		list, err := a.list(ctx, "QueueStatus", ami.Header{Name: "Queue", Value: queue})
		if err := ignoreEmpty(err); err != nil {
			return nil, err
		}
		for _, m := range list {
			if m.Event() == "QueueEntry" {
				channels = append(channels, m.Get("Channel"))
			}
		}
	}
	return channels, nil
}

// release hangs up on callers whose queue is gone: app_queue would keep them
// for ever, with music and without members.
func (e *engine) release(ctx context.Context, a *asterisk, channels []string) error {
	for _, channel := range channels {
		if err := a.act(ctx, "Hangup", ami.Header{Name: "Channel", Value: channel}); err != nil {
			if broken(ctx, a) {
				return err
			}
			e.log.Debug("a caller of a deleted queue has gone", "error", err)
		}
	}
	if len(channels) > 0 {
		e.log.Warn("callers of deleted queues were hung up", "callers", len(channels))
	}
	return nil
}
