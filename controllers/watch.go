package controllers

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
)

// bornOrGone passes creations, deletions and the beginning of a deletion.
var bornOrGone = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	},
}

// gone passes what may free a unique value: the end of an object and a change of its specification.
var gone = predicate.And(
	predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }},
	predicate.GenerationChangedPredicate{})

// membershipChanged passes what can change who is in a team or a queue.
var membershipChanged = onAgents(func(before, after *v1alpha1.Agent) bool {
	return !maps.Equal(before.Labels, after.Labels) ||
		before.Spec.AccountState != after.Spec.AccountState || before.Spec.SIP.Role != after.Spec.SIP.Role || before.Status.Extension != after.Status.Extension ||
		before.Spec.FullName != after.Spec.FullName
})

// supervisorsChanged passes what can change who may monitor an agent.
var supervisorsChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.Team), e.ObjectNew.(*v1alpha1.Team)
	return !slices.Equal(before.Spec.Supervisors, after.Spec.Supervisors) || before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero()
}}

// endpointChanged passes what can change the files of a PBX. An agent without an extension is in none.
var endpointChanged = predicate.And(
	predicate.NewPredicateFuncs(func(o client.Object) bool { return o.(*v1alpha1.Agent).Status.Extension != "" }),
	onAgents(func(before, after *v1alpha1.Agent) bool {
		return before.Generation != after.Generation || before.Status.Extension != after.Status.Extension || !maps.Equal(before.Labels, after.Labels) ||
			passwordExpired(before) != passwordExpired(after)
	}))

// countChanged passes what changes the counts of a contact center.
var countChanged = onAgents(func(before, after *v1alpha1.Agent) bool {
	was, is := ready(&before.Status.CommonStatus), ready(&after.Status.CommonStatus)
	return (was == nil) != (is == nil) || (was != nil && was.Status != is.Status)
})

func onAgents(changed func(before, after *v1alpha1.Agent) bool) predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() ||
			changed(e.ObjectOld.(*v1alpha1.Agent), e.ObjectNew.(*v1alpha1.Agent))
	}}
}

// floodDelay gathers what a flood of changes asks of one object that depends on many.
const floodDelay = 500 * time.Millisecond

// later delays what a handler enqueues: a team of a thousand agents that are applied together is resolved a few times, not a thousand.
func later(h handler.EventHandler) handler.EventHandler {
	slow := func(q requestQueue) requestQueue { return slowQueue{q} }
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q requestQueue) { h.Create(ctx, e, slow(q)) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q requestQueue) { h.Update(ctx, e, slow(q)) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q requestQueue) { h.Delete(ctx, e, slow(q)) },
	}
}

type slowQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (q slowQueue) Add(r reconcile.Request) { q.AddAfter(r, floodDelay) }

// listAll maps any object to every object of a kind in its namespace. Only for the few kinds whose change concerns all.
func listAll[L any, P interface {
	*L
	client.ObjectList
}](c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		list := P(new(L))
		if err := c.List(ctx, list, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		return listed(list)
	}
}

// bySecret maps a Secret to the objects of a kind that refer to it.
func bySecret[L any, P interface {
	*L
	client.ObjectList
}](c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		list := P(new(L))
		if err := c.List(ctx, list, client.InNamespace(o.GetNamespace()), client.MatchingFields{admission.IndexSecret: o.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		return listed(list)
	}
}

// byContent maps a ConfigMap to the objects of a kind that refer to it.
func byContent[L any, P interface {
	*L
	client.ObjectList
}](c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		list := P(new(L))
		if err := c.List(ctx, list, client.InNamespace(o.GetNamespace()), client.MatchingFields{byConfigMap: o.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		return listed(list)
	}
}

func listed(list client.ObjectList) []reconcile.Request {
	var out []reconcile.Request
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o.(client.Object))})
		return nil
	})
	return out
}

func (w *wiring) centersOf(ctx context.Context, o client.Object) []reconcile.Request {
	return listAll[v1alpha1.ContactCenterList](w.c)(ctx, o)
}

func (w *wiring) teamsOfAgent(ctx context.Context, o client.Object) []reconcile.Request {
	teams, err := membership{w.c}.teamsOf(ctx, nameOf(o), labels.Set(o.GetLabels()))
	if err != nil {
		return nil
	}
	return requests(o.GetNamespace(), sortedNames(teams)...)
}

// supervised maps a team to its members, whose phones know who may monitor them.
func (w *wiring) supervised(_ context.Context, o client.Object) []reconcile.Request {
	return requests(o.GetNamespace(), o.(*v1alpha1.Team).Status.Members...)
}

func (w *wiring) queuesOfAgent(ctx context.Context, o client.Object) []reconcile.Request {
	m := membership{w.c}
	teams, err := m.teamsOf(ctx, nameOf(o), labels.Set(o.GetLabels()))
	if err != nil {
		return nil
	}
	queues, err := m.queuesOf(ctx, nameOf(o), labels.Set(o.GetLabels()), teams)
	if err != nil {
		return nil
	}
	return requests(o.GetNamespace(), sortedNames(queues)...)
}

func (w *wiring) queuesOfTeam(ctx context.Context, o client.Object) []reconcile.Request {
	var queues v1alpha1.QueueList
	if err := w.c.List(ctx, &queues, client.InNamespace(o.GetNamespace()), client.MatchingFields{byTeamRef: o.GetName()}); err != nil {
		return nil
	}
	return listed(&queues)
}

func (w *wiring) accountsOfQueue(ctx context.Context, o client.Object) []reconcile.Request {
	var accounts v1alpha1.EmailAccountList
	if err := w.c.List(ctx, &accounts, client.InNamespace(o.GetNamespace()), client.MatchingFields{byQueueRef: o.GetName()}); err != nil {
		return nil
	}
	return listed(&accounts)
}

// queueAgents maps a queue that comes or goes to the agents it had.
func queueAgents(_ context.Context, o client.Object) []reconcile.Request {
	return requests(o.GetNamespace(), memberAgents(o.(*v1alpha1.Queue).Status.Members)...)
}

// noted maps a change that a snapshot may contain to the PBXes of its namespace, and counts it for the pace.
func (w *wiring) noted(ctx context.Context, o client.Object) []reconcile.Request {
	if w.copied(ctx, o) {
		return nil
	}
	out := listAll[v1alpha1.PBXList](w.c)(ctx, o)
	if len(out) > 0 {
		w.pacer.note(o.GetNamespace(), o.GetName())
	}
	return slices.Clip(out)
}

// copied tells whether an object is the Secret of a phone whose password comes from another one, which was noted already. In a flood the copies
// come long after their sources, and would hold back the files that have the new passwords.
func (w *wiring) copied(ctx context.Context, o client.Object) bool {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != "Agent" {
		return false
	}
	var a v1alpha1.Agent
	if err := w.c.Get(ctx, types.NamespacedName{Namespace: o.GetNamespace(), Name: owner.Name}, &a); err != nil {
		return false
	}
	return a.Spec.SIP.PasswordSecretRef != nil
}
