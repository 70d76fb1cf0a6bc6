package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on contacts.
const (
	// maxContactAddress in bytes, the most that an address of RFC 5321 has; longer ones make no contact.
	maxContactAddress = 320
	// maxContactName in characters; the rest is cut.
	maxContactName = 200
)

// knownBy is what makes two addresses one contact; empty for what is no address. Letter case does not matter, in the local part neither: there
// are no two customers whose mailboxes differ by it alone.
func knownBy(address string) string {
	if !strings.Contains(address, "@") || len(address) > maxContactAddress {
		return ""
	}
	return strings.ToLower(address)
}

// sender is who becomes a contact.
type sender struct{ address, name string }

// meet notes the sender of a new mail. Machines are no contacts.
func (in *ingest) meet(m *IngestMail) {
	address := clean(m.Message.From)
	known := knownBy(address)
	if in.contactList == "" || m.Automatic || known == "" {
		return
	}
	s := in.senders[known]
	if s.address == "" {
		s.address = address
	}
	if name := contactName(m.CustomerName); s.name == "" && !strings.EqualFold(name, address) {
		s.name = name
	}
	in.senders[known] = s
}

func contactName(name string) string {
	name = strings.TrimSpace(clean(name))
	if utf8.RuneCountInString(name) > maxContactName {
		name = string([]rune(name)[:maxContactName])
	}
	return name
}

// loadContactList finds the list that the account's senders go to. It stays until the end of the transaction.
func (in *ingest) loadContactList(ctx context.Context, list string) error {
	if list == "" {
		return nil
	}
	var err error
	in.senders = map[string]sender{}
	in.contactList, err = one(ctx, in.conn, scalar[string], "SELECT name FROM contact_lists WHERE namespace = ? AND name = ? FOR SHARE", in.account.Namespace, list)
	return ignoreNotFound(err)
}

// saveContacts adds who is new to the list, and names to those who had none.
func (in *ingest) saveContacts(ctx context.Context) error {
	_, err := in.mergeContacts(ctx, Key{in.account.Namespace, in.contactList}, in.senders, in.now)
	return err
}

// mergeContacts into a list that is locked. The order keeps transactions from waiting for each other in a circle.
func (t *tx) mergeContacts(ctx context.Context, list Key, senders map[string]sender, now int64) (ContactImport, error) {
	var done ContactImport
	if len(senders) == 0 {
		return done, nil
	}
	keys := slices.Sorted(maps.Keys(senders))
	present := map[string]string{}
	if _, err := all(ctx, t.conn, func(s scanner) (struct{}, error) {
		var known, name string
		err := s.Scan(&known, &name)
		present[known] = name
		return struct{}{}, err
	}, "SELECT known_by, name FROM contacts WHERE namespace = ? AND list = ? AND known_by = ANY(?)", list.Namespace, list.Name, keys); err != nil {
		return done, err
	}
	var rows [][]any
	for _, known := range keys {
		s := senders[known]
		switch name, met := present[known]; {
		case !met:
			done.Added++
		case name == "" && s.name != "":
			done.Named++
		default:
			done.Unchanged++
			continue
		}
		id, err := newID()
		if err != nil {
			return done, err
		}
		rows = append(rows, []any{id, list.Namespace, list.Name, known, s.address, s.name, now})
	}
	if done.Added > 0 {
		t.contactsChanged(list)
	}
	return done, t.insert(ctx, "contacts (id, namespace, list, known_by, address, name, created_at)",
		"ON CONFLICT (namespace, list, known_by) DO UPDATE SET name = excluded.name, version = contacts.version + 1 WHERE contacts.name = ''", rows...)
}

// contactsChanged tells that a list has more or fewer.
func (t *tx) contactsChanged(list Key) {
	t.emit(Event{Namespace: list.Namespace, Kind: EventContacts, Subject: list.Name})
}

