// Package routing decides which agent an interaction is offered to. The decision is a pure function of
// what is known at one moment; claiming work and applying the result is the store's transaction, and the
// workers here only drive it.
package routing

import "time"

// Interaction is what the decision needs to know of one.
type Interaction struct {
	ID    string
	Queue string
	// OfferedTo is the agent of an offer whose deadline has passed, empty for a queued interaction.
	OfferedTo string
	// Declined counts, by agent, the rejections and timeouts of this interaction since it was queued.
	Declined map[string]int
	QueuedAt time.Time
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
// LeastRecent takes the member whose last offer is the longest ago.
const (
	RRMemory    Strategy = "RRMemory"
	LeastRecent Strategy = "LeastRecent"
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
}

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
	// Deadline of the offer.
	Deadline time.Time
	// Reason in words for the history: why this agent, or why nobody.
	Detail string
}

// Decider is the decision function: Decide in production.
type Decider func(i Interaction, q Queue, candidates []Candidate, now time.Time) Decision
