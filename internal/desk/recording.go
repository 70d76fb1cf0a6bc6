package desk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	// recordingFiles is how many files a call may have; the PBX keeps to it as well.
	recordingFiles = 2
	// commandPoll finds an outcome that no Wake told of.
	commandPoll = 250 * time.Millisecond
	// reportTimeout is how long to wait, after the PBX has done it, for the report that shows it.
	reportTimeout = time.Second
)

// recording asks the PBX of a call to record, through the store: the leader claims the command and writes what became of it.
func (s *server) recording(verb store.CallVerb) func(context.Context, *idInput) (*callOutput, error) {
	return func(ctx context.Context, in *idInput) (*callOutput, error) {
		call, err := s.record(ctx, in.ID, verb)
		if err != nil {
			return nil, s.fail(ctx, "recording a call", err)
		}
		return &callOutput{Body: callOf(call)}, nil
	}
}

func (s *server) record(ctx context.Context, id string, verb store.CallVerb) (store.Call, error) {
	c := callerOf(ctx)
	profile, err := parseProfile(c.Profile)
	if err != nil {
		return store.Call{}, err
	}
	call, err := s.ownCall(ctx, id)
	if err != nil {
		return store.Call{}, err
	}
	if !profile.mayRecord() {
		return store.Call{}, problem(CodeRecordingDenied, "this agent may not record calls")
	}
	if err := mayRecordNow(call, verb); err != nil {
		return store.Call{}, err
	}
	command, err := s.Store.AddCallCommand(ctx, c.Namespace, id, c.Name, verb)
	if errors.Is(err, store.ErrConflict) {
		err = problem(CodeCallNotUp, "")
	}
	if err != nil {
		return store.Call{}, err
	}
	if err := s.awaitOutcome(ctx, command); err != nil {
		return store.Call{}, err
	}
	return s.awaitReport(ctx, call, verb)
}

// mayRecordNow refuses what the PBX would, by what is known here.
func mayRecordNow(call store.Call, verb store.CallVerb) error {
	if call.State != store.CallUp {
		return problem(CodeCallNotUp, "")
	}
	from := map[store.CallVerb][]store.RecordingState{
		store.VerbStart: {store.RecordingOff}, store.VerbPause: {store.RecordingOn}, store.VerbResume: {store.RecordingPaused},
		store.VerbRestart: {store.RecordingOn, store.RecordingPaused},
	}
	if !slices.Contains(from[verb], call.Recording) {
		return problem(CodeRecordingState, "the recording is "+string(call.Recording))
	}
	if (verb == store.VerbStart || verb == store.VerbRestart) && len(call.Recordings) >= recordingFiles {
		return problem(CodeRecordingLimit, "this call has two recordings already")
	}
	return nil
}

// poll asks done at every change of the store until it says so, fails, or the time is over (context.DeadlineExceeded).
func (s *server) poll(ctx context.Context, limit time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(commandPoll)
	defer ticker.Stop()
	for {
		// Taken before looking, so that a change in between is not slept over.
		wake := s.Store.Wake()
		ok, err := done(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-ticker.C:
		}
	}
}

// awaitOutcome waits for what became of the command, and withdraws it when nobody knows in time: done later it would surprise.
func (s *server) awaitOutcome(ctx context.Context, command store.CallCommand) error {
	look := func(ctx context.Context) (bool, error) {
		var err error
		command, err = s.Store.GetCallCommand(ctx, command.ID)
		return command.Outcome != "", err
	}
	id := command.ID
	err := s.poll(ctx, s.CommandTimeout, look)
	if err != nil {
		// The client may have gone as well.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandPoll)
		defer cancel()
		withdrawn := s.Store.FinishCallCommand(ctx, id, store.OutcomeWithdrawn, "")
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if !errors.Is(withdrawn, store.ErrConflict) {
			return problem(CodePBXUnavailable, "the PBX of the call did not do it in time").withHeader("Retry-After", "2")
		}
		// It was done at the last moment.
		if command, err = s.Store.GetCallCommand(ctx, id); err != nil {
			return err
		}
	}
	switch command.Outcome {
	case store.OutcomeDone:
		return nil
	case store.OutcomeGone:
		return problem(CodeCallNotUp, "")
	case store.OutcomeLimit:
		return problem(CodeRecordingLimit, "this call has two recordings already")
	case store.OutcomeNotRecording:
		return problem(CodeRecordingState, "there is no recording")
	case store.OutcomeDenied:
		return problem(CodeRecordingDenied, "this agent may not record calls")
	case store.OutcomeNotConnected:
		return problem(CodePBXUnavailable, "the PBX of the call is not connected").withHeader("Retry-After", "2")
	case store.OutcomeFailed, store.OutcomeWithdrawn, store.OutcomeNoRecording:
	}
	s.Logger.WarnContext(ctx, "the PBX refused a recording", "agent", callerOf(ctx).String(), "verb", command.Verb, "requestID", requestID(ctx),
		"detail", command.Detail)
	return problem(CodePBXUnavailable, "the PBX of the call refused").withHeader("Retry-After", "2")
}

// awaitReport returns the call as the PBX shows it after verb, or what is known when no report comes in time.
func (s *server) awaitReport(ctx context.Context, before store.Call, verb store.CallVerb) (store.Call, error) {
	call := before
	err := s.poll(ctx, reportTimeout, func(ctx context.Context) (bool, error) {
		now, err := s.Store.GetCall(ctx, before.Namespace, before.ID)
		if err != nil {
			return false, err
		}
		call = now
		return shows(before, now, verb), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = ctx.Err()
	}
	return call, err
}

func shows(before, now store.Call, verb store.CallVerb) bool {
	if now.State == store.CallEnded {
		return true
	}
	switch verb {
	case store.VerbPause:
		return now.Recording == store.RecordingPaused
	case store.VerbRestart:
		return now.Recording == store.RecordingOn && len(now.Recordings) > len(before.Recordings)
	case store.VerbStart, store.VerbResume:
	}
	return now.Recording == store.RecordingOn
}
