package cel

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// constraint is one rule of a schema: a cause of a refusal that names field and matches message shows that it works.
type constraint struct {
	field   string
	message *regexp.Regexp
	rule    string
}

// schemaOf returns the schema as the API server has it.
func schemaOf(t *testing.T, c client.Client, kind string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	var list apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for _, crd := range list.Items {
		if crd.Spec.Names.Kind == kind {
			return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		}
	}
	t.Fatalf("no CustomResourceDefinition of kind %s", kind)
	return nil
}

// checkCoverage demands that the tables break every rule of the schema once and set every field with a rule once in a
// manifest that is accepted.
func (s *suite) checkCoverage(t *testing.T, schema *apiextensionsv1.JSONSchemaProps) {
	set := map[string]bool{}
	for _, manifest := range s.accepted {
		paths(manifest, "", set)
	}
	for _, c := range constraints(schema, "") {
		if !set[strings.TrimSuffix(c.field, "[]")] && c.field != rootField {
			t.Errorf("%s: no accepted manifest sets it", c.field)
		}
		broken := false
		for _, cause := range s.refused {
			broken = broken || withoutIndexes(cause.Field) == c.field && c.message.MatchString(cause.Message)
		}
		if !broken {
			t.Errorf("%s: no refused manifest breaks %s", c.field, c.rule)
		}
	}
}

var (
	index = regexp.MustCompile(`\[[^\]]*\]`)
	// rootField is how the API server names the object itself.
	rootField = "<nil>"
)

func withoutIndexes(field string) string { return index.ReplaceAllString(field, "[]") }

// constraints of a schema and of what is below it. The status is not what people write.
func constraints(s *apiextensionsv1.JSONSchemaProps, path string) []constraint {
	field := path
	if field == "" {
		field = rootField
	}
	var out []constraint
	add := func(field, message, rule string) {
		out = append(out, constraint{field, regexp.MustCompile(message), rule})
	}
	number := func(limit *int64, message, rule string) {
		if limit != nil {
			add(field, message, fmt.Sprintf("%s %d", rule, *limit))
		}
	}
	number(s.MinLength, "at least|Required value", "minLength")
	number(s.MaxLength, "^Too long", "maxLength")
	number(s.MinItems, "at least", "minItems")
	number(s.MaxItems, "^Too many", "maxItems")
	if s.Minimum != nil {
		add(field, "greater than or equal to", fmt.Sprintf("minimum %v", *s.Minimum))
	}
	if s.Maximum != nil {
		add(field, "less than or equal to", fmt.Sprintf("maximum %v", *s.Maximum))
	}
	if s.Pattern != "" {
		add(field, "should match", "pattern "+s.Pattern)
	}
	if len(s.Enum) > 0 {
		add(field, "^Unsupported value", "enum")
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		add(field+"[]", "^Duplicate value", "list type "+*s.XListType)
	}
	for _, required := range s.Required {
		add(strings.TrimPrefix(path+"."+required, "."), "^Required value", "required")
	}
	for _, rule := range s.XValidations {
		add(field, regexp.QuoteMeta(rule.Message), rule.Rule)
	}
	for name, property := range s.Properties {
		if path == "" && name != "spec" {
			continue
		}
		out = append(out, constraints(&property, strings.TrimPrefix(path+"."+name, "."))...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		out = append(out, constraints(s.Items.Schema, path+"[]")...)
	}
	return out
}

// A CustomResourceDefinition has to fit into what `kubectl apply` records of it, and into review.
func TestDefinitionsAreSmall(t *testing.T) {
	c := newClient(t)
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no CustomResourceDefinitions", err)
	}
	var list apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, crd := range list.Items {
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.NonStructuralSchema && condition.Status == apiextensionsv1.ConditionTrue {
				t.Errorf("%s: %s", crd.Name, condition.Message)
			}
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				accepted++
			}
		}
		if size := crd.Size(); size > 200<<10 {
			t.Errorf("%s has %d bytes", crd.Name, size)
		}
	}
	if accepted != len(files) {
		t.Errorf("%d of %d CustomResourceDefinitions are established", accepted, len(files))
	}
}
