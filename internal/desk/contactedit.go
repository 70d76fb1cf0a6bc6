package desk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	contactsPath = "/v1/contacts"
	contactPath  = contactsPath + "/{contact}"
	// maxContactName in characters.
	maxContactName = 200
)

// ContactBody is what agents write down of a customer.
type ContactBody struct {
	Address string `json:"address" maxLength:"254" example:"zoe@customer.example" doc:"E-mail address, known once in a list; letter case does not matter"`
	Name    string `json:"name,omitempty" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f]*$"`
}

type addContactInput struct {
	Body struct {
		ContactBody
		List string `json:"list" minLength:"1" maxLength:"253" example:"customers" doc:"Name of the ContactList object"`
	}
}

// Resolve checks what the schema cannot.
func (in *addContactInput) Resolve(huma.Context) []error { return in.Body.check() }

type putContactInput struct {
	ID      string `path:"contact" maxLength:"64"`
	IfMatch string `header:"If-Match" required:"true" maxLength:"32" doc:"Version that is replaced"`
	Body    ContactBody
}

// Resolve checks what the schema cannot.
func (in *putContactInput) Resolve(huma.Context) []error { return in.Body.check() }

type contactInput struct {
	ID string `path:"contact" maxLength:"64"`
}

type deleteContactInput struct {
	ID      string `path:"contact" maxLength:"64"`
	IfMatch string `header:"If-Match" maxLength:"32" doc:"Version that is deleted; absent: any"`
}

type contactOutput struct {
	ETag string `header:"ETag"`
	Body Contact
}

func (b ContactBody) check() []error {
	if isAddress(b.Address) {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "body.address", Message: notAnAddress}}
}

func (s *server) registerContactEdits(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	get := operation("getContact", http.MethodGet, contactPath, "One contact")
	get.Errors = errorsOfOne
	huma.Register(api, needing(get, moduleContacts), s.getContact)

	errorsOfWrites := append([]int{http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity}, errorsOfOne...)
	add := operation("addContact", http.MethodPost, contactsPath, "Create a contact")
	add.Description = "CONTACT_KNOWN: the list has one with the address. NOT_FOUND: there is no such list."
	add.DefaultStatus = http.StatusCreated
	add.Errors = errorsOfWrites
	huma.Register(api, needing(add, moduleContacts, editContacts, sensitiveData), s.addContact)

	put := operation("putContact", http.MethodPut, contactPath, "Change a contact")
	put.Description = "Address and name become those of the body. CONTACT_KNOWN: the list has another with the address."
	put.Errors = append([]int{http.StatusPreconditionFailed}, errorsOfWrites...)
	huma.Register(api, needing(put, moduleContacts, editContacts, sensitiveData), s.putContact)

	remove := operation("deleteContact", http.MethodDelete, contactPath, "Delete a contact")
	remove.Description = "Interactions stay as they are. Whoever writes again is a contact again."
	remove.DefaultStatus = http.StatusNoContent
	remove.Errors = append([]int{http.StatusPreconditionFailed}, errorsOfOne...)
	huma.Register(api, needing(remove, moduleContacts, editContacts, sensitiveData), s.deleteContact)
}

// contactVersion reads an entity tag, with or without its quotes; 0 for none.
func contactVersion(tag string) (int64, error) {
	if tag == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, problem(CodeContactChanged, "If-Match is no version of a contact")
	}
	return version, nil
}

// contactProblem is fail with the names that errors of the store have here.
func (s *server) contactProblem(ctx context.Context, doing string, err error) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		return problem(CodeContactKnown, "")
	case errors.Is(err, store.ErrVersion):
		return problem(CodeContactChanged, "")
	case errors.Is(err, store.ErrNoAddress):
		return problem(CodeValidation, notAnAddress)
	}
	return s.fail(ctx, doing, err)
}

func (s *server) contact(ctx context.Context, doing string, c store.Contact, err error) (*contactOutput, error) {
	if err != nil {
		return nil, s.contactProblem(ctx, doing, err)
	}
	out := &contactOutput{Body: contactOf(c)}
	out.ETag = `"` + out.Body.Version + `"`
	return out, nil
}

func (s *server) getContact(ctx context.Context, in *contactInput) (*contactOutput, error) {
	c, err := s.Store.GetContact(ctx, callerOf(ctx).Namespace, in.ID)
	return s.contact(ctx, "reading a contact", c, err)
}

func (s *server) addContact(ctx context.Context, in *addContactInput) (*contactOutput, error) {
	c, err := s.Store.AddContact(ctx, store.Contact{Namespace: callerOf(ctx).Namespace, List: in.Body.List, Address: in.Body.Address, Name: in.Body.Name})
	return s.contact(ctx, "creating a contact", c, err)
}

func (s *server) putContact(ctx context.Context, in *putContactInput) (*contactOutput, error) {
	version, err := contactVersion(in.IfMatch)
	if err != nil {
		return nil, err
	}
	c, err := s.Store.ChangeContact(ctx, store.Contact{
		Namespace: callerOf(ctx).Namespace, ID: in.ID, Version: version, Address: in.Body.Address, Name: in.Body.Name,
	})
	return s.contact(ctx, "changing a contact", c, err)
}

func (s *server) deleteContact(ctx context.Context, in *deleteContactInput) (*noBody, error) {
	version, err := contactVersion(in.IfMatch)
	if err == nil {
		err = s.Store.DeleteContact(ctx, callerOf(ctx).Namespace, in.ID, version)
	}
	if err != nil {
		return nil, s.contactProblem(ctx, "deleting a contact", err)
	}
	return nil, nil
}
