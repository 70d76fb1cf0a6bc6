package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RoutingFlowSpec says what becomes of a new interaction.
type RoutingFlowSpec struct {
	// description is free text for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
	// steps are done in their order. A flow goes only forward: it ends with a step that somebody took the interaction from, with close, or after
	// the last step, when the interaction is Unread. A mail that a machine wrote (an out-of-office reply, a delivery report, a mailing list)
	// passes queue, agent, wait and close, except those whose condition asks for mail.automatic.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Steps []FlowStep `json:"steps"`
}

// FlowStep is one step: exactly one of queue, agent, autoReply, tag, close and wait.
// +kubebuilder:validation:XValidation:rule="[has(self.queue), has(self.agent), has(self.autoReply), has(self.tag), has(self.close), has(self.wait)].filter(x, x).size() == 1",message="a step has exactly one of queue, agent, autoReply, tag, close and wait"
type FlowStep struct {
	// name of the step, which the history of interactions shows. An interaction that waits at a step goes on after the one of that name when
	// the flow is changed meanwhile.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// when is a condition in CEL (https://cel.dev), with its functions for strings: the step is left out unless it is true. A condition that has
	// no result for a mail, for example because a header is missing, counts as false. It may use mail.subject, mail.from, mail.to (a list),
	// mail.headers (by name in lower case), mail.size (bytes), mail.hasAttachments, mail.automatic, customer.address, customer.name,
	// account.address, account.name and open("name"), which is true while that Schedule is open. Default: always.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	When string `json:"when,omitempty"`
	// queue: wait for a member of an Email queue.
	// +optional
	Queue *FlowQueue `json:"queue,omitempty"`
	// agent: wait for one agent.
	// +optional
	Agent *FlowAgent `json:"agent,omitempty"`
	// autoReply: answer the customer with a template, once per interaction and step. Never to a mail that a machine wrote or that asks for no
	// answers, and to nobody more than 4 times in an hour.
	// +optional
	AutoReply *FlowAutoReply `json:"autoReply,omitempty"`
	// tag: add tags to the interaction.
	// +optional
	Tag *FlowTag `json:"tag,omitempty"`
	// close: end the interaction.
	// +optional
	Close *FlowClose `json:"close,omitempty"`
	// wait: go on later.
	// +optional
	Wait *FlowWait `json:"wait,omitempty"`
}

// FlowQueue is a queue to wait in.
type FlowQueue struct {
	// queueRef is the Email queue.
	// +required
	QueueRef ObjectReference `json:"queueRef"`
	// timeout after which the flow goes on when no member took the interaction. Default: never.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="timeout must be between 1s and 720h"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// FlowAgent is an agent to wait for.
type FlowAgent struct {
	// agentRef is the agent. The offer is made when the agent is signed in, not paused and below the capacity of the channel Email.
	// +required
	AgentRef ObjectReference `json:"agentRef"`
	// timeout after which the flow goes on when the agent did not take the interaction.
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="timeout must be between 1s and 720h"
	Timeout metav1.Duration `json:"timeout"`
}

// FlowAutoReply is an automatic answer.
type FlowAutoReply struct {
	// templateRef is a MessageTemplate of type AutoReply.
	// +required
	TemplateRef ObjectReference `json:"templateRef"`
}

// FlowTag is what is added to an interaction.
type FlowTag struct {
	// add these tags. An interaction has at most 20.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=50
	// +kubebuilder:validation:items:Pattern=`^[^\x00-\x1f\x7f\s,]([^\x00-\x1f\x7f,]*[^\x00-\x1f\x7f\s,])?$`
	Add []string `json:"add"`
}

// FlowClose ends an interaction.
type FlowClose struct {
	// disposition that is recorded, as the path Level1/Level2/Level3. Default: none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=194
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f/]{1,64}(/[^\x00-\x1f\x7f/]{1,64}){0,2}$`
	Disposition string `json:"disposition,omitempty"`
}

// FlowWait is a time that passes.
// +kubebuilder:validation:XValidation:rule="has(self.for) != has(self.untilOpen)",message="exactly one of for and untilOpen is required"
type FlowWait struct {
	// for so long.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="for must be between 1s and 720h"
	For *metav1.Duration `json:"for,omitempty"`
	// untilOpen is a Schedule: until it opens, not at all while it is open or when it opens in none of the next two years.
	// +optional
	UntilOpen *ObjectReference `json:"untilOpen,omitempty"`
}

// RoutingFlowStatus is what is known of a flow.
type RoutingFlowStatus struct {
	CommonStatus `json:",inline"`
	// accounts that use the flow.
	// +optional
	// +kubebuilder:default=0
	Accounts int32 `json:"accounts"`
}

// RoutingFlow is what happens to a new interaction of the accounts that refer to it, step by step.
//
// Conditions: Ready, ReferencesResolved.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=routingflows,shortName=flow,categories=ringmaster
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RoutingFlow struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec RoutingFlowSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status RoutingFlowStatus `json:"status,omitempty"`
}

// RoutingFlowList is a list of RoutingFlows.
// +kubebuilder:object:root=true
type RoutingFlowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RoutingFlow `json:"items"`
}

// CommonStatus implements Object.
func (f *RoutingFlow) CommonStatus() *CommonStatus { return &f.Status.CommonStatus }
