package pbxlink

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPBX = "ns/pbx"

type stream = grpc.BidiStreamingClient[pbxlinkv1.SyncRequest, pbxlinkv1.SyncResponse]

// serve runs a server and returns it with a way to dial it. The far side of
// these tests is a hand-driven stream, so that it can be late, silent or twice
// there; the pbxlet's own tests use the real one.
func serve(t *testing.T, opts Options) (*Server, func(pbx, token string) stream) {
	t.Helper()
	if opts.Authenticate == nil {
		opts.Authenticate = func(_ context.Context, _, token string) error {
			if token != "good" {
				return errors.New("wrong token")
			}
			return nil
		}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	s := NewServer(opts)
	g := grpc.NewServer(ServerOptions()...)
	s.Register(g)
	l := bufconn.Listen(1 << 20)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() {
		s.Shutdown()
		g.Stop()
		wg.Wait()
	})
	return s, func(pbx, token string) stream {
		t.Helper()
		conn, err := grpc.NewClient("passthrough:///bufnet", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return l.Dial() }))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(),
			MetadataPBX, pbx, MetadataAuthorization, "Bearer "+token), 20*time.Second)
		t.Cleanup(func() {
			cancel()
			_ = conn.Close()
		})
		st, err := pbxlinkv1.NewPBXLinkClient(conn).Sync(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
}

func hello(t *testing.T, st stream, applied string) {
	t.Helper()
	if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Hello{Hello: &pbxlinkv1.Hello{
		Pbx: testPBX, AppliedVersion: applied, Asterisk: &pbxlinkv1.Asterisk{Up: true},
	}}}); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, st stream) *pbxlinkv1.SyncResponse {
	t.Helper()
	m, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ack(t *testing.T, st stream, version string) {
	t.Helper()
	if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Ack{Ack: &pbxlinkv1.Ack{Version: version, Endpoints: 1}}}); err != nil {
		t.Fatal(err)
	}
}

func done(t *testing.T, st stream, id, failure string) {
	t.Helper()
	if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_CommandResult{
		CommandResult: &pbxlinkv1.CommandResult{Id: id, Error: failure},
	}}); err != nil {
		t.Fatal(err)
	}
}

func snapshot(version string, contents ...string) voice.Snapshot {
	s := voice.Snapshot{Version: version, Objects: map[string]string{"Agent/a": version}}
	for i, c := range contents {
		s.Files = append(s.Files, voice.NewFile([]string{"a.conf", "b.conf"}[i], []byte(c)))
	}
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func TestSnapshotsAreCoalescedAndOnlyChangedFilesSent(t *testing.T) {
	s, dial := serve(t, Options{MinInterval: 100 * time.Millisecond})
	s.SetSnapshot(testPBX, snapshot("v1", "one", "two"), SnapshotOptions{})
	st := dial(testPBX, "good")
	hello(t, st, "")
	first := next(t, st).GetSnapshot()
	if first.GetVersion() != "v1" || len(first.GetFiles()) != 2 || first.GetFiles()[0].Content == nil || first.GetFiles()[1].Content == nil {
		t.Fatalf("got %v", first)
	}
	for _, v := range []string{"v2", "v3", "v4"} {
		s.SetSnapshot(testPBX, snapshot(v, "one", v), SnapshotOptions{})
	}
	ack(t, st, "v1")
	second := next(t, st).GetSnapshot()
	if second.GetVersion() != "v4" || second.GetFiles()[0].Content != nil || string(second.GetFiles()[1].GetContent()) != "v4" {
		t.Fatalf("got %v", second)
	}
	if got := s.Status(testPBX); got.AppliedVersion != "v1" || got.AppliedObjects["Agent/a"] != "v1" || got.WantedVersion != "v4" {
		t.Errorf("status %+v", got)
	}
	ack(t, st, "v4")
	eventually(t, "v4 is applied", func() bool { return s.Status(testPBX).AppliedObjects["Agent/a"] == "v4" })
}

func TestRejectedSnapshot(t *testing.T) {
	s, dial := serve(t, Options{MinInterval: time.Millisecond, RetryRejected: 200 * time.Millisecond})
	s.SetSnapshot(testPBX, snapshot("v1", "one"), SnapshotOptions{})
	st := dial(testPBX, "good")
	hello(t, st, "")
	next(t, st)
	nack := func() {
		t.Helper()
		if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Nack{Nack: &pbxlinkv1.Nack{Version: "v1", Reason: "no"}}}); err != nil {
			t.Fatal(err)
		}
	}
	nack()
	eventually(t, "the rejection is known", func() bool { return s.Status(testPBX).LastRejection != nil })
	// The manager's word that it is meant makes it another question.
	s.SetSnapshot(testPBX, snapshot("v1", "one"), SnapshotOptions{AllowShrink: true})
	if again := next(t, st).GetSnapshot(); !again.GetAllowShrink() || again.GetFiles()[0].Content == nil {
		t.Fatalf("got %v", again)
	}
	nack()
	started := time.Now()
	next(t, st)
	if waited := time.Since(started); waited < 100*time.Millisecond {
		t.Errorf("offered again after %s", waited)
	}
	ack(t, st, "v1")
	eventually(t, "the rejection is over", func() bool { return s.Status(testPBX).LastRejection == nil })
}

