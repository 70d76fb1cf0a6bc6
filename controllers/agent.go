package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// agentKind makes an Agent a person who can be called and routed to.
type agentKind struct {
	client.Client
	phones  phones
	members membership
	checker admission.Checker
	link    linkView
	store   agentStore
	applied *appliedPasswords
	avatars *avatars
}

// agentStore is what an Agent needs of the store.
type agentStore interface {
	store.Extensions
	store.Directory
	store.Credentials
	store.SignInSecurity
	store.Invitations
	store.Avatars
	store.PresenceStore
	store.Telephones
	store.Forwards
	store.Voicemails
	CountInteractions(ctx context.Context, f store.InteractionFilter) (int, error)
	ListCalls(ctx context.Context, f store.CallFilter) ([]store.Call, error)
	Now(ctx context.Context) (time.Time, error)
}

func (k *agentKind) NeedsFinalizer() bool { return true }

func (k *agentKind) Reconcile(ctx context.Context, a *v1alpha1.Agent, s *scope) error {
	a.Status.Username = a.Username()
	center, ok, err := theCenter(ctx, k.Client, a.Namespace, s)
	if err != nil || !ok {
		return err
	}
	own := a.Spec
	defer func() { a.Spec = own }()
	if err := k.layer(ctx, a, center, s); err != nil {
		return err
	}
	problems, err := k.checker.Agent(ctx, a)
	if err != nil {
		return fmt.Errorf("checking the agent: %w", err)
	}
	if stallOn(s, problems, v1alpha1.ConditionExtensionAllocated) {
		return nil
	}
	ok, err = k.allocate(ctx, a, center, s)
	if err != nil || !ok {
		return err
	}
	teams, err := k.showMembership(ctx, a, s)
	if err != nil {
		return err
	}
	if err := k.mirror(ctx, a, center, teams); err != nil {
		if reportTaken(s, err, v1alpha1.ConditionExtensionAllocated, v1alpha1.ReasonUsernameTaken) {
			return nil
		}
		return err
	}
	showChannels(a, s)
	if err := k.showName(ctx, a, center, s); err != nil {
		return err
	}
	credentials, err := k.checker.AgentCredentials(ctx, a)
	if err != nil {
		return fmt.Errorf("checking the agent's Secrets: %w", err)
	}
	forSignIn, forPhone := splitProblems(credentials, "spec.passwordSecretRef")
	// The phone first: it must not wait for a password's hash.
	if err := k.phone(ctx, a, center, teams, forPhone, s); err != nil {
		return err
	}
	if err := k.account(ctx, a, center, forSignIn, s); err != nil {
		return err
	}
	if err := k.invite(ctx, a, center, s); err != nil {
		return err
	}
	if err := k.avatars.keep(ctx, a, s); err != nil {
		return err
	}
	if a.Status.LastSpecChangeTime == nil || a.Status.ObservedGeneration != a.Generation {
		a.Status.LastSpecChangeTime = seconds(time.Now())
	}
	if a.Spec.AccountState == v1alpha1.AccountDeactivated {
		s.ready(v1alpha1.ReasonDeactivated, "the account is deactivated")
	} else {
		s.ready(v1alpha1.ReasonSucceeded, "extension "+a.Status.Extension+" is in effect")
	}
	return k.showPresence(ctx, a, s)
}

// showName says whether the center accepts the agent's name, where it restricts names. The agent works all the same: it may be older than the rule.
func (k *agentKind) showName(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, s *scope) error {
	if center.Spec.Validation.NameCharacters != v1alpha1.NameCharactersRestricted {
		return nil
	}
	problems, err := k.checker.AgentName(ctx, a)
	if err != nil {
		return fmt.Errorf("checking the agent's name: %w", err)
	}
	if !stallOn(s, problems, v1alpha1.ConditionNameAccepted) {
		s.ok(v1alpha1.ConditionNameAccepted, v1alpha1.ReasonSucceeded, "spec.fullName has no other characters than the ContactCenter permits")
	}
	return nil
}

