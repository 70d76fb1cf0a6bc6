package controllers

import (
	"errors"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestObjectionsNameTheFieldOfTheObject(t *testing.T) {
	for _, tc := range []struct {
		object, field, want string
	}{
		{"Agent/a", "DisplayName", "Agent/a: spec.fullName is bad"},
		{"Telephone/t", "DisplayName", "Telephone/t: spec.displayName is bad"},
		{"Queue/general", "Name", "Queue/general: metadata.name is bad"},
		{"Agent/a", "Transport", "Agent/a: Transport is bad"},
	} {
		other := errors.New("other")
		err := inSpec([]error{&voice.FieldError{Object: tc.object, Field: tc.field, Reason: "is bad"}, other})
		if err.Error() != tc.want+"\nother" || !errors.Is(err, other) {
			t.Errorf("got %q, want %q", err, tc.want)
		}
	}
}
