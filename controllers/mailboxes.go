package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// mailboxes keeps the mail workers of this replica on the accounts' present configuration. It runs on every replica;
// a lease in the store decides which of them works on an account.
type mailboxes struct {
	client.Client
	checker admission.Checker
	workers mailWorkers
	queues  queueReader
	// groups of accounts that this replica works on; "" are those without one.
	groups []string
}

// queueReader tells which queues and flows routing knows.
type queueReader interface {
	GetFlow(ctx context.Context, key store.Key) (store.Flow, error)
	GetQueue(ctx context.Context, key store.Key) (store.Queue, error)
}

// mailWorkers is what runs them.
type mailWorkers interface {
	Apply(cfg mail.Config)
	Remove(key store.Key)
	LimitPolls(namespace string, limit int)
}

// Reconcile implements reconcile.Reconciler. It writes nothing to the API server.
func (m *mailboxes) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	key := store.Key{Namespace: req.Namespace, Name: req.Name}
	var e v1alpha1.EmailAccount
	if err := m.Get(ctx, req.NamespacedName, &e); err != nil {
		if client.IgnoreNotFound(err) == nil {
			m.workers.Remove(key)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !e.DeletionTimestamp.IsZero() || e.Spec.State == v1alpha1.Inactive || !slices.Contains(m.groups, e.Spec.Placement.WorkerGroup) {
		m.workers.Remove(key)
		return ctrl.Result{}, nil
	}
	if e.Annotations[v1alpha1.PausedAnnotation] == "true" {
		return ctrl.Result{}, nil
	}
	problems, err := m.checker.EmailAccount(ctx, &e)
	if err != nil {
		return ctrl.Result{}, err
	}
	missing, err := m.checker.EmailAccountCredentials(ctx, &e)
	if err != nil {
		return ctrl.Result{}, err
	}
	center, err := onlyCenter(ctx, m.Client, e.Namespace)
	if err != nil && !errors.Is(err, errNoCenter) {
		return ctrl.Result{}, err
	}
	if center == nil || len(problems) > 0 || len(missing) > 0 {
		m.workers.Remove(key) // the account's own conditions say why
		return ctrl.Result{}, nil
	}
	m.workers.LimitPolls(e.Namespace, int(cmp.Or(center.Spec.Email.MaxConcurrentPolls, mail.DefaultMaxConcurrentPolls)))
	routable, err := m.routable(ctx, &e)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !routable {
		// What cannot be routed stays in the mailbox, where nothing can happen to it. The arrival of queue or flow brings us back;
		// routing hears of it a moment later.
		m.workers.Remove(key)
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	config, err := mailConfig(ctx, m.Client, &e, center)
	if err != nil {
		return ctrl.Result{}, err
	}
	m.workers.Apply(config)
	return ctrl.Result{}, nil
}

// mailConfig resolves references and defaults of an account.
func mailConfig(ctx context.Context, c client.Reader, e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter) (mail.Config, error) {
	cfg := mail.Config{Account: storeKey(e), Address: e.Spec.Address, Verify: verifyWish(e)}
	if e.Spec.Purpose != v1alpha1.PurposeSystem {
		in, err := mailboxConfig(ctx, c, e, center)
		if err != nil {
			return mail.Config{}, err
		}
		cfg.IMAP = in
	}
	auth, tokens, err := mailAuth(ctx, c, e, smtpAuthentication(e))
	if err != nil {
		return mail.Config{}, err
	}
	out, err := mailServer(ctx, c, e.Namespace, smtpAddress(e), e.Spec.SMTP.ServerTLS)
	if err != nil {
		return mail.Config{}, err
	}
	cfg.SMTP = mail.SMTP{Server: out, Auth: auth, OAuth: tokens}
	return cfg, nil
}

// mailboxConfig is the receiving half of an account.
func mailboxConfig(ctx context.Context, c client.Reader, e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter) (mail.IMAP, error) {
	auth, tokens, err := mailAuth(ctx, c, e, imapAuthentication(e))
	if err != nil {
		return mail.IMAP{}, err
	}
	in, err := mailServer(ctx, c, e.Namespace, imapAddress(e), e.Spec.IMAP.ServerTLS)
	if err != nil {
		return mail.IMAP{}, err
	}
	in.ConnectionTimeout = duration(e.Spec.IMAP.ConnectionTimeout, 10*time.Second)
	in.AuthenticationTimeout = duration(e.Spec.IMAP.AuthenticationTimeout, 5*time.Second)
	cfg := mail.IMAP{
		Server: in, Auth: auth, OAuth: tokens, Mailbox: e.Spec.IMAP.Mailbox,
		PollInterval: duration(e.Spec.IMAP.PollInterval, duration(center.Spec.Email.PollInterval, 60*time.Second)),
		InitialSync:  mail.InitialSync(e.Spec.IMAP.InitialSync), Delivery: mail.Delivery(e.Spec.IMAP.Delivery),
		HeaderFilters: mailFilters(&e.Spec.IMAP), FilteredAction: mail.FilteredAction(e.Spec.IMAP.FilteredAction),
		Selection: mail.Selection(e.Spec.IMAP.Selection), SyncFlags: mail.SyncFlags(e.Spec.IMAP.SyncFlags),
		TakeAgain: e.Spec.IMAP.DuplicateCheck == v1alpha1.Disabled,
	}
	if q := e.Spec.IMAP.MaxMessageSize; q != nil {
		cfg.MaxMessageSize = q.Value()
	}
	return cfg, nil
}

// verifyWish is the annotation that asks for a new try, cut to what status can repeat.
func verifyWish(e *v1alpha1.EmailAccount) string {
	wish := strings.ToValidUTF8(e.Annotations[v1alpha1.VerifyAnnotation], "?")
	return strings.ToValidUTF8(wish[:min(len(wish), 64)], "")
}

// mailAuth resolves a sign-in, and for one with OAuth 2.0 where its tokens come from.
func mailAuth(ctx context.Context, c client.Reader, e *v1alpha1.EmailAccount, auth *v1alpha1.EmailAuthentication) (remote.Auth, *oauth.Config, error) {
	resolved := remote.Auth{Type: remote.AuthNone, Username: e.Spec.Address, AllowInsecure: auth.Plaintext == "Allowed"}
	switch {
	case auth.Basic != nil:
		secret, err := mailSecret(ctx, c, e.Namespace, auth.Basic.PasswordSecretRef.Name)
		if err != nil {
			return remote.Auth{}, nil, err
		}
		resolved.Type = remote.AuthBasic
		resolved.Username = cmp.Or(auth.Basic.Username, e.Spec.Address)
		resolved.Password, resolved.PasswordVersion = remote.Secret(secret.Data[auth.Basic.PasswordSecretRef.Key]), secret.ResourceVersion
		resolved.AppPassword = e.Spec.Service == v1alpha1.ServiceGmail || e.Spec.Service == v1alpha1.ServiceYahoo
	case auth.OAuth2 != nil:
		resolved.Type = remote.AuthOAuth2
		resolved.Username = cmp.Or(auth.OAuth2.Username, e.Spec.Address)
		from, err := mailOAuth(ctx, c, e, auth.OAuth2)
		return resolved, from, err
	}
	return resolved, nil, nil
}

// mailServer adds to an address how its certificate is judged.
func mailServer(ctx context.Context, c client.Reader, namespace string, s remote.Server, t v1alpha1.ServerTLS) (remote.Server, error) {
	s.InsecureSkipVerify, s.PinnedSHA256 = t.CertificateValidation == v1alpha1.CertificateAcceptAny, t.PinnedSHA256
	if t.CASecretRef != nil {
		secret, err := mailSecret(ctx, c, namespace, t.CASecretRef.Name)
		if err != nil {
			return remote.Server{}, err
		}
		s.RootCAs = string(secret.Data[t.CASecretRef.Key])
	}
	return s, nil
}

func mailSecret(ctx context.Context, c client.Reader, namespace, name string) (*corev1.Secret, error) {
	var s corev1.Secret
	if err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &s); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return &s, nil
}
