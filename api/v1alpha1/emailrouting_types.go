package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EmailReplies say what becomes of customers' answers and of time that passes. Every deadline is computed when it begins: a change of these fields counts
// for waits that begin after it.
type EmailReplies struct {
	// model Assigned: a reply to an open interaction stays with its agent, up to assignedAgentTimeout while the agent is signed out or paused; a reply to a
	// closed one goes to its last queue. Legacy: a reply to either waits for its agent (legacy.assignedAgentWait), then in the agent's queue
	// (legacy.assignedQueueWait), then the flow continues. A reply reaches its own agent whatever the agent's capacity. Default Assigned.
	// +optional
	// +kubebuilder:default=Assigned
	Model EmailRoutingModel `json:"model,omitempty"`
	// replyPriority RepliesFirst: in a queue, replies are offered before new interactions. FIFO: by arrival alone. Default FIFO.
	// +optional
	// +kubebuilder:default=FIFO
	ReplyPriority ReplyPriority `json:"replyPriority,omitempty"`
	// assignedAgentTimeout is how long a reply that its agent has not read waits while the agent is signed out or paused, 1s to 168h; then timeoutAction. It begins
	// anew each time the agent leaves. Model Assigned only. Default: no limit but the ContactCenter's routing.maxAssignmentAge.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('168h')",message="assignedAgentTimeout must be between 1s and 168h"
	AssignedAgentTimeout *metav1.Duration `json:"assignedAgentTimeout,omitempty"`
	// timeoutAction after assignedAgentTimeout. ReturnToLastQueue: the queue whose member accepted last, at the place of the reply's arrival; without such a queue as
	// EndRouting (reason NoPreviousQueue). EndRouting: the interaction becomes Unread. Default ReturnToLastQueue.
	// +optional
	// +kubebuilder:default=ReturnToLastQueue
	TimeoutAction EmailTimeoutAction `json:"timeoutAction,omitempty"`
	// inactivityTimeout after an agent's message that the customer does not answer closes the interaction with the built-in disposition ClosedForInactivity, 1m to
	// 8760h. Default: never.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="inactivityTimeout must be between 1m and 8760h"
	InactivityTimeout *metav1.Duration `json:"inactivityTimeout,omitempty"`
	// legacy waits; model Legacy only.
	// +optional
	Legacy *LegacyRouting `json:"legacy,omitempty"`
}

// EmailRoutingModel says how a reply finds its agent.
// +kubebuilder:validation:Enum=Assigned;Legacy
type EmailRoutingModel string

// Models.
const (
	RoutingAssigned EmailRoutingModel = "Assigned"
	RoutingLegacy   EmailRoutingModel = "Legacy"
)

// ReplyPriority is the order of replies and new interactions in a queue.
// +kubebuilder:validation:Enum=RepliesFirst;FIFO
type ReplyPriority string

// Values of ReplyPriority.
const (
	RepliesFirst ReplyPriority = "RepliesFirst"
	RepliesFIFO  ReplyPriority = "FIFO"
)

// EmailTimeoutAction is what follows a wait for an agent.
// +kubebuilder:validation:Enum=ReturnToLastQueue;EndRouting
type EmailTimeoutAction string

// Values of EmailTimeoutAction.
const (
	ReturnToLastQueue EmailTimeoutAction = "ReturnToLastQueue"
	EndRouting        EmailTimeoutAction = "EndRouting"
)

// LegacyRouting are the waits of the model Legacy. A rejection counts as the end of the wait.
type LegacyRouting struct {
	// assignedAgentWait for an agent who is signed out, paused or does not accept, 1s to 2147483s. Default 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('2147483s')",message="assignedAgentWait must be between 1s and 2147483s"
	AssignedAgentWait *metav1.Duration `json:"assignedAgentWait,omitempty"`
	// assignedQueueWait in the queue whose member accepted last, 1s to 2147483s. Deprecated: model Assigned has timeoutAction ReturnToLastQueue. Default 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('2147483s')",message="assignedQueueWait must be between 1s and 2147483s"
	AssignedQueueWait *metav1.Duration `json:"assignedQueueWait,omitempty"`
}

// CenterRouting holds for the routing of all accounts.
type CenterRouting struct {
	// maxAssignmentAge is how long an agent may have one interaction, 1h to 2160h (90 days); then it becomes Unread, reason AssignmentExpired. It counts from the
	// acceptance, for interactions accepted after a change. Default 2160h.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('2160h')",message="maxAssignmentAge must be between 1h and 2160h"
	MaxAssignmentAge *metav1.Duration `json:"maxAssignmentAge,omitempty"`
}

// ChannelAutoAnswer accepts offers of one channel on the agent's behalf.
type ChannelAutoAnswer struct {
	// state Enabled: an offer to the agent is accepted without a click, in the history as AutoAnswered. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// delay before it is accepted, at most 300s; an agent who pauses or signs out meanwhile gets nothing, and one longer than the queue's offerTimeout never
	// accepts. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('300s')",message="delay must be between 0s and 300s"
	Delay *metav1.Duration `json:"delay,omitempty"`
}

// EmailTransfer says where agents may send an open interaction of the account.
type EmailTransfer struct {
	// toQueue is a transfer to a queue of channel Email.
	// +optional
	// +kubebuilder:default={state: Denied}
	ToQueue TimedTransfer `json:"toQueue,omitempty"`
	// toAgent is a transfer to another agent, who gets it when signed in, not paused and below the capacity.
	// +optional
	// +kubebuilder:default={state: Denied}
	ToAgent TimedTransfer `json:"toAgent,omitempty"`
	// toAccount is a transfer to another EmailAccount: its queue gets the interaction, or its flow decides, answers go out from its address, and later replies to either address join.
	// +optional
	// +kubebuilder:default={state: Denied}
	ToAccount AccountTransfer `json:"toAccount,omitempty"`
}

// TimedTransfer waits to be accepted.
// +kubebuilder:validation:XValidation:rule="(self.state == 'Allowed') == has(self.timeout)",message="timeout is required for state Allowed and forbidden for Denied"
type TimedTransfer struct {
	// state Allowed lets agents do it. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	State Permission `json:"state,omitempty"`
	// timeout to be accepted, 1s to 168h; then the interaction is back with its sender as unread, or in the model Legacy in the state Unread.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('168h')",message="timeout must be between 1s and 168h"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// AccountTransfer names the accounts that may be transferred to.
// +kubebuilder:validation:XValidation:rule="(self.state == 'Allowed') == has(self.accountRefs)",message="accountRefs is required for state Allowed and forbidden for Denied"
type AccountTransfer struct {
	// state Allowed lets agents do it. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	State Permission `json:"state,omitempty"`
	// accountRefs are EmailAccounts of the namespace. One that does not exist or is Inactive is not offered to agents.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AccountRefs []ObjectReference `json:"accountRefs,omitempty"`
}
