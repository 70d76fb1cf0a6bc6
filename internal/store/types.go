// Package store keeps what happens in a contact center: presence, interactions, messages,
// assignments, sign-in state and extension allocations. Configuration stays in Kubernetes; the part of
// it that routing and the desk need is mirrored here by the controllers, so both go on while the API
// server is away.
//
// One implementation serves SQLite (one replica) and PostgreSQL (several); one contract test suite runs
// against both. Every deadline is a stored time and is compared with the store's own clock, never with
// a replica's.
package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

// Errors that callers match with errors.Is. Anything else is temporary: retry with backoff.
var (
	// ErrNotFound: no such row in this namespace.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row is no longer in the state the caller acted on.
	ErrConflict = errors.New("conflict")
	// ErrRangeFull: no free extension is left in the ranges of the contact center.
	ErrRangeFull = errors.New("no free extension in the ranges")
	// ErrOutOfRange: the wanted extension lies outside the ranges of the contact center.
	ErrOutOfRange = errors.New("extension outside the ranges")
	// ErrLeaseLost: another holder has the lease, nothing was written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrUnavailable: the database cannot be reached, or has no room or no working disk. What was to be written is not at fault.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrCapacity: the agent holds as many interactions as allowed.
	ErrCapacity = errors.New("capacity reached")
	// ErrTooMuch: more or larger files than an answer takes.
	ErrTooMuch = errors.New("too many or too large files")
	// ErrNoAddress: what should be an e-mail address is none.
	ErrNoAddress = errors.New("no e-mail address")
	// ErrVersion: another version of the row is there.
	ErrVersion = errors.New("another version")
	// ErrKeyReused: the idempotency key belongs to another answer.
	ErrKeyReused = errors.New("idempotency key belongs to another answer")
	// ErrPasswordReused: the new password is among the last ones.
	ErrPasswordReused = errors.New("password was used before")
)

// TakenError says who holds a unique value.
type TakenError struct {
	// Value is the extension, username or address that was wanted.
	Value string
	// By names the holder as kind/name, for example agent/alice.
	By string
	// Until is when the quarantine of a released extension ends; zero when it is in use.
	Until time.Time
}

func (e *TakenError) Error() string {
	if e.Until.IsZero() {
		return fmt.Sprintf("%q is taken by %s", e.Value, e.By)
	}
	return fmt.Sprintf("%q was released by %s and is quarantined until %s", e.Value, e.By, e.Until.UTC().Format(time.RFC3339))
}

// Key names an object of a contact center.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// ExtensionOwner is what an extension belongs to.
type ExtensionOwner struct {
	Namespace string
	// Kind is agent or queue.
	Kind string
	Name string
}

// ExtensionRange is an inclusive range; both ends have the same number of digits.
type ExtensionRange struct{ From, To string }

// Agent is what routing and the desk know of an Agent object.
type Agent struct {
	Key
	Username    string
	DisplayName string
	Alias       string
	Email       string
	Extension   string
	// Active is false for a deactivated account: no sign-in, no offers.
	Active bool
	// EmailCapacity is how many e-mail interactions (open and offered) the agent may hold; 0 = unlimited.
	EmailCapacity int
	// EmailAutoAnswer accepts e-mail offers on the agent's behalf.
	EmailAutoAnswer AutoAnswer
	// Profile is the JSON document the desk serves as the client settings of this agent.
	Profile []byte
	// Permissions is the JSON document the desk decides by what this agent may do and see; a change is an EventPermissions.
	Permissions []byte
	// ClientLogs is the JSON document of what this agent's client is to log, empty while nothing; a change is an EventClientLogsEnabled
	// with the document, or an EventClientLogsDisabled.
	ClientLogs []byte
}

// AutoAnswer accepts offers after a delay; the zero value does not.
type AutoAnswer struct {
	Enabled bool
	Delay   time.Duration
}

// Channel of a queue or an interaction.
type Channel string

// Channels.
const (
	ChannelVoice Channel = "Voice"
	ChannelEmail Channel = "Email"
)

