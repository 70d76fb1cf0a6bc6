package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const callColumns = `SELECT id, namespace, pbx, uniqueid, linked_id, agent, extension, direction, number, name, queue, state,
	started_at, answered_at, ended_at, recording, recordings, missed FROM calls `

func scanCall(s scanner) (Call, error) {
	var c Call
	var started, answered, ended int64
	var recordings string
	if err := s.Scan(&c.ID, &c.Namespace, &c.PBX, &c.Uniqueid, &c.LinkedID, &c.Agent, &c.Extension, &c.Direction, &c.Number, &c.Name, &c.Queue,
		&c.State, &started, &answered, &ended, &c.Recording, &recordings, &c.Missed); err != nil {
		return c, err
	}
	c.StartedAt, c.AnsweredAt, c.EndedAt = fromMicros(started), fromMicros(answered), fromMicros(ended)
	return c, json.Unmarshal([]byte(recordings), &c.Recordings)
}

// values are the columns of callColumns in their order.
func (c Call) values() []any {
	recordings := c.Recordings
	if recordings == nil {
		recordings = []string{}
	}
	return []any{c.ID, c.Namespace, c.PBX, c.Uniqueid, c.LinkedID, c.Agent, c.Extension, c.Direction, c.Number, c.Name, c.Queue,
		c.State, micros(c.StartedAt), micros(c.AnsweredAt), micros(c.EndedAt), c.Recording, toJSON(recordings), c.Missed}
}

// GetCall implements Calls.
func (db *DB) GetCall(ctx context.Context, namespace, id string) (Call, error) {
	c, err := one(ctx, db.read(), scanCall, callColumns+"WHERE id = ? AND namespace = ?", id, namespace)
	if err != nil {
		return Call{}, fmt.Errorf("store: call %s: %w", id, err)
	}
	return c, nil
}

