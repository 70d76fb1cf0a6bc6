package pbxlink

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

const (
	// answerPatience is how long a snapshot may stay unanswered before a newer
	// one is sent over it.
	answerPatience = time.Minute
	// commandRetry is when a command that failed is sent again.
	commandRetry = 5 * time.Second
	// idle is how long a session sleeps with nothing to do.
	idle = time.Hour
)

// link is the wanted and the reported state of one PBX. It outlives sessions.
type link struct {
	pbx      string
	observer Observer
	// reports keeps the observer's calls in the order of the reports.
	reports sync.Mutex

	mu          sync.Mutex
	wanted      *voice.Snapshot
	allowShrink bool
	members     map[string]MemberState
	// drops are extensions whose contacts are to go, with the time before which
	// they are not tried again.
	drops map[string]time.Time
	// asked are the commands that somebody waits for, or that must be done some
	// day, by their id.
	asked   map[string]*asked
	session *session

	status       Status
	contacts     map[string][]Contact
	queueMembers map[memberKey]QueueMember
	calls        map[string]Call
	voicemail    map[string]messages
}

type memberKey struct{ queue, extension string }

// session is one connected pbxlet. Its fields below cancel are guarded by the
// link's mutex.
type session struct {
	log           *slog.Logger
	remote        string
	minInterval   time.Duration
	retryRejected time.Duration
	wakeup        chan struct{}
	cancel        context.CancelCauseFunc

	hashes   map[string]string
	acked    string
	inFlight *voice.Snapshot
	sentAt   time.Time

	rejected       string
	rejectedAt     time.Time
	rejectedShrink bool

	// sentMembers is nil until everything was sent once.
	sentMembers    map[string]MemberState
	membersID      string
	membersRetryAt time.Time

	// dropped maps the extensions asked for to when that was; dropIDs the
	// commands to the extensions.
	dropped map[string]time.Time
	dropIDs map[string]string
	// sentAsked are the ids of asked commands under way.
	sentAsked map[string]bool
}

func newLink(pbx string, observer Observer) *link {
	return &link{
		pbx: pbx, observer: observer, drops: map[string]time.Time{}, asked: map[string]*asked{},
		contacts: map[string][]Contact{}, queueMembers: map[memberKey]QueueMember{},
		calls: map[string]Call{}, voicemail: map[string]messages{},
	}
}

func (l *link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		l.session.wake()
	}
}

func (ss *session) wake() {
	select {
	case ss.wakeup <- struct{}{}:
	default:
	}
}

func (l *link) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		l.session.cancel(cause)
	}
}

// attach makes ss the session of the link, in place of any other.
func (l *link) attach(ss *session, hello *pbxlinkv1.Hello) {
	l.mu.Lock()
	if old := l.session; old != nil {
		ss.log.Warn("a second pbxlet has connected for this PBX and replaces the first", "first", old.remote, "second", ss.remote)
		old.cancel(errReplaced)
	}
	l.session = ss
	st := &l.status
	st.Connected, st.Since, st.Remote = true, time.Now(), ss.remote
	st.PBXletVersion, st.StateDir = hello.GetPbxletVersion(), hello.GetStateDir()
	st.Reloads = 0 // another process may have connected; its first acknowledgement says how many
	st.AppliedVersion, st.AppliedObjects = hello.GetAppliedVersion(), nil
	if l.wanted != nil && l.wanted.Version == hello.GetAppliedVersion() {
		st.AppliedObjects = l.wanted.Objects
	}
	l.setAsterisk(hello.GetAsterisk())
	l.mu.Unlock()
	ss.log.Info("pbxlet connected", "remote", ss.remote, "version", hello.GetPbxletVersion(), "applied", hello.GetAppliedVersion())
	l.observer.OnStatusChange(l.pbx)
}

func (l *link) setAsterisk(a *pbxlinkv1.Asterisk) {
	l.status.AsteriskUp, l.status.Problem = a.GetUp(), a.GetProblem()
	if a.GetVersion() != "" {
		l.status.AsteriskVersion = a.GetVersion()
	}
	if a.GetStartedAt() != nil {
		l.status.AsteriskStartedAt = a.GetStartedAt().AsTime()
	}
	if len(a.GetCodecs()) > 0 {
		l.status.Codecs, l.status.Transcodable = a.GetCodecs(), a.GetTranscodable()
	}
	l.status.MissingContexts = a.GetMissingContexts()
}

