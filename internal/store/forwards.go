package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

const forwardColumns = "SELECT namespace, agent, number, since FROM forwards "

func scanForward(s scanner) (Forward, error) {
	var f Forward
	var since int64
	err := s.Scan(&f.Agent.Namespace, &f.Agent.Name, &f.Number, &since)
	f.Since = fromMicros(since)
	return f, err
}

func getForward(ctx context.Context, c conn, agent Key) (Forward, error) {
	f, err := one(ctx, c, scanForward, forwardColumns+"WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if errors.Is(err, ErrNotFound) {
		return Forward{Agent: agent}, nil
	}
	return f, err
}

// GetForward implements Forwards.
func (db *DB) GetForward(ctx context.Context, agent Key) (Forward, error) {
	f, err := getForward(ctx, db.read(), agent)
	if err != nil {
		return Forward{}, fmt.Errorf("store: forwarding of %s: %w", agent, err)
	}
	return f, nil
}

// ListForwards implements Forwards.
func (db *DB) ListForwards(ctx context.Context, namespace string) ([]Forward, error) {
	list, err := all(ctx, db.read(), scanForward, forwardColumns+"WHERE namespace = ?", namespace)
	if err != nil {
		return nil, fmt.Errorf("store: list forwards: %w", err)
	}
	slices.SortFunc(list, func(a, b Forward) int { return cmp.Compare(a.Agent.Name, b.Agent.Name) })
	return list, nil
}

// SetForward implements Forwards.
func (db *DB) SetForward(ctx context.Context, agent Key, number string) error {
	number = clean(number)
	return db.write(ctx, "set forwarding", func(t *tx) error {
		if err := t.lockCenter(ctx, agent.Namespace); err != nil {
			return err
		}
		if _, err := getAgent(ctx, t.conn, agent); err != nil {
			return err
		}
		old, err := getForward(ctx, t.conn, agent)
		if err != nil || old.Number == number {
			return err
		}
		t.emit(Event{Namespace: agent.Namespace, Agent: agent.Name, Kind: EventForward, Subject: agent.Name,
			Data: []byte(toJSON(map[string]bool{"active": number != ""}))})
		if number == "" {
			_, err := t.exec(ctx, "DELETE FROM forwards WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		return t.insert(ctx, "forwards (namespace, agent, number, since)",
			"ON CONFLICT (namespace, agent) DO UPDATE SET number = excluded.number, since = excluded.since",
			[]any{agent.Namespace, agent.Name, number, now})
	})
}
