package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/builder"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// dispositionKind records a DispositionSet for the desk.
type dispositionKind struct{ store dispositionStore }

type dispositionStore interface {
	PutDispositionSet(ctx context.Context, s store.DispositionSet) error
	DeleteDispositionSet(ctx context.Context, key store.Key) error
}

func (k *dispositionKind) NeedsFinalizer() bool { return true }

func (k *dispositionKind) Reconcile(ctx context.Context, d *v1alpha1.DispositionSet, s *scope) error {
	items, err := dispositionPaths(d.Spec.Items)
	if err != nil {
		return s.invalid(v1alpha1.ConditionReady, err)
	}
	scope, ref := scopeOf(d.Spec.Scope, d.Spec.EmailAccountRef, d.Spec.QueueRef, d.Spec.ContactListRef)
	if err := k.store.PutDispositionSet(ctx, store.DispositionSet{Key: storeKey(d), Scope: scope, Ref: ref, Items: items}); err != nil {
		return fmt.Errorf("recording the set: %w", err)
	}
	d.Status.ItemCount = count(len(items))
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d dispositions", len(items)))
	return nil
}

func (k *dispositionKind) Finalize(ctx context.Context, d *v1alpha1.DispositionSet) (bool, error) {
	err := k.store.DeleteDispositionSet(ctx, storeKey(d))
	return err == nil, err
}

// scopeOf is the scope of a set and the object it is about; the schema allows at most one.
func scopeOf(scope v1alpha1.SetScope, refs ...*v1alpha1.ObjectReference) (store.SetScope, string) {
	for _, ref := range refs {
		if ref != nil {
			return store.SetScope(scope), ref.Name
		}
	}
	return store.SetScope(scope), ""
}

// dispositionPaths puts the items into the order of the tree, each parent before its children and otherwise as they are, and gives each its path.
func dispositionPaths(items []v1alpha1.Disposition) ([]store.Disposition, error) {
	children := map[string][]v1alpha1.Disposition{}
	for _, item := range items {
		children[item.Parent] = append(children[item.Parent], item)
	}
	paths := make([]store.Disposition, 0, len(items))
	var walk func(parent, prefix string, level int)
	walk = func(parent, prefix string, level int) {
		if level > v1alpha1.MaxDispositionDepth {
			return
		}
		for _, item := range children[parent] {
			paths = append(paths, store.Disposition{Path: prefix + item.Name, Description: item.Description})
			walk(item.Name, prefix+item.Name+"/", level+1)
		}
	}
	walk("", "", 1)
	if len(paths) != len(items) { // what hangs on nothing, on itself or too deep was not reached
		return nil, fmt.Errorf("items: every parent must be an item of the set, without cycles and at most %d levels deep", v1alpha1.MaxDispositionDepth)
	}
	return paths, nil
}

// +kubebuilder:rbac:groups=ringmaster.dev,resources=dispositionsets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=ringmaster.dev,resources=dispositionsets/status,verbs=patch

func (w *wiring) addDispositions() error {
	return w.build("dispositionset").For(&v1alpha1.DispositionSet{}, builder.WithPredicates(ours)).
		Complete(newLoop[v1alpha1.DispositionSet](w, &dispositionKind{store: w.o.Store}))
}
