package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ContactCenterSpec is what holds for every object of the namespace.
// +kubebuilder:validation:XValidation:rule="!has(self.security) || !has(self.security.passwordReset) || has(self.systemMail)",message="security.passwordReset needs systemMail, which sends the links"
// +kubebuilder:validation:XValidation:rule="!has(self.invitations) || has(self.systemMail)",message="invitations need systemMail, which sends them"
type ContactCenterSpec struct {
	// displayName of the center, shown to people.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`

	// extensions are the internal numbers that agents may have.
	// +optional
	// +kubebuilder:default={}
	Extensions ExtensionsSpec `json:"extensions,omitempty"`

	// validation of what people write into the objects of the center.
	// +optional
	// +kubebuilder:default={}
	Validation ValidationSpec `json:"validation,omitempty"`

	// security of sign-in.
	// +optional
	// +kubebuilder:default={}
	Security SecuritySpec `json:"security,omitempty"`

	// locale of announcements and voicemail prompts for agents that name none, a BCP 47 tag such as it or en-GB. Default en.
	// +optional
	// +kubebuilder:default="en"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[a-z]{2,3}(-[A-Z]{2})?$`
	Locale string `json:"locale,omitempty"`

	// voice rules for all agents of the center.
	// +optional
	// +kubebuilder:default={}
	Voice VoiceRules `json:"voice,omitempty"`

	// screenRecording on the agents' computers.
	// +optional
	// +kubebuilder:default={}
	ScreenRecording ScreenRecordingSpec `json:"screenRecording,omitempty"`

	// systemMail sends what Ringmaster itself writes to agents, notices of new voicemail, invitations and links to set a password. Without it none is sent, and condition SystemMailReady says so.
	// +optional
	SystemMail *SystemMail `json:"systemMail,omitempty"`

	// invitations of agents by a mail with a link to set a first password. Default: none.
	// +optional
	Invitations *InvitationsSpec `json:"invitations,omitempty"`

	// clientLogs of the agents whose clientLogs.level is not Disabled.
	// +optional
	// +kubebuilder:default={}
	ClientLogs ClientLogsSpec `json:"clientLogs,omitempty"`

	// email defaults for all accounts of the center.
	// +optional
	// +kubebuilder:default={}
	Email EmailDefaults `json:"email,omitempty"`

	// routing of all accounts of the center.
	// +optional
	// +kubebuilder:default={}
	Routing CenterRouting `json:"routing,omitempty"`
}

// ValidationSpec are rules of the center's own, beyond those that every center has.
type ValidationSpec struct {
	// nameCharacters Restricted: fullName of an Agent may hold letters and decimal digits of any script, blanks, backslashes, underscores and hyphens only, for
	// systems behind the PBX that take no more. Others are refused at admission; agents that were there before go on to work, and their condition NameAccepted is
	// False. Any: whatever fullName itself permits. Default Any.
	// +optional
	// +kubebuilder:default=Any
	NameCharacters NameCharacters `json:"nameCharacters,omitempty"`
}

// NameCharacters says what the names of people may be written with.
// +kubebuilder:validation:Enum=Any;Restricted
type NameCharacters string

// Values of NameCharacters.
const (
	NameCharactersAny        NameCharacters = "Any"
	NameCharactersRestricted NameCharacters = "Restricted"
)

// VoiceRules hold for the calls of all agents.
type VoiceRules struct {
	// forbiddenForwardPrefixes are beginnings of numbers that no agent may forward calls to, however written (+39, 0039 and spaces are seen through), against
	// toll fraud. A forwarding already set ends when its number becomes forbidden. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=20
	// +kubebuilder:validation:items:Pattern=`^\+?[0-9*#]+$`
	ForbiddenForwardPrefixes []string `json:"forbiddenForwardPrefixes,omitempty"`
	// phonebarControl PhonebarOnly: an agent of typology Phonebar signs in, pauses and signs out at the phonebar, and a client that calls itself Web only shows
	// it. Any: everywhere. Default PhonebarOnly.
	// +optional
	// +kubebuilder:default=PhonebarOnly
	// +kubebuilder:validation:Enum=Any;PhonebarOnly
	PhonebarControl string `json:"phonebarControl,omitempty"`
}

// SystemMail names the sender of Ringmaster's own mails.
type SystemMail struct {
	// emailAccountRef is the EmailAccount whose smtp section sends them, from its address and displayName.
	// +required
	EmailAccountRef ObjectReference `json:"emailAccountRef"`
}

