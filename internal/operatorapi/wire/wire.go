// Package wire is what the operator API says, for the manager that serves it and the plugin that asks. It holds nothing of customers:
// no address, no name, no subject, no text.
package wire

import "time"

// Interaction is where one conversation is.
type Interaction struct {
	ID        string    `json:"id"`
	Channel   string    `json:"channel"`
	Account   string    `json:"account,omitempty"`
	Queue     string    `json:"queue,omitempty"`
	State     string    `json:"state"`
	Agent     string    `json:"agent,omitempty"`
	LastAgent string    `json:"lastAgent,omitempty"`
	Deadline  time.Time `json:"deadline,omitzero"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Messages  int       `json:"messages"`
}

// InteractionList is a page, newest first.
type InteractionList struct {
	Interactions []Interaction `json:"interactions"`
	// Next is the cursor of the next page; empty on the last one.
	Next string `json:"next,omitempty"`
}

// Why explains one interaction: how it came to where it is, and what it waits for.
type Why struct {
	Interaction Interaction  `json:"interaction"`
	History     []Transition `json:"history"`
	// Waiting says in a sentence what must happen next; empty when it is closed.
	Waiting string `json:"waiting,omitempty"`
	// Members of the queue it waits in, and why each of them does not have it.
	Members []Member `json:"members,omitempty"`
	// Now is the store's clock, which all times here are of.
	Now time.Time `json:"now"`
}

// Transition is one step of the history.
type Transition struct {
	At     time.Time `json:"at"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to"`
	Agent  string    `json:"agent,omitempty"`
	Queue  string    `json:"queue,omitempty"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
}

// Member of a queue as routing sees it.
type Member struct {
	Agent   string `json:"agent"`
	Penalty int    `json:"penalty"`
	// Verdict is one of the Member* constants.
	Verdict string `json:"verdict"`
	// Detail is the pause reason, how much the agent holds, or when wrap-up time ends.
	Detail string `json:"detail,omitempty"`
}

// Verdicts about members of a queue.
const (
	MemberFree        = "Free"
	MemberDeactivated = "Deactivated"
	MemberSignedOut   = "SignedOut"
	MemberPaused      = "Paused"
	MemberFull        = "Full"
	MemberWrapUp      = "WrapUp"
)

// Audit says what became of every mail in a mailbox.
type Audit struct {
	Mailbox     string `json:"mailbox"`
	UIDValidity uint32 `json:"uidValidity"`
	// Mails by UID, ascending.
	Mails []AuditedMail `json:"mails"`
}

// AuditedMail is one mail on the server.
type AuditedMail struct {
	UID uint32 `json:"uid"`
	// Verdict is one of the Mail* constants.
	Verdict string `json:"verdict"`
	// Why it is not ingested as it is.
	Why           string `json:"why,omitempty"`
	InteractionID string `json:"interactionID,omitempty"`
}

// Verdicts about mails.
const (
	MailIngested    = "Ingested"
	MailFiltered    = "Filtered"
	MailQuarantined = "Quarantined"
	MailMissing     = "Missing"
)

// Error is the body of every answer that is not 200.
type Error struct {
	Message string `json:"message"`
}
