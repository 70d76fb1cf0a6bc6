package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits on what waits for an answer.
const (
	// MaxUploads and MaxUploadBytes of one interaction; MaxUpload is the most one file may have.
	MaxUploads     = 20
	MaxUpload      = 16 << 20
	MaxUploadBytes = 25 << 20
	// uploadAge is how long a file waits, replyKeyAge how long a key is known.
	uploadAge   = 7 * 24 * time.Hour
	replyKeyAge = 24 * time.Hour
)

// Upload is a file that waits for the answer it goes out with.
type Upload struct {
	ID            string
	InteractionID string
	Namespace     string
	Agent         string // who added it
	Name          string
	ContentType   string
	Size          int64
	CreatedAt     time.Time
}

// Draft is an answer that is not sent yet. An interaction has one at most; it stays when the interaction moves on.
type Draft struct {
	InteractionID string
	Namespace     string
	Agent         string // who wrote this version
	Version       int64
	// Body is JSON that the store does not read.
	Body      []byte
	UpdatedAt time.Time
}

// ReplyExtras go with an answer. The zero value has none.
type ReplyExtras struct {
	// Key makes the answer one, however often its agent sends it; Digest tells whether it is the same one.
	Key, Digest string
	// Uploads that went into it.
	Uploads []string
}

// heldBy locks the interaction; ErrConflict when it is not open with the agent.
func (t *tx) heldBy(ctx context.Context, namespace, id, agent string) error {
	r, err := getInteraction(ctx, t.conn, namespace, id, " FOR UPDATE")
	if err == nil && (r.State != StateOpen || r.Agent != agent || agent == "") {
		err = ErrConflict
	}
	return err
}

const uploadColumns = "SELECT id, interaction_id, namespace, agent, name, content_type, size, created_at FROM uploads "

func scanUpload(s scanner) (Upload, error) {
	var u Upload
	var created int64
	err := s.Scan(&u.ID, &u.InteractionID, &u.Namespace, &u.Agent, &u.Name, &u.ContentType, &u.Size, &created)
	u.CreatedAt = fromMicros(created)
	return u, err
}

// AddUpload implements Outbox.
func (db *DB) AddUpload(ctx context.Context, u Upload, content []byte) (Upload, error) {
	err := db.write(ctx, "add upload", func(t *tx) error {
		if err := t.heldBy(ctx, u.Namespace, u.InteractionID, u.Agent); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM uploads WHERE created_at < ?", now-uploadAge.Microseconds()); err != nil {
			return err
		}
		present, err := all(ctx, t.conn, scanUpload, uploadColumns+"WHERE interaction_id = ? AND namespace = ?", u.InteractionID, u.Namespace)
		if err != nil {
			return err
		}
		total := int64(len(content))
		for _, p := range present {
			total += p.Size
		}
		if len(present) >= MaxUploads || total > MaxUploadBytes || len(content) > MaxUpload {
			return ErrTooMuch
		}
		if u.ID, err = newID(); err != nil {
			return err
		}
		if content == nil {
			content = []byte{}
		}
		u.Name, u.ContentType, u.Size, u.CreatedAt = clean(u.Name), clean(u.ContentType), int64(len(content)), fromMicros(now)
		return t.insert(ctx, "uploads (id, interaction_id, namespace, agent, name, content_type, size, content, created_at)", "",
			[]any{u.ID, u.InteractionID, u.Namespace, u.Agent, u.Name, u.ContentType, u.Size, content, now})
	})
	return u, err
}

// ListUploads implements Outbox.
func (db *DB) ListUploads(ctx context.Context, namespace, interactionID string) ([]Upload, error) {
	list, err := all(ctx, db.read(), scanUpload, uploadColumns+"WHERE interaction_id = ? AND namespace = ? ORDER BY id", interactionID, namespace)
	if err != nil {
		return nil, fmt.Errorf("store: uploads of %s: %w", interactionID, err)
	}
	return list, nil
}

// UploadContent implements Outbox.
func (db *DB) UploadContent(ctx context.Context, namespace, interactionID, id string) (Upload, []byte, error) {
	var content []byte
	u, err := one(ctx, db.read(), scanUpload, uploadColumns+"WHERE id = ? AND interaction_id = ? AND namespace = ?", id, interactionID, namespace)
	if err == nil {
		content, err = one(ctx, db.read(), scalar[[]byte], "SELECT content FROM uploads WHERE id = ?", id)
	}
	if err != nil {
		return Upload{}, nil, fmt.Errorf("store: upload %s: %w", id, err)
	}
	return u, content, nil
}

