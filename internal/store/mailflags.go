package store

import (
	"context"
	"fmt"
	"slices"
)

// MailFlag is what the store knows and wants of the \Seen flag of a mail on its server.
type MailFlag string

// Flags. Seen and Unseen: the server has it so, and an unseen one was made so by an agent. MarkSeen and MarkUnseen: it is to be made so. A mail
// without any of them is not known to be seen.
const (
	FlagSeen       MailFlag = "Seen"
	FlagUnseen     MailFlag = "Unseen"
	FlagMarkSeen   MailFlag = "MarkSeen"
	FlagMarkUnseen MailFlag = "MarkUnseen"
)

// MailboxEpoch is a mailbox of an account under one UIDVALIDITY.
type MailboxEpoch struct {
	Account     Key
	Mailbox     string
	UIDValidity uint32
}

func (e MailboxEpoch) args() []any {
	return []any{e.Account.Namespace, e.Account.Name, clean(e.Mailbox), int64(e.UIDValidity)}
}

const ofEpoch = " namespace = ? AND account = ? AND mailbox = ? AND uid_validity = ?"

// MailFlags implements Mail.
func (db *DB) MailFlags(ctx context.Context, e MailboxEpoch, uids []uint32) (map[uint32]MailFlag, error) {
	return db.mailFlags(ctx, "SELECT uid, state FROM mail_flags WHERE"+ofEpoch+" AND uid = ANY(?)", append(e.args(), wide(uids))...)
}

// WantedFlags implements Mail.
func (db *DB) WantedFlags(ctx context.Context, e MailboxEpoch) (map[uint32]MailFlag, error) {
	return db.mailFlags(ctx, "SELECT uid, state FROM mail_flags WHERE"+ofEpoch+" AND state IN ('MarkSeen', 'MarkUnseen')", e.args()...)
}

func (db *DB) mailFlags(ctx context.Context, q string, args ...any) (map[uint32]MailFlag, error) {
	flags := map[uint32]MailFlag{}
	_, err := all(ctx, db.read(), func(s scanner) (struct{}, error) {
		var uid uint32
		var flag MailFlag
		err := s.Scan(&uid, &flag)
		flags[uid] = flag
		return struct{}{}, err
	}, q, args...)
	if err != nil {
		return nil, fmt.Errorf("store: flags of mails: %w", err)
	}
	return flags, nil
}

// UnconfirmedUIDs implements Mail.
func (db *DB) UnconfirmedUIDs(ctx context.Context, e MailboxEpoch) ([]uint32, error) {
	uids, err := all(ctx, db.read(), scalar[uint32], "SELECT uid FROM locations l WHERE"+ofEpoch+` AND NOT EXISTS (SELECT 1 FROM mail_flags f
		WHERE f.namespace = l.namespace AND f.account = l.account AND f.mailbox = l.mailbox AND f.uid_validity = l.uid_validity AND f.uid = l.uid
		AND f.state <> 'Unseen')`, e.args()...)
	if err != nil {
		return nil, fmt.Errorf("store: mails not known to be seen: %w", err)
	}
	return uids, nil
}

// RecordFlags implements Mail.
func (db *DB) RecordFlags(ctx context.Context, l Lease, e MailboxEpoch, flag MailFlag, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	return db.write(ctx, "record flags", func(t *tx) error {
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		if flag == FlagUnseen {
			_, err := t.exec(ctx, "UPDATE mail_flags SET state = 'Unseen' WHERE"+ofEpoch+" AND uid = ANY(?) AND state = 'MarkUnseen'", append(e.args(), wide(uids))...)
			return err
		}
		sorted := slices.Compact(slices.Sorted(slices.Values(uids)))
		rows := make([][]any, len(sorted))
		for i, uid := range sorted {
			rows[i] = append(e.args(), int64(uid), flag, "")
		}
		return t.insert(ctx, insertMailFlags, "ON CONFLICT (namespace, account, mailbox, uid_validity, uid) DO UPDATE SET state = excluded.state "+
			"WHERE mail_flags.state <> 'MarkUnseen'", rows...)
	})
}

const insertMailFlags = "mail_flags (namespace, account, mailbox, uid_validity, uid, state, interaction_id)"

func wide(uids []uint32) []int64 {
	list := make([]int64, len(uids))
	for i, uid := range uids {
		list[i] = int64(uid)
	}
	return list
}

// wantUnseen asks for \Seen to be cleared on the last mail of the customer, where the account it came to wants that.
func (t *tx) wantUnseen(ctx context.Context, r *interactionRow) error {
	last, err := one(ctx, t.conn, scanMessage, messageColumns+"WHERE interaction_id = ? AND direction = 'Inbound' ORDER BY created_at DESC, id DESC LIMIT 1", r.ID)
	if err != nil {
		return ignoreNotFound(err)
	}
	a, err := getAccount(ctx, t.conn, Key{last.Namespace, last.Account})
	if err != nil || !a.Desk.SyncFlags {
		return ignoreNotFound(err)
	}
	_, err = t.exec(ctx, "INSERT INTO "+insertMailFlags+` SELECT namespace, account, mailbox, uid_validity, uid, 'MarkUnseen', CAST(? AS TEXT)
		FROM locations WHERE message_id = ?
		ON CONFLICT (namespace, account, mailbox, uid_validity, uid) DO UPDATE SET state = excluded.state, interaction_id = excluded.interaction_id`, r.ID, last.ID)
	t.emit(Event{Namespace: last.Namespace, Kind: EventMailFlags, Subject: last.Account})
	return err
}

// wantSeen asks for \Seen to be set again on the mails of r that wantUnseen was about, before r becomes read.
func (t *tx) wantSeen(ctx context.Context, r *interactionRow) error {
	if r.Read {
		return nil
	}
	accounts, err := all(ctx, t.conn, scalar[string], "UPDATE mail_flags SET state = 'MarkSeen' WHERE interaction_id = ? AND state IN ('Unseen', 'MarkUnseen') RETURNING account", r.ID)
	slices.Sort(accounts)
	for _, account := range slices.Compact(accounts) {
		t.emit(Event{Namespace: r.Namespace, Kind: EventMailFlags, Subject: account})
	}
	return err
}