// Queue is what routing knows of a Queue object.
type Queue struct {
	Key
	DisplayName string
	Channel     Channel
	// Strategy is RRMemory, LeastRecent or BeepAll for digital channels; routing ignores voice queues.
	Strategy string
	// OfferTimeout is how long an offer waits for an answer.
	OfferTimeout time.Duration
	// WrapUpTime is how long queues offer nothing to an agent who closed or transferred an interaction of this one.
	WrapUpTime time.Duration
	// Weight orders queues that wait for the same agent: the heavier one comes first.
	Weight int
	// ServiceLevel is the wait within which accepting an interaction counts as in time; 0 = none is set.
	ServiceLevel time.Duration
	// Members are the effective ones, every team and selector already resolved.
	Members []QueueMember
}

// QueueMember is one agent of a queue. Lower penalties are offered first.
type QueueMember struct {
	Agent   string
	Penalty int
}

// Account is what the desk, routing and ingestion know of an EmailAccount object.
type Account struct {
	Key
	// Label is the short key of at most five characters shown on agents' tabs.
	Label       string
	DisplayName string
	Address     string
	// Queue receives new interactions of this account; empty when Flow decides.
	Queue string
	// Flow decides about new interactions of this account.
	Flow string
	// Active is false when agents must not send from it and nothing is fetched.
	Active bool
	// Desk is what agents may do with its interactions.
	Desk AccountDesk
	// Routing are the rules for replies, timeouts and transfers.
	Routing routing.Rules
	// ContactList that those who write become contacts of, once it exists; empty for none.
	ContactList string
}

// Presence of an agent, runtime state that never lives in a spec.
type Presence struct {
	Agent Key
	// SignedIn is true from sign-in to sign-out at the desk.
	SignedIn bool
	// Paused stops offers and queue calls; Reason says why, free text of at most 80 characters.
	Paused bool
	Reason string
	Since  time.Time
	// Telephone is where the agent sits (hot desk); empty at the own phone.
	Telephone string
	// Source is the kind of client that made the last change of state; empty when the store did, for example when the last session ended.
	Source Client
	// WrapUp is when the wrap-up time ends in which queues offer the agent nothing; zero when none runs. SetPresence ignores it.
	WrapUp time.Time
}

// StreamState says whether an agent's clients follow the events of the desk.
type StreamState struct {
	// Open: at least one does.
	Open bool
	// EndedAgo is how long the last one has been over; 0 while one is open, and when there was none.
	EndedAgo time.Duration
}

// Session is one signed-in client.
type Session struct {
	Agent   Key
	Client  Client
	Expires time.Time
}

// Credential is an agent's sign-in state. The password itself is never stored.
type Credential struct {
	Agent Key
	// Hash is the argon2id hash in PHC format.
	Hash string
	// SecretVersion identifies the Secret content this hash came from, so that only a deliberate change
	// of the Secret replaces a password the agent chose.
	SecretVersion string
	ChangedAt     time.Time
}

// InteractionState is where an interaction is on its way.
type InteractionState string

// States. New: a flow has not yet decided.
const (
	StateNew     InteractionState = "New"
	StateQueued  InteractionState = "Queued"
	StateOffered InteractionState = "Offered"
	StateOpen    InteractionState = "Open"
	StateClosed  InteractionState = "Closed"
	StateUnread  InteractionState = "Unread"
)

// Interaction is one conversation with a customer.
type Interaction struct {
	ID        string // UUIDv7, so ids sort by creation
	Namespace string
	Channel   Channel
	Account   string
	Queue     string
	State     InteractionState
	// Agent is the one it is offered to or open with; empty otherwise, and while it is offered to several.
	Agent string
	// OfferedTo are the several agents it is offered to at once, by name; GetInteraction alone fills it in.
	OfferedTo []string
	// LastAgent is the last agent who accepted it; it stays when the interaction is closed or queued again.
	LastAgent string
	// LastQueue is the last queue whose member accepted.
	LastQueue string
	// Deadline of the running offer; zero when none runs.
	Deadline time.Time
	Subject  string
	// Title that agents gave it; empty: the subject.
	Title string
	// Tags, sorted; see CleanTags.
	Tags      []string
	Customer  string // address of the customer
	Name      string // display name of the customer, may be empty
	CreatedAt time.Time
	UpdatedAt time.Time
	// Read is false while the last inbound message has not been read by its agent.
	Read         bool
	MessageCount int
	// LastDirection is the direction of the last message.
	LastDirection Direction
	// Disposition is the whole path it was closed with last, DispositionNote what the agent added; both may be empty.
	Disposition     string
	DispositionNote string
	// WaitDetail says in words why a queued interaction waits; GetInteraction alone fills it in when nobody of the queue has room.
	WaitDetail string
	// WaitsFor is the one agent a queued interaction waits for, empty when any member of its queue may have it; GetInteraction alone fills it in.
	WaitsFor string
	// Version grows with every transition; commands name it to act on what they saw.
	Version int64
}