func (l *link) detach(ss *session) {
	l.mu.Lock()
	if l.session != ss {
		l.mu.Unlock()
		return
	}
	l.session = nil
	l.status.Connected, l.status.Since, l.status.AsteriskUp = false, time.Now(), false
	l.mu.Unlock()
	ss.log.Info("pbxlet disconnected", "remote", ss.remote)
	l.observer.OnStatusChange(l.pbx)
}

// run sends what is due and takes in what comes, until the session ends.
func (ss *session) run(ctx context.Context, l *link, stream grpc.BidiStreamingServer[pbxlinkv1.SyncRequest, pbxlinkv1.SyncResponse], incoming <-chan *pbxlinkv1.SyncRequest) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		m, wait := l.next(ss, time.Now())
		if m != nil {
			if err := stream.Send(m); err != nil {
				return err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return endOf(ctx)
		case m := <-incoming:
			l.take(ss, m)
		case <-ss.wakeup:
		case <-timer.C:
		}
	}
}

// next is the message due now, or how long to wait for the next one.
func (l *link) next(ss *session, now time.Time) (*pbxlinkv1.SyncResponse, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := idle
	later := func(at time.Time) bool {
		if d := at.Sub(now); d > 0 {
			wait = min(wait, d)
			return true
		}
		return false
	}
	if m := l.nextDrop(ss, now, later); m != nil {
		return m, 0
	}
	if m := l.nextAsked(ss, later); m != nil {
		return m, 0
	}
	if m := l.nextMembers(ss, later); m != nil {
		return m, 0
	}
	if m := l.nextSnapshot(ss, now, later); m != nil {
		return m, 0
	}
	return nil, wait
}

func (l *link) nextDrop(ss *session, now time.Time, later func(time.Time) bool) *pbxlinkv1.SyncResponse {
	for _, extension := range slices.Sorted(maps.Keys(l.drops)) {
		if _, asked := ss.dropped[extension]; asked || later(l.drops[extension]) {
			continue
		}
		id := uuid.NewString()
		ss.dropped[extension] = now
		if ss.dropIDs == nil {
			ss.dropIDs = map[string]string{}
		}
		ss.dropIDs[id] = extension
		return command(&pbxlinkv1.Command{Id: id, Action: &pbxlinkv1.Command_DropContacts{
			DropContacts: &pbxlinkv1.DropContacts{Extension: extension},
		}})
	}
	return nil
}

func (l *link) nextMembers(ss *session, later func(time.Time) bool) *pbxlinkv1.SyncResponse {
	if l.members == nil || ss.membersID != "" || later(ss.membersRetryAt) {
		return nil
	}
	set := &pbxlinkv1.SetMembers{Complete: ss.sentMembers == nil}
	for _, extension := range slices.Sorted(maps.Keys(l.members)) {
		m := l.members[extension]
		if sent, ok := ss.sentMembers[extension]; !ok || sent != m {
			set.States = append(set.States, memberMessage(m))
		}
	}
	for extension := range ss.sentMembers {
		if _, ok := l.members[extension]; !ok {
			set.Removed = append(set.Removed, extension)
		}
	}
	if !set.Complete && len(set.States) == 0 && len(set.Removed) == 0 {
		return nil
	}
	ss.sentMembers = maps.Clone(l.members)
	ss.membersID = uuid.NewString()
	return command(&pbxlinkv1.Command{Id: ss.membersID, Action: &pbxlinkv1.Command_SetMembers{SetMembers: set}})
}

func (l *link) nextSnapshot(ss *session, now time.Time, later func(time.Time) bool) *pbxlinkv1.SyncResponse {
	switch {
	case l.wanted == nil:
		return nil
	case ss.inFlight != nil && ss.inFlight.Version == l.wanted.Version:
		return nil
	case ss.inFlight != nil && later(ss.sentAt.Add(answerPatience)):
		return nil
	case ss.inFlight == nil && ss.acked == l.wanted.Version:
		return nil
	case ss.rejected == l.wanted.Version && ss.rejectedShrink == l.allowShrink && later(ss.rejectedAt.Add(ss.retryRejected)):
		return nil
	case !ss.sentAt.IsZero() && later(ss.sentAt.Add(ss.minInterval)):
		return nil
	}
	ss.inFlight, ss.sentAt, ss.rejectedShrink = l.wanted, now, l.allowShrink
	ss.log.Debug("sending snapshot", "version", l.wanted.Version)
	return &pbxlinkv1.SyncResponse{Message: &pbxlinkv1.SyncResponse_Snapshot{
		Snapshot: snapshotMessage(*l.wanted, ss.hashes, l.allowShrink),
	}}
}

