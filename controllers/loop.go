// Package controllers makes the objects of a contact center true. It is the only package, with cmd, that
// knows all the others; each kind has one small file, and the loop they share is here.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// passDeadline bounds one pass over one object, so that a part that hangs cannot hold a worker.
const passDeadline = 30 * time.Second

// object is a pointer to one of our kinds.
type object[T any] interface {
	*T
	v1alpha1.Object
}

// kind holds what is particular to one kind. K is the struct, P the pointer to it.
type kind[T any, P object[T]] interface {
	// Reconcile makes the object true and says in s what is and what is not. An error is temporary.
	Reconcile(ctx context.Context, obj P, s *scope) error
	// Finalize undoes what the object did outside Kubernetes. done is false while that still takes time; the kind
	// arranges to be called again.
	Finalize(ctx context.Context, obj P) (done bool, err error)
	// NeedsFinalizer is false for kinds without effects outside Kubernetes.
	NeedsFinalizer() bool
}

// loop drives every object of one kind: get, finalizer, paused, reconcile, one summary, one status patch.
type loop[T any, P object[T]] struct {
	client   client.Client
	recorder events.EventRecorder
	kind     kind[T, P]
}

// Reconcile implements reconcile.Reconciler.
func (l *loop[T, P]) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, passDeadline)
	defer cancel()

	obj := P(new(T))
	if err := l.client.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !obj.GetDeletionTimestamp().IsZero() {
		return l.remove(ctx, obj)
	}
	before := obj.DeepCopyObject().(P)
	if l.kind.NeedsFinalizer() && controllerutil.AddFinalizer(obj, v1alpha1.Finalizer) {
		// Its own patch, before the first effect outside Kubernetes.
		if err := l.client.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, ignoreRace(err)
		}
		before = obj.DeepCopyObject().(P)
	}

	s := newScope(obj.CommonStatus().Conditions, obj.GetGeneration())
	var err error
	if obj.GetAnnotations()[v1alpha1.PausedAnnotation] == "true" {
		s.pause()
	} else {
		err = l.kind.Reconcile(ctx, obj, s)
	}
	if err != nil {
		s.failed(err)
	}
	s.summarize(obj.CommonStatus())
	obj.CommonStatus().ObservedGeneration = obj.GetGeneration()
	obj.CommonStatus().LastHandledReconcileAt = obj.GetAnnotations()[v1alpha1.ReconcileAtAnnotation]

	if patchErr := l.patchStatus(ctx, before, obj); patchErr != nil {
		return ctrl.Result{}, errors.Join(err, patchErr)
	}
	l.announce(before, obj)
	for _, h := range s.happened {
		l.recorder.Eventf(obj, nil, h.eventType, h.reason, "Reconcile", "%s", h.message)
	}
	return ctrl.Result{RequeueAfter: s.requeueAfter}, err
}

func (l *loop[T, P]) remove(ctx context.Context, obj P) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(obj, v1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	done, err := l.kind.Finalize(ctx, obj)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("removing %s: %w", obj.GetName(), err)
	}
	if !done {
		// Usually what it waits for brings us back sooner.
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	before := obj.DeepCopyObject().(P)
	controllerutil.RemoveFinalizer(obj, v1alpha1.Finalizer)
	err = l.client.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return ctrl.Result{}, client.IgnoreNotFound(ignoreRace(err))
}

// patchStatus writes the status once, and only when it changed.
func (l *loop[T, P]) patchStatus(ctx context.Context, before, obj P) error {
	if equality.Semantic.DeepEqual(before, obj) {
		return nil
	}
	err := l.client.Status().Patch(ctx, obj, client.MergeFrom(before))
	return client.IgnoreNotFound(err)
}

// announce records an event when Ready became True, ceased to be, or is False for another reason; never for a pass that changed nothing,
// nor for the steps on the way to the first True.
func (l *loop[T, P]) announce(before, obj P) {
	was, is := ready(before.CommonStatus()), ready(obj.CommonStatus())
	if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
		return
	}
	if is.Status == metav1.ConditionUnknown && (was == nil || was.Status != metav1.ConditionTrue) {
		return
	}
	eventType := corev1.EventTypeNormal
	if is.Status == metav1.ConditionFalse {
		eventType = corev1.EventTypeWarning
	}
	l.recorder.Eventf(obj, nil, eventType, is.Reason, "Reconcile", "%s", is.Message)
}

// ignoreRace turns a lost optimistic lock into a quiet retry: the newer object is already on its way here.
func ignoreRace(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