// Direction of a message.
type Direction string

// Directions.
const (
	Inbound  Direction = "Inbound"
	Outbound Direction = "Outbound"
)

// MessageState says what became of a message.
type MessageState string

// Inbound messages are Stored, HeadersOnly (over the size limit) or Quarantined (kept raw, not parsed);
// outbound ones go Pending → Sending → Sent or Failed.
const (
	MessageStored      MessageState = "Stored"
	MessageHeadersOnly MessageState = "HeadersOnly"
	MessageQuarantined MessageState = "Quarantined"
	MessagePending     MessageState = "Pending"
	MessageSending     MessageState = "Sending"
	MessageSent        MessageState = "Sent"
	MessageFailed      MessageState = "Failed"
)

// Message of an interaction.
type Message struct {
	ID            string
	InteractionID string
	Namespace     string
	Account       string
	Direction     Direction
	State         MessageState
	// Detail says why a message is quarantined, cut or failed; never customer data.
	Detail      string
	MessageID   string // RFC 5322, without angle brackets; may be empty
	From        string
	To          []string
	Cc          []string
	Bcc         []string // of an outbound message; in no header
	Subject     string
	Date        time.Time
	Text        string // plain text, at most 256 KiB, for display
	HTML        string // sanitised, at most 1 MiB
	Attachments []Attachment
	Agent       string // who wrote an outbound message
	CreatedAt   time.Time
	Attempts    int
}

// Attachment describes a part; its bytes are in the raw message.
type Attachment struct {
	Name        string `json:"name"`
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
}

// Transition is one row of an interaction's history: why it is where it is.
type Transition struct {
	InteractionID string
	At            time.Time
	From, To      InteractionState
	Agent         string
	Queue         string
	// Reason is a CamelCase constant such as Ingested, Offered, Accepted, Rejected, OfferTimeout.
	Reason string
	// Detail explains the decision in words, without customer data.
	Detail string
}

// IngestKind is what ingestion decided about one mail on the server.
type IngestKind string

// Kinds. Filtered mails are remembered by location only and make no interaction; Loop mails (automatic
// replies, bounces, lists) are kept but not routed.
const (
	IngestMessage     IngestKind = "Message"
	IngestHeadersOnly IngestKind = "HeadersOnly"
	IngestQuarantined IngestKind = "Quarantined"
	IngestFiltered    IngestKind = "Filtered"
)

// IngestMail is one fetched mail ready to be committed.
type IngestMail struct {
	Mailbox     string
	UIDValidity uint32
	UID         uint32
	Kind        IngestKind
	Detail      string
	// Raw is the mail exactly as the server gave it; the header alone for HeadersOnly, nil for Filtered.
	Raw []byte
	// SHA256 of the raw bytes (hex): with the account the key that makes a mail one message, however
	// often and under whatever UID the server shows it.
	SHA256 string
	// Size the server announced.
	Size int64
	// ThreadKeys are the identifiers to join an existing interaction by, strongest first: the own
	// token, In-Reply-To, References from the end. Never empty strings, never a subject.
	ThreadKeys []string
	// Automatic is true for loops and machine mail (RFC 3834, DSN, lists): stored, but an interaction
	// it would start goes to Unread instead of a queue.
	Automatic bool
	// Message carries the parsed fields; ID, InteractionID, CreatedAt are set by the store.
	Message Message
	// CustomerName is the display name of the sender.
	CustomerName string
	// Again takes a mail whose place is recorded as FlagSeen once more, as a new message of a new interaction. Elsewhere it has no effect.
	Again bool
}

