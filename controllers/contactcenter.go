package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
)

// centerKind counts what a ContactCenter consists of. Its settings are read by the kinds they concern.
type centerKind struct {
	client.Client
	checker admission.Checker
}

func (k *centerKind) NeedsFinalizer() bool { return false }

func (k *centerKind) Finalize(context.Context, *v1alpha1.ContactCenter) (bool, error) {
	return true, nil
}

func (k *centerKind) Reconcile(ctx context.Context, c *v1alpha1.ContactCenter, s *scope) error {
	problems, err := k.checker.ContactCenter(ctx, c)
	if err != nil {
		return fmt.Errorf("checking the contact center: %w", err)
	}
	if stallOn(s, problems, v1alpha1.ConditionReady) {
		return nil
	}
	r, err := loadRoster(ctx, k.Client, c.Namespace)
	if err != nil {
		return err
	}
	c.Status.Agents, c.Status.ReadyAgents = 0, 0
	for _, a := range r.agents {
		c.Status.Agents++
		if is := ready(&a.Status.CommonStatus); is != nil && is.Status == metav1.ConditionTrue {
			c.Status.ReadyAgents++
		}
	}
	for _, kind := range []struct {
		list client.ObjectList
		into *int32
	}{
		{&v1alpha1.QueueList{}, &c.Status.Queues},
		{&v1alpha1.PBXList{}, &c.Status.PBXes},
		{&v1alpha1.EmailAccountList{}, &c.Status.EmailAccounts},
	} {
		if err := k.List(ctx, kind.list, client.InNamespace(c.Namespace), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("counting: %w", err)
		}
		*kind.into = length(kind.list)
	}
	if err := showSystemMail(ctx, k.Client, c, s); err != nil {
		return err
	}
	if err := showPasswordReset(ctx, k.Client, c, s); err != nil {
		return err
	}
	s.ready(v1alpha1.ReasonSucceeded, "the namespace is a contact center")
	return nil
}

func length(list client.ObjectList) int32 {
	switch l := list.(type) {
	case *v1alpha1.QueueList:
		return count(len(l.Items))
	case *v1alpha1.PBXList:
		return count(len(l.Items))
	case *v1alpha1.EmailAccountList:
		return count(len(l.Items))
	}
	return 0
}
