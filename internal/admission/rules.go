package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

var (
	specPath = field.NewPath("spec")
	sipPath  = specPath.Child("sip")

	notificationPath = specPath.Child("notification", "template")
)

// Agent checks username, extension, full name, transport and hot desk of an agent. What its Secrets contain is
// AgentCredentials.
func (c Checker) Agent(ctx context.Context, agent *v1alpha1.Agent) ([]Problem, error) {
	username, err := c.username(ctx, claimOf(kindAgent, agent), agent.Namespace, agent.Username())
	if err != nil {
		return nil, err
	}
	extension, err := c.extension(ctx, agent)
	if err != nil {
		return nil, err
	}
	center, err := c.Center(ctx, agent.Namespace)
	if err != nil {
		return nil, err
	}
	problems := append(username, extension...)
	problems = append(problems, inRange(agent, center)...)
	problems = append(problems, nameDiffers(agent)...)
	problems = append(problems, encrypted(agent)...)
	return append(problems, selector(agent.Spec.HotDesk.TelephoneSelector, specPath.Child("hotDesk", "telephoneSelector"))...), nil
}

// Telephone checks the username of a telephone. What its Secret contains is TelephoneCredentials.
func (c Checker) Telephone(ctx context.Context, telephone *v1alpha1.Telephone) ([]Problem, error) {
	return c.username(ctx, claimOf(kindTelephone, telephone), telephone.Namespace, telephone.Username())
}

// username is unique among agents and telephones: both sign in with it at the PBX.
func (c Checker) username(ctx context.Context, self claim, namespace, username string) ([]Problem, error) {
	var agents v1alpha1.AgentList
	var telephones v1alpha1.TelephoneList
	for _, list := range []client.ObjectList{&agents, &telephones} {
		if err := c.Reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{IndexUsername: username}); err != nil {
			return nil, fmt.Errorf("list %T by username: %w", list, err)
		}
	}
	others := make([]claim, 0, len(agents.Items)+len(telephones.Items))
	for i := range agents.Items {
		others = append(others, claimOf(kindAgent, &agents.Items[i]))
	}
	for i := range telephones.Items {
		others = append(others, claimOf(kindTelephone, &telephones.Items[i]))
	}
	return c.unique(self, others, specPath.Child("username"), v1alpha1.ReasonUsernameTaken, fmt.Sprintf("username %q", username)), nil
}

func (c Checker) extension(ctx context.Context, agent *v1alpha1.Agent) ([]Problem, error) {
	number := ExtensionOf(agent)
	if number == "" {
		return nil, nil
	}
	others, err := c.holders(ctx, agent.Namespace, number)
	if err != nil {
		return nil, err
	}
	self := claimOf(kindAgent, agent)
	self.inUse = agent.Status.Extension == number
	return c.unique(self, others, specPath.Child("extension"), v1alpha1.ReasonExtensionTaken, "extension "+number), nil
}

// ExtensionOf is the internal number that an agent has or will have: the one of its spec, else the allocated one, else "".
func ExtensionOf(agent *v1alpha1.Agent) string {
	if agent.Spec.Extension != "" {
		return agent.Spec.Extension
	}
	return agent.Status.Extension
}

// holders are the agents and voice queues with an internal number.
func (c Checker) holders(ctx context.Context, namespace, number string) ([]claim, error) {
	var agents v1alpha1.AgentList
	if err := c.Reader.List(ctx, &agents, client.InNamespace(namespace), client.MatchingFields{IndexExtension: number}); err != nil {
		return nil, fmt.Errorf("list Agents by extension: %w", err)
	}
	var queues v1alpha1.QueueList
	if err := c.Reader.List(ctx, &queues, client.InNamespace(namespace), client.MatchingFields{IndexNumber: number}); err != nil {
		return nil, fmt.Errorf("list Queues by number: %w", err)
	}
	var claims []claim
	for i := range agents.Items {
		agent := &agents.Items[i]
		if c.Rivals == OlderHolder && ExtensionOf(agent) != number {
			// The agent is about to give the number back; the store says when it has.
			continue
		}
		holder := claimOf(kindAgent, agent)
		holder.inUse = agent.Status.Extension == number
		claims = append(claims, holder)
	}
	for i := range queues.Items {
		claims = append(claims, claimOf(kindQueue, &queues.Items[i]))
	}
	return claims, nil
}

// inRange asks only for a number that is not allocated yet: what an agent has it keeps when the ranges change.
func inRange(agent *v1alpha1.Agent, center *v1alpha1.ContactCenter) []Problem {
	number := agent.Spec.Extension
	if number == "" || number == agent.Status.Extension || center == nil || len(center.Spec.Extensions.Ranges) == 0 {
		return nil
	}
	ranges := make([]string, 0, len(center.Spec.Extensions.Ranges))
	for _, r := range center.Spec.Extensions.Ranges {
		// Numbers of one length sort like their texts.
		if len(number) == len(r.From) && r.From <= number && number <= r.To {
			return nil
		}
		ranges = append(ranges, r.From+" to "+r.To)
	}
	return []Problem{{specPath.Child("extension"), field.ErrorTypeInvalid, v1alpha1.ReasonOutOfRange,
		fmt.Sprintf("extension %s is in no range of ContactCenter %s: %s", number, center.Name, strings.Join(ranges, ", "))}}
}

