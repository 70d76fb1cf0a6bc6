package controllers

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
)

// Where the logs go is read from the center and its Secrets, and ClientLogsReady says what is wrong with those.
func TestClientLogCollector(t *testing.T) {
	center := mailingCenter()
	center.Spec.ClientLogs = v1alpha1.ClientLogsSpec{Sink: "OTLP", OTLP: &v1alpha1.ClientLogsOTLP{
		Endpoint: "https://collector.example.com", Timeout: &metav1.Duration{Duration: 3 * time.Second}, QueueSize: 200,
		Headers:     []v1alpha1.ClientLogsHeader{{Name: "Authorization", ValueSecretRef: v1alpha1.SecretKeyReference{Name: "collector", Key: "header"}}},
		CASecretRef: &v1alpha1.SecretKeyReference{Name: "collector", Key: "ca.crt"},
	}}
	secret := func(header, ca string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: center.Namespace, Name: "collector", Labels: map[string]string{v1alpha1.CredentialLabel: "collector"}},
			Data: map[string][]byte{"header": []byte(header)}}
		if ca != "" {
			s.Data["ca.crt"] = []byte(ca)
		}
		return s
	}
	readerOf := func(t *testing.T, objects ...client.Object) client.Client {
		t.Helper()
		scheme := runtime.NewScheme()
		must(t, errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)))
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	}
	for name, test := range map[string]struct {
		secret         *corev1.Secret
		reason         string
		message        string
		refusesEntries bool
	}{
		"no Secret":      {&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "collector"}}, "SecretNotFound", "Secret collector is not there or lacks the label ringmaster.dev/credential", true},
		"no bundle":      {secret("Bearer x", ""), "SecretKeyMissing", `Secret collector has no key "ca.crt"`, true},
		"a line break":   {secret("Bearer x\n", "x"), "Invalid", `key "header" of Secret collector: the value of a header must be printable ASCII, without a line break at its end`, false},
		"a wrong bundle": {secret("Bearer x", "x"), "Invalid", `key "ca.crt" of Secret collector: the CA bundle must hold at least one certificate in PEM`, false},
	} {
		t.Run(name, func(t *testing.T) {
			reader := readerOf(t, center, test.secret)
			s := newScope(nil, 1)
			k := &centerKind{Client: reader, checker: admission.Checker{Reader: reader}}
			must(t, k.showClientLogs(t.Context(), center, s))
			s.ready(v1alpha1.ReasonSucceeded, "")
			besideReady(t, s, metav1.Condition{Type: v1alpha1.ConditionClientLogsReady, Status: metav1.ConditionFalse, Reason: test.reason, Message: test.message})
			if _, err := (DeskSide{Reader: reader}).ClientLogCollector(t.Context(), center.Namespace); (err != nil) != test.refusesEntries {
				t.Errorf("the collector: %v", err)
			}
		})
	}
	reader := readerOf(t, center, secret("Bearer x", "pem"))
	got, err := DeskSide{Reader: reader}.ClientLogCollector(t.Context(), center.Namespace)
	must(t, err)
	want := clientlog.Config{Endpoint: "https://collector.example.com", Headers: map[string]string{"Authorization": "Bearer x"}, RootCAs: "pem", Timeout: 3 * time.Second, QueueSize: 200}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	center.Spec.ClientLogs.OTLP.Headers, center.Spec.ClientLogs.OTLP.CASecretRef = nil, nil
	s := newScope(nil, 1)
	must(t, (&centerKind{Client: reader, checker: admission.Checker{Reader: reader}}).showClientLogs(t.Context(), center, s))
	s.ready(v1alpha1.ReasonSucceeded, "")
	besideReady(t, s, metav1.Condition{Type: v1alpha1.ConditionClientLogsReady, Status: metav1.ConditionTrue, Reason: "Succeeded", Message: "clients' logs are sent to the collector"})
}