// IngestResult says what became of one IngestMail.
type IngestResult struct {
	UID           uint32
	InteractionID string
	// Duplicate is true when the location or the content was already stored.
	Duplicate bool
	// Joined is true when the mail was added to an existing interaction.
	Joined bool
}

// MailboxState is the place in a mailbox that ingestion reached.
type MailboxState struct {
	UIDValidity uint32
	// FloorUID: mails with a UID below it were there before the account was connected with
	// initialSync FromNow, and are not fetched.
	FloorUID uint32
	// WatermarkUID: mails with this UID or a higher one are looked at whether seen or not; 0 when only unseen ones are.
	WatermarkUID uint32
}

// Lease makes one process the owner of a thing. Fence grows with every new holder.
type Lease struct {
	Name   string
	Holder string
	Fence  int64
}

// AccountStatus is what a mail worker knows of its account; the controller shows it.
type AccountStatus struct {
	Account Key
	// ConfigHash identifies the configuration this status is about.
	ConfigHash string
	// IMAP and SMTP are Ready, Pending or a failure reason (a condition reason constant).
	IMAP, IMAPMessage string
	SMTP, SMTPMessage string
	// CertificateSHA256 is the fingerprint of the IMAP server's certificate (hex), empty without TLS.
	CertificateSHA256 string
	LastPoll          time.Time // last successful drain
	Ingested          int64     // mails ingested since the account exists
	Quarantined       int64
	UpdatedAt         time.Time
}

// Registration is one SIP contact on one PBX.
type Registration struct {
	PBX       string
	Extension string
	URI       string
	UserAgent string
	Since     time.Time
}

// Event tells desks, controllers and other replicas that something changed.
type Event struct {
	// Cursor resumes a stream after this event.
	Cursor    Cursor
	At        time.Time
	Namespace string
	// Agent is set when only this agent's desk may see it.
	Agent string
	// Kind: see the Event* constants.
	Kind string
	// Subject is the id or name of what changed.
	Subject string
	// Data is a small JSON object for the desk, without message texts; may be nil.
	Data []byte
}

// Cursor is an opaque place in the event stream; "" is before the first event still kept.
type Cursor string

// Event kinds.
const (
	EventPresence      = "presence" // subject: agent name
	EventOffered       = "interaction.offered"
	EventOfferEnded    = "interaction.offerEnded"
	EventOpened        = "interaction.opened"
	EventMessage       = "interaction.message"
	EventUpdated       = "interaction.updated" // title, tags or the read mark changed
	EventClosed        = "interaction.closed"
	EventQueued        = "interaction.queued"
	EventUnread        = "interaction.unread"  // routing ended without an agent
	EventMessageState  = "message.state"       // outbound message sent or failed
	EventAccountStatus = "account.status"      // subject: account name
	EventRegistration  = "registration"        // subject: extension
	EventCredential    = "credential"          // subject: agent name
	EventSeat          = "seat"                // subject: agent name; data: telephone, taken
	EventForward       = "forwarding"          // subject: agent name
	EventVoicemail     = "voicemail"           // subject: agent name; data: unread, read over all PBXes
	EventPermissions   = "permissions.changed" // subject: agent name
	EventStream        = "stream"              // for controllers only; subject: agent name
	EventCall          = "call.updated"        // subject: call id, also below
	EventCallCommand   = "call.command"        // for the leader only; subject: command id
	EventRecordingRead = "recording.read"      // likewise; subject: id of the RecordingRead
	EventContacts      = "contacts"            // for the leader only: a list has more of them; subject: its name
	EventSystemMail    = "system.mail"         // for the mail workers only; subject: account name
	EventMailFlags     = "mail.flags"          // likewise: a flag is to be changed on the server

	EventClientLogsEnabled  = "clientLogs.enabled" // subject: agent name
	EventClientLogsDisabled = "clientLogs.disabled"

	EventRecordingStarted = "recording.started" // a file was begun
	EventRecordingPaused  = "recording.paused"
	EventRecordingResumed = "recording.resumed"
	EventRecordingStopped = "recording.stopped"
)
