package controllers

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// oauthAccount signs in with the Secret "tokens".
func oauthAccount(change ...func(*v1alpha1.OAuth2Authentication)) *v1alpha1.EmailAccount {
	e := opsAccount()
	o := &v1alpha1.OAuth2Authentication{
		Provider: v1alpha1.ProviderMicrosoft365, Grant: v1alpha1.GrantAuthorizationCode, ClientID: "app",
		ClientSecretRef:       &v1alpha1.SecretKeyReference{Name: "tokens", Key: "client"},
		RefreshTokenSecretRef: &v1alpha1.SecretKeyReference{Name: "tokens", Key: "refresh"},
	}
	for _, f := range change {
		f(o)
	}
	e.Spec.Service = v1alpha1.ServiceOutlook365
	e.Spec.Authentication = v1alpha1.EmailAuthentication{Type: "OAuth2", OAuth2: o}
	return e
}

func tokenSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "tokens", Labels: map[string]string{v1alpha1.CredentialLabel: "mailbox"}},
		Data:       map[string][]byte{"client": []byte("c-1"), "refresh": []byte("r-1"), "other": []byte("o-1")},
	}
}

func secretsClient(t *testing.T, s *corev1.Secret) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, clientgoscheme.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(s).Build()
}

// hashOf is the configuration's of the account as its worker sees it.
func hashOf(t *testing.T, c client.Client) string {
	t.Helper()
	cfg, err := mailConfig(t.Context(), c, oauthAccount(), mailingCenter())
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Hash()
}

// A rotation does not restart the account; what an administrator writes does.
func TestRotationKeepsTheConfiguration(t *testing.T) {
	c := secretsClient(t, tokenSecret())
	v := TokenVault{Reader: c, Writer: c}
	at := oauth.SecretKey{Namespace: ns, Name: "tokens", Key: "refresh"}
	before := hashOf(t, c)
	for _, step := range [][2]string{{"r-1", "r-2"}, {"r-2", "r-3"}, {"r-2", "r-3"}} { // the last one: an answer that was lost
		if err := v.Rotate(t.Context(), at, remote.Secret(step[0]), remote.Secret(step[1])); err != nil {
			t.Fatal(err)
		}
		if hashOf(t, c) != before {
			t.Fatalf("%s changed the configuration", step[1])
		}
	}
	if err := v.Rotate(t.Context(), at, "r-1", "r-9"); !errors.Is(err, oauth.ErrReplaced) {
		t.Fatalf("got %v", err)
	}
	token, err := v.RefreshToken(t.Context(), at)
	if err != nil || token.Reveal() != "r-3" {
		t.Fatalf("got %q, %v", token.Reveal(), err)
	}
	for key, value := range map[string]string{"other": "o-2", "refresh": "r-4", "client": "c-2"} {
		var s corev1.Secret
		must(t, c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "tokens"}, &s))
		s.Data[key] = []byte(value)
		old := hashOf(t, c)
		must(t, c.Update(t.Context(), &s))
		if changed := hashOf(t, c) != old; changed != (key != "other") {
			t.Errorf("%s: the configuration changed: %t", key, changed)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A Secret that is no credential is neither read nor written.
func TestVaultKeepsToCredentials(t *testing.T) {
	s := tokenSecret()
	s.Labels = nil
	c := secretsClient(t, s)
	v := TokenVault{Reader: c, Writer: c}
	at := oauth.SecretKey{Namespace: ns, Name: "tokens", Key: "refresh"}
	if token, err := v.RefreshToken(t.Context(), at); err == nil {
		t.Errorf("read %d bytes", len(token))
	}
	if err := v.Rotate(t.Context(), at, "r-1", "r-2"); err == nil {
		t.Error("written")
	}
}

func TestEndpointsOfProviders(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.OAuth2Authentication)
		want   oauth.Endpoints
	}{
		"Microsoft365": {func(*v1alpha1.OAuth2Authentication) {}, oauth.Endpoints{
			TokenURL:               "https://login.microsoftonline.com/common/oauth2/v2.0/token",
			DeviceAuthorizationURL: "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode",
			Scopes:                 []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send", "offline_access"},
		}},
		"its tenant": {func(o *v1alpha1.OAuth2Authentication) {
			o.TenantID, o.Grant = "acme.example.com", v1alpha1.GrantClientCredentials
		}, oauth.Endpoints{
			TokenURL:               "https://login.microsoftonline.com/acme.example.com/oauth2/v2.0/token",
			DeviceAuthorizationURL: "https://login.microsoftonline.com/acme.example.com/oauth2/v2.0/devicecode",
			Scopes:                 []string{"https://outlook.office365.com/.default"},
		}},
		"Google": {func(o *v1alpha1.OAuth2Authentication) { o.Provider = v1alpha1.ProviderGoogle }, oauth.Endpoints{
			TokenURL: "https://oauth2.googleapis.com/token", DeviceAuthorizationURL: "https://oauth2.googleapis.com/device/code",
			Scopes: []string{"https://mail.google.com/"},
		}},
		"Generic": {func(o *v1alpha1.OAuth2Authentication) {
			o.Provider, o.Scopes = v1alpha1.ProviderGeneric, []string{"mail"}
			o.Endpoints = &v1alpha1.OAuth2Endpoints{TokenURL: "https://sso.example.com/token"}
		}, oauth.Endpoints{TokenURL: "https://sso.example.com/token", Scopes: []string{"mail"}, BasicAuthentication: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, oauth.EndpointsOf(oauthAccount(test.change).Spec.Authentication.OAuth2)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
