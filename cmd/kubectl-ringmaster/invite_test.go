package main

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestInvite(t *testing.T) {
	c, ns, in := namespaceOf(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns.Name, Name: name} }

	run(t, "", in("invite", "alice")...).check(t, exitFailure, "", "has no ContactCenter")
	center := &v1alpha1.ContactCenter{ObjectMeta: meta("acme"), Spec: v1alpha1.ContactCenterSpec{DisplayName: "Acme"}}
	must(c.Create(ctx, center))
	run(t, "", in("invite", "alice")...).check(t, exitFailure, "", "no invitations: NotConfigured: spec.invitations of ContactCenter acme is not set")
	center.Spec.SystemMail = &v1alpha1.SystemMail{EmailAccountRef: v1alpha1.ObjectReference{Name: "ops"}}
	center.Spec.Invitations = &v1alpha1.InvitationsSpec{TemplateRef: v1alpha1.ObjectReference{Name: "welcome"}, LinkBaseURL: "https://desk.example.com/p"}
	must(c.Update(ctx, center))
	run(t, "", in("invite", "alice")...).check(t, exitFailure, "", "no invitations: ReferenceMissing: spec.invitations.templateRef: MessageTemplate welcome does not exist")
	must(c.Create(ctx, &v1alpha1.MessageTemplate{ObjectMeta: meta("welcome"), Spec: v1alpha1.MessageTemplateSpec{
		Key: "welcome", Type: v1alpha1.MessageInvitation, Subject: "Welcome to {{ center.name }}, {{ user.name }}",
		Body: v1alpha1.MessageBody{Text: "Set it here:\n{{ link.url }}\x1b[2J\n"},
	}}))
	person := func(name string, change func(*v1alpha1.Agent)) *v1alpha1.Agent {
		a := &v1alpha1.Agent{ObjectMeta: meta(name), Spec: v1alpha1.AgentSpec{FullName: "Agent " + name, Email: name + "@example.com"}}
		change(a)
		status := a.Status
		must(c.Create(ctx, a))
		a.Status = status
		a.Status.ObservedGeneration = 1
		must(c.Status().Update(ctx, a))
		return a
	}
	sent := metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
	alice := person("alice", func(a *v1alpha1.Agent) {
		a.Labels = map[string]string{"site": "rome"}
		a.Status.Teams, a.Status.Invitation.SentTime = []string{"sales"}, &sent
	})
	person("bob", func(a *v1alpha1.Agent) { a.Spec.Email = "" })
	person("carol", func(a *v1alpha1.Agent) { a.Status.Account.Summary = "Active" })
	must(c.Create(ctx, &v1alpha1.Team{ObjectMeta: meta("sales")}))

	for _, args := range [][]string{{"invite"}, {"invite", "alice", "--all"}, {"invite", "--all", "--team", "sales"}} {
		run(t, "", in(args...)...).check(t, exitFailure, "", "give either names of agents, --team, --selector or --all")
	}
	run(t, "", in("invite", "nobody")...).check(t, exitFailure, "", `"nobody" not found`)
	run(t, "", in("invite", "--team", "nobody")...).check(t, exitFailure, "", `"nobody" not found`)
	run(t, "", in("invite", "--selector", "a=(")...).check(t, exitFailure, "", "--selector: ")

	last := sent.UTC().Format(time.RFC3339)
	for _, mail := range []string{
		"alice  alice@example.com  " + last + "  -", "bob    -                  -                     spec.email is not set",
		"carol  -                  -                     has a password; give the name to invite all the same",
		"The mail to alice:\n\nSubject: Welcome to Acme, Agent alice\n\nSet it here:\nhttps://desk.example.com/p#token=…[2J\n",
	} {
		run(t, "", in("invite", "--all", "--dry-run")...).check(t, 0, mail, "")
	}
	run(t, "", in("invite", "carol", "--dry-run")...).check(t, 0, "carol  carol@example.com", "")
	must(c.Get(ctx, client.ObjectKeyFromObject(alice), alice))
	if v, there := alice.Annotations[v1alpha1.InviteAnnotation]; there {
		t.Fatalf("a dry run asked for %s", v)
	}

	// Nobody reconciles here: what the manager does is done below.
	run(t, "", in("invite", "alice", "--timeout", "300ms")...).check(t, exitFailure, "", "the manager did not answer for 1 agents within 300ms")
	must(c.Get(ctx, client.ObjectKeyFromObject(alice), alice))
	first := alice.Annotations[v1alpha1.InviteAnnotation]
	if at, err := time.Parse(time.RFC3339, first); err != nil || !at.After(sent.Time) {
		t.Fatalf("annotation %q, %v: it must be after the last invitation", first, err)
	}
	managing, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- manageInvitations(managing, c, ns.Name, map[string]string{"carol": "no\nway"}) }()
	run(t, "", in("invite", "-l", "site=rome")...).check(t, 0, "agent/alice invited\n", "")
	must(c.Get(ctx, client.ObjectKeyFromObject(alice), alice))
	if second := alice.Annotations[v1alpha1.InviteAnnotation]; second == first {
		t.Errorf("the second wish is the first one, %s", second)
	}
	run(t, "", in("invite", "--team", "sales")...).check(t, 0, "agent/alice invited\n", "")
	run(t, "", in("invite", "bob", "carol")...).check(t, exitFailure, "agent/bob not invited: spec.email is not set\nagent/carol not invited: no way\n", "not everybody was invited")
	stop()
	must(<-done)
}

// manageInvitations does what the manager does, until ctx ends; some agents it refuses.
func manageInvitations(ctx context.Context, c client.Client, namespace string, refused map[string]string) error {
	for {
		var agents v1alpha1.AgentList
		err := c.List(ctx, &agents, client.InNamespace(namespace))
		for i := range agents.Items {
			a := &agents.Items[i]
			if value := a.Annotations[v1alpha1.InviteAnnotation]; value != a.Status.Invitation.LastHandledInvite {
				a.Status.Invitation.LastHandledInvite, a.Status.Invitation.Refused = value, refused[a.Name]
				if err = c.Status().Update(ctx, a); apierrors.IsConflict(err) {
					err = nil // it is asked again meanwhile
				}
			}
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}
