package admission

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// Keys of a Secret labelled ringmaster.dev/credential: agent that are checked before any Agent refers to it, because
// `kubectl apply` sends Secrets before the objects that use them.
const (
	KeyPassword = "password"
	KeyPIN      = "pin"
)

// MinSIPPassword is the length of the shortest SIP password that is accepted, in characters.
const MinSIPPassword = 8

// PolicyOf is the password policy of a center. Without a center it is the default one; with the security suite disabled
// only an empty password is refused.
func PolicyOf(center *v1alpha1.ContactCenter) security.PasswordPolicy {
	policy := security.DefaultPasswordPolicy()
	if center == nil {
		return policy
	}
	if center.Spec.Security.Suite == v1alpha1.Disabled {
		return security.PasswordPolicy{}
	}
	p := center.Spec.Security.PasswordPolicy
	if p.MinLength > 0 {
		policy.MinLength = int(p.MinLength)
	}
	for _, minimum := range []struct {
		in  *int32
		out *int
	}{
		{p.MinLowercase, &policy.MinLowercase}, {p.MinUppercase, &policy.MinUppercase},
		{p.MinDigits, &policy.MinDigits}, {p.MinSpecials, &policy.MinSpecials},
	} {
		if minimum.in != nil {
			*minimum.out = int(*minimum.in)
		}
	}
	if p.SpecialCharacters != "" {
		policy.SpecialCharacters = p.SpecialCharacters
	}
	return policy
}

// CheckSecretPassword returns what a sign-in password breaks of the policy of a center.
func CheckSecretPassword(center *v1alpha1.ContactCenter, password string) []security.Violation {
	return PolicyOf(center).Check(password)
}

// use is one value that an object takes out of a Secret.
type use struct {
	// what the value is, as in "the PIN of Agent alice".
	what   string
	field  *field.Path
	ref    v1alpha1.SecretKeyReference
	reason string
	check  func(value string) string
}

// agentUses are the values an agent takes out of Secrets.
func agentUses(agent *v1alpha1.Agent, center *v1alpha1.ContactCenter) []use {
	var uses []use
	add := func(ref *v1alpha1.SecretKeyReference, path *field.Path, what, reason string, check func(string) string) {
		if ref != nil {
			uses = append(uses, use{what + " of Agent " + agent.Name, path, *ref, reason, check})
		}
	}
	add(agent.Spec.PasswordSecretRef, specPath.Child("passwordSecretRef"), "sign-in password", v1alpha1.ReasonPolicyViolated, checkPassword(center))
	add(agent.Spec.Voicemail.PINSecretRef, specPath.Child("voicemail", "pinSecretRef"), "voicemail PIN", v1alpha1.ReasonPINInvalid, checkPIN(ExtensionOf(agent)))
	add(agent.Spec.SIP.PasswordSecretRef, specPath.Child("sip", "passwordSecretRef"), "SIP password", v1alpha1.ReasonInvalid, checkSIPPassword)
	return uses
}

// accountUses are the values an account takes out of Secrets.
func accountUses(account *v1alpha1.EmailAccount) []use {
	var uses []use
	add := func(ref *v1alpha1.SecretKeyReference, path *field.Path, what string, check func(string) string) {
		if ref != nil {
			uses = append(uses, use{what + " of EmailAccount " + account.Name, path, *ref, v1alpha1.ReasonInvalid, check})
		}
	}
	if basic := account.Spec.Authentication.Basic; basic != nil {
		add(&basic.PasswordSecretRef, specPath.Child("authentication", "basic", "passwordSecretRef"), "password", checkMailboxPassword)
	}
	add(account.Spec.IMAP.CASecretRef, specPath.Child("imap", "caSecretRef"), "IMAP CA bundle", checkCABundle)
	add(account.Spec.SMTP.CASecretRef, specPath.Child("smtp", "caSecretRef"), "SMTP CA bundle", checkCABundle)
	return uses
}

// checkPassword asks the policy of the center. While a namespace has no center its policy is not known, and a tool that
// applies everything in one go must not be refused by a default the center is about to change: only what holds under
// every policy counts.
func checkPassword(center *v1alpha1.ContactCenter) func(string) string {
	policy := security.PasswordPolicy{}
	if center != nil {
		policy = PolicyOf(center)
	}
	return func(value string) string { return security.Explain(policy.Check(value)) }
}

func checkPIN(extension string) func(string) string {
	return func(value string) string { return security.Explain(security.CheckPIN(value, extension)) }
}

func checkSIPPassword(value string) string {
	switch {
	case utf8.RuneCountInString(value) < MinSIPPassword:
		return fmt.Sprintf("the SIP password needs at least %d characters", MinSIPPassword)
	case !printable(value):
		return "the SIP password must be UTF-8 text without control characters, such as a line break at its end"
	}
	return ""
}

func checkMailboxPassword(value string) string {
	switch {
	case value == "":
		return "the password must not be empty"
	case !printable(value):
		return "the password must be UTF-8 text without control characters, such as a line break at its end"
	}
	return ""
}

func checkCABundle(value string) string {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(value)) {
		return "the CA bundle must hold at least one certificate in PEM"
	}
	return ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// AgentCredentials checks the sign-in password, the PIN and the SIP password in the Secrets an agent refers to. Those
