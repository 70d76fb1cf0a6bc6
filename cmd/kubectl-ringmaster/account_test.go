package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

func TestUnlockAndSetPassword(t *testing.T) {
	c, ns, in := namespaceOf(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	alice := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "alice"}, Spec: v1alpha1.AgentSpec{FullName: "Alice"}}
	must(c.Create(ctx, alice))

	// Nobody reconciles here: what the manager does is done below.
	run(t, "", in("unlock", "alice", "--timeout", "300ms")...).check(t, exitFailure, "", "agent alice: the manager did not unlock it within 300ms")
	ahead := metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
	must(c.Get(ctx, client.ObjectKeyFromObject(alice), alice))
	alice.Status.Account.LockState, alice.Status.Account.LockedTime = v1alpha1.Locked, &ahead
	must(c.Status().Update(ctx, alice))
	run(t, "", in("unlock", "alice", "--timeout", "0s")...).check(t, 0, "agent/alice unlocked", "")
	must(c.Get(ctx, client.ObjectKeyFromObject(alice), alice))
	if at, err := time.Parse(time.RFC3339, alice.Annotations[v1alpha1.UnlockAnnotation]); err != nil || !at.After(ahead.Time) {
		t.Errorf("annotation %v, %v: it must be after the lock", at, err)
	}
	done := make(chan error, 1)
	go func() { done <- manageUnlocks(ctx, c, client.ObjectKeyFromObject(alice), 2) }()
	poll(t, func() error {
		var a v1alpha1.Agent
		if err := c.Get(ctx, client.ObjectKeyFromObject(alice), &a); err != nil || a.Status.Account.LastHandledUnlock == "" {
			return fmt.Errorf("not unlocked: %w", err)
		}
		return nil
	})
	run(t, "", in("unlock", "alice")...).check(t, 0, "agent/alice unlocked", "")
	must(<-done)

	run(t, "Violet-Harbor-41\n", in("set-password", "alice")...).check(t, exitFailure, "", "agent alice has no spec.passwordSecretRef")
	bob := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "bob"}, Spec: v1alpha1.AgentSpec{
		FullName: "Bob", PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "bob", Key: "password"},
	}}
	must(c.Create(ctx, bob))
	content := func() string {
		t.Helper()
		var s corev1.Secret
		must(c.Get(ctx, client.ObjectKeyFromObject(bob), &s))
		if s.Labels[v1alpha1.CredentialLabel] != "agent" {
			t.Errorf("labels %v", s.Labels)
		}
		return string(s.Data["password"])
	}
	run(t, "kurz\n", in("set-password", "bob")...).check(t, exitFailure, "", "at least 8 characters")
	run(t, "Violet-Harbor-41\r\n", in("set-password", "bob")...).check(t, 0, "", "")
	if got := content(); got != "Violet-Harbor-41" {
		t.Errorf("the new Secret has %q", got)
	}
	o := run(t, "", in("set-password", "bob", "--generate")...)
	o.check(t, 0, "", "")
	if got := content(); got+"\n" != o.stdout || len(security.DefaultPasswordPolicy().Check(got)) > 0 {
		t.Errorf("the changed Secret has %q, printed %q", got, o.stdout)
	}
}

// manageUnlocks does what the manager does, for so many values of the annotation.
func manageUnlocks(ctx context.Context, c client.Client, agent client.ObjectKey, times int) error {
	for times > 0 {
		var a v1alpha1.Agent
		if err := c.Get(ctx, agent, &a); err != nil {
			return err
		}
		account := &a.Status.Account
		if value := a.Annotations[v1alpha1.UnlockAnnotation]; value != account.LastHandledUnlock {
			account.LastHandledUnlock, account.LockState, account.LockedTime = value, v1alpha1.Unlocked, nil
			if err := c.Status().Update(ctx, &a); err != nil {
				return err
			}
			times--
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
