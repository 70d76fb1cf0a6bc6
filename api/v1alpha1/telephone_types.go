package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TelephoneSpec describes a phone without a person: a hot desk.
// +kubebuilder:validation:XValidation:rule="has(oldSelf.username) == has(self.username)",message="username is immutable: it cannot be added or removed later"
type TelephoneSpec struct {
	// displayName says where the telephone is, as agents see it when they choose one. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f";<>,=\[\]|]*$`
	DisplayName string `json:"displayName,omitempty"`
	// username is the SIP user and the user of digest authentication of the phone. It begins with a letter, so that it is no extension; unique in the
	// namespace among telephones and agents, immutable. Default: metadata.name, which then must be a legal username.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9._-]{0,63}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="username is immutable"
	Username string `json:"username,omitempty"`
	// sip is the account of the phone.
	// +optional
	// +kubebuilder:default={registration: {mode: Dynamic}}
	SIP SIPAccount `json:"sip,omitempty"`
}

// TelephoneStatus is what is known of a telephone.
type TelephoneStatus struct {
	CommonStatus `json:",inline"`
	// sip account.
	// +optional
	SIP SIPStatus `json:"sip,omitempty"`
	// agent who sits at the telephone now, by name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Agent string `json:"agent,omitempty"`
}

// Telephone is a hot-desk phone: an agent with hotDesk signs in at it, and the agent's extension rings there until sign-out.
//
// Conditions: Ready, SIPProvisioned, Registered. Registered does not count for Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=telephones,shortName=tel,categories=ringmaster
// +kubebuilder:printcolumn:name="Display-Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Phone",type=string,JSONPath=`.status.sip.state`
// +kubebuilder:printcolumn:name="Agent",type=string,JSONPath=`.status.agent`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.username) || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9._-]{0,63}$')",message="spec.username is required because metadata.name is not a legal username (a letter, then letters, digits, dot, underscore and dash, at most 64)"
type Telephone struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +optional
	// +kubebuilder:default={}
	Spec TelephoneSpec `json:"spec,omitempty"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status TelephoneStatus `json:"status,omitempty"`
}

// Username in effect.
func (t *Telephone) Username() string {
	if t.Spec.Username != "" {
		return t.Spec.Username
	}
	return t.Name
}

// SIPSecretName of the Secret that holds the phone's password: the generated one.
func (t *Telephone) SIPSecretName() string { return t.Name + "-telephone-sip" }

// TelephoneList is a list of Telephones.
// +kubebuilder:object:root=true
type TelephoneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Telephone `json:"items"`
}
