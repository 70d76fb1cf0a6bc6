package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// AgentWarnings say what is legal for an agent but hardly meant.
func (c Checker) AgentWarnings(ctx context.Context, agent *v1alpha1.Agent) ([]string, error) {
	warnings := accountOfPhoneWarnings(&agent.Spec.SIP.SIPAccount)
	port, err := c.phonebarPort(ctx, agent.Namespace, agent.Spec.Phonebar)
	if err != nil {
		return nil, err
	}
	profile, err := c.profileOf(ctx, agent)
	if err != nil {
		return nil, err
	}
	queues, err := c.queuesOfUser(ctx, agent)
	if err != nil {
		return nil, err
	}
	return slices.Concat(warnings, port, profile, queues, unknownModules(agent.Spec.Permissions.Modules)), nil
}

// AgentProfileWarnings say what is legal for a profile but hardly meant.
func (c Checker) AgentProfileWarnings(ctx context.Context, profile *v1alpha1.AgentProfile) ([]string, error) {
	port, err := c.phonebarPort(ctx, profile.Namespace, profile.Spec.Phonebar)
	return slices.Concat(port, unknownModules(profile.Spec.Permissions.Modules)), err
}

// profileOf asks whether the agent's profile exists. It may be applied later: the agent's conditions say so until then.
func (c Checker) profileOf(ctx context.Context, agent *v1alpha1.Agent) ([]string, error) {
	if agent.Spec.ProfileRef == nil {
		return nil, nil
	}
	name := agent.Spec.ProfileRef.Name
	var profile v1alpha1.AgentProfile
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: agent.Namespace, Name: name}, &profile)
	switch {
	case err == nil:
		return nil, nil
	case apierrors.IsNotFound(err):
		return []string{"spec.profileRef: AgentProfile " + name + " does not exist"}, nil
	}
	return nil, fmt.Errorf("get AgentProfile %s: %w", name, err)
}

// unknownModules are names that this version does not know: misspelt, or of another version.
func unknownModules(m v1alpha1.ModulePermissions) []string {
	var warnings []string
	for at, names := range map[string][]v1alpha1.ModuleName{"list": m.List, "denied": m.Denied} {
		for _, name := range names {
			if !slices.Contains(v1alpha1.Modules(), name) {
				warnings = append(warnings, fmt.Sprintf("spec.permissions.modules.%s: this version knows no module %s", at, name))
			}
		}
	}
	slices.Sort(warnings)
	return warnings
}

// TelephoneWarnings say what is legal for a telephone but hardly meant.
func (c Checker) TelephoneWarnings(_ context.Context, telephone *v1alpha1.Telephone) ([]string, error) {
	return accountOfPhoneWarnings(&telephone.Spec.SIP), nil
}

func accountOfPhoneWarnings(sip *v1alpha1.SIPAccount) []string {
	switch {
	case sip.NAT == "Never":
		return []string{"spec.sip.nat: Never is a word of older systems and means None"}
	case sip.NAT == "Route" && sip.NATCompatibility == "Asterisk14":
		return []string{"RouteIsLegacy: spec.sip.nat: Route is a word of Asterisk 1.4 and means ForceRportComedia with natCompatibility Asterisk14"}
	case sip.NAT == "Route":
		return []string{"RouteIsLegacy: spec.sip.nat: Route is a word of Asterisk 1.4 and means None; natCompatibility Asterisk14 gives it its old meaning"}
	}
	return nil
}

// phonebarPort compares the port a phonebar dials with those that the PBXes listen on.
func (c Checker) phonebarPort(ctx context.Context, namespace string, phonebar *v1alpha1.PhonebarSettings) ([]string, error) {
	if phonebar == nil || phonebar.SIPPort == 0 {
		return nil, nil
	}
	var list v1alpha1.PBXList
	if err := c.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list PBXes: %w", err)
	}
	port := phonebar.SIPPort
	listens := func(pbx v1alpha1.PBX) bool {
		t := pbx.Spec.Transports
		return slices.ContainsFunc([]*v1alpha1.TransportPort{t.UDP, t.TCP, t.TLS, t.WS, t.WSS}, func(p *v1alpha1.TransportPort) bool { return p != nil && p.Port == port })
	}
	if len(list.Items) == 0 || slices.ContainsFunc(list.Items, listens) {
		return nil, nil
	}
	return []string{fmt.Sprintf("spec.phonebar.sipPort: no transport of a PBX listens on port %d", port)}, nil
}

// queuesOfUser names the voice queues that would call an agent who cannot be called.
func (c Checker) queuesOfUser(ctx context.Context, agent *v1alpha1.Agent) ([]string, error) {
	if agent.Spec.SIP.Role != v1alpha1.RoleUser {
		return nil, nil
	}
	var list v1alpha1.QueueList
	if err := c.Reader.List(ctx, &list, client.InNamespace(agent.Namespace)); err != nil {
		return nil, fmt.Errorf("list Queues: %w", err)
	}
	var names []string
	for _, queue := range list.Items {
		if !callsMembers(&queue) {
			continue
		}
		for _, member := range queue.Spec.Members {
			means, err := c.means(ctx, member, agent)
			if err != nil {
				return nil, err
			}
			if means {
				names = append(names, queue.Name)
				break
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	return []string{"spec.sip.role: User cannot be called, so these queues leave the agent out: " + strings.Join(names, ", ")}, nil
}

func callsMembers(queue *v1alpha1.Queue) bool { return queue.Spec.Channel != v1alpha1.ChannelEmail }

// means tells whether an entry of a queue's members, by name, team or label, is about an agent.
func (c Checker) means(ctx context.Context, member v1alpha1.QueueMember, agent *v1alpha1.Agent) (bool, error) {
	switch {
	case member.AgentRef != nil:
		return member.AgentRef.Name == agent.Name, nil
	case member.AgentSelector != nil:
		return matches(member.AgentSelector, agent), nil
	case member.TeamRef == nil:
		return false, nil
	}
	var team v1alpha1.Team
	if err := c.Reader.Get(ctx, client.ObjectKey{Namespace: agent.Namespace, Name: member.TeamRef.Name}, &team); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("get Team %s: %w", member.TeamRef.Name, err)
	}
	return slices.Contains(team.Spec.Members.Refs, v1alpha1.ObjectReference{Name: agent.Name}) || matches(team.Spec.Members.Selector, agent), nil
}

// matches nothing when the selector is absent or, which is a problem of the object it is in, not legal.
func matches(selector *metav1.LabelSelector, agent *v1alpha1.Agent) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(agent.Labels))
}
