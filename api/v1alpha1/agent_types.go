package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AgentSpec describes a person of the contact center.
// +kubebuilder:validation:XValidation:rule="!has(self.extension) || self.fullName != self.extension",message="fullName must not equal extension"
// +kubebuilder:validation:XValidation:rule="has(oldSelf.username) == has(self.username)",message="username is immutable: it cannot be added or removed later"
// +kubebuilder:validation:XValidation:rule="self.typology != 'Phonebar' || self.sip.transport in ['UDP', 'TCP']",message="sip.transport: typology Phonebar registers over UDP or TCP"
// +kubebuilder:validation:XValidation:rule="self.typology != 'WebRTC' || self.sip.transport == 'WSS'",message="sip.transport: typology WebRTC registers over WSS"
// +kubebuilder:validation:XValidation:rule="!(self.typology in ['Phonebar', 'WebRTC']) || !has(self.sip.codecs) || !('g729' in self.sip.codecs)",message="sip.codecs: g729 does not work with typology Phonebar and WebRTC"
// +kubebuilder:validation:XValidation:rule="self.passwordManagement != 'Enforced' || has(self.passwordSecretRef)",message="passwordSecretRef is required when passwordManagement is Enforced"
type AgentSpec struct {
	// fullName of the person: caller ID name, voicemail greeting name and queue member name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f";<>,=\[\]|]+$`
	FullName string `json:"fullName"`

	// username signs in at the desk and is the user of SIP digest authentication. Letters, digits, dot and underscore, unique in
	// the namespace, immutable. Default: metadata.name, which then must be a legal username.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._]{1,64}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="username is immutable"
	Username string `json:"username,omitempty"`

	// alias is the name that customers see as the sender of answers where the ContactCenter's spec.email.fromName is Alias. Default: fullName.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f"<>]*$`
	Alias string `json:"alias,omitempty"`

	// email address of the person (RFC 5321). It is shown to colleagues at the desk; nothing is sent to it yet.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>"(),:;\[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
	Email string `json:"email,omitempty"`

	// description is free text for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// extension is the internal number, 2 to 10 digits, unique among agents and voice queues of the namespace and inside the ranges of
	// the ContactCenter. Default: the lowest free one; once allocated it stays.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{2,10}$`
	Extension string `json:"extension,omitempty"`

	// typology is the kind of client: Phonebar (desktop), External (any SIP phone), WebRTC (browser), Mobile. It decides which transports and codecs
	// are legal. Default Phonebar.
	// +optional
	// +kubebuilder:default=Phonebar
	Typology AgentTypology `json:"typology,omitempty"`

	// accountState Deactivated refuses sign-in, ends sessions, withdraws the SIP account and takes the agent out of every queue. Nothing
	// is lost; Active brings all of it back. Default Active.
	// +optional
	// +kubebuilder:default=Active
	AccountState AccountState `json:"accountState,omitempty"`

	// passwordSecretRef is the sign-in password. It must obey the password policy of the ContactCenter. Without it the agent cannot
	// sign in at the desk; the phone is not affected.
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`

	// passwordManagement Bootstrap: the Secret sets the first password and every deliberate change of the Secret sets it anew; in between the agent's own
	// changes count. Enforced: the Secret always counts and agents cannot change it themselves. Default Bootstrap.
	// +optional
	// +kubebuilder:default=Bootstrap
	PasswordManagement PasswordManagement `json:"passwordManagement,omitempty"`

	// voicemail of the agent.
	// +optional
	// +kubebuilder:default={state: Disabled}
	Voicemail AgentVoicemail `json:"voicemail,omitempty"`

	// sip is the account of the agent's phone.
	// +optional
	// +kubebuilder:default={}
	SIP AgentSIP `json:"sip,omitempty"`

	// channels beside voice, with their capacity. A channel that is not listed has no limit.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Channels []AgentChannel `json:"channels,omitempty"`
}

// AgentTypology is the kind of client an agent works with.
// +kubebuilder:validation:Enum=Phonebar;External;WebRTC;Mobile
type AgentTypology string

// Typologies.
const (
	TypologyPhonebar AgentTypology = "Phonebar"
	TypologyExternal AgentTypology = "External"
	TypologyWebRTC   AgentTypology = "WebRTC"
	TypologyMobile   AgentTypology = "Mobile"
)

// AccountState of an agent.
// +kubebuilder:validation:Enum=Active;Deactivated
type AccountState string

// Account states.
const (
	AccountActive      AccountState = "Active"
	AccountDeactivated AccountState = "Deactivated"
)

// PasswordManagement says who owns the password.
// +kubebuilder:validation:Enum=Bootstrap;Enforced
type PasswordManagement string

// Values of PasswordManagement.
const (
	PasswordBootstrap PasswordManagement = "Bootstrap"
	PasswordEnforced  PasswordManagement = "Enforced"
)

// AgentVoicemail is the agent's voicemail box.
// +kubebuilder:validation:XValidation:rule="self.state != 'Enabled' || has(self.pinSecretRef)",message="pinSecretRef is required when state is Enabled"
type AgentVoicemail struct {
	// state Enabled creates a box with the agent's extension as its number; unanswered calls go there. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// pinSecretRef is the PIN that *97 asks for: 4 to 10 digits, not the extension.
	// +optional
	PINSecretRef *SecretKeyReference `json:"pinSecretRef,omitempty"`
}

// AgentSIP is the SIP account of an agent. Endpoint and address of record are named by the extension.
type AgentSIP struct {
	// transport the phone registers over. Default UDP.
	// +optional
	// +kubebuilder:default=UDP
	Transport SIPTransport `json:"transport,omitempty"`

	// nat handling: ForceRportComedia (answer to the source address, symmetric RTP), None, ForceRport, Comedia, Never and Route (legacy words that
	// mean None). Default ForceRportComedia.
	// +optional
	// +kubebuilder:default=ForceRportComedia
	NAT SIPNAT `json:"nat,omitempty"`

	// codecs in order of preference. Default: ulaw, alaw; for WebRTC opus, ulaw, alaw.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(d, d == c))",message="codecs must not repeat"
	Codecs []SIPCodec `json:"codecs,omitempty"`

	// callerID that the called party sees. Default: fullName and extension.
	// +optional
	// +kubebuilder:default={}
	CallerID SIPCallerID `json:"callerID,omitempty"`

	// context of the dialplan that calls of this agent start in: from-sip or one of the contexts of every PBX. Default from-sip.
	// +optional
	// +kubebuilder:default="from-sip"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=79
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]{1,79}$`
	Context string `json:"context,omitempty"`

	// callGroups that calls to this agent belong to, 0 to 63.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=63
	CallGroups []int32 `json:"callGroups,omitempty"`

	// pickupGroups whose ringing calls this agent may take by *8, 0 to 63.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=63
	PickupGroups []int32 `json:"pickupGroups,omitempty"`

	// expires is how long a registration lasts when the phone does not say. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('60s') && duration(self) <= duration('24h')",message="expires must be between 60s and 24h"
	Expires *metav1.Duration `json:"expires,omitempty"`

	// passwordSecretRef is the phone's password, at least 8 characters. Default: one is generated into the Secret <agent>-sip.
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`
}

// SIPTransport of a phone.
// +kubebuilder:validation:Enum=UDP;TCP;WSS
type SIPTransport string

// Transports.
const (
	TransportUDP SIPTransport = "UDP"
	TransportTCP SIPTransport = "TCP"
	TransportWSS SIPTransport = "WSS"
)

// SIPNAT is the handling of phones behind address translation.
// +kubebuilder:validation:Enum=ForceRportComedia;None;ForceRport;Comedia;Never;Route
type SIPNAT string

// SIPCodec is an audio codec by Asterisk's name. ulaw, alaw, gsm and g722 are built in; opus and g729 are passed through
// between phones unless the PBX has a module that transcodes them.
// +kubebuilder:validation:Enum=ulaw;alaw;gsm;g722;g729;opus
type SIPCodec string

// SIPCallerID is what others see of a caller.
type SIPCallerID struct {
	// name, without quotes, brackets and control characters. Default: the agent's fullName.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f"<>;]*$`
	Name string `json:"name,omitempty"`
	// number. Default: the extension.
	// +optional
	// +kubebuilder:validation:MaxLength=33
	// +kubebuilder:validation:Pattern=`^\+?[0-9*#]{1,32}$`
	Number string `json:"number,omitempty"`
}

