package controllers

import (
	"path/filepath"
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
	db, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	must(t, err)
	defer func() { _ = db.Close() }()
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
	m := &mailboxes{Client: reader, checker: admission.Checker{Reader: reader}, workers: workers, queues: db}
	_, err = m.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(e)})
	must(t, err)
	if len(workers.applied) != 1 {
		t.Errorf("%d workers begun, want one without any queue", len(workers.applied))
	}
	must(t, db.PutAccountStatus(t.Context(), store.AccountStatus{Account: storeKey(e), IMAP: remote.ReasonNotConfigured, SMTP: remote.ReasonReady, ConfigHash: config.Hash()}))
	s := newScope(nil, 1)
	k := &accountKind{Client: reader, checker: admission.Checker{Reader: reader}, store: db}
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
}

func (w *fakeWorkers) Apply(cfg mail.Config) { w.applied = append(w.applied, cfg) }
func (w *fakeWorkers) Remove(key store.Key)  { w.removed = append(w.removed, key) }
