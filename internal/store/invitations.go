package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func getInvitation(ctx context.Context, c conn, agent Key, lock string) (Invitation, error) {
	return one(ctx, c, func(s scanner) (Invitation, error) {
		var i Invitation
		var sent, asked int64
		err := s.Scan(&i.State, &sent, &asked)
		i.SentAt, i.AskedAt = fromMicros(sent), fromMicros(asked)
		return i, err
	}, "SELECT state, sent_at, asked_at FROM invitations WHERE namespace = ? AND agent = ?"+lock, agent.Namespace, agent.Name)
}

// DecideInvitation implements Invitations. What is recorded costs no write.
func (db *DB) DecideInvitation(ctx context.Context, agent Key, first Invitation) (Invitation, error) {
	i, err := getInvitation(ctx, db.read(), agent, "")
	if err == nil {
		return i, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return i, fmt.Errorf("store: invitation of %s: %w", agent, err)
	}
	err = db.write(ctx, "decide invitation", func(t *tx) error {
		if _, err := t.exec(ctx, `INSERT INTO invitations (namespace, agent, state, sent_at, asked_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (namespace, agent) DO NOTHING`, agent.Namespace, agent.Name, first.State, micros(first.SentAt), micros(first.AskedAt)); err != nil {
			return err
		}
		i, err = getInvitation(ctx, t.conn, agent, "")
		return err
	})
	return i, err
}

// SendInvitation implements Invitations.
func (db *DB) SendInvitation(ctx context.Context, m InvitationMail) (Invitation, bool, error) {
	var i Invitation
	sent := false
	err := db.write(ctx, "send invitation", func(t *tx) error {
		sent = false
		// Changes of passwords take turns by the center's lock, invitations of one agent by its row.
		if err := t.lockCenter(ctx, m.Agent.Namespace); err != nil {
			return err
		}
		if err := t.lockAgent(ctx, m.Agent); err != nil {
			return err
		}
		a, err := getAgent(ctx, t.conn, m.Agent)
		if err != nil {
			return err
		}
		if !a.Active || a.Email != m.Mail.Recipient {
			return ErrConflict
		}
		if i, err = getInvitation(ctx, t.conn, m.Agent, ""); ignoreNotFound(err) != nil {
			return err
		}
		due, err := t.invitationDue(ctx, m, i)
		if err != nil || !due {
			return err
		}
		i, err = t.putInvitation(ctx, m)
		sent = err == nil
		return err
	})
	return i, sent && err == nil, err
}

func (t *tx) invitationDue(ctx context.Context, m InvitationMail, i Invitation) (bool, error) {
	if !m.AskedAt.IsZero() {
		// Times of annotations have whole seconds.
		return m.AskedAt.After(i.AskedAt) && !m.AskedAt.Before(i.SentAt.Truncate(time.Second)), nil
	}
	if i.State != InvitationDue {
		return false, nil
	}
	_, err := getCredential(ctx, t.conn, m.Agent)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return false, err
}

func (t *tx) putInvitation(ctx context.Context, m InvitationMail) (Invitation, error) {
	now, err := t.now(ctx)
	if err != nil {
		return Invitation{}, err
	}
	if err := t.replacePasswordLink(ctx, m.Agent, m.TokenHash, now, m.TTL); err != nil {
		return Invitation{}, err
	}
	m.Mail.DedupeKey = "invitation/" + m.TokenHash
	if _, err := t.addSystemMail(ctx, m.Mail); err != nil {
		return Invitation{}, err
	}
	if _, err := t.exec(ctx, `INSERT INTO invitations (namespace, agent, state, sent_at, asked_at) VALUES (?, ?, 'Sent', ?, ?)
		ON CONFLICT (namespace, agent) DO UPDATE SET state = excluded.state, sent_at = excluded.sent_at,
		asked_at = CASE WHEN excluded.asked_at > invitations.asked_at THEN excluded.asked_at ELSE invitations.asked_at END`,
		m.Agent.Namespace, m.Agent.Name, now, micros(m.AskedAt)); err != nil {
		return Invitation{}, err
	}
	t.emitCredential(m.Agent)
	return getInvitation(ctx, t.conn, m.Agent, "")
}
