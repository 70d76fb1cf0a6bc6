package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

func scanCannedAnswerSet(s scanner) (CannedAnswerSet, error) {
	var v CannedAnswerSet
	var items string
	if err := s.Scan(&v.Namespace, &v.Name, &v.Scope, &v.Ref, &items); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(items), &v.Items)
}

const cannedAnswerSets = "SELECT namespace, name, scope, ref, items FROM canned_answer_sets WHERE namespace = ? "

// PutCannedAnswerSet implements Answers.
func (db *DB) PutCannedAnswerSet(ctx context.Context, s CannedAnswerSet) error {
	old, err := one(ctx, db.read(), scanCannedAnswerSet, cannedAnswerSets+"AND name = ?", s.Namespace, s.Name)
	if err == nil && old.Scope == s.Scope && old.Ref == s.Ref && toJSON(old.Items) == toJSON(s.Items) {
		return nil
	}
	sums := []string{}
	for _, item := range s.Items {
		for _, file := range item.Attachments {
			sums = append(sums, file.SHA256)
		}
	}
	slices.Sort(sums)
	sums = slices.Compact(sums)
	return db.write(ctx, "put canned answer set", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO canned_answer_sets (namespace, name, scope, ref, items) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (namespace, name) DO UPDATE SET scope = excluded.scope, ref = excluded.ref, items = excluded.items`,
			s.Namespace, s.Name, s.Scope, s.Ref, clean(toJSON(s.Items)))
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM canned_files WHERE namespace = ? AND set_name = ? AND NOT sha256 = ANY(?)", s.Namespace, s.Name, sums); err != nil {
			return err
		}
		kept, err := one(ctx, t.conn, scalar[int], "SELECT COUNT(*) FROM canned_files WHERE namespace = ? AND set_name = ?", s.Namespace, s.Name)
		if err == nil && kept != len(sums) {
			err = ErrNotFound
		}
		return err
	})
}

// DeleteCannedAnswerSet implements Answers.
func (db *DB) DeleteCannedAnswerSet(ctx context.Context, key Key) error {
	return db.write(ctx, "delete canned answer set", func(t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM canned_files WHERE namespace = ? AND set_name = ?", key.Namespace, key.Name); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM canned_answer_sets WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return err
	})
}

// PutCannedFile implements Answers.
func (db *DB) PutCannedFile(ctx context.Context, set Key, sum string, content []byte) error {
	if content == nil {
		content = []byte{}
	}
	return db.write(ctx, "put canned file", func(t *tx) error {
		return t.insert(ctx, "canned_files (namespace, set_name, sha256, content)", "ON CONFLICT DO NOTHING", []any{set.Namespace, set.Name, sum, content})
	})
}

// CannedFileSizes implements Answers.
func (db *DB) CannedFileSizes(ctx context.Context, set Key) (map[string]int64, error) {
	sizes := map[string]int64{}
	_, err := all(ctx, db.read(), func(s scanner) (struct{}, error) {
		var sum string
		var size int64
		err := s.Scan(&sum, &size)
		sizes[sum] = size
		return struct{}{}, err
	}, "SELECT sha256, LENGTH(content) FROM canned_files WHERE namespace = ? AND set_name = ?", set.Namespace, set.Name)
	if err != nil {
		return nil, fmt.Errorf("store: files of %s: %w", set, err)
	}
	return sizes, nil
}

// GetCannedFile implements Answers.
func (db *DB) GetCannedFile(ctx context.Context, set Key, sum string) ([]byte, error) {
	content, err := one(ctx, db.read(), scalar[[]byte], "SELECT content FROM canned_files WHERE namespace = ? AND set_name = ? AND sha256 = ?",
		set.Namespace, set.Name, sum)
	if err != nil {
		return nil, fmt.Errorf("store: file of %s: %w", set, err)
	}
	return content, nil
}

// CannedAnswersOf implements Answers.
func (db *DB) CannedAnswersOf(ctx context.Context, namespace, interactionID string) ([]CannedAnswer, error) {
	i, err := db.GetInteraction(ctx, namespace, interactionID)
	if err != nil {
		return nil, err
	}
	settings, err := db.GetAnswerSettings(ctx, Key{namespace, i.Account})
	if err != nil {
		return nil, err
	}
	sets, err := all(ctx, db.read(), scanCannedAnswerSet, cannedAnswerSets, namespace)
	if err != nil {
		return nil, fmt.Errorf("store: canned answers of %s: %w", interactionID, err)
	}
	w, err := db.read().wantingOf(ctx, i, settings.CannedAnswerSets)
	if err != nil {
		return nil, fmt.Errorf("store: canned answers of %s: %w", interactionID, err)
	}
	slices.SortFunc(sets, func(a, b CannedAnswerSet) int { return compareNames(a.Key, b.Key) })
	var answers []CannedAnswer
	seen := map[string]bool{}
	for _, s := range merged(sets, func(s CannedAnswerSet) (string, SetScope, string) { return s.Name, s.Scope, s.Ref }, w) {
		for _, item := range s.Items {
			if !seen[item.Key] {
				seen[item.Key], item.Set = true, s.Name
				answers = append(answers, item)
			}
		}
	}
	return answers, nil
}
