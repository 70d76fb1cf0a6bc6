package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// QueueVoice is how a voice queue treats callers and members. Durations are whole seconds in Asterisk and rounded up to them
// (https://docs.asterisk.org/Asterisk_22_Documentation/API_Documentation/Module_Configuration/app_queue/).
type QueueVoice struct {
	// ringTimeout is how long a member's phone rings. Default 15s.
	// +optional
	// +kubebuilder:default="15s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="ringTimeout must be between 1s and 10m"
	RingTimeout *metav1.Duration `json:"ringTimeout,omitempty"`
	// retryInterval is the wait before members are tried again. Default 5s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="retryInterval must be between 1s and 10m"
	RetryInterval *metav1.Duration `json:"retryInterval,omitempty"`
	// wrapUpTime is how long a member is left alone after a call. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="wrapUpTime must be between 0s and 1h"
	WrapUpTime *metav1.Duration `json:"wrapUpTime,omitempty"`
	// maxWaiting callers; one more is refused. 0 means no limit. Default 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	MaxWaiting int32 `json:"maxWaiting,omitempty"`
	// maxWaitTime after which a caller is let go. 0s means never. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="maxWaitTime must be between 0s and 24h"
	MaxWaitTime *metav1.Duration `json:"maxWaitTime,omitempty"`
	// memberDelay is a silence for the member between answer and caller. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('60s')",message="memberDelay must be between 0s and 60s"
	MemberDelay *metav1.Duration `json:"memberDelay,omitempty"`
	// refuseWhen lists the states of members that do not count as available when a caller wants to join: a caller is refused when no member is left. Empty means that
	// callers may always join. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	RefuseWhen []MemberCondition `json:"refuseWhen,omitempty"`
	// leaveWhen does the same for callers who wait already. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	LeaveWhen []MemberCondition `json:"leaveWhen,omitempty"`
	// autoPause of members who do not answer.
	// +optional
	// +kubebuilder:default={mode: Never, onBusy: Ignore, onUnavailable: Ignore}
	AutoPause QueueAutoPause `json:"autoPause,omitempty"`
	// announcements to waiting callers.
	// +optional
	// +kubebuilder:default={position: Never}
	Announcements QueueAnnouncements `json:"announcements,omitempty"`
	// periodicAnnouncement is played to waiting callers again and again.
	// +optional
	PeriodicAnnouncement *PeriodicAnnouncement `json:"periodicAnnouncement,omitempty"`
	// musicClass that waiting callers hear: default, which is Asterisk's own, or one of the musicClasses of every PBX. Default: default.
	// +optional
	// +kubebuilder:validation:MaxLength=79
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	MusicClass string `json:"musicClass,omitempty"`
}

// MemberCondition is a state in which a member does not count (joinempty and leavewhenempty of app_queue). WrapUp is a member in
// wrap-up time, Penalty one whose penalty a caller has not reached.
// +kubebuilder:validation:Enum=Paused;Penalty;InUse;Ringing;Unavailable;Invalid;Unknown;WrapUp
type MemberCondition string

// QueueAutoPause pauses members who let their phone ring.
// +kubebuilder:validation:XValidation:rule="self.mode != 'Never' || (!has(self.delay) && self.onBusy == 'Ignore' && self.onUnavailable == 'Ignore')",message="delay, onBusy and onUnavailable need a mode other than Never"
type QueueAutoPause struct {
	// mode: Never, Queue (in this queue) or All (in every queue). The agent's presence at the desk becomes Paused, reason AutoPause, with All. Default Never.
	// +optional
	// +kubebuilder:default=Never
	// +kubebuilder:validation:Enum=Never;Queue;All
	Mode string `json:"mode,omitempty"`
	// delay since the member's last call within which a missed call does not pause. Default: none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="delay must be between 1s and 1h"
	Delay *metav1.Duration `json:"delay,omitempty"`
	// onBusy Pause: a phone that is busy counts as missed (autopausebusy). A SIP phone's own 486 counts as missed either way. Default Ignore.
	// +optional
	// +kubebuilder:default=Ignore
	// +kubebuilder:validation:Enum=Pause;Ignore
	OnBusy string `json:"onBusy,omitempty"`
	// onUnavailable Pause: a phone that cannot be reached counts as missed (autopauseunavail). A SIP phone's own 480 counts as missed either way. Default
	// Ignore.
	// +optional
	// +kubebuilder:default=Ignore
	// +kubebuilder:validation:Enum=Pause;Ignore
	OnUnavailable string `json:"onUnavailable,omitempty"`
}

