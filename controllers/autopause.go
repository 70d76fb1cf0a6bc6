package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	// asteriskAutoPause is the reason app_queue gives for a pause of its own.
	asteriskAutoPause = "Auto-Pause"
	// autoPauseReason is how the desk shows it.
	autoPauseReason = "AutoPause"
)

// autoPauses makes the pause that a queue with autoPause All puts on an agent who did not answer a pause of the agent, which the desk shows
// and the agent ends there. A pause in one queue only is the PBX's own and ends with the agent's next pause.
type autoPauses struct {
	client.Reader
	store interface {
		store.PresenceStore
		ListTelephones(ctx context.Context, namespace string) ([]store.TelephoneState, error)
	}
	wake chan struct{}

	mu      sync.Mutex
	pending map[pausedMember]bool
}

type pausedMember struct{ namespace, queue, endpoint string }

func newAutoPauses(c client.Reader, s store.Store) *autoPauses {
	return &autoPauses{Reader: c, store: s, wake: make(chan struct{}, 1), pending: map[pausedMember]bool{}}
}

// note remembers a member that its PBX has paused; it does not block.
func (p *autoPauses) note(pbx string, m pbxlink.QueueMember) {
	namespace, _ := splitKey(pbx)
	p.mu.Lock()
	p.pending[pausedMember{namespace, m.Queue, m.Extension}] = true
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (p *autoPauses) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (p *autoPauses) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("auto-pause")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		p.mu.Lock()
		pending := p.pending
		p.pending = map[pausedMember]bool{}
		p.mu.Unlock()
		for m := range pending {
			if err := p.pause(ctx, m); err != nil && ctx.Err() == nil {
				logger.Error(err, "pausing an agent who did not answer", "queue", m.queue)
			}
		}
	}
}

func (p *autoPauses) pause(ctx context.Context, m pausedMember) error {
	var q v1alpha1.Queue
	if err := p.Get(ctx, types.NamespacedName{Namespace: m.namespace, Name: m.queue}, &q); err != nil {
		return client.IgnoreNotFound(err)
	}
	if q.Spec.Voice == nil || q.Spec.Voice.AutoPause.Mode != v1alpha1.AutoPauseAll {
		return nil
	}
	agent, err := p.agentAt(ctx, m)
	if err != nil || agent == "" {
		return err
	}
	presence, err := p.store.GetPresence(ctx, store.Key{Namespace: m.namespace, Name: agent})
	if errors.Is(err, store.ErrNotFound) || err == nil && (!presence.SignedIn || presence.Paused) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading presence: %w", err)
	}
	presence.Paused, presence.Reason = true, autoPauseReason
	return p.store.SetPresence(ctx, presence)
}

// agentAt names the agent whose endpoint it is, or who sits at that telephone.
func (p *autoPauses) agentAt(ctx context.Context, m pausedMember) (string, error) {
	var agents v1alpha1.AgentList
	if err := p.List(ctx, &agents, client.InNamespace(m.namespace), client.MatchingFields{admission.IndexExtension: m.endpoint}); err != nil {
		return "", err
	}
	for i := range agents.Items {
		if agents.Items[i].Status.Extension == m.endpoint {
			return agents.Items[i].Name, nil
		}
	}
	telephones, err := p.store.ListTelephones(ctx, m.namespace)
	if err != nil {
		return "", err
	}
	for _, t := range telephones {
		if t.Username == m.endpoint {
			return t.Agent, nil
		}
	}
	return "", nil
}