// ListCalls implements Calls.
func (db *DB) ListCalls(ctx context.Context, f CallFilter) ([]Call, error) {
	q, args := callColumns+"WHERE namespace = ?", []any{f.Namespace}
	add := func(condition string, arg any) {
		q, args = q+" AND "+condition, append(args, arg)
	}
	if f.Agent != "" {
		add("agent = ?", f.Agent)
	}
	if len(f.States) > 0 {
		states := make([]string, len(f.States))
		for i, s := range f.States {
			states[i] = string(s)
		}
		add("state = ANY(?)", states)
	}
	if f.Missed {
		q += " AND missed"
	}
	if f.Recorded {
		q += " AND recordings <> '[]'"
	}
	if f.Overseer != "" {
		q, args = q+" AND (agent = ? OR agent IN ("+supervised+"))", append(args, f.Overseer, f.Namespace, f.Overseer)
	}
	if f.Number != "" {
		add("number = ?", f.Number)
	}
	if f.Queue != "" {
		add("queue = ?", f.Queue)
	}
	if !f.From.IsZero() {
		add("started_at >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		add("started_at < ?", micros(f.To))
	}
	if f.After != "" {
		add("id < ?", f.After)
	}
	limit := f.Limit
	if limit < 1 || limit > 200 {
		limit = 50
	}
	list, err := all(ctx, db.read(), scanCall, q+" ORDER BY id DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("store: list calls: %w", err)
	}
	return list, nil
}

// PutCall implements Calls.
func (db *DB) PutCall(ctx context.Context, pbx Key, c Call) error {
	return db.write(ctx, "put call", func(t *tx) error {
		_, err := t.putCalls(ctx, pbx, []Call{c}, false)
		return err
	})
}

// SetCalls implements Calls.
func (db *DB) SetCalls(ctx context.Context, pbx Key, active []Call) error {
	return db.write(ctx, "set calls", func(t *tx) error {
		present, err := t.putCalls(ctx, pbx, active, true)
		if err != nil {
			return err
		}
		for _, c := range active {
			delete(present, clean(c.Uniqueid))
		}
		for _, old := range inOrder(present) {
			if err := t.changeCall(ctx, old, Call{State: CallEnded}); err != nil {
				return err
			}
		}
		return nil
	})
}

// inOrder lists calls by id, so that what is written does not depend on the map.
func inOrder(calls map[string]Call) []Call {
	list := make([]Call, 0, len(calls))
	for _, c := range calls {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Call) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// putCalls writes reports and returns the calls as they were before, locked: those reported and, with active, all active ones of the PBX.
func (t *tx) putCalls(ctx context.Context, pbx Key, reports []Call, active bool) (map[string]Call, error) {
	present, err := t.lockCalls(ctx, pbx, reports, active)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for _, r := range slices.Backward(reports) { // the last report of a leg is the newest
		r = r.stored(pbx)
		if done[r.Uniqueid] || r.Uniqueid == "" {
			continue
		}
		done[r.Uniqueid] = true
		if old, known := present[r.Uniqueid]; known {
			err = t.changeCall(ctx, old, r)
		} else {
			err = t.addCall(ctx, r)
		}
		if err != nil {
			return nil, err
		}
	}
	return present, nil
}

func (t *tx) lockCalls(ctx context.Context, pbx Key, reports []Call, active bool) (map[string]Call, error) {
	uniqueids := make([]string, len(reports))
	for i, r := range reports {
		uniqueids[i] = clean(r.Uniqueid)
	}
	q, args := "SELECT id FROM calls WHERE namespace = ? AND pbx = ? AND uniqueid = ANY(?)", []any{pbx.Namespace, pbx.Name, uniqueids}
	if active {
		// Not OR, which would walk through all that is kept of the PBX.
		q, args = q+" UNION SELECT id FROM calls WHERE namespace = ? AND pbx = ? AND state <> 'Ended'", append(args, pbx.Namespace, pbx.Name)
	}
	ids, err := all(ctx, t.conn, scalar[string], q, args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := all(ctx, t.conn, scanCall, callColumns+"WHERE id = ANY(?) ORDER BY id FOR UPDATE", ids)
	present := make(map[string]Call, len(rows))
	for _, c := range rows {
		present[c.Uniqueid] = c
	}
	return present, err
}

// stored is a report in the form of a row.
func (c Call) stored(pbx Key) Call {
	c.ID, c.Agent, c.Missed = "", "", false
	c.Namespace, c.PBX = pbx.Namespace, pbx.Name
	for _, s := range []*string{&c.Uniqueid, &c.LinkedID, &c.Extension, &c.Number, &c.Name, &c.Queue} {
		*s = clean(*s)
	}
	names := make([]string, len(c.Recordings))
	for i, n := range c.Recordings {
		names[i] = clean(n)
	}
	c.Recordings = names
	return c
}

// addCall stores the first report of a leg.
func (t *tx) addCall(ctx context.Context, c Call) error {
	var err error
	if c.Agent, err = agentAt(ctx, t.conn, c.Namespace, c.Extension); err != nil {
		return ignoreNotFound(err) // nobody's
	}
	if c.ID, err = newID(); err != nil {
		return err
	}
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	if callOrder[c.State] == 0 {
		c.State = CallRinging
	}
	c.Direction, c.Recording = cmp.Or(c.Direction, Inbound), cmp.Or(c.Recording, RecordingOff)
	c.settle(now)
	if c.Missed, err = t.missed(ctx, c); err != nil {
		return err
	}
	n, err := t.exec(ctx, `INSERT INTO calls (id, namespace, pbx, uniqueid, linked_id, agent, extension, direction, number, name, queue, state,
		started_at, answered_at, ended_at, recording, recordings, missed, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, append(c.values(), now)...)
	if err != nil {
		return err
	}
	if n == 0 {
		return errRetry // another replica was first
	}
	t.emitCall(Call{Recording: RecordingOff}, c)
	return nil
}

// changeCall applies a report to a call that this transaction holds locked.
func (t *tx) changeCall(ctx context.Context, old, report Call) error {
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	c := old.merged(report, now)
	if slices.Equal(old.values(), c.values()) {
		return nil
	}
	if old.State != CallEnded {
		if c.Missed, err = t.missed(ctx, c); err != nil {
			return err
		}
	}
	t.emitCall(old, c)
	v := c.values()
	changing := append([]any{v[4]}, v[8:]...)
	_, err = t.exec(ctx, `UPDATE calls SET linked_id = ?, number = ?, name = ?, queue = ?, state = ?, started_at = ?, answered_at = ?,
		ended_at = ?, recording = ?, recordings = ?, missed = ?, updated_at = ? WHERE id = ?`, append(changing, now, c.ID)...)
	return err
}

var callOrder = map[CallState]int{CallRinging: 1, CallUp: 2, CallEnded: 3}

// merged is the call after a report: empty fields stay, the state never goes back, and what has ended only learns of more files.
func (c Call) merged(report Call, now int64) Call {
	if len(report.Recordings) > len(c.Recordings) {
		c.Recordings = report.Recordings
	}
	if c.State == CallEnded {
		return c
	}
	c.LinkedID, c.Queue = cmp.Or(report.LinkedID, c.LinkedID), cmp.Or(report.Queue, c.Queue)
	c.Number, c.Name = cmp.Or(report.Number, c.Number), cmp.Or(report.Name, c.Name)
	c.Recording = cmp.Or(report.Recording, c.Recording)
	if callOrder[report.State] > callOrder[c.State] {
		c.State = report.State
	}
	if c.AnsweredAt.IsZero() {
		c.AnsweredAt = report.AnsweredAt
	}
	c.EndedAt = report.EndedAt
	c.settle(now)
	return c
}

// settle makes the times and the recording agree with the state.
func (c *Call) settle(now int64) {
	at := func(t *time.Time) {
		if t.IsZero() {
			*t = fromMicros(now)
		}
	}
	at(&c.StartedAt)
	if c.State == CallUp {
		at(&c.AnsweredAt)
	}
	if c.State != CallEnded {
		c.EndedAt = time.Time{}
		return
	}
	at(&c.EndedAt)
	c.Recording = RecordingOff
}

// missed: nobody took a call that rang here, as far as is known when it ended.
func (t *tx) missed(ctx context.Context, c Call) (bool, error) {
	if c.State != CallEnded || c.Direction != Inbound || !c.AnsweredAt.IsZero() {
		return false, nil
	}
	if c.LinkedID == "" {
		return true, nil
	}
	elsewhere, err := one(ctx, t.conn, scalar[bool], `SELECT EXISTS (SELECT 1 FROM calls WHERE namespace = ? AND pbx = ? AND linked_id = ?
		AND direction = 'Inbound' AND answered_at > 0 AND id <> ?)`, c.Namespace, c.PBX, c.LinkedID, c.ID)
	return !elsewhere, err
}

// emitCall tells the agent of a change, without the other party.
func (t *tx) emitCall(old, c Call) {
	data := []byte(toJSON(map[string]any{"state": c.State, "direction": c.Direction, "queue": c.Queue, "recording": c.Recording, "missed": c.Missed}))
	kinds := append([]string{EventCall}, recordingEvents(old, c)...)
	for _, kind := range kinds {
		t.emit(Event{Namespace: c.Namespace, Agent: c.Agent, Kind: kind, Subject: c.ID, Data: data})
	}
}

// recordingEvents are the steps of the recording between two states of a call.
func recordingEvents(old, c Call) []string {
	newFile := len(c.Recordings) > len(old.Recordings)
	switch {
	case c.Recording == RecordingOff && old.Recording == RecordingOff:
		return nil
	case c.Recording == RecordingOff:
		return []string{EventRecordingStopped}
	case old.Recording == RecordingOff && c.Recording == RecordingOn:
		return []string{EventRecordingStarted}
	case old.Recording == RecordingOff:
		return []string{EventRecordingStarted, EventRecordingPaused}
	// The name of the first file may come after the news that it is being written; another name is another file.
	case newFile && len(old.Recordings) > 0 && c.Recording == RecordingOn:
		return []string{EventRecordingStarted}
	case old.Recording == RecordingOn && c.Recording == RecordingPaused:
		return []string{EventRecordingPaused}
	case old.Recording == RecordingPaused && c.Recording == RecordingOn:
		return []string{EventRecordingResumed}
	}
	return nil
}

// agentAt is whose endpoint this is: an agent's own, or the one who sits at that telephone. ErrNotFound: nobody's.
func agentAt(ctx context.Context, c conn, namespace, endpoint string) (string, error) {
	if endpoint == "" {
		return "", ErrNotFound
	}
	agent, err := one(ctx, c, scalar[string], "SELECT name FROM agents WHERE namespace = ? AND extension = ? ORDER BY name LIMIT 1", namespace, endpoint)
	if !errors.Is(err, ErrNotFound) {
		return agent, err
	}
	return one(ctx, c, scalar[string], `SELECT s.agent FROM seats s JOIN telephones t ON t.namespace = s.namespace AND t.name = s.telephone
		WHERE t.namespace = ? AND t.username = ? ORDER BY t.name LIMIT 1`, namespace, endpoint)
}

// PruneCalls implements Calls.
func (db *DB) PruneCalls(ctx context.Context, age time.Duration) error {
	return db.write(ctx, "prune calls", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if err := t.deleteCalls(ctx, "WHERE updated_at < ?", now-age.Microseconds()); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM call_commands WHERE requested_at < ?", now-(10*CallCommandTTL).Microseconds()); err != nil {
			return err
		}
		return t.pruneRecordings(ctx, now)
	})
}

// deleteCalls locks in the order of ids before it deletes.
func (t *tx) deleteCalls(ctx context.Context, where string, args ...any) error {
	ids, err := all(ctx, t.conn, scalar[string], "SELECT id FROM calls "+where+" ORDER BY id FOR UPDATE", args...)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM calls WHERE id = ANY(?)", ids)
	return err
}
