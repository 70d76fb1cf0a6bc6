package controllers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// account brings the sign-in password of the Secret into effect, once per deliberate change of the Secret.
func (k *agentKind) account(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, problems []admission.Problem, s *scope) error {
	condition := v1alpha1.ConditionPasswordPolicySatisfied
	credential, err := k.store.GetCredential(ctx, storeKey(a))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("reading the credential: %w", err)
	}
	if err := k.unlock(ctx, a, s); err != nil {
		return err
	}
	defer func() {
		k.showAccount(a, &credential, s)
		showExpiry(a, credential, passwordAge(center), s)
	}()
	if a.Spec.PasswordSecretRef == nil {
		if credential.Hash == "" {
			s.ok(condition, v1alpha1.ReasonNoPassword, "no password: the agent cannot sign in at the desk")
		} else {
			s.ok(condition, v1alpha1.ReasonSucceeded, "the password that the agent chose is in effect")
		}
		return nil
	}
	if stallOn(s, problems, condition) {
		return nil
	}
	var secret corev1.Secret
	if err := k.Get(ctx, types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.PasswordSecretRef.Name}, &secret); err != nil {
		return fmt.Errorf("reading the password's Secret: %w", err)
	}
	password := string(secret.Data[a.Spec.PasswordSecretRef.Key])
	changed := a.Status.Account.PasswordSecretVersion != secret.ResourceVersion && !k.applied.same(storeKey(a), password)
	overruled := a.Spec.PasswordManagement == v1alpha1.PasswordEnforced && credential.Hash != credential.SecretVersion
	if changed || overruled || credential.Hash == "" {
		reused, err := k.applyPassword(ctx, a, &credential, password, center.Spec.Security)
		if err != nil {
			return err
		}
		if reused {
			s.stall(condition, v1alpha1.ReasonPasswordReused, fmt.Sprintf(
				"spec.passwordSecretRef: the password is among the last %d of this agent", center.Spec.Security.PasswordPolicy.HistorySize))
			return nil
		}
		k.applied.remember(storeKey(a), password)
	}
	a.Status.Account.PasswordSecretVersion = secret.ResourceVersion
	s.ok(condition, v1alpha1.ReasonSucceeded, "the password obeys the policy")
	return nil
}

// applyPassword replaces the stored hash when the content of the Secret is new. credential.SecretVersion is itself a hash of the
// last content taken from the Secret: a restored or merely re-labelled Secret does not resurrect a password that the agent has
// changed since. Enforced does just that.
func (k *agentKind) applyPassword(ctx context.Context, a *v1alpha1.Agent, credential *store.Credential, password string, rules v1alpha1.SecuritySpec) (reused bool, err error) {
	known, err := matches(ctx, password, credential.SecretVersion)
	if err != nil {
		return false, err
	}
	if known && (a.Spec.PasswordManagement != v1alpha1.PasswordEnforced || credential.Hash == credential.SecretVersion) {
		return false, nil
	}
	history := int(rules.PasswordPolicy.HistorySize)
	if rules.Suite == v1alpha1.Disabled {
		history = 0
	}
	hash := credential.SecretVersion
	if !known {
		if hash, reused, err = k.newHash(ctx, a, password, history); err != nil || reused {
			return reused, err
		}
	}
	*credential = store.Credential{Agent: storeKey(a), Hash: hash, SecretVersion: hash}
	// The present password is one of the last `history`; the others are kept beside it.
	if err := k.store.SetPassword(ctx, *credential, max(0, history-1), ""); err != nil {
		return false, fmt.Errorf("recording the password: %w", err)
	}
	*credential, err = k.store.GetCredential(ctx, storeKey(a))
	return false, err
}

// newHash is the hash of a password that the Secret did not have before: the present one if the agent uses that password already,
// a new one otherwise, unless the password is among the last ones.
func (k *agentKind) newHash(ctx context.Context, a *v1alpha1.Agent, password string, history int) (hash string, reused bool, err error) {
	hashes, err := k.store.PasswordHistory(ctx, storeKey(a))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", false, fmt.Errorf("reading the password history: %w", err)
	}
	for i, old := range hashes[:min(len(hashes), max(1, history))] {
		used, err := matches(ctx, password, old)
		if err != nil {
			return "", false, err
		}
		if used {
			return old, i > 0, nil
		}
	}
	hash, err = security.Hash(ctx, password)
	return hash, false, err
}

// matches is false for an empty hash, without the time of a comparison.
func matches(ctx context.Context, password, hash string) (bool, error) {
	if hash == "" {
		return false, nil
	}
	return security.Verify(ctx, password, hash)
}

func (k *agentKind) showAccount(a *v1alpha1.Agent, credential *store.Credential, s *scope) {
	switch {
	case a.Spec.AccountState == v1alpha1.AccountDeactivated:
		a.Status.Account.Summary = "Deactivated"
	case a.Status.Account.LockState == v1alpha1.Locked:
		a.Status.Account.Summary = "Locked"
	case credential.Hash == "":
		a.Status.Account.Summary = "NoPassword"
	default:
		a.Status.Account.Summary = "Active"
	}
	before := a.Status.Account.LastPasswordChangeTime
	a.Status.Account.LastPasswordChangeTime = nil
	if !credential.ChangedAt.IsZero() {
		a.Status.Account.LastPasswordChangeTime = seconds(credential.ChangedAt)
	}
	if now := a.Status.Account.LastPasswordChangeTime; before != nil && now != nil && !before.Equal(now) {
		s.tell(v1alpha1.ReasonPasswordChanged, "the sign-in password was changed, by its Secret or by the agent")
	}
}

// appliedPasswords remembers, for the life of the process and only as keyed digests, which password was taken from the Secret last. A
// Secret that changes in another key or in its labels then costs no comparison with an argon2id hash.
type appliedPasswords struct {
	key     [32]byte
	digests sync.Map // store.Key → [32]byte
}

func newAppliedPasswords() *appliedPasswords {
	p := &appliedPasswords{}
	_, _ = rand.Read(p.key[:]) // never fails (crypto/rand since Go 1.24)
	return p
}

func (p *appliedPasswords) digest(password string) [32]byte {
	m := hmac.New(sha256.New, p.key[:])
	m.Write([]byte(password))
	return [32]byte(m.Sum(nil))
}

func (p *appliedPasswords) remember(agent store.Key, password string) {
	p.digests.Store(agent, p.digest(password))
}

func (p *appliedPasswords) same(agent store.Key, password string) bool {
	was, ok := p.digests.Load(agent)
	return ok && was == p.digest(password)
}
