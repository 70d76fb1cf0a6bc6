package v1alpha1

// EmailNotification is how agents' clients draw attention to an offer of this account. The event interaction.offered of the desk API tells them.
type EmailNotification struct {
	// sound Enabled asks clients to play a sound. Default Enabled.
	// +optional
	// +kubebuilder:default=Enabled
	Sound SwitchState `json:"sound,omitempty"`
	// shake Enabled asks clients to move what they show. Default Enabled.
	// +optional
	// +kubebuilder:default=Enabled
	Shake SwitchState `json:"shake,omitempty"`
}
