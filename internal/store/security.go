package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func getSignInLock(ctx context.Context, c conn, agent Key, lock string) (SignInLock, error) {
	l, err := one(ctx, c, func(s scanner) (SignInLock, error) {
		var l SignInLock
		var locked, unlocked int64
		err := s.Scan(&l.Failed, &locked, &unlocked)
		l.LockedAt, l.UnlockedAt = fromMicros(locked), fromMicros(unlocked)
		return l, err
	}, "SELECT failed, locked_at, unlocked_at FROM sign_in_locks WHERE namespace = ? AND agent = ?"+lock, agent.Namespace, agent.Name)
	return l, ignoreNotFound(err)
}

func (t *tx) putSignInLock(ctx context.Context, agent Key, l SignInLock) error {
	_, err := t.exec(ctx, `INSERT INTO sign_in_locks (namespace, agent, failed, locked_at, unlocked_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (namespace, agent) DO UPDATE SET failed = excluded.failed, locked_at = excluded.locked_at, unlocked_at = excluded.unlocked_at`,
		agent.Namespace, agent.Name, l.Failed, micros(l.LockedAt), micros(l.UnlockedAt))
	return err
}

// SignInLockOf implements SignInSecurity.
func (db *DB) SignInLockOf(ctx context.Context, agent Key) (SignInLock, error) {
	l, err := getSignInLock(ctx, db.read(), agent, "")
	if err != nil {
		return l, fmt.Errorf("store: lock of %s: %w", agent, err)
	}
	return l, nil
}

// FailSignIn implements SignInSecurity. The row of the agent serialises attempts side by side.
func (db *DB) FailSignIn(ctx context.Context, agent Key, maxAttempts int) (SignInLock, error) {
	var l SignInLock
	err := db.write(ctx, "failed sign-in", func(t *tx) error {
		if err := t.lockAgent(ctx, agent); err != nil {
			return err
		}
		var err error
		if l, err = getSignInLock(ctx, t.conn, agent, ""); err != nil || l.Locked() {
			return err
		}
		l.Failed++
		if maxAttempts > 0 && l.Failed >= maxAttempts {
			now, err := t.now(ctx)
			if err != nil {
				return err
			}
			l.LockedAt = fromMicros(now)
			t.emitCredential(agent)
		}
		return t.putSignInLock(ctx, agent, l)
	})
	return l, err
}

func (t *tx) lockAgent(ctx context.Context, agent Key) error {
	_, err := one(ctx, t.conn, scalar[string], "SELECT name FROM agents WHERE namespace = ? AND name = ? FOR UPDATE", agent.Namespace, agent.Name)
	return err
}

func (t *tx) emitCredential(agent Key) {
	t.emit(Event{Namespace: agent.Namespace, Agent: agent.Name, Kind: EventCredential, Subject: agent.Name})
}

// PassSignIn implements SignInSecurity. Without failures it writes nothing.
func (db *DB) PassSignIn(ctx context.Context, agent Key) error {
	l, err := db.SignInLockOf(ctx, agent)
	switch {
	case err != nil:
		return err
	case l.Locked():
		return fmt.Errorf("store: sign-in of %s: %w", agent, ErrConflict)
	case l.Failed == 0:
		return nil
	}
	return db.write(ctx, "sign-in", func(t *tx) error {
		if err := t.lockAgent(ctx, agent); err != nil {
			return err
		}
		l, err := getSignInLock(ctx, t.conn, agent, "")
		if err != nil {
			return err
		}
		if l.Locked() {
			return ErrConflict
		}
		l.Failed = 0
		return t.putSignInLock(ctx, agent, l)
	})
}

