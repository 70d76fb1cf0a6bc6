package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SecretKeyReference names one key of a Secret in the same namespace. The Secret carries the label
// ringmaster.dev/credential; without it Ringmaster does not read the Secret and says so.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key"`
}

// ObjectReference names an object of a known kind in the same namespace.
type ObjectReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// CommonStatus is part of every status.
type CommonStatus struct {
	// observedGeneration is the generation of the spec this status is about; -1 before the first pass.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// lastHandledReconcileAt echoes the annotation ringmaster.dev/reconcile-at.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
	// conditions say what is true of the object now; each kind documents its types.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SwitchState turns a feature on or off.
// +kubebuilder:validation:Enum=Enabled;Disabled
type SwitchState string

// Values of SwitchState.
const (
	Enabled  SwitchState = "Enabled"
	Disabled SwitchState = "Disabled"
)

// ActiveState says whether an object takes part.
// +kubebuilder:validation:Enum=Active;Inactive
type ActiveState string

// Values of ActiveState.
const (
	Active   ActiveState = "Active"
	Inactive ActiveState = "Inactive"
)
