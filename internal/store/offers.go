package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// jointOffer is one agent's part in an offer to several. Rows are only written by who holds the interaction locked, and
// there are at least two: what is offered to one agent alone is offered like any other.
type jointOffer struct {
	agent    string
	answerAt int64
}

// agentOffers are the interactions that are offered to an agent and to others.
const agentOffers = "SELECT interaction_id FROM offers WHERE namespace = ? AND agent = ?"

// jointOffers of an interaction by name of the agents.
func jointOffers(ctx context.Context, c conn, id string) ([]jointOffer, error) {
	list, err := all(ctx, c, func(s scanner) (jointOffer, error) {
		var o jointOffer
		return o, s.Scan(&o.agent, &o.answerAt)
	}, "SELECT agent, answer_at FROM offers WHERE interaction_id = ?", id)
	slices.SortFunc(list, func(a, b jointOffer) int { return cmp.Compare(a.agent, b.agent) })
	return list, err
}

// firstAnswer is the offer that is accepted automatically first; none has answerAt 0.
func firstAnswer(list []jointOffer) jointOffer {
	var first jointOffer
	for _, o := range list {
		if o.answerAt > 0 && (first.answerAt == 0 || o.answerAt < first.answerAt) {
			first = o
		}
	}
	return first
}

// isOffered says that an offer of r to the agent runs. A deadline ends an offer by itself, whether or not a worker has seen it yet.
func (t *tx) isOffered(ctx context.Context, r *interactionRow, agent string, now int64) (bool, error) {
	if r.State != StateOffered || micros(r.Deadline) <= now {
		return false, nil
	}
	if !r.joint {
		return r.Agent == agent, nil
	}
	n, err := one(ctx, t.conn, scalar[int], "SELECT COUNT(*) FROM offers WHERE interaction_id = ? AND agent = ?", r.ID, agent)
	return n > 0, err
}

// offerAll offers the queued i to several agents of the queue; the first to accept has it.
func (r *router) offerAll(ctx context.Context, q *routedQueue, i *interactionRow, d routing.Decision) error {
	rows, offers := make([][]any, 0, len(d.Agents)), make([]jointOffer, 0, len(d.Agents))
	for _, name := range d.Agents {
		answer, err := r.count(q, i, name)
		if err != nil {
			return err
		}
		o := jointOffer{agent: name}
		if answer.Enabled {
			o.answerAt = r.now + answer.Delay.Microseconds()
		}
		offers = append(offers, o)
		rows = append(rows, []any{i.ID, r.namespace, o.agent, o.answerAt})
	}
	if err := r.insert(ctx, "offers (interaction_id, namespace, agent, answer_at)", "", rows...); err != nil {
		return err
	}
	i.joint = true
	i.timers, i.Deadline = i.timers.Offer(d.Deadline, false, 0, fromMicros(r.now))
	first := firstAnswer(offers)
	i.timers = i.timers.AnswerAt(fromMicros(first.answerAt))
	for _, o := range offers { // one step for each, so that everyone's history says why
		r.move(i, StateOffered, o.agent, "Offered", d.Detail, r.now)
		r.emitInteraction(EventOffered, i, o.agent, "")
	}
	if first.answerAt != r.now {
		return nil
	}
	if err := r.accept(ctx, i, first.agent, routing.ReasonAutoAnswered, r.now); err != nil {
		return err
	}
	for _, o := range offers {
		if o.agent != first.agent {
			r.addLoad(q, o.agent, -1)
		}
	}
	return nil
}

// autoAnswerer is whose offer the timer of r accepts.
func (t *tx) autoAnswerer(ctx context.Context, r *interactionRow) (string, error) {
	if !r.joint {
		return r.Agent, nil
	}
	list, err := jointOffers(ctx, t.conn, r.ID)
	if first := firstAnswer(list); err == nil && first.answerAt > 0 {
		return first.agent, nil
	}
	if err == nil {
		err = fmt.Errorf("nobody answers %s automatically", r.ID)
	}
	return "", err
}

// endJoint ends what is left of an offer of r to several, except that of who has accepted: the others have room again.
func (t *tx) endJoint(ctx context.Context, r *interactionRow, winner, reason string) ([]string, error) {
	if !r.joint {
		return nil, nil
	}
	agents, err := all(ctx, t.conn, scalar[string], "DELETE FROM offers WHERE interaction_id = ? RETURNING agent", r.ID)
	if err != nil {
		return nil, err
	}
	slices.Sort(agents)
	r.joint, r.Deadline = false, time.Time{}
	for _, agent := range agents {
		if agent == winner {
			continue
		}
		t.emitInteraction(EventOfferEnded, r, agent, reason)
		if err := t.queuesChanged(ctx, Key{r.Namespace, agent}); err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// withdraw ends the agent's part in an offer of r to several. The last one who is left has an offer like any other.
// The caller saves r.
func (t *tx) withdraw(ctx context.Context, r *interactionRow, agent, reason string, now int64) error {
	list, err := jointOffers(ctx, t.conn, r.ID)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(list, func(o jointOffer) bool { return o.agent == agent })
	if _, err := t.exec(ctx, "DELETE FROM offers WHERE interaction_id = ? AND (agent = ? OR ?)", r.ID, agent, len(left) == 1); err != nil {
		return err
	}
	r.timers = r.timers.AnswerAt(fromMicros(firstAnswer(left).answerAt))
	if len(left) == 1 {
		r.Agent, r.joint = left[0].agent, false
	}
	t.move(r, StateOffered, agent, reason, "", now)
	t.emitInteraction(EventOfferEnded, r, agent, reason)
	return t.queuesChanged(ctx, Key{r.Namespace, agent})
}

// withdrawAll ends the agent's part in all offers to several. The center is locked, so nothing is added meanwhile.
func (t *tx) withdrawAll(ctx context.Context, rows []*interactionRow, agent, reason string, now int64) error {
	for _, r := range rows {
		// Somebody may have accepted before the row was locked.
		n, err := one(ctx, t.conn, scalar[int], "SELECT COUNT(*) FROM offers WHERE interaction_id = ? AND agent = ?", r.ID, agent)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := t.withdraw(ctx, r, agent, reason, now); err != nil {
			return err
		}
		if err := t.save(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// flushShared tells everyone to whom an interaction is offered what happened to it.
func (t *tx) flushShared(ctx context.Context) error {
	for _, e := range t.shared {
		list, err := jointOffers(ctx, t.conn, e.Subject)
		if err != nil {
			return err
		}
		for _, o := range list {
			e.Agent = o.agent
			t.emit(e)
		}
	}
	return nil
}
