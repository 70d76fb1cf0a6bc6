package desk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/csvfile"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Limits on a file of contacts.
const (
	maxImport      = 10_000
	maxImportBytes = 2 << 20
	// maxRefused is how many refused lines are named.
	maxRefused = 100
)

// refusedSkip imports the lines that can be.
const refusedSkip = "Skip"

// RefusedLine of a file.
type RefusedLine struct {
	Line   int    `json:"line" doc:"Where it begins; the header is line 1"`
	Reason string `json:"reason" example:"not an e-mail address without a display name" doc:"Why; it does not repeat what the line says"`
}

// ContactImport says what became of a file.
type ContactImport struct {
	Added        int           `json:"added" doc:"New contacts"`
	Named        int           `json:"named" doc:"Contacts that had no name and have that of the file now"`
	Unchanged    int           `json:"unchanged" doc:"Contacts that the list had"`
	RefusedCount int           `json:"refusedCount" doc:"Lines that were left out; not 0 with refused=Skip only"`
	Refused      []RefusedLine `json:"refused" doc:"The first 100 of them"`
}

type importContactsInput struct {
	List    string `query:"list" required:"true" minLength:"1" maxLength:"253" doc:"ContactList that the contacts go to"`
	Refused string `query:"refused" enum:"Abort,Skip" default:"Abort" doc:"Abort: one line that cannot be imported, and nothing is (CONTACTS_REFUSED). Skip: the others are"`
	RawBody []byte `contentType:"text/csv"`
}

type importContactsOutput struct{ Body ContactImport }

func (s *server) registerContactImport(api huma.API) {
	op := operation("importContacts", http.MethodPost, contactsPath+"/import", "Load a file of contacts")
	op.Description = fmt.Sprintf("The body is CSV (RFC 4180) in UTF-8, with commas or semicolons: the columns address and name, named by the first line, name may be left out. "+
		"At most %d lines and %d bytes. All of them are imported, or nothing is. Contacts that the list has stay; one without a name gets that of the file.", maxImport, maxImportBytes)
	op.MaxBodyBytes = maxImportBytes + 1 // a body of this size is refused
	op.BodyReadTimeout = downloadTimeout
	op.Middlewares = huma.Middlewares{s.waitForRoom}
	op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(op, moduleContacts, importContacts, sensitiveData), s.importContacts)
}

func (s *server) importContacts(ctx context.Context, in *importContactsInput) (*importContactsOutput, error) {
	contacts, refused, err := readContacts(in.RawBody)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 && in.Refused != refusedSkip {
		return nil, refusedLines(refused)
	}
	done, err := s.Store.ImportContacts(ctx, store.Key{Namespace: callerOf(ctx).Namespace, Name: in.List}, contacts)
	if err != nil {
		return nil, s.contactProblem(ctx, "importing contacts", err)
	}
	out := &importContactsOutput{Body: ContactImport{Added: done.Added, Named: done.Named, Unchanged: done.Unchanged, RefusedCount: len(refused)}}
	out.Body.Refused = append([]RefusedLine{}, refused[:min(len(refused), maxRefused)]...)
	return out, nil
}

func refusedLines(refused []RefusedLine) *Problem {
	p := problem(CodeContactsRefused, fmt.Sprintf("%d lines cannot be imported; nothing was", len(refused)))
	for _, r := range refused[:min(len(refused), maxRefused)] {
		p.Errors = append(p.Errors, ProblemDetail{Location: fmt.Sprintf("line %d", r.Line), Message: r.Reason})
	}
	return p
}

// contactColumns are where a file has them; name is -1 in one without.
type contactColumns struct{ address, name, count int }

// readContacts of a file, each address once, and the lines that are none. A file that cannot be read as a whole is a problem.
func readContacts(file []byte) ([]store.Contact, []RefusedLine, error) {
	records, lines, err := csvfile.Read(file)
	if err != nil {
		return nil, nil, problem(CodeValidation, err.Error())
	}
	if len(records)-1 > maxImport {
		return nil, nil, problem(CodeTooLarge, fmt.Sprintf("%d lines, at most %d", len(records)-1, maxImport))
	}
	columns, err := columnsOf(records[0])
	if err != nil {
		return nil, nil, err
	}
	var contacts []store.Contact
	var refused []RefusedLine
	seen := map[string]int{}
	for n, record := range records[1:] {
		c, reason := columns.contact(record)
		known := strings.ToLower(c.Address)
		if first, ok := seen[known]; ok && reason == "" {
			reason = fmt.Sprintf("the same address as line %d", first)
		}
		if reason != "" {
			refused = append(refused, RefusedLine{Line: lines[n+1], Reason: reason})
			continue
		}
		seen[known] = lines[n+1]
		contacts = append(contacts, c)
	}
	return contacts, refused, nil
}

func columnsOf(header []string) (contactColumns, error) {
	names := make([]string, 0, len(header))
	for _, cell := range header {
		names = append(names, strings.ToLower(strings.TrimSpace(cell)))
	}
	c := contactColumns{slices.Index(names, "address"), slices.Index(names, "name"), len(names)}
	known := 1
	if c.name >= 0 {
		known = 2
	}
	if c.address < 0 || len(names) != known {
		return c, problem(CodeValidation, "the first line names other columns than address and name")
	}
	return c, nil
}

// contact of a line, or why it is none.
func (c contactColumns) contact(record []string) (contact store.Contact, reason string) {
	if len(record) != c.count {
		return contact, fmt.Sprintf("%d cells, and the header has %d", len(record), c.count)
	}
	contact.Address = strings.TrimSpace(record[c.address])
	if c.name >= 0 {
		contact.Name = strings.TrimSpace(record[c.name])
	}
	switch {
	case !isAddress(contact.Address):
		return contact, "not an e-mail address without a display name"
	case utf8.RuneCountInString(contact.Name) > maxContactName:
		return contact, fmt.Sprintf("a name of more than %d characters", maxContactName)
	case strings.ContainsFunc(contact.Name, unicode.IsControl):
		return contact, "a name with control characters"
	}
	return contact, ""
}