func TestAppliedBeforeTheManagerStarted(t *testing.T) {
	s, dial := serve(t, Options{})
	st := dial(testPBX, "good")
	hello(t, st, "v1")
	eventually(t, "it is connected", func() bool { return s.Status(testPBX).Connected })
	if got := s.Status(testPBX); got.AppliedVersion != "v1" || got.AppliedObjects != nil {
		t.Errorf("status %+v", got)
	}
	s.SetSnapshot(testPBX, snapshot("v1", "one"), SnapshotOptions{})
	if got := s.Status(testPBX); got.AppliedObjects["Agent/a"] != "v1" {
		t.Errorf("status %+v", got)
	}
	// Nothing is sent for it: the next message is the next version.
	s.SetSnapshot(testPBX, snapshot("v2", "two"), SnapshotOptions{})
	if m := next(t, st).GetSnapshot(); m.GetVersion() != "v2" {
		t.Errorf("got %v", m)
	}
}

func TestMemberStatesAreSentAsDifferences(t *testing.T) {
	s, dial := serve(t, Options{})
	st := dial(testPBX, "good")
	hello(t, st, "")
	s.SetMemberStates(testPBX, []MemberState{{Extension: "1"}, {Extension: "2", Paused: true, Reason: "Lunch"}})
	c := next(t, st).GetCommand()
	if set := c.GetSetMembers(); !set.GetComplete() || len(set.GetStates()) != 2 || set.GetStates()[1].GetReason() != "Lunch" {
		t.Fatalf("got %v", c)
	}
	done(t, st, c.GetId(), "")
	s.SetMemberStates(testPBX, []MemberState{{Extension: "1"}, {Extension: "3"}})
	c = next(t, st).GetCommand()
	if set := c.GetSetMembers(); set.GetComplete() || len(set.GetStates()) != 1 || set.GetStates()[0].GetExtension() != "3" || !slices.Equal(set.GetRemoved(), []string{"2"}) {
		t.Fatalf("got %v", c)
	}
	done(t, st, c.GetId(), "")

	again := dial(testPBX, "good")
	hello(t, again, "")
	c = next(t, again).GetCommand()
	if set := c.GetSetMembers(); !set.GetComplete() || len(set.GetStates()) != 2 {
		t.Fatalf("after a reconnect: %v", c)
	}
	if _, err := st.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("the replaced session ended with %v", err)
	}
}

func TestDropContactsIsRepeatedUntilDone(t *testing.T) {
	s, dial := serve(t, Options{})
	s.DropContacts(testPBX, "1001")
	st := dial(testPBX, "good")
	hello(t, st, "")
	if c := next(t, st).GetCommand(); c.GetDropContacts().GetExtension() != "1001" {
		t.Fatalf("got %v", c)
	}
	// The session ends before the answer.
	again := dial(testPBX, "good")
	hello(t, again, "")
	c := next(t, again).GetCommand()
	if c.GetDropContacts().GetExtension() != "1001" {
		t.Fatalf("got %v", c)
	}
	done(t, again, c.GetId(), "")
	s.DropContacts(testPBX, "1002")
	if c := next(t, again).GetCommand(); c.GetDropContacts().GetExtension() != "1002" {
		t.Errorf("got %v", c)
	}
}

