package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const agentColumns = "SELECT namespace, name, username, display_name, alias, email, extension, active, email_capacity, profile, permissions, client_logs, auto_answer FROM agents "

func scanAgent(s scanner) (Agent, error) {
	var a Agent
	var answer int64
	err := s.Scan(&a.Namespace, &a.Name, &a.Username, &a.DisplayName, &a.Alias, &a.Email, &a.Extension, &a.Active, &a.EmailCapacity, &a.Profile,
		&a.Permissions, &a.ClientLogs, &answer)
	a.EmailAutoAnswer = autoAnswerOf(answer)
	for _, document := range []*[]byte{&a.Profile, &a.Permissions, &a.ClientLogs} {
		if len(*document) == 0 {
			*document = nil
		}
	}
	return a, err
}

func getAgent(ctx context.Context, c conn, key Key) (Agent, error) {
	return one(ctx, c, scanAgent, agentColumns+"WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
}

func sameAgent(a, b Agent) bool {
	return a.Key == b.Key && a.Username == b.Username && a.DisplayName == b.DisplayName && a.Alias == b.Alias && a.Email == b.Email &&
		a.Extension == b.Extension && a.Active == b.Active && a.EmailCapacity == b.EmailCapacity && a.EmailAutoAnswer == b.EmailAutoAnswer &&
		bytes.Equal(a.Profile, b.Profile) &&
		bytes.Equal(a.Permissions, b.Permissions) && bytes.Equal(a.ClientLogs, b.ClientLogs)
}

// GetAgent implements Directory.
func (db *DB) GetAgent(ctx context.Context, key Key) (Agent, error) {
	a, err := getAgent(ctx, db.read(), key)
	if err != nil {
		return Agent{}, fmt.Errorf("store: agent %s: %w", key, err)
	}
	return a, nil
}

// FindAgent implements Directory.
func (db *DB) FindAgent(ctx context.Context, namespace, username string) (Agent, error) {
	q, args := agentColumns+"WHERE username = ?", []any{username}
	if namespace != "" {
		q, args = q+" AND namespace = ?", append(args, namespace)
	}
	found, err := all(ctx, db.read(), scanAgent, q+" LIMIT 2", args...)
	switch {
	case err != nil:
	case len(found) == 0:
		err = ErrNotFound
	case len(found) > 1:
		err = ErrConflict
	default:
		return found[0], nil
	}
	return Agent{}, fmt.Errorf("store: find agent: %w", err)
}

// PutAgent implements Directory.
func (db *DB) PutAgent(ctx context.Context, a Agent) error {
	if old, err := getAgent(ctx, db.read(), a.Key); err == nil && sameAgent(old, a) {
		return nil
	}
	return db.write(ctx, "put agent", func(t *tx) error {
		if err := t.lockCenter(ctx, a.Namespace); err != nil {
			return err
		}
		holder, err := one(ctx, t.conn, scalar[string],
			"SELECT name FROM agents WHERE username = ? AND namespace = ? AND name <> ?", a.Username, a.Namespace, a.Name)
		if err == nil {
			return &TakenError{Value: a.Username, By: "agent/" + holder}
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		old, err := getAgent(ctx, t.conn, a.Key)
		isNew := errors.Is(err, ErrNotFound)
		if err != nil && !isNew {
			return err
		}
		if !isNew && sameAgent(old, a) {
			return nil
		}
		if err := t.writeAgent(ctx, a); err != nil {
			return err
		}
		t.wake = true
		if !isNew {
			t.emitSettings(old, a)
		}
		if old.Active && !a.Active {
			return t.signOut(ctx, a.Key, "Deactivated")
		}
		if moreRoom(old, a) {
			return t.queuesChanged(ctx, a.Key)
		}
		return nil
	})
}

// moreRoom: the agent may now get something that it could not get before.
func moreRoom(old, a Agent) bool {
	if !a.Active {
		return false
	}
	return !old.Active || old.EmailCapacity != 0 && (a.EmailCapacity == 0 || a.EmailCapacity > old.EmailCapacity)
}

func (t *tx) writeAgent(ctx context.Context, a Agent) error {
	_, err := t.exec(ctx, `INSERT INTO agents
		(namespace, name, username, display_name, alias, email, extension, active, email_capacity, profile, permissions, client_logs, auto_answer)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (namespace, name) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
		alias = excluded.alias, email = excluded.email, extension = excluded.extension, active = excluded.active,
		email_capacity = excluded.email_capacity, profile = excluded.profile, permissions = excluded.permissions,
		client_logs = excluded.client_logs, auto_answer = excluded.auto_answer`,
		a.Namespace, a.Name, a.Username, a.DisplayName, a.Alias, a.Email, a.Extension, a.Active, a.EmailCapacity,
		notNull(a.Profile), notNull(a.Permissions), notNull(a.ClientLogs), autoAnswerMicros(a.EmailAutoAnswer))
	return err
}

// notNull is a document for a column that has no NULL.
func notNull(document []byte) []byte {
	if document == nil {
		return []byte{}
	}
	return document
}

// emitSettings tells the agent's desk what changed for it.
func (t *tx) emitSettings(old, a Agent) {
	e := Event{Namespace: a.Namespace, Agent: a.Name, Subject: a.Name}
	if !bytes.Equal(old.Permissions, a.Permissions) {
		e.Kind = EventPermissions
		t.emit(e)
	}
	switch {
	case bytes.Equal(old.ClientLogs, a.ClientLogs):
	case len(a.ClientLogs) == 0:
		e.Kind = EventClientLogsDisabled
		t.emit(e)
	default:
		e.Kind, e.Data = EventClientLogsEnabled, a.ClientLogs
		t.emit(e)
	}
}

// queuesChanged makes routing look again at everything that waits for this agent.
func (t *tx) queuesChanged(ctx context.Context, agent Key) error {
	queues, err := queuesOf(ctx, t.conn, agent)
	for _, q := range queues {
		t.changed[Key{agent.Namespace, q}] = true
	}
	t.freed[agent] = true
	return err
}

// signOut ends sessions, offers and presence.
func (t *tx) signOut(ctx context.Context, agent Key, reason string) error {
	if _, err := t.exec(ctx, "DELETE FROM sessions WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name); err != nil {
		return err
	}
	if err := t.ownerLeft(ctx, agent, reason); err != nil {
		return err
	}
	if err := t.releaseSeat(ctx, agent); err != nil {
		return err
	}
	p, err := getPresence(ctx, t.conn, agent)
	if err != nil || !p.SignedIn {
		return ignoreNotFound(err)
	}
	p.SignedIn, p.Source = false, ""
	return t.writePresence(ctx, p)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// DeleteAgent implements Directory.
func (db *DB) DeleteAgent(ctx context.Context, key Key) error {
	return db.write(ctx, "delete agent", func(t *tx) error {
		if err := t.lockCenter(ctx, key.Namespace); err != nil {
			return err
		}
		if err := t.returnInteractions(ctx, key, "AgentDeleted", StateOffered, StateOpen); err != nil {
			return err
		}
		if err := t.signOut(ctx, key, "AgentDeleted"); err != nil {
			return err
		}
		if err := t.deleteCalls(ctx, "WHERE namespace = ? AND agent = ?", key.Namespace, key.Name); err != nil {
			return err
		}
		for _, table := range []string{"credentials", "password_history", "presence", "forwards", "voicemail_seen", "sign_in_locks", "password_links", "supervisors", "streams", "wrap_ups", "avatars"} {
			if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE namespace = ? AND agent = ?", key.Namespace, key.Name); err != nil {
				return err
			}
		}
		// Whatever waits for the agent alone waits no more.
		if err := t.ownerBack(ctx, key); err != nil {
			return err
		}
		t.wake = true
		_, err := t.exec(ctx, "DELETE FROM agents WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return err
	})
}

const queueColumns = "SELECT namespace, name, display_name, channel, strategy, offer_timeout, wrap_up_time, weight, service_level FROM queues "

func scanQueue(s scanner) (Queue, error) {
	var q Queue
	var timeout, wrapUp, level int64
	err := s.Scan(&q.Namespace, &q.Name, &q.DisplayName, &q.Channel, &q.Strategy, &timeout, &wrapUp, &q.Weight, &level)
	q.OfferTimeout, q.WrapUpTime = time.Duration(timeout)*time.Microsecond, time.Duration(wrapUp)*time.Microsecond
	q.ServiceLevel = time.Duration(level) * time.Microsecond
	return q, err
}

func scanMember(s scanner) (QueueMember, error) {
	var m QueueMember
	err := s.Scan(&m.Agent, &m.Penalty)
	return m, err
}

func getQueue(ctx context.Context, c conn, key Key) (Queue, error) {
	q, err := one(ctx, c, scanQueue, queueColumns+"WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
	if err != nil {
		return Queue{}, err
	}
	q.Members, err = all(ctx, c, scanMember,
		"SELECT agent, penalty FROM queue_members WHERE namespace = ? AND queue = ? ORDER BY agent", key.Namespace, key.Name)
	return q, err
}

// GetQueue implements Directory; members are sorted by agent.
func (db *DB) GetQueue(ctx context.Context, key Key) (Queue, error) {
	q, err := getQueue(ctx, db.read(), key)
	if err != nil {
		return Queue{}, fmt.Errorf("store: queue %s: %w", key, err)
	}
	return q, nil
}

// PutQueue implements Directory.
func (db *DB) PutQueue(ctx context.Context, q Queue) error {
	wanted := memberMap(q.Members)
	if old, err := getQueue(ctx, db.read(), q.Key); err == nil && sameQueue(old, q) && sameMembers(memberMap(old.Members), wanted) {
		return nil
	}
	return db.write(ctx, "put queue", func(t *tx) error {
		if err := t.lockCenter(ctx, q.Namespace); err != nil {
			return err
		}
		old, err := getQueue(ctx, t.conn, q.Key)
		isNew := errors.Is(err, ErrNotFound)
		if err != nil && !isNew {
			return err
		}
		present := memberMap(old.Members)
		if !isNew && sameQueue(old, q) && sameMembers(present, wanted) {
			return nil
		}
		if _, err := t.exec(ctx, `INSERT INTO queues (namespace, name, display_name, channel, strategy, offer_timeout, wrap_up_time, weight, service_level)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, name) DO UPDATE SET display_name = excluded.display_name,
			channel = excluded.channel, strategy = excluded.strategy, offer_timeout = excluded.offer_timeout, wrap_up_time = excluded.wrap_up_time,
			weight = excluded.weight, service_level = excluded.service_level`,
			q.Namespace, q.Name, q.DisplayName, q.Channel, q.Strategy, q.OfferTimeout.Microseconds(), q.WrapUpTime.Microseconds(), q.Weight,
			q.ServiceLevel.Microseconds()); err != nil {
			return err
		}
		if err := t.writeMembers(ctx, q.Key, present, wanted); err != nil {
			return err
		}
		t.changed[q.Key] = true
		return nil
	})
}

func memberMap(members []QueueMember) map[string]int {
	m := make(map[string]int, len(members))
	for _, member := range members {
		m[member.Agent] = member.Penalty
	}
	return m
}

func sameMembers(a, b map[string]int) bool {
	for agent, penalty := range a {
		if p, ok := b[agent]; !ok || p != penalty {
			return false
		}
	}
	return len(a) == len(b)
}

func sameQueue(a, b Queue) bool {
	return a.DisplayName == b.DisplayName && a.Channel == b.Channel && a.Strategy == b.Strategy && a.OfferTimeout == b.OfferTimeout &&
		a.WrapUpTime == b.WrapUpTime && a.Weight == b.Weight && a.ServiceLevel == b.ServiceLevel
}

func (t *tx) writeMembers(ctx context.Context, queue Key, present, wanted map[string]int) error {
	var gone []string
	for agent := range present {
		if _, ok := wanted[agent]; !ok {
			gone = append(gone, agent)
		}
	}
	if len(gone) > 0 {
		if _, err := t.exec(ctx, "DELETE FROM queue_members WHERE namespace = ? AND queue = ? AND agent = ANY(?)",
			queue.Namespace, queue.Name, gone); err != nil {
			return err
		}
	}
	var rows [][]any
	for agent, penalty := range wanted {
		if p, ok := present[agent]; !ok || p != penalty {
			rows = append(rows, []any{queue.Namespace, queue.Name, agent, penalty})
		}
	}
	return t.insert(ctx, "queue_members (namespace, queue, agent, penalty)",
		"ON CONFLICT (namespace, queue, agent) DO UPDATE SET penalty = excluded.penalty", rows...)
}

// DeleteQueue implements Directory. Running offers may still be accepted.
func (db *DB) DeleteQueue(ctx context.Context, key Key) error {
	return db.write(ctx, "delete queue", func(t *tx) error {
		if err := t.lockCenter(ctx, key.Namespace); err != nil {
			return err
		}
		const waiting = interactionColumns + "WHERE namespace = ? AND queue = ? AND state = 'Queued' AND for_agent = '' ORDER BY id FOR UPDATE"
		// Read for the order of locks only.
		if _, err := all(ctx, t.conn, scanInteraction, waiting, key.Namespace, key.Name); err != nil {
			return err
		}
		// The row goes before the interactions: an ingestion under way into this queue is either seen below or finds the
		// queue gone.
		for _, sql := range []string{"DELETE FROM queues WHERE namespace = ? AND name = ?", "DELETE FROM queue_members WHERE namespace = ? AND queue = ?",
			"DELETE FROM queue_figures WHERE namespace = ? AND queue = ?"} {
			if _, err := t.exec(ctx, sql, key.Namespace, key.Name); err != nil {
				return err
			}
		}
		t.wake = true
		rows, err := all(ctx, t.conn, scanInteraction, waiting, key.Namespace, key.Name)
		if err != nil {
			return err
		}
		return t.requeue(ctx, rows, "QueueDeleted", "")
	})
}

// QueuesOf implements Directory.
func (db *DB) QueuesOf(ctx context.Context, agent Key) ([]string, error) {
	queues, err := queuesOf(ctx, db.read(), agent)
	if err != nil {
		return nil, fmt.Errorf("store: queues of %s: %w", agent, err)
	}
	return queues, nil
}
