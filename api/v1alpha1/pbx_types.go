package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PBXSpec describes one Asterisk and how it is reached.
// +kubebuilder:validation:XValidation:rule="has(self.transports.udp) || has(self.transports.tcp) || has(self.transports.tls) || has(self.transports.ws) || has(self.transports.wss)",message="transports: at least one of udp, tcp, tls, ws and wss is needed"
// +kubebuilder:validation:XValidation:rule="!has(self.transports.tls) || has(self.tls)",message="tls.secretRef is required when transports.tls is set"
// +kubebuilder:validation:XValidation:rule="!has(self.outbound) || !(self.outbound.context in ['general', 'globals', 'from-sip']) && !self.outbound.context.startsWith('ringmaster') && (!has(self.contexts) || !(self.outbound.context in self.contexts))",message="outbound.context must be a context of the PBX's own dialplan: not general, globals, from-sip, one of contexts, or a name that begins with ringmaster"
type PBXSpec struct {
	// realm of SIP digest authentication (RFC 7616). It is part of every digest, so it cannot be changed. Default: ringmaster.
	// +optional
	// +kubebuilder:default="ringmaster"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="realm is immutable: it is part of every agent's digest"
	Realm string `json:"realm,omitempty"`

	// advertisedAddress is the host name or IP address at which phones reach this PBX. Agents get it in their SIP Secret, and unless it equals
	// bindAddress, Asterisk announces it in signalling and media to everybody outside localNetworks (NAT in front of the PBX).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)$`
	AdvertisedAddress string `json:"advertisedAddress"`

	// localNetworks are the networks, as IPv4 or IPv6 prefixes, whose phones reach Asterisk without translation: they are given its own address
	// instead of advertisedAddress. They must contain the PBX's own address, or Asterisk announces advertisedAddress to nobody.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="self.all(n, isCIDR(n))",message="localNetworks must be network prefixes such as 10.0.0.0/8"
	LocalNetworks []string `json:"localNetworks,omitempty"`

	// bindAddress is the IPv4 address Asterisk listens on. Default 0.0.0.0, every address.
	// +optional
	// +kubebuilder:default="0.0.0.0"
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4",message="bindAddress must be an IPv4 address"
	BindAddress string `json:"bindAddress,omitempty"`

	// transports that phones may use, each with its port. Default: UDP and TCP on 5060. Asterisk cannot change a transport
	// while it runs: a change of a port here, or of bindAddress, takes effect at its next restart, which InSync=False, reason RestartRequired, asks for.
	// +optional
	// +kubebuilder:default={udp: {port: 5060}, tcp: {port: 5060}}
	Transports PBXTransports `json:"transports,omitempty"`

	// contexts of the dialplan that agents may be put in, beside from-sip. general, globals and names that begin with ringmaster are taken.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=79
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_.-]+$`
	// +kubebuilder:validation:XValidation:rule="self.all(c, !(c in ['general', 'globals']) && !c.startsWith('ringmaster'))",message="contexts must not be general, globals or begin with ringmaster"
	Contexts []string `json:"contexts,omitempty"`

	// tls is the certificate of the TLS and WSS listeners. Without it the WSS listener is whatever the machine's own http.conf says.
	// +optional
	TLS *PBXTLS `json:"tls,omitempty"`

	// outbound leads to numbers outside the center. Without it they are refused (404).
	// +optional
	Outbound *PBXOutbound `json:"outbound,omitempty"`

	// musicClasses of music on hold that queues may name, beside the PBX's own.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	MusicClasses []MusicClass `json:"musicClasses,omitempty"`

	// qualifyInterval is how often the PBX asks each registered phone whether it is there (OPTIONS); it spreads the requests. 0s turns it off: a phone is then
	// known to be gone when its registration ends. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) == duration('0s') || (duration(self) >= duration('10s') && duration(self) <= duration('1h'))",message="qualifyInterval must be 0s or between 10s and 1h"
	QualifyInterval *metav1.Duration `json:"qualifyInterval,omitempty"`

	// recordings of calls.
	// +optional
	// +kubebuilder:default={}
	Recordings PBXRecordings `json:"recordings,omitempty"`
}

// PBXTLS names a certificate.
type PBXTLS struct {
	// secretRef names a Secret of type kubernetes.io/tls (keys tls.crt, the chain with the leaf first, and tls.key) with the label ringmaster.dev/credential. A
	// renewed certificate is served without a restart and without dropping calls. Browsers refuse one that they do not trust: condition
	// CertificateTrusted is False for a self-signed one.
	// +required
	SecretRef ObjectReference `json:"secretRef"`
}

// PBXOutbound is the way out of the center.
type PBXOutbound struct {
	// context of the PBX's own dialplan (extensions.conf of the machine, not generated) that numbers go to which are neither an agent, a queue nor a feature
	// code. Condition ContextsPresent is False where the PBX has no such context.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=79
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_.-]+$`
	Context string `json:"context"`
	// servicePrefixes are the beginnings that agents with permissions.outboundPrefix Required must dial. The prefix is passed on with the number.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=10
	// +kubebuilder:validation:items:Pattern=`^[0-9*#]+$`
	ServicePrefixes []string `json:"servicePrefixes,omitempty"`
}

