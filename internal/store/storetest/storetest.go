// Package storetest is the contract of store.Store as tests. Every implementation runs the whole of it.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Open makes a new, empty store that is closed when the test ends.
type Open func(t testing.TB, opts ...store.Option) store.Store

// Run runs the contract.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Extensions":    testExtensions,
		"KeptExtension": testKeptExtension,
		"Directory":     testDirectory,
		"Credentials":   testCredentials,
		"Presence":      testPresence,
		"Abandoned":     testAbandoned,
		"Leases":        testLeases,
		"Ingest":        testIngest,
		"MailFlags":     testMailFlags,
		"IngestAgain":   testIngestAgain,
		"Threads":       testThreads,
		"Interactions":  testInteractions,
		"Routing":       testRouting,
		"BeepAll":       testBeepAll,
		"WrapUp":        testWrapUp,
		"Weight":        testWeight,
		"QueueFigures":  testQueueFigures,
		"MailFigures":   testAccountFigures,
		"Replies":       testReplies,
		"Inactivity":    testInactivity,
		"Legacy":        testLegacy,
		"AutoAnswer":    testAutoAnswer,
		"Transfers":     testTransfers,
		"Concurrency":   testConcurrency,
		"Outbox":        testOutbox,
		"Events":        testEvents,
		"Registrations": testRegistrations,
		"Telephones":    testTelephones,
		"Seats":         testSeats,
		"SeatRace":      testSeatRace,
		"Forwards":      testForwards,
		"Voicemail":     testVoicemail,
		"Calls":         testCalls,
		"CallLists":     testCallLists,
		"Recordings":    testRecordings,
		"CallCommands":  testCallCommands,
		"RecordedCalls": testRecordedCalls, "RecordingReads": testRecordingReads, "RecordingDownloads": testRecordingDownloads,
		"ClaimRace":     testClaimRace,
		"SystemMails":   testSystemMails,
		"NewVoicemail":  testNewVoicemail,
		"SignInLocks":   testSignInLocks,
		"MailLocations": testMailLocations,
		"LockRace":      testLockRace,
		"PasswordLinks": testPasswordLinks,
		"Invitations":   testInvitations,
		"InviteRace":    testInvitationRace,
		"Avatars":       testAvatars,
		"Logos":         testLogos,
		"DeleteAccount": testDeleteAccount,
		"Desk":          testDesk,
		"Flows":         testFlows,
		"Contacts":      testContacts,
		"ContactRace":   testContactRace,
		"ContactEdit":   testContactEdit,
		"ContactImport": testContactImport,
		"Dispositions":  testDispositions,
		"Disposing":     testDisposing,
		"DisposingRace": testDisposingRace,
		"CannedAnswers": testCannedAnswers,
		"Drafts":        testDrafts,
		"Uploads":       testUploads,
		"ReplyKeys":     testReplyKeys,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

const ns = "acme"

func key(name string) store.Key { return store.Key{Namespace: ns, Name: name} }

// clock is a store's time that tests move.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) option() store.Option    { return store.WithClock(c.now) }
func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

// center is a store with a small contact center.
type center struct {
	store.Store
	t   testing.TB
	ctx context.Context
	uid uint32
	// lease of the account "support".
	lease store.Lease
}

// newCenter has the account support feeding the queue mail, whose members are the agents, signed in, with this capacity.
func newCenter(t testing.TB, s store.Store, capacity int, agents ...string) *center {
	t.Helper()
	c := &center{Store: s, t: t, ctx: t.Context()}
	q := store.Queue{Key: key("mail"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: 30 * time.Second}
	for _, a := range agents {
		c.agent(a, capacity)
		q.Members = append(q.Members, store.QueueMember{Agent: a})
	}
	c.must(s.PutQueue(c.ctx, q))
	c.must(s.PutAccount(c.ctx, store.Account{Key: key("support"), Label: "SUPP", Address: "support@example.com", Queue: "mail", Active: true}))
	lease, ok, err := s.AcquireLease(c.ctx, "support", "test", time.Hour)
	c.must(err)
	if !ok {
		t.Fatal("lease not acquired")
	}
	c.lease = lease
	return c
}

func (c *center) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *center) agent(name string, capacity int) {
	c.t.Helper()
	c.must(c.PutAgent(c.ctx, store.Agent{Key: key(name), Username: name, Active: true, EmailCapacity: capacity}))
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key(name), SignedIn: true}))
}

// mail is a new mail with the next UID and content of its own.
func (c *center) mail(threadKeys ...string) store.IngestMail {
	c.uid++
	raw := fmt.Appendf(nil, "Message-ID: <m%d@example.net>\r\n\r\nhello %d", c.uid, c.uid)
	sum := sha256.Sum256(raw)
	return store.IngestMail{
		Mailbox: "INBOX", UIDValidity: 7, UID: c.uid, Kind: store.IngestMessage, Raw: raw, SHA256: hex.EncodeToString(sum[:]),
		Size: int64(len(raw)), ThreadKeys: threadKeys, CustomerName: "Carla",
		Message: store.Message{
			MessageID: fmt.Sprintf("m%d@example.net", c.uid), From: "carla@example.net", To: []string{"support@example.com"},
			Subject: "broken", Text: "hello", Date: time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC),
		},
	}
}

func (c *center) ingest(mails ...store.IngestMail) []store.IngestResult {
	c.t.Helper()
	res, err := c.Ingest(c.ctx, c.lease, key("support"), mails)
	c.must(err)
	if len(res) != len(mails) {
		c.t.Fatalf("%d results for %d mails", len(res), len(mails))
	}
	return res
}

// newInteraction ingests one mail and returns its interaction.
func (c *center) newInteraction() string {
	c.t.Helper()
	return c.ingest(c.mail())[0].InteractionID
}

// route runs the real decision until nothing is due.
func (c *center) route() {
	c.t.Helper()
	for {
		n, err := c.Route(c.ctx, 100, routing.Decide)
		c.must(err)
		if n == 0 {
			return
		}
	}
}

func (c *center) get(id string) store.Interaction {
	c.t.Helper()
	i, err := c.GetInteraction(c.ctx, ns, id)
	c.must(err)
	return i
}

func (c *center) wantState(id string, state store.InteractionState, agent string) store.Interaction {
	c.t.Helper()
	i := c.get(id)
	if i.State != state || i.Agent != agent {
		c.t.Fatalf("interaction is %s with %q, want %s with %q", i.State, i.Agent, state, agent)
	}
	return i
}

// reasons of an interaction's history, oldest first.
func (c *center) wantReasons(id string, want ...string) {
	c.t.Helper()
	list, err := c.History(c.ctx, ns, id)
	c.must(err)
	var got []string
	for _, tr := range list {
		got = append(got, tr.Reason)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Fatalf("history (-want +got):\n%s", diff)
	}
}

// open routes a new interaction to whoever is next and accepts it.
func (c *center) open() (id, agent string) {
	c.t.Helper()
	id = c.newInteraction()
	c.route()
	i := c.get(id)
	if _, err := c.Accept(c.ctx, ns, id, i.Agent); err != nil {
		c.t.Fatal(err)
	}
	return id, i.Agent
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// eventKinds reads all events after a cursor.
func (c *center) eventKinds(after store.Cursor) []string {
	c.t.Helper()
	events, err := c.EventsAfter(c.ctx, ns, after, 1000)
	c.must(err)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (c *center) cursor() store.Cursor {
	c.t.Helper()
	cur, err := c.LastCursor(c.ctx)
	c.must(err)
	return cur
}
