package pbxlink

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// Options configure a Server.
type Options struct {
	// Authenticate returns nil when token belongs to the PBX ("namespace/name").
	// A gRPC status of code Unavailable means that it could not be checked; any
	// other error counts as a wrong token. Required.
	Authenticate func(ctx context.Context, pbx, token string) error
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// Observer may be nil.
	Observer Observer
	// MinInterval is the least time between two snapshots to one PBX; default
	// one second.
	MinInterval time.Duration
	// RetryRejected is when a rejected snapshot is offered again; default one
	// minute.
	RetryRejected time.Duration
}

// Server is the manager's end of every link.
type Server struct {
	pbxlinkv1.UnimplementedPBXLinkServer
	opts    Options
	log     *slog.Logger
	guesses guesses

	mu    sync.Mutex
	links map[string]*link
}

// errReplaced ends the session of a pbxlet when a newer one takes its place.
var errReplaced = status.Error(codes.Aborted, "another pbxlet of this PBX has connected")

// NewServer returns a server without any wanted state.
func NewServer(opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Observer == nil {
		opts.Observer = nobody{}
	}
	if opts.MinInterval == 0 {
		opts.MinInterval = time.Second
	}
	if opts.RetryRejected == 0 {
		opts.RetryRejected = time.Minute
	}
	return &Server{opts: opts, log: opts.Logger, links: map[string]*link{}}
}

// Register adds the service to a gRPC server made with ServerOptions.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	pbxlinkv1.RegisterPBXLinkServer(r, s)
}

// SnapshotOptions qualify SetSnapshot.
type SnapshotOptions struct {
	// AllowShrink tells the pbxlet that losing many endpoints at once is meant.
	AllowShrink bool
}

// SetSnapshot makes snapshot what the PBX is to have. The first change goes
// out at once, later ones at most every Options.MinInterval and never while
// one is being applied. The snapshot must not be changed afterwards.
func (s *Server) SetSnapshot(pbx string, snapshot voice.Snapshot, opts SnapshotOptions) {
	l := s.link(pbx)
	l.mu.Lock()
	changed := l.wanted == nil || l.wanted.Version != snapshot.Version
	l.wanted, l.allowShrink = &snapshot, opts.AllowShrink
	l.status.WantedVersion = snapshot.Version
	if l.status.AppliedVersion == snapshot.Version {
		// Also when it was applied before this manager started, or when only
		// the hashes of objects moved while their files stayed the same.
		changed = changed || !maps.Equal(l.status.AppliedObjects, snapshot.Objects)
		l.status.AppliedObjects = snapshot.Objects
	}
	l.mu.Unlock()
	l.wake()
	if changed {
		s.opts.Observer.OnStatusChange(pbx)
	}
}

// SetMemberStates makes states all the wanted states of queue members;
// members without one stay paused. Only differences are sent, and everything
// after a reconnect. Until the first call nothing is sent.
func (s *Server) SetMemberStates(pbx string, states []MemberState) {
	l := s.link(pbx)
	wanted := make(map[string]MemberState, len(states))
	for _, m := range states {
		wanted[m.Extension] = m
	}
	l.mu.Lock()
	l.members = wanted
	l.mu.Unlock()
	l.wake()
}

// DropContacts ends the registrations of one extension. It is repeated until
// the pbxlet has done it.
func (s *Server) DropContacts(pbx, extension string) {
	l := s.link(pbx)
	l.mu.Lock()
	l.drops[extension] = time.Now()
	l.mu.Unlock()
	l.wake()
}

// Forget ends the PBX's session and drops its wanted state.
func (s *Server) Forget(pbx string) {
	s.mu.Lock()
	l, ok := s.links[pbx]
	delete(s.links, pbx)
	s.mu.Unlock()
	if ok {
		l.end(status.Error(codes.NotFound, "the PBX was deleted"))
		l.giveUp()
	}
}

// Shutdown ends every session, so that the gRPC server can stop gracefully and
// the pbxlets dial the next leader.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.end(status.Error(codes.Unavailable, "this manager stops"))
	}
}

// Status is a copy of what is known of the PBX; the zero Status when nothing is.
func (s *Server) Status(pbx string) Status {
	l, ok := s.known(pbx)
	if !ok {
		return Status{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.status
	st.Registered = len(l.contacts)
	return st
}

// Contacts are the contacts of every registered extension.
func (s *Server) Contacts(pbx string) map[string][]Contact {
	l, ok := s.known(pbx)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.contacts)
}

// Calls are all calls that have not ended, in no order.
func (s *Server) Calls(pbx string) []Call {
	l, ok := s.known(pbx)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.calls))
}

// QueueMembers are all queue members, in no order.
func (s *Server) QueueMembers(pbx string) []QueueMember {
	l, ok := s.known(pbx)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]QueueMember, 0, len(l.queueMembers))
	for _, m := range l.queueMembers {
		all = append(all, m)
	}
	return all
}

func (s *Server) known(pbx string) (*link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links[pbx]
	return l, ok
}

func (s *Server) link(pbx string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links[pbx]
	if !ok {
		l = newLink(pbx, s.opts.Observer)
		s.links[pbx] = l
	}
	return l
}

// helloTimeout is how long a caller may be silent after it has been let in.
const helloTimeout = 10 * time.Second

// Sync implements pbxlinkv1.PBXLinkServer.
func (s *Server) Sync(stream grpc.BidiStreamingServer[pbxlinkv1.SyncRequest, pbxlinkv1.SyncResponse]) error {
	pbx, remote, err := s.authenticate(stream.Context())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	incoming := make(chan *pbxlinkv1.SyncRequest)
	go receive(ctx, cancel, stream, incoming)

	hello, err := awaitHello(ctx, incoming, pbx)
	if err != nil {
		return err
	}
	l := s.link(pbx)
	ss := &session{
		log: s.log.With("pbx", pbx), remote: remote, cancel: cancel, wakeup: make(chan struct{}, 1),
		hashes: hello.GetFileHashes(), acked: hello.GetAppliedVersion(),
		minInterval: s.opts.MinInterval, retryRejected: s.opts.RetryRejected,
		dropped: map[string]time.Time{}, sentAsked: map[string]bool{},
	}
	l.attach(ss, hello)
	defer l.detach(ss)
	return ss.run(ctx, l, stream, incoming)
}

func receive(ctx context.Context, cancel context.CancelCauseFunc, stream grpc.BidiStreamingServer[pbxlinkv1.SyncRequest, pbxlinkv1.SyncResponse], incoming chan<- *pbxlinkv1.SyncRequest) {
	for {
		m, err := stream.Recv()
		if err != nil {
			cancel(err)
			return
		}
		select {
		case incoming <- m:
		case <-ctx.Done():
			return
		}
	}
}

func awaitHello(ctx context.Context, incoming <-chan *pbxlinkv1.SyncRequest, pbx string) (*pbxlinkv1.Hello, error) {
	select {
	case m := <-incoming:
		hello := m.GetHello()
		if hello == nil || hello.GetPbx() != pbx {
			return nil, status.Error(codes.InvalidArgument, "the first message is not the Hello of this PBX")
		}
		return hello, nil
	case <-time.After(helloTimeout):
		return nil, status.Error(codes.DeadlineExceeded, "no Hello")
	case <-ctx.Done():
		return nil, endOf(ctx)
	}
}

// endOf is the status a session ends with.
func endOf(ctx context.Context) error {
	err := context.Cause(ctx)
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	// The peer closed its side.
	return nil
}
