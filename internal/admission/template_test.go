package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func messageTemplate(name string, minutes int, spec v1alpha1.MessageTemplateSpec) *v1alpha1.MessageTemplate {
	if spec.Key == "" {
		spec.Key = name
	}
	return &v1alpha1.MessageTemplate{ObjectMeta: meta(name, minutes), Spec: spec}
}

func TestMessageTemplateRules(t *testing.T) {
	for name, test := range map[string]struct {
		others    []client.Object
		template  *v1alpha1.MessageTemplate
		problems  []string
		warnings  []string
		variables []string
	}{
		"good": {
			template: messageTemplate("a", -1, v1alpha1.MessageTemplateSpec{Type: "Invitation", Subject: "Hello {{ user.name }}",
				Body: v1alpha1.MessageBody{Text: "{{ link.url }} {{ user.name }}", HTML: "<a href=\"{{ link.url }}\">here</a>"}}),
			variables: []string{"link.url", "user.name"},
		},
		"key taken": {
			others:   []client.Object{messageTemplate("b", 5, v1alpha1.MessageTemplateSpec{Key: "k"})},
			template: messageTemplate("a", -1, v1alpha1.MessageTemplateSpec{Key: "k", Type: "Layout"}),
			problems: []string{"KeyTaken spec.key: Duplicate value: key k belongs to MessageTemplate b"},
		},
		"the same key in another case": {
			others:   []client.Object{messageTemplate("b", 5, v1alpha1.MessageTemplateSpec{Key: "K"})},
			template: messageTemplate("a", -1, v1alpha1.MessageTemplateSpec{Key: "k", Type: "Layout"}),
		},
		"every text is parsed": {
			template: messageTemplate("a", -1, v1alpha1.MessageTemplateSpec{Type: "AutoReply", Subject: "{{ x", Body: v1alpha1.MessageBody{Text: "\n{{}}", HTML: "{{ f() }}"}}),
			problems: []string{
				"Invalid spec.subject: Invalid value: line 1, column 1: {{ without }}",
				"Invalid spec.body.text: Invalid value: line 2, column 3: the name of a variable is missing",
				"Invalid spec.body.html: Invalid value: line 1, column 5: '(' cannot be in the name of a variable: letters, digits, _, - and dots between the parts",
			},
		},
		"variables of another type": {
			template:  messageTemplate("a", -1, v1alpha1.MessageTemplateSpec{Type: "AutoReply", Subject: "{{ mail.subject }} {{ user.name }}", Body: v1alpha1.MessageBody{Text: "{{ customer.name }}{{ link.url }}{{ nobody }}"}}),
			variables: []string{"customer.name", "link.url", "mail.subject", "nobody", "user.name"},
			warnings: []string{
				"spec.subject: no value in a message of type AutoReply, so empty: user.name",
				"spec.body.text: no value in a message of type AutoReply, so empty: link.url, nobody",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Checker{Reader: reader(t, test.others...)}
			problems, err := c.MessageTemplate(t.Context(), test.template)
			checkProblems(t, problems, err, test.problems)
			warnings, err := c.MessageTemplateWarnings(t.Context(), test.template)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if variables, _ := TemplateVariables(test.template); !cmp.Equal(test.variables, variables) {
				t.Errorf("variables %v, want %v", variables, test.variables)
			}
		})
	}
}
