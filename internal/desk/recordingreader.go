package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// recordingsAtOnce bounds the memory that parts of recordings on their way take, and what a center's downloads cost its PBXes.
const recordingsAtOnce = 4

var errRecordingChanged = errors.New("the recording changed while it was read")

// recordingReader reads a recording part by part; it is what http.ServeContent needs of a file.
type recordingReader struct {
	RecordingFile
	ctx  context.Context //nolint:containedctx // io.Reader has none
	read func(ctx context.Context, offset int64, length int) (store.RecordingPart, error)
	// part was read from start on.
	part  store.RecordingPart
	start int64
	at    int64
	// err is why reading broke off.
	err error
}

// tag changes with the file.
func (f *recordingReader) tag() string {
	return fmt.Sprintf(`"%x-%x"`, f.part.Size, f.part.ChangedAt.UnixMicro())
}

// Seek implements io.Seeker.
func (f *recordingReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.part.Size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning of the file")
	}
	f.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (f *recordingReader) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.at >= f.part.Size {
		return 0, io.EOF
	}
	if f.at < f.start || f.at >= f.start+int64(len(f.part.Content)) {
		if f.err = f.next(); f.err != nil {
			return 0, f.err
		}
	}
	n := copy(p, f.part.Content[f.at-f.start:])
	f.at += int64(n)
	return n, nil
}

func (f *recordingReader) next() error {
	part, err := f.read(f.ctx, f.at, store.MaxRecordingPart)
	switch {
	case err != nil:
		return err
	case part.Size != f.part.Size || !part.ChangedAt.Equal(f.part.ChangedAt):
		return errRecordingChanged
	case len(part.Content) == 0:
		return io.ErrUnexpectedEOF
	}
	f.part, f.start = part, f.at
	return nil
}

// recordingPart asks the PBX of a call for parts of a recording, through the store as recording does. Only so many are in memory.
func (s *server) recordingPart(call store.Call, n int) func(context.Context, int64, int) (store.RecordingPart, error) {
	return func(ctx context.Context, offset int64, length int) (store.RecordingPart, error) {
		select {
		case s.recordings <- struct{}{}:
			defer func() { <-s.recordings }()
		case <-ctx.Done():
			return store.RecordingPart{}, ctx.Err()
		}
		asked, err := s.Store.AddRecordingRead(ctx, call.Namespace, call.ID, n, offset, length)
		if err != nil {
			return store.RecordingPart{}, err
		}
		read := asked
		err = s.poll(ctx, s.CommandTimeout, func(ctx context.Context) (bool, error) {
			var err error
			read, err = s.Store.TakeRecordingRead(ctx, asked.ID)
			return read.Outcome != "", err
		})
		if err != nil {
			// The client may have gone as well.
			dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			dropped := s.Store.DropRecordingRead(dropping, asked.ID)
			if errors.Is(err, context.DeadlineExceeded) {
				err = problem(CodePBXUnavailable, "the PBX of the call did not answer in time").withHeader("Retry-After", "2")
			}
			return store.RecordingPart{}, errors.Join(err, dropped)
		}
		return read.Part, readProblem(read.Outcome)
	}
}

// readProblem is why a part could not be read; nil when it was.
func readProblem(outcome store.CallOutcome) error {
	switch outcome {
	case store.OutcomeDone:
		return nil
	case store.OutcomeNoRecording:
		return problem(CodeNotFound, "the PBX has the file no more")
	case store.OutcomeNotConnected:
		return problem(CodePBXUnavailable, "the PBX of the call is not connected").withHeader("Retry-After", "2")
	default:
		return problem(CodePBXUnavailable, "the PBX of the call could not read the file").withHeader("Retry-After", "2")
	}
}
