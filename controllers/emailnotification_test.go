package controllers

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestAccountNotification(t *testing.T) {
	for _, test := range []struct {
		sound, shake  v1alpha1.SwitchState
		silent, still bool
	}{
		{v1alpha1.Enabled, v1alpha1.Enabled, false, false},
		{v1alpha1.Disabled, v1alpha1.Enabled, true, false},
		{v1alpha1.Enabled, v1alpha1.Disabled, false, true},
	} {
		e := opsAccount()
		e.Spec.Notification = v1alpha1.EmailNotification{Sound: test.sound, Shake: test.shake}
		if d := accountDesk(e); d.Silent != test.silent || d.Still != test.still {
			t.Errorf("sound %s, shake %s: %+v", test.sound, test.shake, d)
		}
	}
	e := opsAccount()
	e.Spec.Notification.Template = "{{ sender }}"
	if d := accountDesk(e); d.Notification != "{{ sender }}" {
		t.Errorf("template: %+v", d)
	}
}
