package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// MessageTemplate checks that the key of a template is its own and that its texts are templates.
func (c Checker) MessageTemplate(ctx context.Context, m *v1alpha1.MessageTemplate) ([]Problem, error) {
	var list v1alpha1.MessageTemplateList
	if err := c.Reader.List(ctx, &list, client.InNamespace(m.Namespace), client.MatchingFields{IndexKey: m.Spec.Key}); err != nil {
		return nil, fmt.Errorf("list MessageTemplates by key: %w", err)
	}
	others := make([]claim, 0, len(list.Items))
	for i := range list.Items {
		others = append(others, claimOf(kindTemplate, &list.Items[i]))
	}
	problems := c.unique(claimOf(kindTemplate, m), others, specPath.Child("key"), v1alpha1.ReasonKeyTaken, "key "+m.Spec.Key)
	for _, text := range templateTexts(m) {
		if _, err := template.Parse(text.text); err != nil {
			problems = append(problems, Problem{text.path, field.ErrorTypeInvalid, v1alpha1.ReasonInvalid, err.Error()})
		}
	}
	return problems, nil
}

// MessageTemplateWarnings name the variables that will always be empty.
func (c Checker) MessageTemplateWarnings(_ context.Context, m *v1alpha1.MessageTemplate) ([]string, error) {
	var warnings []string
	for _, text := range templateTexts(m) {
		messageType := string(m.Spec.Type)
		warnings = append(warnings, emptyVariables(text.path, text.text, messageType, "a message of type "+messageType)...)
	}
	return warnings, nil
}

// emptyVariables names the variables of a text that have no value in a message of a type. A text that is no template is refused.
func emptyVariables(path *field.Path, text, messageType, where string) []string {
	t, err := template.Parse(text)
	if err != nil {
		return nil
	}
	unknown := t.Unknown(messageType)
	if len(unknown) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: no value in %s, so empty: %s", path, where, strings.Join(unknown[:min(len(unknown), 10)], ", "))}
}

// TemplateVariables are the variables that the texts of a template use, sorted, and those of them that have no value in a
// message of its type. Texts that are no templates have none.
func TemplateVariables(m *v1alpha1.MessageTemplate) (variables, unknown []string) {
	for _, text := range templateTexts(m) {
		if t, err := template.Parse(text.text); err == nil {
			variables, unknown = append(variables, t.Variables()...), append(unknown, t.Unknown(string(m.Spec.Type))...)
		}
	}
	slices.Sort(variables)
	slices.Sort(unknown)
	return slices.Compact(variables), slices.Compact(unknown)
}

type templateText struct {
	path *field.Path
	text string
}

func templateTexts(m *v1alpha1.MessageTemplate) []templateText {
	body := specPath.Child("body")
	return []templateText{{specPath.Child("subject"), m.Spec.Subject}, {body.Child("text"), m.Spec.Body.Text}, {body.Child("html"), m.Spec.Body.HTML}}
}
