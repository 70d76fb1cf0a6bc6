package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// streamsOf are an agent's open streams, and when the last of the others ended.
func streamsOf(ctx context.Context, c conn, agent Key) (open int, ended int64, err error) {
	type state struct {
		open  int
		ended int64
	}
	s, err := one(ctx, c, func(s scanner) (state, error) {
		var v state
		return v, s.Scan(&v.open, &v.ended)
	}, "SELECT COALESCE(SUM(CASE WHEN ended = 0 THEN 1 ELSE 0 END), 0), COALESCE(MAX(ended), 0) FROM streams WHERE namespace = ? AND agent = ?",
		agent.Namespace, agent.Name)
	return s.open, s.ended, err
}

// BeginStream implements PresenceStore.
func (db *DB) BeginStream(ctx context.Context, agent Key, id, lease string) error {
	return db.write(ctx, "begin stream", func(t *tx) error {
		open, _, err := streamsOf(ctx, t.conn, agent)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM streams WHERE namespace = ? AND agent = ? AND ended <> 0", agent.Namespace, agent.Name); err != nil {
			return err
		}
		if open == 0 {
			t.emit(streamEvent(agent))
		}
		return t.insert(ctx, "streams (id, namespace, agent, lease, ended)", "", []any{id, agent.Namespace, agent.Name, lease, 0})
	})
}

// EndStream implements PresenceStore.
func (db *DB) EndStream(ctx context.Context, id string) error {
	return db.write(ctx, "end stream", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		agent, err := one(ctx, t.conn, scanKey, "UPDATE streams SET ended = ? WHERE id = ? AND ended = 0 RETURNING namespace, agent", now, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.streamEnded(ctx, agent)
	})
}

// streamEnded tells when it was the agent's last open one.
func (t *tx) streamEnded(ctx context.Context, agent Key) error {
	open, _, err := streamsOf(ctx, t.conn, agent)
	if err == nil && open == 0 {
		t.emit(streamEvent(agent))
	}
	return err
}

// EndLostStreams implements PresenceStore.
func (db *DB) EndLostStreams(ctx context.Context) (int, error) {
	const lost = " WHERE ended = 0 AND lease NOT IN (SELECT name FROM leases WHERE expires > ?)"
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return 0, fmt.Errorf("store: end lost streams: %w", err)
	}
	some, err := one(ctx, db.read(), scalar[int], "SELECT COUNT(*) FROM streams"+lost, now)
	if err != nil || some == 0 {
		return 0, err
	}
	n := 0
	err = db.write(ctx, "end lost streams", func(t *tx) error {
		agents, err := all(ctx, t.conn, scanKey, "UPDATE streams SET ended = ?"+lost+" RETURNING namespace, agent", now, now)
		n = len(agents)
		if err != nil {
			return err
		}
		told := map[Key]bool{}
		for _, agent := range agents {
			if told[agent] {
				continue
			}
			told[agent] = true
			if err := t.streamEnded(ctx, agent); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// StreamOf implements PresenceStore.
func (db *DB) StreamOf(ctx context.Context, agent Key) (StreamState, error) {
	open, ended, err := streamsOf(ctx, db.read(), agent)
	if err != nil {
		return StreamState{}, fmt.Errorf("store: streams of %s: %w", agent, err)
	}
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return StreamState{}, fmt.Errorf("store: streams of %s: %w", agent, err)
	}
	s := StreamState{Open: open > 0}
	if ended > 0 && !s.Open {
		s.EndedAgo = max(1, time.Duration(now-ended)*time.Microsecond)
	}
	return s, nil
}

func streamEvent(agent Key) Event {
	return Event{Namespace: agent.Namespace, Kind: EventStream, Subject: agent.Name}
}
