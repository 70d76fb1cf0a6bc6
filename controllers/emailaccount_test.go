package controllers

import (
	"context"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// reports is what a worker wrote.
type reports struct {
	accountStore
	status store.AccountStatus
}

func (r *reports) GetAccountStatus(context.Context, store.Key) (store.AccountStatus, error) {
	return r.status, nil
}

func (r *reports) LeaseHeld(context.Context, string) (bool, error) { return true, nil }

// The wish for a new try is repeated when both servers were tried with it, however that went.
func TestVerified(t *testing.T) {
	e := opsAccount()
	e.Spec.Authentication.Type = "None"
	e.Annotations = map[string]string{v1alpha1.VerifyAnnotation: "now"}
	e.Status.Verified = "before"
	config, err := mailConfig(t.Context(), readerOf(t), e, mailingCenter())
	must(t, err)
	r := &reports{status: store.AccountStatus{IMAP: remote.ReasonReady, SMTP: remote.ReasonReady, ConfigHash: "another"}}
	k := &accountKind{Client: readerOf(t), store: r}
	for _, step := range []struct {
		hash, imap, smtp, want string
	}{
		{"another", remote.ReasonReady, remote.ReasonReady, "before"},
		{config.Hash(), remote.ReasonConnecting, remote.ReasonReady, "before"},
		{config.Hash(), remote.ReasonReady, remote.ReasonPending, "before"},
		{config.Hash(), remote.ReasonReady, remote.ReasonAuthenticationFailed, "now"},
	} {
		r.status.ConfigHash, r.status.IMAP, r.status.SMTP = step.hash, step.imap, step.smtp
		must(t, k.showWorker(t.Context(), e, mailingCenter(), newScope(nil, 1)))
		if e.Status.Verified != step.want {
			t.Errorf("IMAP %s, SMTP %s: verified is %q, want %q", step.imap, step.smtp, e.Status.Verified, step.want)
		}
	}
}

// A deletion waits for the worker, then what came in is closed, and kept or not as the policy says.
func TestAccountDeletion(t *testing.T) {
	for policy, kept := range map[v1alpha1.EmailDeletionPolicy]int{v1alpha1.EmailRetain: 1, v1alpha1.EmailPurge: 0} {
		db := storetest.SQLite(t)
		e := opsAccount()
		e.Spec.DeletionPolicy = policy
		key := storeKey(e)
		must(t, db.PutAccount(t.Context(), store.Account{Key: key, Active: true}))
		worker, _, err := db.AcquireLease(t.Context(), mail.LeaseName(key), "a replica", time.Minute)
		must(t, err)
		_, err = db.Ingest(t.Context(), worker, key, []store.IngestMail{{Mailbox: "INBOX", UIDValidity: 1, UID: 1, Kind: store.IngestMessage, SHA256: "a"}})
		must(t, err)

		k := &accountKind{store: db}
		if done, err := k.Finalize(t.Context(), e); done || err != nil {
			t.Errorf("deleted under the worker's hands: %v, %v", done, err)
		}
		if _, err := db.GetAccount(t.Context(), key); err != nil {
			t.Errorf("gone under the worker's hands: %v", err)
		}
		must(t, db.ReleaseLease(t.Context(), worker))
		if done, err := k.Finalize(t.Context(), e); !done || err != nil {
			t.Errorf("deletion: %v, %v", done, err)
		}
		closed, err := db.ListInteractions(t.Context(), store.InteractionFilter{Namespace: key.Namespace, States: []store.InteractionState{store.StateClosed}})
		if must(t, err); len(closed) != kept {
			t.Errorf("%s keeps %d interactions", policy, len(closed))
		}
		if _, ok, err := db.AcquireLease(t.Context(), mail.LeaseName(key), "a replica", time.Minute); !ok || err != nil {
			t.Errorf("the next account of the name gets no lease: %v, %v", ok, err)
		}
	}
}
