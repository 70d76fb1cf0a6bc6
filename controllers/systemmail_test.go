package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

const ns = "acme"

// listeningAgent wants notices.
func listeningAgent() *v1alpha1.Agent {
	a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice", UID: "uid-1"}}
	a.Spec.FullName, a.Spec.Email = "Alice Rossi", "alice@example.test"
	a.Spec.Voicemail = v1alpha1.AgentVoicemail{State: v1alpha1.Enabled, Notification: v1alpha1.VoicemailNotifyEmail}
	return a
}

func mailingCenter() *v1alpha1.ContactCenter {
	c := &v1alpha1.ContactCenter{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "center"}}
	c.Spec.SystemMail = &v1alpha1.SystemMail{EmailAccountRef: v1alpha1.ObjectReference{Name: "ops"}}
	return c
}

func opsAccount() *v1alpha1.EmailAccount {
	e := &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "ops"}}
	e.Spec.Address, e.Spec.DisplayName = "ops@example.test", "Operations"
	return e
}

func readerOf(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	return readerBuilder(t, objects...).Build()
}

// indexedReaderOf has one field index.
func indexedReaderOf(t *testing.T, of client.Object, field string, keys client.IndexerFunc, objects ...client.Object) client.Client {
	t.Helper()
	return readerBuilder(t, objects...).WithIndex(of, field, keys).Build()
}

func readerBuilder(t *testing.T, objects ...client.Object) *fake.ClientBuilder {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
}

// mailDesk is a store with the agent alice at 100, and what sends for the account ops.
type mailDesk struct {
	*store.DB
	t     *testing.T
	lease store.Lease
}

func newMailDesk(t *testing.T) *mailDesk {
	t.Helper()
	db := storetest.SQLite(t)
	d := &mailDesk{DB: db, t: t}
	d.agent()
	var err error
	if d.lease, _, err = db.AcquireLease(t.Context(), "mail", "test", time.Hour); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *mailDesk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *mailDesk) agent() {
	d.t.Helper()
	d.must(d.PutAgent(d.t.Context(), store.Agent{Key: store.Key{Namespace: ns, Name: "alice"}, Username: "alice", Extension: "100", Active: true}))
}

func (d *mailDesk) box(unread int) {
	d.t.Helper()
	d.must(d.PutVoicemail(d.t.Context(), store.Key{Namespace: ns, Name: "pbx"}, store.Voicemail{Extension: "100", Unread: unread}))
}

// sent takes every mail that waits and returns its subject.
func (d *mailDesk) sent() []string {
	d.t.Helper()
	var subjects []string
	for {
		m, err := d.ClaimSystemMail(d.t.Context(), d.lease, store.Key{Namespace: ns, Name: "ops"}, time.Hour)
		if errors.Is(err, store.ErrNotFound) {
			return subjects
		}
		d.must(err)
		read, err := netmail.ReadMessage(strings.NewReader(string(m.Raw)))
		d.must(err)
		subjects = append(subjects, read.Header.Get("Subject"))
		d.must(d.FinishSystemMail(d.t.Context(), d.lease, m.ID, store.MessageSent, "", 0))
	}
}

