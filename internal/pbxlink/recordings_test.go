package pbxlink

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

func TestReadRecording(t *testing.T) {
	s, dial := serve(t, Options{})
	type answer struct {
		part RecordingPart
		err  error
	}
	answers := make(chan answer, 1)
	read := func(ctx context.Context, length int) {
		go func() {
			part, err := s.ReadRecording(ctx, testPBX, "ringmaster/1001/a.wav", 7, length)
			answers <- answer{part, err}
		}()
	}
	read(t.Context(), 1<<30)
	st := dial(testPBX, "good")
	hello(t, st, "")
	c := next(t, st).GetCommand()
	if r := c.GetReadRecording(); r.GetFile() != "ringmaster/1001/a.wav" || r.GetOffset() != 7 || r.GetLength() != MaxRecordingPart {
		t.Fatalf("got %v", c)
	}
	at := time.Unix(1_700_000_000, 0).UTC()
	if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_CommandResult{CommandResult: &pbxlinkv1.CommandResult{
		Id: c.GetId(), RecordingPart: &pbxlinkv1.RecordingPart{Content: []byte("RIFF"), Size: 11, ChangedAt: timestamppb.New(at)},
	}}}); err != nil {
		t.Fatal(err)
	}
	got := <-answers
	if diff := cmp.Diff(RecordingPart{Content: []byte("RIFF"), Size: 11, ChangedAt: at}, got.part); got.err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", got.err, diff)
	}

	read(t.Context(), 5)
	refuse(t, st, next(t, st).GetCommand().GetId(), pbxlinkv1.Refusal_REFUSAL_NO_RECORDING)
	if got := <-answers; !errors.Is(got.err, ErrNoRecording) {
		t.Errorf("got %v, want %v", got.err, ErrNoRecording)
	}
	ctx, cancel := context.WithCancel(t.Context())
	read(ctx, 5)
	next(t, st)
	cancel()
	if got := <-answers; !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %v", got.err)
	}
}
