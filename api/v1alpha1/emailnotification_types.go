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
	// template of the text that the event has for clients to show: plain text with {{ path.to.value }} variables, at most 4 KiB (4096 characters).
	// Variables: account.address, account.key, account.name (the source), customer.address, customer.name, sender (the customer's name, or the address where
	// there is none), interaction.id, mail.subject, queue.name. Others are empty, with a warning. Agents whose sensitiveData is Masked get the customer
	// masked. Default: {{ account.name }}: {{ mail.subject }} ({{ sender }}).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Template string `json:"template,omitempty"`
}
