package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

func scanPresence(s scanner) (Presence, error) {
	var p Presence
	var since, wrapUp int64
	err := s.Scan(&p.Agent.Namespace, &p.Agent.Name, &p.SignedIn, &p.Paused, &p.Reason, &since, &p.Source, &p.Telephone, &wrapUp)
	p.Since, p.WrapUp = fromMicros(since), fromMicros(wrapUp)
	return p, err
}

// Every agent has a presence, signed out until told otherwise.
const presenceColumns = `SELECT a.namespace, a.name, COALESCE(p.signed_in, FALSE), COALESCE(p.paused, FALSE), COALESCE(p.reason, ''),
	COALESCE(p.since, 0), COALESCE(p.source, ''), COALESCE(s.telephone, ''), COALESCE(w.until_at, 0) FROM agents a
	LEFT JOIN presence p ON p.namespace = a.namespace AND p.agent = a.name
	LEFT JOIN wrap_ups w ON w.namespace = a.namespace AND w.agent = a.name
	LEFT JOIN seats s ON s.namespace = a.namespace AND s.agent = a.name `

func getPresence(ctx context.Context, c conn, agent Key) (Presence, error) {
	return one(ctx, c, scanPresence, presenceColumns+"WHERE a.namespace = ? AND a.name = ?", agent.Namespace, agent.Name)
}

// GetPresence implements PresenceStore.
func (db *DB) GetPresence(ctx context.Context, agent Key) (Presence, error) {
	p, err := getPresence(ctx, db.read(), agent)
	if err != nil {
		return Presence{}, fmt.Errorf("store: presence of %s: %w", agent, err)
	}
	list := []Presence{p}
	err = db.overWrapUps(ctx, list)
	return list[0], err
}

// ListPresence implements PresenceStore.
func (db *DB) ListPresence(ctx context.Context, namespace string) ([]Presence, error) {
	list, err := all(ctx, db.read(), scanPresence, presenceColumns+"WHERE a.namespace = ?", namespace)
	if err != nil {
		return nil, fmt.Errorf("store: list presence: %w", err)
	}
	slices.SortFunc(list, func(a, b Presence) int { return cmp.Compare(a.Agent.Name, b.Agent.Name) })
	return list, db.overWrapUps(ctx, list)
}

// SetPresence implements PresenceStore. Since is the store's time of the change; p.Since is ignored. ErrNotFound: no
// such agent; ErrConflict: an inactive agent cannot sign in; ErrDisposing: the agent has to choose a disposition before their pause ends.
func (db *DB) SetPresence(ctx context.Context, p Presence) error {
	p.Reason = clean(p.Reason)
	return db.write(ctx, "set presence", func(t *tx) error {
		// Routing decides under the same lock: no offer can be made to an agent who has just paused.
		if err := t.lockCenter(ctx, p.Agent.Namespace); err != nil {
			return err
		}
		agent, err := getAgent(ctx, t.conn, p.Agent)
		if err != nil {
			return err
		}
		if p.SignedIn && !agent.Active {
			return ErrConflict
		}
		if p.SignedIn && !p.Paused {
			if held, err := t.isDisposing(ctx, p.Agent); err != nil {
				return err
			} else if held {
				return ErrDisposing
			}
		}
		return t.setPresence(ctx, p)
	})
}

// setPresence applies a change; the center is locked.
func (t *tx) setPresence(ctx context.Context, p Presence) error {
	old, err := getPresence(ctx, t.conn, p.Agent)
	if err != nil {
		return err
	}
	if p.SignedIn && p.Telephone != "" {
		if err := t.takeSeat(ctx, p.Agent, p.Telephone); err != nil {
			return err
		}
	}
	if old.SignedIn == p.SignedIn && old.Paused == p.Paused && old.Reason == p.Reason {
		return nil
	}
	p.WrapUp = old.WrapUp
	if err := t.writePresence(ctx, p); err != nil {
		return err
	}
	switch {
	case !p.SignedIn:
		if err := t.releaseSeat(ctx, p.Agent); err != nil {
			return err
		}
		return t.ownerLeft(ctx, p.Agent, "SignedOut")
	case p.Paused:
		return t.ownerLeft(ctx, p.Agent, "Paused")
	case !old.SignedIn || old.Paused:
		if err := t.ownerBack(ctx, p.Agent); err != nil {
			return err
		}
		return t.queuesChanged(ctx, p.Agent)
	}
	return nil
}

