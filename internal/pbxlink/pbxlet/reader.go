package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// maxReads is how many questions for parts of recordings may wait.
const maxReads = 32

// reader answers questions for recordings. They wait neither for a reload nor
// for an Asterisk that is away, and a slow disk holds up nothing else.
type reader struct {
	// dir is Asterisk's monitor directory. No file outside of it is opened.
	dir  string
	out  *outbox
	asks chan *pbxlinkv1.Command
}

func newReader(spoolDir string, out *outbox) *reader {
	return &reader{dir: monitorDirectory(spoolDir), out: out, asks: make(chan *pbxlinkv1.Command, maxReads)}
}

// monitorDirectory is where MixMonitor puts what has a relative name.
func monitorDirectory(spoolDir string) string { return filepath.Join(spoolDir, "monitor") }

// ask takes over a question, or refuses it at once when too many wait.
func (r *reader) ask(c *pbxlinkv1.Command) {
	select {
	case r.asks <- c:
	default:
		r.answer(c, nil, errors.New("too many parts of recordings are asked for"))
	}
}

// run answers until the context ends.
func (r *reader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-r.asks:
			part, err := r.read(c.GetReadRecording())
			r.answer(c, part, err)
		}
	}
}

func (r *reader) answer(c *pbxlinkv1.Command, part *pbxlinkv1.RecordingPart, err error) {
	result := &pbxlinkv1.CommandResult{Id: c.GetId(), RecordingPart: part}
	if err != nil {
		result.Error, result.Refusal = err.Error(), pbxlink.RefusalOf(err)
	}
	r.out.put(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_CommandResult{CommandResult: result}})
}

func (r *reader) read(ask *pbxlinkv1.ReadRecording) (*pbxlinkv1.RecordingPart, error) {
	f, err := r.open(ask.GetFile())
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("pbxlet: recording: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, pbxlink.ErrNoRecording
	}
	part := &pbxlinkv1.RecordingPart{Size: info.Size(), ChangedAt: timestamppb.New(info.ModTime())}
	length := min(int64(ask.GetLength()), pbxlink.MaxRecordingPart, info.Size()-ask.GetOffset())
	if ask.GetOffset() < 0 || length <= 0 {
		return part, nil
	}
	part.Content = make([]byte, length)
	n, err := f.ReadAt(part.Content, ask.GetOffset())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("pbxlet: recording: %w", err)
	}
	part.Content = part.Content[:n]
	return part, nil
}

// open opens nothing but what is below the directory, whatever the name says and
// wherever symbolic links lead.
func (r *reader) open(name string) (*os.File, error) {
	if _, ok := voice.RecordingType(name); !ok || !filepath.IsLocal(name) {
		return nil, pbxlink.ErrNoRecording
	}
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return nil, missing(err)
	}
	defer func() { _ = root.Close() }()
	// What is no file, a pipe for example, must not block either.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(err)
	}
	return f, nil
}

// notThere are errors of names that are no file's.
var notThere = []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.EINVAL, syscall.ENAMETOOLONG}

// missing makes an error that says that there is no such file a refusal. So is a
// link that leads out of the directory, whose error has no number.
func missing(err error) error {
	var number syscall.Errno
	if !errors.As(err, &number) || slices.ContainsFunc(notThere, func(e error) bool { return errors.Is(err, e) }) {
		return pbxlink.ErrNoRecording
	}
	return fmt.Errorf("pbxlet: recording: %w", err)
}
