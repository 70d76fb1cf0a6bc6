package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// byProfileRef finds agents by the AgentProfile they refer to.
const byProfileRef = "agent.profileRef"

func profileRef(o client.Object) []string { return nonEmpty(profileOf(o.(*v1alpha1.Agent))) }

// profileOf is the name of an agent's AgentProfile, or "".
func profileOf(a *v1alpha1.Agent) string {
	if a.Spec.ProfileRef == nil {
		return ""
	}
	return a.Spec.ProfileRef.Name
}

// profileKind counts who has an AgentProfile. The agents take their settings from it themselves.
type profileKind struct{ client.Client }

func (k *profileKind) NeedsFinalizer() bool { return false }

func (k *profileKind) Finalize(context.Context, *v1alpha1.AgentProfile) (bool, error) {
	return true, nil
}

func (k *profileKind) Reconcile(ctx context.Context, p *v1alpha1.AgentProfile, s *scope) error {
	var agents v1alpha1.AgentList
	if err := k.List(ctx, &agents, client.InNamespace(p.Namespace), client.MatchingFields{byProfileRef: p.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing the agents of the profile: %w", err)
	}
	p.Status.Agents = count(len(agents.Items))
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d agents", len(agents.Items)))
	return nil
}

// profileRefChanged passes what changes how many agents a profile has.
var profileRefChanged = onAgents(func(before, after *v1alpha1.Agent) bool { return profileOf(before) != profileOf(after) })

func (w *wiring) addProfiles() error {
	ofAgent := func(_ context.Context, o client.Object) []reconcile.Request {
		return requests(o.GetNamespace(), profileRef(o)...)
	}
	return w.build("agentprofile").For(&v1alpha1.AgentProfile{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.Agent{}, later(handler.EnqueueRequestsFromMapFunc(ofAgent)), builder.WithPredicates(profileRefChanged)).
		Complete(newLoop[v1alpha1.AgentProfile](w, &profileKind{w.c}))
}

// profileChanged passes what changes the settings of a profile's agents.
var profileChanged = predicate.GenerationChangedPredicate{}

// agentsOfProfile maps a profile to the agents that refer to it.
func (w *wiring) agentsOfProfile(ctx context.Context, o client.Object) []reconcile.Request {
	var agents v1alpha1.AgentList
	if err := w.c.List(ctx, &agents, client.InNamespace(o.GetNamespace()), client.MatchingFields{byProfileRef: o.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return listed(&agents)
}

// layered is an agent's specification over its profile. While that does not exist, what was last in effect goes on, so that nobody gains a permission by the end
// of a profile.
func layered(a *v1alpha1.Agent, profile *v1alpha1.AgentProfile) v1alpha1.AgentSpec {
	switch {
	case a.Spec.ProfileRef == nil:
		return a.Spec.Over(v1alpha1.AgentSettings{})
	case profile == nil:
		return a.Spec.Over(a.Status.Effective.AgentSettings)
	}
	return a.Spec.Over(profile.Spec.AgentSettings)
}

// layer puts the agent's profile below its specification and shows what came out.
func (k *agentKind) layer(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, s *scope) error {
	profile, err := k.agentProfile(ctx, a, s)
	if err != nil {
		return err
	}
	a.Spec = layered(a, profile)
	settings := a.Spec.Settings()
	effective := v1alpha1.AgentEffective{AgentSettings: *settings.DeepCopy()}
	switch {
	case profile != nil:
		effective.Profile = profile.Name
	case a.Spec.ProfileRef != nil:
		effective.Profile = a.Status.Effective.Profile
	}
	if effective.Locale == "" {
		effective.Locale = center.Spec.Locale
	}
	a.Status.Effective = effective
	return nil
}

// agentProfile is the profile that the agent refers to; nil where it refers to none, or to one that does not exist, which a condition says.
func (k *agentKind) agentProfile(ctx context.Context, a *v1alpha1.Agent, s *scope) (*v1alpha1.AgentProfile, error) {
	name := profileOf(a)
	if name == "" {
		return nil, nil
	}
	var profile v1alpha1.AgentProfile
	err := k.Get(ctx, types.NamespacedName{Namespace: a.Namespace, Name: name}, &profile)
	switch {
	case err == nil:
		s.ok(v1alpha1.ConditionProfileResolved, v1alpha1.ReasonResolved, "AgentProfile "+name+" is in effect")
		return &profile, nil
	case client.IgnoreNotFound(err) == nil:
		s.stall(v1alpha1.ConditionProfileResolved, v1alpha1.ReasonReferenceMissing, "spec.profileRef: AgentProfile "+name+" does not exist; what was in effect stays")
		return nil, nil
	}
	return nil, fmt.Errorf("reading AgentProfile %s: %w", name, err)
}

// layer puts the profiles of a namespace below the agents of the roster that refer to one.
func (r *roster) layer(ctx context.Context, c client.Reader, namespace string) error {
	var list v1alpha1.AgentProfileList
	if err := c.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	profiles := make(map[string]*v1alpha1.AgentProfile, len(list.Items))
	for i := range list.Items {
		profiles[list.Items[i].Name] = &list.Items[i]
	}
	for name, a := range r.agents {
		if a.Spec.ProfileRef == nil {
			continue
		}
		above := *a // the agent itself is the cache's
		above.Spec = layered(a, profiles[profileOf(a)])
		r.agents[name] = &above
	}
	return nil
}
