// Package cel applies tables of good and bad manifests to a real API server with the CustomResourceDefinitions of this
// checkout, and the rules between objects through the real webhooks.
package cel

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/go-logr/logr"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const crds = "../../config/crd/bases"

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// newClient returns a client of the API server, which knows the CustomResourceDefinitions and rejects unknown fields as
// kubectl has it do.
func newClient(t *testing.T) client.Client {
	t.Helper()
	cp := env.Control(t)
	if _, err := envtest.InstallCRDs(cp.Config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(cp.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

func newNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cel-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// table is a file of testdata. Values may say {{repeat 80 "x"}}.
type table struct {
	// Object is a good manifest, which every case changes.
	Object map[string]any `json:"object"`
	// Fields are the rules of one field.
	Fields []fieldCases `json:"fields"`
	// Objects are the rules about several fields.
	Objects []objectCase `json:"objects"`
	// Changes are the rules about an update.
	Changes []changeCase `json:"changes"`
}

type fieldCases struct {
	// At is the path of the field, as in spec.members[0].penalty.
	At string `json:"at"`
	// Like names cases of fragments.yaml, whose paths are below At.
	Like string `json:"like"`
	// With is a merge patch that the cases need.
	With map[string]any `json:"with"`
	Good []any          `json:"good"`
	Bad  []badValue     `json:"bad"`
}

type badValue struct {
	Value any `json:"value"`
	// Absent takes the field away instead of setting it.
	Absent bool `json:"absent"`
	// Says is part of the message.
	Says string `json:"says"`
	// Field the error names, when it is not that of the case.
	Field string `json:"field"`
}

type objectCase struct {
	Name  string         `json:"name"`
	Patch map[string]any `json:"patch"`
	// Says and Field of the error; a case without them is accepted.
	Says  string `json:"says"`
	Field string `json:"field"`
}

type changeCase struct {
	Name  string         `json:"name"`
	From  map[string]any `json:"from"`
	To    map[string]any `json:"to"`
	Says  string         `json:"says"`
	Field string         `json:"field"`
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := template.New(filepath.Base(file)).
		Funcs(template.FuncMap{"repeat": func(n int, s string) string { return strings.Repeat(s, n) }, "list": list}).ParseFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := text.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(out.Bytes(), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// list is a YAML list of n items, each with its number in place of #.
func list(n int, item string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "#", strconv.Itoa(i))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// suite runs the tables of one kind and remembers what was refused and accepted.
type suite struct {
	client.Client
	namespace string
	base      map[string]any
	refused   []metav1.StatusCause
	accepted  []map[string]any
}

func TestManifests(t *testing.T) {
	c := newClient(t)
	var fragments map[string][]fieldCases
	load(t, "testdata/fragments.yaml", &fragments)
	for _, kind := range []string{"agent", "agentprofile", "cannedanswerset", "contactcenter", "dispositionset", "emailaccount", "messagetemplate", "pbx", "queue", "routingflow", "schedule", "team", "telephone"} {
		t.Run(kind, func(t *testing.T) {
			var cases table
			load(t, filepath.Join("testdata", kind+".yaml"), &cases)
			s := &suite{Client: c, namespace: newNamespace(t, c), base: cases.Object}
			t.Run("base", func(t *testing.T) { s.check(t, cases.Object, "", "") })
			for _, f := range cases.Fields {
				s.field(t, f, fragments)
			}
			for _, o := range cases.Objects {
				t.Run(o.Name, func(t *testing.T) { s.check(t, patched(t, s.base, o.Patch), o.Field, o.Says) })
			}
			for i, change := range cases.Changes {
				t.Run(change.Name, func(t *testing.T) { s.change(t, i, change) })
			}
			if !t.Failed() {
				s.checkCoverage(t, schemaOf(t, c, cases.Object["kind"].(string)))
			}
		})
	}
}

func (s *suite) field(t *testing.T, f fieldCases, fragments map[string][]fieldCases) {
	base := patched(t, s.base, f.With)
	if f.Like != "" {
		if len(fragments[f.Like]) == 0 {
			t.Fatalf("no fragment %q", f.Like)
		}
		for _, part := range fragments[f.Like] {
			switch {
			case part.At == ".":
				part.At = f.At
			case strings.HasPrefix(part.At, "["):
				part.At = f.At + part.At
			default:
				part.At = f.At + "." + part.At
			}
			if part.With == nil {
				part.With = f.With
			}
			s.field(t, part, fragments)
		}
		return
	}
	for i, value := range f.Good {
		t.Run(fmt.Sprintf("%s good %d", f.At, i), func(t *testing.T) { s.check(t, with(t, base, f.At, value, false), "", "") })
	}
	for i, bad := range f.Bad {
		t.Run(fmt.Sprintf("%s bad %d", f.At, i), func(t *testing.T) {
			field := f.At
			if bad.Field != "" {
				field = bad.Field
			}
			s.check(t, with(t, base, f.At, bad.Value, bad.Absent), field, bad.Says)
		})
	}
}

// check applies a manifest without storing it.
func (s *suite) check(t *testing.T, manifest map[string]any, field, says string) {
	t.Helper()
	object := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(manifest)}
	object.SetNamespace(s.namespace)
	s.verdict(t, s.Create(t.Context(), object, client.DryRunAll), manifest, field, says)
}

func (s *suite) change(t *testing.T, number int, change changeCase) {
	object := &unstructured.Unstructured{Object: patched(t, s.base, change.From)}
	object.SetNamespace(s.namespace)
	object.SetName(fmt.Sprintf("change%d", number))
	if err := s.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	object.Object = patched(t, object.Object, change.To)
	s.verdict(t, s.Update(t.Context(), object), object.Object, change.Field, change.Says)
}

// verdict compares an answer of the API server with the expected one: a refusal names the field and the rule.
func (s *suite) verdict(t *testing.T, err error, manifest map[string]any, field, says string) {
	t.Helper()
	if says == "" && field == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		s.accepted = append(s.accepted, manifest)
		return
	}
	if says == "" {
		t.Fatal("the case does not say which rule it breaks")
	}
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) {
		t.Fatalf("not refused: %v", err)
	}
	if field == "" {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the refusal does not say %q: %v", says, err)
		}
		return
	}
	causes := status.Status().Details.Causes
	s.refused = append(s.refused, causes...)
	if !slices.ContainsFunc(causes, func(c metav1.StatusCause) bool { return c.Field == field && strings.Contains(c.Message, says) }) {
		t.Errorf("the refusal does not say %q of %s: %v", says, field, err)
	}
}

// patched applies a merge patch (RFC 7386).
func patched(t *testing.T, object, patch map[string]any) map[string]any {
	t.Helper()
	if len(patch) == 0 {
		return runtime.DeepCopyJSON(object)
	}
	before, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	change, err := yaml.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	if before, err = yaml.YAMLToJSON(before); err != nil {
		t.Fatal(err)
	}
	if change, err = yaml.YAMLToJSON(change); err != nil {
		t.Fatal(err)
	}
	after, err := jsonpatch.MergePatch(before, change)
	if err != nil {
		t.Fatal(err)
	}
	var out unstructured.Unstructured
	if err := out.UnmarshalJSON(after); err != nil {
		t.Fatal(err)
	}
	return out.Object
}

var pathStep = regexp.MustCompile(`([^.\[\]]+)|\[(\d+)\]`)

// with sets or removes one field, making what leads to it.
func with(t *testing.T, object map[string]any, path string, value any, remove bool) map[string]any {
	t.Helper()
	object = runtime.DeepCopyJSON(object)
	var at any = object
	put := func(any) {}
	steps := pathStep.FindAllStringSubmatch(path, -1)
	for i, step := range steps {
		last := i == len(steps)-1
		if step[1] == "" {
			index, err := strconv.Atoi(step[2])
			if err != nil {
				t.Fatal(err)
			}
			items, _ := at.([]any)
			for len(items) <= index {
				items = append(items, nil)
			}
			put(items)
			put = func(v any) { items[index] = v }
			at = items[index]
		} else {
			fields, _ := at.(map[string]any)
			if fields == nil {
				fields = map[string]any{}
				put(fields)
			}
			if last && remove {
				delete(fields, step[1])
				return object
			}
			put = func(v any) { fields[step[1]] = v }
			at = fields[step[1]]
		}
	}
	put(value)
	return normalised(t, object)
}

// normalised has the number types that unstructured objects need.
func normalised(t *testing.T, object map[string]any) map[string]any {
	t.Helper()
	return patched(t, object, map[string]any{"apiVersion": object["apiVersion"]})
}

// paths lists every field that a manifest sets, without indexes.
func paths(value any, path string, into map[string]bool) {
	into[path] = true
	switch v := value.(type) {
	case map[string]any:
		for key := range maps.Keys(v) {
			paths(v[key], strings.TrimPrefix(path+"."+key, "."), into)
		}
	case []any:
		for _, item := range v {
			paths(item, path+"[]", into)
		}
	}
}
