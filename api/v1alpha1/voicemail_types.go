package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AgentVoicemail is the agent's voicemail box.
// +kubebuilder:validation:XValidation:rule="self.state != 'Enabled' || has(self.pinSecretRef)",message="pinSecretRef is required when state is Enabled"
type AgentVoicemail struct {
	// state Enabled creates a box with the agent's extension as its number; unanswered calls go there. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// pinSecretRef is the PIN that *97 asks for: 4 to 10 digits, not the extension. A PIN that the owner changes by telephone holds until the value in the
	// Secret changes.
	// +optional
	PINSecretRef *SecretKeyReference `json:"pinSecretRef,omitempty"`
	// greeting that callers hear: Standard (the owner's own recording or else a standard text, then how to leave a message), Instructions (only how to leave a
	// message), Silent (only the tone). Default Standard.
	// +optional
	// +kubebuilder:default=Standard
	Greeting VoicemailGreeting `json:"greeting,omitempty"`
	// maxMessages in the box; a full box takes no more. Default 100.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999
	MaxMessages int32 `json:"maxMessages,omitempty"`
	// maxMessageLength of one message. Default 3m.
	// +optional
	// +kubebuilder:default="3m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",message="maxMessageLength must be between 5s and 1h"
	MaxMessageLength *metav1.Duration `json:"maxMessageLength,omitempty"`
	// notification Email sends a mail to the agent's email for every new message, by the system mailer of the ContactCenter; the message itself stays
	// on the PBX. Default None.
	// +optional
	// +kubebuilder:default=None
	// +kubebuilder:validation:Enum=None;Email
	Notification string `json:"notification,omitempty"`
	// deletionPolicy of the messages when the agent is deleted or state becomes Disabled: Retain keeps them on the PBX, and the same agent finds them again;
	// whoever gets the extension later does not. Purge removes them. Default Retain.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy VoicemailDeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Values of AgentVoicemail.Notification.
const (
	VoicemailNotifyNone  = "None"
	VoicemailNotifyEmail = "Email"
)

// VoicemailGreeting is what a caller hears before the tone.
// +kubebuilder:validation:Enum=Standard;Instructions;Silent
type VoicemailGreeting string

// Greetings.
const (
	GreetingStandard     VoicemailGreeting = "Standard"
	GreetingInstructions VoicemailGreeting = "Instructions"
	GreetingSilent       VoicemailGreeting = "Silent"
)

// VoicemailDeletionPolicy says what becomes of messages.
// +kubebuilder:validation:Enum=Retain;Purge
type VoicemailDeletionPolicy string

// Values of VoicemailDeletionPolicy.
const (
	VoicemailRetain VoicemailDeletionPolicy = "Retain"
	VoicemailPurge  VoicemailDeletionPolicy = "Purge"
)
