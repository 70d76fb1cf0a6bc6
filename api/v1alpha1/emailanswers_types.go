package v1alpha1

// EmailAnswers are how conversations of an account are answered and closed.
type EmailAnswers struct {
	// disposition of conversations when they are closed.
	// +optional
	// +kubebuilder:default={mode: Optional, pauseWhileDisposing: Disabled}
	Disposition EmailDisposition `json:"disposition,omitempty"`

	// dispositionSetRefs are DispositionSets, of any scope, that interactions of this account have besides those whose scope covers them. One that does
	// not exist yet counts when it does.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	DispositionSetRefs []ObjectReference `json:"dispositionSetRefs,omitempty"`

	// cannedAnswerSetRefs are CannedAnswerSets, of any scope, that interactions of this account have besides those whose scope covers them. One that does
	// not exist yet counts when it does.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	CannedAnswerSetRefs []ObjectReference `json:"cannedAnswerSetRefs,omitempty"`

	// template is what answers look like as HTML. Forwarded messages and automatic answers do not have it. Default: answers are plain text.
	// +optional
	Template *EmailTemplate `json:"template,omitempty"`
}

// DispositionMode says whether a conversation must be classified.
// +kubebuilder:validation:Enum=Optional;Mandatory
type DispositionMode string

// Values of DispositionMode.
const (
	DispositionOptional  DispositionMode = "Optional"
	DispositionMandatory DispositionMode = "Mandatory"
)

// EmailDisposition is how conversations of an account are classified.
// +kubebuilder:validation:XValidation:rule="self.pauseWhileDisposing == 'Disabled' || self.mode == 'Mandatory'",message="pauseWhileDisposing needs mode Mandatory"
type EmailDisposition struct {
	// mode Mandatory makes agents choose a disposition before they can close a conversation. Default Optional.
	// +optional
	// +kubebuilder:default=Optional
	Mode DispositionMode `json:"mode,omitempty"`
	// pauseWhileDisposing Enabled pauses an agent (reason Disposition), for queue calls too, from the moment they begin to dispose, or try to close without
	// a disposition, until every conversation begun so is closed or has left them, or they sign out. A pause of their own stays. Only with
	// mode Mandatory. Default Disabled.
	// +optional
	// +kubebuilder:default=Disabled
	PauseWhileDisposing SwitchState `json:"pauseWhileDisposing,omitempty"`
}
