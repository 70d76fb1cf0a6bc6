package controllers

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
)

// templateKind says whether a MessageTemplate can be used. It has no effect of its own: those who send messages read it.
type templateKind struct{ checker admission.Checker }

func (k *templateKind) NeedsFinalizer() bool { return false }

func (k *templateKind) Finalize(context.Context, *v1alpha1.MessageTemplate) (bool, error) {
	return true, nil
}

func (k *templateKind) Reconcile(ctx context.Context, m *v1alpha1.MessageTemplate, s *scope) error {
	problems, err := k.checker.MessageTemplate(ctx, m)
	if err != nil {
		return fmt.Errorf("checking the template: %w", err)
	}
	variables, unknown := admission.TemplateVariables(m)
	m.Status.Variables = variables[:min(len(variables), maxVariables)]
	if len(unknown) > 0 {
		s.note(v1alpha1.ConditionVariablesKnown, metav1.ConditionFalse, v1alpha1.ReasonUnknownVariables,
			fmt.Sprintf("no value in a message of type %s, so empty: %s", m.Spec.Type, strings.Join(unknown[:min(len(unknown), maxVariables)], ", ")))
	} else {
		s.ok(v1alpha1.ConditionVariablesKnown, v1alpha1.ReasonSucceeded, "every variable has a value")
	}
	if stallOn(s, problems, v1alpha1.ConditionReady) {
		return nil
	}
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d variables", len(variables)))
	return nil
}

// maxVariables is how many variables a status lists.
const maxVariables = 100

func (w *wiring) addTemplates() error {
	return w.build("messagetemplate").For(&v1alpha1.MessageTemplate{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.MessageTemplate{}, handler.EnqueueRequestsFromMapFunc(w.templateRivals), builder.WithPredicates(gone)).
		Complete(newLoop[v1alpha1.MessageTemplate](w, &templateKind{checker: w.checker}))
}

// templateRivals maps a template to the stalled ones that want its key.
func (w *wiring) templateRivals(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.MessageTemplateList
	key := o.(*v1alpha1.MessageTemplate).Spec.Key
	if err := w.c.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingFields{admission.IndexKey: key}); err != nil {
		return nil
	}
	return stalledOnes(list.Items, o)
}
