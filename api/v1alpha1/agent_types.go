package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AgentSpec describes a person of the contact center.
// +kubebuilder:validation:XValidation:rule="!has(self.extension) || self.fullName != self.extension",message="fullName must not equal extension"
// +kubebuilder:validation:XValidation:rule="has(oldSelf.username) == has(self.username)",message="username is immutable: it cannot be added or removed later"
// +kubebuilder:validation:XValidation:rule="self.typology != 'Phonebar' || self.sip.transport in ['UDP', 'TCP', 'TLS']",message="sip.transport: typology Phonebar registers over UDP, TCP or TLS"
// +kubebuilder:validation:XValidation:rule="self.typology != 'WebRTC' || self.sip.transport in ['WSS', 'WS']",message="sip.transport: typology WebRTC registers over WSS"
// +kubebuilder:validation:XValidation:rule="!(self.typology in ['Phonebar', 'WebRTC']) || !has(self.sip.codecs) || !('g729' in self.sip.codecs)",message="sip.codecs: g729 does not work with typology Phonebar and WebRTC"
// +kubebuilder:validation:XValidation:rule="!(self.typology in ['WebRTC', 'Mobile']) || self.sip.registration.mode == 'Dynamic'",message="sip.registration.mode: typology WebRTC and Mobile register, so it must be Dynamic"
// +kubebuilder:validation:XValidation:rule="self.hotDesk.state != 'Enabled' || self.typology == 'External'",message="hotDesk is only for typology External"
// +kubebuilder:validation:XValidation:rule="self.hotDesk.state != 'Enabled' || self.sip.role != 'User'",message="hotDesk: an agent whose sip.role is User cannot be called, so neither at a telephone"
// +kubebuilder:validation:XValidation:rule="!has(self.phonebar) || self.typology == 'Phonebar'",message="phonebar is only for typology Phonebar"
// +kubebuilder:validation:XValidation:rule="!has(self.webrtc) || self.typology == 'WebRTC'",message="webrtc is only for typology WebRTC"
// +kubebuilder:validation:XValidation:rule="has(self.mobile) == (self.typology == 'Mobile')",message="mobile, with its pushGateway, is required for typology Mobile and forbidden for the others"
// +kubebuilder:validation:XValidation:rule="self.voicemail.notification != 'Email' || has(self.email)",message="voicemail.notification Email needs email"
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

	// profileRef is the AgentProfile with the settings that many agents have in common: locale, loginState, permissions, sensitiveData, clientLogs, phonebar, webrtc, channels
	// and sip.codecs. What is said here comes before what the profile says; status.effective shows what came out. While there is no such profile the agent keeps
	// what was last in effect, the defaults at first, and the condition ProfileResolved is False. Default: none.
	// +optional
	ProfileRef *ObjectReference `json:"profileRef,omitempty"`

	// alias is the name that customers see as the sender of answers where the ContactCenter's spec.email.fromName is Alias. Default: fullName.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f"<>]*$`
	Alias string `json:"alias,omitempty"`

	// email address of the person (RFC 5321). It is shown to colleagues at the desk, and voicemail.notification Email, invitations and links to set a password go to it.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>"(),:;\[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
	Email string `json:"email,omitempty"`

	// avatar is the agent's picture, which colleagues see at the desk (GET /v1/agents/NAME/avatar). One that cannot be had is named in the condition
	// AvatarReady; the one before stays meanwhile. Default: none.
	// +optional
	Avatar *AgentAvatar `json:"avatar,omitempty"`

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

	// role at the desk. Admin: sees all interactions of the center, may transfer those that are open with others, as their accounts allow, and may mark
	// interactions unread whatever the account's agentActions.markAsUnread says. Who supervises a team, seeing and transferring what is with its members,
	// is in Team.spec.supervisors. Default Agent.
	// +optional
	// +kubebuilder:default=Agent
	Role AgentRole `json:"role,omitempty"`

	// loginState Paused: every sign-in at the desk begins with a pause, reason LoginInPause, in all queues, until the agent ends it. Default: that of
	// the AgentProfile, else Ready.
	// +optional
	LoginState LoginState `json:"loginState,omitempty"`

	// locale of announcements and voicemail prompts, a BCP 47 tag such as it or en-GB; Asterisk uses en where it has no sounds in
	// the language. Default: the locale of the AgentProfile, else of the ContactCenter.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[a-z]{2,3}(-[A-Z]{2})?$`
	Locale string `json:"locale,omitempty"`

	// hotDesk lets an External agent take calls at a Telephone chosen at sign-in.
	// +optional
	// +kubebuilder:default={state: Disabled}
	HotDesk AgentHotDesk `json:"hotDesk,omitempty"`

	// phonebar settings; typology Phonebar only. Default: those of the AgentProfile, else that of each setting.
	// +optional
	Phonebar *PhonebarSettings `json:"phonebar,omitempty"`

	// webrtc settings; typology WebRTC only. Default: those of the AgentProfile, else that of each setting.
	// +optional
	WebRTC *WebRTCSettings `json:"webrtc,omitempty"`

	// mobile settings; required for typology Mobile, forbidden for the others.
	// +optional
	Mobile *MobileSettings `json:"mobile,omitempty"`

	// permissions of the agent. A change reaches the desk within seconds, sessions that are open included. Default: those of the AgentProfile as a whole, else that of each
	// permission.
	// +optional
	Permissions AgentPermissions `json:"permissions,omitzero"`

	// sensitiveData Masked hides the names, e-mail addresses and telephone numbers of customers from this agent in everything the desk answers: lists, messages,
	// calls, events and files. Messages come without their HTML, and raw messages are refused. Answering works as before. The phone still shows who calls.
	// Default: that of the AgentProfile, else Visible.
	// +optional
	SensitiveData SensitiveData `json:"sensitiveData,omitempty"`

	// clientLogs that the agent's client sends to the server. Default: those of the AgentProfile, else level Disabled.
	// +optional
	ClientLogs AgentClientLogs `json:"clientLogs,omitzero"`

	// deletionPolicy Drain: a deleted agent's phone and mailbox go at once, the object itself when the calls and interactions in hand have
	// ended, at most 10 minutes later. Force: it goes at once, calls in hand are left to the PBX and interactions go back to their queue. Default Drain.
	// +optional
	// +kubebuilder:default=Drain
	DeletionPolicy AgentDeletionPolicy `json:"deletionPolicy,omitempty"`

	// voicemail of the agent.
	// +optional
	// +kubebuilder:default={state: Disabled}
	Voicemail AgentVoicemail `json:"voicemail,omitempty"`

	// sip is the account of the agent's phone.
	// +optional
	// +kubebuilder:default={role: Friend, registration: {mode: Dynamic}}
	SIP AgentSIP `json:"sip,omitempty"`

	// channels with their capacity. A channel that neither the agent nor its AgentProfile lists has no limit. E-mails are routed; what other channels have to say is kept for when
	// something brings their messages, see name.
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

