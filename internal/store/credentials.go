package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func scanCredential(s scanner) (Credential, error) {
	var c Credential
	var changed int64
	err := s.Scan(&c.Agent.Namespace, &c.Agent.Name, &c.Hash, &c.SecretVersion, &changed)
	c.ChangedAt = fromMicros(changed)
	return c, err
}

func getCredential(ctx context.Context, c conn, agent Key) (Credential, error) {
	return one(ctx, c, scanCredential,
		"SELECT namespace, agent, hash, secret_version, changed_at FROM credentials WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
}

// GetCredential implements Credentials.
func (db *DB) GetCredential(ctx context.Context, agent Key) (Credential, error) {
	c, err := getCredential(ctx, db.read(), agent)
	if err != nil {
		return Credential{}, fmt.Errorf("store: credential of %s: %w", agent, err)
	}
	return c, nil
}

// SetPassword implements Credentials. The time of change is the store's; ChangedAt is ignored. The hash that is already
// there only takes over the SecretVersion: no history, no ended sessions.
func (db *DB) SetPassword(ctx context.Context, c Credential, history int, keepSession string) error {
	return db.write(ctx, "set password", func(t *tx) error {
		if err := t.lockCenter(ctx, c.Agent.Namespace); err != nil {
			return err
		}
		old, err := getCredential(ctx, t.conn, c.Agent)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil && old.Hash == c.Hash {
			_, err := t.exec(ctx, "UPDATE credentials SET secret_version = ? WHERE namespace = ? AND agent = ?",
				c.SecretVersion, c.Agent.Namespace, c.Agent.Name)
			return err
		}
		return t.setPassword(ctx, old, c, history, keepSession)
	})
}

// setPassword replaces old, which may be none, by c. Links to set a password end: whoever has one did not choose this one.
func (t *tx) setPassword(ctx context.Context, old, c Credential, history int, keepSession string) error {
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	if err := t.keepHistory(ctx, old, c.Agent, history); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `INSERT INTO credentials (namespace, agent, hash, secret_version, changed_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (namespace, agent) DO UPDATE SET hash = excluded.hash, secret_version = excluded.secret_version,
		changed_at = excluded.changed_at`, c.Agent.Namespace, c.Agent.Name, c.Hash, c.SecretVersion, now); err != nil {
		return err
	}
	t.emitCredential(c.Agent)
	if _, err := t.exec(ctx, "DELETE FROM password_links WHERE namespace = ? AND agent = ?", c.Agent.Namespace, c.Agent.Name); err != nil {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM sessions WHERE namespace = ? AND agent = ? AND token_hash <> ?",
		c.Agent.Namespace, c.Agent.Name, keepSession)
	return err
}

// keepHistory adds the old hash and drops what is older than the last history ones.
func (t *tx) keepHistory(ctx context.Context, old Credential, agent Key, history int) error {
	last, err := one(ctx, t.conn, scalar[int64],
		"SELECT COALESCE(MAX(n), 0) FROM password_history WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil {
		return err
	}
	if old.Hash != "" {
		last++
		if err := t.insert(ctx, "password_history (namespace, agent, n, hash)", "", []any{agent.Namespace, agent.Name, last, old.Hash}); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, "DELETE FROM password_history WHERE namespace = ? AND agent = ? AND n <= ?",
		agent.Namespace, agent.Name, last-int64(max(history, 0)))
	return err
}

// PasswordHistory implements Credentials.
func (db *DB) PasswordHistory(ctx context.Context, agent Key) ([]string, error) {
	// One statement, so that a change at this moment is seen whole or not at all.
	hashes, err := all(ctx, db.read(), scalar[string], `SELECT hash FROM (
		SELECT hash, n FROM password_history WHERE namespace = ? AND agent = ?
		UNION ALL SELECT hash, 9223372036854775807 FROM credentials WHERE namespace = ? AND agent = ?) AS h ORDER BY n DESC`,
		agent.Namespace, agent.Name, agent.Namespace, agent.Name)
	if err != nil {
		return nil, fmt.Errorf("store: password history of %s: %w", agent, err)
	}
	return hashes, nil
}

// CreateSession implements Credentials. ErrNotFound: no such agent; ErrConflict: the agent is not active.
func (db *DB) CreateSession(ctx context.Context, agent Key, client Client, tokenHash string, ttl time.Duration) error {
	return db.write(ctx, "create session", func(t *tx) error {
		// Held until the end, so that a deactivation comes before or ends this session.
		if err := t.lockCenter(ctx, agent.Namespace); err != nil {
			return err
		}
		a, err := getAgent(ctx, t.conn, agent)
		if err != nil {
			return err
		}
		if !a.Active {
			return ErrConflict
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM sessions WHERE namespace = ? AND agent = ? AND expires <= ?", agent.Namespace, agent.Name, now); err != nil {
			return err
		}
		return t.insert(ctx, "sessions (token_hash, namespace, agent, client, expires)", "",
			[]any{tokenHash, agent.Namespace, agent.Name, client, now + ttl.Microseconds()})
	})
}

// GetSession implements Credentials.
func (db *DB) GetSession(ctx context.Context, tokenHash string) (Session, error) {
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return Session{}, fmt.Errorf("store: session: %w", err)
	}
	s, err := one(ctx, db.read(), func(s scanner) (Session, error) {
		var v Session
		var expires int64
		err := s.Scan(&v.Agent.Namespace, &v.Agent.Name, &v.Client, &expires)
		v.Expires = fromMicros(expires)
		return v, err
	}, "SELECT namespace, agent, client, expires FROM sessions WHERE token_hash = ? AND expires > ?", tokenHash, now)
	if err != nil {
		return Session{}, fmt.Errorf("store: session: %w", err)
	}
	return s, nil
}

// DeleteSession implements Credentials.
func (db *DB) DeleteSession(ctx context.Context, tokenHash string) error {
	return db.write(ctx, "delete session", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM sessions WHERE token_hash = ?", tokenHash)
		return err
	})
}
