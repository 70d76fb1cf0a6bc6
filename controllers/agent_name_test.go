package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
)

// An agent that is older than the rule for names is not Ready, says why, and is again as soon as the rule or the name is another.
func TestNameAccepted(t *testing.T) {
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	center := &v1alpha1.ContactCenter{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "center"}}
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice"}}
	for _, step := range []struct {
		rule   v1alpha1.NameCharacters
		called string
		reason string // of the condition, "" none
		ready  metav1.ConditionStatus
	}{
		{v1alpha1.NameCharactersAny, "O'Brien", "", metav1.ConditionTrue},
		{v1alpha1.NameCharactersRestricted, "O'Brien", v1alpha1.ReasonNameCharacters, metav1.ConditionFalse},
		{v1alpha1.NameCharactersRestricted, "O-Brien", v1alpha1.ReasonSucceeded, metav1.ConditionTrue},
		{v1alpha1.NameCharactersAny, "O'Brien", "", metav1.ConditionTrue},
	} {
		center.Spec.Validation.NameCharacters, agent.Spec.FullName = step.rule, step.called
		k := &agentKind{checker: admission.Checker{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(center.DeepCopy()).Build(), Rivals: admission.OlderHolder}}
		s := newScope(agent.Status.Conditions, 1)
		must(t, k.showName(t.Context(), agent, center, s))
		s.summarize(agent.CommonStatus())
		got := ""
		if c := meta.FindStatusCondition(agent.Status.Conditions, v1alpha1.ConditionNameAccepted); c != nil {
			got = c.Reason
		}
		if r := ready(agent.CommonStatus()); got != step.reason || r == nil || r.Status != step.ready {
			t.Errorf("%s with %s: reason %q, Ready %+v", step.called, step.rule, got, r)
		}
	}
}
