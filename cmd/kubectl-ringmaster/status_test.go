package main

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// A kind that status does not look at would never be missed.
func TestStatusKnowsEveryKind(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	types := scheme.KnownTypes(v1alpha1.GroupVersion)
	found := 0
	for name := range types {
		of, isList := strings.CutSuffix(name, "List")
		if _, known := types[of]; !isList || !known {
			continue
		}
		if found++; !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == of }) {
			t.Errorf("status does not look at %s", of)
		}
	}
	if found < 13 {
		t.Errorf("only %d kinds found", found)
	}
}