// Values of QueueAutoPause.
const (
	AutoPauseNever  = "Never"
	AutoPauseQueue  = "Queue"
	AutoPauseAll    = "All"
	AutoPauseDo     = "Pause"
	AutoPauseIgnore = "Ignore"
)

// QueueAnnouncements tell callers where they are.
// +kubebuilder:validation:XValidation:rule="(self.position in ['Limit', 'More']) == has(self.positionLimit)",message="positionLimit is required for position Limit and More and forbidden for the others"
type QueueAnnouncements struct {
	// position in the queue: Always, Never, Limit (only up to positionLimit) or More (beyond it "more than positionLimit"). Default Never.
	// +optional
	// +kubebuilder:default=Never
	// +kubebuilder:validation:Enum=Always;Never;Limit;More
	Position string `json:"position,omitempty"`
	// positionLimit for Limit and More.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	PositionLimit int32 `json:"positionLimit,omitempty"`
	// holdTime expected: Always, Once or Never. Default Never.
	// +optional
	// +kubebuilder:default=Never
	// +kubebuilder:validation:Enum=Always;Once;Never
	HoldTime string `json:"holdTime,omitempty"`
	// interval between announcements. Default 30s; it takes effect with position or holdTime.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",message="interval must be between 5s and 1h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// minInterval between announcements after the caller's position changed. Default 15s.
	// +optional
	// +kubebuilder:default="15s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="minInterval must be between 1s and 1h"
	MinInterval *metav1.Duration `json:"minInterval,omitempty"`
	// sounds replace the standard ones of the announcements.
	// +optional
	Sounds QueueSounds `json:"sounds,omitempty"`
}

// QueueSounds are sound files of the PBX, each without its suffix; an absent one is Asterisk's own.
type QueueSounds struct {
	// youAreNext is played to the first caller. Default queue-youarenext.
	// +optional
	YouAreNext SoundFile `json:"youAreNext,omitempty"`
	// thereAre comes before the position. Default queue-thereare.
	// +optional
	ThereAre SoundFile `json:"thereAre,omitempty"`
	// callsWaiting comes after it. Default queue-callswaiting.
	// +optional
	CallsWaiting SoundFile `json:"callsWaiting,omitempty"`
	// moreThan comes before the limit of position More. Default queue-quantity1.
	// +optional
	MoreThan SoundFile `json:"moreThan,omitempty"`
	// callersWaiting comes after it. Default queue-quantity2.
	// +optional
	CallersWaiting SoundFile `json:"callersWaiting,omitempty"`
	// holdTime comes before the expected time. Default queue-holdtime.
	// +optional
	HoldTime SoundFile `json:"holdTime,omitempty"`
	// minute is the word for one. Default queue-minute.
	// +optional
	Minute SoundFile `json:"minute,omitempty"`
	// minutes is the word for several. Default queue-minutes.
	// +optional
	Minutes SoundFile `json:"minutes,omitempty"`
	// seconds is the word. Default queue-seconds.
	// +optional
	Seconds SoundFile `json:"seconds,omitempty"`
	// thankYou ends an announcement. Default queue-thankyou.
	// +optional
	ThankYou SoundFile `json:"thankYou,omitempty"`
}

// SoundFile is the name of a sound file on the PBX, relative to its sounds directory, without the suffix.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=120
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`
type SoundFile string

// PeriodicAnnouncement is a message that comes back.
type PeriodicAnnouncement struct {
	// sounds are files of the PBX, without their suffix, played in turn.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Sounds []SoundFile `json:"sounds"`
	// interval between them. Default 60s.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",message="interval must be between 5s and 1h"
	Interval *metav1.Duration `json:"interval,omitempty"`
}
