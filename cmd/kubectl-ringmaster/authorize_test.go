package main

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauthtest"
)

// deviceAccount signs in with what a person confirms at the issuer.
func deviceAccount(issuer *oauthtest.Server) *v1alpha1.EmailAccount {
	e := &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "center", Name: "support"}}
	e.Spec.Address = "support@example.test"
	e.Spec.Authentication = v1alpha1.EmailAuthentication{Type: "OAuth2", OAuth2: &v1alpha1.OAuth2Authentication{
		Provider: v1alpha1.ProviderGeneric, Grant: v1alpha1.GrantDeviceCode, ClientID: oauthtest.ClientID,
		ClientSecretRef:       &v1alpha1.SecretKeyReference{Name: "client", Key: "secret"},
		RefreshTokenSecretRef: &v1alpha1.SecretKeyReference{Name: "tokens", Key: "refresh"},
		Endpoints: &v1alpha1.OAuth2Endpoints{
			TokenURL: issuer.TokenURL, DeviceAuthorizationURL: issuer.DeviceURL, CASecretRef: &v1alpha1.SecretKeyReference{Name: "client", Key: "ca.crt"},
		},
	}}
	return e
}

func TestAuthorize(t *testing.T) {
	labels := map[string]string{v1alpha1.CredentialLabel: "mailbox"}
	for name, test := range map[string]struct {
		tokens *corev1.Secret
		change func(*v1alpha1.EmailAccount, *corev1.Secret)
		says   string
	}{
		"the Secret is made": {},
		"the Secret is there": {tokens: &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "center", Name: "tokens", Labels: labels}, Data: map[string][]byte{"other": []byte("o")},
		}},
		"a Secret that is no credential": {
			tokens: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "center", Name: "tokens"}}, says: "lacks the label",
		},
		"another grant": {change: func(e *v1alpha1.EmailAccount, _ *corev1.Secret) {
			e.Spec.Authentication.OAuth2.Grant = v1alpha1.GrantAuthorizationCode
		}, says: "no authentication of type OAuth2 with grant DeviceCode"},
		"a wrong secret": {change: func(_ *v1alpha1.EmailAccount, s *corev1.Secret) {
			s.Data["secret"] = []byte("wrong-one")
		}, says: "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := oauthtest.New(t, "support@example.test")
			account := deviceAccount(issuer)
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "center", Name: "client", Labels: labels},
				Data:       map[string][]byte{"secret": []byte(oauthtest.ClientSecret), "ca.crt": []byte(issuer.CA)},
			}
			if test.change != nil {
				test.change(account, secret)
			}
			scheme := runtime.NewScheme()
			if err := corev1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			build := fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret)
			if test.tokens != nil {
				build = build.WithObjects(test.tokens)
			}
			c := build.Build()
			var out bytes.Buffer
			err := authorize(t.Context(), c, account, &out)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("got %v, want %q", err, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := out.String(); !strings.Contains(text, `"https://login.example.test/device"`) || !strings.Contains(text, "WDJB-MJHT") || strings.Contains(text, "refresh-1") {
				t.Errorf("printed %q", text)
			}
			var stored corev1.Secret
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "center", Name: "tokens"}, &stored); err != nil {
				t.Fatal(err)
			}
			if string(stored.Data["refresh"]) != "refresh-1" || stored.Labels[v1alpha1.CredentialLabel] == "" {
				t.Errorf("stored keys %d, labels %v", len(stored.Data), stored.Labels)
			}
			if test.tokens != nil && string(stored.Data["other"]) != "o" {
				t.Error("another key was lost")
			}
		})
	}
}
