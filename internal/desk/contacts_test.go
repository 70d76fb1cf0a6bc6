package desk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// storeContacts makes customers of the account contacts of a list.
func (f *fixture) storeContacts() {
	f.Helper()
	f.ok(f.store.PutContactList(f.Context(), store.ContactList{Key: agentKey("customers")}))
	a, err := f.store.GetAccount(f.Context(), accountKey)
	f.ok(err)
	a.ContactList = "customers"
	f.ok(f.store.PutAccount(f.Context(), a))
}

// addresses of the contacts the API answers with.
func addresses(a answer) []string {
	list, _ := a.body["contacts"].([]any)
	found := []string{}
	for _, entry := range list {
		m, _ := entry.(map[string]any)
		address, _ := m["address"].(string)
		found = append(found, address)
	}
	return found
}

func TestContacts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.assign("alice")
	f.receive("before there was a list")
	f.storeContacts()
	id := f.receiveRaw(maskedCustomerMail) // and one of Zoe before it
	want := func(query string, want ...string) answer {
		t.Helper()
		a := f.want(200, "", alice, "GET", "/v1/contacts"+query, nil)
		if d := cmp.Diff(append([]string{}, want...), addresses(a)); d != "" {
			t.Errorf("%s (-want +got):\n%s", query, d)
		}
		return a
	}
	const zelda, zoe = "zelda.quux@customer.example", "zoe@customer.example"
	all := want("", zelda, zoe)
	if all.at("contacts", 0, "name") != "Zelda Quux" || all.at("contacts", 0, "list") != "customers" || all.at("nextCursor") != nil {
		t.Errorf("contacts: %s", all.raw)
	}
	want("?list=customers&q=QUUX", zelda)
	want("?list=others")
	page := want("?limit=1", zelda)
	next, _ := page.at("nextCursor").(string)
	want("?limit=1&cursor="+next, zoe)
	f.want(422, desk.CodeValidation, alice, "GET", "/v1/contacts?q="+strings.Repeat("x", 201), nil)

	detail := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil)
	if detail.at("contact", "id") != all.at("contacts", 0, "id") || detail.at("contact", "name") != "Zelda Quux" {
		t.Errorf("contact of the interaction: %s", detail.raw)
	}
	f.ok(f.store.DeleteContactList(f.Context(), agentKey("customers")))
	if detail := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil); detail.at("contact") != nil {
		t.Errorf("contact of a deleted list: %s", detail.raw)
	}
}

// Who must not see customers must not find out by guessing.
func TestMaskedAgentsDoNotSearchContacts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.storeContacts()
	f.receive("hello")
	p := allowed()
	p.SensitiveData, p.MaskedCharacters = "Masked", 4
	f.permit("alice", p)
	f.want(403, desk.CodePermissionDenied, alice, "GET", "/v1/contacts?q=zo", nil)
	a := f.want(200, "", alice, "GET", "/v1/contacts", nil)
	if a.at("contacts", 0, "address") != "***@customer.example" || a.at("contacts", 0, "name") != "***" {
		t.Errorf("contacts: %s", a.raw)
	}
}
