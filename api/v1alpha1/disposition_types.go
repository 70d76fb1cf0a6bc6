package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxDispositionDepth is how many levels a DispositionSet has at most.
const MaxDispositionDepth = 3

// SetScope says which interactions a set is for.
// +kubebuilder:validation:Enum=Global;EmailAccount;ContactList;Queue
type SetScope string

// Values of SetScope.
const (
	ScopeGlobal       SetScope = "Global"
	ScopeEmailAccount SetScope = "EmailAccount"
	ScopeContactList  SetScope = "ContactList"
	ScopeQueue        SetScope = "Queue"
)

// DispositionSetSpec describes the results agents classify conversations by.
// +kubebuilder:validation:XValidation:rule="self.scope == 'Queue' ? has(self.queueRef) : !has(self.queueRef)",message="queueRef is required for scope Queue and forbidden for the others"
// +kubebuilder:validation:XValidation:rule="self.scope == 'EmailAccount' || !has(self.emailAccountRef)",message="emailAccountRef is only for scope EmailAccount"
// +kubebuilder:validation:XValidation:rule="self.scope == 'ContactList' ? has(self.contactListRef) : !has(self.contactListRef)",message="contactListRef is required for scope ContactList and forbidden for the others"
// +kubebuilder:validation:XValidation:rule="[self.items.filter(i, !has(i.parent)).map(i, i.name)].all(first, [self.items.filter(i, has(i.parent) && i.parent in first).map(i, i.name)].all(second, self.items.all(i, !has(i.parent) || i.parent in first || i.parent in second)))",message="every parent must be an item of the set, without cycles and at most 3 levels deep"
type DispositionSetSpec struct {
	// scope: Global (every interaction), EmailAccount (those of emailAccountRef and of the accounts that name the set in dispositionSetRefs), ContactList
	// (those of the accounts that store their contacts in contactListRef) or Queue (those of queueRef). Accounts may name a set of any scope. Default Global.
	// +optional
	// +kubebuilder:default=Global
	Scope SetScope `json:"scope,omitempty"`
	// emailAccountRef is the account of scope EmailAccount. Absent: only accounts that name the set have it. One that does not exist yet
	// gets the set when it does.
	// +optional
	EmailAccountRef *ObjectReference `json:"emailAccountRef,omitempty"`
	// queueRef is the queue of scope Queue.
	// +optional
	QueueRef *ObjectReference `json:"queueRef,omitempty"`
	// contactListRef is the ContactList of scope ContactList.
	// +optional
	ContactListRef *ObjectReference `json:"contactListRef,omitempty"`
	// items in the order agents see them, level by level.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Items []Disposition `json:"items"`
}

// Disposition is one result of a conversation.
type Disposition struct {
	// name, 1 to 80 characters, unique in the set. It has no slash: an interaction keeps the whole path, such as Sales/Offer/Accepted.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x20\x7f/]([^\x00-\x1f\x7f/]*[^\x00-\x20\x7f/])?$`
	Name string `json:"name"`
	// description is shown to agents. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Description string `json:"description,omitempty"`
	// parent is the name of the item one level above. Absent: the first level. There are at most three.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Parent string `json:"parent,omitempty"`
}

// DispositionSetStatus is what is known of a set.
type DispositionSetStatus struct {
	CommonStatus `json:",inline"`
	// itemCount of the set that agents see.
	// +optional
	// +kubebuilder:default=0
	ItemCount int32 `json:"itemCount"`
}

// DispositionSet is a list of results, up to three levels deep, by which agents classify conversations.
//
// Conditions: Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=dispositionsets,shortName=disp,categories=ringmaster
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope`
// +kubebuilder:printcolumn:name="Items",type=integer,JSONPath=`.status.itemCount`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DispositionSet struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec DispositionSetSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status DispositionSetStatus `json:"status,omitempty"`
}

// DispositionSetList is a list of DispositionSets.
// +kubebuilder:object:root=true
type DispositionSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DispositionSet `json:"items"`
}

// CommonStatus implements Object.
func (d *DispositionSet) CommonStatus() *CommonStatus { return &d.Status.CommonStatus }