// AgentChannel limits how much an agent gets of one channel.
type AgentChannel struct {
	// name of the channel.
	// +required
	Name AgentChannelName `json:"name"`
	// capacity is how many interactions of this channel the agent has at a time, offered and open; 0 means no limit. Default 0.
	// Follow-ups of interactions the agent already has do not count.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Capacity int32 `json:"capacity,omitempty"`
}

// AgentChannelName is a channel with a capacity.
// +kubebuilder:validation:Enum=Email
type AgentChannelName string

// AgentStatus is what is known of an agent. Presence is kept in the store and mirrored here with a delay of up to 10 s.
type AgentStatus struct {
	CommonStatus `json:",inline"`
	// username in effect.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`
	// extension in effect.
	// +optional
	// +kubebuilder:validation:MaxLength=10
	Extension string `json:"extension,omitempty"`
	// sip account.
	// +optional
	SIP AgentSIPStatus `json:"sip,omitempty"`
	// presence at the desk.
	// +optional
	Presence AgentPresence `json:"presence,omitempty"`
	// account for sign-in.
	// +optional
	Account AgentAccountStatus `json:"account,omitempty"`
	// teams the agent belongs to, by name or selector.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Teams []string `json:"teams,omitempty"`
	// queues the agent is an effective member of.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Queues []string `json:"queues,omitempty"`
	// queueSummary is queues as one string, for the printer column.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	QueueSummary string `json:"queueSummary,omitempty"`
}

