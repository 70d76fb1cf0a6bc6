package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// The file comes from the call itself, as its PBX reported it.
const readColumns = `SELECT r.id, r.namespace, r.call_id, c.pbx, c.recordings, r.file, r.start, r.length, r.requested_at, r.outcome, r.size, r.changed_at,
	r.content FROM recording_reads r JOIN calls c ON c.id = r.call_id `

func scanRecordingRead(s scanner) (RecordingRead, error) {
	var r RecordingRead
	var names string
	var at, changed int64
	if err := s.Scan(&r.ID, &r.Namespace, &r.CallID, &r.PBX, &names, &r.N, &r.Offset, &r.Length, &at, &r.Outcome, &r.Part.Size, &changed, &r.Part.Content); err != nil {
		return r, err
	}
	r.RequestedAt, r.Part.ChangedAt = fromMicros(at), fromMicros(changed)
	var recordings []string
	err := json.Unmarshal([]byte(names), &recordings)
	if r.N < len(recordings) {
		r.File = recordings[r.N]
	}
	return r, err
}

// AddRecordingRead implements Recordings.
func (db *DB) AddRecordingRead(ctx context.Context, namespace, callID string, n int, offset int64, length int) (RecordingRead, error) {
	var r RecordingRead
	err := db.write(ctx, "add recording read", func(t *tx) error {
		c, err := one(ctx, t.conn, scanCall, callColumns+"WHERE id = ? AND namespace = ? FOR UPDATE", callID, namespace)
		if err != nil {
			return err
		}
		if n < 0 || n >= len(c.Recordings) {
			return ErrNotFound
		}
		id, err := newID()
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		t.emit(Event{Namespace: namespace, Kind: EventRecordingRead, Subject: id})
		if err := t.insert(ctx, `recording_reads (id, namespace, call_id, file, start, length, requested_at, claimed_at, done_at, outcome, size, changed_at)`, "",
			[]any{id, namespace, callID, n, offset, length, now, 0, 0, "", 0, 0}); err != nil {
			return err
		}
		r, err = one(ctx, t.conn, scanRecordingRead, readColumns+"WHERE r.id = ?", id)
		return err
	})
	return r, err
}

// ClaimRecordingReads implements Recordings.
func (db *DB) ClaimRecordingReads(ctx context.Context, limit int) ([]RecordingRead, error) {
	var claimed []RecordingRead
	err := db.write(ctx, "claim recording reads", func(t *tx) error {
		ids, err := t.claimRequests(ctx, "recording_reads", limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		claimed, err = all(ctx, t.conn, scanRecordingRead, readColumns+"WHERE r.id = ANY(?) ORDER BY r.id", ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// FinishRecordingRead implements Recordings.
func (db *DB) FinishRecordingRead(ctx context.Context, id string, outcome CallOutcome, part RecordingPart) error {
	return db.write(ctx, "finish recording read", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		t.wake = true
		n, err := t.exec(ctx, "UPDATE recording_reads SET done_at = ?, outcome = ?, size = ?, changed_at = ?, content = ? WHERE id = ? AND done_at = 0",
			now, outcome, part.Size, micros(part.ChangedAt), part.Content, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}

// TakeRecordingRead implements Recordings.
func (db *DB) TakeRecordingRead(ctx context.Context, id string) (RecordingRead, error) {
	r, err := one(ctx, db.read(), scanRecordingRead, readColumns+"WHERE r.id = ?", id)
	if err != nil {
		return RecordingRead{}, fmt.Errorf("store: recording read %s: %w", id, err)
	}
	if r.Outcome == "" {
		return r, nil
	}
	return r, db.DropRecordingRead(ctx, id)
}

// DropRecordingRead implements Recordings.
func (db *DB) DropRecordingRead(ctx context.Context, id string) error {
	return db.write(ctx, "drop recording read", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM recording_reads WHERE id = ?", id)
		return err
	})
}

// AddRecordingDownload implements Recordings. The row of the call serialises requests side by side.
func (db *DB) AddRecordingDownload(ctx context.Context, d RecordingDownload, within time.Duration) error {
	return db.write(ctx, "add recording download", func(t *tx) error {
		if _, err := one(ctx, t.conn, scanCall, callColumns+"WHERE id = ? AND namespace = ? FOR UPDATE", d.CallID, d.Namespace); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		known, err := all(ctx, t.conn, scalar[string], "SELECT id FROM recording_downloads WHERE call_id = ? AND file = ? AND agent = ? AND at > ? LIMIT 1",
			d.CallID, d.N, d.Agent, now-within.Microseconds())
		if err != nil || len(known) > 0 {
			return err
		}
		id, err := newID()
		if err != nil {
			return err
		}
		return t.insert(ctx, "recording_downloads (id, namespace, call_id, file, agent, at)", "", []any{id, d.Namespace, d.CallID, d.N, d.Agent, now})
	})
}

// ListRecordingDownloads implements Recordings.
func (db *DB) ListRecordingDownloads(ctx context.Context, namespace, callID string) ([]RecordingDownload, error) {
	list, err := all(ctx, db.read(), func(s scanner) (RecordingDownload, error) {
		var d RecordingDownload
		var at int64
		err := s.Scan(&d.Namespace, &d.CallID, &d.N, &d.Agent, &at)
		d.At = fromMicros(at)
		return d, err
	}, "SELECT namespace, call_id, file, agent, at FROM recording_downloads WHERE namespace = ? AND call_id = ? ORDER BY id DESC LIMIT ?",
		namespace, callID, MaxRecordingDownloads)
	if err != nil {
		return nil, fmt.Errorf("store: downloads of call %s: %w", callID, err)
	}
	return list, nil
}

// pruneRecordings deletes reads nobody waits for, and what is known of calls that are gone.
func (t *tx) pruneRecordings(ctx context.Context, now int64) error {
	if _, err := t.exec(ctx, "DELETE FROM recording_reads WHERE requested_at < ?", now-2*CallCommandTTL.Microseconds()); err != nil {
		return err
	}
	_, err := t.exec(ctx, "DELETE FROM recording_downloads WHERE NOT EXISTS (SELECT 1 FROM calls c WHERE c.id = recording_downloads.call_id)")
	return err
}
