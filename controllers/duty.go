package controllers

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// signedOutReason is the pause reason Asterisk shows for an agent who is not signed in.
const signedOutReason = "SignedOut"

// duty tells the PBXes who takes queue calls and what becomes of direct ones: signed in, paused, forwarded, at which telephone. The store
// is the source; Asterisk is told again after every reconnect, so neither its restart nor ours changes anybody's state.
type duty struct {
	client.Reader
	link  pbxLink
	store dutyStore
}

type dutyStore interface {
	ListPresence(ctx context.Context, namespace string) ([]store.Presence, error)
	ListTelephones(ctx context.Context, namespace string) ([]store.TelephoneState, error)
	ListForwards(ctx context.Context, namespace string) ([]store.Forward, error)
}

// push hands the state of every agent of a namespace to its PBXes; the link sends differences only.
func (d *duty) push(ctx context.Context, namespace string) error {
	pbxes, err := listPBXes(ctx, d.Reader, namespace)
	if err != nil || len(pbxes) == 0 {
		return err
	}
	states, err := d.states(ctx, namespace)
	if err != nil {
		return err
	}
	for i := range pbxes {
		d.link.SetMemberStates(linkKey(&pbxes[i]), states)
	}
	return nil
}

func (d *duty) states(ctx context.Context, namespace string) ([]memberState, error) {
	presence, err := d.store.ListPresence(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading presence: %w", err)
	}
	telephones, err := d.store.ListTelephones(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading who sits where: %w", err)
	}
	mayForward, err := d.forwards(ctx, namespace)
	if err != nil {
		return nil, err
	}
	r, err := loadRoster(ctx, d.Reader, namespace)
	if err != nil {
		return nil, err
	}
	if err := r.layer(ctx, d.Reader, namespace); err != nil {
		return nil, err
	}
	seats := map[string]string{}
	for _, t := range telephones {
		if t.Agent != "" {
			seats[t.Agent] = t.Username
		}
	}
	states := make([]memberState, 0, len(presence))
	for _, p := range presence {
		a := r.agents[p.Agent.Name]
		if a == nil || a.Status.Extension == "" {
			continue
		}
		state := dutyOf(a, p)
		state.Telephone = seats[a.Name]
		state.ForwardTo = mayForward(a)
		states = append(states, state)
	}
	return states, nil
}

// dutyOf is what presence alone says.
func dutyOf(a *v1alpha1.Agent, p store.Presence) memberState {
	state := memberState{Extension: a.Status.Extension, Paused: p.Paused, Reason: p.Reason}
	if !p.SignedIn {
		state.Paused, state.Reason = true, signedOutReason
	}
	// Who has gone home is called at the desk nonetheless; who takes a break is not, unless the client's settings say so.
	state.RejectDirect = p.SignedIn && p.Paused && a.Client().DirectCallsDuringPause == v1alpha1.DirectCallsReject
	return state
}

// forwards tells where an agent's direct calls go. A number that was allowed when the agent set it and is not any more counts for nothing.
func (d *duty) forwards(ctx context.Context, namespace string) (func(*v1alpha1.Agent) string, error) {
	list, err := d.store.ListForwards(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading forwardings: %w", err)
	}
	if len(list) == 0 {
		return func(*v1alpha1.Agent) string { return "" }, nil
	}
	center, err := onlyCenter(ctx, d.Reader, namespace)
	if err != nil && !errors.Is(err, errNoCenter) {
		return nil, err
	}
	pbxes, err := listPBXes(ctx, d.Reader, namespace)
	if err != nil {
		return nil, err
	}
	rules := desk.ClientProfile{ServicePrefixes: servicePrefixes(pbxes)}
	if center != nil {
		rules.ForbiddenPrefixes = center.Spec.Voice.ForbiddenForwardPrefixes
	}
	numbers := make(map[string]string, len(list))
	for _, f := range list {
		numbers[f.Agent.Name] = f.Number
	}
	return func(a *v1alpha1.Agent) string {
		number := numbers[a.Name]
		profile := rules
		profile.CallForwarding = string(a.Client().CallForwarding.Unconditional)
		if number == "" || profile.MayForwardTo(a.Status.Extension, number) != nil {
			return ""
		}
		return number
	}, nil
}
