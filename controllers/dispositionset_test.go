package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestDispositionPaths(t *testing.T) {
	item := func(name, parent string) v1alpha1.Disposition {
		return v1alpha1.Disposition{Name: name, Parent: parent}
	}
	for name, c := range map[string]struct {
		items []v1alpha1.Disposition
		want  []string
	}{
		"flat":                 {[]v1alpha1.Disposition{item("b", ""), item("a", "")}, []string{"b", "a"}},
		"three levels":         {[]v1alpha1.Disposition{item("a", ""), item("z", ""), item("b", "a"), item("c", "b")}, []string{"a", "a/b", "a/b/c", "z"}},
		"parents come first":   {[]v1alpha1.Disposition{item("c", "b"), item("b", "a"), item("a", "")}, []string{"a", "a/b", "a/b/c"}},
		"four levels":          {[]v1alpha1.Disposition{item("a", ""), item("b", "a"), item("c", "b"), item("d", "c")}, nil},
		"a cycle":              {[]v1alpha1.Disposition{item("r", ""), item("a", "b"), item("b", "a")}, nil},
		"its own parent":       {[]v1alpha1.Disposition{item("a", "a")}, nil},
		"a parent that is not": {[]v1alpha1.Disposition{item("a", "b")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dispositionPaths(c.items)
			if (err != nil) != (c.want == nil) {
				t.Fatal(err)
			}
			var paths []string
			for _, d := range got {
				paths = append(paths, d.Path)
			}
			if diff := cmp.Diff(c.want, paths); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}
