package controllers

import (
	"context"
	"errors"
	"fmt"

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
	defer k.showAccount(a, &credential)
	if a.Spec.PasswordSecretRef == nil {
		s.ok(condition, v1alpha1.ReasonNoPassword, "no password: the agent cannot sign in at the desk")
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
	if a.Status.Account.PasswordSecretVersion != secret.ResourceVersion || credential.Hash == "" {
		reused, err := k.applyPassword(ctx, a, &credential, password, center.Spec.Security)
		if err != nil {
			return err
		}
		if reused {
			s.stall(condition, v1alpha1.ReasonPasswordReused, fmt.Sprintf(
				"spec.passwordSecretRef: the password is among the last %d of this agent", center.Spec.Security.PasswordPolicy.HistorySize))
			return nil
		}
		a.Status.Account.PasswordSecretVersion = secret.ResourceVersion
	}
	s.ok(condition, v1alpha1.ReasonSucceeded, "the password obeys the policy")
	return nil
}

// applyPassword replaces the stored hash when the content of the Secret is new. credential.SecretVersion is itself a hash of the
// last content taken from the Secret: a restored or merely re-labelled Secret does not resurrect a password that the agent has
// changed since, and Enforced always compares with what is in effect.
func (k *agentKind) applyPassword(ctx context.Context, a *v1alpha1.Agent, credential *store.Credential, password string, rules v1alpha1.SecuritySpec) (reused bool, err error) {
	compare := credential.SecretVersion
	if a.Spec.PasswordManagement == v1alpha1.PasswordEnforced {
		compare = credential.Hash
	}
	if compare != "" {
		same, err := security.Verify(ctx, password, compare)
		if err != nil || same {
			return false, err
		}
	}
	history := int(rules.PasswordPolicy.HistorySize)
	if rules.Suite == v1alpha1.Disabled {
		history = 0
	}
	hashes, err := k.store.PasswordHistory(ctx, storeKey(a))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("reading the password history: %w", err)
	}
	for i, old := range hashes {
		if i >= history {
			break
		}
		if used, err := security.Verify(ctx, password, old); err != nil || used {
			return used, err
		}
	}
	hash, err := security.Hash(ctx, password)
	if err != nil {
		return false, err
	}
	*credential = store.Credential{Agent: storeKey(a), Hash: hash, SecretVersion: hash}
	// The present password is one of the last `history`; the others are kept beside it.
	if err := k.store.SetPassword(ctx, *credential, max(0, history-1), ""); err != nil {
		return false, fmt.Errorf("recording the password: %w", err)
	}
	*credential, err = k.store.GetCredential(ctx, storeKey(a))
	return false, err
}

func (k *agentKind) showAccount(a *v1alpha1.Agent, credential *store.Credential) {
	switch {
	case a.Spec.AccountState == v1alpha1.AccountDeactivated:
		a.Status.Account.Summary = "Deactivated"
	case credential.Hash == "":
		a.Status.Account.Summary = "NoPassword"
	default:
		a.Status.Account.Summary = "Active"
	}
	a.Status.Account.LastPasswordChangeTime = nil
	if !credential.ChangedAt.IsZero() {
		a.Status.Account.LastPasswordChangeTime = seconds(credential.ChangedAt)
	}
}
