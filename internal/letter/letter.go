// Package letter fills the MessageTemplates of mails that bring agents a link to set their password.
package letter

import (
	"cmp"
	"context"
	"fmt"
	netmail "net/mail"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// expiry is how link.expires reads; the servers that render it agree on no other zone.
const expiry = "2 January 2006 15:04 UTC"

// Person is whom a letter is for.
type Person struct{ Name, Alias, Email, Extension, Username string }

// PersonOf an agent.
func PersonOf(a *v1alpha1.Agent) Person {
	return Person{Name: a.Spec.FullName, Alias: a.Spec.Alias, Email: a.Spec.Email, Extension: a.Status.Extension, Username: a.Username()}
}

// InvitationTTL is how long the link of an invitation holds; the default is for centers that were admitted without one.
func InvitationTTL(spec *v1alpha1.InvitationsSpec) time.Duration {
	if spec.LinkTTL == nil {
		return 7 * 24 * time.Hour
	}
	return spec.LinkTTL.Duration
}

// Link to the page where the password is set.
type Link struct {
	URL string
	// Expires as people read it.
	Expires string
}

// NewLink puts the token into the fragment, which browsers send to no server.
func NewLink(base v1alpha1.LinkBaseURL, token string, expires time.Time) Link {
	return Link{URL: string(base) + "#token=" + token, Expires: expires.UTC().Format(expiry)}
}

// Find reads the template that field of a center refers to. A reason says that it cannot be used, and fault why.
func Find(ctx context.Context, r client.Reader, namespace, field, name string, want v1alpha1.MessageType) (m *v1alpha1.MessageTemplate, reason, fault string, err error) {
	m = &v1alpha1.MessageTemplate{}
	err = r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, m)
	what := field + ": MessageTemplate " + name
	switch {
	case apierrors.IsNotFound(err):
		return nil, v1alpha1.ReasonReferenceMissing, what + " does not exist", nil
	case err != nil:
		return nil, "", "", fmt.Errorf("reading MessageTemplate %s: %w", name, err)
	case m.Spec.Type != want:
		return nil, v1alpha1.ReasonTemplateWrongType, what + " is not of type " + string(want), nil
	}
	if fault := admission.TemplateFault(m); fault != "" {
		return nil, v1alpha1.ReasonReferenceInvalid, what + ": " + fault, nil
	}
	return m, "", "", nil
}

// Invitation is the template of a center's invitations; see Find.
func Invitation(ctx context.Context, r client.Reader, center *v1alpha1.ContactCenter) (m *v1alpha1.MessageTemplate, reason, fault string, err error) {
	if center.Spec.Invitations == nil {
		return nil, v1alpha1.ReasonNotConfigured, "spec.invitations of ContactCenter " + center.Name + " is not set: agents are not invited by mail", nil
	}
	return Find(ctx, r, center.Namespace, "spec.invitations.templateRef", center.Spec.Invitations.TemplateRef.Name, v1alpha1.MessageInvitation)
}

// Begin is a notice to a person, from an account, without its text.
func Begin(account *v1alpha1.EmailAccount, p Person) message.Notice {
	return message.Notice{
		From: netmail.Address{Name: cmp.Or(account.Spec.DisplayName, account.Name), Address: account.Spec.Address},
		To:   netmail.Address{Name: p.Name, Address: p.Email},
	}
}

// Fill writes subject and bodies of a notice by a template.
func Fill(n *message.Notice, m *v1alpha1.MessageTemplate, center *v1alpha1.ContactCenter, p Person, l Link) error {
	vars := map[string]string{
		"center.name": cmp.Or(center.Spec.DisplayName, center.Namespace), "link.expires": l.Expires, "link.url": l.URL,
		"user.alias": cmp.Or(p.Alias, p.Name), "user.email": p.Email, "user.extension": p.Extension, "user.name": p.Name,
		"user.username": p.Username,
	}
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

// Obstacle says why an agent gets no invitation, whoever asks for one; empty when the agent may.
func Obstacle(a *v1alpha1.Agent) string {
	switch {
	case !a.DeletionTimestamp.IsZero():
		return "the agent is being deleted"
	case a.Spec.AccountState == v1alpha1.AccountDeactivated:
		return "the account is deactivated"
	case a.Spec.Email == "":
		return "spec.email is not set"
	case a.Spec.PasswordManagement == v1alpha1.PasswordEnforced:
		return "spec.passwordManagement is Enforced: the password is the Secret's"
	}
	return ""
}
