package operatorapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

const ns = "acme"

func key(name string) store.Key { return store.Key{Namespace: ns, Name: name} }

// doorman lets everybody in but forbids a namespace, and remembers what was asked.
type doorman struct{ asked []operatorapi.Attributes }

func (d *doorman) Allow(r *http.Request, a operatorapi.Attributes) (string, error) {
	d.asked = append(d.asked, a)
	switch {
	case r.Header.Get("Authorization") == "":
		return "", operatorapi.ErrUnknownCaller
	case a.Namespace != ns:
		return "olga", fmt.Errorf("%w: olga may not", operatorapi.ErrForbidden)
	}
	return "olga", nil
}

type desk struct {
	t      *testing.T
	db     *store.DB
	door   *doorman
	server *httptest.Server
	lease  store.Lease
	uid    uint32
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := storetest.SQLite(t)
	d := &desk{t: t, db: db, door: &doorman{}}
	d.server = httptest.NewServer(operatorapi.New(operatorapi.Options{
		Store: db, Access: d.door, Logger: slog.New(slog.DiscardHandler),
		Audit: func(_ context.Context, account store.Key) (wire.Audit, error) {
			if account != key("support") {
				return wire.Audit{}, &remote.Error{Reason: "AuthFailed", Message: "the server refused the password"}
			}
			return wire.Audit{Mailbox: "INBOX", Mails: []wire.AuditedMail{{UID: 7, Verdict: wire.MailMissing}}}, nil
		},
	}))
	t.Cleanup(d.server.Close)
	lease, _, err := db.AcquireLease(t.Context(), "support", "test", time.Hour)
	d.must(err)
	d.lease = lease
	d.must(db.PutAccount(t.Context(), store.Account{Key: key("support"), Label: "S", Address: "support@example.com", Queue: "mail", Active: true}))
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// queue "mail" with these members.
func (d *desk) queue(agents ...string) {
	d.t.Helper()
	q := store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute}
	for i, a := range agents {
		q.Members = append(q.Members, store.QueueMember{Agent: a, Penalty: i})
	}
	d.must(d.db.PutQueue(d.t.Context(), q))
}

func (d *desk) agent(name string, active bool, p store.Presence) {
	d.t.Helper()
	d.must(d.db.PutAgent(d.t.Context(), store.Agent{Key: key(name), Username: name, Active: active, EmailCapacity: 1}))
	p.Agent = key(name)
	d.must(d.db.SetPresence(d.t.Context(), p))
}

func (d *desk) mail() string {
	d.t.Helper()
	d.uid++
	results, err := d.db.Ingest(d.t.Context(), d.lease, key("support"), []store.IngestMail{{
		Mailbox: "INBOX", UIDValidity: 1, UID: d.uid, Kind: store.IngestMessage, SHA256: fmt.Sprint(d.uid), Raw: []byte("x"), CustomerName: "Carla Secret",
		Message: store.Message{Account: "support", Direction: store.Inbound, State: store.MessageStored, From: "carla@secret.example", Subject: "Secret"},
	}})
	d.must(err)
	return results[0].InteractionID
}

func (d *desk) route() {
	d.t.Helper()
	_, err := d.db.Route(d.t.Context(), 100, routing.Decide)
	d.must(err)
}

func (d *desk) get(path string, answer any) int {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.server.URL+path, nil)
	d.must(err)
	request.Header.Set("Authorization", "Bearer x")
	response, err := http.DefaultClient.Do(request)
	d.must(err)
	defer func() { _ = response.Body.Close() }()
	d.must(json.NewDecoder(response.Body).Decode(answer))
	return response.StatusCode
}

func (d *desk) why(id string) wire.Why {
	d.t.Helper()
	var why wire.Why
	if status := d.get("/v1/namespaces/acme/interactions/"+id, &why); status != http.StatusOK {
		d.t.Fatalf("status %d", status)
	}
	return why
}

