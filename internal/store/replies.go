package store

import (
	"context"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// loadOwners finds out who of the open interactions' agents is there. Their rows are locked: an agent who comes or goes
// meanwhile waits for them and sees what this batch made of them.
func (in *ingest) loadOwners(ctx context.Context) error {
	in.here = map[string]bool{}
	for _, r := range in.rows {
		if _, ok := in.rules[r.Account]; !ok {
			var err error
			if in.rules[r.Account], err = in.rulesOf(ctx, in.account.Namespace, r.Account); err != nil {
				return err
			}
		}
		if _, ok := in.here[r.Agent]; ok || r.State != StateOpen {
			continue
		}
		var err error
		if in.here[r.Agent], err = in.tx.here(ctx, Key{in.account.Namespace, r.Agent}); err != nil {
			return err
		}
	}
	return nil
}

// want lets a reply of the model Legacy wait for the agent who had its conversation. Routing offers it; here nobody's
// presence is locked.
func (in *ingest) want(r *interactionRow, queue string, rules routing.Rules, reason string) {
	r.Queue, r.Agent, r.queuedAt, r.declined, r.seenGen, r.retryAt = queue, "", in.now, nil, 0, 0
	r.forAgent, r.precedence, r.timers = r.LastAgent, precedenceOf(rules, true), r.timers.Wanted(rules, fromMicros(in.now))
	r.timers.Received = fromMicros(in.now)
	in.move(r, StateQueued, "", reason, "", in.now)
	in.emitInteraction(EventQueued, r, "", reason)
}
