package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// queue decides for the queue's expired offers and waiting interactions.
func (r *router) queue(ctx context.Context, q *routedQueue) error {
	if r.left == 0 && len(q.work) == 0 {
		return nil // stays due
	}
	if err := r.loadMembers(ctx, q); err != nil {
		return err
	}
	expired := map[string]string{} // whose offer it was, by interaction
	for _, i := range q.work {
		var err error
		if expired[i.ID], err = r.endOffer(ctx, q, i); err != nil {
			return err
		}
	}
	fetch := min(r.left, r.room(q))
	waiting, err := all(ctx, r.conn, scanInteraction, interactionColumns+`WHERE namespace = ? AND queue = ? AND state = 'Queued'
		AND for_agent = ''
		AND (seen_gen < ? OR (retry_at > 0 AND retry_at <= ?)) ORDER BY precedence, queued_at, id LIMIT ? FOR UPDATE SKIP LOCKED`,
		r.namespace, q.Name, q.gen, r.now, fetch)
	if err != nil {
		return err
	}
	q.work = append(q.work, waiting...)
	slices.SortStableFunc(q.work, func(a, b *interactionRow) int {
		return cmp.Or(cmp.Compare(a.precedence, b.precedence), cmp.Compare(a.queuedAt, b.queuedAt), cmp.Compare(a.ID, b.ID))
	})
	changed := q.work[:0:0]
	for _, i := range q.work {
		if expired[i.ID] == "" {
			if r.room(q) == 0 {
				continue
			}
			r.left--
		}
		if err := r.apply(ctx, q, i, expired[i.ID]); err != nil {
			return err
		}
		changed = append(changed, i)
	}
	if err := r.save(ctx, changed...); err != nil {
		return err
	}
	return r.finishQueue(ctx, q, len(waiting) < fetch)
}

// finishQueue says when the queue is due next.
func (r *router) finishQueue(ctx context.Context, q *routedQueue, finished bool) error {
	var due int64
	var wait string
	switch {
	case r.room(q) == 0: // the next change makes it due, or the end of a wrap-up time
		d := r.decide(routing.Interaction{Queue: q.Name}, q.Queue, q.members, fromMicros(r.now))
		due, wait = micros(d.RetryAt), d.Detail
	case !finished:
		due = r.now
	default:
		var err error
		if due, err = one(ctx, r.conn, scalar[int64], `SELECT COALESCE(MIN(retry_at), 0) FROM interactions
			WHERE namespace = ? AND queue = ? AND state = 'Queued' AND retry_at > 0`, r.namespace, q.Name); err != nil {
			return err
		}
	}
	_, err := r.exec(ctx, "UPDATE queues SET due_at = ?, last_offered = ?, wait_detail = ? WHERE namespace = ? AND name = ?",
		due, q.LastOffered, wait, r.namespace, q.Name)
	return err
}

// candidate is an agent as the router reads it.
type candidate struct {
	routing.Candidate
	lastOffered int64
	autoAnswer  AutoAnswer
	wrapUp      int64
}

const candidateColumns = `SELECT a.name, a.active, a.email_capacity, a.auto_answer, a.last_offered, COALESCE(p.signed_in, FALSE), COALESCE(p.paused, FALSE),
	CASE WHEN a.active AND COALESCE(p.signed_in AND NOT p.paused, FALSE) THEN (SELECT COUNT(*) FROM interactions i
	WHERE i.namespace = a.namespace AND i.agent = a.name AND i.agent <> '' AND i.channel = 'Email' AND i.state IN ('Offered', 'Open'))
	+ (SELECT COUNT(*) FROM offers o WHERE o.namespace = a.namespace AND o.agent = a.name)
	ELSE 0 END,`

func scanCandidate(s scanner) (candidate, error) {
	var c candidate
	var answer int64
	err := s.Scan(&c.Agent, &c.Active, &c.Capacity, &answer, &c.lastOffered, &c.SignedIn, &c.Paused, &c.Load, &c.Penalty, &c.wrapUp)
	c.LastOffered, c.autoAnswer = fromMicros(c.lastOffered), autoAnswerOf(answer)
	return c, err
}

func (r *router) loadMembers(ctx context.Context, q *routedQueue) error {
	var err error
	q.members, err = all(ctx, r.conn, func(s scanner) (routing.Candidate, error) {
		c, err := scanCandidate(s)
		if a := r.agents[c.Agent]; a == nil {
			r.agents[c.Agent] = &agentLoad{load: c.Load, lastOffered: c.lastOffered, autoAnswer: c.autoAnswer}
		} else { // another queue of this transaction may have given it something
			c.Load, c.LastOffered = a.load, fromMicros(a.lastOffered)
		}
		if c.wrapUp > r.now {
			c.WrapUp = fromMicros(c.wrapUp)
		}
		return c.Candidate, err
	}, candidateColumns+` m.penalty, COALESCE(w.until_at, 0)
		FROM queue_members m JOIN agents a ON a.namespace = m.namespace AND a.name = m.agent
		LEFT JOIN presence p ON p.namespace = m.namespace AND p.agent = m.agent
		LEFT JOIN wrap_ups w ON w.namespace = m.namespace AND w.agent = m.agent
		WHERE m.namespace = ? AND m.queue = ?`, r.namespace, q.Name)
	slices.SortFunc(q.members, func(a, b routing.Candidate) int { return cmp.Compare(a.Agent, b.Agent) })
	return err
}

