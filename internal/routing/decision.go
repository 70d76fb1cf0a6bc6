// Package routing decides which agent an interaction is offered to. The decision is a pure function of
// what is known at one moment; claiming work and applying the result is the store's transaction, and the
// workers here only drive it.
package routing

import "time"

// Interaction is what the decision needs to know of one.
type Interaction struct {
	ID    string
	Queue string
	// OfferedTo names the agent, or the agents, of an offer whose deadline has passed, empty for a queued interaction. The offer has
	// already ended: it is in Declined and no longer in the agent's Load.
	OfferedTo string
	// Declined counts, by agent, the rejections and timeouts of this interaction since it was queued or started over.
	Declined map[string]int
	// DeclinedAt is when that happened last; zero when it never did.
	DeclinedAt time.Time
	QueuedAt   time.Time
}

// Queue is the configuration of the interaction's queue.
type Queue struct {
	Name         string
	Strategy     Strategy
	OfferTimeout time.Duration
	// LastOffered is the agent the queue last offered anything to: the memory of RRMemory.
	LastOffered string
}

// Strategy of a digital queue.
type Strategy string

// Strategies. RRMemory goes round the members in the order of their names and remembers where it left off;
// LeastRecent takes the member whose last offer is the longest ago; BeepAll asks all of the lowest penalty at once.
const (
	RRMemory    Strategy = "RRMemory"
	LeastRecent Strategy = "LeastRecent"
	BeepAll     Strategy = "BeepAll"
)

// Candidate is one member of the queue.
type Candidate struct {
	Agent    string
	Penalty  int
	SignedIn bool
	Paused   bool
	Active   bool
	// Capacity is the most open and offered interactions of this channel; 0 = unlimited.
	Capacity int
	// Load is how many the agent has, open and offered, in all queues.
	Load        int
	LastOffered time.Time
	// WrapUp is when the agent's wrap-up time ends; zero when none runs.
	WrapUp time.Time
}

// Available says that the agent can take one more interaction.
func (c Candidate) Available() bool { return c.WrapUp.IsZero() && c.hasRoom() }

// hasRoom is Available but for wrap-up time.
func (c Candidate) hasRoom() bool { return c.onDuty() && (c.Capacity == 0 || c.Load < c.Capacity) }

// full: only the capacity keeps the agent from taking more.
func (c Candidate) full() bool { return c.onDuty() && c.WrapUp.IsZero() && !c.hasRoom() }

func (c Candidate) onDuty() bool { return c.Active && c.SignedIn && !c.Paused }

// Action is what a decision does.
type Action string

// Actions. Wait leaves the interaction queued until something changes.
const (
	Offer Action = "Offer"
	Wait  Action = "Wait"
)

// Decision is the result. An expired offer always ends first: the store records OfferTimeout and then applies this.
type Decision struct {
	Action Action
	Agent  string
	// Agents are asked at once instead of Agent; two or more, by name.
	Agents []string
	// Deadline of the offer.
	Deadline time.Time
	// RetryAt of a Wait is when to look again although nothing changed; zero = only after a change.
	RetryAt time.Time
	// StartOver forgets who declined, because everybody did.
	StartOver bool
	// Detail says in words for the history why this agent, or why nobody.
	Detail string
}

// Decider is the decision function: Decide in production. Without an Interaction.ID it is asked why nobody of a queue has room, and says what holds for all
// that waits there.
type Decider func(i Interaction, q Queue, candidates []Candidate, now time.Time) Decision
