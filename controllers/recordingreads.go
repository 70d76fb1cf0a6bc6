package controllers

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// recordingReads fetch parts of recordings from the PBXes for the desks.
type recordingReads struct {
	store store.Recordings
	link  pbxLink
}

func (r *recordingReads) run(ctx context.Context) error {
	// As many parts are in memory at a time.
	const batch = 8
	return carryOut(ctx, batch, r.store.ClaimRecordingReads, func(gctx context.Context, read store.RecordingRead) error {
		outcome, part := r.do(gctx, read)
		return r.store.FinishRecordingRead(ctx, read.ID, outcome, part)
	})
}

func (r *recordingReads) do(ctx context.Context, read store.RecordingRead) (store.CallOutcome, store.RecordingPart) {
	pbx := read.Namespace + "/" + read.PBX
	if !r.link.Status(pbx).Connected {
		return store.OutcomeNotConnected, store.RecordingPart{}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	part, err := r.link.ReadRecording(ctx, pbx, read.File, read.Offset, read.Length)
	switch {
	case err == nil:
		return store.OutcomeDone, store.RecordingPart{Content: part.Content, Size: part.Size, ChangedAt: part.ChangedAt}
	case errors.Is(err, pbxlink.ErrNoRecording):
		return store.OutcomeNoRecording, store.RecordingPart{}
	case errors.Is(err, context.DeadlineExceeded):
		return store.OutcomeNotConnected, store.RecordingPart{}
	default:
		log.FromContext(ctx).Info("a PBX could not read a recording", "pbx", pbx, "call", read.CallID, "error", err.Error())
		return store.OutcomeFailed, store.RecordingPart{}
	}
}
