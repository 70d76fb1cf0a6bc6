package admission

import (
	"context"
	"crypto/x509"
	"fmt"
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

// use is what an object takes out of a Secret: one value, or several that belong together.
type use struct {
	// what it is, as in "PIN of Agent alice".
	what string
	// field of the object that refers to the Secret.
	field *field.Path
	// name of the Secret.
	name string
	// keys in its data, all of them needed.
	keys []string
	// judge the values of keys; nil means that they are good.
	judge func(data map[string][]byte) *fault
}

// fault of what a Secret contains.
type fault struct{ key, reason, message string }

// valueUse is the use of one key.
func valueUse(what string, path *field.Path, ref v1alpha1.SecretKeyReference, reason string, check func(value string) string) use {
	return use{what, path, ref.Name, []string{ref.Key}, func(data map[string][]byte) *fault {
		if message := check(string(data[ref.Key])); message != "" {
			return &fault{ref.Key, reason, message}
		}
		return nil
	}}
}

// where the keys of a use are, as people read it.
func (u use) where() string {
	if len(u.keys) == 1 {
		return fmt.Sprintf("key %q of Secret %s", u.keys[0], u.name)
	}
	return "Secret " + u.name
}

// missing is the first key that is not there.
func (u use) missing(data map[string][]byte) (string, bool) {
	for _, key := range u.keys {
		if _, found := data[key]; !found {
			return key, true
		}
	}
	return "", false
}

// agentUses are the values an agent takes out of Secrets.
func agentUses(agent *v1alpha1.Agent, center *v1alpha1.ContactCenter) []use {
	var uses []use
	add := func(ref *v1alpha1.SecretKeyReference, path *field.Path, what, reason string, check func(string) string) {
		if ref != nil {
			uses = append(uses, valueUse(what+" of Agent "+agent.Name, path, *ref, reason, check))
		}
	}
	add(agent.Spec.PasswordSecretRef, specPath.Child("passwordSecretRef"), "sign-in password", v1alpha1.ReasonPolicyViolated, checkPassword(center))
	add(agent.Spec.Voicemail.PINSecretRef, specPath.Child("voicemail", "pinSecretRef"), "voicemail PIN", v1alpha1.ReasonPINInvalid, checkPIN(ExtensionOf(agent)))
	add(agent.Spec.SIP.PasswordSecretRef, sipPath.Child("passwordSecretRef"), "SIP password", v1alpha1.ReasonInvalid, CheckSIPPassword)
	return uses
}

// telephoneUses are the values a telephone takes out of Secrets.
func telephoneUses(telephone *v1alpha1.Telephone) []use {
	ref := telephone.Spec.SIP.PasswordSecretRef
	if ref == nil {
		return nil
	}
	return []use{valueUse("SIP password of Telephone "+telephone.Name, sipPath.Child("passwordSecretRef"), *ref, v1alpha1.ReasonInvalid, CheckSIPPassword)}
}

// accountUses are the values an account takes out of Secrets.
func accountUses(account *v1alpha1.EmailAccount) []use {
	var uses []use
	add := func(ref *v1alpha1.SecretKeyReference, path *field.Path, what string, check func(string) string) {
		if ref != nil {
			uses = append(uses, valueUse(what+" of EmailAccount "+account.Name, path, *ref, v1alpha1.ReasonInvalid, check))
		}
	}
	for _, a := range []struct {
		auth *v1alpha1.EmailAuthentication
		path *field.Path
		what string
	}{
		{&account.Spec.Authentication, specPath.Child("authentication"), ""},
		{account.Spec.IMAP.Authentication, specPath.Child("imap", "authentication"), "IMAP "},
		{account.Spec.SMTP.Authentication, specPath.Child("smtp", "authentication"), "SMTP "},
	} {
		if a.auth == nil {
			continue
		}
		if a.auth.Basic != nil {
			add(&a.auth.Basic.PasswordSecretRef, a.path.Child("basic", "passwordSecretRef"), a.what+"password", checkMailboxPassword)
		}
		if o, path := a.auth.OAuth2, a.path.Child("oauth2"); o != nil {
			add(o.ClientSecretRef, path.Child("clientSecretRef"), a.what+"client secret", checkToken)
			add(o.RefreshTokenSecretRef, path.Child("refreshTokenSecretRef"), a.what+"refresh token", checkToken)
			if o.Endpoints != nil {
				add(o.Endpoints.CASecretRef, path.Child("endpoints", "caSecretRef"), a.what+"token endpoint's CA bundle", checkCABundle)
			}
		}
	}
	add(account.Spec.IMAP.CASecretRef, specPath.Child("imap", "caSecretRef"), "IMAP CA bundle", checkCABundle)
	add(account.Spec.SMTP.CASecretRef, specPath.Child("smtp", "caSecretRef"), "SMTP CA bundle", checkCABundle)
	return uses
}

// centerUses are the values a center takes out of Secrets.
func centerUses(center *v1alpha1.ContactCenter) []use {
	if center == nil || center.Spec.ClientLogs.OTLP == nil {
		return nil
	}
	otlp, path := center.Spec.ClientLogs.OTLP, specPath.Child("clientLogs", "otlp")
	var uses []use
	add := func(ref v1alpha1.SecretKeyReference, path *field.Path, what string, check func(string) string) {
		uses = append(uses, valueUse(what+" of ContactCenter "+center.Name, path, ref, v1alpha1.ReasonInvalid, check))
	}
	for i, h := range otlp.Headers {
		add(h.ValueSecretRef, path.Child("headers").Index(i).Child("valueSecretRef"), "header "+h.Name, checkHeader)
	}
	if otlp.CASecretRef != nil {
		add(*otlp.CASecretRef, path.Child("caSecretRef"), "collector's CA bundle", checkCABundle)
	}
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

// CheckSIPPassword returns what is wrong with the password of a phone, "" when nothing is.
func CheckSIPPassword(value string) string {
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

// checkToken: RFC 6749 appendix A allows printable ASCII.
func checkToken(value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "a token or client secret must be printable ASCII, without a line break at its end"
	}
	return ""
}

func checkHeader(value string) string {
	if checkToken(value) != "" {
		return "the value of a header must be printable ASCII, without a line break at its end"
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

// ContactCenterCredentials does the same for what a center sends to the collector of clients' logs.
func (c Checker) ContactCenterCredentials(ctx context.Context, center *v1alpha1.ContactCenter) ([]Problem, error) {
	return c.credentials(ctx, center.Namespace, centerUses(center))
}

// TelephoneCredentials does the same for the SIP password of a telephone.
func (c Checker) TelephoneCredentials(ctx context.Context, telephone *v1alpha1.Telephone) ([]Problem, error) {
	return c.credentials(ctx, telephone.Namespace, telephoneUses(telephone))
}

// PBXCredentials does the same for the certificate of a PBX: what security.CheckCertificate refuses is a problem, of reason
// CertificateExpired when the certificate was good once.
func (c Checker) PBXCredentials(ctx context.Context, pbx *v1alpha1.PBX) ([]Problem, error) {
	return c.credentials(ctx, pbx.Namespace, pbxUses(pbx))
}

func (c Checker) credentials(ctx context.Context, namespace string, uses []use) ([]Problem, error) {
	var problems []Problem
	for _, u := range uses {
		problem, err := c.credential(ctx, namespace, u)
		if err != nil {
			return nil, err
		}
		if problem != nil {
			problems = append(problems, *problem)
		}
	}
	return problems, nil
}

func (c Checker) credential(ctx context.Context, namespace string, u use) (*Problem, error) {
	var secret corev1.Secret
	switch err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: u.name}, &secret); {
	case apierrors.IsNotFound(err):
		return &Problem{u.field.Child("name"), field.ErrorTypeNotFound, v1alpha1.ReasonSecretNotFound,
			fmt.Sprintf("Secret %s is not there or lacks the label %s", u.name, v1alpha1.CredentialLabel)}, nil
	case err != nil:
		return nil, fmt.Errorf("get Secret %s: %w", u.name, err)
	case !labelled(&secret):
		return &Problem{u.field.Child("name"), field.ErrorTypeForbidden, v1alpha1.ReasonSecretNotLabelled,
			fmt.Sprintf("Secret %s lacks the label %s and is not read", u.name, v1alpha1.CredentialLabel)}, nil
	}
	if key, missing := u.missing(secret.Data); missing {
		path := u.field
		if len(u.keys) == 1 {
			path = path.Child("key")
		}
		return &Problem{path, field.ErrorTypeNotFound, v1alpha1.ReasonSecretKeyMissing, fmt.Sprintf("Secret %s has no key %q", u.name, key)}, nil
	}
	if f := u.judge(secret.Data); f != nil {
		return &Problem{u.field, field.ErrorTypeInvalid, f.reason, u.where() + ": " + f.message}, nil
	}
	return nil, nil
}