// allocate gives the agent its number. It stays until the agent is deleted or its spec names another.
func (k *agentKind) allocate(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, s *scope) (bool, error) {
	ranges := make([]store.ExtensionRange, 0, len(center.Spec.Extensions.Ranges))
	for _, r := range center.Spec.Extensions.Ranges {
		ranges = append(ranges, store.ExtensionRange{From: r.From, To: r.To})
	}
	quarantine := duration(center.Spec.Extensions.Quarantine, 24*time.Hour)
	ext, err := k.extension(ctx, a, ranges, quarantine)
	condition := v1alpha1.ConditionExtensionAllocated
	switch {
	case errors.Is(err, store.ErrRangeFull):
		s.stall(condition, v1alpha1.ReasonRangeFull, fmt.Sprintf(
			"every number of spec.extensions.ranges of ContactCenter %s is in use or quarantined; add a range or delete agents", center.Name))
	case errors.Is(err, store.ErrOutOfRange):
		s.stall(condition, v1alpha1.ReasonOutOfRange, fmt.Sprintf(
			"spec.extension %s is outside spec.extensions.ranges of ContactCenter %s", a.Spec.Extension, center.Name))
	case reportTaken(s, err, condition, v1alpha1.ReasonExtensionTaken):
	case err != nil:
		return false, fmt.Errorf("allocating an extension: %w", err)
	case ext == a.Spec.FullName:
		s.stall(condition, v1alpha1.ReasonNameEqualsNumber, "spec.fullName must not equal the extension "+ext)
	default:
		a.Status.Extension = ext
		s.ok(condition, v1alpha1.ReasonAllocated, "extension "+ext)
		return true, nil
	}
	return false, nil
}

// extension asks the store. A number that the status shows is asked for by name and whatever the ranges are now, so that a store
// that was lost does not renumber the people; only when somebody else has it meanwhile does the agent get another.
func (k *agentKind) extension(ctx context.Context, a *v1alpha1.Agent, ranges []store.ExtensionRange, quarantine time.Duration) (string, error) {
	owner, shown := agentOwner(a), a.Status.Extension
	if shown != "" && (a.Spec.Extension == "" || a.Spec.Extension == shown) {
		ext, err := k.store.AllocateExtension(ctx, owner, shown, nil, quarantine)
		var taken *store.TakenError
		if a.Spec.Extension != "" || !errors.As(err, &taken) {
			return ext, err
		}
	}
	return k.store.AllocateExtension(ctx, owner, a.Spec.Extension, ranges, quarantine)
}

// showMembership fills in teams and queues.
func (k *agentKind) showMembership(ctx context.Context, a *v1alpha1.Agent, s *scope) ([]v1alpha1.Team, error) {
	key := client.ObjectKeyFromObject(a)
	teams, err := k.members.teamsOf(ctx, key, labels.Set(a.Labels))
	if err != nil {
		return nil, fmt.Errorf("finding teams: %w", err)
	}
	queues, err := k.members.queuesOf(ctx, key, labels.Set(a.Labels), teams)
	if err != nil {
		return nil, fmt.Errorf("finding queues: %w", err)
	}
	a.Status.Teams, a.Status.Queues = sortedNames(teams), nil
	if a.Spec.AccountState != v1alpha1.AccountDeactivated {
		a.Status.Queues = sortedNames(queues)
	}
	a.Status.QueueSummary = clip(strings.Join(a.Status.Queues, ","), 256)
	if len(a.Status.Queues) == 0 {
		s.note(v1alpha1.ConditionRoutable, metav1.ConditionFalse, v1alpha1.ReasonNoMembership,
			"the agent is in no queue and receives nothing from queues")
	} else {
		s.ok(v1alpha1.ConditionRoutable, v1alpha1.ReasonMember, "in "+clip(strings.Join(a.Status.Queues, ", "), 900))
	}
	return teams, nil
}

func agentOwner(a *v1alpha1.Agent) store.ExtensionOwner {
	return store.ExtensionOwner{Namespace: a.Namespace, Kind: "agent", Name: a.Name}
}

func sortedNames[T any, P object[T]](items []T) []string {
	var names []string
	for i := range items {
		if P(&items[i]).GetDeletionTimestamp().IsZero() {
			names = append(names, P(&items[i]).GetName())
		}
	}
	slices.Sort(names)
	return names
}