// ScreenRecordingSpec is handed to phonebars in the profile.
type ScreenRecordingSpec struct {
	// pathTemplate of the files on the agent's computer or a share. Tokens: {agentID}, {agentName}, {yyyy}, {MM}, {dd}; no "..". Profile only. Default
	// Video/{agentID}_{agentName}/{yyyy}/{MM}/{dd}/
	// +optional
	// +kubebuilder:default="Video/{agentID}_{agentName}/{yyyy}/{MM}/{dd}/"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f<>"|?*]+$`
	// +kubebuilder:validation:XValidation:rule="!self.contains('..') && self.replace('{agentID}', '').replace('{agentName}', '').replace('{yyyy}', '').replace('{MM}', '').replace('{dd}', '').matches('^[^{}]*$')",message="pathTemplate must not contain .. or a token other than {agentID}, {agentName}, {yyyy}, {MM} and {dd}"
	PathTemplate string `json:"pathTemplate,omitempty"`
}

// ExtensionsSpec says which internal numbers exist.
type ExtensionsSpec struct {
	// ranges that extensions are allocated from, in this order; an extension given in an Agent must lie in one of them.
	// Default: 1000 to 9999.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:default={{from: "1000", to: "9999"}}
	Ranges []ExtensionRange `json:"ranges,omitempty"`

	// quarantine is how long the number of a deleted agent is not given to anybody else, so that callers do not reach
	// a stranger. The same agent, applied again, gets it back at once. Default 24h; 0s turns it off.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="quarantine must be between 0s and 8760h"
	Quarantine *metav1.Duration `json:"quarantine,omitempty"`
}

// ExtensionRange is inclusive on both ends.
// +kubebuilder:validation:XValidation:rule="size(self.from) == size(self.to) && int(self.from) <= int(self.to)",message="from and to must have the same number of digits, and from must not be greater than to"
type ExtensionRange struct {
	// from is the first number, 2 to 10 digits.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{2,10}$`
	From string `json:"from"`
	// to is the last number, as many digits as from.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{2,10}$`
	To string `json:"to"`
}

// SecuritySpec governs how people sign in.
type SecuritySpec struct {
	// suite switches the strong-password rules. Disabled leaves one rule: a password must not be empty. Default Enabled.
	// +optional
	// +kubebuilder:default=Enabled
	Suite SwitchState `json:"suite,omitempty"`
	// passwordPolicy of agents' sign-in passwords. It holds while suite is Enabled, at admission of the
	// Secret, in every reconcile and for changes made through the desk.
	// +optional
	// +kubebuilder:default={}
	PasswordPolicy PasswordPolicySpec `json:"passwordPolicy,omitempty"`
	// masking of customers' data for agents whose sensitiveData is Masked.
	// +optional
	// +kubebuilder:default={}
	Masking MaskingSpec `json:"masking,omitempty"`
	// lockout after wrong passwords, whatever suite is.
	// +optional
	// +kubebuilder:default={}
	Lockout LockoutSpec `json:"lockout,omitempty"`
	// expiredPasswordAction is what becomes of an agent's phone when the sign-in password has expired (passwordPolicy.maxAge). KeepPhone: it goes on, with a
	// password of its own. WithdrawPhone: no PBX knows it until the agent has a new password, so that it neither calls nor is called. Default KeepPhone.
	// +optional
	// +kubebuilder:default=KeepPhone
	ExpiredPasswordAction ExpiredPasswordAction `json:"expiredPasswordAction,omitempty"`
	// acceptAnyCertificate Denied refuses e-mail accounts with certificateValidation AcceptAny; those that exist stop to work. Default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	AcceptAnyCertificate Permission `json:"acceptAnyCertificate,omitempty"`
	// passwordReset by a mail. Default: none, administrators set forgotten passwords.
	// +optional
	PasswordReset *PasswordResetSpec `json:"passwordReset,omitempty"`
}

// PasswordPolicySpec can be made stricter than the defaults, not weaker: the defaults are the minimum.
// +kubebuilder:validation:XValidation:rule="!has(self.maxAge) || !has(self.warnBefore) || duration(self.maxAge) == duration('0s') || duration(self.warnBefore) < duration(self.maxAge)",message="warnBefore must be shorter than maxAge"
type PasswordPolicySpec struct {
	// minLength in characters. Default 8.
	// +optional
	// +kubebuilder:default=8
	// +kubebuilder:validation:Minimum=8
	// +kubebuilder:validation:Maximum=128
	MinLength int32 `json:"minLength,omitempty"`
	// minLowercase letters. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=8
	MinLowercase *int32 `json:"minLowercase,omitempty"`
	// minUppercase letters. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=8
	MinUppercase *int32 `json:"minUppercase,omitempty"`
	// minDigits. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=8
	MinDigits *int32 `json:"minDigits,omitempty"`
	// minSpecials is how many characters of specialCharacters are needed. Others are allowed but do not count. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=8
	MinSpecials *int32 `json:"minSpecials,omitempty"`
	// specialCharacters that count for minSpecials, printable ASCII. Default ~!@#$%^&-_=+[{]}
	// +optional
	// +kubebuilder:default="~!@#$%^&-_=+[{]}"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[\x20-\x7e]+$`
	SpecialCharacters string `json:"specialCharacters,omitempty"`
	// historySize is how many of the last passwords must not be used again; 1 means that a new password differs
	// from the present one. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=12
	HistorySize int32 `json:"historySize,omitempty"`
	// maxAge of a password, after which it must be changed before the agent can sign in; 0s lets passwords hold for ever. What becomes of the phone is
	// security.expiredPasswordAction. Default 2160h, which is 90 days.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:XValidation:rule="duration(self) == duration('0s') || (duration(self) >= duration('24h') && duration(self) <= duration('87600h'))",message="maxAge must be 0s or between 24h and 87600h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// warnBefore the end of maxAge, the agent is told at every sign-in. Default 360h, which is 15 days.
	// +optional
	// +kubebuilder:default="360h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('87600h')",message="warnBefore must be between 0s and 87600h"
	WarnBefore *metav1.Duration `json:"warnBefore,omitempty"`
}