// Unlock implements SignInSecurity.
func (db *DB) Unlock(ctx context.Context, agent Key) error {
	return db.write(ctx, "unlock", func(t *tx) error {
		if err := ignoreNotFound(t.lockAgent(ctx, agent)); err != nil {
			return err
		}
		l, err := getSignInLock(ctx, t.conn, agent, "")
		if err != nil || !l.Locked() {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		t.emitCredential(agent)
		return t.putSignInLock(ctx, agent, SignInLock{UnlockedAt: fromMicros(now)})
	})
}

// FindAgentsByEmail implements SignInSecurity.
func (db *DB) FindAgentsByEmail(ctx context.Context, namespace, email string) ([]Agent, error) {
	if email == "" {
		return nil, nil
	}
	q, args := agentColumns+"WHERE email <> '' AND lower(email) = lower(?)", []any{email}
	if namespace != "" {
		q, args = q+" AND namespace = ?", append(args, namespace)
	}
	found, err := all(ctx, db.read(), scanAgent, q+" ORDER BY namespace, name LIMIT 10", args...)
	if err != nil {
		return nil, fmt.Errorf("store: find agents by address: %w", err)
	}
	return found, nil
}

// AddPasswordLink implements SignInSecurity.
func (db *DB) AddPasswordLink(ctx context.Context, agent Key, tokenHash string, ttl, spacing time.Duration) (bool, error) {
	added := false
	err := db.write(ctx, "add password link", func(t *tx) error {
		added = false
		if err := t.lockAgent(ctx, agent); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		last, err := one(ctx, t.conn, scalar[int64], "SELECT COALESCE(MAX(created_at), 0) FROM password_links WHERE namespace = ? AND agent = ?",
			agent.Namespace, agent.Name)
		if err != nil || (last > 0 && now-last < spacing.Microseconds()) {
			return err
		}
		added = true
		return t.replacePasswordLink(ctx, agent, tokenHash, now, ttl)
	})
	return added && err == nil, err
}

// replacePasswordLink ends the agent's link and makes another.
func (t *tx) replacePasswordLink(ctx context.Context, agent Key, tokenHash string, now int64, ttl time.Duration) error {
	if _, err := t.exec(ctx, "DELETE FROM password_links WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name); err != nil {
		return err
	}
	return t.insert(ctx, "password_links (token_hash, namespace, agent, created_at, expires)", "",
		[]any{tokenHash, agent.Namespace, agent.Name, now, now + ttl.Microseconds()})
}

func (c conn) passwordLink(ctx context.Context, tokenHash string, now int64, lock string) (PasswordLink, error) {
	return one(ctx, c, func(s scanner) (PasswordLink, error) {
		var l PasswordLink
		var expires int64
		err := s.Scan(&l.Agent.Namespace, &l.Agent.Name, &expires)
		l.Expires = fromMicros(expires)
		return l, err
	}, "SELECT namespace, agent, expires FROM password_links WHERE token_hash = ? AND expires > ?"+lock, tokenHash, now)
}

// GetPasswordLink implements SignInSecurity.
func (db *DB) GetPasswordLink(ctx context.Context, tokenHash string) (PasswordLink, error) {
	now, err := db.read().now(ctx, db.clock)
	if err != nil {
		return PasswordLink{}, fmt.Errorf("store: password link: %w", err)
	}
	l, err := db.read().passwordLink(ctx, tokenHash, now, "")
	if err != nil {
		return PasswordLink{}, fmt.Errorf("store: password link: %w", err)
	}
	return l, nil
}

// RedeemPasswordLink implements SignInSecurity.
func (db *DB) RedeemPasswordLink(ctx context.Context, tokenHash, hash string, history int) (PasswordLink, error) {
	before, err := db.GetPasswordLink(ctx, tokenHash)
	if err != nil {
		return before, err
	}
	var l PasswordLink
	err = db.write(ctx, "redeem password link", func(t *tx) error {
		// Before the link, as everywhere: the center's lock is what changes of passwords take turns by.
		if err := t.lockCenter(ctx, before.Agent.Namespace); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if l, err = t.passwordLink(ctx, tokenHash, now, " FOR UPDATE"); err != nil {
			return err
		}
		old, err := getCredential(ctx, t.conn, l.Agent)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		// SecretVersion stays: only a later change of the Secret replaces what the agent chose.
		return t.setPassword(ctx, old, Credential{Agent: l.Agent, Hash: hash, SecretVersion: old.SecretVersion}, history, "")
	})
	return l, err
}

// PrunePasswordLinks implements SignInSecurity.
func (db *DB) PrunePasswordLinks(ctx context.Context) error {
	return db.write(ctx, "prune password links", func(t *tx) error {
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "DELETE FROM password_links WHERE expires <= ?", now)
		return err
	})
}
