package controllers

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// telephoneKind makes a Telephone a phone that agents can sit down at.
type telephoneKind struct {
	phones
	checker admission.Checker
	desks   store.Telephones
}

func (k *telephoneKind) NeedsFinalizer() bool { return true }

func (k *telephoneKind) Reconcile(ctx context.Context, t *v1alpha1.Telephone, s *scope) error {
	center, ok, err := theCenter(ctx, k.Client, t.Namespace, s)
	if err != nil || !ok {
		return err
	}
	problems, err := k.checker.Telephone(ctx, t)
	if err != nil {
		return fmt.Errorf("checking the telephone: %w", err)
	}
	credentials, err := k.checker.TelephoneCredentials(ctx, t)
	if err != nil {
		return fmt.Errorf("checking the telephone's Secrets: %w", err)
	}
	if stallOn(s, append(problems, credentials...), v1alpha1.ConditionSIPProvisioned) {
		return nil
	}
	if err := k.desks.PutTelephone(ctx, store.Telephone{
		Key: storeKey(t), DisplayName: displayName(t.Spec.DisplayName, t.Name), Username: t.Username(), Labels: t.Labels,
	}); err != nil {
		return fmt.Errorf("recording the telephone: %w", err)
	}
	pbxes, err := listPBXes(ctx, k.Client, t.Namespace)
	if err != nil {
		return err
	}
	p := phone{
		object: t, key: telephoneKey(t.Name), endpoint: t.Username(), username: t.Username(), secret: t.SIPSecretName(),
		account: &t.Spec.SIP, status: &t.Status.SIP,
		model: func(ctx context.Context, pbx *v1alpha1.PBX) (voice.Endpoint, error) {
			return k.model.telephone(ctx, pbx, t, rulesOf(center))
		},
	}
	if err := k.keep(ctx, p, pbxes, s); err != nil {
		return err
	}
	if _, err := k.showContacts(ctx, p, pbxes, s); err != nil {
		return err
	}
	s.ready(v1alpha1.ReasonSucceeded, "agents can sit down at "+displayName(t.Spec.DisplayName, t.Name))
	return k.showSeat(ctx, t)
}

// showSeat mirrors who sits there.
func (k *telephoneKind) showSeat(ctx context.Context, t *v1alpha1.Telephone) error {
	state, err := k.desks.GetTelephone(ctx, storeKey(t))
	if err != nil {
		return fmt.Errorf("reading who sits there: %w", err)
	}
	t.Status.Agent = state.Agent
	return nil
}

// Finalize sends whoever sits there away and waits until no connected PBX knows the endpoint any more.
func (k *telephoneKind) Finalize(ctx context.Context, t *v1alpha1.Telephone) (bool, error) {
	if err := k.desks.DeleteTelephone(ctx, storeKey(t)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	pbxes, err := listPBXes(ctx, k.Client, t.Namespace)
	if err != nil {
		return false, err
	}
	for i := range pbxes {
		status := k.link.Status(linkKey(&pbxes[i]))
		_, there := status.AppliedObjects[telephoneKey(t.Name)]
		if there && status.Connected && pbxes[i].DeletionTimestamp.IsZero() && pbxes[i].Annotations[v1alpha1.PausedAnnotation] != "true" {
			return false, nil // the next acknowledgement brings us back
		}
	}
	return true, nil
}