// EmailDefaults for accounts that do not say otherwise.
type EmailDefaults struct {
	// pollInterval between looks into a mailbox whose server cannot notify (IDLE, RFC 2177), with ±10 % jitter. A mailbox whose server can is looked
	// through at every notice and every 9 minutes. Default 60s.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('1h')",message="pollInterval must be between 10s and 1h"
	PollInterval *metav1.Duration `json:"pollInterval,omitempty"`
	// maxConcurrentPolls is how many mailboxes of the center one manager looks through at once because their pollInterval is over; the others wait for their
	// turn, first come, first served. A look lasts until what it found is stored. Mailboxes whose server notifies (IDLE) do not count. 1 to 1000; default 32.
	// +optional
	// +kubebuilder:default=32
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxConcurrentPolls int32 `json:"maxConcurrentPolls,omitempty"`
	// fromName is the sender's name on answers: Account (the account's displayName) or Alias (the agent's alias, else fullName).
	// Default Account.
	// +optional
	// +kubebuilder:default=Account
	// +kubebuilder:validation:Enum=Account;Alias
	FromName string `json:"fromName,omitempty"`
	// contactListRef is the ContactList of accounts that name none. Default: none, their customers become no contacts.
	// +optional
	ContactListRef *ObjectReference `json:"contactListRef,omitempty"`
}

// Values of EmailDefaults.FromName.
const (
	FromAccount = "Account"
	FromAlias   = "Alias"
)

// ContactCenterStatus counts what the center consists of.
type ContactCenterStatus struct {
	CommonStatus `json:",inline"`
	// agents in the namespace.
	// +optional
	// +kubebuilder:default=0
	Agents int32 `json:"agents"`
	// readyAgents is how many of them are Ready.
	// +optional
	// +kubebuilder:default=0
	ReadyAgents int32 `json:"readyAgents"`
	// queues in the namespace.
	// +optional
	// +kubebuilder:default=0
	Queues int32 `json:"queues"`
	// pbxes in the namespace.
	// +optional
	// +kubebuilder:default=0
	PBXes int32 `json:"pbxes"`
	// emailAccounts in the namespace.
	// +optional
	// +kubebuilder:default=0
	EmailAccounts int32 `json:"emailAccounts"`
	// notices of what ends within 30 days or has ended, the soonest first, at most 50.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Notices []CenterNotice `json:"notices,omitempty"`
}

// CenterNotice tells administrators to renew something.
type CenterNotice struct {
	// type CertificateExpires: the certificate that a PBX's TLS and WSS listeners serve. AuthorizationRequired: the mail provider of an account wants to be
	// asked again (OAuth 2.0).
	// +required
	Type CenterNoticeType `json:"type"`
	// object it is about, as kind/name: PBX/main.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=270
	Object string `json:"object"`
	// time when the certificate ends, or since when the account does not work.
	// +required
	Time metav1.Time `json:"time,omitzero"`
}

// CenterNoticeType is the kind of a notice.
// +kubebuilder:validation:Enum=CertificateExpires;AuthorizationRequired
type CenterNoticeType string

// Kinds of notices.
const (
	NoticeCertificateExpires    CenterNoticeType = "CertificateExpires"
	NoticeAuthorizationRequired CenterNoticeType = "AuthorizationRequired"
)

// ContactCenter turns its namespace into a contact center. A namespace holds exactly one.
//
// Conditions: Ready, SystemMailReady, PasswordResetReady, InvitationsReady. The last three do not count for Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=contactcenters,shortName=cc,categories=ringmaster
// +kubebuilder:printcolumn:name="Agents",type=integer,JSONPath=`.status.agents`
// +kubebuilder:printcolumn:name="Ready-Agents",type=integer,JSONPath=`.status.readyAgents`
// +kubebuilder:printcolumn:name="Queues",type=integer,JSONPath=`.status.queues`
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.emailAccounts`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ContactCenter struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +optional
	// +kubebuilder:default={}
	Spec ContactCenterSpec `json:"spec,omitempty"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ContactCenterStatus `json:"status,omitempty"`
}

// ContactCenterList is a list of ContactCenters.
// +kubebuilder:object:root=true
type ContactCenterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ContactCenter `json:"items"`
}
