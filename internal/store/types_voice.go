package store

import "time"

// Client is the kind of program that an agent signed in with.
type Client string

// Clients.
const (
	ClientPhonebar Client = "Phonebar"
	ClientWeb      Client = "Web"
	ClientOther    Client = "Other"
)

// Telephone is what the desk knows of a Telephone object: a telephone without a person, for hot desk.
type Telephone struct {
	Key
	DisplayName string
	// Username is the endpoint's name at the PBXes.
	Username string
	// Labels of the object, which agents' selectors choose by.
	Labels map[string]string
}

// TelephoneState is a telephone and what happens at it.
type TelephoneState struct {
	Telephone
	// Agent sits there since Since; empty when nobody does.
	Agent string
	Since time.Time
	// Registered is true with a SIP contact on any PBX.
	Registered bool
}

// Forward is where an agent's direct calls go, unconditionally.
type Forward struct {
	Agent Key
	// Number as the agent gave it; empty: no forwarding.
	Number string
	Since  time.Time
}

// CallState of a leg. A call never goes back to an earlier state.
type CallState string

// Call states.
const (
	CallRinging CallState = "Ringing"
	CallUp      CallState = "Up"
	CallEnded   CallState = "Ended"
)

// RecordingState of a call.
type RecordingState string

// Recording states.
const (
	RecordingOff    RecordingState = "Off"
	RecordingOn     RecordingState = "On"
	RecordingPaused RecordingState = "Paused"
)

// Call is one leg: the call on the channel of one agent's phone.
type Call struct {
	// ID is a UUIDv7 that the store gives at the first report, so ids sort by it.
	ID        string
	Namespace string
	PBX       string
	// Uniqueid of the agent's channel and LinkedID of the whole call, as Asterisk names them.
	Uniqueid string
	LinkedID string
	// Agent is found by the store at the first report and then stays, whoever sits at the telephone later.
	Agent string
	// Extension is the name of the endpoint: the agent's, or that of the telephone where the agent sits.
	Extension string
	Direction Direction
	// Number and Name of the other party, as they were signalled; both may be empty.
	Number string
	Name   string
	// Queue the call came by; empty for a direct one.
	Queue string
	State CallState
	// Times by the clock of the PBX, or the store's where a report has none.
	StartedAt  time.Time
	AnsweredAt time.Time // zero until answered
	EndedAt    time.Time // zero until ended
	Recording  RecordingState
	// Recordings are the names of the files made of this call, below the monitor directory of the PBX.
	Recordings []string
	// Missed: an inbound call that ended without an answer, neither here nor by a colleague it rang as well. Set by the store.
	Missed bool
}

// CallVerb is what an agent may ask of a call.
type CallVerb string

// Verbs. Restart ends the running file and begins another.
const (
	VerbStart   CallVerb = "Start"
	VerbPause   CallVerb = "Pause"
	VerbResume  CallVerb = "Resume"
	VerbRestart CallVerb = "Restart"
)

// CallOutcome is what became of a CallCommand; empty while nobody knows.
type CallOutcome string

// Outcomes.
const (
	// OutcomeDone: the PBX did it.
	OutcomeDone CallOutcome = "Done"
	// OutcomeGone: the call had ended.
	OutcomeGone CallOutcome = "Gone"
	// OutcomeLimit: the PBX refused another recording file.
	OutcomeLimit CallOutcome = "Limit"
	// OutcomeNotRecording: there was no recording to pause, resume or restart.
	OutcomeNotRecording CallOutcome = "NotRecording"
	// OutcomeNoRecording: the file of a recording is gone.
	OutcomeNoRecording CallOutcome = "NoRecording"
	// OutcomeDenied: the policy that the PBX has of the agent does not allow it.
	OutcomeDenied CallOutcome = "Denied"
	// OutcomeNotConnected: the PBX cannot be reached.
	OutcomeNotConnected CallOutcome = "NotConnected"
	// OutcomeFailed: the PBX refused for another reason, which Detail tells.
	OutcomeFailed CallOutcome = "Failed"
	// OutcomeWithdrawn: who asked no longer waits.
	OutcomeWithdrawn CallOutcome = "Withdrawn"
)

// CallCommandTTL is how long a command may wait to be claimed: carried out later it would surprise.
const CallCommandTTL = 30 * time.Second

// CallCommand is a wish of an agent on its way to the PBX.
type CallCommand struct {
	ID        string // UUIDv7
	Namespace string
	CallID    string
	// PBX, Uniqueid (of the agent's channel) and Extension are those of the call.
	PBX         string
	Uniqueid    string
	Extension   string
	Verb        CallVerb
	RequestedBy string // agent
	RequestedAt time.Time
	Outcome     CallOutcome
	Detail      string
}

// RecordingRead is a part of a recording on its way from the PBX to a desk.
type RecordingRead struct {
	ID        string // UUIDv7
	Namespace string
	CallID    string
	// PBX of the call.
	PBX string
	// N is the number of the recording in the call's Recordings, from 0, and File its name there.
	N    int
	File string
	// Offset of the first byte and most bytes wanted.
	Offset      int64
	Length      int
	RequestedAt time.Time
	Outcome     CallOutcome
	// Part is what was read; empty before.
	Part RecordingPart
}

// RecordingPart is a part of the file of a recording.
type RecordingPart struct {
	Content []byte
	// Size of the whole file, and when it was changed last.
	Size      int64
	ChangedAt time.Time
}

// MaxRecordingPart is the most bytes of a recording that a desk asks for at a time.
const MaxRecordingPart = 256 << 10

// MaxRecordingDownloads is how many downloads of a call are listed, the latest.
const MaxRecordingDownloads = 200

// RecordingDownload tells who downloaded a recording.
type RecordingDownload struct {
	Namespace string
	CallID    string
	// N is the number of the recording, from 0.
	N     int
	Agent string
	// At is when it began, by the store's clock.
	At time.Time
}

// Voicemail counts the messages of one mailbox on one PBX.
type Voicemail struct {
	Extension string
	// Unread and Read messages.
	Unread, Read int
}

// DefaultCallRetention is how long ended calls are kept, and who downloaded their recordings.
const DefaultCallRetention = 30 * 24 * time.Hour
