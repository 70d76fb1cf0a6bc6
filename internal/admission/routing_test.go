package admission

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestNotificationTemplate(t *testing.T) {
	for text, test := range map[string]struct {
		fault    bool
		warnings []string
	}{
		"": {},
		"{{ account.key }} {{ sender }} {{ queue.name }} {{ mail.subject }}": {},
		"{{ sender }} {{ agent.name }} {{ content }}": {warnings: []string{
			"spec.notification.template: no value in a notification, so empty: agent.name, content"}},
		"from {{ sender": {fault: true},
	} {
		a := account("info", 1, "INFO", "info@example.com")
		a.Spec.Notification.Template = text
		problems, err := Checker{Reader: reader(t)}.EmailAccount(t.Context(), a)
		if err != nil || (len(problems) == 1) != test.fault || test.fault && problems[0].Field.String() != "spec.notification.template" {
			t.Errorf("%q: %v %v", text, problems, err)
		}
		warnings, err := Checker{}.EmailAccountWarnings(t.Context(), a)
		checkWarnings(t, warnings, err, test.warnings)
	}
}

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

func TestInactivityInWholeMinutes(t *testing.T) {
	for d, want := range map[time.Duration][]string{
		90 * time.Minute: nil,
		90 * time.Second: {"spec.routing.inactivityTimeout: 1m30s is not in whole minutes, which other tools show it in"},
	} {
		account := &v1alpha1.EmailAccount{}
		account.Spec.Routing.InactivityTimeout = &metav1.Duration{Duration: d}
		warnings, err := Checker{}.EmailAccountWarnings(t.Context(), account)
		checkWarnings(t, warnings, err, want)
	}
}
