package store

import "context"

// Answers are the lists agents choose from, and what the accounts say about them. Put replaces; only changes write.
type Answers interface {
	PutAnswerSettings(ctx context.Context, account Key, s AnswerSettings) error
	// GetAnswerSettings of an account; the zero value when none were put.
	GetAnswerSettings(ctx context.Context, account Key) (AnswerSettings, error)

	PutDispositionSet(ctx context.Context, s DispositionSet) error
	// DeleteDispositionSet keeps what interactions were closed with; deleting what is not there is not an error.
	DeleteDispositionSet(ctx context.Context, key Key) error
	// DispositionsOf an interaction: those of its account (by scope or by name), of its queue, and global ones.
	DispositionsOf(ctx context.Context, namespace, interactionID string) (Dispositions, error)
	// BeginDisposing notes that the agent, with whom the interaction is open, has begun to dispose it. When the account pauses for that, an
	// agent who is signed in and not paused is paused (reason ReasonDisposition) until every interaction begun so has left them, or they sign
	// out; meanwhile SetPresence cannot end the pause (ErrDisposing), and a pause the agent sets takes its place. ErrConflict: it is not open
	// with the agent.
	BeginDisposing(ctx context.Context, namespace, id, agent string) error
}
