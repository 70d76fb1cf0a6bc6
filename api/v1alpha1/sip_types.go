package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SIPAccount is what the account of every phone has, an agent's or a Telephone's.
// +kubebuilder:validation:XValidation:rule="self.registration.mode == 'Dynamic' || !(self.transport in ['WS', 'WSS'])",message="registration.mode: a phone over WS or WSS connects to the PBX (RFC 7118), so it must be Dynamic"
type SIPAccount struct {
	// transport the phone registers over. WS, without encryption, is for tests behind a proxy that ends TLS; a WebRTC agent may use it only
	// with the annotation ringmaster.dev/allow-insecure-ws: "true". Default UDP.
	// +optional
	// +kubebuilder:default=UDP
	Transport SIPTransport `json:"transport,omitempty"`

	// nat handling: ForceRportComedia (answer to the source address, symmetric RTP), None, ForceRport, Comedia, Never and Route (legacy words that
	// mean None). Default ForceRportComedia.
	// +optional
	// +kubebuilder:default=ForceRportComedia
	NAT SIPNAT `json:"nat,omitempty"`

	// natCompatibility Asterisk14 gives nat Route the meaning it had in Asterisk 1.4: assume NAT, as ForceRportComedia. Current: Route is as None, which
	// is what servers since 1.8 made of it. Default Current.
	// +optional
	// +kubebuilder:default=Current
	NATCompatibility SIPNATCompatibility `json:"natCompatibility,omitempty"`

	// codecs in order of preference. Default: ulaw, alaw; for transport WSS and WS opus, ulaw, alaw.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=6
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(d, d == c))",message="codecs must not repeat"
	Codecs []SIPCodec `json:"codecs,omitempty"`

	// context of the dialplan that calls of this phone start in: from-sip or one of the contexts of every PBX. Default from-sip.
	// +optional
	// +kubebuilder:default="from-sip"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=79
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]{1,79}$`
	Context string `json:"context,omitempty"`

	// registration says how the PBX learns where the phone is.
	// +optional
	// +kubebuilder:default={mode: Dynamic}
	Registration SIPRegistration `json:"registration,omitempty"`

	// expires is how long a registration lasts when the phone does not say. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('60s') && duration(self) <= duration('24h')",message="expires must be between 60s and 24h"
	Expires *metav1.Duration `json:"expires,omitempty"`

	// passwordSecretRef is the phone's password, at least 8 characters. Default: one is generated into the Secret <name>-sip, or <name>-telephone-sip
	// for a Telephone.
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`
}

// SIPRegistration is Dynamic, by REGISTER (RFC 3261, 10), or Static, at a fixed address.
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Static') == has(self.host)",message="host is required for mode Static and forbidden for Dynamic"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Static' || !has(self.port)",message="port is only for mode Static"
type SIPRegistration struct {
	// mode. Default Dynamic.
	// +optional
	// +kubebuilder:default=Dynamic
	Mode RegistrationMode `json:"mode,omitempty"`
	// host is the address of a phone that does not register: an IP address or a host name that the PBX can resolve.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)$`
	Host string `json:"host,omitempty"`
	// port of that phone. Default 5060, for TLS 5061.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// RegistrationMode says whether a phone registers.
// +kubebuilder:validation:Enum=Dynamic;Static
type RegistrationMode string

// Values of RegistrationMode.
const (
	RegistrationDynamic RegistrationMode = "Dynamic"
	RegistrationStatic  RegistrationMode = "Static"
)

// AgentSIP is the SIP account of an agent. Endpoint and address of record are named by the extension.
// +kubebuilder:validation:XValidation:rule="self.role != 'Peer' || self.registration.mode == 'Static'",message="registration.mode: role Peer is known by its address, so it must be Static"
// +kubebuilder:validation:XValidation:rule="self.role != 'User' || self.registration.mode == 'Dynamic'",message="registration.mode: role User cannot be called, so no host is needed and it must be Dynamic"
type AgentSIP struct {
	SIPAccount `json:",inline"`

	// role in the words of chan_sip's type: Friend signs in and can be called; User signs in for calls of its own but cannot register, be called or be
	// in a voice queue; Peer is known by its address. Default Friend.
	// +optional
	// +kubebuilder:default=Friend
	Role SIPRole `json:"role,omitempty"`

	// callerID that the called party sees. Default: fullName and extension.
	// +optional
	// +kubebuilder:default={}
	CallerID SIPCallerID `json:"callerID,omitempty"`

	// callGroups that calls to this agent belong to, 0 to 63.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=63
	CallGroups []int32 `json:"callGroups,omitempty"`

	// pickupGroups whose ringing calls this agent may take by *8, 0 to 63.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=0
	// +kubebuilder:validation:items:Maximum=63
	PickupGroups []int32 `json:"pickupGroups,omitempty"`

	// namedCallGroups are callGroups by name, without a limit of 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=40
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_.-]+$`
	NamedCallGroups []string `json:"namedCallGroups,omitempty"`

	// namedPickupGroups are pickupGroups by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=40
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_.-]+$`
	NamedPickupGroups []string `json:"namedPickupGroups,omitempty"`

	// monitoring Allowed lets the supervisors of the agent's teams listen (*71 and the extension), whisper (*72) and barge in (*73).
	// Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	Monitoring Permission `json:"monitoring,omitempty"`

	// recording of calls to the agent.
	// +optional
	// +kubebuilder:default={format: Inactive}
	Recording SIPRecording `json:"recording,omitempty"`
}

