package v1alpha1

// LockoutSpec locks the accounts of agents at whose sign-in wrong passwords were given.
type LockoutSpec struct {
	// maxAttempts is how many wrong passwords in a row, at sign-in or at a change of the password, lock the account; 0 never locks. A locked account
	// cannot sign in until an administrator unlocks it (annotation ringmaster.dev/unlock of the Agent); its running sessions and its phone go on. A
	// phone's wrong passwords do not count yet. Default 5.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	MaxAttempts *int32 `json:"maxAttempts,omitempty"`
}

// LockState of an agent's account.
// +kubebuilder:validation:Enum=Locked;Unlocked
type LockState string

// Values of LockState.
const (
	Locked   LockState = "Locked"
	Unlocked LockState = "Unlocked"
)
