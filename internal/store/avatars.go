package store

import (
	"context"
	"fmt"
)

// PutAvatar implements Avatars.
func (db *DB) PutAvatar(ctx context.Context, agent Key, a Avatar) error {
	return db.write(ctx, "put avatar", func(t *tx) error {
		// So that a deletion comes before, or takes the picture along.
		if err := t.lockAgent(ctx, agent); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO avatars (namespace, agent, source, sha256, content_type, content) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace, agent) DO UPDATE SET source = excluded.source, sha256 = excluded.sha256, content_type = excluded.content_type,
			content = excluded.content`, agent.Namespace, agent.Name, clean(a.Source), a.SHA256, a.ContentType, a.Content)
		return err
	})
}

// DeleteAvatar implements Avatars. Deleting none costs no write.
func (db *DB) DeleteAvatar(ctx context.Context, agent Key) error {
	if _, err := db.AvatarOf(ctx, agent); err != nil {
		return ignoreNotFound(err)
	}
	return db.write(ctx, "delete avatar", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM avatars WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
		return err
	})
}

// AvatarOf implements Avatars.
func (db *DB) AvatarOf(ctx context.Context, agent Key) (Avatar, error) {
	a, err := one(ctx, db.read(), func(s scanner) (Avatar, error) {
		var a Avatar
		err := s.Scan(&a.Source, &a.SHA256, &a.ContentType)
		return a, err
	}, "SELECT source, sha256, content_type FROM avatars WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil {
		return Avatar{}, fmt.Errorf("store: avatar of %s: %w", agent, err)
	}
	return a, nil
}

// GetAvatar implements Avatars.
func (db *DB) GetAvatar(ctx context.Context, agent Key) (Avatar, error) {
	a, err := one(ctx, db.read(), func(s scanner) (Avatar, error) {
		var a Avatar
		err := s.Scan(&a.Source, &a.SHA256, &a.ContentType, &a.Content)
		return a, err
	}, "SELECT source, sha256, content_type, content FROM avatars WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil {
		return Avatar{}, fmt.Errorf("store: avatar of %s: %w", agent, err)
	}
	return a, nil
}
