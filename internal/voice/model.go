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
	// Agents are the endpoints of persons, in any order.
	Agents []Endpoint
	// Telephones are the endpoints of hot desks, in any order: phones that
	// belong to nobody and that the dialplan takes for the agent who sits there.
	Telephones []Endpoint
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

// DefaultRecordingDirectory is where recordings go, below Asterisk's directory
// monitor.
const DefaultRecordingDirectory = "ringmaster"

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
	// address. Used only with AdvertisedAddress. Asterisk replaces the address in
	// SDP only when its own is in one of them, or when there are none.
	LocalNetworks []string
	// UDPPort, TCPPort, TLSPort, WSPort and WSSPort are the transports' ports; 0
	// turns the transport off. TLSPort needs a Certificate. WS and WSS are
	// served by Asterisk's HTTP server: with WSPort, and with WSSPort and a
	// Certificate, http.conf is rendered; WSSPort without a Certificate leaves
	// the listener to the machine's own http.conf.
	UDPPort, TCPPort, TLSPort, WSPort, WSSPort int
	// Certificate is served over TLS and WSS; nil means none.
	Certificate *Certificate
	// StateDir is the pbxlet's directory on the PBX, an absolute path. The
	// certificate is read from below it, so it is required with one.
	StateDir string
	// AllowedContexts are the dialplan contexts endpoints may be in, besides
	// DefaultContext.
	AllowedContexts []string
	// RingTimeout is how long a direct call rings; 0 means DefaultRingTimeout.
	RingTimeout time.Duration
	// QualifyInterval is how often an OPTIONS request checks a registered
	// contact; 0, the default, means never.
	QualifyInterval time.Duration
	// OutboundContext is a context of the site's own dialplan. Numbers that are
	// neither an agent's nor a queue's continue there when an agent dials them
	// or forwards to them; empty means that they do not exist.
	OutboundContext string
	// ServicePrefixes are what a number must begin with when an endpoint with
	// OutboundPrefixRequired dials it: [0-9*#+], 1 to 20 characters each.
	ServicePrefixes []string
	// ForbiddenPrefixes are beginnings of numbers that nobody may forward to,
	// of the same form; such a forward is ignored.
	ForbiddenPrefixes []string
	// MusicClasses are rendered besides Asterisk's own class "default".
	MusicClasses []MusicClass
	// RecordingDirectory is a path relative to Asterisk's directory monitor;
	// empty means DefaultRecordingDirectory.
	RecordingDirectory string
}

// Certificate is a TLS certificate with its chain, and its private key.
type Certificate struct {
	// CertPEM holds the leaf first; KeyPEM is not encrypted.
	CertPEM, KeyPEM []byte
}

// MusicClass is one class of music on hold.
type MusicClass struct {
	// Name is [A-Za-z0-9_.-], at most 79 characters, not "default" or "general".
	Name string
	// Directory holds the sound files: an absolute path, or one relative to
	// Asterisk's data directory.
	Directory string
}

// Transport is how a phone reaches the PBX.
type Transport string