// PutContactList implements Contacts.
func (db *DB) PutContactList(ctx context.Context, l ContactList) error {
	old, err := one(ctx, db.read(), scalar[string], "SELECT display_name FROM contact_lists WHERE namespace = ? AND name = ?", l.Namespace, l.Name)
	if err == nil && old == l.DisplayName {
		return nil
	}
	return db.write(ctx, "put contact list", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO contact_lists (namespace, name, display_name) VALUES (?, ?, ?)
			ON CONFLICT (namespace, name) DO UPDATE SET display_name = excluded.display_name`, l.Namespace, l.Name, l.DisplayName)
		return err
	})
}

// DeleteContactList implements Contacts.
func (db *DB) DeleteContactList(ctx context.Context, key Key) error {
	return db.write(ctx, "delete contact list", func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM contact_lists WHERE namespace = ? AND name = ?", key.Namespace, key.Name)
		return err
	})
}

// PurgeContacts implements Contacts.
func (db *DB) PurgeContacts(ctx context.Context, list Key) error {
	return db.inBatches(ctx, "purge contacts", func(t *tx) (int, error) {
		n, err := t.exec(ctx, "DELETE FROM contacts WHERE id IN (SELECT id FROM contacts WHERE namespace = ? AND list = ? ORDER BY id LIMIT ?)",
			list.Namespace, list.Name, deleteBatch)
		return int(n), err
	})
}

const contactColumns = "SELECT c.id, c.namespace, c.list, c.address, c.name, c.created_at, c.version FROM contacts c "

func scanContact(s scanner) (Contact, error) {
	var c Contact
	var created int64
	err := s.Scan(&c.ID, &c.Namespace, &c.List, &c.Address, &c.Name, &created, &c.Version)
	c.CreatedAt = fromMicros(created)
	return c, err
}

// ListContacts implements Contacts.
func (db *DB) ListContacts(ctx context.Context, f ContactFilter) ([]Contact, error) {
	q := contactColumns + "JOIN contact_lists l ON l.namespace = c.namespace AND l.name = c.list WHERE c.namespace = ?"
	args := []any{f.Namespace}
	if f.List != "" {
		q, args = q+" AND c.list = ?", append(args, f.List)
	}
	if f.Text != "" {
		like := "%" + likeEscaper.Replace(clean(f.Text)) + "%"
		q, args = q+` AND (LOWER(c.address) LIKE LOWER(?) ESCAPE '\' OR LOWER(c.name) LIKE LOWER(?) ESCAPE '\')`, append(args, like, like)
	}
	if f.After != "" {
		q, args = q+" AND c.id < ?", append(args, f.After)
	}
	contacts, err := all(ctx, db.read(), scanContact, q+" ORDER BY c.id DESC LIMIT ?", append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("store: contacts: %w", err)
	}
	return contacts, nil
}

// CountContacts implements Contacts.
func (db *DB) CountContacts(ctx context.Context, list Key) (int64, error) {
	n, err := one(ctx, db.read(), scalar[int64], "SELECT COUNT(*) FROM contacts WHERE namespace = ? AND list = ?", list.Namespace, list.Name)
	if err != nil {
		return 0, fmt.Errorf("store: contacts of %s: %w", list, err)
	}
	return n, nil
}

// ContactOf implements Contacts.
func (db *DB) ContactOf(ctx context.Context, i Interaction) (Contact, error) {
	c, err := one(ctx, db.read(), scanContact, contactColumns+`JOIN accounts a ON a.namespace = c.namespace AND a.contact_list = c.list
		JOIN contact_lists l ON l.namespace = c.namespace AND l.name = c.list WHERE a.namespace = ? AND a.name = ? AND c.known_by = ?`,
		i.Namespace, i.Account, knownBy(i.Customer))
	if err != nil {
		return Contact{}, fmt.Errorf("store: contact of %s: %w", i.ID, err)
	}
	return c, nil
}