// TestVoicemailNotices follows one box: who is told of what, over restarts, and by whom.
func TestVoicemailNotices(t *testing.T) {
	d := newMailDesk(t)
	reader := readerOf(t, listeningAgent(), mailingCenter(), opsAccount())
	for _, step := range []struct {
		name   string
		unread int
		want   []string
	}{
		{"the first one", 1, []string{"New voice message (1 unread)"}},
		{"nothing new", 1, nil},
		{"two at once", 3, []string{"2 new voice messages (3 unread)"}},
		{"some are heard", 1, nil},
		{"one more", 2, []string{"New voice message (2 unread)"}},
		{"all are heard", 0, nil},
		{"the first one again", 1, []string{"New voice message (1 unread)"}},
	} {
		d.box(step.unread)
		for range 2 { // the second one is a process that has just started
			d.must(newVoicemailNotices(reader, d).run(t.Context()))
		}
		if diff := cmp.Diff(step.want, d.sent()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// dying is a store whose process ends before a look is recorded.
type dying struct{ store.SystemMails }

func (dying) SeeVoicemail(context.Context, store.VoicemailNews) error { return errors.New("gone") }

func TestVoicemailNoticeIsWrittenOnce(t *testing.T) {
	d := newMailDesk(t)
	reader := readerOf(t, listeningAgent(), mailingCenter(), opsAccount())
	d.box(1)
	if err := newVoicemailNotices(reader, dying{d}).run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	stale, err := d.NewVoicemail(t.Context(), 1)
	if err != nil || len(stale) != 1 {
		t.Fatalf("%+v, %v", stale, err)
	}
	d.must(newVoicemailNotices(reader, d).run(t.Context()))
	// A leader that was replaced and does not know it yet acts on what it read before.
	d.must(newVoicemailNotices(reader, d).look(t.Context(), stale[0]))
	if diff := cmp.Diff([]string{"New voice message (1 unread)"}, d.sent()); diff != "" {
		t.Fatal(diff)
	}
	// Another agent of that name is another person.
	d.must(d.DeleteAgent(t.Context(), store.Key{Namespace: ns, Name: "alice"}))
	d.agent()
	other := listeningAgent()
	other.UID = "uid-2"
	d.must(newVoicemailNotices(readerOf(t, other, mailingCenter(), opsAccount()), d).run(t.Context()))
	if diff := cmp.Diff([]string{"New voice message (1 unread)"}, d.sent()); diff != "" {
		t.Fatal(diff)
	}
}

// TestNoVoicemailNotice goes through what keeps a mail from being written; messages that came meanwhile are not told of later.
func TestNoVoicemailNotice(t *testing.T) {
	now := metav1.Now()
	for name, change := range map[string]func(*v1alpha1.Agent, *v1alpha1.ContactCenter, *v1alpha1.EmailAccount) []client.Object{
		"not wanted": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.Spec.Voicemail.Notification = v1alpha1.VoicemailNotifyNone
			return []client.Object{a, c, e}
		},
		"no address": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.Spec.Email = ""
			return []client.Object{a, c, e}
		},
		"an address that is none": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.Spec.Email = "a..b@example.test"
			return []client.Object{a, c, e}
		},
		"no box": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.Spec.Voicemail.State = v1alpha1.Disabled
			return []client.Object{a, c, e}
		},
		"deactivated": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.Spec.AccountState = v1alpha1.AccountDeactivated
			return []client.Object{a, c, e}
		},
		"leaving": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			a.DeletionTimestamp, a.Finalizers = &now, []string{v1alpha1.Finalizer}
			return []client.Object{a, c, e}
		},
		"gone": func(_ *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			return []client.Object{c, e}
		},
		"no center": func(a *v1alpha1.Agent, _ *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			return []client.Object{a, e}
		},
		"no mailer": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			c.Spec.SystemMail = nil
			return []client.Object{a, c, e}
		},
		"no account": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, _ *v1alpha1.EmailAccount) []client.Object {
			return []client.Object{a, c}
		},
		"account leaving": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			e.DeletionTimestamp, e.Finalizers = &now, []string{v1alpha1.Finalizer}
			return []client.Object{a, c, e}
		},
		"account switched off": func(a *v1alpha1.Agent, c *v1alpha1.ContactCenter, e *v1alpha1.EmailAccount) []client.Object {
			e.Spec.State = v1alpha1.Inactive
			return []client.Object{a, c, e}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newMailDesk(t)
			d.box(2)
			objects := change(listeningAgent(), mailingCenter(), opsAccount())
			d.must(newVoicemailNotices(readerOf(t, objects...), d).run(t.Context()))
			d.must(newVoicemailNotices(readerOf(t, listeningAgent(), mailingCenter(), opsAccount()), d).run(t.Context()))
			if got := d.sent(); got != nil {
				t.Fatalf("sent %q", got)
			}
			d.box(3)
			d.must(newVoicemailNotices(readerOf(t, listeningAgent(), mailingCenter(), opsAccount()), d).run(t.Context()))
			if diff := cmp.Diff([]string{"New voice message (3 unread)"}, d.sent()); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestVoicemailMail(t *testing.T) {
	m, err := voicemailMail(listeningAgent(), opsAccount(), store.VoicemailNews{Unread: 3, Seen: 2, Looks: 6}, time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	want := store.SystemMail{Namespace: ns, Account: "ops", Recipient: "alice@example.test", DedupeKey: "voicemail/uid-1/7"}
	if diff := cmp.Diff(want, m, cmpopts.IgnoreFields(store.SystemMail{}, "Raw")); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{"From: \"Operations\" <ops@example.test>", "To: \"Alice Rossi\" <alice@example.test>", "Hello Alice Rossi,", "(3 unread)"} {
		if !strings.Contains(string(m.Raw), line) {
			t.Errorf("no %q in\n%s", line, m.Raw)
		}
	}
	nameless := opsAccount()
	nameless.Spec.DisplayName = ""
	if m, err = voicemailMail(listeningAgent(), nameless, store.VoicemailNews{Unread: 1}, time.Now()); err != nil || !strings.Contains(string(m.Raw), "From: \"ops\" <ops@example.test>") {
		t.Errorf("%v in\n%s", err, m.Raw)
	}
}

func TestSystemMailReady(t *testing.T) {
	smtp := func(status metav1.ConditionStatus, reason, message string) *v1alpha1.EmailAccount {
		e := opsAccount()
		e.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSMTPReady, Status: status, Reason: reason, Message: message}}
		return e
	}
	silent := mailingCenter()
	silent.Spec.SystemMail = nil
	for name, c := range map[string]struct {
		center  *v1alpha1.ContactCenter
		account *v1alpha1.EmailAccount
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"none":       {silent, opsAccount(), metav1.ConditionFalse, "NotConfigured", "spec.systemMail names no account: agents are not told of new voicemail by mail"},
		"missing":    {mailingCenter(), nil, metav1.ConditionFalse, "AccountNotFound", "spec.systemMail.emailAccountRef: EmailAccount ops does not exist"},
		"new":        {mailingCenter(), opsAccount(), metav1.ConditionUnknown, "Progressing", "EmailAccount ops has not been looked at yet"},
		"works":      {mailingCenter(), smtp(metav1.ConditionTrue, "Ready", ""), metav1.ConditionTrue, "Succeeded", "EmailAccount ops can send"},
		"refused":    {mailingCenter(), smtp(metav1.ConditionFalse, "AuthenticationFailed", "no"), metav1.ConditionFalse, "AuthenticationFailed", "EmailAccount ops: no"},
		"connecting": {mailingCenter(), smtp(metav1.ConditionFalse, "Connecting", "soon"), metav1.ConditionFalse, "Connecting", "EmailAccount ops: soon"},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if c.account != nil {
				objects = append(objects, c.account)
			}
			s := newScope(nil, 1)
			if err := showSystemMail(t.Context(), readerOf(t, objects...), c.center, s); err != nil {
				t.Fatal(err)
			}
			besideReady(t, s, metav1.Condition{Type: v1alpha1.ConditionSystemMailReady, Status: c.status, Reason: c.reason, Message: c.message})
		})
	}
}