func TestListPages(t *testing.T) {
	d := newDesk(t)
	d.queue()
	want := []string{}
	for range 5 {
		want = append([]string{d.mail()}, want...)
	}
	var got []string
	cursor, pages := "", 0
	for {
		var page wire.InteractionList
		if status := d.get("/v1/namespaces/acme/interactions?state=Queued&limit=2&account=support&cursor="+cursor, &page); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		for _, i := range page.Interactions {
			got = append(got, i.ID)
		}
		pages++
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, -want +got:\n%s", pages, diff)
	}
	if a := d.door.asked[0]; a != (operatorapi.Attributes{Verb: "list", Resource: "interactions", Namespace: ns}) {
		t.Errorf("asked for %+v", a)
	}
	var none wire.InteractionList
	if d.get("/v1/namespaces/acme/interactions?state=Open", &none); len(none.Interactions) != 0 {
		t.Errorf("open ones: %v", none)
	}
}

func TestWhyOfferedToAll(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"ann", "ben"} {
		d.agent(name, true, store.Presence{SignedIn: true})
	}
	d.must(d.db.PutQueue(t.Context(), store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: string(routing.BeepAll),
		OfferTimeout: time.Minute, Members: []store.QueueMember{{Agent: "ann"}, {Agent: "ben"}}}))
	id := d.mail()
	d.route()
	if got := d.why(id).Waiting; !strings.HasPrefix(got, "offered to ann, ben, who have until") {
		t.Errorf("waiting: %s", got)
	}
}

func TestWhyInQueue(t *testing.T) {
	d := newDesk(t)
	d.agent("full", true, store.Presence{SignedIn: true})
	d.agent("paused", true, store.Presence{SignedIn: true, Paused: true, Reason: "Lunch"})
	d.agent("away", true, store.Presence{})
	d.agent("gone", false, store.Presence{})
	d.queue("full", "paused", "away", "gone")
	first, second := d.mail(), d.mail()
	d.route()
	offered := d.why(first)
	if offered.Interaction.State != "Offered" || !strings.Contains(offered.Waiting, "offered to full, who has until") {
		t.Errorf("first: %+v", offered)
	}
	why := d.why(second)
	want := []wire.Member{
		{Agent: "full", Penalty: 0, Verdict: wire.MemberFull, Detail: "holds 1 of 1"},
		{Agent: "paused", Penalty: 1, Verdict: wire.MemberPaused, Detail: "Lunch"},
		{Agent: "away", Penalty: 2, Verdict: wire.MemberSignedOut},
		{Agent: "gone", Penalty: 3, Verdict: wire.MemberDeactivated},
	}
	if diff := cmp.Diff(want, why.Members); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(why.Waiting, "4 members: 1 Full, 1 Paused, 1 SignedOut, 1 Deactivated; it is offered when") {
		t.Error(why.Waiting)
	}
	if len(why.History) != 1 || why.History[0].Reason != "Ingested" || why.Now.IsZero() {
		t.Errorf("history: %+v at %s", why.History, why.Now)
	}
	d.queue()
	if why := d.why(second); !strings.Contains(why.Waiting, "has no members") {
		t.Error(why.Waiting)
	}
	d.must(d.db.DeleteQueue(t.Context(), key("mail")))
	if why := d.why(second); !strings.Contains(why.Waiting, "nobody's queue: QueueDeleted") {
		t.Error(why.Waiting)
	}
}

func TestWhyWrapUpAndDeclined(t *testing.T) {
	d := newDesk(t)
	d.agent("ann", true, store.Presence{SignedIn: true})
	d.agent("ben", true, store.Presence{SignedIn: true})
	d.queue("ann", "ben")
	q, err := d.db.GetQueue(t.Context(), key("mail"))
	d.must(err)
	q.WrapUpTime = time.Hour
	d.must(d.db.PutQueue(t.Context(), q))
	first, second := d.mail(), d.mail()
	d.route()
	i, err := d.db.Accept(t.Context(), ns, first, "ann")
	d.must(err)
	_, err = d.db.CloseInteraction(t.Context(), ns, i.ID, "ann", store.Disposal{})
	d.must(err)
	_, err = d.db.Reject(t.Context(), ns, second, "ben")
	d.must(err)
	d.route()
	why := d.why(second)
	if len(why.Members) != 2 || why.Members[0].Verdict != wire.MemberWrapUp || !strings.HasPrefix(why.Members[0].Detail, "until ") {
		t.Errorf("members: %+v", why.Members)
	}
	if !strings.Contains(why.Waiting, "1 Free, 1 WrapUp; when it was looked at last: everyone available declined; ann in wrap-up until ") {
		t.Error(why.Waiting)
	}
}

