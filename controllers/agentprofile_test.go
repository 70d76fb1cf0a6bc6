package controllers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// settingsOf a profile that has all of them.
func settingsOf() v1alpha1.AgentSettings {
	return v1alpha1.AgentSettings{
		Locale: "it", LoginState: v1alpha1.LoginPaused, SensitiveData: v1alpha1.SensitiveMasked,
		Permissions: v1alpha1.AgentPermissions{OutboundPrefix: v1alpha1.OutboundPrefixRequired},
		ClientLogs:  v1alpha1.AgentClientLogs{Level: "Info", Scopes: []v1alpha1.ClientLogScope{"Phone"}},
		Phonebar: &v1alpha1.PhonebarSettings{ClientSettings: v1alpha1.ClientSettings{
			ManualRecording: v1alpha1.Allowed, DirectCallsDuringPause: v1alpha1.DirectCallsReject, CallForwarding: v1alpha1.CallForwarding{Unconditional: v1alpha1.Allowed},
		}},
		WebRTC:   &v1alpha1.WebRTCSettings{PreviewDialDuringPause: v1alpha1.Allowed},
		Channels: []v1alpha1.AgentChannel{{Name: "Email", Capacity: 3}, {Name: "Chat", Capacity: 5}},
		SIP:      v1alpha1.ProfileSIP{Codecs: []v1alpha1.SIPCodec{"g722", "alaw"}},
	}
}

