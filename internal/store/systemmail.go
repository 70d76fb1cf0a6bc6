package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const systemMailColumns = `SELECT id, namespace, account, recipient, dedupe_key, raw, state, detail, attempts, created_at FROM system_mails `

func scanSystemMail(s scanner) (SystemMail, error) {
	var m SystemMail
	var created int64
	err := s.Scan(&m.ID, &m.Namespace, &m.Account, &m.Recipient, &m.DedupeKey, &m.Raw, &m.State, &m.Detail, &m.Attempts, &created)
	m.CreatedAt = fromMicros(created)
	return m, err
}

// AddSystemMail implements SystemMails.
func (db *DB) AddSystemMail(ctx context.Context, m SystemMail) (SystemMail, error) {
	var added SystemMail
	err := db.write(ctx, "add system mail", func(t *tx) error {
		var err error
		added, err = t.addSystemMail(ctx, m)
		return err
	})
	if err != nil {
		return SystemMail{}, err
	}
	return added, nil
}

func (t *tx) addSystemMail(ctx context.Context, m SystemMail) (SystemMail, error) {
	if m.DedupeKey == "" || m.Account == "" || m.Recipient == "" {
		return SystemMail{}, errors.New("account, recipient and dedupe key are required")
	}
	now, err := t.now(ctx)
	if err != nil {
		return SystemMail{}, err
	}
	id, err := newID()
	if err != nil {
		return SystemMail{}, err
	}
	key := clean(m.DedupeKey)
	added, err := t.exec(ctx, `INSERT INTO system_mails (id, namespace, account, recipient, dedupe_key, raw, state, detail, attempts, next_attempt,
		claimed_at, created_at) VALUES (?, ?, ?, ?, ?, ?, 'Pending', '', 0, ?, 0, ?) ON CONFLICT (namespace, dedupe_key) DO NOTHING`,
		id, m.Namespace, m.Account, clean(m.Recipient), key, m.Raw, now, now)
	if err != nil {
		return SystemMail{}, err
	}
	if added == 1 {
		t.emit(Event{Namespace: m.Namespace, Kind: EventSystemMail, Subject: m.Account})
	}
	return one(ctx, t.conn, scanSystemMail, systemMailColumns+"WHERE namespace = ? AND dedupe_key = ?", m.Namespace, key)
}

// GetSystemMail implements SystemMails.
func (db *DB) GetSystemMail(ctx context.Context, namespace, id string) (SystemMail, error) {
	m, err := one(ctx, db.read(), scanSystemMail, systemMailColumns+"WHERE id = ? AND namespace = ?", id, namespace)
	if err != nil {
		return SystemMail{}, fmt.Errorf("store: system mail %s: %w", id, err)
	}
	return m, nil
}

// ClaimSystemMail implements SystemMails. Attempts counts this claim.
func (db *DB) ClaimSystemMail(ctx context.Context, l Lease, account Key, staleAfter time.Duration) (SystemMail, error) {
	// Every account asks at each renewal of its lease, and hardly ever is there anything: that costs no write.
	_, err := one(ctx, db.read(), scalar[string], "SELECT id FROM system_mails WHERE namespace = ? AND account = ? AND state IN ('Pending', 'Sending') LIMIT 1",
		account.Namespace, account.Name)
	if err != nil {
		return SystemMail{}, fmt.Errorf("store: claim system mail: %w", err)
	}
	var m SystemMail
	err = db.write(ctx, "claim system mail", func(t *tx) error {
		// The lease row serialises claims.
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		m, err = one(ctx, t.conn, scanSystemMail, systemMailColumns+`WHERE namespace = ? AND account = ? AND state IN ('Pending', 'Sending')
			AND ((state = 'Pending' AND next_attempt <= ?) OR (state = 'Sending' AND claimed_at <= ?)) ORDER BY id LIMIT 1 FOR UPDATE`,
			account.Namespace, account.Name, now, now-staleAfter.Microseconds())
		if err != nil {
			return err
		}
		m.State = MessageSending
		m.Attempts++
		_, err = t.exec(ctx, "UPDATE system_mails SET state = ?, attempts = ?, claimed_at = ? WHERE id = ?", m.State, m.Attempts, now, m.ID)
		return err
	})
	if err != nil {
		return SystemMail{}, err
	}
	return m, nil
}

// FinishSystemMail implements SystemMails. ErrConflict when the mail is not being sent.
func (db *DB) FinishSystemMail(ctx context.Context, l Lease, id string, state MessageState, detail string, retryAfter time.Duration) error {
	if state != MessageSent && state != MessageFailed && state != MessagePending {
		return fmt.Errorf("store: finish system mail: state %q", state)
	}
	return db.write(ctx, "finish system mail", func(t *tx) error {
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		q, args := "UPDATE system_mails SET state = ?, detail = ?, next_attempt = ?, claimed_at = 0", []any{state, clean(detail), now + retryAfter.Microseconds()}
		if state != MessagePending {
			q, args = q+", raw = ?", append(args, []byte{}) // nobody sends it again, and it may hold a link that sets a password
		}
		n, err := t.exec(ctx, q+" WHERE id = ? AND state = 'Sending'", append(args, id)...)
		if err != nil || n == 1 {
			return err
		}
		if _, err := one(ctx, t.conn, scalar[string], "SELECT id FROM system_mails WHERE id = ?", id); err != nil {
			return err
		}
		return ErrConflict
	})
}

// PruneSystemMails implements SystemMails.
func (db *DB) PruneSystemMails(ctx context.Context, age time.Duration) error {
	return db.write(ctx, "prune system mails", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM system_mails WHERE created_at < ?", now-age.Microseconds())
		return err
	})
}

// NewVoicemail implements SystemMails.
func (db *DB) NewVoicemail(ctx context.Context, limit int) ([]VoicemailNews, error) {
	news, err := all(ctx, db.read(), func(s scanner) (VoicemailNews, error) {
		var n VoicemailNews
		return n, s.Scan(&n.Agent.Namespace, &n.Agent.Name, &n.Unread, &n.Seen, &n.Looks)
	}, `SELECT a.namespace, a.name, CAST(COALESCE(SUM(v.unread), 0) AS BIGINT), COALESCE(s.unread, 0), COALESCE(s.looks, 0) FROM agents a
		LEFT JOIN voicemail v ON v.namespace = a.namespace AND v.extension = a.extension
		LEFT JOIN voicemail_seen s ON s.namespace = a.namespace AND s.agent = a.name
		GROUP BY a.namespace, a.name, s.unread, s.looks HAVING COALESCE(SUM(v.unread), 0) <> COALESCE(s.unread, 0)
		ORDER BY a.namespace, a.name LIMIT ?`, min(max(limit, 1), 1000))
	if err != nil {
		return nil, fmt.Errorf("store: new voicemail: %w", err)
	}
	return news, nil
}

// SeeVoicemail implements SystemMails.
func (db *DB) SeeVoicemail(ctx context.Context, news VoicemailNews) error {
	return db.write(ctx, "see voicemail", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO voicemail_seen (namespace, agent, unread, looks)
			SELECT namespace, name, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM agents WHERE namespace = ? AND name = ?
			ON CONFLICT (namespace, agent) DO UPDATE SET unread = excluded.unread, looks = excluded.looks WHERE voicemail_seen.looks = ?`,
			news.Unread, news.Looks+1, news.Agent.Namespace, news.Agent.Name, news.Looks)
		return err
	})
}
