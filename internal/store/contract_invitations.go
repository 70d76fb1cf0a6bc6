package store

import (
	"context"
	"time"
)

// InvitationState says whether an agent is invited by a mail.
type InvitationState string

// States. None is not invited by itself; Due is, when that can be done.
const (
	InvitationNone InvitationState = "None"
	InvitationDue  InvitationState = "Due"
	InvitationSent InvitationState = "Sent"
)

// Invitation of an agent. It outlives the agent: one that is made again under the name is not new.
type Invitation struct {
	State InvitationState
	// SentAt is when the last one was; zero before.
	SentAt time.Time
	// AskedAt is the last time that one was asked for by hand and sent.
	AskedAt time.Time
}

// InvitationMail is an invitation that is ready to be sent.
type InvitationMail struct {
	Agent Key
	// Mail with the link. Its DedupeKey is ignored.
	Mail SystemMail
	// TokenHash of the link and how long it works.
	TokenHash string
	TTL       time.Duration
	// AskedAt is when somebody asked for it by hand; zero when it is sent by itself.
	AskedAt time.Time
}

// Invitations remembers who was invited, on the store's clock.
type Invitations interface {
	// DecideInvitation records first for an agent about whom nothing is recorded, and returns what is recorded. A SentAt of first is for a
	// store that was lost.
	DecideInvitation(ctx context.Context, agent Key, first Invitation) (Invitation, error)
	// SendInvitation puts mail and link into the store together and records them, or does nothing. One sent by itself needs the state Due and
	// an agent without a password; one that was asked for needs an AskedAt after the one before, and not before the last was sent. sent says
	// whether that held. The agent's older link ends, and EventCredential is emitted. ErrNotFound: no such agent; ErrConflict: the agent is not
	// active, or has another address than the mail.
	SendInvitation(ctx context.Context, m InvitationMail) (inv Invitation, sent bool, err error)
}
