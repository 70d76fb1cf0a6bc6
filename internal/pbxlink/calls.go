package pbxlink

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// Call is one leg of a call: the channel of an agent's or a telephone's
// endpoint. Two agents who talk to each other are two calls with the same
// LinkedID.
type Call struct {
	// ID is the channel's Uniqueid, LinkedID the one that all channels of the
	// call share.
	ID, LinkedID string
	// Extension names the endpoint.
	Extension string
	// Number and Name are the other party's; both may be empty. Of a call that
	// the endpoint places, Number is what was dialled until the other party is
	// known.
	Number, Name string
	// Queue is the queue the call came through; empty when none.
	Queue string
	// Direction is Inbound when the endpoint is called.
	Direction Direction
	State     CallState
	// StartedAt is when it began to ring; to the second after the pbxlet was
	// restarted.
	StartedAt time.Time
	// AnsweredAt is zero before, and when nobody saw it.
	AnsweredAt time.Time
	// EndedAt is zero before.
	EndedAt time.Time
	// Recording is the state of the recording that runs; RecordingOff when none
	// does.
	Recording RecordingState
	// Recordings are the files, relative to Asterisk's monitor directory, in the
	// order they were begun.
	Recordings []string
}

// Direction is who placed a call, seen from the endpoint.
type Direction string

// The directions.
const (
	Inbound  Direction = "Inbound"
	Outbound Direction = "Outbound"
)

// CallState is how far a call has come.
type CallState string

// The states of a call. CallEnded is reported once, and then the call is
// forgotten.
const (
	CallRinging CallState = "Ringing"
	CallUp      CallState = "Up"
	CallEnded   CallState = "Ended"
)

// RecordingState is the state of a call's recording.
type RecordingState string

// The states of a recording. A paused one records silence.
const (
	RecordingOff    RecordingState = "Off"
	RecordingOn     RecordingState = "On"
	RecordingPaused RecordingState = "Paused"
)

// MaxRecordings is how many files one call may have.
const MaxRecordings = 2

// RecordVerb is what RecordCall does.
type RecordVerb string

// The verbs. RecordStart does nothing while there is a recording; RecordRestart
// ends it and begins the second file.
const (
	RecordStart   RecordVerb = "Start"
	RecordPause   RecordVerb = "Pause"
	RecordResume  RecordVerb = "Resume"
	RecordRestart RecordVerb = "Restart"
)

// The reasons for which a command can never be done.
var (
	// ErrCallEnded says that there is no such call any more.
	ErrCallEnded = errors.New("pbxlink: the call has ended")
	// ErrRecordingLimit says that the call has MaxRecordings files.
	ErrRecordingLimit = errors.New("pbxlink: the call has two recordings already")
	// ErrNotRecording says that there is no recording to pause, resume or restart.
	ErrNotRecording = errors.New("pbxlink: the call is not being recorded")
	// ErrNotAllowed says that the agent's policy does not allow it.
	ErrNotAllowed = errors.New("pbxlink: the agent may not record")
	// ErrNoRecording says that there is no such recording, or no more.
	ErrNoRecording = errors.New("pbxlink: there is no such recording")
)

// refusals are the errors of the refusals on the wire.
var refusals = map[pbxlinkv1.Refusal]error{
	pbxlinkv1.Refusal_REFUSAL_CALL_ENDED:      ErrCallEnded,
	pbxlinkv1.Refusal_REFUSAL_RECORDING_LIMIT: ErrRecordingLimit,
	pbxlinkv1.Refusal_REFUSAL_NOT_RECORDING:   ErrNotRecording,
	pbxlinkv1.Refusal_REFUSAL_NOT_ALLOWED:     ErrNotAllowed,
	pbxlinkv1.Refusal_REFUSAL_NO_RECORDING:    ErrNoRecording,
}

// RefusalOf is the wire form of an error that is one of the reasons above,
// unspecified for any other.
func RefusalOf(err error) pbxlinkv1.Refusal {
	for refusal, reason := range refusals {
		if errors.Is(err, reason) {
			return refusal
		}
	}
	return pbxlinkv1.Refusal_REFUSAL_UNSPECIFIED
}

