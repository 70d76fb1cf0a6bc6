package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	SIP SIPStatus `json:"sip,omitempty"`
	// presence at the desk.
	// +optional
	Presence AgentPresence `json:"presence,omitempty"`
	// session of the agent's clients at the desk.
	// +optional
	Session AgentSession `json:"session,omitempty"`
	// voicemail box.
	// +optional
	Voicemail AgentVoicemailStatus `json:"voicemail,omitempty"`
	// lastSpecChangeTime is when the controller first saw the present generation of the spec.
	// +optional
	LastSpecChangeTime *metav1.Time `json:"lastSpecChangeTime,omitempty"`
	// account for sign-in.
	// +optional
	Account AgentAccountStatus `json:"account,omitempty"`
	// invitation to set a first password.
	// +optional
	Invitation AgentInvitationStatus `json:"invitation,omitempty"`
	// emailCapacity is how many e-mails the agent has at a time, offered and open: a number, or Unlimited.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	EmailCapacity string `json:"emailCapacity,omitempty"`
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
	// modulesSnapshot are the modules of the desk that existed when the agent was created, and those released since while permissions.modules.newModules was Allow.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ModulesSnapshot []ModuleName `json:"modulesSnapshot,omitempty"`
	// effective settings, of those that an AgentProfile may have: the agent's own, else the profile's, else the ContactCenter's, else the defaults.
	// +optional
	Effective AgentEffective `json:"effective,omitzero"`
	// queueSummary is queues as one string, for the printer column.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	QueueSummary string `json:"queueSummary,omitempty"`
}

// AgentEffective are an agent's settings after all layers.
type AgentEffective struct {
	// profile that took part last, by name. Empty where the agent refers to none, or to one that was never there.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Profile string `json:"profile,omitempty"`

	AgentSettings `json:",inline"`
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
	// telephone the agent sits at (hot desk), by name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Telephone string `json:"telephone,omitempty"`
	// source is the kind of client that set the state: Phonebar, Web or Other.
	// +optional
	// +kubebuilder:validation:Enum=Phonebar;Web;Other
	Source string `json:"source,omitempty"`
	// forwardTo is the number that direct calls are forwarded to, as the agent set it at the desk.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	ForwardTo string `json:"forwardTo,omitempty"`
}

// AgentSession is the connection of an agent's clients to the desk.
type AgentSession struct {
	// state Connected: a client follows the event stream. Reconnecting: the agent is signed in, and the last client broke off within the last minute.
	// Disconnected: neither; offers then reach nobody's screen.
	// +optional
	// +kubebuilder:validation:Enum=Connected;Reconnecting;Disconnected
	State string `json:"state,omitempty"`
}

// AgentVoicemailStatus counts the messages in an agent's box, over all PBXes.
type AgentVoicemailStatus struct {
	// unread messages.
	// +optional
	// +kubebuilder:default=0
	Unread int32 `json:"unread"`
	// read messages that are kept.
	// +optional
	// +kubebuilder:default=0
	Read int32 `json:"read"`
}

// AgentAccountStatus for sign-in.
type AgentAccountStatus struct {
	// summary: Active, Deactivated, Locked, NoPassword or PasswordExpired.
	// +optional
	// +kubebuilder:validation:Enum=Active;Deactivated;Locked;NoPassword;PasswordExpired
	Summary string `json:"summary,omitempty"`
	// lastPasswordChangeTime by Secret or by the agent.
	// +optional
	LastPasswordChangeTime *metav1.Time `json:"lastPasswordChangeTime,omitempty"`
	// passwordExpiresTime is when the password must be changed (ContactCenter.spec.security.passwordPolicy.maxAge); absent when it holds for ever.
	// +optional
	PasswordExpiresTime *metav1.Time `json:"passwordExpiresTime,omitempty"`
	// lockState is Locked after too many wrong passwords (ContactCenter.spec.security.lockout), until an administrator sets the annotation ringmaster.dev/unlock.
	// +optional
	LockState LockState `json:"lockState,omitempty"`
	// lockedTime is when that happened.
	// +optional
	LockedTime *metav1.Time `json:"lockedTime,omitempty"`
	// lastUnlockTime is when a lock was last released.
	// +optional
	LastUnlockTime *metav1.Time `json:"lastUnlockTime,omitempty"`
	// lastHandledUnlock echoes the annotation ringmaster.dev/unlock; each value is acted on once.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledUnlock string `json:"lastHandledUnlock,omitempty"`
	// passwordSecretVersion is the resourceVersion of the Secret that was applied last.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	PasswordSecretVersion string `json:"passwordSecretVersion,omitempty"`
}