// nameDiffers repeats for an allocated extension what the CRD demands of a given one.
func nameDiffers(agent *v1alpha1.Agent) []Problem {
	number := ExtensionOf(agent)
	if number == "" || agent.Spec.FullName != number {
		return nil
	}
	return []Problem{{specPath.Child("fullName"), field.ErrorTypeInvalid, v1alpha1.ReasonNameEqualsNumber, "fullName must not equal the extension"}}
}

// encrypted wants a browser's password and calls encrypted, or somebody who takes the risk by name.
func encrypted(agent *v1alpha1.Agent) []Problem {
	if agent.Spec.Typology != v1alpha1.TypologyWebRTC || agent.Spec.SIP.Transport != v1alpha1.TransportWS ||
		agent.Annotations[v1alpha1.AllowInsecureWSAnnotation] == "true" {
		return nil
	}
	return []Problem{{sipPath.Child("transport"), field.ErrorTypeForbidden, v1alpha1.ReasonInsecureWebSocket,
		fmt.Sprintf("WS is not encrypted: use WSS, or the annotation %s: \"true\" for a test behind a proxy that ends TLS", v1alpha1.AllowInsecureWSAnnotation)}}
}

// Queue checks the number of a voice queue, the selectors of its members, and that those it names can be called.
func (c Checker) Queue(ctx context.Context, queue *v1alpha1.Queue) ([]Problem, error) {
	var problems []Problem
	for i, member := range queue.Spec.Members {
		problems = append(problems, selector(member.AgentSelector, memberPath(i).Child("agentSelector"))...)
	}
	callable, err := c.callable(ctx, queue)
	if err != nil {
		return nil, err
	}
	problems = append(problems, callable...)
	if queue.Spec.Number == "" {
		return problems, nil
	}
	others, err := c.holders(ctx, queue.Namespace, queue.Spec.Number)
	if err != nil {
		return nil, err
	}
	return append(problems, c.unique(claimOf(kindQueue, queue), others, specPath.Child("number"), v1alpha1.ReasonNumberTaken, "number "+queue.Spec.Number)...), nil
}

func memberPath(i int) *field.Path { return specPath.Child("members").Index(i) }

// callable finds the agents that a voice queue names although they cannot be called. Teams and selectors may well cover
// such agents: AgentWarnings has that.
func (c Checker) callable(ctx context.Context, queue *v1alpha1.Queue) ([]Problem, error) {
	if !callsMembers(queue) {
		return nil, nil
	}
	var users v1alpha1.AgentList
	if err := c.Reader.List(ctx, &users, client.InNamespace(queue.Namespace), client.MatchingFields{IndexRole: string(v1alpha1.RoleUser)}); err != nil {
		return nil, fmt.Errorf("list Agents by role: %w", err)
	}
	var problems []Problem
	for i, member := range queue.Spec.Members {
		if member.AgentRef != nil && slices.ContainsFunc(users.Items, func(a v1alpha1.Agent) bool { return a.Name == member.AgentRef.Name }) {
			problems = append(problems, Problem{memberPath(i).Child("agentRef"), field.ErrorTypeInvalid, v1alpha1.ReasonNotCallable,
				fmt.Sprintf("Agent %s has sip.role User and cannot be called", member.AgentRef.Name)})
		}
	}
	return problems, nil
}

// Team checks the selector of its members.
func (c Checker) Team(_ context.Context, team *v1alpha1.Team) ([]Problem, error) {
	return selector(team.Spec.Members.Selector, specPath.Child("members", "selector")), nil
}

// selector repeats what Kubernetes demands of label selectors and no CRD schema contains: legal operators, and values
// exactly where the operator takes them.
func selector(s *metav1.LabelSelector, path *field.Path) []Problem {
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return []Problem{{path, field.ErrorTypeInvalid, v1alpha1.ReasonInvalid, err.Error()}}
	}
	return nil
}

// EmailAccount checks address, key and notification of an account, and that its center allows how it judges certificates. What its Secrets contain is EmailAccountCredentials.
func (c Checker) EmailAccount(ctx context.Context, account *v1alpha1.EmailAccount) ([]Problem, error) {
	var problems []Problem
	for _, rule := range []struct{ index, value, child, reason, what string }{
		{IndexAddress, strings.ToLower(account.Spec.Address), "address", v1alpha1.ReasonAddressTaken, "address " + account.Spec.Address},
		{IndexKey, account.Spec.Key, "key", v1alpha1.ReasonKeyTaken, "key " + account.Spec.Key},
	} {
		var list v1alpha1.EmailAccountList
		if err := c.Reader.List(ctx, &list, client.InNamespace(account.Namespace), client.MatchingFields{rule.index: rule.value}); err != nil {
			return nil, fmt.Errorf("list EmailAccounts by %s: %w", rule.child, err)
		}
		others := make([]claim, 0, len(list.Items))
		for i := range list.Items {
			others = append(others, claimOf(kindAccount, &list.Items[i]))
		}
		problems = append(problems, c.unique(claimOf(kindAccount, account), others, specPath.Child(rule.child), rule.reason, rule.what)...)
	}
	if _, err := template.Parse(account.Spec.Notification.Template); err != nil {
		problems = append(problems, Problem{notificationPath, field.ErrorTypeInvalid, v1alpha1.ReasonInvalid, err.Error()})
	}
	denied, err := c.certificates(ctx, account)
	return append(problems, denied...), err
}
