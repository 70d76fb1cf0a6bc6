package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// signedOutReason is the pause reason Asterisk shows for an agent who is not signed in.
const signedOutReason = "SignedOut"

// duty tells the PBXes who takes queue calls: signed in and not paused. The store is the source; Asterisk is told again
// after every reconnect, so neither its restart nor ours changes anybody's state.
type duty struct {
	client.Reader
	link  pbxLink
	store interface {
		ListPresence(ctx context.Context, namespace string) ([]store.Presence, error)
	}
}

// push hands the state of every agent of a namespace to its PBXes; the link sends differences only.
func (d *duty) push(ctx context.Context, namespace string) error {
	var pbxes v1alpha1.PBXList
	if err := d.List(ctx, &pbxes, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing PBXes: %w", err)
	}
	if len(pbxes.Items) == 0 {
		return nil
	}
	presence, err := d.store.ListPresence(ctx, namespace)
	if err != nil {
		return fmt.Errorf("reading presence: %w", err)
	}
	r, err := loadRoster(ctx, d.Reader, namespace)
	if err != nil {
		return err
	}
	states := make([]memberState, 0, len(presence))
	for _, p := range presence {
		a := r.agents[p.Agent.Name]
		if a == nil || a.Status.Extension == "" {
			continue
		}
		state := memberState{Extension: a.Status.Extension, Paused: p.Paused, Reason: p.Reason}
		if !p.SignedIn {
			state.Paused, state.Reason = true, signedOutReason
		}
		states = append(states, state)
	}
	for i := range pbxes.Items {
		d.link.SetMemberStates(linkKey(&pbxes.Items[i]), states)
	}
	return nil
}
