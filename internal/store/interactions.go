package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// interactionRow is an interaction with what routing remembers of it.
type interactionRow struct {
	Interaction
	queuedAt, seenGen, retryAt, declinedAt int64
	declined                               map[string]int

	// precedence 0 waits before 1; forAgent is whom it waits for, empty for any member of its queue.
	precedence int64
	forAgent   string
	timers     routing.Timers
	// looked: routing has just seen that it waits for forAgent.
	looked bool
	// joint: it is offered to several agents, see offers.go.
	joint bool
}

const interactionColumns = `SELECT id, namespace, channel, account, queue, state, agent, last_agent, last_queue, deadline, subject, customer, name,
	created_at, updated_at, is_read, message_count, last_direction, version, queued_at, seen_gen, retry_at, declined, declined_at,
	title, tags, disposition, disposition_note,
	precedence, for_agent, timers, wait_detail
	FROM interactions `

func scanInteraction(s scanner) (*interactionRow, error) {
	var r interactionRow
	var deadline, created, updated int64
	var declined, tags, timers string
	if err := s.Scan(&r.ID, &r.Namespace, &r.Channel, &r.Account, &r.Queue, &r.State, &r.Agent, &r.LastAgent, &r.LastQueue, &deadline, &r.Subject,
		&r.Customer, &r.Name, &created, &updated, &r.Read, &r.MessageCount, &r.LastDirection, &r.Version,
		&r.queuedAt, &r.seenGen, &r.retryAt, &declined, &r.declinedAt, &r.Title, &tags, &r.Disposition, &r.DispositionNote,
		&r.precedence, &r.forAgent, &timers, &r.WaitDetail); err != nil {
		return nil, err
	}
	r.Deadline, r.CreatedAt, r.UpdatedAt = fromMicros(deadline), fromMicros(created), fromMicros(updated)
	if err := json.Unmarshal([]byte(tags), &r.Tags); err != nil {
		return nil, err
	}
	if len(r.Tags) == 0 {
		r.Tags = nil
	}
	r.joint = r.State == StateOffered && r.Agent == ""
	var err error
	if r.timers, err = timersOf(timers); err != nil {
		return nil, err
	}
	return &r, json.Unmarshal([]byte(declined), &r.declined)
}

// values are the columns of insertInteractions in their order.
func (r *interactionRow) values() []any {
	return []any{r.ID, r.Namespace, r.Channel, r.Account, r.Queue, r.State, r.Agent, r.LastAgent, r.LastQueue, micros(r.Deadline), r.Subject,
		r.Customer, r.Name, micros(r.CreatedAt), micros(r.UpdatedAt), r.Read, r.MessageCount, r.LastDirection, r.Version,
		r.queuedAt, r.seenGen, r.retryAt, toJSON(r.declined), r.declinedAt, r.Title, toJSON(cleanAll(r.Tags)),
		r.precedence, r.forAgent, timersText(r.timers), r.arm(), r.WaitDetail}
}

const insertInteractions = `interactions (id, namespace, channel, account, queue, state, agent, last_agent, last_queue, deadline, subject,
	customer, name, created_at, updated_at, is_read, message_count, last_direction, version, queued_at, seen_gen, retry_at, declined, declined_at,
	title, tags,
	precedence, for_agent, timers, timer_at, wait_detail)`

// save writes the changing columns of rows that this transaction holds locked.
func (t *tx) save(ctx context.Context, rows ...*interactionRow) error {
	values := make([][]any, len(rows))
	for i, r := range rows {
		values[i] = r.changing()
	}
	var set, tuple strings.Builder
	for n, c := range changingColumns {
		fmt.Fprintf(&set, ", %s = v.column%d", c.name, n+2)
		tuple.WriteString(",CAST(? AS " + c.kind + ")")
	}
	return t.bulk(ctx, "UPDATE interactions SET "+set.String()[2:]+" FROM (VALUES ", "(CAST(? AS TEXT)"+tuple.String()+")",
		") AS v WHERE interactions.id = v.column1", values)
}

