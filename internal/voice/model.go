// Package voice is what a PBX must know: a resolved model of one contact
// center and a pure renderer from it to Asterisk 22 configuration files. It
// imports no Kubernetes client, no SQL and no network.
package voice

import (
	"crypto/md5"
	"encoding/hex"
	"time"
)

// Center is everything one PBX must know, with every reference resolved.
type Center struct {
	// PBX holds the settings of the Asterisk the files are for.
	PBX PBX
	// Agents are the endpoints, in any order.
	Agents []Endpoint
	// Queues are the voice queues, in any order.
	Queues []Queue
}

// DefaultContext is the dialplan context of an endpoint that names none.
const DefaultContext = "from-sip"

// MailboxContext is the voicemail context of every mailbox.
const MailboxContext = "default"

// DefaultRingTimeout is how long a direct call rings before voicemail or a
// refusal answers it.
const DefaultRingTimeout = 20 * time.Second

// PBX are the settings of one Asterisk.
type PBX struct {
	// Realm is the digest realm (RFC 7616). HA1 values are bound to it, so
	// changing it invalidates every one. Required.
	Realm string
	// BindAddress is the IP address the UDP and TCP transports bind to; empty
	// means 0.0.0.0.
	BindAddress string
	// AdvertisedAddress is the IP address or host name put into SIP and SDP
	// when the PBX is behind NAT; empty, or equal to BindAddress, means that
	// Asterisk chooses.
	AdvertisedAddress string
	// LocalNetworks are CIDR prefixes that are reached without the advertised
	// address. Used only with AdvertisedAddress.
	LocalNetworks []string
	// UDPPort, TCPPort and WSSPort are the transports' ports; 0 turns the
	// transport off. The WSS listener itself is Asterisk's HTTP server
	// (http.conf), whose port and certificate belong to the machine.
	UDPPort, TCPPort, WSSPort int
	// AllowedContexts are the dialplan contexts endpoints may be in, besides
	// DefaultContext.
	AllowedContexts []string
	// RingTimeout is how long a direct call rings; 0 means DefaultRingTimeout.
	RingTimeout time.Duration
	// QualifyInterval is how often an OPTIONS request checks a registered
	// contact; 0, the default, means never.
	QualifyInterval time.Duration
}

// Transport is how a phone reaches the PBX.
type Transport string

// The transports an endpoint may use.
const (
	UDP Transport = "UDP"
	TCP Transport = "TCP"
	WSS Transport = "WSS"
)

// NAT is the handling of a phone behind address translation, in the words of
// chan_sip's nat option.
type NAT string

// The six values; see endpointNAT for what each becomes in PJSIP.
const (
	NATForceRportComedia NAT = "ForceRportComedia"
	NATNone              NAT = "None"
	NATForceRport        NAT = "ForceRport"
	NATComedia           NAT = "Comedia"
	NATNever             NAT = "Never"
	NATRoute             NAT = "Route"
)

// Endpoint is one agent's telephone: a PJSIP endpoint, its auth and its AOR,
// all named by the extension.
type Endpoint struct {
	// Key names the object the endpoint comes from, for Snapshot.Objects, for
	// example "Agent/alice". Required and unique.
	Key string
	// Hash identifies the state of that object; empty means Fingerprint.
	Hash string
	// Extension is the number others dial and the SIP user of the phone
	// (From, To and Contact): 2 to 10 digits.
	Extension string
	// Username is the digest username: [A-Za-z0-9._-], 1 to 64 characters.
	Username string
	// DisplayName is the person's name.
	DisplayName string
	// HA1 is hex(MD5(username:realm:password)); see HA1.
	HA1 string
	// Transport defaults to UDP.
	Transport Transport
	// NAT defaults to NATForceRportComedia.
	NAT NAT
	// Codecs in order of preference, of ulaw, alaw, gsm, g722, g729, opus.
	// Empty means opus, ulaw, alaw for WSS and ulaw, alaw otherwise.
	Codecs []string
	// CallerID is shown to the called party; empty parts default to
	// DisplayName and Extension.
	CallerID CallerID
	// Context is the dialplan context of the phone's calls; empty means
	// DefaultContext.
	Context string
	// CallGroups and PickupGroups are numbers from 0 to 63.
	CallGroups, PickupGroups []int
	// Expires is the registration lifetime offered to a phone that asks for
	// none; 0 means one hour. Minimum one minute.
	Expires time.Duration
	// Voicemail is the mailbox, named by the extension; nil means none.
	Voicemail *Mailbox
	// Callable is false for an endpoint that may call but not register or be
	// called (chan_sip's type=user).
	Callable bool
}

// CallerID is a name and a number.
type CallerID struct {
	Name, Number string
}

// Mailbox is a voicemail box.
type Mailbox struct {
	// PIN is 4 to 10 digits.
	PIN string
	// FullName is the owner's name; empty means the endpoint's DisplayName.
	FullName string
}

// Strategy is how a queue chooses the member that rings.
type Strategy string

// The eight strategies of app_queue.
const (
	Ringall     Strategy = "Ringall"
	LeastRecent Strategy = "LeastRecent"
	FewestCalls Strategy = "FewestCalls"
	Random      Strategy = "Random"
	RRMemory    Strategy = "RRMemory"
	RROrdered   Strategy = "RROrdered"
	Linear      Strategy = "Linear"
	WRandom     Strategy = "WRandom"
)

// AutoPause says what app_queue does with a member that does not answer.
type AutoPause string

// The values of AutoPause; the zero value is AutoPauseNever.
const (
	AutoPauseNever AutoPause = "Never"
	AutoPauseQueue AutoPause = "Queue"
	AutoPauseAll   AutoPause = "All"
)

// Queue is one voice queue. Durations are whole seconds in app_queue and
// rounded up to them.
type Queue struct {
	// Key names the object the queue comes from, for example "Queue/support".
	// Required and unique.
	Key string
	// Hash identifies the state of that object; empty means Fingerprint.
	Hash string
	// Name is the queue's name in Asterisk.
	Name string
	// Number is what callers dial; empty means that it cannot be dialled.
	Number string
	// Strategy defaults to RRMemory.
	Strategy Strategy
	// Timeout is how long one member rings; 0 means 15 s.
	Timeout time.Duration
	// Retry is the wait before members are tried again; 0 means 5 s.
	Retry time.Duration
	// WrapUpTime is a member's rest after a call; 0 means none.
	WrapUpTime time.Duration
	// MaxLen is how many callers may wait; 0 means no limit.
	MaxLen int
	// ServiceLevel is the answer time that counts as good; 0 means unset.
	ServiceLevel time.Duration
	// AutoPause defaults to AutoPauseNever.
	AutoPause AutoPause
	// Members may be rung, in any order; each starts paused.
	Members []Member
}

// Member is one endpoint in a queue.
type Member struct {
	// Extension names a callable endpoint of the same Center.
	Extension string
	// Penalty puts the member behind those with a lower one.
	Penalty int
	// Name is shown in queue events; empty means the extension.
	Name string
}

// HA1 is the stored form of a SIP password: hex(MD5(username:realm:password)),
// RFC 7616, 3.4.2. MD5 is what Asterisk 22 offers by default.
func HA1(username, realm, password string) string {
	sum := md5.Sum([]byte(username + ":" + realm + ":" + password))
	return hex.EncodeToString(sum[:])
}
