package v1alpha1

// MaxAvatar is the largest avatar in bytes.
const MaxAvatar = 8 << 20

// AgentAvatar is where an agent's picture is: PNG or JPEG by its first bytes, at most 8 MiB and 16 million pixels (half of that with 16 bits a color). It is
// written anew, at most 512 pixels wide and high and the way up that a camera noted (Exif), so that nothing but the picture is left, above all not where a photo
// was taken.
// +kubebuilder:validation:XValidation:rule="has(self.configMapKeyRef) != has(self.url)",message="exactly one of configMapKeyRef and url is required"
type AgentAvatar struct {
	// configMapKeyRef is where the picture is; at most 1 MiB, as a ConfigMap.
	// +optional
	ConfigMapKeyRef *ConfigMapKeyReference `json:"configMapKeyRef,omitempty"`
	// url (http or https) that the picture is fetched from once, by the manager: from its network, but not from the machine it runs on nor from link-local
	// addresses. Another picture at the same address is not noticed: change the address, for example by ?v=2.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[!-~]+$`
	URL string `json:"url,omitempty"`
}
