package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LockoutSpec locks the accounts of agents at whose sign-in wrong passwords were given.
type LockoutSpec struct {
	// maxAttempts is how many wrong passwords in a row, at sign-in or at a change of the password, lock the account; 0 never locks. A locked account
	// cannot sign in until an administrator unlocks it (annotation ringmaster.dev/unlock of the Agent); its running sessions and its phone go on. See
	// phoneSignIns for the wrong passwords of phones. Default 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	MaxAttempts *int32 `json:"maxAttempts,omitempty"`
	// phoneSignIns Counted: a wrong SIP password for an agent's extension counts as a wrong password at the desk does, one for each second at most; a phone that
	// signs in with the right one takes nothing off the count. Ignored: only the desk counts; choose it where strangers reach the PBX, since anybody who knows
	// an extension can lock its agent out of the desk. Neither takes a phone away: the lock is of the desk. Default Counted.
	// +optional
	// +kubebuilder:default=Counted
	PhoneSignIns PhoneSignIns `json:"phoneSignIns,omitempty"`
}

// PhoneSignIns says whether wrong passwords of phones count.
// +kubebuilder:validation:Enum=Counted;Ignored
type PhoneSignIns string

// Values of PhoneSignIns.
const (
	PhoneSignInsCounted PhoneSignIns = "Counted"
	PhoneSignInsIgnored PhoneSignIns = "Ignored"
)

// ExpiredPasswordAction says what an expired password does to the phone.
// +kubebuilder:validation:Enum=KeepPhone;WithdrawPhone
type ExpiredPasswordAction string

// Values of ExpiredPasswordAction.
const (
	KeepPhone     ExpiredPasswordAction = "KeepPhone"
	WithdrawPhone ExpiredPasswordAction = "WithdrawPhone"
)

// LockState of an agent's account.
// +kubebuilder:validation:Enum=Locked;Unlocked
type LockState string

// Values of LockState.
const (
	Locked   LockState = "Locked"
	Unlocked LockState = "Unlocked"
)

// PasswordResetSpec lets agents who forgot their password set a new one by a link in a mail to their spec.email. The system mailer sends it. Agents
// whose passwordManagement is Enforced get none. A locked account stays locked.
type PasswordResetSpec struct {
	// linkBaseURL is the page of your desk client that asks for the new password; the link in the mail is this address and #token=TOKEN. The client
	// hands the token to POST /v1/password-links.
	// +required
	LinkBaseURL LinkBaseURL `json:"linkBaseURL"`
	// linkTTL is how long a link works; it works once. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5m') && duration(self) <= duration('24h')",message="linkTTL must be between 5m and 24h"
	LinkTTL *metav1.Duration `json:"linkTTL,omitempty"`
	// templateRef is a MessageTemplate of type PasswordReset, the text of the mail. Default, and while there is
	// no such template: a short text in English.
	// +optional
	TemplateRef *ObjectReference `json:"templateRef,omitempty"`
}

// LinkBaseURL is the address of a page, over HTTPS and without a fragment.
// +kubebuilder:validation:MinLength=9
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:Pattern=`^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\x00-\x20"#<>\x7f-\x{10ffff}]*)?$`
type LinkBaseURL string
