package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// queueKind resolves the members of a Queue and hands digital queues to routing; voice queues reach the PBX with
// the snapshot of their namespace.
type queueKind struct {
	client.Client
	model   voiceModel
	checker admission.Checker
	link    linkView
	store   queueStore
	agents  pokes
	// figures of a voice queue, over all PBXes.
	figures func(queue store.Key) pbxlink.QueueFigures
}

// queueStore is what a Queue needs of the store.
type queueStore interface {
	store.Extensions
	PutQueue(ctx context.Context, q store.Queue) error
	DeleteQueue(ctx context.Context, key store.Key) error
	ListPresence(ctx context.Context, namespace string) ([]store.Presence, error)
	CountInteractions(ctx context.Context, f store.InteractionFilter) (int, error)
	ListQueueFigures(ctx context.Context, queue store.Key) ([]store.QueueFigures, error)
}

func (k *queueKind) NeedsFinalizer() bool { return true }

func (k *queueKind) Reconcile(ctx context.Context, q *v1alpha1.Queue, s *scope) error {
	if _, ok, err := theCenter(ctx, k.Client, q.Namespace, s); err != nil || !ok {
		return err
	}
	problems, err := k.checker.Queue(ctx, q)
	if err != nil {
		return fmt.Errorf("checking the queue: %w", err)
	}
	// A member who cannot be called is left out; the others are served.
	uncallable, problems := splitProblems(problems, "spec.members")
	if stallOn(s, problems, v1alpha1.ConditionMembersResolved) {
		return nil
	}
	r, err := loadRoster(ctx, k.Client, q.Namespace)
	if err != nil {
		return err
	}
	members, missing, err := r.queue(q)
	if err != nil {
		return s.invalid(v1alpha1.ConditionMembersResolved, err)
	}
	if reportMissing(s, missing) {
		stallOn(s, uncallable, v1alpha1.ConditionMembersResolved)
	}
	before := memberAgents(q.Status.Members)
	q.Status.MemberCount = count(len(members))
	q.Status.Members = members[:min(len(members), maxListed)]
	k.agents.pokeChanged(q.Namespace, before, memberAgents(q.Status.Members))

	if err := k.effect(ctx, q, members, r, s); err != nil {
		return err
	}
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d members", len(members)))
	return k.showDuty(ctx, q, members, s)
}

// effect records the queue for routing and the desk, and hands a voice queue to the PBXes.
func (k *queueKind) effect(ctx context.Context, q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster, s *scope) error {
	d := store.Queue{
		Key: storeKey(q), DisplayName: displayName(q.Spec.DisplayName, q.Name), Channel: store.Channel(q.Spec.Channel),
		Strategy: string(q.Spec.Strategy), OfferTimeout: 30 * time.Second, Weight: int(q.Spec.Weight),
	}
	if q.Spec.ServiceLevel != nil {
		d.ServiceLevel = duration(q.Spec.ServiceLevel.Threshold, 20*time.Second)
	}
	if q.Spec.Digital != nil {
		d.OfferTimeout = duration(q.Spec.Digital.OfferTimeout, d.OfferTimeout)
		d.WrapUpTime = duration(q.Spec.Digital.WrapUpTime, 0)
	}
	for _, m := range members {
		d.Members = append(d.Members, store.QueueMember{Agent: m.Agent, Penalty: int(m.Penalty)})
	}
	if err := k.store.PutQueue(ctx, d); err != nil {
		return fmt.Errorf("recording the queue: %w", err)
	}
	if q.Spec.Channel == v1alpha1.ChannelVoice {
		return k.effectVoice(ctx, q, members, r, s)
	}
	return nil
}

func (k *queueKind) effectVoice(ctx context.Context, q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster, s *scope) error {
	condition := v1alpha1.ConditionProvisioned
	_, err := k.store.AllocateExtension(ctx, queueOwner(q), q.Spec.Number, nil, 0)
	if reportTaken(s, err, condition, v1alpha1.ReasonNumberTaken) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reserving the number: %w", err)
	}
	var pbxes v1alpha1.PBXList
	if err := k.List(ctx, &pbxes, client.InNamespace(q.Namespace)); err != nil {
		return fmt.Errorf("listing PBXes: %w", err)
	}
	if len(pbxes.Items) == 0 {
		s.missing(v1alpha1.ReasonNoPBX, "the namespace has no PBX that could serve a voice queue")
		return nil
	}
	for i := range pbxes.Items {
		p := &pbxes.Items[i]
		want, err := k.model.queue(ctx, p, q, members, r)
		if err != nil {
			return err
		}
		if class := want.MusicClass; class != "" && !hasMusic(p, class) {
			s.stall(condition, v1alpha1.ReasonInvalid, fmt.Sprintf("spec.voice.musicClass: PBX %s has no class %s in spec.musicClasses", p.Name, class))
			return nil
		}
		if broken := want.Validate(); len(broken) > 0 {
			s.stall(condition, v1alpha1.ReasonInvalid, inSpec(broken).Error())
			return nil
		}
		if !k.link.acknowledged(s, condition, p, queueKey(q.Name), want.Fingerprint(), "PBX "+p.Name+" has not acknowledged the queue as it is now") {
			return nil
		}
	}
	s.ok(condition, v1alpha1.ReasonProvisioned, fmt.Sprintf("in effect on %d PBX", len(pbxes.Items)))
	return nil
}

