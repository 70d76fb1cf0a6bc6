package store

import (
	"context"
	"fmt"
)

// MailLocation is what became of one mail on a server.
type MailLocation struct {
	// InteractionID and State of the message; both are empty for a mail that a filter left alone.
	InteractionID string
	State         MessageState
	// Detail says why a message is quarantined or cut; never customer data.
	Detail string
}

// MailLocations implements Mail.
func (db *DB) MailLocations(ctx context.Context, account Key, mailbox string, uidValidity uint32) (map[uint32]MailLocation, error) {
	found := map[uint32]MailLocation{}
	_, err := all(ctx, db.read(), func(s scanner) (struct{}, error) {
		var uid uint32
		var l MailLocation
		err := s.Scan(&uid, &l.InteractionID, &l.State, &l.Detail)
		found[uid] = l
		return struct{}{}, err
	}, `SELECT l.uid, COALESCE(m.interaction_id, ''), COALESCE(m.state, ''), COALESCE(m.detail, '') FROM locations l LEFT JOIN messages m ON m.id = l.message_id
		WHERE l.namespace = ? AND l.account = ? AND l.mailbox = ? AND l.uid_validity = ?`,
		account.Namespace, account.Name, clean(mailbox), int64(uidValidity))
	if err != nil {
		return nil, fmt.Errorf("store: locations of %s: %w", account, err)
	}
	return found, nil
}
