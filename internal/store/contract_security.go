package store

import (
	"context"
	"time"
)

// SignInLock is what failed sign-ins did to an agent.
type SignInLock struct {
	// Failed sign-ins in a row.
	Failed int
	// LockedAt is zero while the agent is not locked.
	LockedAt time.Time
	// UnlockedAt is when a lock was last released; zero when none ever was.
	UnlockedAt time.Time
}

// Locked accounts have no right password.
func (l SignInLock) Locked() bool { return !l.LockedAt.IsZero() }

// PasswordLink lets its bearer set an agent's password once. An agent has at most one: a new one ends the one before.
type PasswordLink struct {
	Agent   Key
	Expires time.Time
}

// SignInSecurity is run-time state of sign-ins, on the store's clock.
type SignInSecurity interface {
	// SignInLockOf an agent; the zero value when there was never anything.
	SignInLockOf(ctx context.Context, agent Key) (SignInLock, error)
	// FailSignIn counts a wrong password and locks the agent at the maxAttempts-th in a row; 0 counts without locking. ErrNotFound: no such
	// agent. It emits EventCredential when it locks.
	FailSignIn(ctx context.Context, agent Key, maxAttempts int) (SignInLock, error)
	// PassSignIn forgets the failures of an agent that is not locked. ErrConflict: it is locked.
	PassSignIn(ctx context.Context, agent Key) error
	// Unlock releases the lock, forgets the failures and emits EventCredential. Releasing none does neither.
	Unlock(ctx context.Context, agent Key) error

	// FindAgentsByEmail, upper and lower case being the same; namespace "" searches every center. At most ten.
	FindAgentsByEmail(ctx context.Context, namespace, email string) ([]Agent, error)
	// AddPasswordLink makes a link of which only the hash of the token is kept. false: the agent got one less than spacing ago,
	// and nothing changed. ErrNotFound: no such agent.
	AddPasswordLink(ctx context.Context, agent Key, tokenHash string, ttl, spacing time.Duration) (bool, error)
	// GetPasswordLink that has not expired; ErrNotFound otherwise.
	GetPasswordLink(ctx context.Context, tokenHash string) (PasswordLink, error)
	// RedeemPasswordLink is SetPassword by a link, which works once: of several at the same time one wins. ErrNotFound: it was used, replaced
	// or has expired. It ends all sessions.
	RedeemPasswordLink(ctx context.Context, tokenHash, hash string, history int) (PasswordLink, error)
	// PrunePasswordLinks deletes expired links.
	PrunePasswordLinks(ctx context.Context) error
}
