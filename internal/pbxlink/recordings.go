package pbxlink

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// MaxRecordingPart is the most bytes of a recording that ReadRecording returns:
// little enough for what else the link carries not to wait for it.
const MaxRecordingPart = 256 << 10

// RecordingPart is a part of a recording.
type RecordingPart struct {
	Content []byte
	// Size is that of the whole file, ChangedAt when it was changed last.
	Size      int64
	ChangedAt time.Time
}

// ReadRecording reads up to length bytes, at most MaxRecordingPart, of a file of
// Call.Recordings, from an offset on. It waits for a pbxlet that is away until
// ctx ends. The error is one of ErrNoRecording, ErrForgotten, that of ctx, or
// what the pbxlet said.
func (s *Server) ReadRecording(ctx context.Context, pbx, file string, offset int64, length int) (RecordingPart, error) {
	length = max(0, min(length, MaxRecordingPart))
	result, err := s.link(pbx).ask(ctx, &pbxlinkv1.Command{Id: uuid.NewString(), Action: &pbxlinkv1.Command_ReadRecording{
		ReadRecording: &pbxlinkv1.ReadRecording{File: file, Offset: offset, Length: int32(length)}, //nolint:gosec // bounded above
	}}, false)
	if err != nil {
		return RecordingPart{}, err
	}
	part := result.GetRecordingPart()
	return RecordingPart{Content: part.GetContent(), Size: part.GetSize(), ChangedAt: timeFrom(part.GetChangedAt())}, nil
}
