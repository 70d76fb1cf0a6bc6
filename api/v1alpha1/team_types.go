package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TeamSpec describes a set of agents.
type TeamSpec struct {
	// displayName of the team. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`
	// members are the agents named in refs and those whose labels match selector.
	// +optional
	// +kubebuilder:default={}
	Members TeamMembers `json:"members,omitempty"`
	// supervisors are the agents who may listen to (*71 and the extension), whisper to (*72) and barge into (*73) the calls of those members whose
	// sip.monitoring is Allowed. At the desk they see the interactions that are with the members or were last accepted by them, and may transfer those that
	// are open, as their accounts allow. A supervisor need not be a member.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Supervisors []ObjectReference `json:"supervisors,omitempty"`
}

// TeamMembers selects agents of the namespace.
type TeamMembers struct {
	// refs are agents by name. One that does not exist is reported and joins as soon as it does.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Refs []ObjectReference `json:"refs,omitempty"`
	// selector matches agents by label. An empty selector ({}) matches all, an absent one none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// TeamStatus is who is in the team.
type TeamStatus struct {
	CommonStatus `json:",inline"`
	// memberCount of the team.
	// +optional
	// +kubebuilder:default=0
	MemberCount int32 `json:"memberCount"`
	// members by name, the first 1000.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Members []string `json:"members,omitempty"`
}

// Team is a set of agents, by name or by label.
//
// Conditions: Ready, MembersResolved.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=teams,shortName=tm,categories=ringmaster
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.memberCount`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Team struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +optional
	// +kubebuilder:default={}
	Spec TeamSpec `json:"spec,omitempty"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status TeamStatus `json:"status,omitempty"`
}

// TeamList is a list of Teams.
// +kubebuilder:object:root=true
type TeamList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Team `json:"items"`
}
