package controllers

import (
	"time"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Defaults of objects that were stored without them.
const (
	legacyWait       = 10 * time.Second
	maxAssignmentAge = 90 * 24 * time.Hour
)

// routingRules of an account: its own and its center's.
func routingRules(e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter) routing.Rules {
	spec := &e.Spec.Routing
	r := routing.Rules{
		Model:             routing.ModelAssigned,
		RepliesFirst:      spec.ReplyPriority == v1alpha1.RepliesFirst,
		InactivityTimeout: duration(spec.InactivityTimeout, 0),
		MaxAssignmentAge:  duration(center.Spec.Routing.MaxAssignmentAge, maxAssignmentAge),
		TransferToQueue:   transferTimeout(e.Spec.Transfer.ToQueue),
		TransferToAgent:   transferTimeout(e.Spec.Transfer.ToAgent),
	}
	if to := e.Spec.Transfer.ToAccount; to.State == v1alpha1.Allowed {
		for _, ref := range to.AccountRefs {
			r.TransferToAccounts = append(r.TransferToAccounts, ref.Name)
		}
	}
	if spec.Model != v1alpha1.RoutingLegacy {
		r.AssignedAgentTimeout = duration(spec.AssignedAgentTimeout, 0)
		r.EndRouting = spec.TimeoutAction == v1alpha1.EndRouting
		return r
	}
	r.Model = routing.ModelLegacy
	r.AssignedAgentWait, r.AssignedQueueWait = legacyWait, legacyWait
	if l := spec.Legacy; l != nil {
		r.AssignedAgentWait = duration(l.AssignedAgentWait, legacyWait)
		r.AssignedQueueWait = duration(l.AssignedQueueWait, legacyWait)
	}
	return r
}

// transferTimeout is 0 where the transfer is denied.
func transferTimeout(t v1alpha1.TimedTransfer) time.Duration {
	if t.State != v1alpha1.Allowed {
		return 0
	}
	return duration(t.Timeout, 0)
}
