package desk_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// editor may do everything with contacts.
func editor() desk.Permissions {
	p := allowed()
	p.Contacts = desk.ContactRights{Edit: "Allowed", Import: "Allowed"}
	return p
}

func TestEditContacts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.permit("alice", editor())
	body := func(address, name string) map[string]any {
		return map[string]any{"list": "customers", "address": address, "name": name}
	}
	f.want(404, desk.CodeNotFound, alice, "POST", "/v1/contacts", body("zoe@customer.example", "Zoe"))
	f.storeContacts()
	added := f.want(201, "", alice, "POST", "/v1/contacts", body("Zoe@Customer.Example", "Zoe"))
	id, _ := added.at("id").(string)
	path := "/v1/contacts/" + id
	if added.at("version") != "1" || added.header.Get("ETag") != `"1"` || added.at("address") != "Zoe@Customer.Example" || added.at("list") != "customers" {
		t.Errorf("added %s", added.raw)
	}
	f.want(409, desk.CodeContactKnown, alice, "POST", "/v1/contacts", body("zoe@customer.example", ""))
	for _, bad := range []map[string]any{
		body("zoe", ""), body("Zoe <z@customer.example>", ""), body("z@customer.example", strings.Repeat("z", 201)), body("z@customer.example", "Z\nBcc: all"),
		{"address": "z@customer.example"}, body(strings.Repeat("z", 250)+"@customer.example", ""),
	} {
		f.want(422, desk.CodeValidation, alice, "POST", "/v1/contacts", bad)
	}

	change := map[string]any{"address": "zelda@customer.example", "name": "Zelda"}
	f.want(422, desk.CodeValidation, alice, "PUT", path, change) // without a version
	f.want(412, desk.CodeContactChanged, alice, "PUT", path, change, "If-Match", `"2"`)
	f.want(412, desk.CodeContactChanged, alice, "PUT", path, change, "If-Match", `*`)
	changed := f.want(200, "", alice, "PUT", path, change, "If-Match", `"1"`)
	if changed.at("version") != "2" || changed.at("address") != "zelda@customer.example" || changed.at("id") != id {
		t.Errorf("changed %s", changed.raw)
	}
	if got := f.want(200, "", alice, "GET", path, nil); got.at("name") != "Zelda" || got.header.Get("ETag") != `"2"` {
		t.Errorf("read %s", got.raw)
	}
	f.want(201, "", alice, "POST", "/v1/contacts", body("zoe@customer.example", ""))
	f.want(409, desk.CodeContactKnown, alice, "PUT", path, map[string]any{"address": "ZOE@customer.example"}, "If-Match", "2")
	f.want(412, desk.CodeContactChanged, alice, "DELETE", path, nil, "If-Match", `"1"`)
	f.want(204, "", alice, "DELETE", path, nil, "If-Match", `"2"`)
	f.want(404, desk.CodeNotFound, alice, "DELETE", path, nil)
	f.want(404, desk.CodeNotFound, alice, "GET", path, nil)
	f.want(404, desk.CodeNotFound, alice, "PUT", path, change, "If-Match", "1")
}

