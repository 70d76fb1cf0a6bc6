package voice

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringmaster-dev/ringmaster/test/reference"
)

// clientOnly are fields below the client settings that Asterisk knows nothing of.
var clientOnly = []string{"settingsAccess", "dtmfTones", "missedCallBadge", "screenReader", "screenRecording", "remoteControl", "sipPort", "previewDialDuringPause", "pushGateway"}

// subjects are the parts of the resources that the reference covers.
var subjects = regexp.MustCompile(`^(Agent\.spec\.(sip|voicemail|phonebar|webrtc|mobile|hotDesk|locale|loginState|extension|permissions\.outboundPrefix)|Telephone\.spec|` +
	`AgentProfile\.spec\.(sip|phonebar|webrtc|locale|loginState|permissions\.outboundPrefix)|` +
	`Queue\.spec\.(number|strategy|members|weight|serviceLevel|voice)|PBX\.spec|ContactCenter\.spec\.(locale|voice\.forbiddenForwardPrefixes)|Team\.spec\.supervisors)(\.|$)`)

// row is one line of a table of the reference.
type row struct{ fields, model, asterisk, tests []string }

func rows(t *testing.T) []row {
	t.Helper()
	read, err := reference.Rows("../../docs/reference/voice.md", 4)
	if err != nil || len(read) < 60 {
		t.Fatalf("%d rows: %v", len(read), err)
	}
	out := make([]row, len(read))
	for i, r := range read {
		out[i] = row{fields: r.Fields, model: r.Cells[1], asterisk: r.Cells[2], tests: r.Tests}
	}
	return out
}

// TestReferenceHasTheModel wants every field of the model in the reference, and
// nothing else.
func TestReferenceHasTheModel(t *testing.T) {
	want := map[string]bool{}
	modelFields(reflect.TypeFor[Center](), want)
	for _, r := range rows(t) {
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
	for _, r := range rows(t) {
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
	exist, err := reference.Fields("../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, r := range rows(t) {
		for _, f := range r.fields {
			named = append(named, f)
			if f != "Queue.metadata.name" && !slices.ContainsFunc(slices.Collect(maps.Keys(exist)), func(leaf string) bool { return reference.Below(leaf, f) }) {
				t.Errorf("there is no field %s", f)
			}
		}
	}
	for leaf := range exist {
		client := slices.ContainsFunc(clientOnly, func(name string) bool { return strings.Contains(leaf+".", "."+name+".") })
		if subjects.MatchString(leaf) && !client && !slices.ContainsFunc(named, func(f string) bool { return reference.Below(leaf, f) }) {
			t.Errorf("%s is not in the reference", leaf)
		}
	}
}

// TestReferenceIsObserved wants the tests that the reference names.
func TestReferenceIsObserved(t *testing.T) {
	for _, r := range rows(t) {
		for _, name := range r.tests {
			if exists, err := reference.HasTest("../..", name); err != nil || !exists {
				t.Errorf("%v: there is no test %s: %v", r.fields, name, err)
			}
		}
	}
}