// MusicClass is a directory of sound files.
type MusicClass struct {
	// name by which queues refer to it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=79
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	// +kubebuilder:validation:XValidation:rule="!(self in ['general', 'default'])",message="name must not be general or default"
	Name string `json:"name"`
	// directory on the PBX, absolute, or relative to Asterisk's data directory.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9/._-]+$`
	// +kubebuilder:validation:XValidation:rule="!self.contains('..')",message="directory must not contain .."
	Directory string `json:"directory"`
}

// PBXRecordings says where recordings go.
type PBXRecordings struct {
	// directory below Asterisk's monitor directory (/var/spool/asterisk/monitor). Files are <directory>/<extension>/<date>-<time>-<call>-<n>. Default
	// ringmaster.
	// +optional
	// +kubebuilder:default="ringmaster"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`
	Directory string `json:"directory,omitempty"`
}

// PBXTransports are the listeners of Asterisk; an absent one is off.
// +kubebuilder:validation:XValidation:rule="(!has(self.tcp) || !has(self.tls) || self.tcp.port != self.tls.port) && (!has(self.tcp) || !has(self.ws) || self.tcp.port != self.ws.port) && (!has(self.tcp) || !has(self.wss) || self.tcp.port != self.wss.port) && (!has(self.tls) || !has(self.ws) || self.tls.port != self.ws.port) && (!has(self.tls) || !has(self.wss) || self.tls.port != self.wss.port) && (!has(self.ws) || !has(self.wss) || self.ws.port != self.wss.port)",message="tcp, tls, ws and wss all listen on TCP and must have different ports"
type PBXTransports struct {
	// udp listener.
	// +optional
	UDP *TransportPort `json:"udp,omitempty"`
	// tcp listener.
	// +optional
	TCP *TransportPort `json:"tcp,omitempty"`
	// tls listener; needs spec.tls.
	// +optional
	TLS *TransportPort `json:"tls,omitempty"`
	// ws is SIP over WebSocket without encryption (RFC 7118), for a proxy that ends TLS. The listener is Asterisk's HTTP server.
	// +optional
	WS *TransportPort `json:"ws,omitempty"`
	// wss is SIP over secure WebSocket (RFC 7118). The listener is Asterisk's HTTP server with TLS, with the certificate of spec.tls; without spec.tls
	// it is configured on the machine (http.conf) and the port here is only what clients are told.
	// +optional
	WSS *TransportPort `json:"wss,omitempty"`
}

