package store

import (
	"context"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// deleteBatch is how many interactions of a deleted account one transaction closes or removes: the rest of the center goes on between them.
const deleteBatch = 100

// DeleteAccount implements Directory. Locations go too: an account made anew under this name may be another mailbox with the
// same UIDs. Content that was ingested stays known.
// System mails go, sent or not: an account made anew shall not send old news.
func (db *DB) DeleteAccount(ctx context.Context, key Key) error {
	return db.inBatches(ctx, "delete account", func(t *tx) (int, error) {
		if err := t.lockCenter(ctx, key.Namespace); err != nil {
			return 0, err
		}
		n, err := t.closeDeleted(ctx, key)
		if err != nil || n == deleteBatch {
			return n, err
		}
		for _, table := range []string{"mailboxes", "locations", "mail_flags", "account_status", "account_counters", "account_agents", "system_mails", "account_answers", "logos"} {
			if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE namespace = ? AND account = ?", key.Namespace, key.Name); err != nil {
				return 0, err
			}
		}
		t.wake = true
		_, err = t.exec(ctx, "DELETE FROM accounts WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return n, err
	})
}

// inBatches runs transactions until one has less than deleteBatch to do.
func (db *DB) inBatches(ctx context.Context, what string, fn func(*tx) (int, error)) error {
	for n := deleteBatch; n == deleteBatch; {
		if err := db.write(ctx, what, func(t *tx) (err error) {
			n, err = fn(t)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// closeDeleted closes a batch of what is not closed. The center is locked.
func (t *tx) closeDeleted(ctx context.Context, account Key) (int, error) {
	rows, err := all(ctx, t.conn, scanInteraction, interactionColumns+"WHERE namespace = ? AND account = ? AND state <> 'Closed' ORDER BY id LIMIT ? FOR UPDATE",
		account.Namespace, account.Name, deleteBatch)
	if err != nil {
		return 0, err
	}
	now, err := t.now(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if err := t.toClosed(ctx, r, routing.DispositionAccountDeleted, routing.ReasonAccountDeleted, now); err != nil {
			return 0, err
		}
	}
	return len(rows), t.save(ctx, rows...)
}

// PurgeAccount implements Directory. What went to another account is that one's and stays.
func (db *DB) PurgeAccount(ctx context.Context, key Key) error {
	return db.inBatches(ctx, "purge account", func(t *tx) (int, error) {
		ids, err := all(ctx, t.conn, scalar[string], "SELECT id FROM interactions WHERE namespace = ? AND account = ? ORDER BY id LIMIT ? FOR UPDATE",
			key.Namespace, key.Name, deleteBatch)
		if err != nil {
			return 0, err
		}
		const ofMessages = " WHERE message_id IN (SELECT id FROM messages WHERE interaction_id = ANY(?))"
		for _, rows := range []string{
			"reply_keys" + ofMessages, "raw_messages" + ofMessages, "messages WHERE interaction_id = ANY(?)", "transitions WHERE interaction_id = ANY(?)",
			"flow_runs WHERE interaction_id = ANY(?)", "flow_replies WHERE interaction_id = ANY(?)", "drafts WHERE interaction_id = ANY(?)",
			"uploads WHERE interaction_id = ANY(?)", "disposing WHERE interaction_id = ANY(?)", "interactions WHERE id = ANY(?)",
		} {
			if _, err := t.exec(ctx, "DELETE FROM "+rows, ids); err != nil {
				return 0, err
			}
		}
		if len(ids) == deleteBatch {
			return len(ids), nil
		}
		// Once, because they have no index by interaction; those of other accounts too, which had some of the interactions before.
		_, err = t.exec(ctx, "DELETE FROM message_ids WHERE namespace = ? AND NOT EXISTS (SELECT 1 FROM interactions i WHERE i.id = interaction_id)", key.Namespace)
		return len(ids), err
	})
}
