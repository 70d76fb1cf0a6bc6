// Package admission holds the rules that need more than one object: unique names and numbers, and what a Secret must
// contain for those that refer to it. What one object can decide is a rule of its CustomResourceDefinition.
//
// Every rule is a plain function of Checker that is asked twice: by the validating webhooks of this package, and again
// in each reconcile, because a webhook that is down does not stop anybody (failurePolicy Ignore) and two requests at the
// same moment cannot see each other.
package admission

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Problem is one rule that an object breaks. No part of it repeats a value out of a Secret.
type Problem struct {
	// Field that has to change.
	Field *field.Path
	// Type is how the API names this kind of fault.
	Type field.ErrorType
	// Reason is the reason constant of api/v1alpha1 that a condition gives.
	Reason string
	// Message says what is wrong, without the field.
	Message string
}

// String is what people read: the field, the kind of fault and the message.
func (p Problem) String() string { return p.fieldError().Error() }

func (p Problem) fieldError() *field.Error {
	return &field.Error{Type: p.Type, Field: p.Field.String(), BadValue: field.OmitValueType{}, Detail: p.Message}
}

// Waiting tells a problem that ends by itself when a Secret or another object appears or changes. Objects may be applied
// before those they refer to, so it is no ground to refuse one.
func (p Problem) Waiting() bool {
	switch p.Reason {
	case v1alpha1.ReasonSecretNotFound, v1alpha1.ReasonSecretNotLabelled, v1alpha1.ReasonSecretKeyMissing, v1alpha1.ReasonReferenceMissing:
		return true
	}
	return false
}
