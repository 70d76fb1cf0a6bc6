package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

const telephoneColumns = `SELECT t.namespace, t.name, t.display_name, t.username, t.labels, COALESCE(s.agent, ''), COALESCE(s.since, 0),
	EXISTS (SELECT 1 FROM registrations r WHERE r.namespace = t.namespace AND r.extension = t.username)
	FROM telephones t LEFT JOIN seats s ON s.namespace = t.namespace AND s.telephone = t.name `

func scanTelephone(s scanner) (TelephoneState, error) {
	var t TelephoneState
	var labels string
	var since int64
	if err := s.Scan(&t.Namespace, &t.Name, &t.DisplayName, &t.Username, &labels, &t.Agent, &since, &t.Registered); err != nil {
		return t, err
	}
	t.Since = fromMicros(since)
	return t, json.Unmarshal([]byte(labels), &t.Labels)
}

func getTelephone(ctx context.Context, c conn, key Key) (TelephoneState, error) {
	return one(ctx, c, scanTelephone, telephoneColumns+"WHERE t.namespace = ? AND t.name = ?", key.Namespace, key.Name)
}

// GetTelephone implements Telephones.
func (db *DB) GetTelephone(ctx context.Context, key Key) (TelephoneState, error) {
	t, err := getTelephone(ctx, db.read(), key)
	if err != nil {
		return TelephoneState{}, fmt.Errorf("store: telephone %s: %w", key, err)
	}
	return t, nil
}

// ListTelephones implements Telephones.
func (db *DB) ListTelephones(ctx context.Context, namespace string) ([]TelephoneState, error) {
	list, err := all(ctx, db.read(), scanTelephone, telephoneColumns+"WHERE t.namespace = ?", namespace)
	if err != nil {
		return nil, fmt.Errorf("store: list telephones: %w", err)
	}
	slices.SortFunc(list, func(a, b TelephoneState) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// PutTelephone implements Telephones.
func (db *DB) PutTelephone(ctx context.Context, p Telephone) error {
	if old, err := getTelephone(ctx, db.read(), p.Key); err == nil && old.DisplayName == p.DisplayName && old.Username == p.Username &&
		maps.Equal(old.Labels, p.Labels) {
		return nil
	}
	return db.write(ctx, "put telephone", func(t *tx) error {
		t.wake = true
		_, err := t.exec(ctx, `INSERT INTO telephones (namespace, name, display_name, username, labels) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (namespace, name) DO UPDATE SET display_name = excluded.display_name, username = excluded.username,
			labels = excluded.labels`, p.Namespace, p.Name, p.DisplayName, p.Username, toJSON(p.Labels))
		return err
	})
}

// DeleteTelephone implements Telephones.
func (db *DB) DeleteTelephone(ctx context.Context, key Key) error {
	return db.write(ctx, "delete telephone", func(t *tx) error {
		if err := t.lockCenter(ctx, key.Namespace); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM telephones WHERE namespace = ? AND name = ?", key.Namespace, key.Name); err != nil {
			return err
		}
		t.wake = true
		agent, err := seatedAt(ctx, t.conn, key)
		if err != nil {
			return ignoreNotFound(err)
		}
		return t.releaseSeat(ctx, Key{key.Namespace, agent})
	})
}

// TakeSeat implements Telephones.
func (db *DB) TakeSeat(ctx context.Context, agent Key, telephone string) error {
	return db.write(ctx, "take seat", func(t *tx) error {
		// Signing out happens under the same lock: no seat stays behind.
		if err := t.lockCenter(ctx, agent.Namespace); err != nil {
			return err
		}
		p, err := getPresence(ctx, t.conn, agent)
		if err != nil {
			return err
		}
		if !p.SignedIn {
			return ErrConflict
		}
		return t.takeSeat(ctx, agent, telephone)
	})
}

// ReleaseSeat implements Telephones.
func (db *DB) ReleaseSeat(ctx context.Context, agent Key) error {
	return db.write(ctx, "release seat", func(t *tx) error {
		if err := t.lockCenter(ctx, agent.Namespace); err != nil {
			return err
		}
		return t.releaseSeat(ctx, agent)
	})
}

func seatedAt(ctx context.Context, c conn, telephone Key) (agent string, err error) {
	return one(ctx, c, scalar[string], "SELECT agent FROM seats WHERE namespace = ? AND telephone = ?", telephone.Namespace, telephone.Name)
}

// takeSeat applies a change; the center is locked.
func (t *tx) takeSeat(ctx context.Context, agent Key, telephone string) error {
	key := Key{agent.Namespace, telephone}
	if _, err := getTelephone(ctx, t.conn, key); err != nil {
		return fmt.Errorf("telephone %s: %w", key, err)
	}
	holder, err := seatedAt(ctx, t.conn, key)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case holder == agent.Name:
		return nil
	default:
		return &TakenError{Value: telephone, By: "agent/" + holder}
	}
	if err := t.releaseSeat(ctx, agent); err != nil {
		return err
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	t.emitSeat(agent, telephone, true)
	return t.insert(ctx, "seats (namespace, telephone, agent, since)", "", []any{agent.Namespace, telephone, agent.Name, now})
}

// releaseSeat applies a change; the center is locked.
func (t *tx) releaseSeat(ctx context.Context, agent Key) error {
	telephone, err := one(ctx, t.conn, scalar[string], "DELETE FROM seats WHERE namespace = ? AND agent = ? RETURNING telephone",
		agent.Namespace, agent.Name)
	if err != nil {
		return ignoreNotFound(err)
	}
	t.emitSeat(agent, telephone, false)
	return nil
}

func (t *tx) emitSeat(agent Key, telephone string, taken bool) {
	t.emit(Event{Namespace: agent.Namespace, Agent: agent.Name, Kind: EventSeat, Subject: agent.Name,
		Data: []byte(toJSON(map[string]any{"telephone": telephone, "taken": taken}))})
}