// abandoned are the agents who are signed in, have been for longer than grace, and have no session left.
const abandoned = `SELECT p.namespace, p.agent FROM presence p WHERE p.signed_in AND p.since <= ? AND NOT EXISTS
	(SELECT 1 FROM sessions s WHERE s.namespace = p.namespace AND s.agent = p.agent AND s.expires > ?)`

// SignOutAbandoned implements PresenceStore.
func (db *DB) SignOutAbandoned(ctx context.Context, grace time.Duration) (int, error) {
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return 0, fmt.Errorf("store: sign out the abandoned: %w", err)
	}
	agents, err := all(ctx, db.read(), scanKey, abandoned, now-grace.Microseconds(), now)
	if err != nil {
		return 0, fmt.Errorf("store: sign out the abandoned: %w", err)
	}
	for _, agent := range agents {
		err := db.write(ctx, "sign out the abandoned", func(t *tx) error {
			if err := t.lockCenter(ctx, agent.Namespace); err != nil {
				return err
			}
			// Under the lock a new session would be seen.
			still, err := all(ctx, t.conn, scanKey, abandoned+" AND p.namespace = ? AND p.agent = ?",
				now-grace.Microseconds(), now, agent.Namespace, agent.Name)
			if err != nil || len(still) == 0 {
				return err
			}
			return t.setPresence(ctx, Presence{Agent: agent})
		})
		if err != nil {
			return 0, err
		}
	}
	return len(agents), nil
}

func scanKey(s scanner) (Key, error) {
	var k Key
	return k, s.Scan(&k.Namespace, &k.Name)
}

// presenceEvent tells a presence; the seat has events of its own.
func presenceEvent(p Presence) Event {
	return Event{Namespace: p.Agent.Namespace, Kind: EventPresence, Subject: p.Agent.Name, Data: []byte(toJSON(struct {
		SignedIn bool      `json:"signedIn"`
		Paused   bool      `json:"paused"`
		Reason   string    `json:"reason,omitempty"`
		Source   Client    `json:"source,omitempty"`
		WrapUp   time.Time `json:"wrapUpUntil,omitzero"`
	}{p.SignedIn, p.Paused, p.Reason, p.Source, p.WrapUp}))}
}

// endWrapUp takes a wrap-up time away that has passed.
func (p *Presence) endWrapUp(now int64) {
	if micros(p.WrapUp) <= now {
		p.WrapUp = time.Time{}
	}
}

func (t *tx) writePresence(ctx context.Context, p Presence) error {
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	if !p.SignedIn {
		if _, err := t.exec(ctx, "DELETE FROM disposing WHERE namespace = ? AND agent = ?", p.Agent.Namespace, p.Agent.Name); err != nil {
			return err
		}
	}
	if until := t.wrapUps[p.Agent]; until > 0 {
		p.WrapUp = fromMicros(until)
	}
	p.endWrapUp(now)
	t.emit(presenceEvent(p))
	_, err = t.exec(ctx, `INSERT INTO presence (namespace, agent, signed_in, paused, reason, since, source) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (namespace, agent) DO UPDATE SET signed_in = excluded.signed_in, paused = excluded.paused,
		reason = excluded.reason, since = excluded.since, source = excluded.source, disposing = FALSE`,
		p.Agent.Namespace, p.Agent.Name, p.SignedIn, p.Paused, p.Reason, now, p.Source)
	return err
}

// returnInteractions takes what the agent holds in these states back to its queue.
func (t *tx) returnInteractions(ctx context.Context, agent Key, reason string, states ...InteractionState) error {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	held, err := all(ctx, t.conn, scanInteraction, interactionColumns+
		"WHERE namespace = ? AND agent = ? AND agent <> '' AND state = ANY(?) ORDER BY id FOR UPDATE", agent.Namespace, agent.Name, names)
	if err != nil {
		return err
	}
	return t.requeue(ctx, held, reason, "")
}
