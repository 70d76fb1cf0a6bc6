package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// drainLimit is how long a deleted agent keeps the calls and interactions in hand.
const drainLimit = 10 * time.Minute

// drainReason is the pause reason of an agent who is being deleted.
const drainReason = "Draining"

// Finalize lets the agent finish what is in hand, takes the agent out of the store and waits until no connected PBX knows the endpoint any more.
func (k *agentKind) Finalize(ctx context.Context, a *v1alpha1.Agent) (bool, error) {
	if busy, err := k.draining(ctx, a); err != nil || busy {
		return false, err
	}
	if err := k.store.DeleteAgent(ctx, storeKey(a)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	pbxes, err := listPBXes(ctx, k.Client, a.Namespace)
	if err != nil {
		return false, err
	}
	for i := range pbxes {
		p := &pbxes[i]
		if !p.DeletionTimestamp.IsZero() || p.Annotations[v1alpha1.PausedAnnotation] == "true" {
			continue // it gets no configuration any more, or not now; nobody waits for that
		}
		pbx := linkKey(p)
		status := k.link.Status(pbx)
		if _, there := status.AppliedObjects[agentKey(a.Name)]; there && status.Connected {
			return false, nil // the next acknowledgement brings us back
		}
		if a.Status.Extension != "" {
			k.link.DropContacts(pbx, a.Status.Extension)
			if a.Spec.Voicemail.DeletionPolicy == v1alpha1.VoicemailPurge {
				k.link.purge(ctx, pbx, a.Status.Extension, mailboxOwner(a))
			}
		}
	}
	quarantine := 24 * time.Hour
	if center, err := onlyCenter(ctx, k.Client, a.Namespace); err == nil {
		quarantine = duration(center.Spec.Extensions.Quarantine, quarantine)
	}
	return true, k.store.ReleaseExtension(ctx, agentOwner(a), quarantine)
}

// draining pauses a deleted agent, so that nothing new comes, and tells whether something is still in hand.
func (k *agentKind) draining(ctx context.Context, a *v1alpha1.Agent) (bool, error) {
	if a.Spec.DeletionPolicy == v1alpha1.DeletionForce || time.Since(a.DeletionTimestamp.Time) > drainLimit {
		return false, nil
	}
	p, err := k.store.GetPresence(ctx, storeKey(a))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // it is out of the store already
	}
	if err != nil {
		return false, fmt.Errorf("reading presence: %w", err)
	}
	if p.SignedIn && (!p.Paused || p.Reason != drainReason) {
		p.Paused, p.Reason = true, drainReason
		if err := k.store.SetPresence(ctx, p); err != nil {
			return false, fmt.Errorf("pausing the agent: %w", err)
		}
	}
	open, err := k.store.CountInteractions(ctx, store.InteractionFilter{
		Namespace: a.Namespace, Agent: a.Name, States: []store.InteractionState{store.StateOpen},
	})
	if err != nil {
		return false, fmt.Errorf("counting interactions in hand: %w", err)
	}
	calls, err := k.store.ListCalls(ctx, store.CallFilter{
		Namespace: a.Namespace, Agent: a.Name, States: []store.CallState{store.CallRinging, store.CallUp}, Limit: 1,
	})
	if err != nil {
		return false, fmt.Errorf("reading calls in hand: %w", err)
	}
	return open+len(calls) > 0, nil
}

// purgeDisabled removes the messages of a box that was disabled, where the policy says so.
func (k *agentKind) purgeDisabled(ctx context.Context, a *v1alpha1.Agent, pbxes []v1alpha1.PBX) {
	if a.Spec.Voicemail.State == v1alpha1.Enabled || a.Spec.Voicemail.DeletionPolicy != v1alpha1.VoicemailPurge || a.Status.Voicemail == (v1alpha1.AgentVoicemailStatus{}) {
		return
	}
	for i := range pbxes {
		k.link.purge(ctx, linkKey(&pbxes[i]), a.Status.Extension, mailboxOwner(a))
	}
}