func command(c *pbxlinkv1.Command) *pbxlinkv1.SyncResponse {
	return &pbxlinkv1.SyncResponse{Message: &pbxlinkv1.SyncResponse_Command{Command: c}}
}

// take takes in one message of the pbxlet.
func (l *link) take(ss *session, m *pbxlinkv1.SyncRequest) {
	l.mu.Lock()
	current := l.session == ss
	l.mu.Unlock()
	if !current {
		return
	}
	switch m := m.GetMessage().(type) {
	case *pbxlinkv1.SyncRequest_Ack:
		l.takeAck(ss, m.Ack)
	case *pbxlinkv1.SyncRequest_Nack:
		l.takeNack(ss, m.Nack)
	case *pbxlinkv1.SyncRequest_CommandResult:
		l.takeResult(ss, m.CommandResult)
	case *pbxlinkv1.SyncRequest_Events:
		l.takeEvents(m.Events)
	}
}

func (l *link) takeAck(ss *session, ack *pbxlinkv1.Ack) {
	l.mu.Lock()
	ss.acked, ss.rejected = ack.GetVersion(), ""
	st := &l.status
	st.AppliedVersion, st.AppliedAt, st.AppliedObjects = ack.GetVersion(), time.Now(), nil
	st.ApplyTook = ack.GetTook().AsDuration()
	st.Endpoints, st.Queues, st.Mailboxes = int(ack.GetEndpoints()), int(ack.GetQueues()), int(ack.GetMailboxes())
	st.RestartRequired, st.Reloads, st.LastRejection = ack.GetRestartRequired(), ack.GetReloads(), nil
	st.ServedCertificate = ack.GetServedCertificate()
	for _, s := range []*voice.Snapshot{ss.inFlight, l.wanted} {
		if s != nil && s.Version == ack.GetVersion() {
			st.AppliedObjects = s.Objects
			ss.hashes = fileHashes(*s)
		}
	}
	if ss.inFlight != nil && ss.inFlight.Version == ack.GetVersion() {
		ss.inFlight = nil
	}
	l.mu.Unlock()
	ss.log.Info("snapshot applied", "version", ack.GetVersion(), "endpoints", ack.GetEndpoints(), "took", ack.GetTook().AsDuration())
	l.observer.OnStatusChange(l.pbx)
}

func fileHashes(s voice.Snapshot) map[string]string {
	hashes := make(map[string]string, len(s.Files))
	for _, f := range s.Files {
		hashes[f.Path] = f.SHA256
	}
	return hashes
}

func (l *link) takeNack(ss *session, nack *pbxlinkv1.Nack) {
	l.mu.Lock()
	ss.rejected, ss.rejectedAt = nack.GetVersion(), time.Now()
	// What the pbxlet has is certain only after an acknowledgement.
	ss.hashes = nil
	if ss.inFlight != nil && ss.inFlight.Version == nack.GetVersion() {
		ss.inFlight = nil
	}
	l.status.LastRejection = &Rejection{Version: nack.GetVersion(), Reason: nack.GetReason(), At: time.Now()}
	l.mu.Unlock()
	ss.log.Warn("snapshot rejected", "version", nack.GetVersion(), "reason", nack.GetReason())
	l.observer.OnStatusChange(l.pbx)
}

func (l *link) takeResult(ss *session, r *pbxlinkv1.CommandResult) {
	if r.GetError() != "" {
		ss.log.Warn("command failed", "error", r.GetError())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(ss.sentAsked, r.GetId()) // also when nobody waits any more
	if r.GetId() == ss.membersID {
		ss.membersID = ""
		if r.GetError() != "" {
			ss.sentMembers, ss.membersRetryAt = nil, time.Now().Add(commandRetry)
		}
		return
	}
	if a, ok := l.asked[r.GetId()]; ok {
		l.answered(a, r)
		return
	}
	extension, ok := ss.dropIDs[r.GetId()]
	if !ok {
		return
	}
	delete(ss.dropIDs, r.GetId())
	asked := ss.dropped[extension]
	delete(ss.dropped, extension)
	if r.GetError() != "" {
		l.drops[extension] = time.Now().Add(commandRetry)
	} else if !l.drops[extension].After(asked) {
		delete(l.drops, extension)
	}
}
