package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

// An annotation unlocks once, and not what was locked after it.
func TestUnlockAnnotation(t *testing.T) {
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	db := storetest.SQLite(t, store.WithClock(func() time.Time { return at }))
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
		told     string
	}{
		{name: "nothing happened", want: v1alpha1.Unlocked},
		{name: "locked", lock: true, want: v1alpha1.Locked, told: "Warning AccountLocked"},
		{name: "a time that is none", annotate: "yes", after: time.Minute, want: v1alpha1.Locked},
		{name: "a time before the lock", annotate: "2026-03-01T07:00:00Z", want: v1alpha1.Locked},
		{name: "a time after it", annotate: "2026-03-01T08:01:00Z", want: v1alpha1.Unlocked, told: "Normal AccountUnlocked"},
		{name: "locked again, the annotation is still there", lock: true, after: time.Minute, want: v1alpha1.Locked, told: "Warning AccountLocked"},
		{name: "also when the status is lost", forget: true, want: v1alpha1.Locked, told: "Warning AccountLocked"},
		{name: "a new time", annotate: "2026-03-01T08:02:00+00:00", want: v1alpha1.Unlocked, told: "Normal AccountUnlocked"},
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
		s := newScope(nil, 1)
		if err := k.unlock(ctx, agent, s); err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, h := range s.happened {
			told += h.eventType + " " + h.reason
		}
		if told != step.told {
			t.Errorf("%s: told %q", step.name, told)
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
	day := 24 * time.Hour
	forEver := &metav1.Duration{}
	for name, test := range map[string]struct {
		age     time.Duration // of the password, 0 none
		suite   v1alpha1.SwitchState
		maxAge  *metav1.Duration
		summary string
		reason  string        // of the condition, before and after
		again   time.Duration // looked at
	}{
		"old":                  {100 * day, v1alpha1.Enabled, nil, "PasswordExpired", v1alpha1.ReasonPasswordExpired, 0},
		"old, without a suite": {100 * day, v1alpha1.Disabled, nil, "Active", "", 0},
		"old, for ever":        {100 * day, v1alpha1.Enabled, forEver, "Active", "", 0},
		"nearly":               {80 * day, v1alpha1.Enabled, nil, "Active", v1alpha1.ReasonPasswordExpiring, 10 * day},
		"young":                {day, v1alpha1.Enabled, nil, "Active", "", 74 * day},
		"none":                 {0, v1alpha1.Enabled, nil, "Active", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			center.Spec.Security.Suite, center.Spec.Security.PasswordPolicy.MaxAge = test.suite, test.maxAge
			credential := store.Credential{}
			if test.age > 0 {
				credential.ChangedAt = time.Now().Add(-test.age)
			}
			var status v1alpha1.CommonStatus
			for pass := range 2 { // the second one tells nothing new
				a, s := &v1alpha1.Agent{}, newScope(status.Conditions, 1)
				a.Status.Account.Summary = "Active"
				showExpiry(a, credential, passwordAge(center), s)
				s.summarize(&status)
				expires := test.age > 0 && test.suite == v1alpha1.Enabled && test.maxAge == nil
				if a.Status.Account.Summary != test.summary || (a.Status.Account.PasswordExpiresTime != nil) != expires {
					t.Errorf("%+v", a.Status.Account)
				}
				if off := s.requeueAfter - test.again; (s.requeueAfter > 0) != (test.again > 0) || off.Abs() > time.Minute {
					t.Errorf("again after %s", s.requeueAfter)
				}
				c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPasswordExpired)
				if (c != nil) != (test.reason != "") || c != nil && (c.Reason != test.reason || (c.Status == metav1.ConditionTrue) != (test.summary == "PasswordExpired")) {
					t.Errorf("condition %+v", c)
				}
				if is := ready(&status); is.Status != metav1.ConditionTrue {
					t.Errorf("it counts for Ready: %+v", is)
				}
				if told := len(s.happened) == 1 && s.happened[0].reason == test.reason; told != (test.reason != "" && pass == 0) || len(s.happened) > 1 {
					t.Errorf("pass %d told %+v", pass, s.happened)
				}
			}
		})
	}
}
