package desk

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

const (
	recordingSuffix = "/recordings/{n}"
	recordingPath   = "/v1/calls/{id}" + recordingSuffix
	// unknownType of a file whose name is no recording's.
	unknownType = "application/octet-stream"
)

// RecordedCall is a call that has ended and was recorded.
type RecordedCall struct {
	ID         string          `json:"id" doc:"Of the call"`
	Agent      string          `json:"agent"`
	Direction  store.Direction `json:"direction" enum:"Inbound,Outbound"`
	Party      Party           `json:"party" doc:"The other side"`
	Queue      string          `json:"queue,omitempty" doc:"The queue it came by"`
	StartedAt  time.Time       `json:"startedAt"`
	AnsweredAt *time.Time      `json:"answeredAt,omitempty"`
	EndedAt    *time.Time      `json:"endedAt,omitempty"`
	Files      []RecordingFile `json:"files" doc:"In the order they were begun; at most two"`
}

// RecordingFile is a file of a recorded call.
type RecordingFile struct {
	N           int    `json:"n" doc:"Number of the recording, from 0"`
	Name        string `json:"name" example:"20261121-101530-1795342530.7-1.wav"`
	ContentType string `json:"contentType" example:"audio/wav" doc:"audio/wav, also for GSM in a .WAV file, or audio/x-gsm"`
}

func recordedCallOf(c store.Call) RecordedCall {
	r := RecordedCall{
		ID: c.ID, Agent: c.Agent, Direction: c.Direction, Party: partyOf(c), Queue: c.Queue, StartedAt: c.StartedAt.UTC(),
		AnsweredAt: timeOrNil(c.AnsweredAt), EndedAt: timeOrNil(c.EndedAt), Files: []RecordingFile{},
	}
	for n := range c.Recordings {
		r.Files = append(r.Files, recordingFileOf(c, n))
	}
	return r
}

func recordingFileOf(c store.Call, n int) RecordingFile {
	f := RecordingFile{N: n, Name: path.Base(c.Recordings[n])}
	mediaType, _ := voice.RecordingType(f.Name)
	f.ContentType = cmp.Or(mediaType, unknownType)
	return f
}

// RecordingDownload of a recording.
type RecordingDownload struct {
	Agent string    `json:"agent" doc:"Who downloaded it"`
	N     int       `json:"n" doc:"Number of the recording, from 0"`
	At    time.Time `json:"at" doc:"When the download began"`
}

type recordingsInput struct {
	Agent  string    `query:"agent" maxLength:"253" doc:"Only this agent's"`
	Queue  string    `query:"queue" maxLength:"253" doc:"Only calls that came by this Queue"`
	Number string    `query:"number" maxLength:"64" doc:"Only calls with this number on the other side, exactly as it was signalled; refused to agents with masked data"`
	From   time.Time `query:"from" doc:"Only calls that began then or later"`
	To     time.Time `query:"to" doc:"Only calls that began before"`
	ListPage

	repeated string
}

// Resolve refuses to choose between several values.
func (in *recordingsInput) Resolve(ctx huma.Context) []error {
	in.repeated = repeatedAttribute(ctx)
	return nil
}

