package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// fromJSON scans rows of one column of JSON.
func fromJSON[T any](s scanner) (T, error) {
	var v T
	var text string
	if err := s.Scan(&text); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(text), &v)
}

func answerSettings(ctx context.Context, c conn, account Key) (AnswerSettings, error) {
	s, err := one(ctx, c, fromJSON[AnswerSettings], "SELECT settings FROM account_answers WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
	return s, ignoreNotFound(err)
}

// GetAnswerSettings implements Answers.
func (db *DB) GetAnswerSettings(ctx context.Context, account Key) (AnswerSettings, error) {
	s, err := answerSettings(ctx, db.read(), account)
	if err != nil {
		return AnswerSettings{}, fmt.Errorf("store: answer settings of %s: %w", account, err)
	}
	return s, nil
}

// PutAnswerSettings implements Answers.
func (db *DB) PutAnswerSettings(ctx context.Context, account Key, s AnswerSettings) error {
	text := toJSON(s)
	old, err := one(ctx, db.read(), scalar[string], "SELECT settings FROM account_answers WHERE namespace = ? AND account = ?", account.Namespace, account.Name)
	if err == nil && old == text {
		return nil
	}
	return db.write(ctx, "put answer settings", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO account_answers (namespace, account, settings) VALUES (?, ?, ?)
			ON CONFLICT (namespace, account) DO UPDATE SET settings = excluded.settings`, account.Namespace, account.Name, text)
		return err
	})
}

func scanDispositionSet(s scanner) (DispositionSet, error) {
	var v DispositionSet
	var items string
	if err := s.Scan(&v.Namespace, &v.Name, &v.Scope, &v.Ref, &items); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(items), &v.Items)
}

const dispositionSets = "SELECT namespace, name, scope, ref, items FROM disposition_sets WHERE namespace = ? "

// PutDispositionSet implements Answers.
func (db *DB) PutDispositionSet(ctx context.Context, s DispositionSet) error {
	old, err := one(ctx, db.read(), scanDispositionSet, dispositionSets+"AND name = ?", s.Namespace, s.Name)
	if err == nil && old.Scope == s.Scope && old.Ref == s.Ref && slices.Equal(old.Items, s.Items) {
		return nil
	}
	return db.write(ctx, "put disposition set", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO disposition_sets (namespace, name, scope, ref, items) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (namespace, name) DO UPDATE SET scope = excluded.scope, ref = excluded.ref, items = excluded.items`,
			s.Namespace, s.Name, s.Scope, s.Ref, toJSON(s.Items))
		return err
	})
}

// DeleteDispositionSet implements Answers.
func (db *DB) DeleteDispositionSet(ctx context.Context, key Key) error {
	return db.write(ctx, "delete disposition set", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM disposition_sets WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return err
	})
}

// wanting is what decides which sets an interaction has.
type wanting struct {
	account, queue, contactList string
	// named by the account.
	named []string
}

// wantingOf an interaction whose account names some sets.
func (c conn) wantingOf(ctx context.Context, i Interaction, named []string) (wanting, error) {
	list, err := one(ctx, c, scalar[string], "SELECT contact_list FROM accounts WHERE namespace = ? AND name = ?", i.Namespace, i.Account)
	return wanting{account: i.Account, queue: i.Queue, contactList: list, named: named}, ignoreNotFound(err)
}

// rank orders the sets that an interaction has: those of its account, of its queue, of its contact list, global ones. ok is false for the others.
func (w wanting) rank(name string, scope SetScope, ref string) (rank int, ok bool) {
	switch {
	case slices.Contains(w.named, name), scope == ScopeAccount && ref != "" && ref == w.account:
		return 0, true
	case scope == ScopeQueue && ref == w.queue:
		return 1, true
	case scope == ScopeContactList && ref == w.contactList:
		return 2, true
	}
	return 3, scope == ScopeGlobal
}

// merged picks the sets of an interaction, those of its account first, and within a rank by name.
func merged[T any](sets []T, of func(T) (name string, scope SetScope, ref string), w wanting) []T {
	var ranks [4][]T
	for _, s := range sets {
		name, scope, ref := of(s)
		if n, ok := w.rank(name, scope, ref); ok {
			ranks[n] = append(ranks[n], s)
		}
	}
	return slices.Concat(ranks[:]...)
}

func (c conn) dispositionsOf(ctx context.Context, i Interaction) (Dispositions, error) {
	settings, err := answerSettings(ctx, c, Key{i.Namespace, i.Account})
	if err != nil {
		return Dispositions{}, err
	}
	sets, err := all(ctx, c, scanDispositionSet, dispositionSets, i.Namespace)
	if err != nil {
		return Dispositions{}, err
	}
	w, err := c.wantingOf(ctx, i, settings.DispositionSets)
	if err != nil {
		return Dispositions{}, err
	}
	slices.SortFunc(sets, func(a, b DispositionSet) int { return compareNames(a.Key, b.Key) })
	d := Dispositions{Mandatory: settings.DispositionMandatory, PauseWhileDisposing: settings.PauseWhileDisposing}
	seen := map[string]bool{}
	for _, s := range merged(sets, func(s DispositionSet) (string, SetScope, string) { return s.Name, s.Scope, s.Ref }, w) {
		for _, item := range s.Items {
			if !seen[item.Path] {
				seen[item.Path] = true
				d.Items = append(d.Items, item)
			}
		}
	}
	return d, nil
}

