package desk

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Values of ClientProfile fields that the server decides by.
const (
	PasswordBootstrap = "Bootstrap"
	PasswordEnforced  = "Enforced"

	SettingAllowed = "Allowed"
	SettingDenied  = "Denied"

	RecordingInactive = "Inactive"

	TypologyPhonebar = "Phonebar"

	PhonebarControlAny  = "Any"
	PhonebarControlOnly = "PhonebarOnly"

	LoginReady  = "Ready"
	LoginPaused = "Paused"
)

// ClientProfile is the JSON in store.Agent.Profile: the settings of an Agent object and its center that its client needs, with
// every default filled in. What is empty is denied or off.
type ClientProfile struct {
	Typology           string   `json:"typology,omitempty" example:"WebRTC" doc:"Phonebar, External, WebRTC or Mobile"`
	Locale             string   `json:"locale,omitempty" example:"en-GB" doc:"BCP 47 language of prompts and texts"`
	Transport          string   `json:"transport,omitempty" example:"WSS" doc:"SIP transport: UDP, TCP, TLS, WS or WSS"`
	Codecs             []string `json:"codecs,omitempty" doc:"Asterisk codec names, preferred first"`
	ExpiresSeconds     int      `json:"expiresSeconds,omitempty" example:"3600" doc:"Registration expiry to ask for"`
	SIPPort            int      `json:"sipPort,omitempty" example:"5060" doc:"Phonebar: port of the registrar"`
	PasswordManagement string   `json:"passwordManagement,omitempty" example:"Bootstrap" doc:"Bootstrap: the agent may change the password; Enforced: only the Secret does"`
	LoginState         string   `json:"loginState,omitempty" example:"Ready" doc:"Ready or Paused: the state after signing in"`

	SettingsAccess         string         `json:"settingsAccess,omitempty" example:"None" doc:"ReadWrite: the agent may see and change the client's settings; None"`
	AutoAnswer             *AutoAnswer    `json:"autoAnswer,omitempty" doc:"Absent: the agent answers"`
	ManualRecording        string         `json:"manualRecording,omitempty" example:"Denied" doc:"Allowed: the agent may record calls; Denied"`
	DTMFTones              string         `json:"dtmfTones,omitempty" example:"Audible" doc:"Audible or Silent: tones while dialling"`
	DirectCallsDuringPause string         `json:"directCallsDuringPause,omitempty" example:"Reject" doc:"Reject or Allow; the PBX does it"`
	RingInUse              string         `json:"ringInUse,omitempty" example:"Skip" doc:"Ring or Skip while in a call; the PBX does it"`
	CallForwarding         string         `json:"callForwarding,omitempty" example:"Denied" doc:"Allowed: see /v1/me/forwarding; Denied"`
	MissedCallBadge        string         `json:"missedCallBadge,omitempty" example:"Shown" doc:"Phonebar: Shown or Hidden"`
	ScreenReader           string         `json:"screenReader,omitempty" example:"None" doc:"Phonebar: Jaws or None"`
	ScreenRecording        string         `json:"screenRecording,omitempty" example:"Disabled" doc:"Phonebar: Disabled, Manual or Automatic (on every call, not to be stopped)"`
	ScreenRecordingPath    string         `json:"screenRecordingPath,omitempty" example:"Video/alice_Alice Rossi/{yyyy}/{MM}/{dd}/" doc:"Phonebar: where to keep screen recordings; the client fills in {yyyy}, {MM} and {dd}"`
	RemoteControl          *RemoteControl `json:"remoteControl,omitempty" doc:"Phonebar: absent while off"`
	PreviewDialDuringPause string         `json:"previewDialDuringPause,omitempty" example:"Denied" doc:"WebRTC: Allowed or Denied"`
	PushGateway            string         `json:"pushGateway,omitempty" doc:"Mobile: URL to register for push messages"`

	Recording         string   `json:"recording,omitempty" example:"Wav" doc:"Inactive, or the format every call is recorded in: Wav, Wav49 or Gsm"`
	OutboundPrefix    string   `json:"outboundPrefix,omitempty" example:"Optional" doc:"Required: numbers to dial begin with one of servicePrefixes; Optional"`
	ServicePrefixes   []string `json:"servicePrefixes,omitempty" doc:"Prefixes that choose the service of an outbound call"`
	ForbiddenPrefixes []string `json:"forbiddenPrefixes,omitempty" example:"00882" doc:"Calls cannot be forwarded to numbers that begin so; + and 00 are the same"`
	PhonebarControl   string   `json:"phonebarControl,omitempty" example:"PhonebarOnly" doc:"PhonebarOnly: a web client of an agent with typology Phonebar shows presence and does not change it; Any"`
	HotDesk           *HotDesk `json:"hotDesk,omitempty" doc:"Absent: the agent has a phone of their own only"`
}

// AutoAnswer makes the client answer by itself.
type AutoAnswer struct {
	DelaySeconds int `json:"delaySeconds" doc:"Seconds of ringing before"`
}

// RemoteControl is the phonebar's own web API, for click to dial.
type RemoteControl struct {
	Port int `json:"port" example:"9888"`
}

// HotDesk lets an agent sit at telephones.
type HotDesk struct {
	// TelephoneSelector is a Kubernetes label selector in its text form; empty selects every telephone of the center.
	TelephoneSelector string `json:"telephoneSelector,omitempty" example:"floor in (1,2)" doc:"Label selector of the telephones; empty: all"`
}

func parseProfile(raw []byte) (ClientProfile, error) {
	var p ClientProfile
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("stored client profile: %w", err)
	}
	return p, nil
}

// mayRecord: the agent records by hand, or pauses what is recorded anyway.
func (p ClientProfile) mayRecord() bool {
	return p.ManualRecording == SettingAllowed || p.Recording != "" && p.Recording != RecordingInactive
}

func (p ClientProfile) mayForward() bool { return p.CallForwarding == SettingAllowed }

// mayChangePresence: the web client of a phonebar's agent only mirrors what the phonebar does, unless the center allows both.
func (p ClientProfile) mayChangePresence(client store.Client) bool {
	return client != store.ClientWeb || p.Typology != TypologyPhonebar || p.PhonebarControl == PhonebarControlAny
}

// MaySitAt needs hot desk and a telephone whose labels the selector matches. It holds when the seat is taken; whoever changes the settings or
// the labels releases the seats that are no longer allowed.
func (p ClientProfile) MaySitAt(t store.Telephone) (bool, error) {
	if p.HotDesk == nil {
		return false, nil
	}
	selector, err := labels.Parse(p.HotDesk.TelephoneSelector)
	if err != nil {
		return false, fmt.Errorf("stored telephone selector: %w", err)
	}
	return selector.Matches(labels.Set(t.Labels)), nil
}

// served is the profile as its agent's client gets it.
func (p ClientProfile) served(a store.Agent) ClientProfile {
	p.ScreenRecordingPath = strings.NewReplacer("{agentID}", fileName(a.Name), "{agentName}", fileName(a.DisplayName)).Replace(p.ScreenRecordingPath)
	return p
}

// fileName makes a name fit for one part of a path on any system: no separators, no characters that Windows reserves
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file), no braces that look like another token, no dots at the ends.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"/\|?*{}`, r) {
			return '_'
		}
		return r
	}, name)
	return strings.Trim(name, " .")
}
