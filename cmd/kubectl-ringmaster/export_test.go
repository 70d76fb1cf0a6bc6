package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// What is exported from one namespace and applied to another is exported from there just the same: everything of the sample center, which has
// every kind.
func TestExportCenter(t *testing.T) {
	center := func(objects []unstructured.Unstructured) string {
		c, ns, in := namespaceOf(t)
		for _, o := range objects {
			o.SetNamespace(ns.Name)
			if err := c.Create(t.Context(), &o); err != nil {
				t.Fatal(err)
			}
		}
		out := run(t, "", in("export", "center")...)
		out.check(t, 0, "kind: ContactCenter\n", "")
		return out.stdout
	}

	var sample []unstructured.Unstructured
	for _, pattern := range []string{"*.yaml", "center/*.yaml", "pbx/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("../../config/samples", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sample = append(sample, objectsIn(t, text)...)
		}
	}
	sample[0].SetAnnotations(map[string]string{"team": "kept", v1alpha1.InviteAnnotation: "2026-11-21T09:00:00Z"})
	first := center(sample)
	if d := cmp.Diff(first, center(objectsIn(t, []byte(first)))); d != "" {
		t.Errorf("-exported +exported, applied, exported:\n%s", d)
	}
	if strings.Contains(first, v1alpha1.InviteAnnotation) || !strings.Contains(first, "team: kept") || strings.Contains(first, "status:") {
		t.Errorf("invitations and status stay behind, other annotations do not:\n%s", first)
	}
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
		if !strings.Contains(first, "kind: "+k.name+"\n") {
			t.Errorf("no %s in the sample or the export", k.name)
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(exportOrder))) {
		t.Errorf("exported are %v, but there are %v", exportOrder, names)
	}
}

// objectsIn are those of the own kinds among YAML documents.
func objectsIn(t *testing.T, text []byte) (objects []unstructured.Unstructured) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var o unstructured.Unstructured
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.GetAPIVersion() == v1alpha1.GroupVersion.String() {
			objects = append(objects, o)
		}
	}
}
