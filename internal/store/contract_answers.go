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
	// DispositionsOf an interaction: those of its account (by scope or by name), of its queue, of its account's contact list, and global ones.
	DispositionsOf(ctx context.Context, namespace, interactionID string) (Dispositions, error)
	// PutCannedAnswerSet also forgets files that the set does not use any more. ErrNotFound: a file that it uses was not put before.
	PutCannedAnswerSet(ctx context.Context, s CannedAnswerSet) error
	// DeleteCannedAnswerSet takes its files with it; deleting what is not there is not an error.
	DeleteCannedAnswerSet(ctx context.Context, key Key) error
	// PutCannedFile keeps content, whose SHA-256 in hex is sum, for the set, which may come later.
	PutCannedFile(ctx context.Context, set Key, sum string, content []byte) error
	// CannedFileSizes of the files that are kept for a set, by their sums.
	CannedFileSizes(ctx context.Context, set Key) (map[string]int64, error)
	GetCannedFile(ctx context.Context, set Key, sum string) ([]byte, error)
	// CannedAnswersOf an interaction: those of its account (by scope or by name), of its queue, of its account's contact list, and global ones; each key once.
	CannedAnswersOf(ctx context.Context, namespace, interactionID string) ([]CannedAnswer, error)

	// BeginDisposing notes that the agent, with whom the interaction is open, has begun to dispose it. When the account pauses for that, an
	// agent who is signed in and not paused is paused (reason ReasonDisposition) until every interaction begun so has left them, or they sign
	// out; meanwhile SetPresence cannot end the pause (ErrDisposing), and a pause the agent sets takes its place. ErrConflict: it is not open
	// with the agent.
	BeginDisposing(ctx context.Context, namespace, id, agent string) error
}
