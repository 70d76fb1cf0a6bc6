package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The order of the feed is commit order because events get their numbers in the last statement of a transaction, under
// the row lock of the one counter that every transaction with events holds until it has committed: who sees number n
// has seen all below it. Ordering by transaction ids and pg_snapshot_xmin() would avoid the lock, but any long
// transaction of any database in the same PostgreSQL server would then hold the feed up.

// emit adds an event to the transaction.
func (t *tx) emit(e Event) { t.events = append(t.events, e) }

func (t *tx) flushEvents(ctx context.Context) error {
	if len(t.events) == 0 {
		if t.wake && t.d.notify != "" {
			_, err := t.exec(ctx, "SELECT "+t.d.notify)
			return err
		}
		return nil
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	notify := t.d.notify
	if notify == "" {
		notify = "''"
	}
	var last int64
	var ignored string
	err = t.row(ctx, "UPDATE event_counter SET last = last + ? WHERE id = 1 RETURNING last, "+notify, len(t.events)).
		Scan(&last, &ignored)
	if err != nil {
		return err
	}
	rows := make([][]any, len(t.events))
	for i, e := range t.events {
		seq := last - int64(len(t.events)) + int64(i) + 1
		rows[i] = []any{seq, now, e.Namespace, e.Agent, e.Kind, e.Subject, notNull(e.Data)}
	}
	return t.insert(ctx, "events (seq, at, namespace, agent, kind, subject, data)", "", rows...)
}

func scanEvent(s scanner) (Event, error) {
	var e Event
	var seq, at int64
	err := s.Scan(&seq, &at, &e.Namespace, &e.Agent, &e.Kind, &e.Subject, &e.Data)
	e.Cursor, e.At = cursor(seq), fromMicros(at)
	if len(e.Data) == 0 {
		e.Data = nil
	}
	return e, err
}

func cursor(seq int64) Cursor { return Cursor(strconv.FormatInt(seq, 10)) }

// EventsAfter implements Events. limit is 1..1000, default 100.
func (db *DB) EventsAfter(ctx context.Context, namespace string, after Cursor, limit int) ([]Event, error) {
	var seq int64
	if after != "" {
		var err error
		if seq, err = strconv.ParseInt(string(after), 10, 64); err != nil {
			return nil, fmt.Errorf("store: cursor %q: %w", after, ErrNotFound)
		}
	}
	if limit < 1 || limit > 1000 {
		limit = 100
	}
	q := "SELECT seq, at, namespace, agent, kind, subject, data FROM events WHERE seq > ?"
	args := []any{seq}
	if namespace != "" {
		q += " AND namespace = ?"
		args = append(args, namespace)
	}
	events, err := all(ctx, db.read(), scanEvent, q+" ORDER BY seq LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("store: events: %w", err)
	}
	return events, nil
}

// LastCursor implements Events.
func (db *DB) LastCursor(ctx context.Context) (Cursor, error) {
	last, err := one(ctx, db.read(), scalar[int64], "SELECT last FROM event_counter WHERE id = 1")
	if err != nil {
		return "", fmt.Errorf("store: last cursor: %w", err)
	}
	return cursor(last), nil
}

// CursorBefore implements Events.
func (db *DB) CursorBefore(ctx context.Context, age time.Duration) (Cursor, error) {
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return "", fmt.Errorf("store: cursor of the past: %w", err)
	}
	last, err := one(ctx, db.read(), scalar[int64], `SELECT COALESCE((SELECT seq - 1 FROM events WHERE at >= ? ORDER BY seq LIMIT 1),
		(SELECT last FROM event_counter WHERE id = 1))`, now-age.Microseconds())
	if err != nil {
		return "", fmt.Errorf("store: cursor of the past: %w", err)
	}
	return cursor(last), nil
}

// PruneEvents implements Events.
func (db *DB) PruneEvents(ctx context.Context, age time.Duration) error {
	return db.write(ctx, "prune events", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		// Times follow numbers, so the first event young enough ends the range and no index on time is needed.
		_, err = t.exec(ctx, `DELETE FROM events WHERE seq < COALESCE(
			(SELECT seq FROM events WHERE at >= ? ORDER BY seq LIMIT 1), (SELECT last + 1 FROM event_counter WHERE id = 1))`,
			now-age.Microseconds())
		return err
	})
}

// Wake implements Events.
func (db *DB) Wake() <-chan struct{} { return db.wake.channel() }

// broadcast closes a channel for everyone who waits on it.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{ch: make(chan struct{})} }

func (b *broadcast) channel() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}

// listen wakes local readers for the changes of other replicas (LISTEN/NOTIFY). A lost connection costs only speed:
// readers also poll.
func (db *DB) listen(ctx context.Context, cfg *pgx.ConnConfig) {
	const pause = time.Second
	for ctx.Err() == nil {
		err := db.listenOnce(ctx, cfg)
		if err == nil || errors.Is(err, context.Canceled) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (db *DB) listenOnce(ctx context.Context, cfg *pgx.ConnConfig) error {
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(closing)
	}()
	if _, err := c.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return err
	}
	db.wake.wake() // whatever was missed
	for {
		if _, err := c.WaitForNotification(ctx); err != nil {
			return err
		}
		db.wake.wake()
	}
}
