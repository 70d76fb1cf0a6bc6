package admission

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestLegacyRoutingWarning(t *testing.T) {
	for model, want := range map[v1alpha1.EmailRoutingModel][]string{
		v1alpha1.RoutingAssigned: nil,
		v1alpha1.RoutingLegacy:   {"Deprecated: spec.routing.legacy.assignedQueueWait; model Assigned has timeoutAction ReturnToLastQueue"},
	} {
		account := &v1alpha1.EmailAccount{}
		account.Spec.Routing.Model = model
		warnings, err := Checker{}.EmailAccountWarnings(t.Context(), account)
		checkWarnings(t, warnings, err, want)
	}
}