// The transports an endpoint may use.
const (
	UDP Transport = "UDP"
	TCP Transport = "TCP"
	TLS Transport = "TLS"
	WS  Transport = "WS"
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

// NATCompatibility chooses the meaning of a NAT word that has several.
type NATCompatibility string

// The values of NATCompatibility; the zero value is Current. Under Asterisk14
// NATRoute is NATForceRportComedia: Asterisk 1.4 assumed address translation.
const (
	NATCurrent    NATCompatibility = "Current"
	NATAsterisk14 NATCompatibility = "Asterisk14"
)

// Role is the relation of a phone to the PBX, in the words of chan_sip's type.
type Role string

// The roles; the zero value is Friend. A User calls but cannot register or be
// called. A Peer is known by its address, which must be Static.
const (
	Friend Role = "Friend"
	User   Role = "User"
	Peer   Role = "Peer"
)

// RecordingFormat is the format of automatic recordings.
type RecordingFormat string

// The formats; the zero value records nothing by itself.
const (
	Wav   RecordingFormat = "Wav"
	Wav49 RecordingFormat = "Wav49"
	Gsm   RecordingFormat = "Gsm"
)

// Host is the fixed address of a phone that does not register.
type Host struct {
	// Host is an IP address or a host name.
	Host string
	// Port is 0 for 5060, or 5061 over TLS.
	Port int
}

// Endpoint is one telephone, an agent's or a hot desk's: a PJSIP endpoint, its
// auth and its AOR, all of one name.
type Endpoint struct {
	// Key names the object the endpoint comes from, for Snapshot.Objects, for
	// example "Agent/alice". Required and unique.
	Key string
	// Hash identifies the state of that object; empty means Fingerprint.
	Hash string
	// Name names the PJSIP objects and is the SIP user of the phone (From, To
	// and Contact). An agent's is its Extension and may be left empty; a
	// telephone's is [A-Za-z][A-Za-z0-9._-]{0,63}.
	Name string
	// Extension is the number others dial: 2 to 10 digits. Empty for a
	// telephone, required for an agent.
	Extension string
	// Username is the digest username: [A-Za-z0-9._-], 1 to 64 characters.
	Username string
	// DisplayName is the person's name, or says where the telephone is.
	DisplayName string
	// HA1 is hex(MD5(username:realm:password)); see HA1.
	HA1 string
	// Role defaults to Friend.
	Role Role
	// Static is where the phone is when it does not register; nil means that
	// it registers.
	Static *Host
	// Transport defaults to UDP.
	Transport Transport
	// NAT defaults to NATForceRportComedia.
	NAT NAT
	// NATCompatibility defaults to NATCurrent.
	NATCompatibility NATCompatibility
	// Codecs in order of preference, of ulaw, alaw, gsm, g722, g729, opus.
	// Empty means opus, ulaw, alaw for WS and WSS and ulaw, alaw otherwise.
	Codecs []string
	// Language of the prompts the phone hears, as a BCP 47 tag ("en-GB");
	// empty means Asterisk's default.
	Language string
	// CallerID is shown to the called party; empty parts default to
	// DisplayName and Extension.
	CallerID CallerID
	// Context is the dialplan context of the phone's calls; empty means
	// DefaultContext. Calls of a telephone where an agent sits start in the
	// context of that agent.
	Context string
	// CallGroups and PickupGroups are numbers from 0 to 63.
	CallGroups, PickupGroups []int
	// NamedCallGroups and NamedPickupGroups are the same by name:
	// [A-Za-z0-9_.-], at most 40 characters.
	NamedCallGroups, NamedPickupGroups []string
	// Expires is the registration lifetime offered to a phone that asks for
	// none; 0 means one hour. Minimum one minute.
	Expires time.Duration
	// Voicemail is the mailbox, named by the extension; nil means none.
	Voicemail *Mailbox
	// Monitoring lets Supervisors, which are extensions, listen to the agent's
	// calls.
	Monitoring  bool
	Supervisors []string
	// Recording is the format in which answered calls to the agent are
	// recorded; empty means not at all.
	Recording RecordingFormat
	// ManualRecording says that the agent may start a recording; the dialplan
	// tells it to the pbxlet in RINGMASTER_POLICY.
	ManualRecording bool
	// RingInUse offers the agent calls while another is up or ringing.
	RingInUse bool
	// AutoAnswer asks the phone to answer by itself after the delay, in whole
	// seconds, at most one minute; nil means that it rings.
	AutoAnswer *time.Duration
	// OutboundPrefixRequired refuses numbers outside of the center that begin
	// with none of the PBX's ServicePrefixes.
	OutboundPrefixRequired bool
	// Telephone names the telephone where the agent sits; calls from queues
	// ring there. Empty means at none. It is run-time state, and no part of
	// Fingerprint.
	Telephone string
}

// CallerID is a name and a number.
type CallerID struct {
	Name, Number string
}

// Mailbox is a voicemail box.
type Mailbox struct {
	// Owner identifies whose messages these are, for example an object's UID:
	// [A-Za-z0-9-], at most 64 characters. A box found with another owner's
	// messages is emptied before it is used.
	Owner string
	// PIN is 4 to 10 digits.
	PIN string
	// FullName is the owner's name; empty means the endpoint's DisplayName.
	FullName string
	// Greeting defaults to GreetingStandard.
	Greeting Greeting
	// MaxMessages per folder, 1 to 9999; 0 means 100.
	MaxMessages int
	// MaxMessageLength of one message, 1 s to 24 h; 0 means three minutes.
	MaxMessageLength time.Duration
	// Language of the prompts when the owner listens, as a BCP 47 tag; empty
	// means the language of the call.
	Language string
}

// Greeting is what a caller hears before the tone.
type Greeting string

// The greetings: the owner's own or a standard one and how to leave a message,
// only how to leave one, or only the tone.
const (
	GreetingStandard     Greeting = "Standard"
	GreetingInstructions Greeting = "Instructions"
	GreetingSilent       Greeting = "Silent"
)

// HA1 is the stored form of a SIP password: hex(MD5(username:realm:password)),
// RFC 7616, 3.4.2. MD5 is what Asterisk 22 offers by default.
func HA1(username, realm, password string) string {
	sum := md5.Sum([]byte(username + ":" + realm + ":" + password))
	return hex.EncodeToString(sum[:])
}