// AgentRole is what an agent may do at the desk with what is not the agent's own.
// +kubebuilder:validation:Enum=Agent;Admin
type AgentRole string

// Roles of agents.
const (
	RoleAgent AgentRole = "Agent"
	RoleAdmin AgentRole = "Admin"
)

// LoginState is the presence a sign-in begins with.
// +kubebuilder:validation:Enum=Ready;Paused
type LoginState string

// Values of LoginState.
const (
	LoginReady  LoginState = "Ready"
	LoginPaused LoginState = "Paused"
)

// AgentDeletionPolicy says what a deletion waits for.
// +kubebuilder:validation:Enum=Drain;Force
type AgentDeletionPolicy string

// Values of AgentDeletionPolicy.
const (
	DeletionDrain AgentDeletionPolicy = "Drain"
	DeletionForce AgentDeletionPolicy = "Force"
)

// AgentHotDesk says at which telephones an agent may work.
// +kubebuilder:validation:XValidation:rule="!has(self.telephoneSelector) || self.state == 'Enabled'",message="telephoneSelector is only for state Enabled"
type AgentHotDesk struct {
	// state Enabled lets the agent choose a telephone at sign-in: the agent's extension and queues ring there until sign-out. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// telephoneSelector matches the labels of the telephones that may be chosen. Default: every telephone of the namespace.
	// +optional
	TelephoneSelector *metav1.LabelSelector `json:"telephoneSelector,omitempty"`
}

