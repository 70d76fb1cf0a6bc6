package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// roster answers who is in which team and queue. It is read from the cache once and asked many times.
type roster struct {
	agents map[string]*v1alpha1.Agent
	teams  map[string]*v1alpha1.Team
}

// loadRoster reads the agents and teams of a namespace from the cache. The objects are shared with the cache and
// must not be changed.
func loadRoster(ctx context.Context, c client.Reader, namespace string) (*roster, error) {
	var agents v1alpha1.AgentList
	if err := c.List(ctx, &agents, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing agents: %w", err)
	}
	var teams v1alpha1.TeamList
	if err := c.List(ctx, &teams, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	r := &roster{agents: make(map[string]*v1alpha1.Agent, len(agents.Items)), teams: make(map[string]*v1alpha1.Team, len(teams.Items))}
	for i := range agents.Items {
		if agents.Items[i].DeletionTimestamp.IsZero() {
			r.agents[agents.Items[i].Name] = &agents.Items[i]
		}
	}
	for i := range teams.Items {
		if teams.Items[i].DeletionTimestamp.IsZero() {
			r.teams[teams.Items[i].Name] = &teams.Items[i]
		}
	}
	return r, nil
}

// matching lists the agents that a label selector matches, sorted; a nil selector matches none.
func (r *roster) matching(selector *metav1.LabelSelector) ([]string, error) {
	if selector == nil {
		return nil, nil
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, a := range r.agents {
		if s.Matches(labels.Set(a.Labels)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// team lists the members of a team, sorted and once each, and the references that lead nowhere.
func (r *roster) team(t *v1alpha1.Team) (members, missing []string, err error) {
	members, err = r.matching(t.Spec.Members.Selector)
	if err != nil {
		return nil, nil, fmt.Errorf("members.selector: %w", err)
	}
	for _, ref := range t.Spec.Members.Refs {
		if r.agents[ref.Name] == nil {
			missing = append(missing, "agent "+ref.Name)
			continue
		}
		members = append(members, ref.Name)
	}
	slices.Sort(members)
	return slices.Compact(members), missing, nil
}

// queue lists the effective members of a queue, sorted by name: teams and selectors resolved, deactivated agents left out,
// the lowest penalty where several entries name the same agent.
func (r *roster) queue(q *v1alpha1.Queue) (members []v1alpha1.EffectiveMember, missing []string, err error) {
	penalty := map[string]int32{}
	for i, m := range q.Spec.Members {
		names, gone, err := r.entry(m)
		if err != nil {
			return nil, nil, fmt.Errorf("members[%d]: %w", i, err)
		}
		missing = append(missing, gone...)
		for _, name := range names {
			if p, ok := penalty[name]; !ok || m.Penalty < p {
				penalty[name] = m.Penalty
			}
		}
	}
	for name, p := range penalty {
		if r.agents[name].Spec.AccountState != v1alpha1.AccountDeactivated {
			members = append(members, v1alpha1.EffectiveMember{Agent: name, Penalty: p})
		}
	}
	slices.SortFunc(members, func(a, b v1alpha1.EffectiveMember) int { return cmp.Compare(a.Agent, b.Agent) })
	return members, missing, nil
}

func (r *roster) entry(m v1alpha1.QueueMember) (names, missing []string, err error) {
	switch {
	case m.AgentRef != nil:
		if r.agents[m.AgentRef.Name] == nil {
			return nil, []string{"agent " + m.AgentRef.Name}, nil
		}
		return []string{m.AgentRef.Name}, nil, nil
	case m.TeamRef != nil:
		t := r.teams[m.TeamRef.Name]
		if t == nil {
			return nil, []string{"team " + m.TeamRef.Name}, nil
		}
		// What the team itself misses is the team's condition, not the queue's.
		names, _, err = r.team(t)
		return names, nil, err
	default:
		names, err = r.matching(m.AgentSelector)
		return names, nil, err
	}
}
