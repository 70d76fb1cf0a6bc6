package controllers

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// TestPasswordOwnership goes through who owns an agent's password: the Secret sets the first one and every new one, the agent's own
// change survives everything else, and Enforced takes it back.
func TestPasswordOwnership(t *testing.T) {
	ctx := t.Context()
	db := storetest.SQLite(t)
	key := store.Key{Namespace: "acme", Name: "alice"}
	if err := db.PutAgent(ctx, store.Agent{Key: key, Username: "alice", Active: true}); err != nil {
		t.Fatal(err)
	}
	center := &v1alpha1.ContactCenter{}
	center.Spec.Security.PasswordPolicy.HistorySize = 2
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "alice"}}
	agent.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "alice", Key: "password"}
	version := 0
	k := &agentKind{store: db, applied: newAppliedPasswords()}

	for _, step := range []struct {
		name   string
		secret string
		// self is what the agent changes the password to before the pass.
		self       string
		restart    bool
		management v1alpha1.PasswordManagement
		want       string
		reason     string
	}{
		{name: "the Secret sets the first one", secret: "First-Word-1", want: "First-Word-1", reason: v1alpha1.ReasonSucceeded},
		{name: "the agent's own change counts", secret: "First-Word-1", self: "Own-Choice-2", want: "Own-Choice-2", reason: v1alpha1.ReasonSucceeded},
		{name: "also after a restart, with a Secret restored from a backup", secret: "First-Word-1", restart: true, want: "Own-Choice-2", reason: v1alpha1.ReasonSucceeded},
		{name: "a new one in the Secret replaces it", secret: "Third-Word-3", want: "Third-Word-3", reason: v1alpha1.ReasonSucceeded},
		{name: "one of the last is refused", secret: "Own-Choice-2", want: "Third-Word-3", reason: v1alpha1.ReasonPasswordReused},
		{name: "the agent changes it again", secret: "Third-Word-3", self: "Own-Choice-4", want: "Own-Choice-4", reason: v1alpha1.ReasonSucceeded},
		{name: "Enforced takes it back", secret: "Third-Word-3", management: v1alpha1.PasswordEnforced, want: "Third-Word-3", reason: v1alpha1.ReasonSucceeded},
	} {
		if step.self != "" {
			c, err := db.GetCredential(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if c.Hash, err = security.Hash(ctx, step.self); err != nil {
				t.Fatal(err)
			}
			if err := db.SetPassword(ctx, c, 1, ""); err != nil {
				t.Fatal(err)
			}
		}
		if step.restart {
			k.applied = newAppliedPasswords()
		}
		version++
		k.Client = fake.NewClientBuilder().WithObjects(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "alice", ResourceVersion: strconv.Itoa(version), Labels: map[string]string{v1alpha1.CredentialLabel: "agent"}},
			Data:       map[string][]byte{"password": []byte(step.secret)},
		}).Build()
		agent.Spec.PasswordManagement = step.management
		s := newScope(nil, 1)
		if err := k.account(ctx, agent, center, nil, s); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var status v1alpha1.CommonStatus
		s.summarize(&status)
		if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPasswordPolicySatisfied); c == nil || c.Reason != step.reason {
			t.Errorf("%s: condition %+v, want reason %s", step.name, c, step.reason)
		}
		c, err := db.GetCredential(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := security.Verify(ctx, step.want, c.Hash); err != nil || !ok {
			t.Errorf("%s: the password in effect is not %s: %v", step.name, step.want, err)
		}
	}
}

// A later password is an event; the first one, and a pass that changes nothing, are none.
func TestPasswordChangedEvent(t *testing.T) {
	k, agent := &agentKind{}, &v1alpha1.Agent{}
	start := time.Now().Truncate(time.Second)
	for _, step := range []struct {
		changed time.Time
		want    int
	}{{time.Time{}, 0}, {start, 0}, {start, 0}, {start.Add(time.Minute), 1}, {start.Add(time.Minute), 0}} {
		s := newScope(nil, 1)
		k.showAccount(agent, &store.Credential{Hash: "h", ChangedAt: step.changed}, s)
		if len(s.happened) != step.want || step.want > 0 && s.happened[0].reason != v1alpha1.ReasonPasswordChanged {
			t.Errorf("%s: %+v", step.changed, s.happened)
		}
	}
}
