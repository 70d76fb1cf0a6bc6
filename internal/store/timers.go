package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// noTimers is the text of most rows.
const noTimers = "{}"

func timersOf(text string) (routing.Timers, error) {
	var t routing.Timers
	if text == noTimers {
		return t, nil
	}
	return t, json.Unmarshal([]byte(text), &t)
}

func timersText(t routing.Timers) string {
	if t == (routing.Timers{}) {
		return noTimers
	}
	return toJSON(t)
}

// arm is the timer_at of the row. What waits for one agent is looked at once by routing, and again when that agent's presence changes.
func (r *interactionRow) arm() int64 {
	if r.State == StateQueued && r.forAgent != "" && !r.looked {
		return max(micros(r.UpdatedAt), 1)
	}
	_, at := r.timers.Next(routing.State(r.State))
	return micros(at)
}

func autoAnswerOf(us int64) AutoAnswer {
	if us < 0 {
		return AutoAnswer{}
	}
	return AutoAnswer{Enabled: true, Delay: time.Duration(us) * time.Microsecond}
}

func autoAnswerMicros(a AutoAnswer) int64 {
	if !a.Enabled {
		return -1
	}
	return a.Delay.Microseconds()
}

// rulesOf an account; one that is gone has none.
func (t *tx) rulesOf(ctx context.Context, namespace, account string) (routing.Rules, error) {
	a, err := getAccount(ctx, t.conn, Key{namespace, account})
	return a.Routing, ignoreNotFound(err)
}

// here: the agent is active, signed in and not paused.
func (t *tx) here(ctx context.Context, agent Key) (bool, error) {
	n, err := one(ctx, t.conn, scalar[int], `SELECT COUNT(*) FROM agents a JOIN presence p ON p.namespace = a.namespace AND p.agent = a.name
		WHERE a.namespace = ? AND a.name = ? AND a.active AND p.signed_in AND NOT p.paused`, agent.Namespace, agent.Name)
	return n > 0, err
}

// takeFrom ends the part of the agent, if there is one: it has room again.
func (t *tx) takeFrom(ctx context.Context, r *interactionRow, reason string) error {
	if _, err := t.endJoint(ctx, r, "", reason); err != nil {
		return err
	}
	agent := r.Agent
	if agent == "" {
		return nil
	}
	if r.State == StateOffered {
		t.emitInteraction(EventOfferEnded, r, agent, reason)
	}
	r.Agent, r.Deadline = "", time.Time{}
	return t.queuesChanged(ctx, Key{r.Namespace, agent})
}

// told is who must hear that r leaves them: the agent it is open with.
func (r *interactionRow) told() string {
	if r.State == StateOpen {
		return r.Agent
	}
	return ""
}

// toQueue sends r to an existing queue with a fresh start there.
func (t *tx) toQueue(ctx context.Context, r *interactionRow, queue, about, reason, detail string, now int64) error {
	told := r.told()
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	r.Queue, r.forAgent, r.declined, r.seenGen, r.retryAt = queue, "", nil, 0, 0
	t.move(r, StateQueued, about, reason, detail, now)
	t.emitInteraction(EventQueued, r, told, reason)
	t.due[Key{r.Namespace, queue}] = true
	return nil
}

// toUnread ends routing.
func (t *tx) toUnread(ctx context.Context, r *interactionRow, about, reason, detail string, now int64) error {
	told := r.told()
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	r.forAgent, r.timers = "", r.timers.Requeued()
	t.move(r, StateUnread, about, reason, detail, now)
	t.emitInteraction(EventUnread, r, told, reason)
	return nil
}

// toClosed closes r without its agent.
func (t *tx) toClosed(ctx context.Context, r *interactionRow, disposition, reason string, now int64) error {
	told, about := r.told(), r.Agent
	if err := t.takeFrom(ctx, r, reason); err != nil {
		return err
	}
	if err := t.dispose(ctx, r, Disposal{Path: disposition}); err != nil {
		return err
	}
	if err := t.wantSeen(ctx, r); err != nil {
		return err
	}
	r.forAgent, r.timers, r.Read = "", routing.Timers{}, true
	t.move(r, StateClosed, about, reason, disposition, now)
	t.emitInteraction(EventClosed, r, told, reason)
	return nil
}

// accept opens r with the agent it is offered to.
func (t *tx) accept(ctx context.Context, r *interactionRow, agent, reason string, now int64) error {
	if r.forAgent == "" {
		r.LastQueue = r.Queue
		if err := t.take(ctx, r, now); err != nil {
			return err
		}
	}
	return t.assign(ctx, r, agent, reason, now)
}

