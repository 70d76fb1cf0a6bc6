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
type ClientLogsSpec struct {
	// sink Stdout: the manager's standard output, one JSON object a line with center, agent, role, username, level and scope. Volume: files
	// NAMESPACE/ROLE-USERNAME/DATE.log below the manager's --client-log-directory; without that directory entries are refused. Default Stdout.
	// +optional
	// +kubebuilder:default=Stdout
	// +kubebuilder:validation:Enum=Stdout;Volume
	Sink string `json:"sink,omitempty"`
	// retention of the files of sink Volume: an agent's older ones are removed when the agent's client next sends something. Default 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('24h') && duration(self) <= duration('8760h')",message="retention must be between 24h and 8760h"
	Retention *metav1.Duration `json:"retention,omitempty"`
}
