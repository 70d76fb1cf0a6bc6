package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// mirror copies what routing and the desk need into the store.
func (k *agentKind) mirror(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, teams []v1alpha1.Team) error {
	profile, err := k.profile(ctx, a, center)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(profile)
	if err != nil {
		return err
	}
	permissions, err := permissions(a, center)
	if err != nil {
		return err
	}
	logs, err := clientLogs(a, center)
	if err != nil {
		return err
	}
	d := store.Agent{
		Key: storeKey(a), Username: a.Username(), DisplayName: a.Spec.FullName, Alias: a.Spec.Alias, Email: a.Spec.Email,
		Extension: a.Status.Extension, Active: a.Spec.AccountState != v1alpha1.AccountDeactivated, Profile: raw, Permissions: permissions, ClientLogs: logs,
	}
	d.EmailCapacity, d.EmailAutoAnswer = emailChannel(a)
	if err := k.store.PutAgent(ctx, d); err != nil {
		return fmt.Errorf("recording the agent: %w", err)
	}
	if err := k.store.SetSupervisors(ctx, storeKey(a), supervisorNames(a.Name, teams)); err != nil {
		return fmt.Errorf("recording the agent's supervisors: %w", err)
	}
	return k.reseat(ctx, a, profile)
}

// supervisorNames are those of the supervisors of an agent's teams; nobody supervises himself.
func supervisorNames(agent string, teams []v1alpha1.Team) []string {
	var names []string
	for i := range teams {
		for _, ref := range teams[i].Spec.Supervisors {
			if ref.Name != agent && teams[i].DeletionTimestamp.IsZero() {
				names = append(names, ref.Name)
			}
		}
	}
	return names
}

// emailChannel is how many e-mails the agent takes at a time, and whether by themselves.
func emailChannel(a *v1alpha1.Agent) (capacity int, answer store.AutoAnswer) {
	for _, c := range a.Spec.Channels {
		if c.Name == v1alpha1.AgentChannelEmail {
			return int(c.Capacity), store.AutoAnswer{Enabled: c.AutoAnswer.State == v1alpha1.Enabled, Delay: duration(c.AutoAnswer.Delay, 0)}
		}
	}
	return 0, store.AutoAnswer{}
}

// showChannels says how many e-mails the agent takes, and which channels nothing brings messages of.
func showChannels(a *v1alpha1.Agent, s *scope) {
	a.Status.EmailCapacity = "Unlimited"
	if capacity, _ := emailChannel(a); capacity > 0 {
		a.Status.EmailCapacity = strconv.Itoa(capacity)
	}
	var idle []string
	for _, c := range a.Spec.Channels {
		if c.Name != v1alpha1.AgentChannelEmail && c.Name != v1alpha1.AgentChannelVoice {
			idle = append(idle, string(c.Name))
		}
	}
	if len(idle) > 0 {
		s.note(v1alpha1.ConditionChannelConnector, metav1.ConditionFalse, v1alpha1.ReasonNoConnector,
			"spec.channels: nothing brings messages of "+strings.Join(idle, ", ")+"; their capacity and autoAnswer have no effect")
	}
}

// reseat makes an agent get up who may not sit at that telephone any more.
func (k *agentKind) reseat(ctx context.Context, a *v1alpha1.Agent, profile desk.ClientProfile) error {
	p, err := k.store.GetPresence(ctx, storeKey(a))
	if err != nil || p.Telephone == "" {
		return ignoreAbsent(err)
	}
	t, err := k.store.GetTelephone(ctx, store.Key{Namespace: a.Namespace, Name: p.Telephone})
	if err != nil {
		return ignoreAbsent(err)
	}
	if may, err := profile.MaySitAt(t.Telephone); err != nil || may {
		return err
	}
	return ignoreAbsent(k.store.ReleaseSeat(ctx, storeKey(a)))
}

// ignoreAbsent turns the store's answer that there is no such thing into none.
func ignoreAbsent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// profile is what the agent's client is told and the desk decides by.
func (k *agentKind) profile(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter) (desk.ClientProfile, error) {
	c, sip := a.Client(), a.Spec.SIP
	p := desk.ClientProfile{
		Typology: string(a.Spec.Typology), Locale: a.Spec.Locale, Transport: string(sip.Transport),
		ExpiresSeconds:         int(duration(sip.Expires, time.Hour).Seconds()),
		PasswordManagement:     string(a.Spec.PasswordManagement),
		LoginState:             string(a.Spec.LoginState),
		Codecs:                 voice.Endpoint{Transport: voice.Transport(sip.Transport), Codecs: codecs(&sip.SIPAccount)}.EffectiveCodecs(),
		SettingsAccess:         c.SettingsAccess,
		ManualRecording:        string(c.ManualRecording),
		DTMFTones:              c.DTMFTones,
		DirectCallsDuringPause: c.DirectCallsDuringPause,
		RingInUse:              c.RingInUse,
		CallForwarding:         string(c.CallForwarding.Unconditional),
		Recording:              string(sip.Recording.Format),
		OutboundPrefix:         string(a.Spec.Permissions.OutboundPrefix),
		ForbiddenPrefixes:      center.Spec.Voice.ForbiddenForwardPrefixes,
		PhonebarControl:        center.Spec.Voice.PhonebarControl,
	}
	if p.Locale == "" {
		p.Locale = center.Spec.Locale
	}
	if c.AutoAnswer.State == v1alpha1.Enabled {
		p.AutoAnswer = &desk.AutoAnswer{DelaySeconds: int(duration(c.AutoAnswer.Delay, 0).Round(time.Second).Seconds())}
	}
	switch {
	case a.Spec.Typology == v1alpha1.TypologyPhonebar:
		phonebarProfile(&p, a.Spec.Phonebar, center)
	case a.Spec.WebRTC != nil:
		p.PreviewDialDuringPause = string(a.Spec.WebRTC.PreviewDialDuringPause)
	case a.Spec.Mobile != nil:
		p.PushGateway = a.Spec.Mobile.PushGateway
	}
	if a.Spec.HotDesk.State == v1alpha1.Enabled {
		p.HotDesk = &desk.HotDesk{}
		if s := a.Spec.HotDesk.TelephoneSelector; s != nil {
			selector, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				return p, fmt.Errorf("hotDesk.telephoneSelector: %w", err)
			}
			p.HotDesk.TelephoneSelector = selector.String()
		}
	}
	return p, k.pbxProfile(ctx, a, &p)
}

