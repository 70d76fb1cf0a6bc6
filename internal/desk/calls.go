package desk

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Call is one call of the agent.
type Call struct {
	ID         string          `json:"id"`
	Direction  store.Direction `json:"direction" enum:"Inbound,Outbound"`
	State      store.CallState `json:"state" enum:"Ringing,Up,Ended"`
	Party      Party           `json:"party" doc:"The other side"`
	Queue      string          `json:"queue,omitempty" doc:"The queue it came by"`
	StartedAt  time.Time       `json:"startedAt"`
	AnsweredAt *time.Time      `json:"answeredAt,omitempty"`
	EndedAt    *time.Time      `json:"endedAt,omitempty"`
	Missed     bool            `json:"missed" doc:"It ended without an answer, by the agent or a colleague it rang as well"`
	Recording  Recording       `json:"recording"`
}

// Party is the other side of a call.
type Party struct {
	Number string `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
}

// Recording of a call.
type Recording struct {
	State store.RecordingState `json:"state" enum:"Off,On,Paused"`
	Files int                  `json:"files" doc:"How many files were begun; at most two"`
}

// partyOf is the one place where the other side of a call is written out.
func partyOf(c store.Call) Party { return Party{Number: c.Number, Name: c.Name} }

func callOf(c store.Call) Call {
	return Call{
		ID: c.ID, Direction: c.Direction, State: c.State, Party: partyOf(c), Queue: c.Queue, StartedAt: c.StartedAt.UTC(),
		AnsweredAt: timeOrNil(c.AnsweredAt), EndedAt: timeOrNil(c.EndedAt), Missed: c.Missed,
		Recording: Recording{State: c.Recording, Files: len(c.Recordings)},
	}
}

type callsInput struct {
	State  []store.CallState `query:"state" enum:"Ringing,Up,Ended" doc:"Only these states"`
	Missed bool              `query:"missed" doc:"Only missed calls"`
	Cursor string            `query:"cursor" format:"uuid" doc:"nextCursor of the page before"`
	Limit  int               `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

type callsOutput struct {
	Body struct {
		Calls      []Call `json:"calls" doc:"Newest first"`
		NextCursor string `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

type callOutput struct{ Body Call }

// VoicemailCounts of an agent, over all PBXes.
type VoicemailCounts struct {
	Unread int `json:"unread"`
	Read   int `json:"read"`
}

type voicemailOutput struct{ Body VoicemailCounts }

func (s *server) registerCalls(api huma.API) {
	list := operation("listCalls", http.MethodGet, "/v1/calls", "Own calls, active and past")
	list.Description = "Ended calls are kept for 30 days."
	list.Errors = []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(list, moduleVoice), s.listCalls)

	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	get := operation("getCall", http.MethodGet, "/v1/calls/{id}", "An own call")
	get.Errors = errorsOfOne
	huma.Register(api, get, s.getCall)

	command := func(id, path, summary, description string, verb store.CallVerb) {
		op := operation(id, http.MethodPost, "/v1/calls/{id}/recording:"+path, summary)
		op.Description = description + " Answers when the PBX has done it."
		op.Errors = append([]int{http.StatusForbidden, http.StatusConflict}, errorsOfOne...)
		huma.Register(api, op, s.recording(verb))
	}
	command("startRecording", "start", "Record the call", "Needs a recording that is off.", store.VerbStart)
	command("pauseRecording", "pause", "Pause the recording", "What is said meanwhile is not recorded.", store.VerbPause)
	command("resumeRecording", "resume", "Resume the recording", "Goes on in the same file.", store.VerbResume)
	command("restartRecording", "restart", "Begin another recording", "Ends the running file and begins another; a call has at most two.", store.VerbRestart)

	voicemail := operation("getVoicemail", http.MethodGet, "/v1/me/voicemail", "Counts of the own voicemail")
	voicemail.Errors = errorsOfOne
	huma.Register(api, needing(voicemail, moduleVoicemail), s.getVoicemail)
}

func (s *server) listCalls(ctx context.Context, in *callsInput) (*callsOutput, error) {
	c := callerOf(ctx)
	found, err := s.Store.ListCalls(ctx, store.CallFilter{
		Namespace: c.Namespace, Agent: c.Name, States: in.State, Missed: in.Missed, After: in.Cursor, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, s.fail(ctx, "listing calls", err)
	}
	out := &callsOutput{}
	out.Body.Calls = []Call{}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.NextCursor = found[in.Limit-1].ID
	}
	for _, call := range found {
		out.Body.Calls = append(out.Body.Calls, callOf(call))
	}
	return out, nil
}

// ownCall returns the call when it is the caller's; anything else is not found.
func (s *server) ownCall(ctx context.Context, id string) (store.Call, error) {
	c := callerOf(ctx)
	call, err := s.Store.GetCall(ctx, c.Namespace, id)
	if err == nil && call.Agent != c.Name {
		err = store.ErrNotFound
	}
	return call, err
}

func (s *server) getCall(ctx context.Context, in *idInput) (*callOutput, error) {
	call, err := s.ownCall(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "reading a call", err)
	}
	return &callOutput{Body: callOf(call)}, nil
}

func (s *server) getVoicemail(ctx context.Context, _ *noBody) (*voicemailOutput, error) {
	v, err := s.Store.VoicemailOf(ctx, callerOf(ctx).Key)
	if err != nil {
		return nil, s.fail(ctx, "reading voicemail counts", err)
	}
	return &voicemailOutput{Body: VoicemailCounts{Unread: v.Unread, Read: v.Read}}, nil
}