// changingColumns are those of changing in its order, after the id.
var changingColumns = []struct{ name, kind string }{
	{"account", "TEXT"}, {"queue", "TEXT"}, {"state", "TEXT"}, {"agent", "TEXT"}, {"last_agent", "TEXT"}, {"last_queue", "TEXT"},
	{"deadline", "BIGINT"}, {"updated_at", "BIGINT"}, {"is_read", "BOOLEAN"}, {"message_count", "BIGINT"}, {"last_direction", "TEXT"},
	{"version", "BIGINT"},
	{"queued_at", "BIGINT"}, {"seen_gen", "BIGINT"}, {"retry_at", "BIGINT"}, {"declined", "TEXT"}, {"declined_at", "BIGINT"},
	{"precedence", "BIGINT"}, {"for_agent", "TEXT"}, {"timers", "TEXT"}, {"timer_at", "BIGINT"}, {"wait_detail", "TEXT"},
	{"tags", "TEXT"},
}

func (r *interactionRow) changing() []any {
	return []any{
		r.ID,
		r.Account, r.Queue, r.State, r.Agent, r.LastAgent, r.LastQueue,
		micros(r.Deadline), micros(r.UpdatedAt), r.Read, r.MessageCount, r.LastDirection,
		r.Version,
		r.queuedAt, r.seenGen, r.retryAt, toJSON(r.declined), r.declinedAt,
		r.precedence, r.forAgent, timersText(r.timers), r.arm(), r.WaitDetail,
		toJSON(cleanAll(r.Tags)),
	}
}

func getInteraction(ctx context.Context, c conn, namespace, id, lock string) (*interactionRow, error) {
	return one(ctx, c, scanInteraction, interactionColumns+"WHERE id = ? AND namespace = ?"+lock, id, namespace)
}

// GetInteraction implements Interactions.
func (db *DB) GetInteraction(ctx context.Context, namespace, id string) (Interaction, error) {
	r, err := getInteraction(ctx, db.read(), namespace, id, "")
	if err != nil {
		return Interaction{}, fmt.Errorf("store: interaction %s: %w", id, err)
	}
	r.WaitsFor = r.forAgent
	if r.State == StateQueued && r.forAgent == "" {
		// While nobody has room the queue is not looked through, and what it says holds for everything in it.
		detail, err := one(ctx, db.read(), scalar[string], "SELECT wait_detail FROM queues WHERE namespace = ? AND name = ?", namespace, r.Queue)
		if ignoreNotFound(err) != nil {
			return Interaction{}, fmt.Errorf("store: interaction %s: %w", id, err)
		}
		if detail != "" {
			r.WaitDetail = detail
		}
	}
	if r.joint {
		offers, err := jointOffers(ctx, db.read(), id)
		if err != nil {
			return Interaction{}, fmt.Errorf("store: interaction %s: %w", id, err)
		}
		for _, o := range offers {
			r.OfferedTo = append(r.OfferedTo, o.agent)
		}
	}
	return r.Interaction, nil
}

// where is the condition of a filter without its page.
func (f InteractionFilter) where() (string, []any) {
	q, args := "WHERE namespace = ?", []any{f.Namespace}
	add := func(condition string, arg any) {
		q, args = q+" AND "+condition, append(args, arg)
	}
	if f.Agent != "" {
		// One part for each index; that on agents is partial.
		q += " AND id IN (SELECT id FROM interactions WHERE namespace = ? AND agent = ? AND agent <> '' UNION ALL " + agentOffers + ")"
		args = append(args, f.Namespace, f.Agent, f.Namespace, f.Agent)
	}
	if f.LastAgent != "" {
		q += " AND last_agent <> ''" // and this one
		add("last_agent = ?", f.LastAgent)
	}
	switch {
	case len(f.States) == 1: // an index gives these in order
		add("state = ?", f.States[0])
	case len(f.States) > 1:
		states := make([]string, len(f.States))
		for i, s := range f.States {
			states[i] = string(s)
		}
		add("state = ANY(?)", states)
	}
	if f.Account != "" {
		add("account = ?", f.Account)
	}
	if f.Queue != "" {
		add("queue = ?", f.Queue)
	}
	if f.Unread {
		q += " AND NOT is_read"
	}
	return f.narrow(q, args)
}

// ListInteractions implements Interactions.
func (db *DB) ListInteractions(ctx context.Context, f InteractionFilter) ([]Interaction, error) {
	q, args := f.where()
	if f.After != "" {
		q, args = q+" AND id < ?", append(args, f.After)
	}
	limit := f.Limit
	if limit < 1 {
		limit = 50
	}
	rows, err := all(ctx, db.read(), scanInteraction, interactionColumns+q+" ORDER BY id DESC LIMIT ?", append(args, min(limit, 200))...)
	if err != nil {
		return nil, fmt.Errorf("store: list interactions: %w", err)
	}
	list := make([]Interaction, len(rows))
	for i, r := range rows {
		list[i] = r.Interaction
	}
	return list, nil
}

