package store

import (
	"context"
	"fmt"
	"time"
)

// wrapUp gives the agent, whom an interaction of the queue has just left, the queue's wrap-up time.
func (t *tx) wrapUp(ctx context.Context, agent Key, queue string, now int64) error {
	length, err := one(ctx, t.conn, scalar[int64], "SELECT wrap_up_time FROM queues WHERE namespace = ? AND name = ? AND channel <> 'Voice'", agent.Namespace, queue)
	if err != nil || length == 0 {
		return ignoreNotFound(err)
	}
	p, err := getPresence(ctx, t.conn, agent)
	if err != nil {
		return ignoreNotFound(err)
	}
	if until := now + length; until > micros(p.WrapUp) {
		t.wrapUps[agent], p.WrapUp = until, fromMicros(until)
		t.emit(presenceEvent(p))
	}
	return nil
}

// flushWrapUps writes what wrapUp gave. Nothing locked after these rows needs another lock of an agent or an interaction.
func (t *tx) flushWrapUps(ctx context.Context) error {
	for agent, until := range t.wrapUps {
		if _, err := t.exec(ctx, `INSERT INTO wrap_ups (namespace, agent, until_at) VALUES (?, ?, ?)
			ON CONFLICT (namespace, agent) DO UPDATE SET until_at = excluded.until_at WHERE wrap_ups.until_at < excluded.until_at`,
			agent.Namespace, agent.Name, until); err != nil {
			return err
		}
	}
	return nil
}

// EndWrapUp implements PresenceStore.
func (db *DB) EndWrapUp(ctx context.Context, agent Key) error {
	return db.write(ctx, "end wrap-up time", func(t *tx) error {
		// Routing decides under the same lock.
		if err := t.lockCenter(ctx, agent.Namespace); err != nil {
			return err
		}
		p, err := getPresence(ctx, t.conn, agent)
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil || micros(p.WrapUp) <= now {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM wrap_ups WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name); err != nil {
			return err
		}
		p.WrapUp = time.Time{}
		t.emit(presenceEvent(p))
		if !p.SignedIn || p.Paused {
			return nil
		}
		return t.queuesChanged(ctx, agent)
	})
}

// overWrapUps takes wrap-up times that have passed out of presences.
func (db *DB) overWrapUps(ctx context.Context, list []Presence) error {
	var now int64
	for n := range list {
		p := &list[n]
		if p.WrapUp.IsZero() {
			continue
		}
		if now == 0 { // few have one, and the clock is another query
			var err error
			if now, err = db.read().now(ctx, db.clock); err != nil {
				return fmt.Errorf("store: wrap-up times: %w", err)
			}
		}
		p.endWrapUp(now)
	}
	return nil
}