// TransportPort is where a transport listens.
type TransportPort struct {
	// port number.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// PBXStatus is what is known of the Asterisk.
type PBXStatus struct {
	CommonStatus `json:",inline"`
	// linkSecretName is the Secret with what the pbxlet needs to connect: ca.crt, token, server, pbx.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LinkSecretName string `json:"linkSecretName,omitempty"`
	// pbxlet that is connected, or was last.
	// +optional
	PBXlet PBXletStatus `json:"pbxlet,omitempty"`
	// asteriskVersion as Asterisk reports it.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	AsteriskVersion string `json:"asteriskVersion,omitempty"`
	// appliedVersion of the configuration, a hash, that Asterisk acknowledged last.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	AppliedVersion string `json:"appliedVersion,omitempty"`
	// appliedAt is when that was.
	// +optional
	AppliedAt *metav1.Time `json:"appliedAt,omitempty"`
	// endpoints that the running Asterisk has.
	// +optional
	// +kubebuilder:default=0
	Endpoints int32 `json:"endpoints"`
	// registered is how many phones are registered.
	// +optional
	// +kubebuilder:default=0
	Registered int32 `json:"registered"`
	// activeCalls is how many calls of agents are ringing or up.
	// +optional
	// +kubebuilder:default=0
	ActiveCalls int32 `json:"activeCalls"`
	// certificate that the TLS and WSS listeners serve.
	// +optional
	Certificate *PBXCertificate `json:"certificate,omitempty"`
	// codecs that this Asterisk knows.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=32
	Codecs []string `json:"codecs,omitempty"`
	// transcodedCodecs are those of them that it can translate into others; the rest is passed through between phones that share them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=32
	TranscodedCodecs []string `json:"transcodedCodecs,omitempty"`
	// lastRejection is why a configuration was refused last; the previous one stayed in effect.
	// +optional
	LastRejection *PBXRejection `json:"lastRejection,omitempty"`
}

// PBXCertificate is a certificate in use.
type PBXCertificate struct {
	// sha256 of the certificate in DER form, in hex: what the listener served when it was read back.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256,omitempty"`
	// notAfter is when it expires.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
	// names it is valid for, the first 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	Names []string `json:"names,omitempty"`
}

// PBXletStatus identifies the pull agent beside Asterisk.
type PBXletStatus struct {
	// version of the pbxlet.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	Version string `json:"version,omitempty"`
	// connectedSince is empty while it is not connected.
	// +optional
	ConnectedSince *metav1.Time `json:"connectedSince,omitempty"`
}

// PBXRejection is a refused configuration.
type PBXRejection struct {
	// version that was refused.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Version string `json:"version"`
	// reason in words.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// time of the refusal.
	// +required
	Time metav1.Time `json:"time"`
}

// PBX is one Asterisk 22 with a pbxlet beside it.
//
// Conditions: Ready, Connected, InSync, CertificateTrusted, ContextsPresent. The last two do not count for Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=pbxes,singular=pbx,shortName=pbx,categories=ringmaster
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.advertisedAddress`
// +kubebuilder:printcolumn:name="Connected",type=string,JSONPath=`.status.conditions[?(@.type=="Connected")].status`
// +kubebuilder:printcolumn:name="In-Sync",type=string,JSONPath=`.status.conditions[?(@.type=="InSync")].status`
// +kubebuilder:printcolumn:name="Endpoints",type=integer,JSONPath=`.status.endpoints`
// +kubebuilder:printcolumn:name="Registered",type=integer,JSONPath=`.status.registered`
// +kubebuilder:printcolumn:name="Calls",type=integer,JSONPath=`.status.activeCalls`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.appliedVersion`
// +kubebuilder:printcolumn:name="Asterisk",type=string,priority=1,JSONPath=`.status.asteriskVersion`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PBX struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec PBXSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status PBXStatus `json:"status,omitempty"`
}

// PBXList is a list of PBXes.
// +kubebuilder:object:root=true
type PBXList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PBX `json:"items"`
}
