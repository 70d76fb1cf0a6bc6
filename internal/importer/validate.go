package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/config/crd"
)

// Budgets of CEL rules: those of the API server (k8s.io/apiserver/pkg/apis/cel).
const (
	celPerCall = 1_000_000
	celTotal   = 10_000_000
)

// validator judges objects as the API server does, by the CustomResourceDefinitions.
type validator struct {
	kinds map[string]*kindValidator
}

type kindValidator struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// definitions are compiled once.
var definitions = sync.OnceValues(newValidator)

// newValidator reads the definitions that this program was built with.
func newValidator() (*validator, error) {
	v := &validator{kinds: map[string]*kindValidator{}}
	names, err := fs.Glob(crd.Bases, "bases/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := crd.Bases.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &definition); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if k := definition.Spec.Names.Kind; k == "Agent" || k == "Queue" {
			if v.kinds[k], err = newKindValidator(definition.Spec.Versions[0].Schema.OpenAPIV3Schema); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return v, nil
}

func newKindValidator(props *apiextensionsv1.JSONSchemaProps) (*kindValidator, error) {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, &internal, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		return nil, err
	}
	s, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return nil, err
	}
	return &kindValidator{structural: structural, schema: s, rules: cel.NewValidator(structural, true, celPerCall)}, nil
}

// errors of an object, as the API server would answer its creation.
func (k *kindValidator) errors(ctx context.Context, object map[string]any) field.ErrorList {
	object = runtime.DeepCopyJSON(object)
	defaulting.Default(object, k.structural)
	errs := validation.ValidateCustomResource(nil, object, k.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if len(errs) == 0 {
		// The rules are about objects of the right shape.
		errs, _ = k.rules.Validate(ctx, nil, k.structural, object, nil, celTotal)
	}
	return errs
}

// valid takes the fields that are not legal out of an object and reports them with the line they come from. It is false if the
// object is not legal even so, which is reported too.
func valid[T any](ctx context.Context, v *validator, kind string, d *draft[T], report *Report) (bool, error) {
	object, err := toMap(d.object)
	if err != nil {
		return false, err
	}
	for {
		errs := v.kinds[kind].errors(ctx, object)
		if len(errs) == 0 {
			break
		}
		path, ok := d.source(errs[0].Field)
		if !ok {
			report.add(Item{Position: d.position, Section: d.section, Effect: Dropped, Why: "the " + kind + " would not be legal: " + explain(errs[0])})
			return false, nil
		}
		setting := d.fields[path]
		report.add(Item{Position: setting.Position, Section: d.section, Option: setting.Name, Value: setting.Value, Effect: Dropped, Why: explain(errs[0])})
		delete(d.fields, path)
		remove(object, strings.Split(path, "."))
	}
	data, err := json.Marshal(object)
	if err != nil {
		return false, err
	}
	var fresh T
	if err := json.Unmarshal(data, &fresh); err != nil {
		return false, err
	}
	d.object = fresh
	return true, nil
}

// source finds the field that an error is about, that contains it, or that is part of it, among those that come from a line.
func (d *draft[T]) source(path string) (string, bool) {
	if at := strings.IndexByte(path, '['); at >= 0 {
		path = path[:at]
	}
	for outer := path; outer != ""; outer = outer[:max(strings.LastIndexByte(outer, '.'), 0)] {
		if _, ok := d.fields[outer]; ok {
			return outer, true
		}
	}
	// A rule about several fields names what contains them; those of an account as a whole are about these two.
	inner := func(field string) bool { return strings.HasPrefix(field, path+".") }
	switch path {
	case "", "spec":
		return "", false
	case "spec.sip":
		inner = func(field string) bool {
			return field == "spec.sip.role" || strings.HasPrefix(field, "spec.sip.registration")
		}
	}
	for _, field := range slices.Sorted(maps.Keys(d.fields)) {
		if inner(field) {
			return field, true
		}
	}
	return "", false
}

// explain is an error without the value, which may be long.
func explain(err *field.Error) string {
	text := err.Detail
	if text == "" {
		text = strings.ToLower(string(err.Type))
	}
	return err.Field + ": " + strings.TrimPrefix(text, err.Field+" in body ")
}

func toMap(object any) (map[string]any, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, err
	}
	return tidy(out), nil
}

// tidy takes away what says nothing: the status, empty objects and nulls. An empty selector says something.
func tidy(object map[string]any) map[string]any {
	delete(object, "status")
	var clean func(m map[string]any)
	clean = func(m map[string]any) {
		for key, value := range m {
			child, isMap := value.(map[string]any)
			if isMap {
				clean(child)
			}
			selector := strings.HasSuffix(strings.ToLower(key), "selector")
			if value == nil || isMap && len(child) == 0 && !selector {
				delete(m, key)
			}
		}
	}
	clean(object)
	normalise(object)
	return object
}

// normalise gives whole numbers the type that schema and rules expect.
func normalise(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = normalise(item)
		}
	case []any:
		for i, item := range v {
			v[i] = normalise(item)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

// remove takes a field away.
func remove(object map[string]any, path []string) {
	for _, step := range path[:len(path)-1] {
		next, ok := object[step].(map[string]any)
		if !ok {
			return
		}
		object = next
	}
	delete(object, path[len(path)-1])
}
