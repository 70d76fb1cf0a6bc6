package admission

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// certificates refuses an account that accepts any certificate where its center forbids that.
func (c Checker) certificates(ctx context.Context, account *v1alpha1.EmailAccount) ([]Problem, error) {
	center, err := c.Center(ctx, account.Namespace)
	if err != nil || center == nil || center.Spec.Security.AcceptAnyCertificate != v1alpha1.Denied {
		return nil, err
	}
	var problems []Problem
	for _, server := range []struct {
		child string
		tls   v1alpha1.ServerTLS
	}{{"imap", account.Spec.IMAP.ServerTLS}, {"smtp", account.Spec.SMTP.ServerTLS}} {
		if server.tls.CertificateValidation == v1alpha1.CertificateAcceptAny {
			problems = append(problems, Problem{specPath.Child(server.child, "certificateValidation"), field.ErrorTypeForbidden, v1alpha1.ReasonAcceptAnyDenied,
				fmt.Sprintf("ContactCenter %s denies AcceptAny (security.acceptAnyCertificate)", center.Name)})
		}
	}
	return problems, nil
}

// usualSecurity of the ports that RFC 8314 names for one way of encryption.
var usualSecurity = map[int32]v1alpha1.TransportSecurity{
	993: v1alpha1.SecurityTLS, 465: v1alpha1.SecurityTLS, 143: v1alpha1.SecurityStartTLS, 587: v1alpha1.SecurityStartTLS,
}

// EmailAccountWarnings say what is legal for an account but not safe.
func (c Checker) EmailAccountWarnings(ctx context.Context, account *v1alpha1.EmailAccount) ([]string, error) {
	var warnings []string
	for _, server := range []struct {
		path string
		tls  v1alpha1.ServerTLS
		at   v1alpha1.ServerAddress
	}{{"spec.imap", account.Spec.IMAP.ServerTLS, account.Spec.IMAP.ServerAddress}, {"spec.smtp", account.Spec.SMTP.ServerTLS, account.Spec.SMTP.ServerAddress}} {
		if usual := usualSecurity[server.at.Port]; usual != "" && server.tls.Security != "" && server.tls.Security != usual {
			warnings = append(warnings, fmt.Sprintf("%s.security: servers usually expect %s on port %d", server.path, usual, server.at.Port))
		}
		if server.tls.Security == v1alpha1.SecurityNone {
			warnings = append(warnings, server.path+".security: None sends mails, and the password if plaintext is Allowed, unencrypted")
		}
		if server.tls.CertificateValidation == v1alpha1.CertificateAcceptAny {
			warnings = append(warnings, server.path+".certificateValidation: AcceptAny trusts whoever answers; use caSecretRef for a private authority, or pinnedSHA256 for one certificate")
		}
	}
	if account.Spec.IMAP.DuplicateCheck == v1alpha1.Disabled {
		warnings = append(warnings, "spec.imap.duplicateCheck: Disabled makes a new interaction of a mail each time somebody marks it unread on the server")
	}
	if account.Spec.Routing.Model == v1alpha1.RoutingLegacy {
		warnings = append(warnings, "Deprecated: spec.routing.legacy.assignedQueueWait; model Assigned has timeoutAction ReturnToLastQueue")
	}
	if t := account.Spec.Routing.InactivityTimeout; t != nil && t.Duration%time.Minute != 0 {
		warnings = append(warnings, "spec.routing.inactivityTimeout: "+t.Duration.String()+" is not in whole minutes, which other tools show it in")
	}
	passwords, err := c.appPasswords(ctx, account)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, passwords...)
	return append(warnings, emptyVariables(notificationPath, account.Spec.Notification.Template, template.Offer, "a notification")...), nil
}

// appPasswordLength of Google, which shows app passwords in groups of four letters.
const appPasswordLength = 16

// appPasswords finds what cannot be an app password of Google, the only kind that Gmail takes. Nothing is said of its length: it may be somebody's
// password for everything.
func (c Checker) appPasswords(ctx context.Context, account *v1alpha1.EmailAccount) ([]string, error) {
	if account.Spec.Service != v1alpha1.ServiceGmail {
		return nil, nil
	}
	var warnings []string
	for _, a := range []struct {
		auth *v1alpha1.EmailAuthentication
		path *field.Path
	}{
		{&account.Spec.Authentication, specPath.Child("authentication")},
		{account.Spec.IMAP.Authentication, specPath.Child("imap", "authentication")},
		{account.Spec.SMTP.Authentication, specPath.Child("smtp", "authentication")},
	} {
		if a.auth == nil || a.auth.Basic == nil {
			continue
		}
		ref := a.auth.Basic.PasswordSecretRef
		var secret corev1.Secret
		if err := c.Reader.Get(ctx, client.ObjectKey{Namespace: account.Namespace, Name: ref.Name}, &secret); err != nil {
			if client.IgnoreNotFound(err) == nil {
				continue // the rules say that it is not there
			}
			return nil, fmt.Errorf("get Secret %s: %w", ref.Name, err)
		}
		password, found := secret.Data[ref.Key]
		if found && labelled(&secret) && len(strings.ReplaceAll(string(password), " ", "")) != appPasswordLength {
			warnings = append(warnings, fmt.Sprintf("%s: Gmail takes app passwords, which have %d letters, and the one in Secret %s has not", a.path.Child("basic", "passwordSecretRef"), appPasswordLength, ref.Name))
		}
	}
	return warnings, nil
}