// hasMusic tells whether a PBX has a class of music on hold.
func hasMusic(p *v1alpha1.PBX, class string) bool {
	return class == "default" || slices.ContainsFunc(p.Spec.MusicClasses, func(c v1alpha1.MusicClass) bool { return c.Name == class })
}

// showDuty counts who could be offered something now, and what waits.
func (k *queueKind) showDuty(ctx context.Context, q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, s *scope) error {
	presence, err := k.store.ListPresence(ctx, q.Namespace)
	if err != nil {
		return fmt.Errorf("reading presence: %w", err)
	}
	onDuty := make(map[string]bool, len(presence))
	for _, p := range presence {
		onDuty[p.Agent.Name] = p.SignedIn && !p.Paused
	}
	q.Status.ReadyMembers = 0
	for _, m := range members {
		if onDuty[m.Agent] {
			q.Status.ReadyMembers++
		}
	}
	if q.Spec.Channel == v1alpha1.ChannelVoice {
		k.showCalls(q)
		return nil
	}
	waiting, err := k.store.CountInteractions(ctx, store.InteractionFilter{
		Namespace: q.Namespace, Queue: q.Name, States: []store.InteractionState{store.StateQueued, store.StateOffered},
	})
	if err != nil {
		return fmt.Errorf("counting what waits: %w", err)
	}
	q.Status.Waiting = count(waiting)
	return k.showInteractions(ctx, q, s)
}

// showInteractions mirrors what the store counts.
func (k *queueKind) showInteractions(ctx context.Context, q *v1alpha1.Queue, s *scope) error {
	list, err := k.store.ListQueueFigures(ctx, storeKey(q))
	if err != nil {
		return err
	}
	var f store.QueueFigures
	if len(list) > 0 {
		f = list[0]
	}
	q.Status.Interactions = queueInteractions(f, q.Spec.ServiceLevel)
	if f.Accepted > 0 {
		s.requeue(time.Hour) // an hour leaves the figures without anything happening
	}
	return nil
}

func queueInteractions(f store.QueueFigures, level *v1alpha1.ServiceLevel) *v1alpha1.QueueInteractions {
	out := &v1alpha1.QueueInteractions{
		Accepted: count(f.Accepted), WaitSeconds: count(int(f.Waited.Round(time.Second).Seconds())), ServiceLevelMet: v1alpha1.ServiceLevelUnknown,
	}
	if level != nil && f.Accepted > 0 {
		share := 100 * f.InTime / f.Accepted
		out.WithinServiceLevel, out.ServiceLevelMet = count(share), metOf(share, level)
	}
	return out
}

// metOf compares a share in percent with the target.
func metOf(share int, level *v1alpha1.ServiceLevel) string {
	if share >= int(level.Target) {
		return v1alpha1.ServiceLevelMet
	}
	return v1alpha1.ServiceLevelMissed
}

// showCalls mirrors what the PBXes count.
func (k *queueKind) showCalls(q *v1alpha1.Queue) {
	f := k.figures(storeKey(q))
	q.Status.Waiting = count(f.Waiting)
	q.Status.Calls = &v1alpha1.QueueCalls{
		Completed: count(f.Completed), Abandoned: count(f.Abandoned), HoldSeconds: count(int(f.HoldTime.Seconds())),
		TalkSeconds: count(int(f.TalkTime.Seconds())), WithinServiceLevel: count(int(f.ServiceLevelPerformance)),
		ServiceLevelMet: v1alpha1.ServiceLevelUnknown,
	}
	if level := q.Spec.ServiceLevel; level != nil && f.Completed > 0 {
		q.Status.Calls.ServiceLevelMet = metOf(int(f.ServiceLevelPerformance), level)
	}
}

func (k *queueKind) Finalize(ctx context.Context, q *v1alpha1.Queue) (bool, error) {
	if q.Spec.Channel == v1alpha1.ChannelVoice {
		if err := k.store.ReleaseExtension(ctx, queueOwner(q), 0); err != nil {
			return false, err
		}
	}
	err := k.store.DeleteQueue(ctx, storeKey(q))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err == nil, err
}

func queueOwner(q *v1alpha1.Queue) store.ExtensionOwner {
	return store.ExtensionOwner{Namespace: q.Namespace, Kind: "queue", Name: q.Name}
}

func memberAgents(members []v1alpha1.EffectiveMember) []string {
	names := make([]string, 0, len(members))
	for _, m := range members {
		names = append(names, m.Agent)
	}
	return names
}

func displayName(given, name string) string {
	if given != "" {
		return given
	}
	return name
}
