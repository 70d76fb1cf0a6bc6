package controllers

import (
	"context"
	"testing"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// reports is what a worker wrote.
type reports struct {
	accountStore
	status store.AccountStatus
}

func (r *reports) GetAccountStatus(context.Context, store.Key) (store.AccountStatus, error) {
	return r.status, nil
}

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