// CountInteractions implements Interactions.
func (db *DB) CountInteractions(ctx context.Context, f InteractionFilter) (int, error) {
	q, args := f.where()
	n, err := one(ctx, db.read(), scalar[int], "SELECT COUNT(*) FROM interactions "+q, args...)
	if err != nil {
		return 0, fmt.Errorf("store: count interactions: %w", err)
	}
	return n, nil
}

const transitionColumns = "transitions (interaction_id, version, at, from_state, to_state, agent, queue, reason, detail)"

// History implements Interactions, oldest first.
func (db *DB) History(ctx context.Context, namespace, interactionID string) ([]Transition, error) {
	if _, err := db.GetInteraction(ctx, namespace, interactionID); err != nil {
		return nil, err
	}
	list, err := all(ctx, db.read(), func(s scanner) (Transition, error) {
		var v Transition
		var at int64
		err := s.Scan(&v.InteractionID, &at, &v.From, &v.To, &v.Agent, &v.Queue, &v.Reason, &v.Detail)
		v.At = fromMicros(at)
		return v, err
	}, `SELECT interaction_id, at, from_state, to_state, agent, queue, reason, detail FROM transitions
		WHERE interaction_id = ? ORDER BY version`, interactionID)
	if err != nil {
		return nil, fmt.Errorf("store: history: %w", err)
	}
	return list, nil
}

// move records a transition of r; the caller saves r. agent is the one the transition is about.
func (t *tx) move(r *interactionRow, to InteractionState, agent, reason, detail string, now int64) {
	r.Version++
	if r.State == StateOpen {
		t.left = append(t.left, r.ID)
	}
	t.transitions = append(t.transitions, []any{r.ID, r.Version, now, r.State, to, agent, r.Queue, reason, clean(detail)})
	r.State, r.UpdatedAt, r.WaitDetail = to, fromMicros(now), ""
}

// emitInteraction tells about r; agent as in Event.
func (t *tx) emitInteraction(kind string, r *interactionRow, agent, reason string) {
	data := struct {
		Account  string           `json:"account,omitempty"`
		Queue    string           `json:"queue,omitempty"`
		State    InteractionState `json:"state"`
		Reason   string           `json:"reason,omitempty"`
		Deadline *time.Time       `json:"deadline,omitempty"`
	}{Account: r.Account, Queue: r.Queue, State: r.State, Reason: reason}
	if !r.Deadline.IsZero() {
		data.Deadline = &r.Deadline
	}
	e := Event{Namespace: r.Namespace, Agent: agent, Kind: kind, Subject: r.ID, Data: []byte(toJSON(data))}
	if r.joint && agent == "" {
		t.shared = append(t.shared, e)
		return
	}
	t.emit(e)
}

