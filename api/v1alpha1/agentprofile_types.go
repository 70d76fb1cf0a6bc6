package v1alpha1

import (
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AgentProfileSpec describes what the agents that refer to it have in common.
type AgentProfileSpec struct {
	// description is free text for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	AgentSettings `json:",inline"`
}

// AgentSettings are those of an agent that a profile may have for many. Each is taken from the first that has it: the Agent, its AgentProfile, the
// ContactCenter, the default.
type AgentSettings struct {
	// locale of announcements and voicemail prompts, as Agent.spec.locale. Default: the locale of the ContactCenter.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[a-z]{2,3}(-[A-Z]{2})?$`
	Locale string `json:"locale,omitempty"`

	// loginState, as Agent.spec.loginState. Default Ready.
	// +optional
	LoginState LoginState `json:"loginState,omitempty"`

	// permissions, as Agent.spec.permissions, taken as a whole. Default: that of each permission.
	// +optional
	Permissions AgentPermissions `json:"permissions,omitzero"`

	// sensitiveData, as Agent.spec.sensitiveData. Default Visible.
	// +optional
	SensitiveData SensitiveData `json:"sensitiveData,omitempty"`

	// clientLogs, as Agent.spec.clientLogs, taken as a whole. Default: level Disabled.
	// +optional
	ClientLogs AgentClientLogs `json:"clientLogs,omitzero"`

	// phonebar settings of the agents of typology Phonebar, taken as a whole. Default: that of each setting.
	// +optional
	Phonebar *PhonebarSettings `json:"phonebar,omitempty"`

	// webrtc settings of the agents of typology WebRTC, taken as a whole. Default: that of each setting.
	// +optional
	WebRTC *WebRTCSettings `json:"webrtc,omitempty"`

	// channels, as Agent.spec.channels. An agent's own entry for a channel replaces the one here. Default: no limits.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Channels []AgentChannel `json:"channels,omitempty"`

	// sip settings of the agents' phones.
	// +optional
	SIP ProfileSIP `json:"sip,omitzero"`
}

// ProfileSIP are the settings of phones that a profile may have.
type ProfileSIP struct {
	// codecs in order of preference, as Agent.spec.sip.codecs, taken as a whole. g729 does not work with every typology: only an Agent can ask for it. Default: ulaw,
	// alaw; for transport WSS and WS opus, ulaw, alaw.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(d, d == c))",message="codecs must not repeat"
	// +kubebuilder:validation:XValidation:rule="!('g729' in self)",message="codecs of a profile must not contain g729: it does not work with every typology"
	Codecs []SIPCodec `json:"codecs,omitempty"`
}

// AgentProfileStatus says who has the profile.
type AgentProfileStatus struct {
	CommonStatus `json:",inline"`
	// agents that refer to the profile.
	// +optional
	// +kubebuilder:default=0
	Agents int32 `json:"agents"`
}

// AgentProfile is a layer of settings between the ContactCenter and the agents that refer to it: what an Agent says itself comes first. A change is in
// effect for all of them within seconds. A profile that is deleted leaves its agents with what was last in effect, and not Ready.
//
// Conditions: Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=agentprofiles,shortName=ap,categories=ringmaster
// +kubebuilder:printcolumn:name="Agents",type=integer,JSONPath=`.status.agents`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AgentProfile struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +optional
	// +kubebuilder:default={}
	Spec AgentProfileSpec `json:"spec,omitempty"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status AgentProfileStatus `json:"status,omitempty"`
}

// CommonStatus implements Object.
func (p *AgentProfile) CommonStatus() *CommonStatus { return &p.Status.CommonStatus }

// AgentProfileList is a list of AgentProfiles.
// +kubebuilder:object:root=true
type AgentProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AgentProfile `json:"items"`
}

// Over is the specification with what it does not say itself taken from settings, and what those do not say from the defaults. locale is the ContactCenter's
// business and stays empty where neither has one. Nothing of s and below is changed; the result shares parts with both.
func (s AgentSpec) Over(below AgentSettings) AgentSpec {
	s.Locale = firstSet(s.Locale, below.Locale)
	s.LoginState = firstSet(s.LoginState, below.LoginState, LoginReady)
	s.SensitiveData = firstSet(s.SensitiveData, below.SensitiveData, SensitiveVisible)
	s.Permissions = firstSet(s.Permissions, below.Permissions, defaultPermissions())
	s.ClientLogs = firstSet(s.ClientLogs, below.ClientLogs, AgentClientLogs{Level: ClientLogsDisabled, Scopes: []ClientLogScope{ClientLogsAll}})
	if s.Typology == TypologyPhonebar {
		s.Phonebar = firstSet(s.Phonebar, below.Phonebar)
	}
	if s.Typology == TypologyWebRTC {
		s.WebRTC = firstSet(s.WebRTC, below.WebRTC)
	}
	s.Channels = channelsOver(s.Channels, below.Channels)
	if len(s.SIP.Codecs) == 0 {
		s.SIP.Codecs = below.SIP.Codecs
	}
	return s
}

// Settings are those of the specification that a profile may have.
func (s AgentSpec) Settings() AgentSettings {
	return AgentSettings{
		Locale: s.Locale, LoginState: s.LoginState, Permissions: s.Permissions, SensitiveData: s.SensitiveData, ClientLogs: s.ClientLogs,
		Phonebar: s.Phonebar, WebRTC: s.WebRTC, Channels: s.Channels, SIP: ProfileSIP{Codecs: s.SIP.Codecs},
	}
}

// firstSet is the first value that is not its type's zero.
func firstSet[T any](values ...T) T {
	var zero T
	for _, v := range values {
		if !reflect.ValueOf(v).IsZero() {
			return v
		}
	}
	return zero
}

// channelsOver adds the channels of below that own does not name.
func channelsOver(own, below []AgentChannel) []AgentChannel {
	all := slices.Clip(own)
	for _, c := range below {
		if !slices.ContainsFunc(own, func(o AgentChannel) bool { return o.Name == c.Name }) {
			all = append(all, c)
		}
	}
	return all
}

// defaultPermissions are those that the schema gives to an agent whose permissions say nothing.
func defaultPermissions() AgentPermissions {
	return AgentPermissions{
		OutboundPrefix: OutboundPrefixOptional, InternalMessenger: Allowed, RecallMeCampaign: Denied,
		Modules:   ModulePermissions{Policy: ModulesAllowAll, NewModules: NewModulesDeny},
		Downloads: DownloadPermissions{Attachments: Allowed, Interactions: Allowed, Recordings: Allowed},
		Contacts:  ContactPermissions{Edit: Denied, Import: Denied},
	}
}
