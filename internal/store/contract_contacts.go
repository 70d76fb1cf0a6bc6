package store

import (
	"context"
	"time"
)

// ContactList is a list that accounts store those who write to them in.
type ContactList struct {
	Key
	DisplayName string
}

// Contact is somebody who wrote, known by an address in which letter case does not matter.
type Contact struct {
	ID        string // UUIDv7, so ids sort by creation
	Namespace string
	List      string
	// Address as it was written first.
	Address string
	// Name of the first mail that had one, or what an agent made it; may be empty.
	Name      string
	CreatedAt time.Time
	// Version counts the changes.
	Version int64
}

// ContactImport is what became of contacts that were imported.
type ContactImport struct {
	// Added are new, Named were there without a name and have one now, Unchanged are the others.
	Added, Named, Unchanged int
}

// ContactFilter narrows a list; zero values do not filter.
type ContactFilter struct {
	Namespace string
	List      string
	// Text that address or name contains; ASCII letters match in either case.
	Text string
	// After is the id of the last row of the previous page.
	After string
	Limit int
}

// Contacts are who wrote to a center. Ingest adds the sender of a new mail, unless a machine wrote it, to the list of its account, once, and
// emits EventContacts for who is new; a contact without a name gets that of the first mail that has one.
type Contacts interface {
	PutContactList(ctx context.Context, l ContactList) error
	// DeleteContactList keeps the contacts, and nobody finds them until a list of this name is put. Deleting what is not there is no error.
	DeleteContactList(ctx context.Context, key Key) error
	// PurgeContacts removes the contacts of a deleted list.
	PurgeContacts(ctx context.Context, list Key) error
	// ListContacts of lists that exist, newest first.
	ListContacts(ctx context.Context, f ContactFilter) ([]Contact, error)
	CountContacts(ctx context.Context, list Key) (int64, error)
	// GetContact of a list that exists. ErrNotFound: there is none.
	GetContact(ctx context.Context, namespace, id string) (Contact, error)
	// AddContact needs a list, an address and maybe a name. ErrNotFound: no such list; ErrConflict: the list has the address; ErrNoAddress.
	AddContact(ctx context.Context, c Contact) (Contact, error)
	// ChangeContact gives the contact c.ID of c.Namespace the address and name of c. ErrVersion: c.Version is not the present one; ErrConflict: another of the
	// list has the address; ErrNotFound, ErrNoAddress.
	ChangeContact(ctx context.Context, c Contact) (Contact, error)
	// DeleteContact in this version, 0 for any. It comes back with the next mail. ErrNotFound, ErrVersion.
	DeleteContact(ctx context.Context, namespace, id string, version int64) error
	// ImportContacts adds all of them to a list, or none. Those that the list has get a name if they have none. ErrNotFound: no such list; ErrNoAddress: of one.
	ImportContacts(ctx context.Context, list Key, contacts []Contact) (ContactImport, error)
	// ContactOf the customer of an interaction in the list of its account. ErrNotFound: there is none.
	ContactOf(ctx context.Context, i Interaction) (Contact, error)
}