type recordingsOutput struct {
	Body struct {
		Recordings []RecordedCall `json:"recordings" doc:"Newest first"`
		NextCursor string         `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

type recordingInput struct {
	ID    string `path:"id" maxLength:"64"`
	N     int    `path:"n" minimum:"0" maximum:"100" doc:"Number of the recording, from 0"`
	Range string `header:"Range" maxLength:"200" doc:"A part of the file (RFC 9110), to go on with a download that broke off"`

	method string
}

// Resolve tells GET from HEAD.
func (in *recordingInput) Resolve(ctx huma.Context) []error {
	in.method = ctx.Method()
	return nil
}

type recordingDownloadsOutput struct {
	Body struct {
		Downloads []RecordingDownload `json:"downloads" doc:"Newest first; the last 200"`
	}
}

func (s *server) registerRecordings(api huma.API) {
	list := operation("listRecordings", http.MethodGet, "/v1/recordings", "Recorded calls")
	list.Description = "Calls of the agent that were recorded and have ended. A supervisor also sees those of the members of the team, role Admin all. Calls are kept for 30 days; " +
		"the files stay on the disk of their PBX, also after that."
	list.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(list, moduleVoice), s.listRecordings)

	get := operation("getRecording", http.MethodGet, recordingPath, "A recording of a call")
	get.Description = "The file as the PBX has it, of a call that GET /v1/recordings lists. HEAD and Range work as RFC 9110 has it. Each download is written down: requests of an agent " +
		"for the same file within ten minutes count as one. When reading fails midway the connection breaks off."
	get.Errors = []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}
	get.Responses = download("audio/wav")
	get.Responses["200"].Content["audio/x-gsm"] = get.Responses["200"].Content["audio/wav"]
	get.Responses["206"] = &huma.Response{Description: "The part that Range asks for", Content: get.Responses["200"].Content}
	get.Responses["416"] = &huma.Response{Description: "Range is outside of the file"}
	huma.Register(api, needing(get, downloadRecordings, sensitiveData), s.getRecording)

	downloads := operation("listRecordingDownloads", http.MethodGet, "/v1/calls/{id}/recording-downloads", "Who downloaded the recordings of a call")
	downloads.Description = "For supervisors of the call's agent and role Admin; not found for others. Kept as long as the call."
	downloads.Errors = []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	huma.Register(api, needing(downloads, moduleVoice), s.listRecordingDownloads)
}

func (s *server) listRecordings(ctx context.Context, in *recordingsInput) (*recordingsOutput, error) {
	c := callerOf(ctx)
	if in.repeated != "" {
		return nil, repeatedProblem(in.repeated)
	}
	if in.Number != "" {
		// Or guesses would find out.
		if err := c.may(sensitiveData); err != nil {
			return nil, err
		}
	}
	f := store.CallFilter{
		Namespace: c.Namespace, Agent: in.Agent, States: []store.CallState{store.CallEnded}, Recorded: true, Overseer: c.Name,
		Number: in.Number, Queue: in.Queue, From: in.From, To: in.To, After: in.Cursor, Limit: in.Limit + 1,
	}
	if c.isAdmin() {
		f.Overseer = ""
	}
	found, err := s.Store.ListCalls(ctx, f)
	if err != nil {
		return nil, s.fail(ctx, "listing recordings", err)
	}
	out := &recordingsOutput{}
	out.Body.Recordings = []RecordedCall{}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		out.Body.NextCursor = found[in.Limit-1].ID
	}
	for _, call := range found {
		out.Body.Recordings = append(out.Body.Recordings, recordedCallOf(call))
	}
	return out, nil
}

// recordedCall returns the call when its recordings are the caller's to hear; anything else is not found.
func (s *server) recordedCall(ctx context.Context, id string) (store.Call, error) {
	c := callerOf(ctx)
	call, err := s.Store.GetCall(ctx, c.Namespace, id)
	if err != nil || call.Agent == c.Name {
		return call, err
	}
	return call, s.mustBeOver(ctx, call)
}

// mustBeOver hides a call from those who are not over its agent.
func (s *server) mustBeOver(ctx context.Context, call store.Call) error {
	over, err := s.over(ctx, call.Agent)
	if err == nil && !over {
		err = fmt.Errorf("call of others: %w", store.ErrNotFound)
	}
	return err
}

// getRecording prepares everything that may fail while a status can still tell.
func (s *server) getRecording(ctx context.Context, in *recordingInput) (*huma.StreamResponse, error) {
	f, err := s.openRecording(ctx, in)
	if err != nil {
		return nil, s.fail(ctx, "reading a recording", err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		h := w.Header()
		h.Set("Content-Type", f.ContentType)
		h.Set("Content-Disposition", saveAs(f.Name))
		h.Set("ETag", f.tag())
		http.ServeContent(w, r, "", f.part.ChangedAt, f)
		if f.err != nil {
			s.Logger.WarnContext(ctx, "a download of a recording broke off", "requestID", requestID(ctx), "error", f.err)
			panic(http.ErrAbortHandler) // or the client would take the part for the whole
		}
	}}, nil
}

func (s *server) openRecording(ctx context.Context, in *recordingInput) (*recordingReader, error) {
	call, err := s.recordedCall(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.N >= len(call.Recordings) {
		return nil, store.ErrNotFound
	}
	if call.State != store.CallEnded {
		return nil, problem(CodeRecordingState, "the call has not ended")
	}
	f := &recordingReader{ctx: ctx, RecordingFile: recordingFileOf(call, in.N), read: s.recordingPart(call, in.N)}
	length := store.MaxRecordingPart
	if in.method == http.MethodHead || in.Range != "" {
		length = 0 // its size is enough
	}
	if f.part, err = f.read(ctx, 0, length); err != nil || in.method == http.MethodHead {
		return f, err
	}
	c := callerOf(ctx)
	d := store.RecordingDownload{Namespace: c.Namespace, CallID: call.ID, N: in.N, Agent: c.Name}
	if err := s.Store.AddRecordingDownload(ctx, d, downloadTimeout); err != nil {
		return nil, err
	}
	s.Logger.InfoContext(ctx, "recording downloaded", "agent", c.String(), "call", call.ID, "n", in.N, "requestID", requestID(ctx))
	return f, nil
}

func (s *server) listRecordingDownloads(ctx context.Context, in *idInput) (*recordingDownloadsOutput, error) {
	call, err := s.Store.GetCall(ctx, callerOf(ctx).Namespace, in.ID)
	if err == nil {
		err = s.mustBeOver(ctx, call)
	}
	if err != nil {
		return nil, s.fail(ctx, "reading a call", err)
	}
	list, err := s.Store.ListRecordingDownloads(ctx, call.Namespace, call.ID)
	if err != nil {
		return nil, s.fail(ctx, "listing downloads", err)
	}
	out := &recordingDownloadsOutput{}
	out.Body.Downloads = make([]RecordingDownload, 0, len(list))
	for _, d := range list {
		out.Body.Downloads = append(out.Body.Downloads, RecordingDownload{Agent: d.Agent, N: d.N, At: d.At.UTC()})
	}
	return out, nil
}
