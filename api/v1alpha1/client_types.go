package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ClientSettings are what every client with a telephone in it knows. Those without another effect named are handed to the client in
// its profile (GET /v1/me) and are the client's to follow.
type ClientSettings struct {
	// settingsAccess ReadWrite lets the agent see and change the client's own settings. Profile only. Default None.
	// +optional
	// +kubebuilder:default=None
	// +kubebuilder:validation:Enum=ReadWrite;None
	SettingsAccess string `json:"settingsAccess,omitempty"`
	// autoAnswer of every call: the PBX asks the phone for it by Call-Info (answer-after) and Alert-Info in the INVITE, and the profile says it too.
	// +optional
	// +kubebuilder:default={state: Disabled}
	AutoAnswer AutoAnswer `json:"autoAnswer,omitempty"`
	// manualRecording Allowed lets the agent record a call by the desk API. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	ManualRecording Permission `json:"manualRecording,omitempty"`
	// dtmfTones that the agent hears when dialling. Profile only. Default Audible.
	// +optional
	// +kubebuilder:default=Audible
	// +kubebuilder:validation:Enum=Audible;Silent
	DTMFTones string `json:"dtmfTones,omitempty"`
	// directCallsDuringPause Reject: while the agent is paused, calls to the extension go to voicemail, or are refused as unavailable (480) where there is none;
	// queue calls stop in a pause in any case. Default Reject.
	// +optional
	// +kubebuilder:default=Reject
	// +kubebuilder:validation:Enum=Reject;Allow
	DirectCallsDuringPause string `json:"directCallsDuringPause,omitempty"`
	// ringInUse Ring: further calls ring while the agent is in one. Skip: queues pass the agent over and direct calls find it busy. Default Skip.
	// +optional
	// +kubebuilder:default=Skip
	// +kubebuilder:validation:Enum=Ring;Skip
	RingInUse string `json:"ringInUse,omitempty"`
	// callForwarding that the agent may set by the desk API; the number is run-time state and no part of a manifest.
	// +optional
	// +kubebuilder:default={unconditional: Denied}
	CallForwarding CallForwarding `json:"callForwarding,omitempty"`
}

// Values of the client settings.
const (
	SettingsReadWrite = "ReadWrite"
	SettingsNone      = "None"
	TonesAudible      = "Audible"
	TonesSilent       = "Silent"
	DirectCallsReject = "Reject"
	DirectCallsAllow  = "Allow"
	RingInUseRing     = "Ring"
	RingInUseSkip     = "Skip"
)

// AutoAnswer answers without a hand.
type AutoAnswer struct {
	// state. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// delay before the phone answers, in whole seconds, at most 60s. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('60s')",message="delay must be between 0s and 60s"
	Delay *metav1.Duration `json:"delay,omitempty"`
}

// CallForwarding says which forwarding an agent may set.
type CallForwarding struct {
	// unconditional forwarding of all direct calls. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	Unconditional Permission `json:"unconditional,omitempty"`
}

// PhonebarSettings are those of the desktop client.
type PhonebarSettings struct {
	ClientSettings `json:",inline"`

	// missedCallBadge on the history icon. Profile only. Default Shown.
	// +optional
	// +kubebuilder:default=Shown
	// +kubebuilder:validation:Enum=Shown;Hidden
	MissedCallBadge string `json:"missedCallBadge,omitempty"`
	// screenReader that the phonebar works with. Profile only. Default None.
	// +optional
	// +kubebuilder:default=None
	// +kubebuilder:validation:Enum=Jaws;None
	ScreenReader string `json:"screenReader,omitempty"`
	// screenRecording on the agent's computer: Disabled, Manual (a button) or Automatic (every call; cannot be stopped by hand). Profile only. Default
	// Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	// +kubebuilder:validation:Enum=Disabled;Manual;Automatic
	ScreenRecording string `json:"screenRecording,omitempty"`
	// remoteControl is the phonebar's own web API on the agent's computer, needed for click-to-dial. Profile only.
	// +optional
	// +kubebuilder:default={state: Disabled}
	RemoteControl RemoteControl `json:"remoteControl,omitempty"`
	// sipPort of the PBX that the phonebar dials. Profile only. Default: the port of the agent's transport at the PBX.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	SIPPort int32 `json:"sipPort,omitempty"`
}

// RemoteControl is the phonebar's web API.
type RemoteControl struct {
	// state. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	State SwitchState `json:"state,omitempty"`
	// port it listens on. Default 9888.
	// +optional
	// +kubebuilder:default=9888
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// WebRTCSettings are those of the browser client.
type WebRTCSettings struct {
	ClientSettings `json:",inline"`

	// previewDialDuringPause lets a paused agent place calls of a preview list. Profile only: there are no lists yet. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	PreviewDialDuringPause Permission `json:"previewDialDuringPause,omitempty"`
}

// MobileSettings are those of the app on a mobile phone.
type MobileSettings struct {
	ClientSettings `json:",inline"`

	// pushGateway wakes the app for a call (RFC 8599). Profile only: the PBX does not wait for a phone that is asleep yet.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https://[^\s]+$`
	PushGateway string `json:"pushGateway"`
}

// Client returns the settings of the agent's client with their defaults: those of External, which has no client of ours, leave all calls to the phone.
func (a *Agent) Client() ClientSettings {
	switch {
	case a.Spec.Phonebar != nil:
		return a.Spec.Phonebar.ClientSettings
	case a.Spec.WebRTC != nil:
		return a.Spec.WebRTC.ClientSettings
	case a.Spec.Mobile != nil:
		return a.Spec.Mobile.ClientSettings
	}
	defaults := ClientSettings{
		SettingsAccess: SettingsNone, AutoAnswer: AutoAnswer{State: Disabled}, ManualRecording: Denied, DTMFTones: TonesAudible,
		DirectCallsDuringPause: DirectCallsReject, RingInUse: RingInUseSkip, CallForwarding: CallForwarding{Unconditional: Denied},
	}
	if a.Spec.Typology == TypologyExternal {
		defaults.DirectCallsDuringPause = DirectCallsAllow
	}
	return defaults
}
