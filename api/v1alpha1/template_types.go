package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MessageType says what a message is for.
// +kubebuilder:validation:Enum=Invitation;PasswordReset;AutoReply;Layout;Notification
type MessageType string

// Values of MessageType.
const (
	MessageInvitation    MessageType = "Invitation"
	MessagePasswordReset MessageType = "PasswordReset"
	MessageAutoReply     MessageType = "AutoReply"
	MessageLayout        MessageType = "Layout"
	MessageNotification  MessageType = "Notification"
)

// MessageTemplateSpec is a text with variables. In subject and body, {{ path.to.value }} is replaced by a value: nothing else is
// possible, neither conditions nor loops. A variable that has no value in a message of this type is empty.
// +kubebuilder:validation:XValidation:rule="self.type == 'Layout' || has(self.subject)",message="subject is required, except for type Layout"
type MessageTemplateSpec struct {
	// key names the template for people and programs: 1 to 64 letters, digits, dots, _ and -. Unique in the namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
	Key string `json:"key"`
	// type decides which variables have a value. Invitation, PasswordReset: center.name, link.expires, link.url, user.alias, user.email,
	// user.extension, user.name, user.username. AutoReply, Notification: account.address, account.key, account.name, customer.address,
	// customer.name, interaction.id, mail.subject. Layout: those of AutoReply and agent.alias, agent.email, agent.extension, agent.name, content (the
	// answer; where EmailAccount.spec.template.layoutRef names the template, body.html must have it), logo (its URL). A template has an effect when another
	// object refers to it.
	// +required
	Type MessageType `json:"type"`
	// subject of the mail, one line with variables. Line breaks in a value become spaces. Required, except for type Layout, which has none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Subject string `json:"subject,omitempty"`
	// body of the mail.
	// +required
	Body MessageBody `json:"body"`
}

// MessageBody is the body of a mail as text, as HTML, or as both (RFC 2046, multipart/alternative).
// +kubebuilder:validation:XValidation:rule="has(self.text) || has(self.html)",message="text or html is required"
type MessageBody struct {
	// text is the body as plain text with variables, at most 64 Ki characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Text string `json:"text,omitempty"`
	// html is the body as HTML with variables, at most 256 Ki characters. Values are escaped: they are text there, or in an attribute in quotes, never markup.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	HTML string `json:"html,omitempty"`
}

// MessageTemplateStatus is what is known of a template.
type MessageTemplateStatus struct {
	CommonStatus `json:",inline"`
	// variables that subject and body use, the first 100.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	Variables []string `json:"variables,omitempty"`
}

// MessageTemplate is a message with variables: an invitation, a password reset, an automatic answer, a layout or a notification.
//
// Conditions: Ready, VariablesKnown.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=messagetemplates,shortName=mt,categories=ringmaster
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MessageTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec MessageTemplateSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status MessageTemplateStatus `json:"status,omitempty"`
}

// MessageTemplateList is a list of MessageTemplates.
// +kubebuilder:object:root=true
type MessageTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MessageTemplate `json:"items"`
}

// CommonStatus implements Object.
func (m *MessageTemplate) CommonStatus() *CommonStatus { return &m.Status.CommonStatus }