// AgentPermissions limit what an agent may do.
type AgentPermissions struct {
	// outboundPrefix Required: numbers outside the center can be dialled only with one of the service prefixes of the PBX before them.
	// Default Optional.
	// +optional
	// +kubebuilder:default=Optional
	OutboundPrefix OutboundPrefixRule `json:"outboundPrefix,omitempty"`
	// internalMessenger says whether the agent may write to colleagues. The desk has no messenger yet: the agent's client is told, nothing else follows. Default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	InternalMessenger Permission `json:"internalMessenger,omitempty"`
	// recallMeCampaign says whether the agent may choose a campaign for calls back. There are no campaigns yet: the agent's client is told, nothing else
	// follows. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	RecallMeCampaign Permission `json:"recallMeCampaign,omitempty"`
	// modules of the desk that the agent has.
	// +optional
	// +kubebuilder:default={policy: AllowAll}
	Modules ModulePermissions `json:"modules,omitempty"`
	// downloads the agent may make.
	// +optional
	// +kubebuilder:default={}
	Downloads DownloadPermissions `json:"downloads,omitempty"`
	// contacts of the center, as far as the agent may edit them.
	// +optional
	// +kubebuilder:default={}
	Contacts ContactPermissions `json:"contacts,omitempty"`
}

// OutboundPrefixRule says whether a service prefix must be dialled.
// +kubebuilder:validation:Enum=Optional;Required
type OutboundPrefixRule string

// Values of OutboundPrefixRule.
const (
	OutboundPrefixOptional OutboundPrefixRule = "Optional"
	OutboundPrefixRequired OutboundPrefixRule = "Required"
)

// AgentChannel limits how much an agent gets of one channel.
type AgentChannel struct {
	// name of the channel. Email: capacity and autoAnswer take effect. Voice: both have no effect, for a phone takes one call of a queue at a time unless
	// its client's ringInUse says otherwise, and has an autoAnswer of its own. Chat, SMS, OpenChannel, Fax and WhatsApp: both have no effect yet, because
	// nothing brings such messages; the condition ChannelConnector of the Agent is False and names them.
	// +required
	Name AgentChannelName `json:"name"`
	// capacity is how many interactions of this channel the agent has at a time, offered and open; 0 means no limit. Default 0.
	// Follow-ups of interactions the agent already has do not count.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Capacity int32 `json:"capacity,omitempty"`
	// autoAnswer of offers of this channel.
	// +optional
	// +kubebuilder:default={state: Disabled}
	AutoAnswer ChannelAutoAnswer `json:"autoAnswer,omitempty"`
}

// AgentChannelName is a channel with a capacity.
// +kubebuilder:validation:Enum=Chat;Email;SMS;OpenChannel;Fax;WhatsApp;Voice
type AgentChannelName string

// Channels of agents.
const (
	AgentChannelChat        AgentChannelName = "Chat"
	AgentChannelEmail       AgentChannelName = "Email"
	AgentChannelSMS         AgentChannelName = "SMS"
	AgentChannelOpenChannel AgentChannelName = "OpenChannel"
	AgentChannelFax         AgentChannelName = "Fax"
	AgentChannelWhatsApp    AgentChannelName = "WhatsApp"
	AgentChannelVoice       AgentChannelName = "Voice"
)

// Agent is a person who answers calls and e-mails.
//
// Conditions: Ready, ExtensionAllocated, PasswordPolicySatisfied, SIPProvisioned, Registered, Routable, CodecsAvailable, ClientConsistent;
// ChannelConnector while channels names one that nothing brings messages of; PasswordExpired from warnBefore on; AvatarReady with avatar; NameAccepted where the ContactCenter restricts
// names; ProfileResolved with profileRef. Registered to AvatarReady do not count for Ready: a phone may be off, an agent may have no queue yet, and the others are about the PBX, the phone and what is to come.
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
// +kubebuilder:printcolumn:name="Profile",type=string,priority=1,JSONPath=`.spec.profileRef.name`
// +kubebuilder:printcolumn:name="Email",type=string,priority=1,JSONPath=`.spec.email`
// +kubebuilder:printcolumn:name="Password-Changed",type=date,priority=1,JSONPath=`.status.account.lastPasswordChangeTime`
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
