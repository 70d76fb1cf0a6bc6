package store

import (
	"context"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Store is the whole contract. Consumers declare the one to three methods they use as their own
// interface; this one exists for the contract suite and for wiring.
type Store interface {
	Extensions
	Directory
	Credentials
	PresenceStore
	Mail
	Interactions
	Outbox
	Events
	Registrations
	Voice
	SystemMails
	Answers
	SignInSecurity
	Contacts
	Invitations
	Avatars
	Logos

	// Now is the store's clock.
	Now(ctx context.Context) (time.Time, error)
	// Ping checks that the store answers, for health probes.
	Ping(ctx context.Context) error
	Close() error
}

// Extensions hands out numbers. An owner keeps its number until released; a released number is not
// given to another owner before its quarantine ends. The same owner (same namespace, kind and name) gets
// its old number back, quarantined or not.
type Extensions interface {
	// AllocateExtension returns the owner's extension. wanted "" means: the present one, else the owner's
	// last one, else the lowest free number of ranges. A given wanted replaces the present one, which is then
	// released into quarantine. Errors: *TakenError, ErrRangeFull, ErrOutOfRange (only when ranges is not empty).
	// Unique under any concurrency.
	AllocateExtension(ctx context.Context, owner ExtensionOwner, wanted string, ranges []ExtensionRange, quarantine time.Duration) (string, error)
	// ReleaseExtension starts the quarantine; releasing what is not held is not an error.
	ReleaseExtension(ctx context.Context, owner ExtensionOwner, quarantine time.Duration) error
}

// Directory mirrors configuration. Put replaces; only changes write, and a change that may let a waiting
// interaction go on (a new member, more capacity, an activated agent) makes it due.
type Directory interface {
	// PutAgent also ends offers and sessions of an agent that became inactive. *TakenError: the username belongs to
	// another agent of the namespace.
	PutAgent(ctx context.Context, a Agent) error
	// DeleteAgent signs the agent out, returns offered and open interactions to their queue (Unread without
	// one) and removes credential, presence, sessions, forwarding and calls. History keeps the name.
	DeleteAgent(ctx context.Context, key Key) error
	GetAgent(ctx context.Context, key Key) (Agent, error)
	// FindAgent by username; namespace "" searches every center and returns ErrConflict when several match.
	FindAgent(ctx context.Context, namespace, username string) (Agent, error)
	PutQueue(ctx context.Context, q Queue) error
	// DeleteQueue moves what waits in it to Unread.
	DeleteQueue(ctx context.Context, key Key) error
	GetQueue(ctx context.Context, key Key) (Queue, error)
	// PutFlow makes what waits in the flow look again. The error for a flow that does not compile is a *flow.SpecError.
	PutFlow(ctx context.Context, f Flow) error
	// DeleteFlow moves what waits in it to Unread (reason FlowGone); what waits in a queue stays there.
	DeleteFlow(ctx context.Context, key Key) error
	GetFlow(ctx context.Context, key Key) (Flow, error)
	PutAccount(ctx context.Context, a Account) error
	// DeleteAccount closes the account's interactions (reason and disposition AccountDeleted), keeps them and their messages, and forgets
	// cursors and status.
	DeleteAccount(ctx context.Context, key Key) error
	// PurgeAccount removes the interactions of a deleted account with everything that belongs to them.
	PurgeAccount(ctx context.Context, key Key) error
	GetAccount(ctx context.Context, key Key) (Account, error)
	// SetAccountAgents replaces who sees all interactions of an account; AccountAgents lists them and AccountsOf the accounts
	// of an agent, sorted. Deleting an account forgets its agents.
	SetAccountAgents(ctx context.Context, account Key, agents []string) error
	AccountAgents(ctx context.Context, account Key) ([]string, error)
	AccountsOf(ctx context.Context, agent Key) ([]string, error)
	// SetSupervisors replaces who supervises an agent; Supervisors lists them, sorted, and Supervises says whether somebody supervises anyone.
	// Deleting the agent forgets them.
	SetSupervisors(ctx context.Context, agent Key, supervisors []string) error
	Supervisors(ctx context.Context, agent Key) ([]string, error)
	Supervises(ctx context.Context, supervisor Key) (bool, error)
	// QueuesOf lists the queues the agent is an effective member of, sorted.
	QueuesOf(ctx context.Context, agent Key) ([]string, error)
}

// Credentials keeps argon2id hashes and sessions. Hashing and comparing is the security package's work.
type Credentials interface {
	GetCredential(ctx context.Context, agent Key) (Credential, error)
	// SetPassword stores a new hash and keeps the last `history` old hashes. It ends all sessions of the agent except
	// keepSession (a token hash, may be ""). ChangedAt is the store's time, not the caller's. The hash that is already there
	// only takes over the SecretVersion: nothing else changes.
	SetPassword(ctx context.Context, c Credential, history int, keepSession string) error
	// PasswordHistory returns the present and the kept old hashes, newest first.
	PasswordHistory(ctx context.Context, agent Key) ([]string, error)
	// CreateSession stores only the SHA-256 (hex) of the token. ErrNotFound: no such agent; ErrConflict: it is not active.
	CreateSession(ctx context.Context, agent Key, client Client, tokenHash string, ttl time.Duration) error
	// GetSession finds a session that has not expired by the store's clock; ErrNotFound otherwise.
	GetSession(ctx context.Context, tokenHash string) (Session, error)
	DeleteSession(ctx context.Context, tokenHash string) error
}

// PresenceStore is the single source of who is signed in and paused.
type PresenceStore interface {
	// SetPresence writes state, emits EventPresence and makes interactions that wait for this agent due.
	// Signing out or pausing takes back running offers (they return to the queue, reason Paused or SignedOut);
	// open interactions stay with their agent. Unchanged state writes nothing, whatever the Source. Since is the store's time, not the
	// caller's. A Telephone is taken as by TakeSeat, in the same transaction and with the same errors; none keeps the present seat, which
	// signing out releases. ErrNotFound: no such agent; ErrConflict: an inactive agent cannot sign in; ErrDisposing: see BeginDisposing.
	SetPresence(ctx context.Context, p Presence) error
	// EndWrapUp ends a wrap-up time that runs, emits EventPresence, and makes what waits for this agent due. Without one nothing changes.
	// ErrNotFound: no such agent.
	EndWrapUp(ctx context.Context, agent Key) error
	// BeginStream records that a client of the agent follows the events. lease is the name of one that is held for as long as the process that serves
	// the stream lives. EndStream ends it; ending what is over is not an error. EndLostStreams ends those whose lease nobody holds any more and
	// returns how many. EventStream tells of an agent's first open stream and of the end of the last.
	BeginStream(ctx context.Context, agent Key, id, lease string) error
	EndStream(ctx context.Context, id string) error
	EndLostStreams(ctx context.Context) (int, error)
	StreamOf(ctx context.Context, agent Key) (StreamState, error)
	// SignOutAbandoned signs out agents whose last session expired, or was ended by somebody else, more than grace ago. Without it
	// nobody would, and their phones would go on ringing. It returns how many.
	SignOutAbandoned(ctx context.Context, grace time.Duration) (int, error)
	GetPresence(ctx context.Context, agent Key) (Presence, error)
	// ListPresence of a namespace: every agent of the directory, signed in or not, sorted by name.
	ListPresence(ctx context.Context, namespace string) ([]Presence, error)
}

// Mail is what ingestion needs.
type Mail interface {
	// AcquireLease takes a free or expired lease, or renews the holder's own. ok is false when another holds it. A lease that
	// would last more than an hour is from before the clock was put back, and free.
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (l Lease, ok bool, err error)
	ReleaseLease(ctx context.Context, l Lease) error
	// LeaseHeld reports whether anybody holds the lease.
	LeaseHeld(ctx context.Context, name string) (bool, error)

	GetMailbox(ctx context.Context, account Key, mailbox string) (MailboxState, error)
	// SetMailbox starts a new epoch (uidvalidity) of a mailbox, or records how far it was looked through.
	SetMailbox(ctx context.Context, account Key, mailbox string, s MailboxState) error
	// KnownUIDs returns which of uids are already stored (ingested, quarantined or filtered) in this epoch.
	KnownUIDs(ctx context.Context, account Key, mailbox string, uidValidity uint32, uids []uint32) (map[uint32]bool, error)
	// Ingest commits a batch in one transaction: locations, messages, interactions, transitions, events. It is
	// idempotent by location and by content, and refuses with ErrLeaseLost when another took l or it was released (fencing);
	// having expired alone is no loss.
	// A new message starts an interaction in the account's queue (Queued, reason Ingested), or joins the one its first
	// matching thread key belongs to: an open or offered one stays where it is, a closed or unread one is queued
	// again (reason Reopened) in its last queue, or the account's when that is gone. A thread key is a Message-ID known to the
	// account, inbound or outbound, or an interaction id (the own token). Without a queue, or for an automatic mail, what
	// would be queued is Unread (reasons NoQueue, Automatic). A mail that was seen on the server and is unseen again can be taken Again; it
	// then always starts an interaction, once, and is not known to be seen.
	Ingest(ctx context.Context, l Lease, account Key, mails []IngestMail) ([]IngestResult, error)
	// MailFlags returns what is recorded of the flags of these mails; WantedFlags only, of all mails, what is to be changed on the server.
	MailFlags(ctx context.Context, e MailboxEpoch, uids []uint32) (map[uint32]MailFlag, error)
	WantedFlags(ctx context.Context, e MailboxEpoch) (map[uint32]MailFlag, error)
	// UnconfirmedUIDs are the mails of an epoch that are stored and not known to be seen.
	UnconfirmedUIDs(ctx context.Context, e MailboxEpoch) ([]uint32, error)
	// RecordFlags says how the server has the mails now, FlagSeen or FlagUnseen. A wish that came meanwhile stays. ErrLeaseLost.
	RecordFlags(ctx context.Context, l Lease, e MailboxEpoch, flag MailFlag, uids []uint32) error
	// MailLocations returns what became of every mail that was ingested, quarantined or filtered in this epoch of a mailbox, by UID.
	MailLocations(ctx context.Context, account Key, mailbox string, uidValidity uint32) (map[uint32]MailLocation, error)
	// RawMessage returns the stored bytes of a message.
	RawMessage(ctx context.Context, namespace, messageID string) ([]byte, error)

	// PutAccountStatus writes only changes and emits EventAccountStatus; LastPoll alone is written at most once a minute and
	// without an event. Ingested and Quarantined are counted by Ingest, the values given here are ignored.
	PutAccountStatus(ctx context.Context, s AccountStatus) error
	GetAccountStatus(ctx context.Context, account Key) (AccountStatus, error)
}

// InteractionFilter narrows a list; zero values do not filter.
type InteractionFilter struct {
	Namespace string
	// Agent it is offered to or open with.
	Agent string
	// LastAgent who accepted it.
	LastAgent string
	States    []InteractionState
	Account   string
	Queue     string
	// Unread true: only interactions whose last inbound message is not read.
	Unread bool
	// Read true: only interactions whose last inbound message is read.
	Read bool
	// Accounts: only interactions of one of these.
	Accounts []string
	// Unassigned true: only interactions of accounts without assigned agents.
	Unassigned bool
	// OtherAccounts: only interactions of none of these.
	OtherAccounts []string
	// Supervisor of an agent it is with or was last accepted by.
	Supervisor string
	// Concerns is an agent it is with or was last accepted by.
	Concerns string
	// From (inclusive) and To (exclusive) of its start.
	From, To time.Time
	// Tags: only interactions with one of these.
	Tags []string
	// Text that subject, title, or the customer's address or name contains; ASCII letters match in either case.
	Text string
	// HideCustomer leaves address and name out of the search.
	HideCustomer bool
	// After is the id of the last row of the previous page; Limit 1..200, default 50. Newest first.
	After string
	Limit int
}

// Interactions is the life of conversations.
type Interactions interface {
	GetInteraction(ctx context.Context, namespace, id string) (Interaction, error)
	ListInteractions(ctx context.Context, f InteractionFilter) ([]Interaction, error)
	CountInteractions(ctx context.Context, f InteractionFilter) (int, error)
	// ListQueueFigures of one digital queue, or of all with the zero Key; sorted. Queues from which nobody has accepted anything are left out.
	ListQueueFigures(ctx context.Context, queue Key) ([]QueueFigures, error)
	// ListAccountFigures of one account, or of all with the zero Key; sorted. Accounts without interactions are left out.
	ListAccountFigures(ctx context.Context, account Key) ([]AccountFigures, error)
	// ListMessages oldest first.
	ListMessages(ctx context.Context, namespace, interactionID string) ([]Message, error)
	GetMessage(ctx context.Context, namespace, messageID string) (Message, error)
	History(ctx context.Context, namespace, interactionID string) ([]Transition, error)
	// MarkRead and MarkUnread by the agent it is with, or by anybody while it is with nobody; ErrConflict for another. Where the account's
	// Desk.SyncFlags says so they ask for \Seen to be changed on the server, as WantedFlags; so do answering and closing.
	MarkRead(ctx context.Context, namespace, id, agent string) error
	MarkUnread(ctx context.Context, namespace, id, agent string) error
	// PatchInteraction changes title and tags; what is beyond their limits is cut.
	PatchInteraction(ctx context.Context, namespace, id string, p InteractionPatch) (Interaction, error)
	// TakeOver opens an Unread interaction with the agent (reason TakenOver). ErrConflict when it is not Unread or the agent is inactive,
	// ErrCapacity when the agent holds as many as allowed.
	TakeOver(ctx context.Context, namespace, id, agent string) (Interaction, error)

	// Accept turns the agent's own running offer into Open. ErrConflict when it is not (any more) offered to this agent; an
	// offer ends at its deadline, whether or not routing has moved it on yet.
	Accept(ctx context.Context, namespace, id, agent string) (Interaction, error)
	// Reject gives the offer back; the queue offers it on to others first (reason Rejected).
	Reject(ctx context.Context, namespace, id, agent string) (Interaction, error)
	// CloseInteraction by its agent; only from Open. ErrDispositionRequired: d has none and the account wants one;
	// ErrDispositionUnknown: it is none of DispositionsOf.
	CloseInteraction(ctx context.Context, namespace, id, agent string, d Disposal) (Interaction, error)

	// Transfer sends the agent's open interaction on, reason Transferred. To a queue or an agent it waits to be accepted for as long as the rules of the
	// account allow and then is open with its sender again as unread, reason TransferTimeout (TransferRejected when the agent it was for declines);
	// under the model Legacy, or without the sender, it is Unread. To an account it waits in that account's queue, or begins its flow, like a new one, and
	// later mails of the conversation join at either account. ErrConflict when it is not open with agent, ErrTransferDenied, ErrTransferTarget.
	Transfer(ctx context.Context, namespace, id, agent string, to TransferTarget) (Interaction, error)

	// Route claims due work (queued interactions, offers past their deadline) so that no two workers get the same, asks decide
	// for each and applies the transitions in the same transaction, up to limit interactions. It returns how many it
	// looked at. Capacity and single assignment hold under any number of concurrent callers.
	Route(ctx context.Context, limit int, decide routing.Decider) (int, error)
	// NextDue is when the next deadline falls; zero when none is set.
	NextDue(ctx context.Context) (time.Time, error)
}

// Outbox sends agents' mails exactly once per Message-ID as far as SMTP allows.
type Outbox interface {
	// AddReply stores an outbound message (state Pending) of the agent's open interaction with its raw bytes; ErrConflict when it
	// is not open with m.Agent. A Message-ID that the interaction already sent returns that message and adds nothing.
	// Its draft and the files of extras are gone then. An extras.Key that the agent used before returns that message; ErrKeyReused when it was
	// another answer.
	AddReply(ctx context.Context, m Message, raw []byte, extras ReplyExtras) (Message, error)
	// ReplyUnder finds the answer an agent sent under extras.Key, for a day; ErrNotFound, ErrKeyReused.
	ReplyUnder(ctx context.Context, agent Key, extras ReplyExtras) (Message, error)

	// AddUpload keeps a file for an answer, for a week. ErrConflict when the interaction is not open with u.Agent, ErrTooMuch beyond
	// MaxUploads and MaxUploadBytes of one interaction.
	AddUpload(ctx context.Context, u Upload, content []byte) (Upload, error)
	ListUploads(ctx context.Context, namespace, interactionID string) ([]Upload, error)
	// UploadContent of one file of the interaction.
	UploadContent(ctx context.Context, namespace, interactionID, id string) (Upload, []byte, error)
	// DeleteUpload by the agent the interaction is open with.
	DeleteUpload(ctx context.Context, namespace, interactionID, id, agent string) error

	// GetDraft of the interaction's next answer.
	GetDraft(ctx context.Context, namespace, interactionID string) (Draft, error)
	// PutDraft by the agent the interaction is open with (ErrConflict otherwise): version is the one it replaces, 0 for none; ErrVersion when the
	// present one is another.
	PutDraft(ctx context.Context, d Draft, version int64) (Draft, error)
	// DeleteDraft likewise; version 0 deletes whatever is there.
	DeleteDraft(ctx context.Context, namespace, interactionID, agent string, version int64) error
	// ClaimOutbound takes the next Pending message of an account (or one whose claim is older than staleAfter) and marks it Sending.
	// ErrNotFound when there is none.
	ClaimOutbound(ctx context.Context, l Lease, account Key, staleAfter time.Duration) (Message, []byte, error)
	// FinishOutbound records Sent, Failed (final) or Pending (retry after) for the message with this id (Message.ID).
	// ErrConflict when it is not Sending.
	FinishOutbound(ctx context.Context, l Lease, messageID string, state MessageState, detail string, retryAfter time.Duration) error
}

// Events is the change feed, kept for a day.
type Events interface {
	// EventsAfter returns up to limit events of a namespace ("" = all) in commit order, and never skips one that commits late.
	EventsAfter(ctx context.Context, namespace string, after Cursor, limit int) ([]Event, error)
	// LastCursor is the present end of the stream.
	LastCursor(ctx context.Context) (Cursor, error)
	// CursorBefore is the end of the stream as it was age ago, as far as it is still kept.
	CursorBefore(ctx context.Context, age time.Duration) (Cursor, error)
	// Wake returns a channel that is closed at the next change made through this process, so that local readers need not poll fast.
	Wake() <-chan struct{}
	// PruneEvents deletes events older than age.
	PruneEvents(ctx context.Context, age time.Duration) error
}

// Registrations mirrors SIP contacts as the PBXes report them.
type Registrations interface {
	// SetRegistrations replaces all contacts of a PBX (after its link connected).
	SetRegistrations(ctx context.Context, pbx Key, regs []Registration) error
	// PutRegistration adds one contact, or removes all of the extension on this PBX when r.URI is empty.
	PutRegistration(ctx context.Context, pbx Key, r Registration) error
	RegistrationsOf(ctx context.Context, namespace, extension string) ([]Registration, error)
	CountRegistrations(ctx context.Context, pbx Key) (int, error)
}