// requeue gives rows, held locked, back to their queues; without a queue they are Unread.
func (t *tx) requeue(ctx context.Context, rows []*interactionRow, reason, detail string) error {
	if len(rows) == 0 {
		return nil
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range rows {
		exists, ok := known[r.Queue]
		if !ok {
			if exists, err = queueExists(ctx, t.conn, Key{r.Namespace, r.Queue}); err != nil {
				return err
			}
			known[r.Queue] = exists
		}
		agent, from := r.Agent, r.State
		if _, err := t.endJoint(ctx, r, "", reason); err != nil {
			return err
		}
		r.Agent, r.Deadline, r.seenGen, r.retryAt, r.timers = "", time.Time{}, 0, 0, r.timers.OfferEnded()
		if from == StateOpen {
			r.timers = r.timers.Requeued()
		}
		if !exists {
			r.timers = r.timers.QueueGone(fromMicros(now))
		}
		// What waits for an agent needs no queue, and what has a deadline left is that deadline's.
		_, next := r.timers.Next(routing.Queued)
		timed := r.forAgent != "" || !exists && !next.IsZero() && !next.After(fromMicros(now))
		to, kind := StateQueued, EventQueued
		if !exists && !timed {
			to, kind, r.timers = StateUnread, EventUnread, r.timers.Requeued()
		}
		t.move(r, to, agent, reason, detail, now)
		if from == StateOffered && agent != "" {
			t.emitInteraction(EventOfferEnded, r, agent, reason)
		}
		t.emitInteraction(kind, r, "", reason)
		if exists && !timed {
			t.due[Key{r.Namespace, r.Queue}] = true
		}
		if agent != "" {
			if err := t.queuesChanged(ctx, Key{r.Namespace, agent}); err != nil { // it has room again
				return err
			}
		}
	}
	return t.save(ctx, rows...)
}

func queueExists(ctx context.Context, c conn, key Key) (bool, error) {
	n, err := one(ctx, c, scalar[int], "SELECT COUNT(*) FROM queues WHERE namespace = ? AND name = ? AND channel <> 'Voice'", key.Namespace, key.Name)
	return n > 0, err
}

// change runs fn on the locked interaction and saves it.
func (db *DB) change(ctx context.Context, what, namespace, id string, fn func(*tx, *interactionRow, int64) error) (Interaction, error) {
	var out Interaction
	err := db.write(ctx, what, func(t *tx) error {
		r, err := getInteraction(ctx, t.conn, namespace, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if err := fn(t, r, now); err != nil {
			return err
		}
		out = r.Interaction
		return nil
	})
	return out, err
}

// Accept implements Interactions.
func (db *DB) Accept(ctx context.Context, namespace, id, agent string) (Interaction, error) {
	return db.change(ctx, "accept", namespace, id, func(t *tx, r *interactionRow, now int64) error {
		if ok, err := t.isOffered(ctx, r, agent, now); err != nil {
			return err
		} else if !ok {
			return ErrConflict
		}
		if err := t.accept(ctx, r, agent, "Accepted", now); err != nil {
			return err
		}
		return t.save(ctx, r)
	})
}

// Reject implements Interactions.
func (db *DB) Reject(ctx context.Context, namespace, id, agent string) (Interaction, error) {
	return db.change(ctx, "reject", namespace, id, func(t *tx, r *interactionRow, now int64) error {
		if ok, err := t.isOffered(ctx, r, agent, now); err != nil {
			return err
		} else if !ok {
			return ErrConflict
		}
		if r.joint {
			r.decline(agent, now)
			if err := t.withdraw(ctx, r, agent, "Rejected", now); err != nil {
				return err
			}
			return t.save(ctx, r)
		}
		return t.reject(ctx, r, agent, now)
	})
}

func (r *interactionRow) decline(agent string, now int64) {
	if r.declined == nil {
		r.declined = map[string]int{}
	}
	r.declined[agent]++
	r.declinedAt = now
}

// CloseInteraction implements Interactions.
func (db *DB) CloseInteraction(ctx context.Context, namespace, id, agent string, d Disposal) (Interaction, error) {
	return db.change(ctx, "close", namespace, id, func(t *tx, r *interactionRow, now int64) error {
		if r.State != StateOpen || r.Agent != agent {
			return ErrConflict
		}
		if err := t.checkDisposal(ctx, r.Interaction, d); err != nil {
			return err
		}
		if err := t.dispose(ctx, r, d); err != nil {
			return err
		}
		if err := t.wantSeen(ctx, r); err != nil {
			return err
		}
		r.Agent, r.Read, r.timers = "", true, routing.Timers{}
		t.move(r, StateClosed, agent, "Closed", d.Path, now)
		t.emitInteraction(EventClosed, r, agent, "")
		if err := t.wrapUp(ctx, Key{namespace, agent}, r.Queue, now); err != nil {
			return err
		}
		if err := t.queuesChanged(ctx, Key{namespace, agent}); err != nil {
			return err
		}
		return t.save(ctx, r)
	})
}

// MarkRead implements Interactions.
func (db *DB) MarkRead(ctx context.Context, namespace, id, agent string) error {
	_, err := db.change(ctx, "mark read", namespace, id, func(t *tx, r *interactionRow, _ int64) error {
		if r.Agent != "" && r.Agent != agent {
			return ErrConflict
		}
		if r.Read {
			return nil
		}
		if err := t.wantSeen(ctx, r); err != nil {
			return err
		}
		r.Read, r.timers = true, r.timers.Read()
		return t.save(ctx, r)
	})
	return err
}
