package voice

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// unobserved are the tests that the reference names and that are still to be
// written. An entry that is not needed any more is an error.
var unobserved = []string{}

// clientOnly are fields below the client settings that Asterisk knows nothing of.
var clientOnly = []string{"settingsAccess", "dtmfTones", "missedCallBadge", "screenReader", "screenRecording", "remoteControl", "sipPort", "previewDialDuringPause", "pushGateway"}

// subjects are the parts of the resources that the reference covers.
var subjects = regexp.MustCompile(`^(Agent\.spec\.(sip|voicemail|phonebar|webrtc|mobile|hotDesk|locale|loginState|extension|permissions)|Telephone\.spec|` +
	`Queue\.spec\.(number|strategy|members|weight|serviceLevel|voice)|PBX\.spec|ContactCenter\.spec\.(locale|voice\.forbiddenForwardPrefixes)|Team\.spec\.supervisors)(\.|$)`)

// row is one line of a table of the reference.
type row struct{ fields, model, asterisk, tests []string }

var code = regexp.MustCompile("`([^`]+)`")

func reference(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/voice.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || !strings.Contains(cells[3], ".Test") {
			continue
		}
		spans := func(i int) (out []string) {
			for _, m := range code.FindAllStringSubmatch(cells[i], -1) {
				out = append(out, m[1])
			}
			return out
		}
		r := row{model: spans(1), asterisk: spans(2), tests: spans(3)}
		for _, f := range spans(0) {
			r.fields = append(r.fields, expand(f)...)
		}
		rows = append(rows, r)
	}
	if len(rows) < 60 {
		t.Fatalf("only %d rows", len(rows))
	}
	return rows
}

// expand writes "a.{b,c}" out.
func expand(s string) []string {
	before, rest, ok := strings.Cut(s, "{")
	if !ok {
		return []string{s}
	}
	list, after, _ := strings.Cut(rest, "}")
	var out []string
	for word := range strings.SplitSeq(list, ",") {
		out = append(out, expand(before+word+after)...)
	}
	return out
}

// TestReferenceHasTheModel wants every field of the model in the reference, and
// nothing else.
func TestReferenceHasTheModel(t *testing.T) {
	want := map[string]bool{}
	modelFields(reflect.TypeFor[Center](), want)
	for _, r := range reference(t) {
		for _, name := range r.model {
			if _, ok := want[name]; !ok {
				t.Errorf("the model has no field %s", name)
			}
			want[name] = false
		}
	}
	for name, missing := range want {
		if missing {
			t.Errorf("%s is not in the reference", name)
		}
	}
}

// modelFields are the fields of all structs of the model as Type.Field.
func modelFields(typ reflect.Type, into map[string]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	for f := range typ.Fields() {
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		switch {
		case f.Name == "Key" || f.Name == "Hash":
		case inner.Kind() == reflect.Struct:
			modelFields(inner, into)
		default:
			into[typ.Name()+"."+f.Name] = true
		}
	}
}

// TestReferenceIsRendered wants what the reference says of a file to stand there
// when every feature is used.
func TestReferenceIsRendered(t *testing.T) {
	s, err := Render(everything(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reference(t) {
		found := false
		for _, span := range r.asterisk {
			path, text, ok := strings.Cut(span, ": ")
			if !ok || !strings.HasSuffix(path, ".conf") {
				continue
			}
			found = true
			if !strings.Contains(string(fileOf(t, s, path).Content), text) {
				t.Errorf("%v: %s has no %q", r.fields, path, text)
			}
		}
		if len(r.asterisk) > 0 && !found && len(r.model) > 0 && !slices.Contains([]string{"Endpoint.NATCompatibility", "PBX.StateDir"}, r.model[0]) {
			t.Errorf("%v names no text of a file", r.fields)
		}
	}
}

// TestReferenceHasTheResources wants every field that concerns telephones in the
// reference, and every field of the reference in its resource.
func TestReferenceHasTheResources(t *testing.T) {
	exist := map[string]bool{}
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no resource definitions: %v", err)
	}
	for _, path := range files {
		definitionFields(t, path, exist)
	}
	var named []string
	for _, r := range reference(t) {
		for _, f := range r.fields {
			named = append(named, f)
			if f != "Queue.metadata.name" && !slices.ContainsFunc(slices.Collect(maps.Keys(exist)), func(leaf string) bool { return below(leaf, f) }) {
				t.Errorf("there is no field %s", f)
			}
		}
	}
	for leaf := range exist {
		client := slices.ContainsFunc(clientOnly, func(name string) bool { return strings.Contains(leaf+".", "."+name+".") })
		if subjects.MatchString(leaf) && !client && !slices.ContainsFunc(named, func(f string) bool { return below(leaf, f) }) {
			t.Errorf("%s is not in the reference", leaf)
		}
	}
}

// below tells whether a field is the named one or inside of it.
func below(leaf, named string) bool { return leaf == named || strings.HasPrefix(leaf, named+".") }

// definitionFields adds the fields of the spec of one CustomResourceDefinition.
func definitionFields(t *testing.T, path string, into map[string]bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties map[string]*schema `json:"properties"`
		Items      *schema            `json:"items"`
	}
	var crd struct {
		Spec struct {
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	var walk func(*schema, string)
	walk = func(s *schema, at string) {
		switch {
		case len(s.Properties) > 0:
			for name, p := range s.Properties {
				walk(p, at+"."+name)
			}
		case s.Items != nil && len(s.Items.Properties) > 0:
			walk(s.Items, at)
		default:
			into[at] = true
		}
	}
	if spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]; spec != nil {
		walk(spec, crd.Spec.Names.Kind+".spec")
	}
}

// TestReferenceIsObserved wants the tests that the reference names.
func TestReferenceIsObserved(t *testing.T) {
	waiting := map[string]bool{}
	for _, name := range unobserved {
		waiting[name] = true
	}
	for _, r := range reference(t) {
		for _, name := range r.tests {
			dir, function, _ := strings.Cut(name, ".")
			if exists := hasTest(t, filepath.Join("../..", dir), function); exists == waiting[name] {
				t.Errorf("%v: test %s exists: %t, to be written: %t", r.fields, name, exists, waiting[name])
			}
			if waiting[name] {
				t.Logf("%v: %s is still to be written", r.fields, name)
			}
		}
	}
}

func hasTest(t *testing.T, dir, function string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+function+"(") {
			return true
		}
	}
	return false
}