// that are not there, or that Ringmaster may not read, are problems that are Waiting.
func (c Checker) AgentCredentials(ctx context.Context, agent *v1alpha1.Agent) ([]Problem, error) {
	center, err := c.Center(ctx, agent.Namespace)
	if err != nil {
		return nil, err
	}
	return c.credentials(ctx, agent.Namespace, agentUses(agent, center))
}

// EmailAccountCredentials does the same for the password and the CA bundles of an account.
func (c Checker) EmailAccountCredentials(ctx context.Context, account *v1alpha1.EmailAccount) ([]Problem, error) {
	return c.credentials(ctx, account.Namespace, accountUses(account))
}

func (c Checker) credentials(ctx context.Context, namespace string, uses []use) ([]Problem, error) {
	var problems []Problem
	for _, u := range uses {
		var secret corev1.Secret
		err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: u.ref.Name}, &secret)
		switch value, found := secret.Data[u.ref.Key]; {
		case apierrors.IsNotFound(err):
			problems = append(problems, Problem{u.field.Child("name"), field.ErrorTypeNotFound, v1alpha1.ReasonSecretNotFound,
				fmt.Sprintf("Secret %s is not there or lacks the label %s", u.ref.Name, v1alpha1.CredentialLabel)})
		case err != nil:
			return nil, fmt.Errorf("get Secret %s: %w", u.ref.Name, err)
		case !labelled(&secret):
			problems = append(problems, Problem{u.field.Child("name"), field.ErrorTypeForbidden, v1alpha1.ReasonSecretNotLabelled,
				fmt.Sprintf("Secret %s lacks the label %s and is not read", u.ref.Name, v1alpha1.CredentialLabel)})
		case !found:
			problems = append(problems, Problem{u.field.Child("key"), field.ErrorTypeNotFound, v1alpha1.ReasonSecretKeyMissing,
				fmt.Sprintf("Secret %s has no key %q", u.ref.Name, u.ref.Key)})
		default:
			if message := u.check(string(value)); message != "" {
				problems = append(problems, Problem{u.field, field.ErrorTypeInvalid, u.reason,
					fmt.Sprintf("key %q of Secret %s: %s", u.ref.Key, u.ref.Name, message)})
			}
		}
	}
	return problems, nil
}

func labelled(secret *corev1.Secret) bool {
	_, ok := secret.Labels[v1alpha1.CredentialLabel]
	return ok
}

// Secret checks a labelled Secret against everything that refers to it, and by the names of its keys when the label says
// that it is an agent's.
func (c Checker) Secret(ctx context.Context, secret *corev1.Secret) ([]Problem, error) {
	if !labelled(secret) {
		return nil, nil
	}
	uses, err := c.usesOf(ctx, secret)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	// A thousand agents may share one first password: the first of them stands for all.
	said := map[string]bool{}
	report := func(u use, kind field.ErrorType, reason, message string) {
		if key := u.ref.Key + reason + message; !said[key] {
			said[key] = true
			problems = append(problems, Problem{field.NewPath("data").Key(u.ref.Key), kind, reason, message + " (it is the " + u.what + ")"})
		}
	}
	for _, u := range uses {
		value, found := secret.Data[u.ref.Key]
		if !found {
			report(u, field.ErrorTypeNotFound, v1alpha1.ReasonSecretKeyMissing, "the key is missing")
		} else if message := u.check(string(value)); message != "" {
			report(u, field.ErrorTypeInvalid, u.reason, message)
		}
	}
	return problems, nil
}

func (c Checker) usesOf(ctx context.Context, secret *corev1.Secret) ([]use, error) {
	center, err := c.Center(ctx, secret.Namespace)
	if err != nil {
		return nil, err
	}
	here := []client.ListOption{client.InNamespace(secret.Namespace), client.MatchingFields{IndexSecret: secret.Name}}
	var agents v1alpha1.AgentList
	if err := c.Reader.List(ctx, &agents, here...); err != nil {
		return nil, fmt.Errorf("list Agents by Secret: %w", err)
	}
	var accounts v1alpha1.EmailAccountList
	if err := c.Reader.List(ctx, &accounts, here...); err != nil {
		return nil, fmt.Errorf("list EmailAccounts by Secret: %w", err)
	}
	var uses []use
	for i := range agents.Items {
		uses = append(uses, agentUses(&agents.Items[i], center)...)
	}
	for i := range accounts.Items {
		uses = append(uses, accountUses(&accounts.Items[i])...)
	}
	uses = slices.DeleteFunc(uses, func(u use) bool { return u.ref.Name != secret.Name })
	return append(uses, usesByName(secret, center)...), nil
}

// usesByName are the values that the label alone explains.
func usesByName(secret *corev1.Secret, center *v1alpha1.ContactCenter) []use {
	if secret.Labels[v1alpha1.CredentialLabel] != v1alpha1.CredentialAgent {
		return nil
	}
	var uses []use
	add := func(key, what, reason string, check func(string) string) {
		if _, found := secret.Data[key]; found {
			uses = append(uses, use{what + " of an agent", nil, v1alpha1.SecretKeyReference{Name: secret.Name, Key: key}, reason, check})
		}
	}
	add(KeyPassword, "sign-in password", v1alpha1.ReasonPolicyViolated, checkPassword(center))
	add(KeyPIN, "voicemail PIN", v1alpha1.ReasonPINInvalid, checkPIN(""))
	return uses
}
