package routing

import "time"

// State of an interaction as far as timers depend on it.
type State string

// States.
const (
	Queued  State = "Queued"
	Offered State = "Offered"
	Open    State = "Open"
	Closed  State = "Closed"
	Unread  State = "Unread"
)

// Stage of a Legacy reply that has left its conversation.
type Stage string

// Stages: the reply waits for its agent, then for the agent's queue. StageFlow: a flow lets it wait for one agent.
const (
	StageAgent Stage = "Agent"
	StageQueue Stage = "Queue"
	StageFlow  Stage = "Flow"
)

// Timers are the deadlines of one interaction; a zero one does not run. The methods are the only way they change, pure
// functions of the moment; whoever holds the interaction stores the result.
type Timers struct {
	// Answer: the running offer is accepted on the agent's behalf.
	Answer time.Time `json:"answer,omitzero"`
	// Transfer: what was transferred goes back to Sender.
	Transfer time.Time `json:"transfer,omitzero"`
	// Owner: the reply has waited long enough for its absent agent.
	Owner time.Time `json:"owner,omitzero"`
	// Queue: it has waited long enough in this queue, and the flow continues.
	Queue time.Time `json:"queue,omitzero"`
	// Inactive: the customer has been silent since an agent's message.
	Inactive time.Time `json:"inactive,omitzero"`
	// Expires: no agent has an interaction longer than this.
	Expires time.Time `json:"expires,omitzero"`

	// Received is when the first reply came that the agent has not read since.
	Received time.Time `json:"received,omitzero"`
	// Stage of a Legacy reply, or of a flow.
	Stage Stage `json:"stage,omitempty"`
	// Sender of a transfer.
	Sender string `json:"sender,omitempty"`
}

// Timer names one of the deadlines.
type Timer string

// Timers in the order in which they win when they fall together.
const (
	TimerTransfer Timer = "Transfer"
	TimerExpires  Timer = "Expires"
	TimerInactive Timer = "Inactive"
	TimerOwner    Timer = "Owner"
	TimerQueue    Timer = "Queue"
	TimerAnswer   Timer = "Answer"
)

// Next is the first deadline that counts in this state; zero when none does.
func (t Timers) Next(state State) (timer Timer, at time.Time) {
	consider := func(name Timer, deadline time.Time, states ...State) {
		for _, s := range states {
			if s == state && !deadline.IsZero() && (at.IsZero() || deadline.Before(at)) {
				timer, at = name, deadline
			}
		}
	}
	consider(TimerTransfer, t.Transfer, Queued, Offered)
	consider(TimerExpires, t.Expires, Open)
	consider(TimerInactive, t.Inactive, Queued, Open, Unread)
	consider(TimerOwner, t.Owner, Queued, Offered, Open)
	consider(TimerQueue, t.Queue, Queued, Offered)
	consider(TimerAnswer, t.Answer, Offered)
	return timer, at
}

