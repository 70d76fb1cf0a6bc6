// Package pbxlink is the link between the manager and the pbxlets beside the
// PBXes: the protocol (pbxlinkv1), its server, and what both ends share. The
// manager that leads holds the wanted state of every PBX, brings the pbxlets
// that have dialled it to that state, and reports what their PBXes say.
package pbxlink

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// MetadataPBX carries "namespace/name" of the PBX on the Sync call.
	MetadataPBX = "ringmaster-pbx"
	// MetadataAuthorization carries "Bearer <token>".
	MetadataAuthorization = "authorization"

	// MaxMessage is the largest message either side accepts, in bytes: the
	// files of about 80,000 endpoints.
	MaxMessage = 64 << 20

	// KeepaliveInterval is how often each side asks an idle connection whether
	// it is alive.
	KeepaliveInterval = 20 * time.Second
	// KeepaliveTimeout is how long it waits for the answer.
	KeepaliveTimeout = 10 * time.Second
)

// ServerOptions are the options a gRPC server needs to carry the link; TLS is
// the caller's to add.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: KeepaliveInterval, Timeout: KeepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: KeepaliveInterval / 2, PermitWithoutStream: true}),
	}
}

// Contact is one registration of an extension.
type Contact struct {
	// URI is the phone's SIP address.
	URI string
	// UserAgent is the phone's own name; empty when it was not read yet.
	UserAgent string
	// Status is Reachable, Unreachable, NonQualified or Unknown, as Asterisk
	// calls it.
	Status string
}

// MemberState is the wanted run-time state of one endpoint: in every queue it
// is a member of, and for direct calls.
type MemberState struct {
	// Extension names the endpoint: an agent's, or a telephone's.
	Extension string
	// Paused members are not rung by queues.
	Paused bool
	// Reason is shown with the pause; no line break, at most 80 characters.
	Reason string
	// RejectDirect refuses direct calls.
	RejectDirect bool
	// ForwardTo is the number that direct calls go to; empty means none.
	ForwardTo string
	// Telephone names the endpoint where the agent sits; empty means none. That
	// endpoint is paused as the agent is, unless it has a state of its own. Of
	// two agents with the same one, the lower extension has it.
	Telephone string
}

// QueueMember is a queue member as Asterisk reports it.
type QueueMember struct {
	Queue, Extension string
	// DeviceState is NOT_INUSE, INUSE, BUSY, INVALID, UNAVAILABLE, RINGING,
	// RINGINUSE, ONHOLD or UNKNOWN.
	DeviceState string
	Paused      bool
	PauseReason string
	// InCall is true while the member talks to a caller of this queue.
	InCall bool
	// Removed is true in the last report of a member that left.
	Removed bool
}

// Status is what the manager knows of one PBX.
type Status struct {
	// Connected is true while a pbxlet is connected to this replica.
	Connected bool
	// Since is when Connected last changed.
	Since time.Time
	// Remote is the address the pbxlet called from.
	Remote string
	// PBXletVersion and AsteriskVersion are as reported.
	PBXletVersion, AsteriskVersion string
	// AsteriskUp is true when the pbxlet reaches its Asterisk.
	AsteriskUp bool
	// AsteriskStartedAt is when that Asterisk was started.
	AsteriskStartedAt time.Time
	// Problem is what the pbxlet says is wrong; empty when nothing is.
	Problem string
	// WantedVersion is the version set last, AppliedVersion the one read back
	// from Asterisk last.
	WantedVersion, AppliedVersion string
	// AppliedAt is when AppliedVersion was acknowledged.
	AppliedAt time.Time
	// AppliedObjects is Snapshot.Objects of AppliedVersion; nil while it is not
	// known here.
	AppliedObjects map[string]string
	// ApplyTook is how long the pbxlet needed for AppliedVersion.
	ApplyTook time.Duration
	// Endpoints, Queues and Mailboxes are the counts read back with it.
	Endpoints, Queues, Mailboxes int
	// RestartRequired are transports that run otherwise than written until
	// Asterisk is restarted.
	RestartRequired []string
	// Reloads is how often this pbxlet had reloaded res_pjsip at its last acknowledgement; 0 before its first.
	Reloads int64
	// StateDir is where the pbxlet keeps its files, as Asterisk sees it: what is
	// loaded is under its "current".
	StateDir string
	// Codecs are the names of all codecs that Asterisk knows, Transcodable those
	// that it can turn into others; both sorted, empty before Asterisk was reached.
	Codecs, Transcodable []string
	// ServedCertificate is the SHA-256, in hex, of the certificate that the TLS
	// listeners were seen to serve with AppliedVersion; empty when the snapshot
	// has none.
	ServedCertificate string
	// MissingContexts are the contexts of the site's own dialplan that
	// AppliedVersion needs and Asterisk does not have.
	MissingContexts []string
	// LastRejection is the last snapshot refused and not yet followed by an
	// acknowledged one; nil when there is none.
	LastRejection *Rejection
	// Registered is the number of extensions with a contact.
	Registered int
}

// Rejection is a refused snapshot.
type Rejection struct {
	Version, Reason string
	At              time.Time
}

// Observer is told what happens at the PBXes. Its methods must not block. Those
// that carry a state are called one at a time for each PBX, in order;
// OnStatusChange may come at any time, also from within SetSnapshot.
type Observer interface {
	// OnStatusChange says that Status(pbx) changed.
	OnStatusChange(pbx string)
	// OnContacts gives all contacts of one extension; none means unregistered.
	OnContacts(pbx, extension string, contacts []Contact)
	// OnQueueMember gives the present state of one queue member.
	OnQueueMember(pbx string, member QueueMember)
	// OnQueueFigures gives the figures of a queue, when they have changed and at
	// most every few seconds; those who wait are told at once.
	OnQueueFigures(pbx, queue string, f QueueFigures)
	// OnCall gives the present state of a call; one that has ended is told once.
	OnCall(pbx string, call Call)
	// OnVoicemail gives the number of messages of a mailbox, named by the
	// extension; none for a mailbox that is gone.
	OnVoicemail(pbx, extension string, unread, read int)
	// OnDeviceState gives the present state of an endpoint's device.
	OnDeviceState(pbx, extension, state string)
	// OnSignInFailures says that phones gave wrong passwords for an extension, the
	// last one from address. It adds to what was said before; one for each second
	// is told at most.
	OnSignInFailures(pbx, extension string, count int, address string)
}

// nobody observes nothing.
type nobody struct{}

func (nobody) OnStatusChange(string)                        {}
func (nobody) OnContacts(string, string, []Contact)         {}
func (nobody) OnQueueMember(string, QueueMember)            {}
func (nobody) OnQueueFigures(string, string, QueueFigures)  {}
func (nobody) OnCall(string, Call)                          {}
func (nobody) OnVoicemail(string, string, int, int)         {}
func (nobody) OnDeviceState(string, string, string)         {}
func (nobody) OnSignInFailures(string, string, int, string) {}
