package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// errSecretExists: a Secret of the name is there that is not known to be the owner's.
var errSecretExists = errors.New("secret exists")

// keepSecret makes the owner's Secret hold what data makes of its present content. A Secret that somebody else made is never taken
// over: that is errSecretExists, and so is one that this process created a moment ago and does not see yet.
func keepSecret(ctx context.Context, c client.Client, owner client.Object, name, label string, data func(present map[string][]byte) (map[string][]byte, error)) error {
	var present corev1.Secret
	err := c.Get(ctx, types.NamespacedName{Namespace: owner.GetNamespace(), Name: name}, &present)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading Secret %s: %w", name, err)
	}
	exists := err == nil
	if exists && !metav1.IsControlledBy(&present, owner) {
		return errSecretExists
	}
	want, err := data(present.Data)
	if err != nil {
		return err
	}
	if exists {
		if maps.EqualFunc(present.Data, want, slices.Equal) {
			return nil
		}
		updated := present.DeepCopy()
		updated.Data = want
		return wrapWrite(c.Patch(ctx, updated, client.MergeFrom(&present)), name)
	}
	secret := &corev1.Secret{Data: want}
	secret.Namespace, secret.Name = owner.GetNamespace(), name
	secret.Labels = map[string]string{v1alpha1.CredentialLabel: label}
	if err := controllerutil.SetControllerReference(owner, secret, c.Scheme()); err != nil {
		return err
	}
	if err := c.Create(ctx, secret); apierrors.IsAlreadyExists(err) {
		return errSecretExists
	} else if err != nil {
		return wrapWrite(err, name)
	}
	return nil
}

func wrapWrite(err error, name string) error {
	if err != nil {
		return fmt.Errorf("writing Secret %s: %w", name, err)
	}
	return nil
}

// reportSecretExists says that a Secret is in the way. Usually the cache is only a moment behind, so it is looked at again soon.
func reportSecretExists(s *scope, err error, condition, name string) bool {
	if !errors.Is(err, errSecretExists) {
		return false
	}
	s.wait(condition, v1alpha1.ReasonConflict, fmt.Sprintf("Secret %s exists and does not belong to this object; delete or rename it", name))
	s.requeue(soon)
	return true
}
