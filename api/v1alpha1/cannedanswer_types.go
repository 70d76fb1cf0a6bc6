package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConfigMapKeyReference names one key of a ConfigMap in the same namespace. The ConfigMap carries the label
// ringmaster.dev/content, with any value; without it Ringmaster does not read the ConfigMap.
type ConfigMapKeyReference struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the ConfigMap's data or binaryData.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key"`
}

// MaxCannedFile is the size of an attachment of a canned answer at most, in bytes.
const MaxCannedFile = 16 << 20

// CannedAnswerSetSpec describes texts that agents put into their answers.
// +kubebuilder:validation:XValidation:rule="self.scope == 'Queue' ? has(self.queueRef) : !has(self.queueRef)",message="queueRef is required for scope Queue and forbidden for the others"
// +kubebuilder:validation:XValidation:rule="self.scope == 'EmailAccount' || !has(self.emailAccountRef)",message="emailAccountRef is only for scope EmailAccount"
// +kubebuilder:validation:XValidation:rule="self.scope == 'ContactList' ? has(self.contactListRef) : !has(self.contactListRef)",message="contactListRef is required for scope ContactList and forbidden for the others"
type CannedAnswerSetSpec struct {
	// scope: Global (every interaction), EmailAccount (those of emailAccountRef and of the accounts that name the set in cannedAnswerSetRefs), ContactList
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
	// items in the order agents see them.
	// +required
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Items []CannedAnswer `json:"items"`
}

// CannedAnswer is one text.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="exactly one of value and valueFrom is required"
type CannedAnswer struct {
	// key that agents call it by: 1 to 32 letters, digits, _, . and -, unique in the set. Where two sets of an interaction have the same, the account's counts
	// before the queue's, that before the contact list's, and that before a global one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]+$`
	Key string `json:"key"`
	// value is plain text with {{ path.to.value }} variables, at most 64 KiB (65536 characters). The variables are those of the account's layout
	// without content and logo; one without a value is empty.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Value string `json:"value,omitempty"`
	// valueFrom takes the text from elsewhere. An answer whose text cannot be had is left out and named in the condition ValuesReady.
	// +optional
	ValueFrom *CannedValueSource `json:"valueFrom,omitempty"`
	// description is shown to agents. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Description string `json:"description,omitempty"`
	// attachments that go with the answer. One that cannot be had is left out and named in the condition AttachmentsReady.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Attachments []CannedAttachment `json:"attachments,omitempty"`
}

// MaxCannedValue is the size of the text of a canned answer that comes from elsewhere at most, in bytes.
const MaxCannedValue = 64 << 10

// CannedValueSource is where the text of a canned answer is.
type CannedValueSource struct {
	// configMapKeyRef is the key that holds the text: UTF-8 as in value, at most 64 KiB. A change is taken over at once.
	// +required
	ConfigMapKeyRef ConfigMapKeyReference `json:"configMapKeyRef"`
}

// CannedAttachment is a file of a canned answer.
// +kubebuilder:validation:XValidation:rule="has(self.configMapKeyRef) != has(self.url)",message="exactly one of configMapKeyRef and url is required"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || has(self.sha256)",message="sha256 is required with url"
type CannedAttachment struct {
	// name the customer sees, at most 255 characters; its ending says what kind of file it is.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f/\\"]+$`
	Name string `json:"name"`
	// configMapKeyRef is where the content is; at most 1 MiB, as a ConfigMap.
	// +optional
	ConfigMapKeyRef *ConfigMapKeyReference `json:"configMapKeyRef,omitempty"`
	// url (http or https) that the content is fetched from once, at most 16 MiB, by the manager: from its network, but not from the machine it runs on nor
	// from link-local addresses. Redirects are followed on the same server only.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[!-~]+$`
	URL string `json:"url,omitempty"`
	// sha256 of the content, 64 lower-case hex digits. Other content is not taken. Changing it fetches anew. Required with url.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	SHA256 string `json:"sha256,omitempty"`
}

// CannedAnswerSetStatus is what is known of a set.
type CannedAnswerSetStatus struct {
	CommonStatus `json:",inline"`
	// itemCount of the set that agents see.
	// +optional
	// +kubebuilder:default=0
	ItemCount int32 `json:"itemCount"`
}

// CannedAnswerSet is a list of texts, with attachments, that agents put into their answers.
//
// Conditions: Ready, AttachmentsReady, ValuesReady.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=cannedanswersets,shortName=canned,categories=ringmaster
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope`
// +kubebuilder:printcolumn:name="Items",type=integer,JSONPath=`.status.itemCount`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type CannedAnswerSet struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec CannedAnswerSetSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status CannedAnswerSetStatus `json:"status,omitempty"`
}

// CannedAnswerSetList is a list of CannedAnswerSets.
// +kubebuilder:object:root=true
type CannedAnswerSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CannedAnswerSet `json:"items"`
}

// CommonStatus implements Object.
func (c *CannedAnswerSet) CommonStatus() *CommonStatus { return &c.Status.CommonStatus }
