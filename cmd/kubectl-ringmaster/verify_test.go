package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestVerify(t *testing.T) {
	c, ns, in := namespaceOf(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e := &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "support"}, Spec: v1alpha1.EmailAccountSpec{
		Key: "S", Address: "support@example.com", Authentication: v1alpha1.EmailAuthentication{Type: "None"},
	}}
	e.Spec.IMAP.Host, e.Spec.SMTP.Host, e.Spec.Routing.QueueRef.Name = "imap.example.com", "smtp.example.com", "mail"
	must(c.Create(t.Context(), e))
	verify := func(timeout string) outcome {
		t.Helper()
		return run(t, "", in("verify", "support", "--timeout", timeout)...)
	}

	// Nobody reconciles here: what the manager does is done below.
	verify("300ms").check(t, exitFailure, "", "emailaccount support: the manager did not try both servers within 300ms; Ready is Unknown")
	for _, step := range []struct {
		smtp, reason string
		status       int
		says         string
	}{
		{"True", "Ready", 0, "SMTP    Ready   it goes\n"},
		{"False", "AuthenticationFailed", exitFailure, "SMTP    AuthenticationFailed  it goes\n"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		must(c.Get(ctx, client.ObjectKeyFromObject(e), e))
		before := e.Annotations[v1alpha1.VerifyAnnotation]
		key := client.ObjectKeyFromObject(e)
		done := make(chan error, 1)
		go func() { done <- manageVerify(ctx, c, key, before, metav1.ConditionStatus(step.smtp), step.reason) }()
		o := verify("30s")
		o.check(t, step.status, step.says, "")
		o.check(t, step.status, "IMAP    Ready ", "")
		must(<-done)
		cancel()
	}
	must(c.Get(t.Context(), client.ObjectKeyFromObject(e), e))
	e.Spec.State = v1alpha1.Inactive
	must(c.Update(t.Context(), e))
	verify("30s").check(t, exitFailure, "", "spec.state is Inactive")
}

// manageVerify does what the manager does, for the value of the annotation after this one.
func manageVerify(ctx context.Context, c client.Client, account client.ObjectKey, before string, smtp metav1.ConditionStatus, reason string) error {
	for {
		var e v1alpha1.EmailAccount
		if err := c.Get(ctx, account, &e); err != nil {
			return err
		}
		if value := e.Annotations[v1alpha1.VerifyAnnotation]; value != before {
			e.Status.Verified = value
			meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionIMAPReady, Status: "True", Reason: "Ready", Message: "it goes"})
			meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSMTPReady, Status: smtp, Reason: reason, Message: "it goes"})
			return c.Status().Update(ctx, &e)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// An account without a mailbox is judged by the server it has.
func TestVerifySystemAccount(t *testing.T) {
	e := &v1alpha1.EmailAccount{Spec: v1alpha1.EmailAccountSpec{Purpose: v1alpha1.PurposeSystem}}
	meta.SetStatusCondition(&e.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSMTPReady, Status: "True", Reason: "Ready", Message: "it goes"})
	var out strings.Builder
	if err := printVerified(&out, e); err != nil {
		t.Error(err)
	}
	if want := "SERVER  RESULT  MESSAGE\nSMTP    Ready   it goes\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
