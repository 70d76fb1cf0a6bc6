package controllers

import (
	"context"
	"fmt"
	"time"

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
func (k *agentKind) unlock(ctx context.Context, a *v1alpha1.Agent) error {
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
	showLock(a, lock)
	return nil
}

func showLock(a *v1alpha1.Agent, lock store.SignInLock) {
	account := &a.Status.Account
	account.LockState, account.LockedTime, account.LastUnlockTime = v1alpha1.Unlocked, nil, nil
	if lock.Locked() {
		account.LockState, account.LockedTime = v1alpha1.Locked, seconds(lock.LockedAt)
	}
	if !lock.UnlockedAt.IsZero() {
		account.LastUnlockTime = seconds(lock.UnlockedAt)
	}
}

// showExpiry says how long the password holds, and looks again when it ends.
func showExpiry(a *v1alpha1.Agent, credential store.Credential, age security.PasswordAge, s *scope) {
	a.Status.Account.PasswordExpiresTime = nil
	end := age.Expiry(credential.ChangedAt)
	if end.IsZero() {
		return
	}
	a.Status.Account.PasswordExpiresTime = seconds(end)
	if left := time.Until(end); left > 0 {
		s.within(left + time.Second)
	} else if a.Status.Account.Summary == "Active" {
		a.Status.Account.Summary = "PasswordExpired"
	}
}
