package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// InvitationsSpec mails agents a link by which they set their first password. The system mailer sends it to their spec.email. The link works once, and
// ends with every change of the password and with a newer link. Agents whose passwordManagement is Enforced get none.
type InvitationsSpec struct {
	// templateRef is a MessageTemplate of type Invitation, the text of the mail. While there is no such template, none is sent.
	// +required
	TemplateRef ObjectReference `json:"templateRef"`
	// linkBaseURL is the page of your desk client that asks for the new password; the link in the mail is this address and #token=TOKEN. The client
	// hands the token to POST /v1/password-links, as with security.passwordReset.
	// +required
	LinkBaseURL LinkBaseURL `json:"linkBaseURL"`
	// linkTTL is how long a link works. Default 168h, which is a week.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('720h')",message="linkTTL must be between 1h and 720h"
	LinkTTL *metav1.Duration `json:"linkTTL,omitempty"`
	// sendOnCreate Always invites every agent that is made from then on without a passwordSecretRef, once: when it is active and has an e-mail address,
	// and the mail can be sent. An agent that is deleted and made again, or comes back from a backup, is not invited again. Never: only by hand (kubectl
	// ringmaster invite). Default Always.
	// +optional
	// +kubebuilder:default=Always
	SendOnCreate SendOnCreate `json:"sendOnCreate,omitempty"`
}

// SendOnCreate says whether new agents are invited by themselves.
// +kubebuilder:validation:Enum=Always;Never
type SendOnCreate string

// Values of SendOnCreate.
const (
	SendAlways SendOnCreate = "Always"
	SendNever  SendOnCreate = "Never"
)

// InvitationState says how far the invitation of an agent is.
// +kubebuilder:validation:Enum=Waiting;Sent
type InvitationState string

// Values of InvitationState.
const (
	InvitationWaiting InvitationState = "Waiting"
	InvitationSent    InvitationState = "Sent"
)

// AgentInvitationStatus says what became of the invitation of an agent (ContactCenter.spec.invitations).
type AgentInvitationStatus struct {
	// state: Waiting until it can be sent, or Sent. Absent when the agent is not invited.
	// +optional
	State InvitationState `json:"state,omitempty"`
	// sentTime is when the last one was handed to the system mailer. It guards against a second one when the store was lost.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`
	// message says what a Waiting invitation waits for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// lastHandledInvite echoes the annotation ringmaster.dev/invite; each value is acted on once.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledInvite string `json:"lastHandledInvite,omitempty"`
	// refused says why the annotation in lastHandledInvite sent nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Refused string `json:"refused,omitempty"`
}
