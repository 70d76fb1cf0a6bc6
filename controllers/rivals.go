package controllers

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
)

// An object that lost a unique value to another is stalled until that one goes or takes another value. These functions map
// the other to those that wait for it. Objects that are not stalled are left alone, so this costs nothing in normal days.

// agentRivals maps an agent, a telephone or a queue to the stalled agents that want its username or number.
func (w *wiring) agentRivals(ctx context.Context, o client.Object) []reconcile.Request {
	var out []reconcile.Request
	if username := usernameOf(o); username != "" {
		out = w.stalledAgents(ctx, o, admission.IndexUsername, username)
	}
	for _, number := range numbersOf(o) {
		out = append(out, w.stalledAgents(ctx, o, admission.IndexExtension, number)...)
	}
	return out
}

// telephoneRivals maps an agent or a telephone to the stalled telephones that want its username.
func (w *wiring) telephoneRivals(ctx context.Context, o client.Object) []reconcile.Request {
	var telephones v1alpha1.TelephoneList
	if err := w.c.List(ctx, &telephones, client.InNamespace(o.GetNamespace()), client.MatchingFields{admission.IndexUsername: usernameOf(o)}); err != nil {
		return nil
	}
	return stalledOnes(telephones.Items, o)
}

// usernameOf is the SIP user of an agent or a telephone, "" of anything else.
func usernameOf(o client.Object) string {
	switch o := o.(type) {
	case *v1alpha1.Agent:
		return o.Username()
	case *v1alpha1.Telephone:
		return o.Username()
	}
	return ""
}

// queueRivals maps an agent or a queue to the stalled queues that want its number.
func (w *wiring) queueRivals(ctx context.Context, o client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, number := range numbersOf(o) {
		var queues v1alpha1.QueueList
		if err := w.c.List(ctx, &queues, client.InNamespace(o.GetNamespace()), client.MatchingFields{admission.IndexNumber: number}); err != nil {
			return out
		}
		out = append(out, stalledOnes(queues.Items, o)...)
	}
	return out
}

// accountRivals maps an account to the stalled ones that want its address or key.
func (w *wiring) accountRivals(ctx context.Context, o client.Object) []reconcile.Request {
	e := o.(*v1alpha1.EmailAccount)
	var out []reconcile.Request
	for index, value := range map[string]string{admission.IndexAddress: strings.ToLower(e.Spec.Address), admission.IndexKey: e.Spec.Key} {
		var accounts v1alpha1.EmailAccountList
		if err := w.c.List(ctx, &accounts, client.InNamespace(o.GetNamespace()), client.MatchingFields{index: value}); err != nil {
			return out
		}
		out = append(out, stalledOnes(accounts.Items, o)...)
	}
	return out
}

func (w *wiring) stalledAgents(ctx context.Context, o client.Object, index, value string) []reconcile.Request {
	var agents v1alpha1.AgentList
	if err := w.c.List(ctx, &agents, client.InNamespace(o.GetNamespace()), client.MatchingFields{index: value}); err != nil {
		return nil
	}
	return stalledOnes(agents.Items, o)
}

func stalledOnes[T any, P object[T]](items []T, other client.Object) []reconcile.Request {
	var out []reconcile.Request
	for i := range items {
		item := P(&items[i])
		if item.GetUID() != other.GetUID() && meta.IsStatusConditionTrue(item.CommonStatus().Conditions, v1alpha1.ConditionStalled) {
			out = append(out, reconcile.Request{NamespacedName: nameOf(item)})
		}
	}
	return out
}

// numbersOf are the internal numbers an object holds or wants.
func numbersOf(o client.Object) []string {
	var numbers []string
	switch o := o.(type) {
	case *v1alpha1.Agent:
		numbers = []string{o.Spec.Extension, o.Status.Extension}
	case *v1alpha1.Queue:
		numbers = []string{o.Spec.Number}
	}
	kept := numbers[:0]
	for _, n := range numbers {
		if n != "" {
			kept = append(kept, n)
		}
	}
	return kept
}