// room is how many interactions the members can take now, at most a batch.
func (r *router) room(q *routedQueue) int {
	n := 0
	for i := range q.members {
		c := &q.members[i]
		switch {
		case !c.Available():
		case c.Capacity == 0:
			return routeBatch
		default:
			n += c.Capacity - c.Load
		}
		if n >= routeBatch {
			return routeBatch
		}
	}
	return n
}

// member of the queue by name, nil when there is none.
func (q *routedQueue) member(agent string) *routing.Candidate {
	at, ok := slices.BinarySearchFunc(q.members, agent, func(c routing.Candidate, name string) int { return cmp.Compare(c.Agent, name) })
	if !ok {
		return nil
	}
	return &q.members[at]
}

// endOffer ends an offer whose deadline has passed, and says whose it was. Its agents have room again, in other queues too.
func (r *router) endOffer(ctx context.Context, q *routedQueue, i *interactionRow) (string, error) {
	if i.joint {
		agents, err := r.endJoint(ctx, i, "", "OfferTimeout")
		if err != nil {
			return "", err
		}
		for _, agent := range agents {
			i.decline(agent, r.now)
			r.addLoad(q, agent, -1)
		}
		i.timers = i.timers.OfferEnded()
		r.move(i, StateQueued, "", "OfferTimeout", "", r.now)
		return strings.Join(agents, ", "), nil
	}
	agent := i.Agent
	i.decline(agent, r.now)
	i.Agent, i.Deadline, i.timers = "", time.Time{}, i.timers.OfferEnded()
	r.addLoad(q, agent, -1)
	r.move(i, StateQueued, agent, "OfferTimeout", "", r.now)
	r.emitInteraction(EventOfferEnded, i, agent, "OfferTimeout")
	return agent, r.queuesChanged(ctx, Key{r.namespace, agent})
}

func (r *router) addLoad(q *routedQueue, agent string, n int) {
	if a := r.agents[agent]; a != nil {
		a.load = max(a.load+n, 0)
	}
	if c := q.member(agent); c != nil {
		c.Load = r.agents[agent].load
	}
}

// apply asks for a decision about an interaction and carries it out; expired is whose offer has just ended.
func (r *router) apply(ctx context.Context, q *routedQueue, i *interactionRow, expired string) error {
	d := r.decide(routing.Interaction{ID: i.ID, Queue: q.Name, OfferedTo: expired, Declined: i.declined,
		DeclinedAt: fromMicros(i.declinedAt), QueuedAt: fromMicros(i.queuedAt)}, q.Queue, q.members, fromMicros(r.now))
	if d.StartOver {
		i.declined = nil
	}
	i.seenGen, i.retryAt = q.gen, 0
	if d.Action != routing.Offer {
		i.WaitDetail = d.Detail
		if micros(d.RetryAt) > r.now {
			i.retryAt = micros(d.RetryAt)
		}
		if expired != "" {
			r.emitInteraction(EventQueued, i, "", "OfferTimeout")
		}
		return nil
	}
	if len(d.Agents) > 1 {
		return r.offerAll(ctx, q, i, d)
	}
	answer, err := r.count(q, i, d.Agent)
	if err != nil {
		return err
	}
	q.LastOffered = d.Agent
	r.offer(i, q.member(d.Agent), answer, d.Deadline, d.Detail)
	if answer.Enabled && answer.Delay == 0 {
		return r.accept(ctx, i, d.Agent, routing.ReasonAutoAnswered, r.now)
	}
	return nil
}

// count counts an offer of i to an agent, and says whether the agent accepts automatically.
func (r *router) count(q *routedQueue, i *interactionRow, agent string) (AutoAnswer, error) {
	c := q.member(agent)
	if c == nil || !c.Available() {
		return AutoAnswer{}, fmt.Errorf("decision for %s: agent %q cannot take it", i.ID, agent)
	}
	r.stamp++
	r.agents[agent].lastOffered, r.agents[agent].changed = r.stamp, true
	c.LastOffered = fromMicros(r.stamp)
	r.addLoad(q, agent, 1)
	return r.agents[agent].autoAnswer, nil
}

// offer makes the offer; the caller has counted it.
func (r *router) offer(i *interactionRow, c *routing.Candidate, answer AutoAnswer, deadline time.Time, detail string) {
	i.Agent = c.Agent
	i.timers, i.Deadline = i.timers.Offer(deadline, answer.Enabled, answer.Delay, fromMicros(r.now))
	r.move(i, StateOffered, c.Agent, "Offered", detail, r.now)
	r.emitInteraction(EventOffered, i, c.Agent, "")
}

func (r *router) saveAgents(ctx context.Context) error {
	var rows [][]any
	for name, a := range r.agents {
		if a.changed {
			rows = append(rows, []any{name, a.lastOffered})
		}
	}
	return r.bulk(ctx, "UPDATE agents SET last_offered = v.column2 FROM (VALUES ", "(CAST(? AS TEXT), CAST(? AS BIGINT))",
		") AS v WHERE agents.name = v.column1 AND agents.namespace = ?", rows, r.namespace)
}

// NextDue implements Interactions. A time in the past means now.
func (db *DB) NextDue(ctx context.Context) (time.Time, error) {
	us, err := one(ctx, db.read(), scalar[int64], `SELECT COALESCE(MIN(due), 0) FROM (
		SELECT MIN(due_at) AS due FROM queues WHERE due_at > 0
		UNION ALL SELECT MIN(deadline) FROM interactions WHERE state = 'Offered'
		UNION ALL SELECT MIN(timer_at) FROM interactions WHERE timer_at > 0
		UNION ALL SELECT MIN(due_at) FROM flow_runs WHERE due_at > 0) AS d`)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: next due: %w", err)
	}
	return fromMicros(us), nil
}
