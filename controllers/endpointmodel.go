package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// surroundings are what other objects contribute to an endpoint.
type surroundings struct {
	centerRules
	// supervisors are the extensions of those who may monitor the agent, sorted.
	supervisors []string
}

// endpoint is the agent as one PBX must know it.
func (v voiceModel) endpoint(ctx context.Context, pbx *v1alpha1.PBX, a *v1alpha1.Agent, around surroundings) (voice.Endpoint, error) {
	if around.withdrawn(a) || a.Status.Extension == "" || !a.DeletionTimestamp.IsZero() {
		return voice.Endpoint{}, errNotProvisionable
	}
	password, err := v.phonePassword(ctx, types.NamespacedName{Namespace: a.Namespace, Name: a.SIPSecretName()}, a.Spec.SIP.PasswordSecretRef)
	if err != nil {
		return voice.Endpoint{}, err
	}
	sip, client := a.Spec.SIP, a.Client()
	e := voice.Endpoint{
		Key:                    agentKey(a.Name),
		Extension:              a.Status.Extension,
		Username:               a.Username(),
		DisplayName:            a.Spec.FullName,
		HA1:                    voice.HA1(a.Username(), pbx.Spec.Realm, password),
		Role:                   voice.Role(sip.Role),
		CallerID:               voice.CallerID{Name: sip.CallerID.Name, Number: sip.CallerID.Number},
		CallGroups:             numbers(sip.CallGroups),
		PickupGroups:           numbers(sip.PickupGroups),
		NamedCallGroups:        sip.NamedCallGroups,
		NamedPickupGroups:      sip.NamedPickupGroups,
		Monitoring:             sip.Monitoring == v1alpha1.Allowed,
		ManualRecording:        client.ManualRecording == v1alpha1.Allowed,
		RingInUse:              client.RingInUse == v1alpha1.RingInUseRing,
		OutboundPrefixRequired: a.Spec.Permissions.OutboundPrefix == v1alpha1.OutboundPrefixRequired,
		Language:               a.Spec.Locale,
	}
	if e.Language == "" {
		e.Language = around.locale
	}
	account(&e, &sip.SIPAccount)
	if e.Monitoring {
		e.Supervisors = around.supervisors
	}
	if sip.Recording.Format != v1alpha1.RecordingInactive {
		e.Recording = voice.RecordingFormat(sip.Recording.Format)
	}
	if client.AutoAnswer.State == v1alpha1.Enabled {
		delay := duration(client.AutoAnswer.Delay, 0)
		e.AutoAnswer = &delay
	}
	if a.Spec.Voicemail.State == v1alpha1.Enabled {
		if e.Voicemail, err = v.mailbox(ctx, a, e.Language); err != nil {
			return voice.Endpoint{}, err
		}
	}
	return e, nil
}

// phonePassword is the one that the spec refers to, read at its source so that a changed one is in the next files at once. While that is missing or
// not fit for use, the phone keeps the one in its own Secret, where a generated one always is.
func (v voiceModel) phonePassword(ctx context.Context, own types.NamespacedName, ref *v1alpha1.SecretKeyReference) (string, error) {
	if ref != nil {
		password, err := v.reference(ctx, own.Namespace, ref)
		if err == nil && admission.CheckSIPPassword(password) == "" {
			return password, nil
		}
		if err != nil && !errors.Is(err, errNotProvisionable) {
			return "", err
		}
	}
	return v.secret(ctx, own, sipPassword)
}

func (v voiceModel) mailbox(ctx context.Context, a *v1alpha1.Agent, language string) (*voice.Mailbox, error) {
	box := a.Spec.Voicemail
	pin, err := v.reference(ctx, a.Namespace, box.PINSecretRef)
	if err != nil {
		return nil, err
	}
	return &voice.Mailbox{
		Owner: mailboxOwner(a), PIN: pin, FullName: a.Spec.FullName, Greeting: voice.Greeting(box.Greeting), Language: language,
		MaxMessages: int(box.MaxMessages), MaxMessageLength: duration(box.MaxMessageLength, 0),
	}, nil
}