func TestWhyForOneAgent(t *testing.T) {
	d := newDesk(t)
	d.agent("ann", true, store.Presence{SignedIn: true})
	d.agent("ben", true, store.Presence{})
	d.queue("ann", "ben")
	a, err := d.db.GetAccount(t.Context(), key("support"))
	d.must(err)
	a.Routing = routing.Rules{TransferToAgent: time.Hour}
	d.must(d.db.PutAccount(t.Context(), a))
	id := d.mail()
	d.route()
	_, err = d.db.Accept(t.Context(), ns, id, "ann")
	d.must(err)
	_, err = d.db.Transfer(t.Context(), ns, id, "ann", store.TransferTarget{Kind: store.TransferToAgent, Name: "ben"})
	d.must(err)
	d.route()
	if why := d.why(id); why.Waiting != "waits for ben: signed out; nobody else is asked meanwhile" || len(why.Members) > 0 {
		t.Errorf("%q, members %v", why.Waiting, why.Members)
	}
}

// Nothing of a customer leaves, whatever is asked.
func TestNothingOfCustomers(t *testing.T) {
	d := newDesk(t)
	d.queue()
	id := d.mail()
	for _, path := range []string{"/v1/namespaces/acme/interactions", "/v1/namespaces/acme/interactions/" + id} {
		var raw json.RawMessage
		if d.get(path, &raw); strings.Contains(strings.ToLower(string(raw)), "secret") {
			t.Errorf("%s says %s", path, raw)
		}
	}
}

func TestAuditAsks(t *testing.T) {
	d := newDesk(t)
	var found wire.Audit
	if status := d.get("/v1/namespaces/acme/emailaccounts/support/audit", &found); status != http.StatusOK || len(found.Mails) != 1 || found.Mails[0].UID != 7 {
		t.Errorf("%d %+v", status, found)
	}
	if a := d.door.asked[0]; a != (operatorapi.Attributes{Verb: "get", Resource: "emailaccounts", Subresource: "audit", Namespace: ns, Name: "support"}) {
		t.Errorf("asked for %+v", a)
	}
	var said wire.Error
	if status := d.get("/v1/namespaces/acme/emailaccounts/other/audit", &said); status != http.StatusBadGateway || said.Message != "the mail server: the server refused the password" {
		t.Errorf("%d %q", status, said.Message)
	}
}

func TestRefusals(t *testing.T) {
	d := newDesk(t)
	for path, want := range map[string]int{
		"/v1/namespaces/acme/interactions/none":     http.StatusNotFound,
		"/v1/namespaces/other/interactions":         http.StatusForbidden,
		"/v1/namespaces/acme/interactions?limit=0":  http.StatusBadRequest,
		"/v1/namespaces/acme/interactions?limit=5k": http.StatusBadRequest,
	} {
		var said wire.Error
		if status := d.get(path, &said); status != want || said.Message == "" {
			t.Errorf("%s: %d %q, want %d", path, status, said.Message, want)
		}
	}
	response, err := http.Get(d.server.URL + "/v1/namespaces/acme/interactions")
	d.must(err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without credentials: %d", response.StatusCode)
	}
	_ = d.db.Close()
	var said wire.Error
	if status := d.get("/v1/namespaces/acme/interactions", &said); status != http.StatusServiceUnavailable || strings.Contains(said.Message, "sql") {
		t.Errorf("without a store: %d %q", status, said.Message)
	}
}

var _ operatorapi.Store = (*store.DB)(nil)
