package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

func scanVoicemail(s scanner) (Voicemail, error) {
	var v Voicemail
	return v, s.Scan(&v.Extension, &v.Unread, &v.Read)
}

// VoicemailOf implements Voicemails.
func (db *DB) VoicemailOf(ctx context.Context, agent Key) (Voicemail, error) {
	v, err := one(ctx, db.read(), scanVoicemail, `SELECT a.extension, CAST(COALESCE(SUM(v.unread), 0) AS BIGINT), CAST(COALESCE(SUM(v.heard), 0) AS BIGINT) FROM agents a
		LEFT JOIN voicemail v ON v.namespace = a.namespace AND v.extension = a.extension
		WHERE a.namespace = ? AND a.name = ? GROUP BY a.extension`, agent.Namespace, agent.Name)
	if err != nil {
		return Voicemail{}, fmt.Errorf("store: voicemail of %s: %w", agent, err)
	}
	return v, nil
}

// SetVoicemail implements Voicemails.
func (db *DB) SetVoicemail(ctx context.Context, pbx Key, boxes []Voicemail) error {
	return db.putVoicemail(ctx, "set voicemail", pbx, boxes, true)
}

// PutVoicemail implements Voicemails.
func (db *DB) PutVoicemail(ctx context.Context, pbx Key, box Voicemail) error {
	return db.putVoicemail(ctx, "put voicemail", pbx, []Voicemail{box}, false)
}

func (db *DB) putVoicemail(ctx context.Context, what string, pbx Key, boxes []Voicemail, whole bool) error {
	return db.write(ctx, what, func(t *tx) error {
		// Serialises changes of the PBX's counts.
		if err := t.lockCenter(ctx, pbx.Namespace); err != nil {
			return err
		}
		wanted := voicemailMap(boxes)
		q, args := "SELECT extension, unread, heard FROM voicemail WHERE namespace = ? AND pbx = ?", []any{pbx.Namespace, pbx.Name}
		if !whole {
			q, args = q+" AND extension = ANY(?)", append(args, slices.Collect(maps.Keys(wanted)))
		}
		old, err := all(ctx, t.conn, scanVoicemail, q, args...)
		if err != nil {
			return err
		}
		present := voicemailMap(old)
		var changed []string
		var rows [][]any
		for extension, v := range wanted {
			if present[extension] != v && (v.Unread > 0 || v.Read > 0) {
				changed = append(changed, extension)
				rows = append(rows, []any{pbx.Namespace, pbx.Name, extension, v.Unread, v.Read})
			}
		}
		var gone []string
		for extension := range present {
			v, reported := wanted[extension]
			if !reported || v.Unread == 0 && v.Read == 0 {
				gone = append(gone, extension)
			}
		}
		if err := t.insert(ctx, "voicemail (namespace, pbx, extension, unread, heard)",
			"ON CONFLICT (namespace, pbx, extension) DO UPDATE SET unread = excluded.unread, heard = excluded.heard", rows...); err != nil {
			return err
		}
		if len(gone) > 0 {
			if _, err := t.exec(ctx, "DELETE FROM voicemail WHERE namespace = ? AND pbx = ? AND extension = ANY(?)",
				pbx.Namespace, pbx.Name, gone); err != nil {
				return err
			}
		}
		return t.emitVoicemail(ctx, pbx.Namespace, append(changed, gone...))
	})
}

func voicemailMap(boxes []Voicemail) map[string]Voicemail {
	m := make(map[string]Voicemail, len(boxes))
	for _, b := range boxes {
		m[b.Extension] = b
	}
	return m
}

// emitVoicemail tells the agents of these extensions what they have now.
func (t *tx) emitVoicemail(ctx context.Context, namespace string, extensions []string) error {
	slices.Sort(extensions)
	for _, extension := range extensions {
		agent, err := agentAt(ctx, t.conn, namespace, extension)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		total, err := one(ctx, t.conn, func(s scanner) (v Voicemail, err error) { return v, s.Scan(&v.Unread, &v.Read) },
			`SELECT CAST(COALESCE(SUM(unread), 0) AS BIGINT), CAST(COALESCE(SUM(heard), 0) AS BIGINT) FROM voicemail
			WHERE namespace = ? AND extension = ?`, namespace, extension)
		if err != nil {
			return err
		}
		t.emit(Event{Namespace: namespace, Agent: agent, Kind: EventVoicemail, Subject: agent,
			Data: []byte(toJSON(map[string]int{"unread": total.Unread, "read": total.Read}))})
	}
	return nil
}
