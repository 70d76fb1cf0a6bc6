package store

import (
	"context"
	"fmt"
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
