package store

import (
	"context"
	"time"
)

// Voice is what calls and telephones need.
type Voice interface {
	Telephones
	Forwards
	Calls
	Recordings
	Voicemails
}

// Telephones is the directory of hot-desk telephones and who sits at them.
type Telephones interface {
	PutTelephone(ctx context.Context, t Telephone) error
	// DeleteTelephone also releases its seat.
	DeleteTelephone(ctx context.Context, key Key) error
	GetTelephone(ctx context.Context, key Key) (TelephoneState, error)
	// ListTelephones of a namespace, sorted by name.
	ListTelephones(ctx context.Context, namespace string) ([]TelephoneState, error)
	// TakeSeat seats a signed-in agent at the telephone; another seat of the agent is released. Emits EventSeat. *TakenError: another
	// agent sits there (By is agent/name). ErrNotFound: no such agent or telephone. ErrConflict: the agent is not signed in.
	// Whether the agent may use it is the caller's question.
	TakeSeat(ctx context.Context, agent Key, telephone string) error
	// ReleaseSeat of an agent, if any. Signing out, deactivation and deletion do so, too.
	ReleaseSeat(ctx context.Context, agent Key) error
}

// Forwards keeps the numbers that agents forward their direct calls to. They survive signing out and go with the agent.
type Forwards interface {
	// SetForward emits EventForward on a change; an empty number ends forwarding. ErrNotFound: no such agent. Whether the number is
	// allowed is the caller's question.
	SetForward(ctx context.Context, agent Key, number string) error
	// GetForward of an agent; without forwarding its Number is empty.
	GetForward(ctx context.Context, agent Key) (Forward, error)
	// ListForwards of a namespace, sorted by agent; those who do not forward are left out.
	ListForwards(ctx context.Context, namespace string) ([]Forward, error)
}

// CallFilter narrows a list; zero values do not filter.
type CallFilter struct {
	Namespace string
	Agent     string
	States    []CallState
	// Missed true: only missed calls.
	Missed bool
	// Recorded true: only calls with a recording.
	Recorded bool
	// Overseer narrows the list to the calls of this agent and of those that this agent supervises; empty does not.
	Overseer string
	// Number of the other party and Queue; empty ones do not narrow.
	Number string
	Queue  string
	// From and To narrow the list to calls that began in [From, To); zero ones do not.
	From, To time.Time
	// After is the id of the last row of the previous page; Limit 1..200, default 50. Newest first.
	After string
	Limit int
}

// Calls mirrors the calls of agents' phones as the PBXes report them, and carries agents' commands to the PBXes.
type Calls interface {
	// PutCall writes the state of a leg, found by PBX and c.Uniqueid; ID, Namespace, PBX, Agent and Missed of c are ignored. What a
	// report leaves empty stays as it was; a call that ended does not live again, it only learns of more recordings. A leg at an endpoint
	// that is no agent's, and where none sits, is not kept. Emits EventCall and EventRecording* to the agent, on changes.
	PutCall(ctx context.Context, pbx Key, c Call) error
	// SetCalls is PutCall for all active calls of a PBX (after its link connected, or with none when it is gone): the others that were
	// active end now.
	SetCalls(ctx context.Context, pbx Key, active []Call) error
	GetCall(ctx context.Context, namespace, id string) (Call, error)
	ListCalls(ctx context.Context, f CallFilter) ([]Call, error)
	// PruneCalls deletes calls that did not change for age, with what is known of downloads, and commands and reads nobody waits for.
	PruneCalls(ctx context.Context, age time.Duration) error

	// AddCallCommand emits EventCallCommand. ErrNotFound: the agent has no such call; ErrConflict: the call is not up.
	AddCallCommand(ctx context.Context, namespace, callID, agent string, verb CallVerb) (CallCommand, error)
	// ClaimCallCommands returns up to limit (1..100) waiting commands younger than CallCommandTTL, oldest first, each to one caller only.
	ClaimCallCommands(ctx context.Context, limit int) ([]CallCommand, error)
	// FinishCallCommand records what became of it and wakes who waits. ErrConflict: it was finished before, ErrNotFound: it is gone.
	FinishCallCommand(ctx context.Context, id string, outcome CallOutcome, detail string) error
	GetCallCommand(ctx context.Context, id string) (CallCommand, error)
}

// Recordings carries parts of recordings from the PBXes to the desks, and keeps who downloaded them.
type Recordings interface {
	// AddRecordingRead asks for a part of the n-th recording of a call, from 0, and emits EventRecordingRead. ErrNotFound: there is no such
	// call or recording.
	AddRecordingRead(ctx context.Context, namespace, callID string, n int, offset int64, length int) (RecordingRead, error)
	// ClaimRecordingReads returns up to limit (1..100) waiting reads younger than CallCommandTTL, oldest first, each to one caller only.
	ClaimRecordingReads(ctx context.Context, limit int) ([]RecordingRead, error)
	// FinishRecordingRead leaves what was read and wakes who waits. ErrNotFound: nobody does, or it was finished before.
	FinishRecordingRead(ctx context.Context, id string, outcome CallOutcome, part RecordingPart) error
	// TakeRecordingRead returns a read, which is gone then if it was finished.
	TakeRecordingRead(ctx context.Context, id string) (RecordingRead, error)
	// DropRecordingRead forgets a read, if there is one.
	DropRecordingRead(ctx context.Context, id string) error
	// AddRecordingDownload writes down that d.Agent downloads a recording, unless that was done less than within ago; d.At is ignored.
	// ErrNotFound: there is no such call.
	AddRecordingDownload(ctx context.Context, d RecordingDownload, within time.Duration) error
	// ListRecordingDownloads of a call, newest first, at most MaxRecordingDownloads.
	ListRecordingDownloads(ctx context.Context, namespace, callID string) ([]RecordingDownload, error)
}

// Voicemails mirrors message counts as the PBXes report them.
type Voicemails interface {
	// SetVoicemail replaces all counts of a PBX (after its link connected, or with none when it is gone).
	SetVoicemail(ctx context.Context, pbx Key, boxes []Voicemail) error
	// PutVoicemail sets the counts of one mailbox. Both emit EventVoicemail to the agent of the extension, on changes.
	PutVoicemail(ctx context.Context, pbx Key, box Voicemail) error
	// VoicemailOf an agent, over all PBXes.
	VoicemailOf(ctx context.Context, agent Key) (Voicemail, error)
}
