package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/letter"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const defaultLinkTTL = time.Hour

// PasswordReset says how agents of a contact center get links to set a password; nil when they get none.
func (d DeskSide) PasswordReset(ctx context.Context, namespace string) (*desk.PasswordReset, error) {
	center, err := onlyCenter(ctx, d.Reader, namespace)
	switch {
	case errors.Is(err, errNoCenter):
		return nil, nil
	case err != nil || center.Spec.Security.PasswordReset == nil:
		return nil, err
	}
	account, err := systemMailer(ctx, d.Reader, center)
	if err != nil || account == nil {
		return nil, err
	}
	texts, reason, _, err := resetTemplate(ctx, d.Reader, center)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		texts = nil // the condition says why; agents get the text that is built in
	}
	ttl := duration(center.Spec.Security.PasswordReset.LinkTTL, defaultLinkTTL)
	return &desk.PasswordReset{TTL: ttl, Mail: func(a store.Agent, token string, expires time.Time) (store.SystemMail, error) {
		return resetMail(center, account, texts, a, token, expires)
	}}, nil
}

// resetTemplate is the template of the mail, nil for the text that is built in; see letter.Find.
func resetTemplate(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter) (m *v1alpha1.MessageTemplate, reason, fault string, err error) {
	ref := center.Spec.Security.PasswordReset.TemplateRef
	if ref == nil {
		return nil, "", "", nil
	}
	return letter.Find(ctx, c, center.Namespace, "spec.security.passwordReset.templateRef", ref.Name, v1alpha1.MessagePasswordReset)
}

// resetMail writes the mail with the link.
func resetMail(center *v1alpha1.ContactCenter, account *v1alpha1.EmailAccount, texts *v1alpha1.MessageTemplate, a store.Agent, token string,
	expires time.Time,
) (store.SystemMail, error) {
	link := letter.NewLink(center.Spec.Security.PasswordReset.LinkBaseURL, token, expires)
	who := letter.Person{Name: a.DisplayName, Alias: a.Alias, Email: a.Email, Extension: a.Extension, Username: a.Username}
	n := letter.Begin(account, who)
	n.At, n.ID = time.Now(), "password-reset/"+a.String()
	if texts == nil {
		n.Subject, n.Text = message.PasswordResetNotice(a.DisplayName, a.Username, link.URL, link.Expires)
	} else if err := letter.Fill(&n, texts, center, who, link); err != nil {
		return store.SystemMail{}, err
	}
	raw, err := message.BuildNotice(n)
	return store.SystemMail{Namespace: a.Namespace, Account: account.Name, Recipient: a.Email, Raw: raw}, err
}

// showPasswordReset sets PasswordResetReady. It does not count for Ready: administrators can set passwords.
func showPasswordReset(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter, s *scope) error {
	const condition = v1alpha1.ConditionPasswordResetReady
	if center.Spec.Security.PasswordReset == nil {
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNotConfigured, "spec.security.passwordReset is not set: agents cannot ask for a link to set a new password")
		return nil
	}
	_, reason, fault, err := resetTemplate(ctx, c, center)
	switch {
	case err != nil:
		return err
	case reason != "":
		s.note(condition, metav1.ConditionFalse, reason, fault+"; the built-in text is sent")
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "links are sent while SystemMailReady")
	}
	return nil
}

// linksBy maps a template to the centers whose links to set a password are sent with it.
func (w *wiring) linksBy(ctx context.Context, o client.Object) []reconcile.Request {
	var centers v1alpha1.ContactCenterList
	if err := w.c.List(ctx, &centers, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range centers.Items {
		spec := centers.Items[i].Spec
		reset, invite := spec.Security.PasswordReset, spec.Invitations
		if reset != nil && reset.TemplateRef != nil && reset.TemplateRef.Name == o.GetName() || invite != nil && invite.TemplateRef.Name == o.GetName() {
			out = append(out, requests(o.GetNamespace(), centers.Items[i].Name)...)
		}
	}
	return out
}