func TestEventsReachTheObserver(t *testing.T) {
	o := &observer{}
	s, dial := serve(t, Options{Observer: o})
	st := dial(testPBX, "good")
	hello(t, st, "")
	send := func(e *pbxlinkv1.Events) {
		t.Helper()
		if err := st.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Events{Events: e}}); err != nil {
			t.Fatal(err)
		}
	}
	contact := func(extension, uri string) *pbxlinkv1.Contacts {
		return &pbxlinkv1.Contacts{Extension: extension, Contacts: []*pbxlinkv1.Contact{{Uri: uri}}}
	}
	send(&pbxlinkv1.Events{ContactsComplete: true, Contacts: []*pbxlinkv1.Contacts{contact("1", "sip:a"), contact("2", "sip:b")},
		Members: []*pbxlinkv1.QueueMember{{Queue: "q", Extension: "1", Paused: true}}, MembersComplete: true})
	// What is as before is not told again; what is missing from a complete list is gone.
	send(&pbxlinkv1.Events{ContactsComplete: true, Contacts: []*pbxlinkv1.Contacts{contact("1", "sip:a")},
		Members: []*pbxlinkv1.QueueMember{{Queue: "q", Extension: "2"}}, MembersComplete: true,
		Queues: []*pbxlinkv1.QueueFigures{{Queue: "q", Waiting: 3}}, SignInFailures: []*pbxlinkv1.SignInFailures{{Extension: "1", Count: 2, Address: "192.0.2.7"}}})
	want := []string{"1 contacts of 1", "1 contacts of 2", "q/1 paused", "0 contacts of 2", "q/1 removed", "q/2", "3 wait in q", "1 failed 2 192.0.2.7"}
	eventually(t, "everything is told", func() bool { return len(o.told()) >= len(want) })
	if got := o.told(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.Status(testPBX).Registered; got != 1 {
		t.Errorf("%d registered", got)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	unavailable := false
	s, dial := serve(t, Options{Authenticate: func(_ context.Context, pbx, token string) error {
		if unavailable {
			return status.Error(codes.Unavailable, "the API server is away")
		}
		if pbx != testPBX || token != "good" {
			return errors.New("wrong")
		}
		return nil
	}})
	refused := func(pbx, token string, want codes.Code) {
		t.Helper()
		if _, err := dial(pbx, token).Recv(); status.Code(err) != want {
			t.Errorf("%s with %q: got %v, want %s", pbx, token, err, want)
		}
	}
	refused("ns", "good", codes.Unauthenticated)
	refused("ns/other", "good", codes.Unauthenticated)
	for range badTokenBurst {
		refused(testPBX, "bad", codes.Unauthenticated)
	}
	refused(testPBX, "good", codes.ResourceExhausted)
	refused("ns/third", "good", codes.Unauthenticated)
	unavailable = true
	for range badTokenBurst + 1 {
		refused("ns/fourth", "good", codes.Unavailable)
	}
	if s.Status(testPBX).Connected {
		t.Error("somebody is connected")
	}
}

func TestHelloMustNameThePBX(t *testing.T) {
	_, dial := serve(t, Options{})
	st := dial("ns/another", "good")
	hello(t, st, "")
	if _, err := st.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

func TestForget(t *testing.T) {
	s, dial := serve(t, Options{})
	st := dial(testPBX, "good")
	hello(t, st, "")
	eventually(t, "it is connected", func() bool { return s.Status(testPBX).Connected })
	s.Forget(testPBX)
	if _, err := st.Recv(); status.Code(err) != codes.NotFound {
		t.Errorf("got %v", err)
	}
	if s.Status(testPBX).Connected {
		t.Error("it is still known")
	}
}

type observer struct {
	mu   sync.Mutex
	said []string
}

func (o *observer) say(parts ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, strings.Join(parts, ""))
}

func (o *observer) told() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.said)
}

func (o *observer) OnStatusChange(string) {}
func (o *observer) OnContacts(_, extension string, contacts []Contact) {
	o.say(string('0'+rune(len(contacts))), " contacts of ", extension)
}
func (o *observer) OnQueueMember(_ string, m QueueMember) {
	state := ""
	if m.Removed {
		state = " removed"
	} else if m.Paused {
		state = " paused"
	}
	o.say(m.Queue, "/", m.Extension, state)
}
func (o *observer) OnQueueFigures(_, queue string, f QueueFigures) {
	o.say(strconv.Itoa(f.Waiting), " wait in ", queue)
}

func (o *observer) OnCall(_ string, c Call) {
	o.say("call ", c.ID, " of ", c.Extension, " ", string(c.State))
}

func (o *observer) OnVoicemail(_, extension string, unread, read int) {
	o.say(extension, " has ", strconv.Itoa(unread), " and ", strconv.Itoa(read))
}
func (o *observer) OnDeviceState(string, string, string) {}
func (o *observer) OnSignInFailures(_, extension string, count int, address string) {
	o.say(extension, " failed ", strconv.Itoa(count), " ", address)
}
