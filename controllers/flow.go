package controllers

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// flowKind hands a RoutingFlow, with the schedules and templates it refers to, to routing. One that is not right leaves the
// last right one in effect.
type flowKind struct {
	client.Client
	checker admission.Checker
	store   flowStore
}

// flowStore is what a RoutingFlow needs of the store.
type flowStore interface {
	PutFlow(ctx context.Context, f store.Flow) error
	DeleteFlow(ctx context.Context, key store.Key) error
}

func (k *flowKind) NeedsFinalizer() bool { return true }

func (k *flowKind) Reconcile(ctx context.Context, f *v1alpha1.RoutingFlow, s *scope) error {
	var accounts v1alpha1.EmailAccountList
	if err := k.List(ctx, &accounts, client.InNamespace(f.Namespace), client.MatchingFields{byFlowRef: f.Name}); err != nil {
		return fmt.Errorf("listing EmailAccounts: %w", err)
	}
	f.Status.Accounts = count(len(accounts.Items))
	spec, problems, err := k.checker.ResolveFlow(ctx, f)
	if err != nil {
		return fmt.Errorf("checking the flow: %w", err)
	}
	if stallOn(s, problems, v1alpha1.ConditionReferencesResolved) {
		return nil
	}
	if err := k.store.PutFlow(ctx, store.Flow{Key: storeKey(f), Spec: spec}); err != nil {
		return fmt.Errorf("recording the flow: %w", err)
	}
	s.ok(v1alpha1.ConditionReferencesResolved, v1alpha1.ReasonResolved, "every reference exists")
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d steps", len(f.Spec.Steps)))
	return nil
}

func (k *flowKind) Finalize(ctx context.Context, f *v1alpha1.RoutingFlow) (bool, error) {
	err := k.store.DeleteFlow(ctx, storeKey(f))
	return err == nil, err
}

func (w *wiring) addFlows() error {
	k := &flowKind{Client: w.c, checker: w.checker, store: w.o.Store}
	refers := func(kind string) handler.EventHandler { return handler.EnqueueRequestsFromMapFunc(w.flowsOf(kind)) }
	return w.build("routingflow").For(&v1alpha1.RoutingFlow{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.Queue{}, refers("queue"), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.Agent{}, later(refers("agent")), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.Schedule{}, refers("schedule"), builder.WithPredicates(ours)).
		Watches(&v1alpha1.MessageTemplate{}, refers("template"), builder.WithPredicates(ours)).
		Watches(&v1alpha1.EmailAccount{}, handler.EnqueueRequestsFromMapFunc(flowOfAccount), builder.WithPredicates(ours)).
		Complete(newLoop[v1alpha1.RoutingFlow](w, k))
}

// Indexes of what flows refer to, and of accounts by their flow. A key of byReference is kind/name.
const (
	byReference = "flow.reference"
	byFlowRef   = "routing.flowRef"
)

// flowReferences are the keys of byReference.
func flowReferences(o client.Object) []string {
	var keys []string
	refs := admission.ReferencesOf(o.(*v1alpha1.RoutingFlow))
	for kind, names := range map[string][]string{"queue": refs.Queues, "agent": refs.Agents, "schedule": refs.Schedules, "template": refs.Templates} {
		for _, name := range names {
			keys = append(keys, kind+"/"+name)
		}
	}
	return keys
}

// flowsOf maps an object to the flows that refer to it.
func (w *wiring) flowsOf(kind string) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		var flows v1alpha1.RoutingFlowList
		if err := w.c.List(ctx, &flows, client.InNamespace(o.GetNamespace()), client.MatchingFields{byReference: kind + "/" + o.GetName()}); err != nil {
			return nil
		}
		return listed(&flows)
	}
}

// flowOfAccount maps an account to its flow, whose status counts it.
func flowOfAccount(_ context.Context, o client.Object) []reconcile.Request {
	if name := o.(*v1alpha1.EmailAccount).Spec.Routing.FlowRef.Name; name != "" {
		return requests(o.GetNamespace(), name)
	}
	return nil
}

// accountsOfFlow maps a flow that comes or goes to the accounts that refer to it.
func (w *wiring) accountsOfFlow(ctx context.Context, o client.Object) []reconcile.Request {
	var accounts v1alpha1.EmailAccountList
	if err := w.c.List(ctx, &accounts, client.InNamespace(o.GetNamespace()), client.MatchingFields{byFlowRef: o.GetName()}); err != nil {
		return nil
	}
	return listed(&accounts)
}

// routedByFlow checks the flow of an account.
func (k *accountKind) routedByFlow(ctx context.Context, e *v1alpha1.EmailAccount, s *scope) error {
	var f v1alpha1.RoutingFlow
	name := e.Spec.Routing.FlowRef.Name
	err := k.Get(ctx, types.NamespacedName{Namespace: e.Namespace, Name: name}, &f)
	switch condition := v1alpha1.ConditionRouted; {
	case apierrors.IsNotFound(err) || (err == nil && !f.DeletionTimestamp.IsZero()):
		s.stall(condition, v1alpha1.ReasonFlowNotFound, "spec.routing.flowRef: RoutingFlow "+name+" does not exist")
	case err != nil:
		return fmt.Errorf("reading RoutingFlow %s: %w", name, err)
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "RoutingFlow "+name+" decides about new interactions")
	}
	return nil
}

// routable tells whether routing knows where the account's new interactions go.
func (m *mailboxes) routable(ctx context.Context, e *v1alpha1.EmailAccount) (bool, error) {
	if e.Spec.Purpose == v1alpha1.PurposeSystem {
		return true, nil
	}
	var err error
	ok := true
	if name := e.Spec.Routing.FlowRef.Name; name != "" {
		_, err = m.queues.GetFlow(ctx, store.Key{Namespace: e.Namespace, Name: name})
	} else {
		var q store.Queue
		q, err = m.queues.GetQueue(ctx, store.Key{Namespace: e.Namespace, Name: e.Spec.Routing.QueueRef.Name})
		ok = q.Channel == store.ChannelEmail
	}
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("finding the account's queue or flow: %w", err)
	}
	return ok, nil
}
