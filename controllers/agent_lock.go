package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Defaults of the API, for centers that were admitted before it had the fields.
const (
	defaultMaxAttempts = 5
	defaultMaxAge      = 90 * 24 * time.Hour
	defaultWarnBefore  = 15 * 24 * time.Hour
)

// value of an optional field.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// passwordAge in a center; it is part of the suite.
func passwordAge(center *v1alpha1.ContactCenter) security.PasswordAge {
	if center == nil {
		return security.PasswordAge{Max: defaultMaxAge, WarnBefore: defaultWarnBefore}
	}
	if center.Spec.Security.Suite == v1alpha1.Disabled {
		return security.PasswordAge{}
	}
	p := center.Spec.Security.PasswordPolicy
	return security.PasswordAge{Max: duration(p.MaxAge, defaultMaxAge), WarnBefore: duration(p.WarnBefore, defaultWarnBefore)}
}

// unlock releases the agent's lock when the annotation asks for it, once for each value. A time before the lock is of an earlier one: an
// annotation that stays in a manifest, or comes back from a backup, does not undo a lock it never meant.
func (k *agentKind) unlock(ctx context.Context, a *v1alpha1.Agent, s *scope) error {
	lock, err := k.store.SignInLockOf(ctx, storeKey(a))
	if err != nil {
		return fmt.Errorf("reading the lock: %w", err)
	}
	asked := a.Annotations[v1alpha1.UnlockAnnotation]
	if asked != a.Status.Account.LastHandledUnlock {
		if at, err := time.Parse(time.RFC3339, asked); err == nil && lock.Locked() && at.After(lock.LockedAt.Add(-time.Second)) {
			if err := k.store.Unlock(ctx, storeKey(a)); err != nil {
				return fmt.Errorf("unlocking: %w", err)
			}
			if lock, err = k.store.SignInLockOf(ctx, storeKey(a)); err != nil {
				return fmt.Errorf("reading the lock: %w", err)
			}
		}
		a.Status.Account.LastHandledUnlock = clip(asked, 64)
	}
	showLock(a, lock, s)
	return nil
}

func showLock(a *v1alpha1.Agent, lock store.SignInLock, s *scope) {
	account := &a.Status.Account
	switch was := account.LockState == v1alpha1.Locked; {
	case lock.Locked() && !was:
		s.warn(v1alpha1.ReasonAccountLocked, fmt.Sprintf("after %d wrong passwords the agent cannot sign in until somebody unlocks the account", lock.Failed))
	case was && !lock.Locked():
		s.tell(v1alpha1.ReasonAccountUnlocked, "the agent can sign in again")
	}
	account.LockState, account.LockedTime, account.LastUnlockTime = v1alpha1.Unlocked, nil, nil
	if lock.Locked() {
		account.LockState, account.LockedTime = v1alpha1.Locked, seconds(lock.LockedAt)
	}
	if !lock.UnlockedAt.IsZero() {
		account.LastUnlockTime = seconds(lock.UnlockedAt)
	}
}

func passwordExpired(a *v1alpha1.Agent) bool {
	return meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionPasswordExpired)
}

// showExpiry says how long the password holds, and looks again when the warning is due and when it ends.
func showExpiry(a *v1alpha1.Agent, credential store.Credential, age security.PasswordAge, s *scope) {
	const condition = v1alpha1.ConditionPasswordExpired
	a.Status.Account.PasswordExpiresTime = nil
	end := age.Expiry(credential.ChangedAt)
	if end.IsZero() {
		return
	}
	a.Status.Account.PasswordExpiresTime = seconds(end)
	until, before := end.UTC().Format(time.RFC3339), meta.FindStatusCondition(s.old, condition)
	left, warn := time.Until(end), time.Until(end.Add(-age.WarnBefore))
	switch {
	case left <= 0:
		if a.Status.Account.Summary == "Active" {
			a.Status.Account.Summary = "PasswordExpired"
		}
		s.note(condition, metav1.ConditionTrue, v1alpha1.ReasonPasswordExpired, "the password ended at "+until+" and must be changed before the agent can sign in")
		if before == nil || before.Reason != v1alpha1.ReasonPasswordExpired {
			s.warn(v1alpha1.ReasonPasswordExpired, "the password must be changed before the agent can sign in")
		}
	case warn <= 0:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonPasswordExpiring, "the password ends at "+until)
		if before == nil || before.Reason != v1alpha1.ReasonPasswordExpiring {
			s.warn(v1alpha1.ReasonPasswordExpiring, "the password ends at "+until)
		}
		s.within(left + time.Second)
	default:
		s.within(warn + time.Second)
	}
}