// DeleteUpload implements Outbox.
func (db *DB) DeleteUpload(ctx context.Context, namespace, interactionID, id, agent string) error {
	return db.write(ctx, "delete upload", func(t *tx) error {
		if err := t.heldBy(ctx, namespace, interactionID, agent); err != nil {
			return err
		}
		n, err := t.exec(ctx, "DELETE FROM uploads WHERE id = ? AND interaction_id = ?", id, interactionID)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}

func getDraft(ctx context.Context, c conn, namespace, interactionID string) (Draft, error) {
	return one(ctx, c, func(s scanner) (Draft, error) {
		var d Draft
		var updated int64
		var body string
		err := s.Scan(&d.InteractionID, &d.Namespace, &d.Agent, &d.Version, &body, &updated)
		d.Body, d.UpdatedAt = []byte(body), fromMicros(updated)
		return d, err
	}, "SELECT interaction_id, namespace, agent, version, body, updated_at FROM drafts WHERE interaction_id = ? AND namespace = ?", interactionID, namespace)
}

// GetDraft implements Outbox.
func (db *DB) GetDraft(ctx context.Context, namespace, interactionID string) (Draft, error) {
	d, err := getDraft(ctx, db.read(), namespace, interactionID)
	if err != nil {
		return Draft{}, fmt.Errorf("store: draft of %s: %w", interactionID, err)
	}
	return d, nil
}

// PutDraft implements Outbox. Versions go on after a draft was sent or deleted, so that an old one never fits a new draft: they are the store's
// time, made to grow.
func (db *DB) PutDraft(ctx context.Context, d Draft, version int64) (Draft, error) {
	err := db.write(ctx, "put draft", func(t *tx) error {
		if err := t.heldBy(ctx, d.Namespace, d.InteractionID, d.Agent); err != nil {
			return err
		}
		present, err := getDraft(ctx, t.conn, d.Namespace, d.InteractionID)
		if err := ignoreNotFound(err); err != nil {
			return err
		}
		if present.Version != version {
			return ErrVersion
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		d.Version, d.UpdatedAt, d.Body = max(now, present.Version+1), fromMicros(now), []byte(clean(string(d.Body)))
		_, err = t.exec(ctx, `INSERT INTO drafts (interaction_id, namespace, agent, version, body, updated_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (interaction_id) DO UPDATE SET agent = excluded.agent, version = excluded.version, body = excluded.body,
			updated_at = excluded.updated_at`, d.InteractionID, d.Namespace, d.Agent, d.Version, string(d.Body), now)
		return err
	})
	return d, err
}

// DeleteDraft implements Outbox.
func (db *DB) DeleteDraft(ctx context.Context, namespace, interactionID, agent string, version int64) error {
	return db.write(ctx, "delete draft", func(t *tx) error {
		if err := t.heldBy(ctx, namespace, interactionID, agent); err != nil {
			return err
		}
		present, err := getDraft(ctx, t.conn, namespace, interactionID)
		if err != nil {
			return err
		}
		if version != 0 && present.Version != version {
			return ErrVersion
		}
		_, err = t.exec(ctx, "DELETE FROM drafts WHERE interaction_id = ?", interactionID)
		return err
	})
}

// ReplyUnder implements Outbox.
func (db *DB) ReplyUnder(ctx context.Context, agent Key, extras ReplyExtras) (Message, error) {
	return sentUnder(ctx, db.read(), agent, extras)
}

func (t *tx) sentUnder(ctx context.Context, agent Key, extras ReplyExtras) (Message, error) {
	return sentUnder(ctx, t.conn, agent, extras)
}

// sentUnder finds the answer the agent sent under extras.Key.
func sentUnder(ctx context.Context, c conn, agent Key, extras ReplyExtras) (Message, error) {
	if extras.Key == "" {
		return Message{}, ErrNotFound
	}
	var id, digest string
	_, err := one(ctx, c, func(s scanner) (struct{}, error) { return struct{}{}, s.Scan(&id, &digest) },
		"SELECT message_id, digest FROM reply_keys WHERE namespace = ? AND agent = ? AND reply_key = ?", agent.Namespace, agent.Name, extras.Key)
	if err != nil {
		return Message{}, err
	}
	if digest != extras.Digest {
		return Message{}, ErrKeyReused
	}
	return getMessage(ctx, c, agent.Namespace, id)
}

// finishAnswer remembers the key of m and takes away what it was made of.
func (t *tx) finishAnswer(ctx context.Context, m Message, extras ReplyExtras, now int64) error {
	if extras.Key != "" {
		if _, err := t.exec(ctx, "DELETE FROM reply_keys WHERE created_at < ?", now-replyKeyAge.Microseconds()); err != nil {
			return err
		}
		n, err := t.exec(ctx, `INSERT INTO reply_keys (namespace, agent, reply_key, digest, message_id, created_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, m.Namespace, m.Agent, extras.Key, extras.Digest, m.ID, now)
		if err != nil {
			return err
		}
		if n == 0 {
			return errRetry // another answer took the key meanwhile
		}
	}
	if len(extras.Uploads) > 0 {
		n, err := t.exec(ctx, "DELETE FROM uploads WHERE interaction_id = ? AND id = ANY(?)", m.InteractionID, extras.Uploads)
		if err != nil {
			return err
		}
		if int(n) != len(extras.Uploads) {
			return errors.Join(ErrConflict, errors.New("a file of the answer is gone"))
		}
	}
	_, err := t.exec(ctx, "DELETE FROM drafts WHERE interaction_id = ?", m.InteractionID)
	return err
}
