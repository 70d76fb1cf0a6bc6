package store

import (
	"context"
	"fmt"
)

// holdContactList keeps everyone else from changing the contacts of a list until the end of the transaction. ErrNotFound: there is no such list.
func (t *tx) holdContactList(ctx context.Context, list Key) error {
	_, err := one(ctx, t.conn, scalar[string], "SELECT name FROM contact_lists WHERE namespace = ? AND name = ? FOR UPDATE", list.Namespace, list.Name)
	return err
}

// holdContact is a contact whose list is held.
func (t *tx) holdContact(ctx context.Context, namespace, id string) (Contact, error) {
	list, err := one(ctx, t.conn, scalar[string], "SELECT list FROM contacts WHERE namespace = ? AND id = ?", namespace, id)
	if err == nil {
		err = t.holdContactList(ctx, Key{namespace, list})
	}
	if err != nil {
		return Contact{}, err
	}
	return getContact(ctx, t.conn, namespace, id)
}

func getContact(ctx context.Context, c conn, namespace, id string) (Contact, error) {
	return one(ctx, c, scanContact, contactColumns+"JOIN contact_lists l ON l.namespace = c.namespace AND l.name = c.list WHERE c.namespace = ? AND c.id = ?", namespace, id)
}

// GetContact implements Contacts.
func (db *DB) GetContact(ctx context.Context, namespace, id string) (Contact, error) {
	c, err := getContact(ctx, db.read(), namespace, id)
	if err != nil {
		return Contact{}, fmt.Errorf("store: contact %s: %w", id, err)
	}
	return c, nil
}

// AddContact implements Contacts.
func (db *DB) AddContact(ctx context.Context, c Contact) (Contact, error) {
	c.Address, c.Name, c.Version = clean(c.Address), contactName(c.Name), 1
	known := knownBy(c.Address)
	if known == "" {
		return Contact{}, ErrNoAddress
	}
	err := db.write(ctx, "add contact", func(t *tx) error {
		list := Key{c.Namespace, c.List}
		if err := t.holdContactList(ctx, list); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if c.ID, err = newID(); err != nil {
			return err
		}
		c.CreatedAt = fromMicros(now)
		n, err := t.exec(ctx, `INSERT INTO contacts (id, namespace, list, known_by, address, name, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace, list, known_by) DO NOTHING`, c.ID, c.Namespace, c.List, known, c.Address, c.Name, now)
		if err == nil && n == 0 {
			err = ErrConflict
		}
		t.contactsChanged(list)
		return err
	})
	return c, err
}

// ChangeContact implements Contacts.
func (db *DB) ChangeContact(ctx context.Context, c Contact) (Contact, error) {
	c.Address, c.Name = clean(c.Address), contactName(c.Name)
	known := knownBy(c.Address)
	if known == "" {
		return Contact{}, ErrNoAddress
	}
	var changed Contact
	err := db.write(ctx, "change contact", func(t *tx) error {
		old, err := t.holdContact(ctx, c.Namespace, c.ID)
		switch {
		case err != nil:
			return err
		case old.Version != c.Version:
			return ErrVersion
		}
		others, err := one(ctx, t.conn, scalar[int], "SELECT COUNT(*) FROM contacts WHERE namespace = ? AND list = ? AND known_by = ? AND id <> ?",
			c.Namespace, old.List, known, c.ID)
		if err == nil && others > 0 {
			err = ErrConflict
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "UPDATE contacts SET known_by = ?, address = ?, name = ?, version = version + 1 WHERE namespace = ? AND id = ?",
			known, c.Address, c.Name, c.Namespace, c.ID)
		changed = old
		changed.Address, changed.Name, changed.Version = c.Address, c.Name, old.Version+1
		return err
	})
	return changed, err
}

// DeleteContact implements Contacts.
func (db *DB) DeleteContact(ctx context.Context, namespace, id string, version int64) error {
	return db.write(ctx, "delete contact", func(t *tx) error {
		c, err := t.holdContact(ctx, namespace, id)
		switch {
		case err != nil:
			return err
		case version != 0 && c.Version != version:
			return ErrVersion
		}
		t.contactsChanged(Key{namespace, c.List})
		_, err = t.exec(ctx, "DELETE FROM contacts WHERE namespace = ? AND id = ?", namespace, id)
		return err
	})
}

// ImportContacts implements Contacts.
func (db *DB) ImportContacts(ctx context.Context, list Key, contacts []Contact) (ContactImport, error) {
	senders := make(map[string]sender, len(contacts))
	for _, c := range contacts {
		address := clean(c.Address)
		known := knownBy(address)
		if known == "" {
			return ContactImport{}, ErrNoAddress
		}
		senders[known] = sender{address, contactName(c.Name)}
	}
	var done ContactImport
	err := db.write(ctx, "import contacts", func(t *tx) error {
		if err := t.holdContactList(ctx, list); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err == nil {
			done, err = t.mergeContacts(ctx, list, senders, now)
		}
		return err
	})
	return done, err
}
