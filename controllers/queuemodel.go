package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// queues of a namespace that have their number and can be rendered.
func (v voiceModel) queues(ctx context.Context, namespace string, r *roster, extensions map[string]string) ([]voice.Queue, error) {
	var list v1alpha1.QueueList
	if err := v.reader.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing queues: %w", err)
	}
	var queues []voice.Queue
	numbers := queueNumbers(list.Items)
	for i := range list.Items {
		q := &list.Items[i]
		if q.Spec.Channel != v1alpha1.ChannelVoice || !q.DeletionTimestamp.IsZero() || numbers[q.Spec.Number] != q.Name {
			continue
		}
		members, _, err := r.queue(q)
		if err != nil {
			continue
		}
		if m := queueModel(q, members, r, extensions); len(m.Validate()) == 0 {
			queues = append(queues, m)
		}
	}
	return queues, nil
}

// queueNumbers names the queue that owns each number: the oldest, then the first by name.
func queueNumbers(queues []v1alpha1.Queue) map[string]string {
	order := make([]*v1alpha1.Queue, 0, len(queues))
	for i := range queues {
		order = append(order, &queues[i])
	}
	slices.SortFunc(order, func(a, b *v1alpha1.Queue) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	owner := map[string]string{}
	for _, q := range order {
		if _, taken := owner[q.Spec.Number]; !taken {
			owner[q.Spec.Number] = q.Name
		}
	}
	return owner
}

// queue is the voice queue as one PBX must know it: with the members that have an endpoint there.
func (v voiceModel) queue(ctx context.Context, pbx *v1alpha1.PBX, q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster) (voice.Queue, error) {
	settings, err := v.pbx(ctx, pbx, centerRules{})
	if err != nil {
		return voice.Queue{}, err
	}
	extensions := make(map[string]string, len(members))
	for _, m := range members {
		e, err := v.endpoint(ctx, pbx, r.agents[m.Agent], surroundings{})
		switch {
		case errors.Is(err, errNotProvisionable):
		case err != nil:
			return voice.Queue{}, err
		case len(e.Validate(settings)) == 0:
			extensions[m.Agent] = e.Extension
		}
	}
	return queueModel(q, members, r, extensions), nil
}

func queueModel(q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster, extensions map[string]string) voice.Queue {
	m := voice.Queue{
		Key: queueKey(q.Name), Name: q.Name, Number: q.Spec.Number, Strategy: voice.Strategy(q.Spec.Strategy), Weight: int(q.Spec.Weight),
	}
	if l := q.Spec.ServiceLevel; l != nil {
		m.ServiceLevel = duration(l.Threshold, 20*time.Second)
	}
	if t := q.Spec.Voice; t != nil {
		queueTreatment(&m, t)
	}
	for _, member := range members {
		// A User cannot be called: the queue's own condition says so.
		if ext := extensions[member.Agent]; ext != "" && r.agents[member.Agent].Spec.SIP.Role != v1alpha1.RoleUser {
			m.Members = append(m.Members, voice.Member{
				Extension: ext, Penalty: int(member.Penalty), Name: r.agents[member.Agent].Spec.FullName,
			})
		}
	}
	return m
}

// queueTreatment copies how callers and members are treated.
func queueTreatment(m *voice.Queue, t *v1alpha1.QueueVoice) {
	m.Timeout = duration(t.RingTimeout, 0)
	m.Retry = duration(t.RetryInterval, 0)
	m.WrapUpTime = duration(t.WrapUpTime, 0)
	m.MaxLen = int(t.MaxWaiting)
	m.MaxWaitTime = duration(t.MaxWaitTime, 0)
	m.MemberDelay = duration(t.MemberDelay, 0)
	m.JoinWhenEmpty, m.LeaveWhenEmpty = emptyReasons(t.RefuseWhen), emptyReasons(t.LeaveWhen)
	m.AutoPause = voice.AutoPause(t.AutoPause.Mode)
	m.AutoPauseDelay = duration(t.AutoPause.Delay, 0)
	m.AutoPauseOnBusy = t.AutoPause.OnBusy == v1alpha1.AutoPauseDo
	m.AutoPauseOnUnavailable = t.AutoPause.OnUnavailable == v1alpha1.AutoPauseDo
	m.MusicClass = t.MusicClass
	a := t.Announcements
	m.Announcements = voice.Announcements{
		Position: voice.AnnouncePosition(a.Position), PositionLimit: int(a.PositionLimit), HoldTime: voice.AnnounceHoldTime(a.HoldTime),
		MinInterval: duration(a.MinInterval, 0),
		Sounds: voice.Sounds{
			YouAreNext: string(a.Sounds.YouAreNext), ThereAre: string(a.Sounds.ThereAre), CallsWaiting: string(a.Sounds.CallsWaiting),
			QuantityOne: string(a.Sounds.MoreThan), QuantityTwo: string(a.Sounds.CallersWaiting), HoldTime: string(a.Sounds.HoldTime),
			Minute: string(a.Sounds.Minute), Minutes: string(a.Sounds.Minutes), Seconds: string(a.Sounds.Seconds), ThankYou: string(a.Sounds.ThankYou),
		},
	}
	if a.Position != "Never" || a.HoldTime != "Never" {
		m.Announcements.Interval = duration(a.Interval, 30*time.Second)
	}
	if p := t.PeriodicAnnouncement; p != nil {
		m.Periodic.Interval = duration(p.Interval, 0)
		for _, sound := range p.Sounds {
			m.Periodic.Sounds = append(m.Periodic.Sounds, string(sound))
		}
	}
}

func emptyReasons(conditions []v1alpha1.MemberCondition) []voice.EmptyReason {
	var reasons []voice.EmptyReason
	for _, c := range conditions {
		reasons = append(reasons, voice.EmptyReason(c))
	}
	return reasons
}
