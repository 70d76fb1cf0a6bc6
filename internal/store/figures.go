package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// figuresKept is what QueueFigures looks back, and figuresStep how exactly.
const (
	figuresKept = 24 * time.Hour
	figuresStep = time.Hour
)

// QueueFigures are what a digital queue did in the last 24 hours, counted by the hour.
type QueueFigures struct {
	Queue Key
	// Accepted interactions, and how many of them within the service level that the queue had then.
	Accepted, InTime int
	// Waited is how long they had waited in the queue, on average.
	Waited time.Duration
}

// taken is an interaction that a member of a queue has just accepted.
type taken struct {
	queue  Key
	waited int64
}

// take counts that r leaves its queue for who accepted it. The wait began when it last came in; offers that somebody let pass are part of it.
func (t *tx) take(ctx context.Context, r *interactionRow, now int64) error {
	since, err := one(ctx, t.conn, scalar[int64], `SELECT COALESCE(MAX(at), ?) FROM transitions WHERE interaction_id = ? AND to_state = 'Queued'
		AND (from_state <> 'Offered' OR reason = 'AssignedAgentTimeout')`, now, r.ID)
	t.taken = append(t.taken, taken{Key{r.Namespace, r.Queue}, now - since})
	return err
}

// flushFigures writes what take counted. A queue that is gone has no figures.
func (t *tx) flushFigures(ctx context.Context) error {
	if len(t.taken) == 0 {
		return nil
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(t.taken, func(a, b taken) int { return compareNames(a.queue, b.queue) })
	for _, k := range t.taken {
		if _, err := t.exec(ctx, `INSERT INTO queue_figures (namespace, queue, hour_at, accepted, waited, in_time)
			SELECT namespace, name, CAST(? AS BIGINT), 1, CAST(? AS BIGINT), CASE WHEN service_level > 0 AND CAST(? AS BIGINT) <= service_level THEN 1 ELSE 0 END
			FROM queues WHERE namespace = ? AND name = ? AND channel <> 'Voice'
			ON CONFLICT (namespace, queue, hour_at) DO UPDATE SET accepted = queue_figures.accepted + 1,
			waited = queue_figures.waited + excluded.waited, in_time = queue_figures.in_time + excluded.in_time`,
			hourOf(now), k.waited, k.waited, k.queue.Namespace, k.queue.Name); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM queue_figures WHERE namespace = ? AND queue = ? AND hour_at <= ?",
			k.queue.Namespace, k.queue.Name, hourOf(now-figuresKept.Microseconds())); err != nil {
			return err
		}
	}
	return nil
}

// AccountFigures are where the interactions of an account are that are not closed.
type AccountFigures struct {
	Account Key
	// Waiting in a queue, for an agent or in a flow; Offered; Open with an agent; Unread by anybody.
	Waiting, Offered, Open, Unread int
	// OldestWaiting is when the first of Waiting began to wait; zero when there is none.
	OldestWaiting time.Time
	// OldestFollowUp is when the first mail of a customer came that is not read by the agent who has its conversation; zero when there is none.
	OldestFollowUp time.Time
}

// accountPart is one account's part in one state.
type accountPart struct {
	account Key
	state   InteractionState
	n       int
	oldest  int64
}

// ListAccountFigures implements Interactions.
func (db *DB) ListAccountFigures(ctx context.Context, account Key) ([]AccountFigures, error) {
	where, args := "", []any(nil)
	if account != (Key{}) {
		where, args = " AND namespace = ? AND account = ?", []any{account.Namespace, account.Name}
	}
	parts, err := all(ctx, db.read(), func(s scanner) (accountPart, error) {
		var p accountPart
		return p, s.Scan(&p.account.Namespace, &p.account.Name, &p.state, &p.n, &p.oldest)
	}, `SELECT namespace, account, state, COUNT(*), MIN(queued_at) FROM interactions
		WHERE state IN ('New', 'Queued', 'Offered', 'Open', 'Unread')`+where+" GROUP BY namespace, account, state", args...)
	if err != nil {
		return nil, fmt.Errorf("store: figures of accounts: %w", err)
	}
	figures := map[Key]*AccountFigures{}
	for _, p := range parts {
		if figures[p.account] == nil {
			figures[p.account] = &AccountFigures{Account: p.account}
		}
		figures[p.account].add(p)
	}
	if err := db.addFollowUps(ctx, figures, where, args); err != nil {
		return nil, fmt.Errorf("store: figures of accounts: %w", err)
	}
	list := make([]AccountFigures, 0, len(figures))
	for _, f := range figures {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b AccountFigures) int { return compareNames(a.Account, b.Account) })
	return list, nil
}

func (f *AccountFigures) add(p accountPart) {
	switch p.state {
	case StateNew, StateQueued:
		f.Waiting += p.n
		f.OldestWaiting = firstOf(f.OldestWaiting, fromMicros(p.oldest))
	case StateOffered:
		f.Offered = p.n
	case StateOpen:
		f.Open = p.n
	case StateUnread:
		f.Unread = p.n
	case StateClosed: // not asked for
	}
}

// addFollowUps finds the oldest ones.
func (db *DB) addFollowUps(ctx context.Context, figures map[Key]*AccountFigures, where string, args []any) error {
	_, err := all(ctx, db.read(), func(s scanner) (struct{}, error) {
		var account Key
		var text string
		if err := s.Scan(&account.Namespace, &account.Name, &text); err != nil {
			return struct{}{}, err
		}
		timers, err := timersOf(text)
		if f := figures[account]; f != nil {
			f.OldestFollowUp = firstOf(f.OldestFollowUp, timers.Received)
		}
		return struct{}{}, err
	}, "SELECT namespace, account, timers FROM interactions WHERE state = 'Open' AND NOT is_read"+where, args...)
	return err
}

// firstOf two times, of which zero is none.
func firstOf(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// hourOf is when the hour of a time began.
func hourOf(us int64) int64 { return us - us%figuresStep.Microseconds() }

// ListQueueFigures implements Interactions.
func (db *DB) ListQueueFigures(ctx context.Context, queue Key) ([]QueueFigures, error) {
	var list []QueueFigures
	now, err := db.read().now(ctx, db.clock)
	if err == nil {
		where, args := "WHERE hour_at > ?", []any{hourOf(now - figuresKept.Microseconds())}
		if queue != (Key{}) {
			where, args = where+" AND namespace = ? AND queue = ?", append(args, queue.Namespace, queue.Name)
		}
		list, err = all(ctx, db.read(), func(s scanner) (QueueFigures, error) {
			var f QueueFigures
			var waited int64
			err := s.Scan(&f.Queue.Namespace, &f.Queue.Name, &f.Accepted, &f.InTime, &waited)
			f.Waited = time.Duration(waited/int64(max(f.Accepted, 1))) * time.Microsecond
			return f, err
		}, `SELECT namespace, queue, CAST(SUM(accepted) AS BIGINT), CAST(SUM(in_time) AS BIGINT), CAST(SUM(waited) AS BIGINT)
			FROM queue_figures `+where+" GROUP BY namespace, queue", args...)
	}
	if err != nil {
		return nil, fmt.Errorf("store: figures of queues: %w", err)
	}
	slices.SortFunc(list, func(a, b QueueFigures) int { return compareNames(a.Queue, b.Queue) })
	return list, nil
}