// The file is imported as a whole or not at all, unless the client says that what is wrong is to be left out.
func TestImportContacts(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.permit("alice", editor())
	send := func(status int, code desk.Code, query, file string) answer {
		t.Helper()
		return f.want(status, code, alice, "POST", "/v1/contacts/import?list="+query, file, "Content-Type", "text/csv")
	}
	send(404, desk.CodeNotFound, "customers", "address\nzoe@customer.example\n")
	f.storeContacts()
	f.ok(second(f.store.AddContact(f.Context(), store.Contact{Namespace: center, List: "customers", Address: "old@customer.example"})))
	got := send(200, "", "customers", "\xef\xbb\xbfName;Address\r\n\"Quux; Zoe\";zoe@customer.example\r\nOld;OLD@customer.example\r\n")
	if d := cmp.Diff(map[string]any{"added": 1.0, "named": 1.0, "unchanged": 0.0, "refusedCount": 0.0, "refused": []any{}}, got.body); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	const file = "address,name\nfirst@customer.example,First\nno address,X\n\"second@customer.example\",\"Two\nlines\"\nFIRST@customer.example,Again\nfourth@customer.example\n" +
		"fifth@customer.example,Fifth\n"
	want := []string{
		"line 3: not an e-mail address without a display name", "line 4: a name with control characters", "line 6: the same address as line 2",
		"line 7: 1 cells, and the header has 2",
	}
	refused := send(422, desk.CodeContactsRefused, "customers", file)
	lines := []string{}
	for n := range len(want) {
		lines = append(lines, fmt.Sprintf("%v: %v", refused.at("errors", n, "location"), refused.at("errors", n, "message")))
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	count := func(want int64) {
		t.Helper()
		if n, err := f.store.CountContacts(f.Context(), agentKey("customers")); err != nil || n != want {
			t.Errorf("%d contacts, %v; want %d", n, err, want)
		}
	}
	count(2)
	report := send(200, "", "customers&refused=Skip", file)
	if report.at("added") != 2.0 || report.at("refusedCount") != 4.0 || report.at("refused", 2, "line") != 6.0 || report.at("refused", 2, "reason") != "the same address as line 2" {
		t.Errorf("report %s", report.raw)
	}
	count(4)
	for _, bad := range []string{"address,phone\nz@customer.example,1\n", "name\nZoe\n", "address,address\na@b.example,a@b.example\n", "address\n\"z\n", "address\n\xff@b.example\n"} {
		send(422, desk.CodeValidation, "customers", bad)
	}
	send(400, desk.CodeValidation, "customers", "")
	many := "address\n" + strings.Repeat("nobody\n", 10_000)
	if errs, _ := send(422, desk.CodeContactsRefused, "customers", many).at("errors").([]any); len(errs) != 100 {
		t.Errorf("%d lines are named", len(errs))
	}
	send(413, desk.CodeTooLarge, "customers", many+"nobody\n")
	send(413, desk.CodeTooLarge, "customers", strings.Repeat("x", 3<<20))
	count(4)
}

// Neither is anybody's right by default, and who does not see customers does not change them.
func TestContactRights(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.storeContacts()
	c, err := f.store.AddContact(f.Context(), store.Contact{Namespace: center, List: "customers", Address: "zoe@customer.example"})
	f.ok(err)
	masked := editor()
	masked.SensitiveData, masked.MaskedCharacters = "Masked", 4
	noModule := editor()
	noModule.Modules = without("Contacts").Modules
	for name, test := range map[string]struct {
		permissions desk.Permissions
		names       [2]string
	}{
		"default":   {allowed(), [2]string{"permissions.contacts.edit", "permissions.contacts.import"}},
		"masked":    {masked, [2]string{"sensitiveData", "sensitiveData"}},
		"no module": {noModule, [2]string{"permissions.modules.Contacts", "permissions.modules.Contacts"}},
	} {
		f.permit("alice", test.permissions)
		for _, r := range []struct {
			method, path string
			body         any
			names        string
		}{
			{"POST", "/v1/contacts", map[string]any{"list": "customers", "address": "a@customer.example"}, test.names[0]},
			{"PUT", "/v1/contacts/" + c.ID, map[string]any{"address": "a@customer.example"}, test.names[0]},
			{"DELETE", "/v1/contacts/" + c.ID, nil, test.names[0]},
			{"POST", "/v1/contacts/import?list=customers", "address\n", test.names[1]},
		} {
			refused := f.want(403, desk.CodePermissionDenied, alice, r.method, r.path, r.body, "If-Match", "1")
			if detail, _ := refused.body["detail"].(string); !strings.Contains(detail, r.names) {
				t.Errorf("%s: %s %s does not name %s: %s", name, r.method, r.path, r.names, detail)
			}
		}
	}
	if n, err := f.store.CountContacts(f.Context(), agentKey("customers")); err != nil || n != 1 {
		t.Errorf("%d contacts, %v", n, err)
	}
}

func second[T any](_ T, err error) error { return err }
