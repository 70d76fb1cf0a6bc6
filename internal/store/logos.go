package store

import (
	"context"
	"fmt"
)

// PutLogo implements Logos.
func (db *DB) PutLogo(ctx context.Context, account Key, l Logo) error {
	return db.write(ctx, "put logo", func(t *tx) error {
		// So that a deletion comes before, or takes the logo along.
		if _, err := one(ctx, t.conn, scalar[string], "SELECT name FROM accounts WHERE namespace = ? AND name = ? FOR UPDATE", account.Namespace, account.Name); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO logos (namespace, account, url, content) VALUES (?, ?, ?, ?)
			ON CONFLICT (namespace, account) DO UPDATE SET url = excluded.url, content = excluded.content`, account.Namespace, account.Name, clean(l.URL), l.Content)
		return err
	})
}

// DeleteLogo implements Logos. Deleting none costs no write.
func (db *DB) DeleteLogo(ctx context.Context, account Key) error {
	if _, err := db.LogoURL(ctx, account); err != nil {
		return ignoreNotFound(err)
	}
	return db.write(ctx, "delete logo", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM logos WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
		return err
	})
}

// LogoURL implements Logos.
func (db *DB) LogoURL(ctx context.Context, account Key) (string, error) {
	url, err := one(ctx, db.read(), scalar[string], "SELECT url FROM logos WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
	if err != nil {
		return "", fmt.Errorf("store: logo of %s: %w", account, err)
	}
	return url, nil
}

// GetLogo implements Logos.
func (db *DB) GetLogo(ctx context.Context, account Key) (Logo, error) {
	l, err := one(ctx, db.read(), func(s scanner) (Logo, error) {
		var l Logo
		err := s.Scan(&l.URL, &l.Content)
		return l, err
	}, "SELECT url, content FROM logos WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
	if err != nil {
		return Logo{}, fmt.Errorf("store: logo of %s: %w", account, err)
	}
	return l, nil
}
