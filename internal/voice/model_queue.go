package voice

import "time"

// Strategy is how a queue chooses the member that rings.
type Strategy string

// The eight strategies of app_queue.
const (
	Ringall     Strategy = "Ringall"
	LeastRecent Strategy = "LeastRecent"
	FewestCalls Strategy = "FewestCalls"
	Random      Strategy = "Random"
	RRMemory    Strategy = "RRMemory"
	RROrdered   Strategy = "RROrdered"
	Linear      Strategy = "Linear"
	WRandom     Strategy = "WRandom"
)

// AutoPause says what app_queue does with a member that does not answer.
type AutoPause string

// The values of AutoPause; the zero value is AutoPauseNever.
const (
	AutoPauseNever AutoPause = "Never"
	AutoPauseQueue AutoPause = "Queue"
	AutoPauseAll   AutoPause = "All"
)

// EmptyReason is why a member does not count when app_queue decides whether a
// queue is empty.
type EmptyReason string

// The reasons of app_queue.
const (
	EmptyPaused      EmptyReason = "Paused"
	EmptyPenalty     EmptyReason = "Penalty"
	EmptyInUse       EmptyReason = "InUse"
	EmptyRinging     EmptyReason = "Ringing"
	EmptyUnavailable EmptyReason = "Unavailable"
	EmptyInvalid     EmptyReason = "Invalid"
	EmptyUnknown     EmptyReason = "Unknown"
	EmptyWrapUp      EmptyReason = "WrapUp"
)

// AnnouncePosition says which waiting callers hear their position.
type AnnouncePosition string

// The values of AnnouncePosition; the zero value is PositionNever. Limit tells
// it to those within the limit only, More tells the others that more than the
// limit are waiting.
const (
	PositionAlways AnnouncePosition = "Always"
	PositionNever  AnnouncePosition = "Never"
	PositionLimit  AnnouncePosition = "Limit"
	PositionMore   AnnouncePosition = "More"
)

// AnnounceHoldTime says how often a caller hears the estimated hold time.
type AnnounceHoldTime string

// The values of AnnounceHoldTime; the zero value is HoldTimeNever.
const (
	HoldTimeAlways AnnounceHoldTime = "Always"
	HoldTimeOnce   AnnounceHoldTime = "Once"
	HoldTimeNever  AnnounceHoldTime = "Never"
)

// Announcements are what waiting callers hear of their position.
type Announcements struct {
	// Position defaults to PositionNever; PositionLimit is the number it
	// compares with, 1 to 1000, 0 meaning 5.
	Position      AnnouncePosition
	PositionLimit int
	// HoldTime defaults to HoldTimeNever.
	HoldTime AnnounceHoldTime
	// Interval between announcements; 0 means none at all. MinInterval is the
	// least time between two when the position changes; 0 means 15 s.
	Interval, MinInterval time.Duration
	// Sounds replaces the standard sound files.
	Sounds Sounds
}

// Sounds are names of sound files as Playback takes them: [A-Za-z0-9_./-],
// relative to Asterisk's sounds or absolute, without the format's suffix, at
// most 255 characters. Empty means the standard one.
type Sounds struct {
	YouAreNext, ThereAre, CallsWaiting, HoldTime, Minute, Minutes, Seconds, ThankYou string
	// QuantityOne and QuantityTwo surround the limit of PositionMore.
	QuantityOne, QuantityTwo string
}

// PeriodicAnnouncement is played to everyone who waits.
type PeriodicAnnouncement struct {
	// Sounds are played one after another, one each time.
	Sounds []string
	// Interval between them; 0 means 60 s.
	Interval time.Duration
}

// Queue is one voice queue. Durations are whole seconds in app_queue and
// rounded up to them.
type Queue struct {
	// Key names the object the queue comes from, for example "Queue/support".
	// Required and unique.
	Key string
	// Hash identifies the state of that object; empty means Fingerprint.
	Hash string
	// Name is the queue's name in Asterisk.
	Name string
	// Number is what callers dial; empty means that it cannot be dialled.
	Number string
	// Strategy defaults to RRMemory.
	Strategy Strategy
	// Weight is the queue's claim to members it shares with others, 0 to 100.
	Weight int
	// Timeout is how long one member rings; 0 means 15 s.
	Timeout time.Duration
	// Retry is the wait before members are tried again; 0 means 5 s.
	Retry time.Duration
	// WrapUpTime is a member's rest after a call; 0 means none.
	WrapUpTime time.Duration
	// MaxLen is how many callers may wait; 0 means no limit.
	MaxLen int
	// MaxWaitTime is how long a caller may wait; 0 means no limit.
	MaxWaitTime time.Duration
	// ServiceLevel is the answer time that counts as good; 0 means unset.
	ServiceLevel time.Duration
	// JoinWhenEmpty and LeaveWhenEmpty are the reasons for which members do
	// not count: a caller may not join, or must leave, when none is left.
	// Empty lists mean that callers may always join and stay.
	JoinWhenEmpty, LeaveWhenEmpty []EmptyReason
	// Announcements of the caller's position; the zero value means none.
	Announcements Announcements
	// Periodic is played while callers wait; without Sounds nothing is.
	Periodic PeriodicAnnouncement
	// MusicClass is "default" or one of the PBX's MusicClasses; empty means
	// "default".
	MusicClass string
	// AutoPause defaults to AutoPauseNever.
	AutoPause AutoPause
	// AutoPauseDelay is how long after its last call a member is not paused.
	AutoPauseDelay time.Duration
	// AutoPauseOnBusy and AutoPauseOnUnavailable pause also a member whose
	// phone answers that it is busy, or cannot be reached.
	AutoPauseOnBusy, AutoPauseOnUnavailable bool
	// MemberDelay is the wait between a member's answer and the caller.
	MemberDelay time.Duration
	// Members may be rung, in any order; each starts paused.
	Members []Member
}

// Member is one endpoint in a queue.
type Member struct {
	// Extension names an agent of the same Center that can be called.
	Extension string
	// Penalty puts the member behind those with a lower one.
	Penalty int
	// Name is shown in queue events; empty means the extension.
	Name string
	// WrapUpTime replaces the queue's for this member; 0 means the queue's.
	WrapUpTime time.Duration
}
