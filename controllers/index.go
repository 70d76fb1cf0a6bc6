package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Field indexes, one per kind of reference, so that no watch ever lists a whole kind. bySelector holds the objects that
// select agents by label.
const (
	byAgentRef = "members.agentRef"
	byTeamRef  = "members.teamRef"
	bySelector = "members.selector"
	byQueueRef = "routing.queueRef"
	selecting  = "true"
)

// registerIndexes must run before the cache starts. The indexes of values and Secrets are the admission package's.
func registerIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, ix := range []struct {
		obj   client.Object
		field string
		keys  client.IndexerFunc
	}{
		{&v1alpha1.Team{}, byAgentRef, func(o client.Object) []string {
			return refNames(o.(*v1alpha1.Team).Spec.Members.Refs)
		}},
		{&v1alpha1.Team{}, bySelector, func(o client.Object) []string {
			return flag(o.(*v1alpha1.Team).Spec.Members.Selector != nil)
		}},
		{&v1alpha1.Queue{}, byAgentRef, func(o client.Object) []string {
			return memberNames(o, func(m v1alpha1.QueueMember) *v1alpha1.ObjectReference { return m.AgentRef })
		}},
		{&v1alpha1.Queue{}, byTeamRef, func(o client.Object) []string {
			return memberNames(o, func(m v1alpha1.QueueMember) *v1alpha1.ObjectReference { return m.TeamRef })
		}},
		{&v1alpha1.Queue{}, bySelector, func(o client.Object) []string {
			for _, m := range o.(*v1alpha1.Queue).Spec.Members {
				if m.AgentSelector != nil {
					return flag(true)
				}
			}
			return nil
		}},
		{&v1alpha1.Agent{}, byInvitable, invitable},
		{&v1alpha1.Agent{}, byProfileRef, profileRef},
		{&v1alpha1.Agent{}, byConfigMap, avatarConfigMap},
		{&v1alpha1.CannedAnswerSet{}, byConfigMap, cannedConfigMaps},
		{&v1alpha1.EmailAccount{}, byConfigMap, logoConfigMap},
		{&v1alpha1.EmailAccount{}, byLayoutRef, layoutRef},
		{&v1alpha1.EmailAccount{}, byQueueRef, func(o client.Object) []string {
			return nonEmpty(o.(*v1alpha1.EmailAccount).Spec.Routing.QueueRef.Name)
		}},
		{&v1alpha1.EmailAccount{}, byFlowRef, func(o client.Object) []string {
			return nonEmpty(o.(*v1alpha1.EmailAccount).Spec.Routing.FlowRef.Name)
		}},
		{&v1alpha1.RoutingFlow{}, byReference, flowReferences},
	} {
		if err := indexer.IndexField(ctx, ix.obj, ix.field, ix.keys); err != nil {
			return err
		}
	}
	return nil
}

func refNames(refs []v1alpha1.ObjectReference) []string {
	names := make([]string, 0, len(refs))
	for _, r := range refs {
		names = append(names, r.Name)
	}
	return names
}

func memberNames(o client.Object, ref func(v1alpha1.QueueMember) *v1alpha1.ObjectReference) []string {
	var names []string
	for _, m := range o.(*v1alpha1.Queue).Spec.Members {
		if r := ref(m); r != nil {
			names = append(names, r.Name)
		}
	}
	return names
}

func nonEmpty(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

func flag(b bool) []string {
	if b {
		return []string{selecting}
	}
	return nil
}

// membership finds what an agent with these labels belongs to, through the indexes.
type membership struct{ reader client.Reader }

// teamsOf lists the teams that name the agent or select its labels.
func (m membership) teamsOf(ctx context.Context, agent types.NamespacedName, set labels.Set) ([]v1alpha1.Team, error) {
	var named, selected v1alpha1.TeamList
	if err := m.reader.List(ctx, &named, client.InNamespace(agent.Namespace), client.MatchingFields{byAgentRef: agent.Name}); err != nil {
		return nil, err
	}
	if err := m.reader.List(ctx, &selected, client.InNamespace(agent.Namespace), client.MatchingFields{bySelector: selecting}); err != nil {
		return nil, err
	}
	teams := named.Items
	for _, t := range selected.Items {
		if selects(t.Spec.Members.Selector, set) {
			teams = append(teams, t)
		}
	}
	return unique(teams), nil
}

// queuesOf lists the queues that contain the agent directly, by selector or through a team.
func (m membership) queuesOf(ctx context.Context, agent types.NamespacedName, set labels.Set, teams []v1alpha1.Team) ([]v1alpha1.Queue, error) {
	var queues, list v1alpha1.QueueList
	if err := m.reader.List(ctx, &queues, client.InNamespace(agent.Namespace), client.MatchingFields{byAgentRef: agent.Name}); err != nil {
		return nil, err
	}
	for _, t := range teams {
		if err := m.reader.List(ctx, &list, client.InNamespace(agent.Namespace), client.MatchingFields{byTeamRef: t.Name}); err != nil {
			return nil, err
		}
		queues.Items = append(queues.Items, list.Items...)
	}
	if err := m.reader.List(ctx, &list, client.InNamespace(agent.Namespace), client.MatchingFields{bySelector: selecting}); err != nil {
		return nil, err
	}
	for _, q := range list.Items {
		for _, member := range q.Spec.Members {
			if selects(member.AgentSelector, set) {
				queues.Items = append(queues.Items, q)
				break
			}
		}
	}
	return unique(queues.Items), nil
}

// selects treats an unparsable selector as matching nothing; its own object reports it.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	if selector == nil {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(set)
}

// unique keeps the first object of each name.
func unique[T any, P object[T]](items []T) []T {
	seen := map[string]bool{}
	kept := items[:0:0]
	for i := range items {
		if name := P(&items[i]).GetName(); !seen[name] {
			seen[name] = true
			kept = append(kept, items[i])
		}
	}
	return kept
}
