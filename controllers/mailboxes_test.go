package controllers

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// A worker goes on over changes that are none of its business; one of server, sign-in or ingestion reaches it.
func TestWorkerConfiguration(t *testing.T) {
	hash := func(change func(*v1alpha1.EmailAccountSpec)) string {
		t.Helper()
		e := opsAccount()
		e.Spec.Authentication.Type = "None"
		if change != nil {
			change(&e.Spec)
		}
		config, err := mailConfig(t.Context(), readerOf(t), e, mailingCenter())
		must(t, err)
		return config.Hash()
	}
	before := hash(nil)
	for name, change := range map[string]func(*v1alpha1.EmailAccountSpec){
		"displayName":  func(e *v1alpha1.EmailAccountSpec) { e.DisplayName = "Another" },
		"description":  func(e *v1alpha1.EmailAccountSpec) { e.Description = "text" },
		"key":          func(e *v1alpha1.EmailAccountSpec) { e.Key = "NEW" },
		"agents":       func(e *v1alpha1.EmailAccountSpec) { e.Agents.Refs = []v1alpha1.ObjectReference{{Name: "alice"}} },
		"routing":      func(e *v1alpha1.EmailAccountSpec) { e.Routing.QueueRef.Name = "another" },
		"markAsUnread": func(e *v1alpha1.EmailAccountSpec) { e.AgentActions.MarkAsUnread = v1alpha1.Allowed },
		"drafts":       func(e *v1alpha1.EmailAccountSpec) { e.Drafts.Autosave = v1alpha1.Enabled },
	} {
		if hash(change) != before {
			t.Errorf("%s restarts the worker", name)
		}
	}
	seen := map[string]string{before: "nothing"}
	for name, change := range map[string]func(*v1alpha1.EmailAccountSpec){
		"host":           func(e *v1alpha1.EmailAccountSpec) { e.IMAP.Host = "in.example.com" },
		"port":           func(e *v1alpha1.EmailAccountSpec) { e.SMTP.Port = 2525 },
		"mailbox":        func(e *v1alpha1.EmailAccountSpec) { e.IMAP.Mailbox = "Cases" },
		"pollInterval":   func(e *v1alpha1.EmailAccountSpec) { e.IMAP.PollInterval = &metav1.Duration{Duration: time.Hour} },
		"selection":      func(e *v1alpha1.EmailAccountSpec) { e.IMAP.Selection = "Unseen" },
		"syncFlags":      func(e *v1alpha1.EmailAccountSpec) { e.IMAP.SyncFlags = "TwoWay" },
		"duplicateCheck": func(e *v1alpha1.EmailAccountSpec) { e.IMAP.DuplicateCheck = v1alpha1.Disabled },
		"certificate":    func(e *v1alpha1.EmailAccountSpec) { e.SMTP.CertificateValidation = v1alpha1.CertificateAcceptAny },
	} {
		got := hash(change)
		if same := seen[got]; same != "" {
			t.Errorf("%s changes nothing for the worker, like %s", name, same)
		}
		seen[got] = name
	}
}

