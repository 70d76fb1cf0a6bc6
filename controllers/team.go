package controllers

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// maxListed bounds the names a status lists; counts are always whole.
const maxListed = 1000

// teamKind shows who is in a Team. It has no effect of its own: queues resolve teams themselves.
type teamKind struct {
	client.Client
	agents pokes
}

func (k *teamKind) NeedsFinalizer() bool { return false }

func (k *teamKind) Finalize(context.Context, *v1alpha1.Team) (bool, error) { return true, nil }

func (k *teamKind) Reconcile(ctx context.Context, t *v1alpha1.Team, s *scope) error {
	r, err := loadRoster(ctx, k.Client, t.Namespace)
	if err != nil {
		return err
	}
	members, missing, err := r.team(t)
	if err != nil {
		return s.invalid(v1alpha1.ConditionMembersResolved, err)
	}
	before := t.Status.Members
	t.Status.MemberCount = count(len(members))
	t.Status.Members = members[:min(len(members), maxListed)]
	k.agents.pokeChanged(t.Namespace, before, t.Status.Members)
	for _, ref := range t.Spec.Supervisors {
		if r.agents[ref.Name] == nil {
			missing = append(missing, "supervisor "+ref.Name)
		}
	}
	if reportMissing(s, missing) {
		s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d agents", len(members)))
	}
	return nil
}

// reportMissing sets MembersResolved; a reference that leads nowhere heals as soon as the object appears.
func reportMissing(s *scope, missing []string) bool {
	if len(missing) == 0 {
		s.ok(v1alpha1.ConditionMembersResolved, v1alpha1.ReasonResolved, "every reference exists")
		return true
	}
	s.stall(v1alpha1.ConditionMembersResolved, v1alpha1.ReasonMembersMissing,
		"agents that do not exist: "+strings.Join(missing, ", "))
	return false
}