// DispositionsOf implements Answers.
func (db *DB) DispositionsOf(ctx context.Context, namespace, interactionID string) (Dispositions, error) {
	i, err := db.GetInteraction(ctx, namespace, interactionID)
	if err != nil {
		return Dispositions{}, err
	}
	d, err := db.read().dispositionsOf(ctx, i)
	if err != nil {
		return Dispositions{}, fmt.Errorf("store: dispositions of %s: %w", interactionID, err)
	}
	return d, nil
}

// checkDisposal refuses what the account or its lists do not allow.
func (c conn) checkDisposal(ctx context.Context, i Interaction, d Disposal) error {
	have, err := c.dispositionsOf(ctx, i)
	switch {
	case err != nil:
		return err
	case d.Path == "" && have.Mandatory && len(have.Items) > 0: // without any nothing could ever be closed
		return ErrDispositionRequired
	case d.Path != "" && !slices.ContainsFunc(have.Items, func(item Disposition) bool { return item.Path == d.Path }):
		return ErrDispositionUnknown
	}
	return nil
}

// dispose records what an interaction, held locked, is closed with.
func (t *tx) dispose(ctx context.Context, r *interactionRow, d Disposal) error {
	r.Disposition, r.DispositionNote = clean(d.Path), clean(d.Note)
	_, err := t.exec(ctx, "UPDATE interactions SET disposition = ?, disposition_note = ? WHERE id = ?", r.Disposition, r.DispositionNote, r.ID)
	return err
}

// BeginDisposing implements Answers.
func (db *DB) BeginDisposing(ctx context.Context, namespace, id, agent string) error {
	return db.write(ctx, "begin disposing", func(t *tx) error {
		if err := t.lockCenter(ctx, namespace); err != nil { // as every pause
			return err
		}
		r, err := getInteraction(ctx, t.conn, namespace, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if r.State != StateOpen || r.Agent != agent || agent == "" {
			return ErrConflict
		}
		settings, err := answerSettings(ctx, t.conn, Key{namespace, r.Account})
		if err != nil || !settings.DispositionMandatory || !settings.PauseWhileDisposing {
			return err
		}
		key := Key{namespace, agent}
		presence, err := getPresence(ctx, t.conn, key)
		if err != nil || !presence.SignedIn {
			return err
		}
		if err := t.insert(ctx, "disposing (interaction_id, namespace, agent)", "ON CONFLICT DO NOTHING", []any{id, namespace, agent}); err != nil {
			return err
		}
		if presence.Paused {
			return nil // the agent's own, or this one already
		}
		if err := t.setPresence(ctx, Presence{Agent: key, SignedIn: true, Paused: true, Reason: ReasonDisposition}); err != nil {
			return err
		}
		_, err = t.exec(ctx, "UPDATE presence SET disposing = TRUE WHERE namespace = ? AND agent = ?", namespace, agent)
		return err
	})
}

// isDisposing tells whether the agent's pause is the one of BeginDisposing.
func (t *tx) isDisposing(ctx context.Context, agent Key) (bool, error) {
	yes, err := one(ctx, t.conn, scalar[bool], "SELECT disposing FROM presence WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	return yes, ignoreNotFound(err)
}

// endDisposing ends the pauses for interactions that are not open with their agent any more.
func (t *tx) endDisposing(ctx context.Context) error {
	if len(t.left) == 0 {
		return nil
	}
	agents, err := all(ctx, t.conn, scanKey, `DELETE FROM disposing WHERE interaction_id = ANY(?) AND NOT EXISTS (SELECT 1 FROM interactions i
		WHERE i.id = disposing.interaction_id AND i.state = 'Open' AND i.agent = disposing.agent) RETURNING namespace, agent`, t.left)
	if err != nil {
		return err
	}
	slices.SortFunc(agents, compareNames)
	for _, agent := range slices.Compact(agents) {
		if err := t.endPause(ctx, agent); err != nil {
			return err
		}
	}
	return nil
}

// endPause ends the agent's pause when it is the one of BeginDisposing and nothing is left to dispose. The lock on the presence makes two that end the
// last two conversations see each other.
func (t *tx) endPause(ctx context.Context, agent Key) error {
	paused, err := one(ctx, t.conn, scalar[bool], "SELECT disposing FROM presence WHERE namespace = ? AND agent = ? FOR UPDATE", agent.Namespace, agent.Name)
	if errors.Is(err, ErrNotFound) || (err == nil && !paused) {
		return nil
	} else if err != nil {
		return err
	}
	left, err := one(ctx, t.conn, scalar[int], "SELECT COUNT(*) FROM disposing WHERE namespace = ? AND agent = ?", agent.Namespace, agent.Name)
	if err != nil || left > 0 {
		return err
	}
	return t.setPresence(ctx, Presence{Agent: agent, SignedIn: true})
}

func compareNames(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
