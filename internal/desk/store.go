package desk

import (
	"context"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Store is what the API needs of the store; store.Store satisfies it.
type Store interface {
	sessions
	passwords
	directory
	supervision
	presences
	conversations
	answers
	contacts
	disposals
	cannedAnswers
	outgoing
	feed
	telephones
	forwards
	calls
	recordings
}

type sessions interface {
	CreateSession(ctx context.Context, agent store.Key, client store.Client, tokenHash string, ttl time.Duration) error
	GetSession(ctx context.Context, tokenHash string) (store.Session, error)
	DeleteSession(ctx context.Context, tokenHash string) error
}

type passwords interface {
	GetCredential(ctx context.Context, agent store.Key) (store.Credential, error)
	PasswordHistory(ctx context.Context, agent store.Key) ([]string, error)
	SetPassword(ctx context.Context, c store.Credential, history int, keepSession string) error
	SignInLockOf(ctx context.Context, agent store.Key) (store.SignInLock, error)
	FailSignIn(ctx context.Context, agent store.Key, maxAttempts int) (store.SignInLock, error)
	PassSignIn(ctx context.Context, agent store.Key) error
	FindAgentsByEmail(ctx context.Context, namespace, email string) ([]store.Agent, error)
	AddPasswordLink(ctx context.Context, agent store.Key, tokenHash string, ttl, spacing time.Duration) (bool, error)
	GetPasswordLink(ctx context.Context, tokenHash string) (store.PasswordLink, error)
	RedeemPasswordLink(ctx context.Context, tokenHash, hash string, history int) (store.PasswordLink, error)
	AddSystemMail(ctx context.Context, m store.SystemMail) (store.SystemMail, error)
	Now(ctx context.Context) (time.Time, error)
}

type directory interface {
	GetAgent(ctx context.Context, key store.Key) (store.Agent, error)
	FindAgent(ctx context.Context, namespace, username string) (store.Agent, error)
	GetAccount(ctx context.Context, key store.Key) (store.Account, error)
	GetQueue(ctx context.Context, key store.Key) (store.Queue, error)
	AccountAgents(ctx context.Context, account store.Key) ([]string, error)
	AccountsOf(ctx context.Context, agent store.Key) ([]string, error)
	QueuesOf(ctx context.Context, agent store.Key) ([]string, error)
	AvatarOf(ctx context.Context, agent store.Key) (store.Avatar, error)
	GetAvatar(ctx context.Context, agent store.Key) (store.Avatar, error)
}

type presences interface {
	SetPresence(ctx context.Context, p store.Presence) error
	EndWrapUp(ctx context.Context, agent store.Key) error
	GetPresence(ctx context.Context, agent store.Key) (store.Presence, error)
	ListPresence(ctx context.Context, namespace string) ([]store.Presence, error)
	BeginStream(ctx context.Context, agent store.Key, id, lease string) error
	EndStream(ctx context.Context, id string) error
}

type conversations interface {
	GetInteraction(ctx context.Context, namespace, id string) (store.Interaction, error)
	ListInteractions(ctx context.Context, f store.InteractionFilter) ([]store.Interaction, error)
	CountInteractions(ctx context.Context, f store.InteractionFilter) (int, error)
	History(ctx context.Context, namespace, interactionID string) ([]store.Transition, error)
	ListMessages(ctx context.Context, namespace, interactionID string) ([]store.Message, error)
	GetMessage(ctx context.Context, namespace, messageID string) (store.Message, error)
	RawMessage(ctx context.Context, namespace, messageID string) ([]byte, error)
}

type answers interface {
	Accept(ctx context.Context, namespace, id, agent string) (store.Interaction, error)
	Reject(ctx context.Context, namespace, id, agent string) (store.Interaction, error)
	MarkRead(ctx context.Context, namespace, id, agent string) error
	MarkUnread(ctx context.Context, namespace, id, agent string) error
	Transfer(ctx context.Context, namespace, id, agent string, to store.TransferTarget) (store.Interaction, error)
	TakeOver(ctx context.Context, namespace, id, agent string) (store.Interaction, error)
	PatchInteraction(ctx context.Context, namespace, id string, p store.InteractionPatch) (store.Interaction, error)
}

type outgoing interface {
	AddReply(ctx context.Context, m store.Message, raw []byte, extras store.ReplyExtras) (store.Message, error)
	ReplyUnder(ctx context.Context, agent store.Key, extras store.ReplyExtras) (store.Message, error)
	AddUpload(ctx context.Context, u store.Upload, content []byte) (store.Upload, error)
	ListUploads(ctx context.Context, namespace, interactionID string) ([]store.Upload, error)
	UploadContent(ctx context.Context, namespace, interactionID, id string) (store.Upload, []byte, error)
	DeleteUpload(ctx context.Context, namespace, interactionID, id, agent string) error
	GetDraft(ctx context.Context, namespace, interactionID string) (store.Draft, error)
	PutDraft(ctx context.Context, d store.Draft, version int64) (store.Draft, error)
	DeleteDraft(ctx context.Context, namespace, interactionID, agent string, version int64) error
}

type feed interface {
	EventsAfter(ctx context.Context, namespace string, after store.Cursor, limit int) ([]store.Event, error)
	LastCursor(ctx context.Context) (store.Cursor, error)
	Wake() <-chan struct{}
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error)
}

type telephones interface {
	GetTelephone(ctx context.Context, key store.Key) (store.TelephoneState, error)
	ListTelephones(ctx context.Context, namespace string) ([]store.TelephoneState, error)
	TakeSeat(ctx context.Context, agent store.Key, telephone string) error
	ReleaseSeat(ctx context.Context, agent store.Key) error
}

type forwards interface {
	GetForward(ctx context.Context, agent store.Key) (store.Forward, error)
	SetForward(ctx context.Context, agent store.Key, number string) error
}

type recordings interface {
	AddRecordingRead(ctx context.Context, namespace, callID string, n int, offset int64, length int) (store.RecordingRead, error)
	TakeRecordingRead(ctx context.Context, id string) (store.RecordingRead, error)
	DropRecordingRead(ctx context.Context, id string) error
	AddRecordingDownload(ctx context.Context, d store.RecordingDownload, within time.Duration) error
	ListRecordingDownloads(ctx context.Context, namespace, callID string) ([]store.RecordingDownload, error)
}

type calls interface {
	GetCall(ctx context.Context, namespace, id string) (store.Call, error)
	ListCalls(ctx context.Context, f store.CallFilter) ([]store.Call, error)
	AddCallCommand(ctx context.Context, namespace, callID, agent string, verb store.CallVerb) (store.CallCommand, error)
	GetCallCommand(ctx context.Context, id string) (store.CallCommand, error)
	FinishCallCommand(ctx context.Context, id string, outcome store.CallOutcome, detail string) error
	VoicemailOf(ctx context.Context, agent store.Key) (store.Voicemail, error)
}
