package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// accountDesk is what the desk lets agents do with the interactions of an account.
func accountDesk(e *v1alpha1.EmailAccount) store.AccountDesk {
	d := store.AccountDesk{
		MarkUnread:     e.Spec.AgentActions.MarkAsUnread == v1alpha1.Allowed,
		ForwardHistory: e.Spec.Forwarding.IncludeHistory == "Include",
		Autosave:       e.Spec.Drafts.Autosave == v1alpha1.Enabled,
		Silent:         e.Spec.Notification.Sound == v1alpha1.Disabled,
		Still:          e.Spec.Notification.Shake == v1alpha1.Disabled,
		Notification:   e.Spec.Notification.Template,
		SyncFlags:      e.Spec.IMAP.SyncFlags == string(mail.SyncTwoWay),
	}
	if e.Spec.Drafts.Interval != nil {
		d.AutosaveInterval = e.Spec.Drafts.Interval.Duration
	}
	return d
}

// assign records who sees all interactions of the account. Mail is fetched and answered without anybody, so it does not count for Ready.
func (k *accountKind) assign(ctx context.Context, e *v1alpha1.EmailAccount, s *scope) error {
	r := &roster{}
	if assigns(e.Spec.Agents) {
		var err error
		if r, err = loadRoster(ctx, k.Client, e.Namespace); err != nil {
			return err
		}
	}
	names, missing, err := r.account(e.Spec.Agents)
	if err != nil {
		return s.invalid(v1alpha1.ConditionAgentsAssigned, fmt.Errorf("agents.%w", err))
	}
	if err := k.store.SetAccountAgents(ctx, storeKey(e), names); err != nil {
		return fmt.Errorf("recording the account's agents: %w", err)
	}
	switch condition := v1alpha1.ConditionAgentsAssigned; {
	case len(missing) > 0:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonMembersMissing,
			fmt.Sprintf("%d agents see its interactions; not found: %s", len(names), strings.Join(missing, ", ")))
	case len(names) == 0:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNoAgents,
			"spec.agents names nobody: each agent sees what is offered to or open with them and what they were the last to accept")
	default:
		s.note(condition, metav1.ConditionTrue, v1alpha1.ReasonAssigned, fmt.Sprintf("%d agents see its interactions", len(names)))
	}
	return nil
}

func assigns(a v1alpha1.EmailAgents) bool {
	return len(a.Refs) > 0 || len(a.TeamRefs) > 0 || a.Selector != nil
}

// account lists the agents of an account, sorted and once each, and the references that lead nowhere.
func (r *roster) account(a v1alpha1.EmailAgents) (names, missing []string, err error) {
	if names, err = r.matching(a.Selector); err != nil {
		return nil, nil, fmt.Errorf("selector: %w", err)
	}
	entries := make([]v1alpha1.QueueMember, 0, len(a.Refs)+len(a.TeamRefs))
	for _, ref := range a.Refs {
		entries = append(entries, v1alpha1.QueueMember{AgentRef: &ref})
	}
	for _, ref := range a.TeamRefs {
		entries = append(entries, v1alpha1.QueueMember{TeamRef: &ref})
	}
	for _, entry := range entries {
		found, gone, err := r.entry(entry)
		if err != nil {
			return nil, nil, fmt.Errorf("teamRefs: %w", err)
		}
		names, missing = append(names, found...), append(missing, gone...)
	}
	slices.Sort(names)
	return slices.Compact(names), missing, nil
}

// assigningAccounts maps a change of agents or teams to the accounts that name any.
func (w *wiring) assigningAccounts(ctx context.Context, o client.Object) []reconcile.Request {
	var accounts v1alpha1.EmailAccountList
	if err := w.c.List(ctx, &accounts, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range accounts.Items {
		if assigns(accounts.Items[i].Spec.Agents) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&accounts.Items[i])})
		}
	}
	return requests
}
