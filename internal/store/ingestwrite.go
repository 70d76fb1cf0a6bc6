package store

import (
	"context"
	"fmt"
	"time"
)

// write stores the batch.
func (in *ingest) write(ctx context.Context) error {
	for _, r := range in.created {
		in.newInteractions = append(in.newInteractions, r.values())
	}
	for _, step := range []struct {
		into, onConflict string
		rows             [][]any
	}{
		{insertInteractions, "", in.newInteractions},
		{"locations (namespace, account, mailbox, uid_validity, uid, message_id)", "", in.newLocations},
		{insertMessages, "", in.newMessages},
		{"raw_messages (message_id, raw)", "", in.newRaws},
		{insertMessageIDs, "ON CONFLICT DO NOTHING", in.newKeys},
		{insertFlowRuns, replaceFlowRuns, in.newRuns},
	} {
		if err := in.insert(ctx, step.into, step.onConflict, step.rows...); err != nil {
			return err
		}
	}
	if err := in.save(ctx, in.changed...); err != nil {
		return err
	}
	if err := in.repeat(ctx); err != nil {
		return err
	}
	if err := in.saveContacts(ctx); err != nil {
		return err
	}
	if in.ingested == 0 && in.quarantined == 0 {
		return nil
	}
	_, err := in.exec(ctx, `INSERT INTO account_counters (namespace, account, ingested, quarantined) VALUES (?, ?, ?, ?)
		ON CONFLICT (namespace, account) DO UPDATE SET ingested = account_counters.ingested + excluded.ingested,
		quarantined = account_counters.quarantined + excluded.quarantined`, in.account.Namespace, in.account.Name, in.ingested, in.quarantined)
	return err
}

// repeat leads the places of repeated mails to their new messages, which nobody has seen on the server yet.
func (in *ingest) repeat(ctx context.Context) error {
	for _, a := range in.again {
		e := MailboxEpoch{Account: in.account, Mailbox: a.at.mailbox, UIDValidity: a.at.uidValidity}
		if _, err := in.exec(ctx, "UPDATE locations SET message_id = ? WHERE"+ofEpoch+" AND uid = ?",
			append(append([]any{a.message}, e.args()...), int64(a.at.uid))...); err != nil {
			return err
		}
		if _, err := in.exec(ctx, "DELETE FROM mail_flags WHERE"+ofEpoch+" AND uid = ?", append(e.args(), int64(a.at.uid))...); err != nil {
			return err
		}
	}
	return nil
}

// add takes the mail as a message of r.
func (in *ingest) add(m *IngestMail, r *interactionRow) (string, error) {
	id, err := newID()
	if err != nil {
		return "", err
	}
	state := map[IngestKind]MessageState{IngestMessage: MessageStored, IngestHeadersOnly: MessageHeadersOnly, IngestQuarantined: MessageQuarantined}[m.Kind]
	if state == "" {
		return "", fmt.Errorf("mail of unknown kind %q", m.Kind)
	}
	msg := m.Message
	msg.ID, msg.InteractionID, msg.Namespace, msg.Account = id, r.ID, in.account.Namespace, in.account.Name
	msg.Direction, msg.State, msg.Detail, msg.CreatedAt = Inbound, state, m.Detail, fromMicros(in.now)
	content := contentKey{sum: m.SHA256}
	if _, known := in.contents[m.SHA256]; known {
		content.sequence = in.sequences[m.SHA256] + 1
	}
	in.newMessages = append(in.newMessages, messageValues(msg, content, 0))
	raw := m.Raw
	if raw == nil {
		raw = []byte{}
	}
	in.newRaws = append(in.newRaws, []any{id, raw})
	if key := threadKey(msg.MessageID); key != "" {
		in.newKeys = append(in.newKeys, []any{in.account.Namespace, in.account.Name, key, r.ID})
		if in.threads[key] == "" {
			in.threads[key] = r.ID
		}
	}
	in.meet(m)
	in.contents[m.SHA256], in.sequences[m.SHA256], in.of[id] = id, content.sequence, r.ID
	r.MessageCount++
	r.LastDirection, r.Read, r.UpdatedAt = Inbound, false, time.UnixMicro(in.now).UTC()
	if in.ingested++; state == MessageQuarantined {
		in.quarantined++
	}
	return id, nil
}
