package v1alpha1

// SensitiveData says whether an agent sees who the customers are.
// +kubebuilder:validation:Enum=Visible;Masked
type SensitiveData string

// Values of SensitiveData.
const (
	SensitiveVisible SensitiveData = "Visible"
	SensitiveMasked  SensitiveData = "Masked"
)

// MaskingSpec says how the data of customers is hidden from agents whose sensitiveData is Masked.
type MaskingSpec struct {
	// characters hidden at the end of a telephone number, of the part of an e-mail address before the @, and of each word of a name; what is shorter is hidden
	// whole. 32 hides nearly all of them. Default 4.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	Characters int32 `json:"characters,omitempty"`
}
