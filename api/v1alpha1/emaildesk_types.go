package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EmailAgents are the agents who see all interactions of an account at the desk: those named, the members of the teams, and those whose labels
// match, together. Every other agent sees what is offered to or open with them.
type EmailAgents struct {
	// refs are agents by name. One that does not exist is reported and joins as soon as it does.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Refs []ObjectReference `json:"refs,omitempty"`
	// teamRefs are Teams whose members see them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	TeamRefs []ObjectReference `json:"teamRefs,omitempty"`
	// selector matches agents by label. An empty selector ({}) matches all, an absent one none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// EmailAgentActions are what agents may do with the interactions of an account beyond answering them.
type EmailAgentActions struct {
	// markAsUnread Allowed lets agents mark an interaction they see as unread again. Agents with role Admin may in any case. The mail on the server keeps its flags unless imap.syncFlags is TwoWay. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	MarkAsUnread Permission `json:"markAsUnread,omitempty"`
}

// EmailForwarding is what goes with a message that an agent forwards.
type EmailForwarding struct {
	// includeHistory Include adds the earlier messages of both sides below the customer's last one; Exclude forwards that one alone. Default Exclude.
	// +optional
	// +kubebuilder:default=Exclude
	// +kubebuilder:validation:Enum=Include;Exclude
	IncludeHistory string `json:"includeHistory,omitempty"`
}

// EmailDrafts are how agents' clients keep answers that are not sent yet.
type EmailDrafts struct {
	// autosave Enabled asks clients to keep the draft by themselves; Disabled leaves it to the agent. The desk API keeps drafts either way. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	Autosave SwitchState `json:"autosave,omitempty"`
	// interval between two autosaves while the text changes, in whole seconds. Default 5s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('60s')",message="interval must be between 1s and 60s"
	Interval *metav1.Duration `json:"interval,omitempty"`
}