// SIPRole is the relation of a phone to the PBX.
// +kubebuilder:validation:Enum=Friend;User;Peer
type SIPRole string

// Roles.
const (
	RoleFriend SIPRole = "Friend"
	RoleUser   SIPRole = "User"
	RolePeer   SIPRole = "Peer"
)

// Permission allows or denies.
// +kubebuilder:validation:Enum=Allowed;Denied
type Permission string

// Values of Permission.
const (
	Allowed Permission = "Allowed"
	Denied  Permission = "Denied"
)

// SIPRecording says which calls are recorded by themselves.
type SIPRecording struct {
	// format of the recordings of all answered calls to the agent: Inactive (none), Wav (16 bit linear), Wav49 (GSM in a .WAV file), Gsm. The files
	// are on the PBX that served the call, in spec.recordings.directory of the PBX. Default Inactive.
	// +optional
	// +kubebuilder:default=Inactive
	Format RecordingFormat `json:"format,omitempty"`
}

// RecordingFormat of call recordings.
// +kubebuilder:validation:Enum=Inactive;Wav;Wav49;Gsm
type RecordingFormat string

// Recording formats.
const (
	RecordingInactive RecordingFormat = "Inactive"
	RecordingWav      RecordingFormat = "Wav"
	RecordingWav49    RecordingFormat = "Wav49"
	RecordingGsm      RecordingFormat = "Gsm"
)

// SIPTransport of a phone.
// +kubebuilder:validation:Enum=UDP;TCP;TLS;WS;WSS
type SIPTransport string

// Transports.
const (
	TransportUDP SIPTransport = "UDP"
	TransportTCP SIPTransport = "TCP"
	TransportTLS SIPTransport = "TLS"
	TransportWS  SIPTransport = "WS"
	TransportWSS SIPTransport = "WSS"
)

// SIPNAT is the handling of phones behind address translation.
// +kubebuilder:validation:Enum=ForceRportComedia;None;ForceRport;Comedia;Never;Route
type SIPNAT string

// SIPNATCompatibility chooses between meanings of legacy NAT words.
// +kubebuilder:validation:Enum=Current;Asterisk14
type SIPNATCompatibility string

// SIPCodec is an audio codec by Asterisk's name. ulaw, alaw, gsm and g722 are built in; opus and g729 are passed through
// between phones unless the PBX has a module that transcodes them.
// +kubebuilder:validation:Enum=ulaw;alaw;gsm;g722;g729;opus
type SIPCodec string

// SIPCallerID is what others see of a caller.
type SIPCallerID struct {
	// name, without quotes, brackets and control characters. Default: the agent's fullName.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f"<>;]*$`
	Name string `json:"name,omitempty"`
	// number. Default: the extension.
	// +optional
	// +kubebuilder:validation:MaxLength=33
	// +kubebuilder:validation:Pattern=`^\+?[0-9*#]{1,32}$`
	Number string `json:"number,omitempty"`
}

// SIPStatus says where a phone is.
type SIPStatus struct {
	// secretName of the Secret with username, password, realm, server and, for WSS, url.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
	// state: Registered, Unregistered, or Unknown while a PBX cannot be asked.
	// +optional
	// +kubebuilder:validation:Enum=Registered;Unregistered;Unknown
	State string `json:"state,omitempty"`
	// contacts registered now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Contacts []SIPContact `json:"contacts,omitempty"`
}

// SIPContact is one registered phone.
type SIPContact struct {
	// pbx it is registered at.
	// +required
	// +kubebuilder:validation:MaxLength=253
	PBX string `json:"pbx"`
	// since is when it registered first.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}
