package store

import (
	"context"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// reject ends the agent's offer. The queue offers on to others first; who was asked alone has decided for all.
func (t *tx) reject(ctx context.Context, r *interactionRow, agent string, now int64) error {
	if r.forAgent != "" && r.timers.Sender != "" {
		if err := t.sendBack(ctx, r, routing.ReasonTransferRejected, now); err != nil {
			return err
		}
		return t.save(ctx, r)
	}
	switch r.timers.Stage { // a rejection counts as the timeout of the wait
	case routing.StageAgent:
		r.timers.Owner = fromMicros(now)
	case routing.StageQueue:
		r.timers.Queue = fromMicros(now)
	}
	r.decline(agent, now)
	return t.requeue(ctx, []*interactionRow{r}, "Rejected", "")
}

// sendBack returns a transfer that nobody accepted to its sender as unread. A Legacy account, and a sender who is gone, leave
// it to whoever looks through what is unread.
func (t *tx) sendBack(ctx context.Context, r *interactionRow, reason string, now int64) error {
	rules, err := t.rulesOf(ctx, r.Namespace, r.Account)
	if err != nil {
		return err
	}
	sender, about := r.timers.Sender, r.Agent
	if about == "" {
		about = r.forAgent
	}
	a, err := getAgent(ctx, t.conn, Key{r.Namespace, sender})
	if ignoreNotFound(err) != nil {
		return err
	}
	r.Read = false
	if !a.Active || rules.Model == routing.ModelLegacy {
		return t.toUnread(ctx, r, about, reason, "", now)
	}
	here, err := t.here(ctx, a.Key)
	if err != nil {
		return err
	}
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	r.Agent, r.forAgent, r.declined = sender, "", nil
	if r.LastQueue != "" {
		r.Queue = r.LastQueue
	}
	r.timers = r.timers.SentBack(rules, here, fromMicros(now))
	t.move(r, StateOpen, sender, reason, "", now)
	t.emitInteraction(EventOpened, r, sender, reason)
	return nil
}