// AgentSIPStatus says where the phone is.
type AgentSIPStatus struct {
	// secretName of the Secret with username, password, realm, server and, for WSS, url.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
	// state: Registered, Unregistered, or Unknown while a PBX cannot be asked.
	// +optional
	// +kubebuilder:validation:Enum=Registered;Unregistered;Unknown
	State string `json:"state,omitempty"`
	// contacts registered now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Contacts []AgentContact `json:"contacts,omitempty"`
}

// AgentContact is one registered phone.
type AgentContact struct {
	// pbx it is registered at.
	// +required
	// +kubebuilder:validation:MaxLength=253
	PBX string `json:"pbx"`
	// since is when it registered first.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// AgentPresence at the desk.
type AgentPresence struct {
	// state: SignedOut, Ready or Paused.
	// +optional
	// +kubebuilder:validation:Enum=SignedOut;Ready;Paused
	State string `json:"state,omitempty"`
	// reason of the pause, as the agent gave it.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	Reason string `json:"reason,omitempty"`
	// since is when the state began.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// AgentAccountStatus for sign-in.
type AgentAccountStatus struct {
	// summary: Active, Deactivated or NoPassword.
	// +optional
	// +kubebuilder:validation:Enum=Active;Deactivated;NoPassword
	Summary string `json:"summary,omitempty"`
	// lastPasswordChangeTime by Secret or by the agent.
	// +optional
	LastPasswordChangeTime *metav1.Time `json:"lastPasswordChangeTime,omitempty"`
	// passwordSecretVersion is the resourceVersion of the Secret that was applied last.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	PasswordSecretVersion string `json:"passwordSecretVersion,omitempty"`
}

// Agent is a person who answers calls and e-mails.
//
// Conditions: Ready, ExtensionAllocated, PasswordPolicySatisfied, SIPProvisioned, Registered, Routable. Registered and Routable do not
// count for Ready: a phone may be off and an agent may have no queue yet.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=agents,shortName=agt,categories=ringmaster
// +kubebuilder:selectablefield:JSONPath=`.spec.username`
// +kubebuilder:selectablefield:JSONPath=`.spec.extension`
// +kubebuilder:selectablefield:JSONPath=`.spec.typology`
// +kubebuilder:printcolumn:name="Ext",type=string,JSONPath=`.status.extension`
// +kubebuilder:printcolumn:name="Typology",type=string,JSONPath=`.spec.typology`
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.account.summary`
// +kubebuilder:printcolumn:name="Phone",type=string,JSONPath=`.status.sip.state`
// +kubebuilder:printcolumn:name="Presence",type=string,JSONPath=`.status.presence.state`
// +kubebuilder:printcolumn:name="Queues",type=string,JSONPath=`.status.queueSummary`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Name",type=string,priority=1,JSONPath=`.spec.fullName`
// +kubebuilder:printcolumn:name="Email",type=string,priority=1,JSONPath=`.spec.email`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.username) || self.metadata.name.matches('^[A-Za-z0-9._]{1,64}$')",message="spec.username is required because metadata.name is not a legal username (letters, digits, dot and underscore, at most 64)"
type Agent struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec AgentSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status AgentStatus `json:"status,omitempty"`
}

// Username is the sign-in name in effect.
func (a *Agent) Username() string {
	if a.Spec.Username != "" {
		return a.Spec.Username
	}
	return a.Name
}

// SIPSecretName is the Secret that holds the phone's account.
func (a *Agent) SIPSecretName() string { return a.Name + "-sip" }

// AgentList is a list of Agents.
// +kubebuilder:object:root=true
type AgentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Agent `json:"items"`
}
