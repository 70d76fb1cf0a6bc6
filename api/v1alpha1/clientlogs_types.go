package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AgentClientLogs says what the agent's client sends to the server of its own log. The client is told in the profile and by the events
// clientLogs.enabled and clientLogs.disabled, so that it can tell the agent.
type AgentClientLogs struct {
	// level of the least important entries that are kept. They are cumulative: Error, Warning (and Error), Info, Debug (everything). Disabled keeps none.
	// Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	Level ClientLogLevel `json:"level,omitempty"`
	// scopes whose entries are kept, as the client names them; All is every one. Default [All].
	// +optional
	// +listType=set
	// +kubebuilder:default={All}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Scopes []ClientLogScope `json:"scopes,omitempty"`
}

// ClientLogLevel is how important an entry is.
// +kubebuilder:validation:Enum=Disabled;Error;Warning;Info;Debug
type ClientLogLevel string

// ClientLogsDisabled keeps no entries.
const ClientLogsDisabled ClientLogLevel = "Disabled"

// ClientLogsAll is every scope.
const ClientLogsAll ClientLogScope = "All"

// ClientLogScope is a part of the client.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=40
// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9._-]*$`
type ClientLogScope string

// ClientLogsSpec says where the logs of agents' clients go. Passwords, tokens, e-mail addresses and telephone numbers in them are blotted out first.
// +kubebuilder:validation:XValidation:rule="!has(self.sink) || self.sink != 'OTLP' || has(self.otlp)",message="sink OTLP needs otlp"
type ClientLogsSpec struct {
	// sink Stdout: the manager's standard output, one JSON object a line with center, agent, role, username, level and scope. Volume: files
	// NAMESPACE/ROLE-USERNAME/DATE.log below the manager's --client-log-directory; without that directory entries are refused. OTLP: the OpenTelemetry
	// collector of otlp. Default Stdout.
	// +optional
	// +kubebuilder:default=Stdout
	// +kubebuilder:validation:Enum=Stdout;Volume;OTLP
	Sink string `json:"sink,omitempty"`
	// retention of the files of sink Volume: an agent's older ones are removed when the agent's client next sends something. Default 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('24h') && duration(self) <= duration('8760h')",message="retention must be between 24h and 8760h"
	Retention *metav1.Duration `json:"retention,omitempty"`
	// otlp is the collector of sink OTLP; without effect otherwise.
	// +optional
	OTLP *ClientLogsOTLP `json:"otlp,omitempty"`
}

// Sinks of clients' logs.
const (
	ClientLogsVolume   = "Volume"
	ClientLogsOTLPSink = "OTLP"
)

// ClientLogsOTLP is an OpenTelemetry collector that takes logs by OTLP over HTTP (protobuf). Clients never wait for it: every manager queues entries for it,
// and drops what does not fit, or what the collector does not take for a minute; metric ringmaster_client_logs_dropped_total.
// +kubebuilder:validation:XValidation:rule="!has(self.headers) || size(self.headers) == 0 || self.endpoint.startsWith('https://')",message="headers are sent to an https endpoint only"
type ClientLogsOTLP struct {
	// endpoint is the URL of the collector, http or https; without a path /v1/logs is added.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~/%-]*)?$`
	Endpoint string `json:"endpoint"`
	// headers of every request, such as Authorization. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Headers []ClientLogsHeader `json:"headers,omitempty"`
	// caSecretRef is a bundle of CA certificates, in PEM, that the certificate of the collector is checked against. Default: those of the manager's system.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// timeout of a request. Default 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1m')",message="timeout must be between 1s and 1m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// queueSize is how many entries of the center each manager holds for the collector at most; an entry has up to 4 KiB. 100 to 10000; default 1000.
	// +optional
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=10000
	QueueSize int32 `json:"queueSize,omitempty"`
}

// ClientLogsHeader is a header of requests to a collector.
type ClientLogsHeader struct {
	// name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	Name string `json:"name"`
	// valueSecretRef is its value: printable ASCII, without a line break at its end.
	// +required
	ValueSecretRef SecretKeyReference `json:"valueSecretRef"`
}
