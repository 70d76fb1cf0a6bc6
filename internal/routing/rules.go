package routing

import "time"

// Model says how a reply finds the agent who has its conversation.
type Model string

// Models. Assigned leaves the reply with its agent until a timeout, if there is one; Legacy waits shortly for the agent, then for
// the agent's queue, and then goes on with the flow.
const (
	ModelAssigned Model = "Assigned"
	ModelLegacy   Model = "Legacy"
)

// Rules are what an account and its center say about replies and time. The zero value lets nothing end by itself.
type Rules struct {
	Model Model `json:"model,omitempty"`
	// RepliesFirst lets replies wait before new interactions in a queue; otherwise the order is by arrival alone.
	RepliesFirst bool `json:"repliesFirst,omitempty"`
	// AssignedAgentTimeout of the model Assigned: how long a reply waits for its absent agent; 0 = for ever.
	AssignedAgentTimeout time.Duration `json:"assignedAgentTimeout,omitempty"`
	// EndRouting after that timeout; otherwise the reply returns to its last queue.
	EndRouting bool `json:"endRouting,omitempty"`
	// InactivityTimeout after the last message of an agent; 0 = never.
	InactivityTimeout time.Duration `json:"inactivityTimeout,omitempty"`
	// AssignedAgentWait and AssignedQueueWait of the model Legacy.
	AssignedAgentWait time.Duration `json:"assignedAgentWait,omitempty"`
	AssignedQueueWait time.Duration `json:"assignedQueueWait,omitempty"`
	// MaxAssignmentAge is how long an agent may have an interaction; 0 = for ever.
	MaxAssignmentAge time.Duration `json:"maxAssignmentAge,omitempty"`
	// TransferToQueue and TransferToAgent are how long a transfer waits to be accepted; 0 = not allowed.
	TransferToQueue time.Duration `json:"transferToQueue,omitempty"`
	TransferToAgent time.Duration `json:"transferToAgent,omitempty"`
	// TransferToAccounts are the accounts that may be transferred to.
	TransferToAccounts []string `json:"transferToAccounts,omitempty"`
}

// ownerWait is how long a reply waits for its absent agent; 0 = for ever.
func (r Rules) ownerWait() time.Duration {
	if r.Model == ModelLegacy {
		return r.AssignedAgentWait
	}
	return r.AssignedAgentTimeout
}

// Built-in dispositions, which no object declares: of what nobody answered, and of what was not closed when its account was deleted.
const (
	DispositionClosedForInactivity = "ClosedForInactivity"
	DispositionAccountDeleted      = "AccountDeleted"
)

// Reasons of the transitions that timers and transfers cause.
const (
	ReasonAutoAnswered         = "AutoAnswered"
	ReasonAssignedAgentTimeout = "AssignedAgentTimeout"
	ReasonNoPreviousQueue      = "NoPreviousQueue"
	ReasonAssignedQueueTimeout = "AssignedQueueTimeout"
	ReasonQueueTimeout         = "QueueTimeout"
	ReasonClosedForInactivity  = DispositionClosedForInactivity
	ReasonAccountDeleted       = DispositionAccountDeleted
	ReasonAssignmentExpired    = "AssignmentExpired"
	ReasonTransferred          = "Transferred"
	ReasonTransferTimeout      = "TransferTimeout"
	ReasonTransferRejected     = "TransferRejected"
)
