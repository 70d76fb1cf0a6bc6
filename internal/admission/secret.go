package admission

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func labelled(secret *corev1.Secret) bool {
	_, ok := secret.Labels[v1alpha1.CredentialLabel]
	return ok
}

// Secret checks a labelled Secret against everything that refers to it, and by the names of its keys when the label says
// that it is an agent's. What is wrong with values that old, which may be nil, had as well is known: they are not judged
// again, because a policy that became stricter concerns the next change.
func (c Checker) Secret(ctx context.Context, old, secret *corev1.Secret) (problems, known []Problem, err error) {
	if !labelled(secret) {
		return nil, nil, nil
	}
	uses, err := c.usesOf(ctx, secret)
	if err != nil {
		return nil, nil, err
	}
	// A thousand agents may share one first password: the first of them stands for all.
	said := map[fault]bool{}
	for _, u := range uses {
		kind, f := field.ErrorTypeInvalid, u.judge(secret.Data)
		if key, missing := u.missing(secret.Data); missing {
			kind, f = field.ErrorTypeNotFound, &fault{key, v1alpha1.ReasonSecretKeyMissing, "the key is missing"}
		}
		if f == nil || said[*f] {
			continue
		}
		said[*f] = true
		problem := Problem{field.NewPath("data").Key(f.key), kind, f.reason, f.message + " (it is the " + u.what + ")"}
		if u.unchanged(old, secret) {
			known = append(known, problem)
		} else {
			problems = append(problems, problem)
		}
	}
	return problems, known, nil
}

// unchanged tells whether none of the values is another than before.
func (u use) unchanged(old, secret *corev1.Secret) bool {
	return old != nil && labelled(old) && !slices.ContainsFunc(u.keys, func(key string) bool {
		before, had := old.Data[key]
		after, has := secret.Data[key]
		return had != has || !bytes.Equal(before, after)
	})
}

func (c Checker) usesOf(ctx context.Context, secret *corev1.Secret) ([]use, error) {
	center, err := c.Center(ctx, secret.Namespace)
	if err != nil {
		return nil, err
	}
	var agents v1alpha1.AgentList
	var telephones v1alpha1.TelephoneList
	var accounts v1alpha1.EmailAccountList
	var pbxes v1alpha1.PBXList
	for _, list := range []client.ObjectList{&agents, &telephones, &accounts, &pbxes} {
		if err := c.Reader.List(ctx, list, client.InNamespace(secret.Namespace), client.MatchingFields{IndexSecret: secret.Name}); err != nil {
			return nil, fmt.Errorf("list %T by Secret: %w", list, err)
		}
	}
	var uses []use
	for i := range agents.Items {
		uses = append(uses, agentUses(&agents.Items[i], center)...)
	}
	for i := range telephones.Items {
		uses = append(uses, telephoneUses(&telephones.Items[i])...)
	}
	for i := range accounts.Items {
		uses = append(uses, accountUses(&accounts.Items[i])...)
	}
	for i := range pbxes.Items {
		uses = append(uses, pbxUses(&pbxes.Items[i])...)
	}
	uses = append(uses, centerUses(center)...)
	uses = slices.DeleteFunc(uses, func(u use) bool { return u.name != secret.Name })
	return append(uses, usesByName(secret, center)...), nil
}

// usesByName are the values that the label alone explains.
func usesByName(secret *corev1.Secret, center *v1alpha1.ContactCenter) []use {
	if secret.Labels[v1alpha1.CredentialLabel] != v1alpha1.CredentialAgent {
		return nil
	}
	var uses []use
	add := func(key, what, reason string, check func(string) string) {
		if _, found := secret.Data[key]; found {
			uses = append(uses, valueUse(what+" of an agent", nil, v1alpha1.SecretKeyReference{Name: secret.Name, Key: key}, reason, check))
		}
	}
	add(KeyPassword, "sign-in password", v1alpha1.ReasonPolicyViolated, checkPassword(center))
	add(KeyPIN, "voicemail PIN", v1alpha1.ReasonPINInvalid, checkPIN(""))
	return uses
}