// QueueFigures are the figures of one queue since Asterisk was started.
type QueueFigures struct {
	// Waiting callers, now.
	Waiting int
	// Completed are the answered calls, Abandoned those whose caller hung up.
	Completed, Abandoned int
	// HoldTime and TalkTime are moving averages, to the second.
	HoldTime, TalkTime time.Duration
	// ServiceLevel is the answer time that counts as good; 0 means unset.
	ServiceLevel time.Duration
	// ServiceLevelPerformance is the share of Completed answered within
	// ServiceLevel, in percent.
	ServiceLevelPerformance float64
}

var (
	recordVerbs = map[RecordVerb]pbxlinkv1.RecordVerb{
		RecordStart:   pbxlinkv1.RecordVerb_RECORD_VERB_START,
		RecordPause:   pbxlinkv1.RecordVerb_RECORD_VERB_PAUSE,
		RecordResume:  pbxlinkv1.RecordVerb_RECORD_VERB_RESUME,
		RecordRestart: pbxlinkv1.RecordVerb_RECORD_VERB_RESTART,
	}
	callStates = map[pbxlinkv1.CallState]CallState{
		pbxlinkv1.CallState_CALL_STATE_RINGING: CallRinging,
		pbxlinkv1.CallState_CALL_STATE_UP:      CallUp,
		pbxlinkv1.CallState_CALL_STATE_ENDED:   CallEnded,
	}
	recordingStates = map[pbxlinkv1.RecordingState]RecordingState{
		pbxlinkv1.RecordingState_RECORDING_STATE_UNSPECIFIED: RecordingOff,
		pbxlinkv1.RecordingState_RECORDING_STATE_OFF:         RecordingOff,
		pbxlinkv1.RecordingState_RECORDING_STATE_ON:          RecordingOn,
		pbxlinkv1.RecordingState_RECORDING_STATE_PAUSED:      RecordingPaused,
	}
)

func callFrom(m *pbxlinkv1.Call) Call {
	c := Call{
		ID: m.GetId(), LinkedID: m.GetLinkedId(), Extension: m.GetExtension(), Number: m.GetNumber(), Name: m.GetName(),
		Queue: m.GetQueue(), Direction: Outbound, State: callStates[m.GetState()],
		StartedAt: timeFrom(m.GetStartedAt()), AnsweredAt: timeFrom(m.GetAnsweredAt()), EndedAt: timeFrom(m.GetEndedAt()),
		Recording: recordingStates[m.GetRecording()], Recordings: m.GetRecordings(),
	}
	if m.GetInbound() {
		c.Direction = Inbound
	}
	return c
}

// timeFrom is the zero time for an unset timestamp.
func timeFrom(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func (c Call) equal(d Call) bool {
	return c.ID == d.ID && c.LinkedID == d.LinkedID && c.Extension == d.Extension && c.Number == d.Number && c.Name == d.Name &&
		c.Queue == d.Queue && c.Direction == d.Direction && c.State == d.State &&
		c.StartedAt.Equal(d.StartedAt) && c.AnsweredAt.Equal(d.AnsweredAt) && c.EndedAt.Equal(d.EndedAt) &&
		c.Recording == d.Recording && slices.Equal(c.Recordings, d.Recordings)
}

// mergeCalls returns the calls that changed, those that ended among them.
func (l *link) mergeCalls(e *pbxlinkv1.Events, now time.Time) []Call {
	var changed []Call
	named := map[string]bool{}
	for _, m := range e.GetCalls() {
		call := callFrom(m)
		named[call.ID] = true
		before, known := l.calls[call.ID]
		if call.AnsweredAt.IsZero() {
			// A pbxlet that was restarted did not see it.
			call.AnsweredAt = before.AnsweredAt
		}
		if known && before.equal(call) {
			continue
		}
		l.calls[call.ID] = call
		if call.State == CallEnded {
			delete(l.calls, call.ID)
		}
		changed = append(changed, call)
	}
	if e.GetCallsComplete() {
		for id, call := range l.calls {
			if !named[id] {
				delete(l.calls, id)
				call.State, call.EndedAt, call.Recording = CallEnded, now, RecordingOff
				changed = append(changed, call)
			}
		}
	}
	slices.SortStableFunc(changed, func(a, b Call) int { return a.StartedAt.Compare(b.StartedAt) })
	return changed
}
