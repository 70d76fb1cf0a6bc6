package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ContactDeletionPolicy says what becomes of contacts.
// +kubebuilder:validation:Enum=Retain;Purge
type ContactDeletionPolicy string

// Values of ContactDeletionPolicy.
const (
	ContactsRetain ContactDeletionPolicy = "Retain"
	ContactsPurge  ContactDeletionPolicy = "Purge"
)

// ContactListSpec describes a list of customers. The contacts themselves are in Ringmaster's store, never in Kubernetes.
type ContactListSpec struct {
	// displayName for people. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`

	// description is free text for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// deletionPolicy of the contacts when the list is deleted. Retain keeps them in the store, where nobody sees them until a list of the same name is
	// applied. Purge removes them. Default Retain.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy ContactDeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ContactListStatus is what is known of a list.
type ContactListStatus struct {
	CommonStatus `json:",inline"`
	// contacts in the list, up to ten seconds old.
	// +optional
	// +kubebuilder:default=0
	Contacts int64 `json:"contacts"`
}

// ContactList is where those who write to EmailAccounts become contacts, one for each address.
//
// Conditions: Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=contactlists,shortName=contacts,categories=ringmaster
// +kubebuilder:printcolumn:name="Display-Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Contacts",type=integer,JSONPath=`.status.contacts`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ContactList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +optional
	// +kubebuilder:default={}
	Spec ContactListSpec `json:"spec,omitempty"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ContactListStatus `json:"status,omitempty"`
}

// ContactListList is a list of ContactLists.
// +kubebuilder:object:root=true
type ContactListList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ContactList `json:"items"`
}

// CommonStatus implements Object.
func (c *ContactList) CommonStatus() *CommonStatus { return &c.Status.CommonStatus }