func after(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// Accepted starts an assignment. Who does not write after it must not keep a silent customer's interaction open for ever,
// so an inactivity that already runs goes on.
func (t Timers) Accepted(r Rules, now time.Time) Timers {
	return Timers{Inactive: t.Inactive, Expires: after(now, r.MaxAssignmentAge)}
}

// Reply is a customer's message for an open interaction; here says whether its agent is signed in and not paused.
func (t Timers) Reply(r Rules, here bool, now time.Time) Timers {
	t = t.Heard()
	if t.Received.IsZero() {
		t.Received = now
	}
	if here {
		return t
	}
	return t.OwnerLeft(r, now)
}

// Heard is a customer's message in any other state: only the silence ends.
func (t Timers) Heard() Timers {
	t.Inactive = time.Time{}
	return t
}

// OwnerLeft says that the agent of an open interaction signed out or paused. Only a reply that the agent has not read waits.
func (t Timers) OwnerLeft(r Rules, now time.Time) Timers {
	if t.Owner.IsZero() && !t.Received.IsZero() {
		t.Owner = after(now, r.ownerWait())
	}
	return t
}

// OwnerBack says that the agent of an open interaction is there again and has the reply.
func (t Timers) OwnerBack() Timers {
	t.Owner = time.Time{}
	return t
}

// Read: the agent has seen the reply.
func (t Timers) Read() Timers {
	t.Owner, t.Received = time.Time{}, time.Time{}
	return t
}

// Answered says that the agent wrote, and now the customer's silence counts.
func (t Timers) Answered(r Rules, now time.Time) Timers {
	t = t.Read()
	t.Inactive = after(now, r.InactivityTimeout)
	return t
}

// Requeued leaves only the customer's silence, in a queue or in none.
func (t Timers) Requeued() Timers { return Timers{Inactive: t.Inactive} }

// Wanted starts the wait of a Legacy reply for the agent who had its conversation.
func (t Timers) Wanted(r Rules, now time.Time) Timers {
	return Timers{Stage: StageAgent, Owner: after(now, r.AssignedAgentWait)}
}

// LastQueue starts what follows a wait for an agent: in the model Legacy the queue has its own limited time.
func (t Timers) LastQueue(r Rules, now time.Time) Timers {
	t = t.Requeued()
	if r.Model == ModelLegacy {
		t.Stage, t.Queue = StageQueue, after(now, r.AssignedQueueWait)
	}
	return t
}

// InFlow starts a step of a flow that waits for a queue or for one agent, until the deadline; a zero one is for ever.
func (t Timers) InFlow(deadline time.Time, agent bool) Timers {
	t = t.Requeued()
	t.Queue = deadline
	if agent {
		t.Stage = StageFlow
	}
	return t
}

// Transferred starts the wait for a new owner.
func (t Timers) Transferred(sender string, timeout time.Duration, now time.Time) Timers {
	return Timers{Inactive: t.Inactive, Sender: sender, Transfer: after(now, timeout)}
}

// SentBack says that nobody accepted the transfer, and the sender has the interaction again, unread like a reply.
func (t Timers) SentBack(r Rules, here bool, now time.Time) Timers {
	t = t.Accepted(r, now)
	t.Received = now
	if here {
		return t
	}
	return t.OwnerLeft(r, now)
}

// Offer runs to its own deadline, but not past the wait it is part of; with auto-answer it is accepted after delay.
func (t Timers) Offer(deadline time.Time, autoAnswer bool, delay time.Duration, now time.Time) (Timers, time.Time) {
	for _, end := range []time.Time{t.Transfer, t.Owner, t.Queue} {
		if !end.IsZero() && end.Before(deadline) {
			deadline = end
		}
	}
	t.Answer = time.Time{}
	if autoAnswer {
		t.Answer = now.Add(delay)
	}
	return t, deadline
}

// AnswerAt is Offer's auto-answer where several agents are asked: at is the first of theirs, zero when none answers automatically.
func (t Timers) AnswerAt(at time.Time) Timers {
	t.Answer = at
	return t
}

// OfferEnded says that nobody is asked any more, so nobody answers automatically.
func (t Timers) OfferEnded() Timers {
	t.Answer = time.Time{}
	return t
}

// QueueGone says that the queue was deleted: whatever should follow the wait in it follows now.
func (t Timers) QueueGone(now time.Time) Timers {
	for _, end := range []*time.Time{&t.Transfer, &t.Queue} {
		if !end.IsZero() && now.Before(*end) {
			*end = now
		}
	}
	return t
}

// Step is what a deadline makes of an interaction.
type Step string

// Steps. StepNone: no deadline has passed.
const (
	StepNone      Step = ""
	StepAccept    Step = "Accept"    // for the agent it is offered to
	StepSendBack  Step = "SendBack"  // to the sender of the transfer
	StepLastQueue Step = "LastQueue" // to the last queue whose member accepted
	StepFlow      Step = "Flow"      // the flow continues
	StepEnd       Step = "End"       // routing ends: Unread
	StepClose     Step = "Close"     // with the disposition ClosedForInactivity
)

// Due is the step of the first deadline that has passed, and its reason. lastQueue says whether a member of some queue that still exists
// has accepted the interaction before.
func (t Timers) Due(r Rules, state State, lastQueue bool, now time.Time) (Step, string) {
	timer, at := t.Next(state)
	if at.IsZero() || now.Before(at) {
		return StepNone, ""
	}
	switch timer {
	case TimerTransfer:
		return StepSendBack, ReasonTransferTimeout
	case TimerExpires:
		return StepEnd, ReasonAssignmentExpired
	case TimerInactive:
		return StepClose, ReasonClosedForInactivity
	case TimerQueue:
		if t.Stage == StageQueue {
			return StepFlow, ReasonAssignedQueueTimeout
		}
		return StepFlow, ReasonQueueTimeout
	case TimerAnswer:
		return StepAccept, ReasonAutoAnswered
	case TimerOwner: // below
	}
	switch {
	case lastQueue && (r.Model == ModelLegacy || !r.EndRouting):
		return StepLastQueue, ReasonAssignedAgentTimeout
	case r.Model == ModelLegacy:
		return StepFlow, ReasonAssignedAgentTimeout
	case r.EndRouting:
		return StepEnd, ReasonAssignedAgentTimeout
	}
	return StepEnd, ReasonNoPreviousQueue
}