// mailboxOwner names whose messages a box holds: the agent of this name, deleted and applied again or not.
func mailboxOwner(a *v1alpha1.Agent) string {
	sum := sha256.Sum256([]byte(a.Name))
	return hex.EncodeToString(sum[:16])
}

// account copies what the accounts of agents and telephones have in common.
func account(e *voice.Endpoint, s *v1alpha1.SIPAccount) {
	e.Transport = voice.Transport(s.Transport)
	e.NAT = voice.NAT(s.NAT)
	e.NATCompatibility = voice.NATCompatibility(s.NATCompatibility)
	e.Context = s.Context
	e.Expires = duration(s.Expires, time.Hour)
	e.Codecs = codecs(s)
	if s.Registration.Mode == v1alpha1.RegistrationStatic {
		e.Static = &voice.Host{Host: s.Registration.Host, Port: int(s.Registration.Port)}
	}
}

func codecs(s *v1alpha1.SIPAccount) []string {
	var names []string
	for _, c := range s.Codecs {
		names = append(names, string(c))
	}
	return names
}

func numbers(in []int32) []int {
	var out []int
	for _, n := range in {
		out = append(out, int(n))
	}
	return out
}

// telephones of a namespace that can be rendered for a PBX.
func (v voiceModel) telephones(ctx context.Context, pbx *v1alpha1.PBX, settings voice.PBX, rules centerRules) ([]voice.Endpoint, error) {
	var list v1alpha1.TelephoneList
	if err := v.reader.List(ctx, &list, client.InNamespace(pbx.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing telephones: %w", err)
	}
	var endpoints []voice.Endpoint
	for i := range list.Items {
		e, err := v.telephone(ctx, pbx, &list.Items[i], rules)
		if errors.Is(err, errNotProvisionable) || (err == nil && len(e.Validate(settings)) > 0) {
			continue
		}
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

// telephone is the hot-desk phone as one PBX must know it.
func (v voiceModel) telephone(ctx context.Context, pbx *v1alpha1.PBX, t *v1alpha1.Telephone, rules centerRules) (voice.Endpoint, error) {
	if !t.DeletionTimestamp.IsZero() {
		return voice.Endpoint{}, errNotProvisionable
	}
	password, err := v.phonePassword(ctx, types.NamespacedName{Namespace: t.Namespace, Name: t.SIPSecretName()}, t.Spec.SIP.PasswordSecretRef)
	if err != nil {
		return voice.Endpoint{}, err
	}
	e := voice.Endpoint{
		Key:         telephoneKey(t.Name),
		Name:        t.Username(),
		Username:    t.Username(),
		DisplayName: displayName(t.Spec.DisplayName, t.Name),
		HA1:         voice.HA1(t.Username(), pbx.Spec.Realm, password),
		Language:    rules.locale,
	}
	account(&e, &t.Spec.SIP)
	return e, nil
}

// supervisors are, by the name of an agent, the extensions of those who may monitor the agent. Agents whose calls nobody may hear are left out.
func (r *roster) supervisors() map[string][]string {
	found := map[string][]string{}
	for _, t := range r.teams {
		if len(t.Spec.Supervisors) == 0 {
			continue
		}
		members, _, err := r.team(t)
		if err != nil {
			continue // its own condition says so
		}
		for _, name := range members {
			if r.agents[name].Spec.SIP.Monitoring == v1alpha1.Allowed {
				found[name] = append(found[name], supervising(t, name, r.agents)...)
			}
		}
	}
	for name := range found {
		slices.Sort(found[name])
		found[name] = slices.Compact(found[name])
	}
	return found
}

// supervising lists the extensions of a team's supervisors; nobody supervises himself.
func supervising(t *v1alpha1.Team, agent string, agents map[string]*v1alpha1.Agent) []string {
	var extensions []string
	for _, ref := range t.Spec.Supervisors {
		if s := agents[ref.Name]; s != nil && ref.Name != agent && s.Status.Extension != "" {
			extensions = append(extensions, s.Status.Extension)
		}
	}
	return extensions
}