// What an account's status tells of itself every few seconds is no reason to look at the center.
func TestSystemMailWatch(t *testing.T) {
	with := func(change func(*v1alpha1.EmailAccount)) *v1alpha1.EmailAccount {
		e := opsAccount()
		e.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSMTPReady, Status: metav1.ConditionTrue, Reason: "Ready"}}
		change(e)
		return e
	}
	before := with(func(*v1alpha1.EmailAccount) {})
	for name, c := range map[string]struct {
		change func(*v1alpha1.EmailAccount)
		want   bool
	}{
		"counts": {func(e *v1alpha1.EmailAccount) { e.Status.Ingested, e.ResourceVersion = 7, "8" }, false},
		"IMAP": {func(e *v1alpha1.EmailAccount) {
			meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionIMAPReady, Status: metav1.ConditionFalse, Reason: "TimedOut"})
		}, false},
		"SMTP":    {func(e *v1alpha1.EmailAccount) { e.Status.Conditions[0].Status = metav1.ConditionFalse }, true},
		"reason":  {func(e *v1alpha1.EmailAccount) { e.Status.Conditions[0].Reason = "Inactive" }, true},
		"unknown": {func(e *v1alpha1.EmailAccount) { e.Status.Conditions = nil }, true},
	} {
		if got := smtpChanged.Update(event.UpdateEvent{ObjectOld: before, ObjectNew: with(c.change)}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}

	w := &wiring{c: readerOf(t, mailingCenter())}
	other := opsAccount()
	other.Name = "support"
	got := fmt.Sprint(w.mailedBy(t.Context(), opsAccount()), w.mailedBy(t.Context(), other))
	if want := fmt.Sprint(requests(ns, "center"), requests(ns)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
