package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

const messageColumns = `SELECT id, interaction_id, namespace, account, direction, state, detail, message_id, sender, recipients, cc, subject,
	date, body_text, body_html, attachments, agent, created_at, attempts, bcc FROM messages `

const insertMessages = `messages (id, interaction_id, namespace, account, direction, state, detail, message_id, sha256, sender, recipients, cc,
	subject, date, body_text, body_html, attachments, agent, created_at, attempts, next_attempt, claimed_at, bcc, sequence)`

const insertMessageIDs = "message_ids (namespace, account, message_id, interaction_id)"

func scanMessage(s scanner) (Message, error) {
	var m Message
	var to, cc, bcc, attachments string
	var date, created int64
	if err := s.Scan(&m.ID, &m.InteractionID, &m.Namespace, &m.Account, &m.Direction, &m.State, &m.Detail, &m.MessageID, &m.From, &to, &cc,
		&m.Subject, &date, &m.Text, &m.HTML, &attachments, &m.Agent, &created, &m.Attempts, &bcc); err != nil {
		return Message{}, err
	}
	m.Date, m.CreatedAt = fromMicros(date), fromMicros(created)
	for _, list := range []struct {
		text string
		into any
	}{{to, &m.To}, {cc, &m.Cc}, {bcc, &m.Bcc}, {attachments, &m.Attachments}} {
		if err := json.Unmarshal([]byte(list.text), list.into); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// contentKey is what tells inbound mails apart: the hash of their content, and how often that was taken before. Outbound messages have none.
type contentKey struct {
	sum      string
	sequence int64
}

// messageValues are the columns of insertMessages in their order.
func messageValues(m Message, content contentKey, nextAttempt int64) []any {
	attachments := make([]Attachment, len(m.Attachments))
	for i, a := range m.Attachments {
		attachments[i] = Attachment{Name: clean(a.Name), ContentType: clean(a.ContentType), Size: a.Size}
	}
	return []any{m.ID, m.InteractionID, m.Namespace, m.Account, m.Direction, m.State, clean(m.Detail), clean(m.MessageID), content.sum, clean(m.From),
		toJSON(cleanAll(m.To)), toJSON(cleanAll(m.Cc)), clean(m.Subject), micros(m.Date), clean(m.Text), clean(m.HTML), toJSON(attachments),
		m.Agent, micros(m.CreatedAt), m.Attempts, nextAttempt, 0, toJSON(cleanAll(m.Bcc)), content.sequence}
}

func cleanAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clean(s)
	}
	return out
}

// threadKey is how an identifier is stored: without angle brackets, and a very long one as its hash, since an index
// entry of PostgreSQL is limited to 2,704 bytes.
func threadKey(id string) string {
	id = strings.Trim(clean(id), " \t\r\n<>")
	if len(id) > 512 {
		sum := sha256.Sum256([]byte(id))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return id
}

// ListMessages implements Interactions.
func (db *DB) ListMessages(ctx context.Context, namespace, interactionID string) ([]Message, error) {
	list, err := all(ctx, db.read(), scanMessage, messageColumns+"WHERE interaction_id = ? AND namespace = ? ORDER BY created_at, id", interactionID, namespace)
	if err != nil {
		return nil, fmt.Errorf("store: messages of %s: %w", interactionID, err)
	}
	return list, nil
}

func getMessage(ctx context.Context, c conn, namespace, id string) (Message, error) {
	return one(ctx, c, scanMessage, messageColumns+"WHERE id = ? AND namespace = ?", id, namespace)
}

// GetMessage implements Interactions.
func (db *DB) GetMessage(ctx context.Context, namespace, messageID string) (Message, error) {
	m, err := getMessage(ctx, db.read(), namespace, messageID)
	if err != nil {
		return Message{}, fmt.Errorf("store: message %s: %w", messageID, err)
	}
	return m, nil
}

// RawMessage implements Mail.
func (db *DB) RawMessage(ctx context.Context, namespace, messageID string) ([]byte, error) {
	raw, err := one(ctx, db.read(), scalar[[]byte],
		"SELECT r.raw FROM raw_messages r JOIN messages m ON m.id = r.message_id WHERE r.message_id = ? AND m.namespace = ?", messageID, namespace)
	if err != nil {
		return nil, fmt.Errorf("store: raw message %s: %w", messageID, err)
	}
	return raw, nil
}
