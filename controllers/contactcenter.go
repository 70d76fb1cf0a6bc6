package controllers

import (
	"context"
	"fmt"
	"time"

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
	var queues v1alpha1.QueueList
	var pbxes v1alpha1.PBXList
	var accounts v1alpha1.EmailAccountList
	for _, list := range []client.ObjectList{&queues, &pbxes, &accounts} {
		if err := k.List(ctx, list, client.InNamespace(c.Namespace), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("counting: %w", err)
		}
	}
	c.Status.Queues, c.Status.PBXes, c.Status.EmailAccounts = count(len(queues.Items)), count(len(pbxes.Items)), count(len(accounts.Items))
	var next time.Time
	if c.Status.Notices, next = centerNotices(pbxes.Items, accounts.Items, time.Now()); !next.IsZero() {
		s.within(time.Until(next))
	}
	if err := showSystemMail(ctx, k.Client, c, s); err != nil {
		return err
	}
	if err := showPasswordReset(ctx, k.Client, c, s); err != nil {
		return err
	}
	if err := showInvitations(ctx, k.Client, c, s); err != nil {
		return err
	}
	if err := k.showClientLogs(ctx, c, s); err != nil {
		return err
	}
	s.ready(v1alpha1.ReasonSucceeded, "the namespace is a contact center")
	return nil
}
