package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testContactEdit(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	zoe := store.Contact{Namespace: ns, List: "customers", Address: "Zoe@Customer.Example", Name: " Zoe "}
	wantErr(t, second(c.AddContact(c.ctx, zoe)), store.ErrNotFound)
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers")}))
	c.storesIn("customers")
	before := c.cursor()
	added, err := c.AddContact(c.ctx, zoe)
	c.must(err)
	want := store.Contact{ID: added.ID, Namespace: ns, List: "customers", Address: "Zoe@Customer.Example", Name: "Zoe", CreatedAt: added.CreatedAt, Version: 1}
	is := func(want store.Contact) {
		t.Helper()
		got, err := c.GetContact(c.ctx, ns, want.ID)
		c.must(err)
		if diff := cmp.Diff(want, got); diff != "" || got.CreatedAt.IsZero() {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
	is(want)
	if added != want {
		t.Fatalf("%+v", added)
	}
	c.wantContactEvents(before, 1)
	for _, address := range []string{"", "zoe", strings.Repeat("z", 320) + "@customer.example"} {
		wantErr(t, second(c.AddContact(c.ctx, store.Contact{Namespace: ns, List: "customers", Address: address})), store.ErrNoAddress)
	}
	wantErr(t, second(c.AddContact(c.ctx, store.Contact{Namespace: ns, List: "customers", Address: "zoe@customer.example"})), store.ErrConflict)
	wantErr(t, second(c.GetContact(c.ctx, "elsewhere", want.ID)), store.ErrNotFound)

	change := want
	change.Address, change.Name = "zelda@customer.example", "Zelda"
	changed, err := c.ChangeContact(c.ctx, change)
	c.must(err)
	want.Address, want.Name, want.Version = change.Address, change.Name, 2
	is(want)
	if changed != want {
		t.Fatalf("%+v", changed)
	}
	wantErr(t, second(c.ChangeContact(c.ctx, change)), store.ErrVersion)
	c.ingest(c.mailFrom("ZELDA@customer.example", "Other"), c.mailFrom("zoe@customer.example", "")) // whom mails know by the new address; the old one is somebody else's
	is(want)
	c.wantContacts(store.ContactFilter{}, "<zoe@customer.example>", "Zelda <zelda@customer.example>")
	change = want
	change.Address = "ZOE@customer.example"
	wantErr(t, second(c.ChangeContact(c.ctx, change)), store.ErrConflict)
	change.Address = "ZELDA@customer.example" // its own, in other letters
	_, err = c.ChangeContact(c.ctx, change)
	c.must(err)
	change.Address, change.Version = "zelda", 3
	wantErr(t, second(c.ChangeContact(c.ctx, change)), store.ErrNoAddress)
	change.ID, change.Address = "0190a8a0-1111-7000-8000-000000000001", "zelda@customer.example"
	wantErr(t, second(c.ChangeContact(c.ctx, change)), store.ErrNotFound)

	wantErr(t, c.DeleteContact(c.ctx, ns, want.ID, 2), store.ErrVersion)
	wantErr(t, c.DeleteContact(c.ctx, "elsewhere", want.ID, 0), store.ErrNotFound)
	before = c.cursor()
	c.must(c.DeleteContact(c.ctx, ns, want.ID, 3))
	c.wantContactEvents(before, 1)
	wantErr(t, c.DeleteContact(c.ctx, ns, want.ID, 0), store.ErrNotFound)
	c.ingest(c.mailFrom("zelda@customer.example", "Zelda Quux"))
	c.wantContacts(store.ContactFilter{}, "Zelda Quux <zelda@customer.example>", "<zoe@customer.example>")
	c.must(c.DeleteContactList(c.ctx, key("customers")))
	wantErr(t, second(c.GetContact(c.ctx, ns, want.ID)), store.ErrNotFound)
}

// testContactImport: a file of many, while mails of the same customers come in.
func testContactImport(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	wantErr(t, second(c.ImportContacts(c.ctx, key("customers"), []store.Contact{{Address: "a@customer.example"}})), store.ErrNotFound)
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers")}))
	c.storesIn("customers")
	c.ingest(c.mailFrom("zoe@customer.example", ""), c.mailFrom("zelda@customer.example", "Zelda"))
	before := c.cursor()
	done, err := c.ImportContacts(c.ctx, key("customers"), []store.Contact{
		{Address: "ZOE@customer.example", Name: "Zoe"}, {Address: "zelda@customer.example", Name: "Other"}, {Address: "new@customer.example", Name: "New"},
	})
	if want := (store.ContactImport{Added: 1, Named: 1, Unchanged: 1}); err != nil || done != want {
		t.Fatalf("%+v, %v", done, err)
	}
	c.wantContacts(store.ContactFilter{}, "New <new@customer.example>", "Zoe <zoe@customer.example>", "Zelda <zelda@customer.example>")
	c.wantContactEvents(before, 1)
	wantErr(t, second(c.ImportContacts(c.ctx, key("customers"), []store.Contact{{Address: "b@customer.example"}, {Address: "nobody"}})), store.ErrNoAddress)
	c.wantContacts(store.ContactFilter{Text: "b@"})

	const customers = 3000
	var file []store.Contact
	var mails []store.IngestMail
	for n := range customers {
		file = append(file, store.Contact{Address: fmt.Sprintf("customer-%d@example.net", n), Name: fmt.Sprintf("Customer %d", n)})
		if n%100 == 0 {
			mails = append(mails, c.mailFrom(fmt.Sprintf("CUSTOMER-%d@example.net", customers-1-n), ""))
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.ingest(mails...) })
	for range 2 {
		wg.Go(func() {
			if _, err := c.ImportContacts(c.ctx, key("customers"), file); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := c.CountContacts(c.ctx, key("customers")); err != nil || n != customers+3 {
		t.Fatalf("%d contacts, %v", n, err)
	}
	c.wantContacts(store.ContactFilter{Text: "customer-2999@"}, "Customer 2999 <"+c.addressOf("customer-2999@")+">")
}

// addressOf the one contact that a text finds, as it was written first.
func (c *center) addressOf(text string) string {
	c.t.Helper()
	list, err := c.ListContacts(c.ctx, store.ContactFilter{Namespace: ns, Text: text, Limit: 2})
	c.must(err)
	if len(list) != 1 {
		c.t.Fatalf("%d contacts with %s", len(list), text)
	}
	return list[0].Address
}