// What an agent says comes before its profile, that before the defaults; settings of another client than the agent's do not reach it.
func TestSettingsOfLayers(t *testing.T) {
	profile := settingsOf()
	above := func(change func(*v1alpha1.AgentSettings)) v1alpha1.AgentSettings {
		s := settingsOf()
		s.WebRTC = nil
		change(&s)
		return s
	}
	for name, test := range map[string]struct {
		agent v1alpha1.AgentSpec
		below v1alpha1.AgentSettings
		want  v1alpha1.AgentSettings
	}{
		"neither": {v1alpha1.AgentSpec{Typology: v1alpha1.TypologyPhonebar}, v1alpha1.AgentSettings{}, v1alpha1.AgentSettings{
			LoginState: v1alpha1.LoginReady, SensitiveData: v1alpha1.SensitiveVisible, ClientLogs: v1alpha1.AgentClientLogs{Level: "Disabled", Scopes: []v1alpha1.ClientLogScope{"All"}},
			Permissions: v1alpha1.AgentPermissions{
				OutboundPrefix: v1alpha1.OutboundPrefixOptional, InternalMessenger: v1alpha1.Allowed, RecallMeCampaign: v1alpha1.Denied,
				Modules:   v1alpha1.ModulePermissions{Policy: v1alpha1.ModulesAllowAll, NewModules: v1alpha1.NewModulesDeny},
				Downloads: v1alpha1.DownloadPermissions{Attachments: v1alpha1.Allowed, Interactions: v1alpha1.Allowed, Recordings: v1alpha1.Allowed},
				Contacts:  v1alpha1.ContactPermissions{Edit: v1alpha1.Denied, Import: v1alpha1.Denied},
			},
		}},
		"the profile": {v1alpha1.AgentSpec{Typology: v1alpha1.TypologyPhonebar}, profile, above(func(*v1alpha1.AgentSettings) {})},
		"a browser": {v1alpha1.AgentSpec{Typology: v1alpha1.TypologyWebRTC}, profile, above(func(s *v1alpha1.AgentSettings) {
			s.Phonebar, s.WebRTC = nil, profile.WebRTC
		})},
		"any telephone": {v1alpha1.AgentSpec{Typology: v1alpha1.TypologyExternal}, profile, above(func(s *v1alpha1.AgentSettings) { s.Phonebar = nil })},
		"the agent": {v1alpha1.AgentSpec{
			Typology: v1alpha1.TypologyPhonebar, Locale: "de", LoginState: v1alpha1.LoginReady, SensitiveData: v1alpha1.SensitiveVisible,
			Permissions: v1alpha1.AgentPermissions{RecallMeCampaign: v1alpha1.Allowed}, ClientLogs: v1alpha1.AgentClientLogs{Level: "Disabled"},
			Phonebar: &v1alpha1.PhonebarSettings{SIPPort: 5080}, Channels: []v1alpha1.AgentChannel{{Name: "Email"}, {Name: "Voice", Capacity: 1}},
			SIP: v1alpha1.AgentSIP{SIPAccount: v1alpha1.SIPAccount{Codecs: []v1alpha1.SIPCodec{"ulaw"}}},
		}, profile, above(func(s *v1alpha1.AgentSettings) {
			s.Locale, s.LoginState, s.SensitiveData = "de", v1alpha1.LoginReady, v1alpha1.SensitiveVisible
			// As a whole: outboundPrefix is that of the agent, who says nothing of it.
			s.Permissions, s.ClientLogs = v1alpha1.AgentPermissions{RecallMeCampaign: v1alpha1.Allowed}, v1alpha1.AgentClientLogs{Level: "Disabled"}
			s.Phonebar, s.SIP.Codecs = &v1alpha1.PhonebarSettings{SIPPort: 5080}, []v1alpha1.SIPCodec{"ulaw"}
			s.Channels = []v1alpha1.AgentChannel{{Name: "Email"}, {Name: "Voice", Capacity: 1}, {Name: "Chat", Capacity: 5}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.agent.DeepCopy()
			if diff := cmp.Diff(test.want, test.agent.Over(test.below).Settings()); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(*before, test.agent); diff != "" {
				t.Errorf("the agent itself changed (-before +after):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff(settingsOf(), profile); diff != "" {
		t.Errorf("the profile itself changed (-before +after):\n%s", diff)
	}
}

func profileScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	must(t, corev1.AddToScheme(scheme))
	return scheme
}

func standardProfile() *v1alpha1.AgentProfile {
	return &v1alpha1.AgentProfile{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "standard"}, Spec: v1alpha1.AgentProfileSpec{AgentSettings: settingsOf()}}
}

func agentWithProfile(name string) *v1alpha1.Agent {
	a := agentNamed(name, "1001", func(a *v1alpha1.Agent) {
		a.Namespace, a.Spec.FullName, a.Spec.Typology = ns, "Alice", v1alpha1.TypologyPhonebar
		a.Spec.ProfileRef = &v1alpha1.ObjectReference{Name: "standard"}
	})
	return a
}

// A profile that is not there is named, and leaves the agent what was last in effect: its end must not unmask anything.
func TestProfileThatComesAndGoes(t *testing.T) {
	scheme := profileScheme(t)
	center := &v1alpha1.ContactCenter{}
	center.Spec.Locale = "en"
	agent := agentWithProfile("alice")
	changed := standardProfile()
	changed.Spec.SensitiveData, changed.Spec.Channels, changed.Spec.Locale = v1alpha1.SensitiveVisible, nil, ""
	masked, missing, resolved := v1alpha1.SensitiveMasked, v1alpha1.ReasonReferenceMissing, v1alpha1.ReasonResolved
	for _, step := range []struct {
		name      string
		profile   *v1alpha1.AgentProfile
		ref       string
		sensitive v1alpha1.SensitiveData
		locale    string
		capacity  string // of e-mails
		reason    string // of the condition, "" none
		shown     string // as the profile in effect
	}{
		{"not there yet", nil, "standard", v1alpha1.SensitiveVisible, "en", "Unlimited", missing, ""},
		{"there", standardProfile(), "standard", masked, "it", "3", resolved, "standard"},
		{"gone", nil, "standard", masked, "it", "3", missing, "standard"},
		{"another that is not there", standardProfile(), "absent", masked, "it", "3", missing, "standard"},
		{"back", standardProfile(), "standard", masked, "it", "3", resolved, "standard"},
		{"changed", changed, "standard", v1alpha1.SensitiveVisible, "en", "Unlimited", resolved, "standard"},
		{"masked again", standardProfile(), "standard", masked, "it", "3", resolved, "standard"},
		{"none", standardProfile(), "", v1alpha1.SensitiveVisible, "en", "Unlimited", "", ""},
	} {
		b := fake.NewClientBuilder().WithScheme(scheme)
		if step.profile != nil {
			b = b.WithObjects(step.profile.DeepCopy())
		}
		agent.Spec.ProfileRef = nil
		if step.ref != "" {
			agent.Spec.ProfileRef = &v1alpha1.ObjectReference{Name: step.ref}
		}
		own, s := agent.Spec, newScope(agent.Status.Conditions, 1)
		must(t, (&agentKind{Client: b.Build()}).layer(t.Context(), agent, center, s))
		showChannels(agent, s)
		s.summarize(agent.CommonStatus())
		reason := ""
		if c := meta.FindStatusCondition(agent.Status.Conditions, v1alpha1.ConditionProfileResolved); c != nil {
			reason = c.Reason
		}
		e := agent.Status.Effective
		got := []string{string(agent.Spec.SensitiveData), string(e.SensitiveData), e.Locale, agent.Status.EmailCapacity, reason, e.Profile}
		if diff := cmp.Diff([]string{string(step.sensitive), string(step.sensitive), step.locale, step.capacity, step.reason, step.shown}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if r, want := ready(agent.CommonStatus()), step.reason != missing; r == nil || (r.Status == metav1.ConditionTrue) != want {
			t.Errorf("%s: Ready %+v", step.name, r)
		}
		agent.Spec = own
	}
}

// phoneStore is the part of the store that PBXes are configured and told by.
type phoneStore struct{}

func (phoneStore) ListTelephones(context.Context, string) ([]store.TelephoneState, error) {
	return nil, nil
}

func (phoneStore) ListPresence(context.Context, string) ([]store.Presence, error) {
	return []store.Presence{{Agent: store.Key{Namespace: ns, Name: "alice"}, SignedIn: true, Paused: true, Reason: "Lunch"}}, nil
}

func (phoneStore) ListForwards(context.Context, string) ([]store.Forward, error) {
	return []store.Forward{{Agent: store.Key{Namespace: ns, Name: "alice"}, Number: "1002"}}, nil
}

// A PBX gets the agent with its profile: in its files, and in what it is told while people work.
func TestProfileReachesThePBX(t *testing.T) {
	alice := agentWithProfile("alice")
	password := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: alice.SIPSecretName()}, Data: map[string][]byte{sipPassword: []byte("not-so-secret")}}
	pbx := &v1alpha1.PBX{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "main"}}
	pbx.Spec.Realm, pbx.Spec.AdvertisedAddress, pbx.Spec.BindAddress = "ringmaster", "127.0.0.1", "127.0.0.1"
	pbx.Spec.Contexts = []string{"internal"}
	pbx.Spec.Transports.UDP = &v1alpha1.TransportPort{Port: 5060}
	alice.Spec.SIP.Transport, alice.Spec.SIP.Context, alice.Spec.SIP.Role = v1alpha1.TransportUDP, "internal", v1alpha1.RoleFriend
	alice.Spec.SIP.NAT = "ForceRportComedia"
	profile := standardProfile()
	c := fake.NewClientBuilder().WithScheme(profileScheme(t)).WithObjects(alice, password, pbx, profile).Build()
	check := func(stage string, codecs []string, language string, restricted, reject bool, forward string) {
		t.Helper()
		center, err := voiceModel{reader: c, store: phoneStore{}, stateDir: func(string) string { return "" }}.center(t.Context(), pbx)
		if err != nil || len(center.Agents) != 1 {
			t.Fatalf("%s: %d agents, %v", stage, len(center.Agents), err)
		}
		e := center.Agents[0]
		if diff := cmp.Diff(codecs, e.Codecs); diff != "" || e.Language != language || e.OutboundPrefixRequired != restricted || e.ManualRecording != restricted {
			t.Errorf("%s: language %q, %+v; codecs (-want +got):\n%s", stage, e.Language, e, diff)
		}
		states, err := (&duty{Reader: c, store: phoneStore{}}).states(t.Context(), ns)
		if err != nil || len(states) != 1 || states[0].RejectDirect != reject || states[0].ForwardTo != forward {
			t.Errorf("%s: %+v, %v", stage, states, err)
		}
		var stored v1alpha1.Agent
		must(t, c.Get(t.Context(), client.ObjectKeyFromObject(alice), &stored))
		if stored.Spec.Locale != "" {
			t.Errorf("%s: the agent itself was changed", stage)
		}
	}
	check("with the profile", []string{"g722", "alaw"}, "it", true, true, "1002")

	profile.Spec.AgentSettings = v1alpha1.AgentSettings{Locale: "de", Phonebar: &v1alpha1.PhonebarSettings{ClientSettings: v1alpha1.ClientSettings{DirectCallsDuringPause: v1alpha1.DirectCallsAllow}}}
	must(t, c.Update(t.Context(), profile))
	check("with another", nil, "de", false, false, "")

	// What was last in effect, as the agent's status has it.
	alice.Status.Effective = v1alpha1.AgentEffective{Profile: "standard", AgentSettings: settingsOf()}
	must(t, c.Update(t.Context(), alice))
	must(t, c.Delete(t.Context(), profile))
	check("without", []string{"g722", "alaw"}, "it", true, true, "1002")
}

func TestAgentsOfAProfile(t *testing.T) {
	other := agentWithProfile("carol")
	other.Spec.ProfileRef.Name = "other"
	none := agentWithProfile("dave")
	none.Spec.ProfileRef = nil
	elsewhere := agentWithProfile("erin")
	elsewhere.Namespace = "other"
	profile := standardProfile()
	c := fake.NewClientBuilder().WithScheme(profileScheme(t)).WithIndex(&v1alpha1.Agent{}, byProfileRef, profileRef).
		WithObjects(agentWithProfile("alice"), agentWithProfile("bob"), other, none, elsewhere).Build()
	s := newScope(nil, 1)
	must(t, (&profileKind{c}).Reconcile(t.Context(), profile, s))
	s.summarize(profile.CommonStatus())
	if r := ready(profile.CommonStatus()); profile.Status.Agents != 2 || r == nil || r.Message != "2 agents" {
		t.Errorf("%d agents, %+v", profile.Status.Agents, r)
	}
	var names []string
	for _, r := range (&wiring{c: c}).agentsOfProfile(t.Context(), profile) {
		names = append(names, r.Namespace+"/"+r.Name)
	}
	if diff := cmp.Diff([]string{ns + "/alice", ns + "/bob"}, names); diff != "" {
		t.Errorf("reconciled for a change of the profile (-want +got):\n%s", diff)
	}
}
