package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

const (
	defaultLinkTTL = time.Hour
	// linkExpires is how link.expires reads; the servers that render it agree on no other zone.
	linkExpires = "2 January 2006 15:04 UTC"
)

// PasswordReset says how agents of a contact center get links to set a password; nil when they get none.
func (d DeskSide) PasswordReset(ctx context.Context, namespace string) (*desk.PasswordReset, error) {
	center, err := onlyCenter(ctx, d.Reader, namespace)
	switch {
	case errors.Is(err, errNoCenter):
		return nil, nil
	case err != nil || center.Spec.Security.PasswordReset == nil:
		return nil, err
	}
	account, err := systemAccount(ctx, d.Reader, center)
	if err != nil || account == nil || account.Spec.State == v1alpha1.Inactive {
		return nil, err
	}
	if smtp := smtpReady(account); smtp != nil && smtp.Status == metav1.ConditionFalse {
		return nil, nil
	}
	texts, reason, _, err := resetTemplate(ctx, d.Reader, center)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		texts = nil // the condition says why; agents get the text that is built in
	}
	spec := center.Spec.Security.PasswordReset
	ttl := defaultLinkTTL
	if spec.LinkTTL != nil {
		ttl = spec.LinkTTL.Duration
	}
	return &desk.PasswordReset{TTL: ttl, Mail: func(a store.Agent, token string, expires time.Time) (store.SystemMail, error) {
		return resetMail(center, account, texts, a, token, expires)
	}}, nil
}

// resetTemplate is the template of the mail, nil for the text that is built in. A reason says that it cannot be used, and the message why.
func resetTemplate(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter) (m *v1alpha1.MessageTemplate, reason, fault string, err error) {
	ref := center.Spec.Security.PasswordReset.TemplateRef
	if ref == nil {
		return nil, "", "", nil
	}
	m = &v1alpha1.MessageTemplate{}
	err = c.Get(ctx, types.NamespacedName{Namespace: center.Namespace, Name: ref.Name}, m)
	what := "spec.security.passwordReset.templateRef: MessageTemplate " + ref.Name
	switch {
	case apierrors.IsNotFound(err):
		return nil, v1alpha1.ReasonReferenceMissing, what + " does not exist", nil
	case err != nil:
		return nil, "", "", fmt.Errorf("reading MessageTemplate %s: %w", ref.Name, err)
	case m.Spec.Type != v1alpha1.MessagePasswordReset:
		return nil, v1alpha1.ReasonTemplateWrongType, what + " is not of type PasswordReset", nil
	}
	if fault := admission.TemplateFault(m); fault != "" {
		return nil, v1alpha1.ReasonReferenceInvalid, what + ": " + fault, nil
	}
	return m, "", "", nil
}

// resetMail writes the mail with the link. The token is in the fragment, which browsers send to no server.
func resetMail(center *v1alpha1.ContactCenter, account *v1alpha1.EmailAccount, texts *v1alpha1.MessageTemplate, a store.Agent, token string,
	expires time.Time,
) (store.SystemMail, error) {
	url := string(center.Spec.Security.PasswordReset.LinkBaseURL) + "#token=" + token
	until := expires.UTC().Format(linkExpires)
	n := message.Notice{
		From: netmail.Address{Name: displayName(account.Spec.DisplayName, account.Name), Address: account.Spec.Address},
		To:   netmail.Address{Name: a.DisplayName, Address: a.Email},
		At:   time.Now(), ID: "password-reset/" + a.String(),
	}
	if texts == nil {
		n.Subject, n.Text = message.PasswordResetNotice(a.DisplayName, a.Username, url, until)
	} else if err := fill(&n, texts, map[string]string{
		"center.name": displayName(center.Spec.DisplayName, center.Namespace), "link.expires": until, "link.url": url,
		"user.alias": displayName(a.Alias, a.DisplayName), "user.email": a.Email, "user.extension": a.Extension, "user.name": a.DisplayName,
		"user.username": a.Username,
	}); err != nil {
		return store.SystemMail{}, err
	}
	raw, err := message.BuildNotice(n)
	return store.SystemMail{Namespace: a.Namespace, Account: account.Name, Recipient: a.Email, Raw: raw}, err
}

// fill writes subject and bodies of a notice by a template.
func fill(n *message.Notice, m *v1alpha1.MessageTemplate, vars map[string]string) error {
	for _, part := range []struct {
		into   *string
		source string
		render func(*template.Template, map[string]string) string
	}{
		{&n.Subject, m.Spec.Subject, (*template.Template).Header},
		{&n.Text, m.Spec.Body.Text, (*template.Template).Text},
		{&n.HTML, m.Spec.Body.HTML, (*template.Template).HTML},
	} {
		t, err := template.Parse(part.source)
		if err != nil {
			return fmt.Errorf("MessageTemplate %s: %w", m.Name, err)
		}
		*part.into = part.render(t, vars)
	}
	return nil
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

// resetBy maps a template to the centers whose links are sent with it.
func (w *wiring) resetBy(ctx context.Context, o client.Object) []reconcile.Request {
	var centers v1alpha1.ContactCenterList
	if err := w.c.List(ctx, &centers, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range centers.Items {
		if r := centers.Items[i].Spec.Security.PasswordReset; r != nil && r.TemplateRef != nil && r.TemplateRef.Name == o.GetName() {
			out = append(out, requests(o.GetNamespace(), centers.Items[i].Name)...)
		}
	}
	return out
}