func TestRisksShow(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.EmailAccountSpec)
		want   map[string]string
	}{
		"none": {func(*v1alpha1.EmailAccountSpec) {}, map[string]string{}},
		"both servers in clear": {func(e *v1alpha1.EmailAccountSpec) {
			e.IMAP.Security, e.SMTP.Security = v1alpha1.SecurityNone, v1alpha1.SecurityNone
		}, map[string]string{"EncryptionDisabled": "mails travel unencrypted: security None in spec.imap and spec.smtp"}},
		"a relay in clear, any certificate": {func(e *v1alpha1.EmailAccountSpec) {
			e.SMTP.Security, e.IMAP.CertificateValidation = v1alpha1.SecurityNone, v1alpha1.CertificateAcceptAny
		}, map[string]string{
			"EncryptionDisabled":     "mails travel unencrypted: security None in spec.smtp",
			"CertificateNotVerified": "any certificate is accepted; name the authority with caSecretRef, or the certificate with pinnedSHA256, instead",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := opsAccount()
			test.change(&e.Spec)
			s := newScope(nil, 1)
			showRisks(e, s)
			got := map[string]string{}
			for _, c := range s.conditions {
				if c.Status == metav1.ConditionTrue {
					got[c.Type] = c.Message
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || s.worst > info {
				t.Errorf("severity %d, conditions (-want +got):\n%s", s.worst, diff)
			}
		})
	}
}

// An account of purpose System is taken up without mailbox and routing, and says so by what it does not show.
func TestSystemAccount(t *testing.T) {
	db := storetest.SQLite(t)
	e := opsAccount()
	e.Spec.Key, e.Spec.Purpose, e.Spec.Authentication.Type = "OPS", v1alpha1.PurposeSystem, "None"
	e.Spec.SMTP.Host = "smtp.example.com"
	e.Annotations = map[string]string{v1alpha1.VerifyAnnotation: "now"}
	center := mailingCenter()
	b := readerBuilder(t, e, center)
	for _, i := range admission.Indexes() {
		b = b.WithIndex(i.Object, i.Name, i.Extract)
	}
	reader := b.Build()
	config, err := mailConfig(t.Context(), reader, e, center)
	must(t, err)
	if config.IMAP.Host != "" || config.SMTP.Host != "smtp.example.com" {
		t.Errorf("config %+v", config)
	}
	workers := &fakeWorkers{}
	m := &mailboxes{Client: reader, checker: admission.Checker{Reader: reader}, workers: workers, queues: db, groups: []string{""}}
	_, err = m.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(e)})
	must(t, err)
	if len(workers.applied) != 1 {
		t.Errorf("%d workers begun, want one without any queue", len(workers.applied))
	}
	must(t, db.PutAccountStatus(t.Context(), store.AccountStatus{Account: storeKey(e), IMAP: remote.ReasonNotConfigured, SMTP: remote.ReasonReady, ConfigHash: config.Hash()}))
	s := newScope(nil, 1)
	k := &accountKind{Client: reader, checker: admission.Checker{Reader: reader}, store: db, logos: newLogos(reader, db, newDownloader(notLocal))}
	must(t, k.Reconcile(t.Context(), e, s))
	got := map[string]string{}
	for _, c := range s.conditions {
		got[c.Type] = string(c.Status) + " " + c.Reason
	}
	if diff := cmp.Diff(map[string]string{"SMTPReady": "True Ready"}, got); diff != "" || s.worst != fine || s.readyMessage != "mail can be sent" {
		t.Errorf("severity %d, %q, conditions (-want +got):\n%s", s.worst, s.readyMessage, diff)
	}
	if e.Status.Verified != "now" || e.Status.Effective.IMAP != nil || e.Status.Effective.SMTP.Host != "smtp.example.com" {
		t.Errorf("status %+v", e.Status)
	}
}

// fakeWorkers note what they are told.
type fakeWorkers struct {
	applied []mail.Config
	removed []store.Key
	limits  map[string]int
}

func (w *fakeWorkers) Apply(cfg mail.Config) { w.applied = append(w.applied, cfg) }
func (w *fakeWorkers) Remove(key store.Key)  { w.removed = append(w.removed, key) }
func (w *fakeWorkers) LimitPolls(namespace string, limit int) {
	if w.limits == nil {
		w.limits = map[string]int{}
	}
	w.limits[namespace] = limit
}

// The center's limit reaches the workers, also when nothing of the account changes.
func TestPollLimitOfTheCenter(t *testing.T) {
	db := storetest.SQLite(t)
	e, center := opsAccount(), mailingCenter()
	e.Spec.Key, e.Spec.Purpose, e.Spec.Authentication.Type, e.Spec.SMTP.Host = "OPS", v1alpha1.PurposeSystem, "None", "smtp.example.com"
	b := readerBuilder(t, e, center)
	for _, i := range admission.Indexes() {
		b = b.WithIndex(i.Object, i.Name, i.Extract)
	}
	reader, workers := b.Build(), &fakeWorkers{}
	m := &mailboxes{Client: reader, checker: admission.Checker{Reader: reader}, workers: workers, queues: db, groups: []string{""}}
	for _, step := range []struct {
		limit int32
		want  int
	}{{0, mail.DefaultMaxConcurrentPolls}, {5, 5}, {7, 7}} {
		center.Spec.Email.MaxConcurrentPolls = step.limit
		must(t, reader.Update(t.Context(), center))
		_, err := m.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(e)})
		must(t, err)
		if diff := cmp.Diff(map[string]int{e.Namespace: step.want}, workers.limits); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", step.limit, diff)
		}
	}
	if workers.applied[0].Hash() != workers.applied[2].Hash() {
		t.Error("the limit restarts the workers")
	}
}

