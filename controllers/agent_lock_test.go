package controllers

import (
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// An annotation unlocks once, and not what was locked after it.
func TestUnlockAnnotation(t *testing.T) {
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	db, err := store.OpenSQLite(ctx, filepath.Join(t.TempDir(), "store.db"), store.WithClock(func() time.Time { return at }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k := &agentKind{store: db}
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "alice"}}
	if err := db.PutAgent(ctx, store.Agent{Key: storeKey(agent), Username: "alice", Active: true}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name     string
		lock     bool
		annotate string
		forget   bool // the status was lost
		after    time.Duration
		want     v1alpha1.LockState
	}{
		{name: "nothing happened", want: v1alpha1.Unlocked},
		{name: "locked", lock: true, want: v1alpha1.Locked},
		{name: "a time that is none", annotate: "yes", after: time.Minute, want: v1alpha1.Locked},
		{name: "a time before the lock", annotate: "2026-03-01T07:00:00Z", want: v1alpha1.Locked},
		{name: "a time after it", annotate: "2026-03-01T08:01:00Z", want: v1alpha1.Unlocked},
		{name: "locked again, the annotation is still there", lock: true, after: time.Minute, want: v1alpha1.Locked},
		{name: "also when the status is lost", forget: true, want: v1alpha1.Locked},
		{name: "a new time", annotate: "2026-03-01T08:02:00+00:00", want: v1alpha1.Unlocked},
	} {
		at = at.Add(step.after)
		if step.lock {
			if _, err := db.FailSignIn(ctx, storeKey(agent), 1); err != nil {
				t.Fatal(err)
			}
		}
		if step.annotate != "" {
			agent.Annotations = map[string]string{v1alpha1.UnlockAnnotation: step.annotate}
		}
		if step.forget {
			agent.Status = v1alpha1.AgentStatus{}
		}
		if err := k.unlock(ctx, agent); err != nil {
			t.Fatal(err)
		}
		got := agent.Status.Account
		if got.LockState != step.want || (got.LockedTime != nil) != (step.want == v1alpha1.Locked) || got.LastHandledUnlock != agent.Annotations[v1alpha1.UnlockAnnotation] {
			t.Errorf("%s: %+v", step.name, got)
		}
	}
	if u := agent.Status.Account.LastUnlockTime; u == nil || !u.Time.Equal(at) {
		t.Errorf("last unlocked at %v, want %v", u, at)
	}
}

func TestPasswordExpiryShown(t *testing.T) {
	center := &v1alpha1.ContactCenter{}
	set := time.Now().Add(-100 * 24 * time.Hour)
	for name, test := range map[string]struct {
		set      time.Time
		suite    v1alpha1.SwitchState
		maxAge   *metav1.Duration
		summary  string
		expires  bool
		requeues bool
	}{
		"old":                  {set, v1alpha1.Enabled, nil, "PasswordExpired", true, false},
		"old, without a suite": {set, v1alpha1.Disabled, nil, "Active", false, false},
		"old, for ever":        {set, v1alpha1.Enabled, &metav1.Duration{}, "Active", false, false},
		"young":                {time.Now(), v1alpha1.Enabled, nil, "Active", true, true},
		"none":                 {time.Time{}, v1alpha1.Enabled, nil, "Active", false, false},
	} {
		center.Spec.Security.Suite, center.Spec.Security.PasswordPolicy.MaxAge = test.suite, test.maxAge
		a, s := &v1alpha1.Agent{}, newScope(nil, 1)
		a.Status.Account.Summary = "Active"
		showExpiry(a, store.Credential{ChangedAt: test.set}, passwordAge(center), s)
		if a.Status.Account.Summary != test.summary || (a.Status.Account.PasswordExpiresTime != nil) != test.expires || (s.requeueAfter > 0) != test.requeues {
			t.Errorf("%s: %+v, again after %s", name, a.Status.Account, s.requeueAfter)
		}
	}
}
