package store

import (
	"context"
	"fmt"
)

// The channel comes from the call itself: a command does not outlive it.
const commandColumns = `SELECT m.id, m.namespace, m.call_id, c.pbx, c.uniqueid, c.extension, m.verb, m.requested_by, m.requested_at, m.outcome,
	m.detail FROM call_commands m JOIN calls c ON c.id = m.call_id `

func scanCommand(s scanner) (CallCommand, error) {
	var m CallCommand
	var at int64
	err := s.Scan(&m.ID, &m.Namespace, &m.CallID, &m.PBX, &m.Uniqueid, &m.Extension, &m.Verb, &m.RequestedBy, &at, &m.Outcome, &m.Detail)
	m.RequestedAt = fromMicros(at)
	return m, err
}

func getCommand(ctx context.Context, c conn, id string) (CallCommand, error) {
	return one(ctx, c, scanCommand, commandColumns+"WHERE m.id = ?", id)
}

// GetCallCommand implements Calls.
func (db *DB) GetCallCommand(ctx context.Context, id string) (CallCommand, error) {
	m, err := getCommand(ctx, db.read(), id)
	if err != nil {
		return CallCommand{}, fmt.Errorf("store: call command %s: %w", id, err)
	}
	return m, nil
}

// AddCallCommand implements Calls.
func (db *DB) AddCallCommand(ctx context.Context, namespace, callID, agent string, verb CallVerb) (CallCommand, error) {
	var m CallCommand
	err := db.write(ctx, "add call command", func(t *tx) error {
		c, err := one(ctx, t.conn, scanCall, callColumns+"WHERE id = ? AND namespace = ? AND agent = ? FOR UPDATE", callID, namespace, agent)
		if err != nil {
			return err
		}
		if c.State != CallUp {
			return ErrConflict
		}
		id, err := newID()
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		t.emit(Event{Namespace: namespace, Kind: EventCallCommand, Subject: id})
		if err := t.insert(ctx, `call_commands (id, namespace, call_id, verb, requested_by, requested_at, claimed_at, done_at, outcome, detail)`, "",
			[]any{id, namespace, callID, verb, agent, now, 0, 0, "", ""}); err != nil {
			return err
		}
		m, err = getCommand(ctx, t.conn, id)
		return err
	})
	return m, err
}

// ClaimCallCommands implements Calls.
func (db *DB) ClaimCallCommands(ctx context.Context, limit int) ([]CallCommand, error) {
	var claimed []CallCommand
	err := db.write(ctx, "claim call commands", func(t *tx) error {
		ids, err := t.claimRequests(ctx, "call_commands", limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		claimed, err = all(ctx, t.conn, scanCommand, commandColumns+"WHERE m.id = ANY(?) ORDER BY m.id", ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claimRequests takes what desks left for the leader in call_commands or recording_reads and nobody has taken, oldest first.
func (t *tx) claimRequests(ctx context.Context, table string, limit int) ([]string, error) {
	now, err := t.now(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := all(ctx, t.conn, scalar[string], "SELECT id FROM "+table+` WHERE claimed_at = 0 AND done_at = 0 AND requested_at > ?
		ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED`, now-CallCommandTTL.Microseconds(), min(max(limit, 1), 100))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	_, err = t.exec(ctx, "UPDATE "+table+" SET claimed_at = ? WHERE id = ANY(?)", now, ids)
	return ids, err
}

// FinishCallCommand implements Calls.
func (db *DB) FinishCallCommand(ctx context.Context, id string, outcome CallOutcome, detail string) error {
	return db.write(ctx, "finish call command", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		t.wake = true
		n, err := t.exec(ctx, "UPDATE call_commands SET done_at = ?, outcome = ?, detail = ? WHERE id = ? AND done_at = 0", now, outcome, clean(detail), id)
		if err != nil || n == 1 {
			return err
		}
		if _, err := one(ctx, t.conn, scalar[string], "SELECT id FROM call_commands WHERE id = ?", id); err != nil {
			return err
		}
		return ErrConflict
	})
}
