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
	// markAsUnread Allowed lets agents mark an interaction they see as unread again. The mail on the server keeps its flags. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	MarkAsUnread Permission `json:"markAsUnread,omitempty"`
}
