package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// storesIn makes the account support store its contacts in a list.
func (c *center) storesIn(list string) {
	c.t.Helper()
	a, err := c.GetAccount(c.ctx, key("support"))
	c.must(err)
	a.ContactList = list
	c.must(c.PutAccount(c.ctx, a))
}

func (c *center) mailFrom(address, name string, threadKeys ...string) store.IngestMail {
	m := c.mail(threadKeys...)
	m.Message.From, m.CustomerName = address, name
	return m
}

// contacts are the addresses, with names, that a filter finds.
func (c *center) contacts(f store.ContactFilter) []string {
	c.t.Helper()
	f.Namespace = ns
	if f.Limit == 0 {
		f.Limit = 100
	}
	list, err := c.ListContacts(c.ctx, f)
	c.must(err)
	found := []string{}
	for _, contact := range list {
		if contact.Namespace != ns || contact.ID == "" || contact.CreatedAt.IsZero() {
			c.t.Fatalf("contact %+v", contact)
		}
		found = append(found, strings.TrimSpace(contact.Name+" <"+contact.Address+">"))
	}
	return found
}

func (c *center) wantContacts(f store.ContactFilter, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), c.contacts(f)); diff != "" {
		c.t.Fatalf("contacts of %+v (-want +got):\n%s", f, diff)
	}
}

// wantContactEvents: one for a batch with somebody new.
func (c *center) wantContactEvents(after store.Cursor, want int) {
	c.t.Helper()
	got := 0
	for _, kind := range c.eventKinds(after) {
		if kind == store.EventContacts {
			got++
		}
	}
	if got != want {
		c.t.Fatalf("%d events, want %d", got, want)
	}
}

func testContacts(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	c.storesIn("customers")
	c.newInteraction()
	c.wantContacts(store.ContactFilter{}) // the list does not exist yet
	for range 2 {
		c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers"), DisplayName: "Customers"}))
	}
	before := c.cursor()
	first := c.mailFrom("Zoe@Customer.Example", "")
	res := c.ingest(first, c.mailFrom("zoe@customer.example", ""), c.mailFrom("bounce@customer.example", "Mailer"), c.mailFrom("nobody", "No address"))
	c.wantContacts(store.ContactFilter{}, "<Zoe@Customer.Example>", "Mailer <bounce@customer.example>")
	c.wantContactEvents(before, 1)
	i := c.get(res[0].InteractionID)
	contact, err := c.ContactOf(c.ctx, i)
	if err != nil || contact.List != "customers" || contact.Address != "Zoe@Customer.Example" || contact.Name != "" {
		t.Fatalf("%+v, %v", contact, err)
	}
	// What came before and what machines write changes nothing; the first name that is one does, and the next does not.
	before = c.cursor()
	machine := c.mailFrom("robot@customer.example", "Robot")
	machine.Automatic = true
	first.CustomerName = "Twice"
	c.ingest(first, machine, c.mailFrom("zoe@customer.example", "ZOE@customer.example"))
	c.wantContacts(store.ContactFilter{Text: "zoe"}, "<Zoe@Customer.Example>")
	c.ingest(c.mailFrom("ZOE@customer.example", " Zoe Quux "), c.mailFrom("zoe@customer.example", "Other"))
	c.ingest(c.mailFrom("zoe@customer.example", "Another"))
	c.wantContacts(store.ContactFilter{Text: "zoe"}, "Zoe Quux <Zoe@Customer.Example>")
	c.wantContactEvents(before, 0)
	if n, err := c.CountContacts(c.ctx, key("customers")); err != nil || n != 2 {
		t.Fatalf("%d contacts, %v", n, err)
	}
	testContactLists(t, c, i)
}

// testContactLists is about lists that come and go; customers has two contacts, one of them the customer of i.
func testContactLists(t *testing.T, c *center, i store.Interaction) {
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("others")}))
	c.storesIn("others")
	wantErr(t, second(c.ContactOf(c.ctx, i)), store.ErrNotFound)
	c.ingest(c.mailFrom("100%@customer.example", "Ünal"))
	c.wantContacts(store.ContactFilter{}, "Ünal <100%@customer.example>", "Zoe Quux <Zoe@Customer.Example>", "Mailer <bounce@customer.example>")
	c.wantContacts(store.ContactFilter{List: "others"}, "Ünal <100%@customer.example>")
	c.wantContacts(store.ContactFilter{Text: "0%@"}, "Ünal <100%@customer.example>")
	c.wantContacts(store.ContactFilter{Text: "QUUX"}, "Zoe Quux <Zoe@Customer.Example>")
	c.wantContacts(store.ContactFilter{Text: "%x"})
	page, err := c.ListContacts(c.ctx, store.ContactFilter{Namespace: ns, Limit: 2})
	c.must(err)
	c.wantContacts(store.ContactFilter{After: page[1].ID}, "Mailer <bounce@customer.example>")
	if other, err := c.ListContacts(c.ctx, store.ContactFilter{Namespace: "elsewhere", Limit: 10}); err != nil || len(other) > 0 {
		t.Fatalf("of another center: %+v, %v", other, err)
	}

	c.storesIn("customers")
	for range 2 {
		c.must(c.DeleteContactList(c.ctx, key("customers")))
	}
	c.ingest(c.mailFrom("late@customer.example", "Late"))
	c.wantContacts(store.ContactFilter{List: "customers"})
	wantErr(t, second(c.ContactOf(c.ctx, i)), store.ErrNotFound)
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers")}))
	c.wantContacts(store.ContactFilter{List: "customers"}, "Zoe Quux <Zoe@Customer.Example>", "Mailer <bounce@customer.example>")
	c.must(c.DeleteContactList(c.ctx, key("customers")))
	c.must(c.PurgeContacts(c.ctx, key("customers")))
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers")}))
	c.wantContacts(store.ContactFilter{}, "Ünal <100%@customer.example>")
}

// testContactRace: accounts that store in one list get the same customers' mails at the same time.
func testContactRace(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	c.must(c.PutContactList(c.ctx, store.ContactList{Key: key("customers")}))
	const accounts, batches, customers = 4, 5, 20
	var wg sync.WaitGroup
	for a := range accounts {
		name := fmt.Sprintf("account-%d", a)
		c.must(c.PutAccount(c.ctx, store.Account{Key: key(name), Address: name + "@example.com", Queue: "mail", Active: true, ContactList: "customers"}))
		lease, _, err := c.AcquireLease(c.ctx, name, "test", time.Hour)
		c.must(err)
		var mails [batches][]store.IngestMail
		for b := range batches {
			for n := range customers {
				// Each account in another order.
				mails[b] = append(mails[b], c.mailFrom(fmt.Sprintf("customer-%d@example.net", (n*(2*a+1))%customers), ""))
			}
		}
		wg.Go(func() {
			for _, batch := range mails {
				if _, err := c.Ingest(c.ctx, lease, key(name), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, err := c.CountContacts(c.ctx, key("customers")); err != nil || n != customers {
		t.Fatalf("%d contacts, %v", n, err)
	}
}