// phonebarProfile fills in what only phonebars know; an agent without settings has their defaults.
func phonebarProfile(p *desk.ClientProfile, s *v1alpha1.PhonebarSettings, center *v1alpha1.ContactCenter) {
	p.MissedCallBadge, p.ScreenReader, p.ScreenRecording = "Shown", "None", "Disabled"
	p.ScreenRecordingPath = center.Spec.ScreenRecording.PathTemplate
	if s == nil {
		return
	}
	p.MissedCallBadge, p.ScreenReader, p.ScreenRecording = s.MissedCallBadge, s.ScreenReader, s.ScreenRecording
	p.SIPPort = int(s.SIPPort)
	if s.RemoteControl.State == v1alpha1.Enabled {
		p.RemoteControl = &desk.RemoteControl{Port: int(s.RemoteControl.Port)}
	}
}

// pbxProfile fills in what the PBXes contribute: the port that a phonebar dials, and the service prefixes of all of them.
func (k *agentKind) pbxProfile(ctx context.Context, a *v1alpha1.Agent, p *desk.ClientProfile) error {
	pbxes, err := listPBXes(ctx, k.Client, a.Namespace)
	if err != nil {
		return err
	}
	p.ServicePrefixes = servicePrefixes(pbxes)
	for i := range pbxes {
		if p.SIPPort == 0 && a.Spec.Typology == v1alpha1.TypologyPhonebar {
			p.SIPPort = int(transportPort(&pbxes[i], a.Spec.SIP.Transport))
		}
	}
	return nil
}

// servicePrefixes of all PBXes, each once.
func servicePrefixes(pbxes []v1alpha1.PBX) []string {
	var prefixes []string
	for i := range pbxes {
		if o := pbxes[i].Spec.Outbound; o != nil {
			prefixes = append(prefixes, o.ServicePrefixes...)
		}
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes)
}

// showPresence mirrors what the store knows.
func (k *agentKind) showPresence(ctx context.Context, a *v1alpha1.Agent, s *scope) error {
	p, err := k.store.GetPresence(ctx, storeKey(a))
	if ignoreAbsent(err) != nil {
		return fmt.Errorf("reading presence: %w", err)
	}
	forward, err := k.store.GetForward(ctx, storeKey(a))
	if ignoreAbsent(err) != nil {
		return fmt.Errorf("reading the forwarding: %w", err)
	}
	box, err := k.store.VoicemailOf(ctx, storeKey(a))
	if ignoreAbsent(err) != nil {
		return fmt.Errorf("reading voicemail counts: %w", err)
	}
	stream, err := k.store.StreamOf(ctx, storeKey(a))
	if err != nil {
		return fmt.Errorf("reading the agent's event streams: %w", err)
	}
	showSession(a, p.SignedIn, stream, s)
	shown := v1alpha1.AgentPresence{State: "SignedOut", Telephone: p.Telephone, ForwardTo: clip(forward.Number, 32)}
	switch {
	case p.SignedIn && p.Paused:
		shown.State, shown.Reason = "Paused", clip(p.Reason, 80)
	case p.SignedIn:
		shown.State = "Ready"
	}
	if p.SignedIn {
		shown.Source = string(p.Source)
	}
	if !p.Since.IsZero() {
		shown.Since = seconds(p.Since)
	}
	a.Status.Presence = shown
	a.Status.Voicemail = v1alpha1.AgentVoicemailStatus{Unread: count(box.Unread), Read: count(box.Read)}
	return nil
}

// reconnecting is how long a client that broke off may take to come back.
const reconnecting = time.Minute

// showSession says whether the agent's clients are connected.
func showSession(a *v1alpha1.Agent, signedIn bool, stream store.StreamState, s *scope) {
	switch {
	case stream.Open:
		a.Status.Session.State = "Connected"
	case signedIn && stream.EndedAgo > 0 && stream.EndedAgo < reconnecting:
		a.Status.Session.State = "Reconnecting"
		s.within(reconnecting - stream.EndedAgo)
	default:
		a.Status.Session.State = "Disconnected"
	}
}
