package store

import (
	"context"
	"fmt"
	"slices"
)

const insertRegistrations = "registrations (namespace, pbx, extension, uri, user_agent, since)"

const registrationColumns = "SELECT pbx, extension, uri, user_agent, since FROM registrations "

func scanRegistration(s scanner) (Registration, error) {
	var r Registration
	var since int64
	err := s.Scan(&r.PBX, &r.Extension, &r.URI, &r.UserAgent, &since)
	r.Since = fromMicros(since)
	return r, err
}

type contact struct{ extension, uri string }

// SetRegistrations implements Registrations. PBX of regs is ignored; a contact that was there keeps its Since.
func (db *DB) SetRegistrations(ctx context.Context, pbx Key, regs []Registration) error {
	return db.write(ctx, "set registrations", func(t *tx) error {
		present, err := t.contacts(ctx, pbx, "")
		if err != nil {
			return err
		}
		var wanted []Registration
		for _, r := range regs {
			r.URI, r.UserAgent = clean(r.URI), clean(r.UserAgent)
			at := contact{r.Extension, r.URI}
			old, known := present[at]
			delete(present, at)
			if !known || old.UserAgent != r.UserAgent {
				wanted = append(wanted, r)
			}
		}
		return t.changeContacts(ctx, pbx, wanted, present)
	})
}

// PutRegistration implements Registrations. An empty URI removes all contacts of the extension on this PBX.
func (db *DB) PutRegistration(ctx context.Context, pbx Key, r Registration) error {
	r.URI, r.UserAgent = clean(r.URI), clean(r.UserAgent)
	return db.write(ctx, "put registration", func(t *tx) error {
		present, err := t.contacts(ctx, pbx, r.Extension)
		if err != nil {
			return err
		}
		if r.URI == "" {
			return t.changeContacts(ctx, pbx, nil, present)
		}
		if old, known := present[contact{r.Extension, r.URI}]; known && old.UserAgent == r.UserAgent {
			return nil
		}
		return t.changeContacts(ctx, pbx, []Registration{r}, nil)
	})
}

// contacts of a PBX, of one extension unless it is empty. It also serialises changes of the PBX's contacts.
func (t *tx) contacts(ctx context.Context, pbx Key, extension string) (map[contact]Registration, error) {
	if err := t.lockCenter(ctx, pbx.Namespace); err != nil {
		return nil, err
	}
	q, args := registrationColumns+"WHERE namespace = ? AND pbx = ?", []any{pbx.Namespace, pbx.Name}
	if extension != "" {
		q, args = q+" AND extension = ?", append(args, extension)
	}
	list, err := all(ctx, t.conn, scanRegistration, q, args...)
	present := make(map[contact]Registration, len(list))
	for _, r := range list {
		present[contact{r.Extension, r.URI}] = r
	}
	return present, err
}

func (t *tx) changeContacts(ctx context.Context, pbx Key, put []Registration, gone map[contact]Registration) error {
	now, err := t.now(ctx)
	if err != nil {
		return err
	}
	var extensions []string
	for at := range gone {
		extensions = append(extensions, at.extension)
		if _, err := t.exec(ctx, "DELETE FROM registrations WHERE namespace = ? AND pbx = ? AND extension = ? AND uri = ?",
			pbx.Namespace, pbx.Name, at.extension, at.uri); err != nil {
			return err
		}
	}
	rows := make([][]any, len(put))
	for i, r := range put {
		since := micros(r.Since)
		if since == 0 {
			since = now
		}
		extensions = append(extensions, r.Extension)
		rows[i] = []any{pbx.Namespace, pbx.Name, r.Extension, r.URI, r.UserAgent, since}
	}
	slices.Sort(extensions)
	for _, e := range slices.Compact(extensions) {
		t.emit(Event{Namespace: pbx.Namespace, Kind: EventRegistration, Subject: e})
	}
	// One row at a time in a statement of its own would be slow after a reconnect; the same contact twice in one
	// statement is refused by PostgreSQL, so the last report of each wins here.
	return t.insert(ctx, insertRegistrations, "ON CONFLICT (namespace, pbx, extension, uri) DO UPDATE SET user_agent = excluded.user_agent",
		lastOfEach(rows)...)
}

func lastOfEach(rows [][]any) [][]any {
	seen := map[[2]any]int{}
	var out [][]any
	for _, r := range rows {
		key := [2]any{r[2], r[3]}
		if at, ok := seen[key]; ok {
			out[at] = r
			continue
		}
		seen[key] = len(out)
		out = append(out, r)
	}
	return out
}

// RegistrationsOf implements Registrations.
func (db *DB) RegistrationsOf(ctx context.Context, namespace, extension string) ([]Registration, error) {
	list, err := all(ctx, db.read(), scanRegistration, registrationColumns+"WHERE namespace = ? AND extension = ? ORDER BY pbx, uri", namespace, extension)
	if err != nil {
		return nil, fmt.Errorf("store: registrations of %s: %w", extension, err)
	}
	return list, nil
}

// CountRegistrations implements Registrations.
func (db *DB) CountRegistrations(ctx context.Context, pbx Key) (int, error) {
	n, err := one(ctx, db.read(), scalar[int], "SELECT COUNT(*) FROM registrations WHERE namespace = ? AND pbx = ?", pbx.Namespace, pbx.Name)
	if err != nil {
		return 0, fmt.Errorf("store: count registrations: %w", err)
	}
	return n, nil
}
