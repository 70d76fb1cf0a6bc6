package desk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// contacts are who wrote to the center.
type contacts interface {
	ListContacts(ctx context.Context, f store.ContactFilter) ([]store.Contact, error)
	ContactOf(ctx context.Context, i store.Interaction) (store.Contact, error)
	GetContact(ctx context.Context, namespace, id string) (store.Contact, error)
	AddContact(ctx context.Context, c store.Contact) (store.Contact, error)
	ChangeContact(ctx context.Context, c store.Contact) (store.Contact, error)
	DeleteContact(ctx context.Context, namespace, id string, version int64) error
	ImportContacts(ctx context.Context, list store.Key, contacts []store.Contact) (store.ContactImport, error)
}

// Contact is a customer in a contact list.
type Contact struct {
	ID        string    `json:"id"`
	List      string    `json:"list" example:"customers" doc:"Name of the ContactList object"`
	Address   string    `json:"address"`
	Name      string    `json:"name,omitempty" doc:"Of the first mail that had one, or what an agent made it"`
	CreatedAt time.Time `json:"createdAt" doc:"When the first mail came, or somebody created it"`
	Version   string    `json:"version" doc:"For If-Match of the next change"`
}

func contactOf(c store.Contact) Contact {
	return Contact{ID: c.ID, List: c.List, Address: c.Address, Name: c.Name, CreatedAt: c.CreatedAt.UTC(), Version: strconv.FormatInt(c.Version, 10)}
}

type contactsInput struct {
	List string `query:"list" maxLength:"253" doc:"Only this ContactList"`
	Text string `query:"q" maxLength:"200" doc:"Only those whose address or name contains it; not for agents with masked data"`
	ListPage
}

type contactsOutput struct {
	Body struct {
		Contacts   []Contact `json:"contacts" doc:"Newest first"`
		NextCursor string    `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

func (s *server) registerContacts(api huma.API) {
	list := operation("listContacts", http.MethodGet, contactsPath, "Contacts of the center")
	list.Description = "Who wrote to the EmailAccounts that store their contacts in a ContactList."
	list.Errors = []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(list, moduleContacts), s.listContacts)
	s.registerContactEdits(api)
	s.registerContactImport(api)
}

func (s *server) listContacts(ctx context.Context, in *contactsInput) (*contactsOutput, error) {
	c := callerOf(ctx)
	if in.Text != "" { // or guesses would find out
		if err := c.may(sensitiveData); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.ListContacts(ctx, store.ContactFilter{Namespace: c.Namespace, List: in.List, Text: in.Text, After: in.Cursor, Limit: in.Limit + 1})
	if err != nil {
		return nil, s.fail(ctx, "listing contacts", err)
	}
	out := &contactsOutput{}
	out.Body.Contacts = []Contact{}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.NextCursor = found[in.Limit-1].ID
	}
	for _, contact := range found {
		out.Body.Contacts = append(out.Body.Contacts, contactOf(contact))
	}
	return out, nil
}

// contactIn is the contact of an interaction's customer; nil when the account stores none.
func (s *server) contactIn(ctx context.Context, i store.Interaction) (*Contact, error) {
	found, err := s.Store.ContactOf(ctx, i)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := contactOf(found)
	return &c, nil
}
