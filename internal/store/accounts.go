package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

func queuesOf(ctx context.Context, c conn, agent Key) ([]string, error) {
	queues, err := all(ctx, c, scalar[string], "SELECT queue FROM queue_members WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	slices.Sort(queues) // the order of a database depends on its collation
	return queues, err
}

func scanAccount(s scanner) (Account, error) {
	var a Account
	var desk, rules string
	err := s.Scan(&a.Namespace, &a.Name, &a.Label, &a.DisplayName, &a.Address, &a.Queue, &a.Active, &desk, &rules, &a.Flow, &a.ContactList)
	if err != nil {
		return Account{}, err
	}
	if err := json.Unmarshal([]byte(rules), &a.Routing); err != nil {
		return Account{}, err
	}
	return a, json.Unmarshal([]byte(desk), &a.Desk)
}

func getAccount(ctx context.Context, c conn, key Key) (Account, error) {
	return one(ctx, c, scanAccount,
		"SELECT namespace, name, label, display_name, address, queue, active, desk, routing, flow, contact_list FROM accounts WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
}

// GetAccount implements Directory.
func (db *DB) GetAccount(ctx context.Context, key Key) (Account, error) {
	a, err := getAccount(ctx, db.read(), key)
	if err != nil {
		return Account{}, fmt.Errorf("store: account %s: %w", key, err)
	}
	return a, nil
}

// PutAccount implements Directory.
func (db *DB) PutAccount(ctx context.Context, a Account) error {
	if old, err := getAccount(ctx, db.read(), a.Key); err == nil && reflect.DeepEqual(old, a) {
		return nil
	}
	return db.write(ctx, "put account", func(t *tx) error {
		t.wake = true
		_, err := t.exec(ctx, `INSERT INTO accounts (namespace, name, label, display_name, address, queue, active, desk, routing, flow, contact_list)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, name) DO UPDATE SET label = excluded.label,
			display_name = excluded.display_name, address = excluded.address, queue = excluded.queue, active = excluded.active,
			desk = excluded.desk, routing = excluded.routing, flow = excluded.flow, contact_list = excluded.contact_list`,
			a.Namespace, a.Name, a.Label, a.DisplayName, a.Address, a.Queue, a.Active, toJSON(a.Desk), toJSON(a.Routing), a.Flow, a.ContactList)
		return err
	})
}

// lastPollStep is how much later a poll must be to be worth a write of its own.
const lastPollStep = time.Minute

func scanStatus(s scanner) (AccountStatus, error) {
	var a AccountStatus
	var poll, updated int64
	err := s.Scan(&a.Account.Namespace, &a.Account.Name, &a.ConfigHash, &a.IMAP, &a.IMAPMessage, &a.SMTP, &a.SMTPMessage,
		&a.CertificateSHA256, &poll, &updated, &a.Ingested, &a.Quarantined)
	a.LastPoll, a.UpdatedAt = fromMicros(poll), fromMicros(updated)
	return a, err
}

func getStatus(ctx context.Context, c conn, key Key) (AccountStatus, error) {
	return one(ctx, c, scanStatus, `SELECT s.namespace, s.account, s.config_hash, s.imap, s.imap_message, s.smtp, s.smtp_message,
		s.certificate_sha256, s.last_poll, s.updated_at, COALESCE(c.ingested, 0), COALESCE(c.quarantined, 0)
		FROM account_status s LEFT JOIN account_counters c ON c.namespace = s.namespace AND c.account = s.account
		WHERE s.namespace = ? AND s.account = ?`, key.Namespace, key.Name)
}

// GetAccountStatus implements Mail.
func (db *DB) GetAccountStatus(ctx context.Context, account Key) (AccountStatus, error) {
	s, err := getStatus(ctx, db.read(), account)
	if err != nil {
		return AccountStatus{}, fmt.Errorf("store: status of account %s: %w", account, err)
	}
	return s, nil
}

// PutAccountStatus implements Mail.
func (db *DB) PutAccountStatus(ctx context.Context, s AccountStatus) error {
	if old, err := getStatus(ctx, db.read(), s.Account); err == nil && !statusChanged(old, s) && !pollMoved(old, s) {
		return nil
	}
	return db.write(ctx, "put account status", func(t *tx) error {
		old, err := getStatus(ctx, t.conn, s.Account)
		isNew := errors.Is(err, ErrNotFound)
		if err != nil && !isNew {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if isNew || statusChanged(old, s) {
			t.emit(Event{Namespace: s.Account.Namespace, Kind: EventAccountStatus, Subject: s.Account.Name})
		}
		_, err = t.exec(ctx, `INSERT INTO account_status (namespace, account, config_hash, imap, imap_message, smtp, smtp_message,
			certificate_sha256, last_poll, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace, account) DO UPDATE SET config_hash = excluded.config_hash, imap = excluded.imap,
			imap_message = excluded.imap_message, smtp = excluded.smtp, smtp_message = excluded.smtp_message,
			certificate_sha256 = excluded.certificate_sha256, last_poll = excluded.last_poll, updated_at = excluded.updated_at`,
			s.Account.Namespace, s.Account.Name, s.ConfigHash, clean(s.IMAP), clean(s.IMAPMessage), clean(s.SMTP), clean(s.SMTPMessage),
			s.CertificateSHA256, micros(s.LastPoll), now)
		return err
	})
}

func statusChanged(old, s AccountStatus) bool {
	return old.ConfigHash != s.ConfigHash || old.IMAP != clean(s.IMAP) || old.IMAPMessage != clean(s.IMAPMessage) ||
		old.SMTP != clean(s.SMTP) || old.SMTPMessage != clean(s.SMTPMessage) || old.CertificateSHA256 != s.CertificateSHA256
}

func pollMoved(old, s AccountStatus) bool { return s.LastPoll.Sub(old.LastPoll) >= lastPollStep }