// assign opens r with an agent, who has it from now on.
func (t *tx) assign(ctx context.Context, r *interactionRow, agent, reason string, now int64) error {
	rules, err := t.rulesOf(ctx, r.Namespace, r.Account)
	if err != nil {
		return err
	}
	r.Agent, r.Deadline, r.LastAgent, r.declined, r.forAgent = agent, time.Time{}, agent, nil, ""
	r.timers = r.timers.Accepted(rules, fromMicros(now))
	t.move(r, StateOpen, agent, reason, "", now)
	t.emitInteraction(EventOpened, r, agent, reason)
	if _, err := t.endJoint(ctx, r, agent, reason); err != nil {
		return err
	}
	return nil
}

// ownerLeft ends the agent's offers and starts the wait of unread replies. The center is locked.
func (t *tx) ownerLeft(ctx context.Context, agent Key, reason string) error {
	held, err := all(ctx, t.conn, scanInteraction, interactionColumns+
		"WHERE id IN (SELECT id FROM interactions WHERE namespace = ? AND agent = ? AND agent <> '' AND state = ANY(?) UNION ALL "+agentOffers+
		") ORDER BY id FOR UPDATE", agent.Namespace, agent.Name, []string{string(StateOffered), string(StateOpen)}, agent.Namespace, agent.Name)
	if err != nil {
		return err
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	var offered, joint, waiting []*interactionRow
	for _, r := range held {
		switch {
		case r.joint:
			joint = append(joint, r)
			continue
		case r.Agent != agent.Name: // a colleague accepted before the row was locked
			continue
		case r.State == StateOffered:
			offered = append(offered, r)
			continue
		}
		rules, err := t.rulesOf(ctx, r.Namespace, r.Account)
		if err != nil {
			return err
		}
		before := r.timers
		if r.timers = r.timers.OwnerLeft(rules, fromMicros(now)); r.timers != before {
			waiting = append(waiting, r)
		}
	}
	if err := t.save(ctx, waiting...); err != nil {
		return err
	}
	if err := t.withdrawAll(ctx, joint, agent.Name, reason, now); err != nil {
		return err
	}
	return t.requeue(ctx, offered, reason, "")
}

// ownerBack ends the waits for the agent. The center is locked.
func (t *tx) ownerBack(ctx context.Context, agent Key) error {
	// Looked for without locks, so that both kinds are locked in the one order.
	ids, err := all(ctx, t.conn, scalar[string], `SELECT id FROM interactions WHERE namespace = ? AND agent = ? AND agent <> '' AND state = 'Open'
		UNION SELECT id FROM interactions WHERE namespace = ? AND for_agent = ? AND for_agent <> ''`, agent.Namespace, agent.Name, agent.Namespace, agent.Name)
	if err != nil || len(ids) == 0 {
		return err
	}
	slices.Sort(ids)
	rows, err := all(ctx, t.conn, scanInteraction, interactionColumns+"WHERE id = ANY(?) AND namespace = ? ORDER BY id FOR UPDATE", ids, agent.Namespace)
	if err != nil {
		return err
	}
	var changed []*interactionRow
	for _, r := range rows {
		switch {
		case r.State == StateOpen && r.Agent == agent.Name && r.timers.OwnerBack() != r.timers:
			r.timers = r.timers.OwnerBack()
			changed = append(changed, r)
		case r.State == StateQueued && r.forAgent == agent.Name:
			changed = append(changed, r) // saving it makes it due
		}
	}
	t.wake = t.wake || len(changed) > 0
	return t.save(ctx, changed...)
}

// flushFreed makes what waits for the freed agents alone due.
func (t *tx) flushFreed(ctx context.Context) error {
	if len(t.freed) == 0 {
		return nil
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	for agent := range t.freed {
		n, err := t.exec(ctx, "UPDATE interactions SET timer_at = ? WHERE namespace = ? AND for_agent = ? AND for_agent <> '' AND state = 'Queued'",
			now, agent.Namespace, agent.Name)
		if err != nil {
			return err
		}
		t.wake = t.wake || n > 0
	}
	return nil
}

// runTimers does what deadlines say, and offers what waits for one agent.
func (r *router) runTimers(ctx context.Context) error {
	rows, err := all(ctx, r.conn, scanInteraction, interactionColumns+
		"WHERE timer_at > 0 AND timer_at <= ? AND namespace = ? ORDER BY timer_at, id LIMIT ? FOR UPDATE SKIP LOCKED", r.now, r.namespace, r.left)
	if err != nil {
		return err
	}
	r.left -= len(rows)
	for _, i := range rows {
		i.looked = true
		if err := r.timer(ctx, i); err != nil {
			return fmt.Errorf("timers of %s: %w", i.ID, err)
		}
		// At once: the next one's agent may be the same.
		if err := r.save(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// timer carries out the step of the row's first deadline.
func (r *router) timer(ctx context.Context, i *interactionRow) error {
	rules, err := r.rulesOf(ctx, i.Namespace, i.Account)
	if err != nil {
		return err
	}
	lastQueue := false
	if i.LastQueue != "" {
		if lastQueue, err = queueExists(ctx, r.conn, Key{i.Namespace, i.LastQueue}); err != nil {
			return err
		}
	}
	now := fromMicros(r.now)
	step, reason := i.timers.Due(rules, routing.State(i.State), lastQueue, now)
	switch step {
	case routing.StepAccept:
		agent, err := r.autoAnswerer(ctx, i)
		if err != nil {
			return err
		}
		return r.accept(ctx, i, agent, reason, r.now)
	case routing.StepSendBack:
		return r.sendBack(ctx, i, reason, r.now)
	case routing.StepLastQueue:
		return r.returnToLastQueue(ctx, i, rules, reason)
	case routing.StepFlow:
		return r.flowContinues(ctx, i, reason)
	case routing.StepEnd:
		return r.toUnread(ctx, i, i.Agent, reason, "", r.now)
	case routing.StepClose:
		return r.toClosed(ctx, i, routing.DispositionClosedForInactivity, reason, r.now)
	case routing.StepNone:
		if i.State == StateQueued && i.forAgent != "" {
			return r.offerWanted(ctx, i)
		}
	}
	return nil
}

// returnToLastQueue puts a reply where the time of its arrival would have put it.
func (r *router) returnToLastQueue(ctx context.Context, i *interactionRow, rules routing.Rules, reason string) error {
	about := i.Agent
	if about == "" {
		about = i.forAgent
	}
	if received := micros(i.timers.Received); received > 0 {
		i.queuedAt = received
	}
	i.precedence = precedenceOf(rules, true)
	i.timers = i.timers.LastQueue(rules, fromMicros(r.now))
	return r.toQueue(ctx, i, i.LastQueue, about, reason, "", r.now)
}

// precedenceOf what comes into a queue.
func precedenceOf(rules routing.Rules, reply bool) int64 {
	if reply && rules.RepliesFirst {
		return 0
	}
	return 1
}

// offerWanted offers r to the one agent it waits for, or says why not. Wrap-up time is for queues; what is meant for the agent need not wait for it.
func (r *router) offerWanted(ctx context.Context, i *interactionRow) error {
	c, err := one(ctx, r.conn, scanCandidate, candidateColumns+" 0, 0 FROM agents a LEFT JOIN presence p ON p.namespace = a.namespace AND p.agent = a.name WHERE a.namespace = ? AND a.name = ?",
		i.Namespace, i.forAgent)
	if ignoreNotFound(err) != nil {
		return err
	}
	if err != nil { // deleted: nobody to wait for
		i.timers.Transfer, i.timers.Owner, i.timers.Queue = lapse(i.timers.Transfer, r.now), lapse(i.timers.Owner, r.now), lapse(i.timers.Queue, r.now)
		return r.timer(ctx, i)
	}
	end, detail := i.timers.Transfer, "transferred by "+i.timers.Sender
	switch i.timers.Stage {
	case routing.StageQueue: // waits for no agent in particular and is not here
	case routing.StageAgent:
		end, detail = i.timers.Owner, "had the conversation before"
		c.Capacity = 0 // a follow-up reaches its owner whatever else there is to do
	case routing.StageFlow:
		end, detail = i.timers.Queue, "the flow asks for this agent"
	}
	if !c.Available() {
		i.WaitDetail = "waits for " + c.Agent + ": " + c.Hindrance()
		return nil
	}
	r.offer(i, &c.Candidate, c.autoAnswer, end, detail)
	if i.timers.Answer.Equal(fromMicros(r.now)) {
		return r.accept(ctx, i, c.Agent, routing.ReasonAutoAnswered, r.now)
	}
	return nil
}

// lapse makes a running deadline pass now.
func lapse(deadline time.Time, now int64) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	return fromMicros(now)
}
