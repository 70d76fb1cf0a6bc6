package desk_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// exported are the rows of an export, by column.
func (f *fixture) exported(token, query string) []map[string]string {
	f.Helper()
	a := f.want(200, "", token, "GET", "/v1/interactions.csv"+query, nil)
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
	if err != nil || kind != "attachment" || !strings.HasSuffix(params["filename"], ".csv") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		f.Errorf("headers %v", a.header)
	}
	records, err := csv.NewReader(bytes.NewReader(a.raw)).ReadAll()
	f.ok(err)
	rows := []map[string]string{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for n, title := range records[0] {
			row[title] = record[n]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestExport(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.login("alice"), f.login("bob")
	f.assign("alice")
	id := f.receive("Comma, \"quotes\" and Grüße")
	f.want(200, "", alice, "PATCH", "/v1/interactions/"+id, map[string]any{"title": "=1+1", "tags": []string{"vip", "lamp"}})
	for n := range 249 { // more than two pages
		f.receive(fmt.Sprintf("Mail %d", n))
	}
	rows, listed := f.exported(alice, ""), f.ids(alice, "/v1/interactions?limit=100")
	if len(rows) != 250 {
		t.Fatalf("%d rows", len(rows))
	}
	seen := map[string]bool{}
	for n, row := range rows {
		if n < len(listed) && row["id"] != listed[n] {
			t.Errorf("row %d is %s, the list has %s", n, row["id"], listed[n])
		}
		seen[row["id"]] = true
	}
	if len(seen) != 250 {
		t.Errorf("%d different rows", len(seen))
	}
	last := rows[249]
	for _, column := range []string{"createdAt", "updatedAt"} {
		_, err := time.Parse(time.RFC3339, last[column])
		f.ok(err)
		delete(last, column)
	}
	want := map[string]string{
		"id": id, "state": "Queued", "account": "info", "queue": "mail", "agent": "", "title": "'=1+1", "subject": "Comma, \"quotes\" and Grüße",
		"tags": "lamp,vip", "customerAddress": "zoe@customer.example", "customerName": "Zoe", "read": "false", "messageCount": "1",
		"lastDirection": "Inbound", "disposition": "", "dispositionNote": "",
	}
	if d := cmp.Diff(want, last); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for query, want := range map[string]int{"?tags=lamp": 1, "?tags=other": 0, "?state=Closed": 0, "?mine=true": 0, "?mine=true&state=Closed": 0, "?text=mail%201": 111} {
		if got := len(f.exported(alice, query)); got != want {
			t.Errorf("%s: %d rows, want %d", query, got, want)
		}
	}
	if rows := f.exported(bob, ""); len(rows) != 0 {
		t.Errorf("the interactions of others: %v", rows)
	}
	f.want(400, desk.CodeDuplicateFilter, alice, "GET", "/v1/interactions.csv?text=a&text=b", nil)
	f.want(422, desk.CodeValidation, alice, "GET", "/v1/interactions.csv?limit=3", nil)
}

func TestExportIsMasked(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	f.assign("alice")
	f.receiveRaw(maskedCustomerMail)
	p := allowed()
	p.SensitiveData, p.MaskedCharacters = "Masked", 4
	f.permit("alice", p)
	row := f.exported(alice, "")[0]
	if row["customerAddress"] != "zelda.****@customer.example" || row["customerName"] != "Z**** ****" || row["subject"] != "Z**** **** wants a call" {
		t.Errorf("%v", row)
	}
}

// largeStore has more interactions than it really has, or fails while they are read.
type largeStore struct {
	store.Store
	count int
	fails bool
}

func (s *largeStore) CountInteractions(ctx context.Context, f store.InteractionFilter) (int, error) {
	if s.count > 0 {
		return s.count, nil
	}
	return s.Store.CountInteractions(ctx, f)
}

func (s *largeStore) ListInteractions(ctx context.Context, f store.InteractionFilter) ([]store.Interaction, error) {
	if s.fails && f.After != "" {
		return nil, errors.New("the database has gone")
	}
	return s.Store.ListInteractions(ctx, f)
}

// A file is whole, or it is none.
func TestNoPartOfAnExport(t *testing.T) {
	db := storetest.SQLite(t)
	large := &largeStore{Store: db, count: 10_001}
	f := newFixtureOn(t, large)
	alice := f.login("alice")
	f.want(422, desk.CodeExportTooLarge, alice, "GET", "/v1/interactions.csv", nil)
	f.want(422, desk.CodeExportTooLarge, alice, "GET", "/v1/interactions.csv?mine=true", nil)
	large.count = 10_000
	f.want(200, "", alice, "GET", "/v1/interactions.csv", nil)

	large.count, large.fails = 0, true
	f.assign("alice")
	for n := range 101 {
		f.receive(fmt.Sprintf("Mail %d", n))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/v1/interactions.csv", nil)
	f.ok(err)
	request.Header.Set("Authorization", "Bearer "+alice)
	response, err := http.DefaultClient.Do(request)
	f.ok(err)
	defer func() { _ = response.Body.Close() }()
	if part, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("%d bytes look like the whole file", len(part))
	}
}
