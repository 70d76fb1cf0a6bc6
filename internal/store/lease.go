package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// longestLease is more than any lease is ever taken for: one that lasts longer is from before the clock was put back, and its
// holder, if it lives, renews it in time.
const longestLease = time.Hour

// AcquireLease implements Mail. The holder's own lease keeps its fence, even when it had expired and nobody took it.
func (db *DB) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (Lease, bool, error) {
	l := Lease{Name: name, Holder: holder}
	ok := false
	err := db.write(ctx, "acquire lease", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		l.Fence, err = one(ctx, t.conn, scalar[int64], `INSERT INTO leases (name, holder, fence, expires) VALUES (?, ?, 1, ?)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires,
			fence = CASE WHEN leases.holder = excluded.holder THEN leases.fence ELSE leases.fence + 1 END
			WHERE leases.holder = excluded.holder OR leases.expires <= ? OR leases.expires > ? RETURNING fence`,
			name, holder, now+ttl.Microseconds(), now, now+longestLease.Microseconds())
		ok = err == nil
		return ignoreNotFound(err)
	})
	if err != nil || !ok {
		return Lease{}, false, err
	}
	return l, true, nil
}

// ReleaseLease implements Mail. A lease that another has meanwhile is left alone.
func (db *DB) ReleaseLease(ctx context.Context, l Lease) error {
	return db.write(ctx, "release lease", func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE leases SET holder = '', expires = 0 WHERE name = ? AND holder = ? AND fence = ?", l.Name, l.Holder, l.Fence)
		return err
	})
}

// LeaseHeld implements Mail.
func (db *DB) LeaseHeld(ctx context.Context, name string) (bool, error) {
	c := db.read()
	now, err := c.now(ctx, db.clock)
	if err != nil {
		return false, fmt.Errorf("store: lease %s: %w", name, err)
	}
	held, err := one(ctx, c, scalar[bool], "SELECT COUNT(*) > 0 FROM leases WHERE name = ? AND expires > ? AND expires <= ?", name, now, now+longestLease.Microseconds())
	if err != nil {
		return false, fmt.Errorf("store: lease %s: %w", name, err)
	}
	return held, nil
}

// freeLeases takes every lease from its holder; the next one gets a new fence.
func (db *DB) freeLeases(ctx context.Context) error {
	return db.write(ctx, "free leases", func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE leases SET holder = '', expires = 0 WHERE holder <> ''")
		return err
	})
}

// holdLease keeps the lease from being taken until the transaction ends; ErrLeaseLost when it already was.
func (t *tx) holdLease(ctx context.Context, l Lease) error {
	_, err := one(ctx, t.conn, scalar[string], "SELECT name FROM leases WHERE name = ? AND holder = ? AND fence = ? FOR UPDATE", l.Name, l.Holder, l.Fence)
	if errors.Is(err, ErrNotFound) {
		return ErrLeaseLost
	}
	return err
}

// GetMailbox implements Mail.
func (db *DB) GetMailbox(ctx context.Context, account Key, mailbox string) (MailboxState, error) {
	s, err := one(ctx, db.read(), func(s scanner) (MailboxState, error) {
		var v MailboxState
		err := s.Scan(&v.UIDValidity, &v.FloorUID, &v.WatermarkUID)
		return v, err
	}, "SELECT uid_validity, floor_uid, watermark_uid FROM mailboxes WHERE namespace = ? AND account = ? AND mailbox = ?",
		account.Namespace, account.Name, clean(mailbox))
	if err != nil {
		return MailboxState{}, fmt.Errorf("store: mailbox of %s: %w", account, err)
	}
	return s, nil
}

// SetMailbox implements Mail.
func (db *DB) SetMailbox(ctx context.Context, account Key, mailbox string, s MailboxState) error {
	return db.write(ctx, "set mailbox", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO mailboxes (namespace, account, mailbox, uid_validity, floor_uid, watermark_uid) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace, account, mailbox) DO UPDATE SET uid_validity = excluded.uid_validity, floor_uid = excluded.floor_uid,
			watermark_uid = excluded.watermark_uid`,
			account.Namespace, account.Name, clean(mailbox), int64(s.UIDValidity), int64(s.FloorUID), int64(s.WatermarkUID))
		return err
	})
}

// KnownUIDs implements Mail.
func (db *DB) KnownUIDs(ctx context.Context, account Key, mailbox string, uidValidity uint32, uids []uint32) (map[uint32]bool, error) {
	found, err := all(ctx, db.read(), scalar[uint32], `SELECT uid FROM locations WHERE namespace = ? AND account = ? AND mailbox = ?
		AND uid_validity = ? AND uid = ANY(?)`, account.Namespace, account.Name, clean(mailbox), int64(uidValidity), wide(uids))
	if err != nil {
		return nil, fmt.Errorf("store: known UIDs of %s: %w", account, err)
	}
	known := make(map[uint32]bool, len(found))
	for _, uid := range found {
		known[uid] = true
	}
	return known, nil
}