// A replica works on the accounts of its groups, and lets go of one that leaves them; an account without workers says so.
func TestWorkerGroups(t *testing.T) {
	db := storetest.SQLite(t)
	e := opsAccount()
	e.Spec.Key, e.Spec.Purpose, e.Spec.Authentication.Type, e.Spec.SMTP.Host = "OPS", v1alpha1.PurposeSystem, "None", "smtp.example.com"
	center := mailingCenter()
	for _, test := range []struct {
		group  string
		groups []string
		works  bool
	}{
		{"", []string{""}, true}, {"", []string{"berlin"}, false}, {"berlin", []string{""}, false},
		{"berlin", []string{"rome", "berlin"}, true}, {"oslo", []string{"rome", "berlin"}, false},
	} {
		e.Spec.Placement.WorkerGroup = test.group
		b := readerBuilder(t, e, center)
		for _, i := range admission.Indexes() {
			b = b.WithIndex(i.Object, i.Name, i.Extract)
		}
		reader := b.Build()
		workers := &fakeWorkers{}
		m := &mailboxes{Client: reader, checker: admission.Checker{Reader: reader}, workers: workers, queues: db, groups: test.groups}
		_, err := m.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(e)})
		must(t, err)
		if len(workers.applied) == 1 != test.works || len(workers.removed) == 1 == test.works {
			t.Errorf("group %q at a manager of %q: %d begun, %d stopped", test.group, test.groups, len(workers.applied), len(workers.removed))
		}
	}

	k := &accountKind{Client: readerOf(t), store: db}
	show := func() (reason string, again time.Duration) {
		t.Helper()
		s := newScope(nil, 1)
		must(t, k.showWorker(t.Context(), e, center, s))
		return s.conditions[0].Reason, s.requeueAfter
	}
	report := func() {
		config, err := mailConfig(t.Context(), readerOf(t), e, center)
		must(t, err)
		must(t, db.PutAccountStatus(t.Context(), store.AccountStatus{Account: storeKey(e), SMTP: remote.ReasonReady, ConfigHash: config.Hash()}))
	}
	serve := func(group string) store.Lease {
		lease, _, err := db.AcquireLease(t.Context(), groupLeaseName(group), "a manager", time.Minute)
		must(t, err)
		return lease
	}
	e.Spec.Placement.WorkerGroup = "berlin"
	report()
	if reason, again := show(); reason != v1alpha1.ReasonNoWorker || again == 0 {
		t.Errorf("nobody serves berlin: %s, looks again after %s", reason, again)
	}
	lease := serve("berlin")
	if reason, again := show(); reason != remote.ReasonReady || again == 0 {
		t.Errorf("berlin is served: %s, looks again after %s", reason, again)
	}
	must(t, db.ReleaseLease(t.Context(), lease))
	e.Spec.Placement.WorkerGroup, e.Spec.SMTP.Host = "", "another.example.com"
	if reason, _ := show(); reason != v1alpha1.ReasonNoWorker {
		t.Errorf("nobody serves accounts without a group: %s", reason)
	}
	serve("")
	if reason, _ := show(); reason != remote.ReasonConnecting {
		t.Errorf("waiting for a worker: %s", reason)
	}
	report()
	if reason, again := show(); reason != remote.ReasonReady || again != 0 {
		t.Errorf("taken up: %s, looks again after %s", reason, again)
	}
}

// A group is served until the last of its managers ends.
func TestGroupKeeper(t *testing.T) {
	db := storetest.SQLite(t)
	keep := func(holder string, groups ...string) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &groupKeeper{store: db, groups: groups, holder: holder, renew: 5 * time.Millisecond}
		done := make(chan error, 1)
		go func() { done <- k.Start(ctx) }()
		return func() {
			cancel()
			must(t, <-done)
		}
	}
	await := func(group string, want bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			held, err := db.LeaseHeld(t.Context(), groupLeaseName(group))
			must(t, err)
			if held == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("group %q is served: %v", group, held)
			}
		}
	}
	first, second := keep("one", "berlin", ""), keep("two", "berlin")
	await("berlin", true)
	await("", true)
	first()
	await("", false)
	await("berlin", true) // by the second, now or at its next turn
	second()
	await("berlin", false)
}
