package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// AddReply implements Outbox. ErrConflict when the interaction is not open with m.Agent. Adding the same Message-ID to the same
// interaction again returns the message that is already there, and so does adding an answer under a known key.
func (db *DB) AddReply(ctx context.Context, m Message, raw []byte, extras ReplyExtras) (Message, error) {
	key := threadKey(m.MessageID)
	if key == "" {
		return Message{}, errors.New("store: add reply: message without Message-ID")
	}
	_, err := db.change(ctx, "add reply", m.Namespace, m.InteractionID, func(t *tx, r *interactionRow, now int64) error {
		if sent, err := t.sentUnder(ctx, Key{m.Namespace, m.Agent}, extras); err == nil {
			m = sent
			return nil
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		if r.State != StateOpen || r.Agent != m.Agent || m.Agent == "" {
			return ErrConflict
		}
		known, err := one(ctx, t.conn, scanMessage, messageColumns+
			"WHERE interaction_id = ? AND direction = 'Outbound' AND message_id = ?", r.ID, clean(m.MessageID))
		if err == nil {
			m = known
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if m.ID, err = newID(); err != nil {
			return err
		}
		m.Account, m.Direction, m.State, m.Attempts, m.CreatedAt = r.Account, Outbound, MessagePending, 0, fromMicros(now)
		if err := t.insert(ctx, insertMessages, "", messageValues(m, contentKey{}, now)); err != nil {
			return err
		}
		if err := t.insert(ctx, "raw_messages (message_id, raw)", "", []any{m.ID, raw}); err != nil {
			return err
		}
		if err := t.insert(ctx, insertMessageIDs, "ON CONFLICT DO NOTHING", []any{r.Namespace, r.Account, key, r.ID}); err != nil {
			return err
		}
		if err := t.finishAnswer(ctx, m, extras, now); err != nil {
			return err
		}
		rules, err := t.rulesOf(ctx, r.Namespace, r.Account)
		if err != nil {
			return err
		}
		if err := t.wantSeen(ctx, r); err != nil {
			return err
		}
		r.MessageCount++
		r.timers = r.timers.Answered(rules, fromMicros(now))
		r.LastDirection, r.Read, r.UpdatedAt = Outbound, true, fromMicros(now)
		t.emitInteraction(EventMessage, r, r.Agent, "")
		return t.save(ctx, r)
	})
	if err != nil {
		return Message{}, err
	}
	return m, nil
}

// ClaimOutbound implements Outbox. Attempts counts this claim.
func (db *DB) ClaimOutbound(ctx context.Context, l Lease, account Key, staleAfter time.Duration) (Message, []byte, error) {
	var m Message
	var raw []byte
	err := db.write(ctx, "claim outbound", func(t *tx) error {
		// The lease row serialises claims.
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		m, err = one(ctx, t.conn, scanMessage, messageColumns+`WHERE namespace = ? AND account = ? AND direction = 'Outbound'
			AND state IN ('Pending', 'Sending') AND ((state = 'Pending' AND next_attempt <= ?) OR (state = 'Sending' AND claimed_at <= ?))
			ORDER BY id LIMIT 1 FOR UPDATE`, account.Namespace, account.Name, now, now-staleAfter.Microseconds())
		if err != nil {
			return err
		}
		m.State = MessageSending
		m.Attempts++
		if _, err := t.exec(ctx, "UPDATE messages SET state = ?, attempts = ?, claimed_at = ? WHERE id = ?", m.State, m.Attempts, now, m.ID); err != nil {
			return err
		}
		raw, err = one(ctx, t.conn, scalar[[]byte], "SELECT raw FROM raw_messages WHERE message_id = ?", m.ID)
		return err
	})
	if err != nil {
		return Message{}, nil, err
	}
	return m, raw, nil
}

// FinishOutbound implements Outbox. messageID is the store's id of the message; ErrConflict when it is not being sent.
func (db *DB) FinishOutbound(ctx context.Context, l Lease, messageID string, state MessageState, detail string, retryAfter time.Duration) error {
	if state != MessageSent && state != MessageFailed && state != MessagePending {
		return fmt.Errorf("store: finish outbound: state %q", state)
	}
	return db.write(ctx, "finish outbound", func(t *tx) error {
		if err := t.holdLease(ctx, l); err != nil {
			return err
		}
		m, err := one(ctx, t.conn, scanMessage, messageColumns+"WHERE id = ? AND direction = 'Outbound' FOR UPDATE", messageID)
		if err != nil {
			return err
		}
		if m.State != MessageSending {
			return ErrConflict
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if state != MessagePending {
			t.emit(Event{Namespace: m.Namespace, Agent: m.Agent, Kind: EventMessageState, Subject: m.ID,
				Data: []byte(toJSON(map[string]string{"interaction": m.InteractionID, "state": string(state)}))})
		}
		_, err = t.exec(ctx, "UPDATE messages SET state = ?, detail = ?, next_attempt = ?, claimed_at = 0 WHERE id = ?",
			state, clean(detail), now+retryAfter.Microseconds(), m.ID)
		return err
	})
}
