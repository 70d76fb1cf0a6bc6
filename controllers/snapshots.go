package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// snapshots renders the configuration of each PBX and hands it to the link, at the pace of pacer.
type snapshots struct {
	client.Client
	model voiceModel
	link  pbxLink
	pacer *pacer
	duty  *duty
}

// Reconcile implements reconcile.Reconciler; the request names a PBX. It writes nothing to the API server.
func (r *snapshots) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var p v1alpha1.PBX
	if err := r.Get(ctx, req.NamespacedName, &p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !p.DeletionTimestamp.IsZero() || p.Annotations[v1alpha1.PausedAnnotation] == "true" {
		return ctrl.Result{}, nil
	}
	if wait := r.pacer.take(p.Namespace); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	center, err := r.model.center(ctx, &p)
	if err != nil {
		return ctrl.Result{}, err
	}
	if p.Spec.TLS != nil && (center.PBX.Certificate == nil || center.PBX.StateDir == "") {
		// The Secret's watch, or the pbxlet that connects, brings us back.
		return ctrl.Result{}, nil
	}
	snapshot, err := renderWithout(center)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("rendering: %w", err)
	}
	if r.link.Status(linkKey(&p)).WantedVersion == snapshot.Version {
		r.pacer.unchanged(p.Namespace)
	}
	r.link.SetSnapshot(linkKey(&p), snapshot, pbxlink.SnapshotOptions{AllowShrink: r.mayShrink(&p)})
	log.FromContext(ctx).V(1).Info("snapshot built", "version", clip(snapshot.Version, 12), "endpoints", len(center.Agents))
	return ctrl.Result{}, r.duty.push(ctx, p.Namespace)
}

// mayShrink gives the word that losing many endpoints at once is meant: when what the PBX has now came from this process,
// which has seen every deletion since, or when somebody says so. A manager that has just started has no such knowledge.
func (r *snapshots) mayShrink(p *v1alpha1.PBX) bool {
	if r.link.Status(linkKey(p)).AppliedObjects != nil {
		return true
	}
	at, err := time.Parse(time.RFC3339, p.Annotations[v1alpha1.AllowShrinkAnnotation])
	return err == nil && time.Since(at) < v1alpha1.AllowShrinkFor
}

// renderWithout renders a center, leaving out the objects that the renderer refuses: one bad object must not keep the
// others from a change. Each was checked alone before, so this is about what only shows together.
func renderWithout(c voice.Center) (voice.Snapshot, error) {
	snapshot, err := voice.Render(c)
	if err == nil {
		return snapshot, nil
	}
	refused := map[string]bool{}
	for _, e := range unwrapAll(err) {
		var f *voice.FieldError
		if !errors.As(e, &f) || f.Object == "PBX" {
			return snapshot, err
		}
		refused[f.Object] = true
	}
	c.Agents = slices.DeleteFunc(slices.Clone(c.Agents), func(e voice.Endpoint) bool { return refused[e.Key] })
	c.Telephones = slices.DeleteFunc(slices.Clone(c.Telephones), func(e voice.Endpoint) bool { return refused[e.Key] })
	c.Queues = slices.DeleteFunc(slices.Clone(c.Queues), func(q voice.Queue) bool { return refused[q.Key] })
	return voice.Render(c)
}

func unwrapAll(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
