// Package reference reads the tables of docs/reference/*.md that say what each
// field becomes, so that tests can hold them against the resources and the tests
// they name.
package reference

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// Row is one line of a table whose last column names tests.
type Row struct {
	// Cells are the code spans of each column.
	Cells [][]string
	// Fields are those of the first column, written out.
	Fields []string
	// Tests are those of the last one, as <package directory>.<function>.
	Tests []string
}

var (
	code = regexp.MustCompile("`([^`]+)`")
	test = regexp.MustCompile(`\.[Tt]est[A-Z]`)
)

// Rows of the tables with so many columns in a page.
func Rows(page string, columns int) ([]Row, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	var rows []Row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != columns || !test.MatchString(cells[columns-1]) {
			continue
		}
		r := Row{Cells: make([][]string, columns)}
		for i, cell := range cells {
			for _, m := range code.FindAllStringSubmatch(cell, -1) {
				r.Cells[i] = append(r.Cells[i], m[1])
			}
		}
		for _, f := range r.Cells[0] {
			r.Fields = append(r.Fields, expand(f)...)
		}
		r.Tests = r.Cells[columns-1]
		rows = append(rows, r)
	}
	return rows, nil
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

// Below tells whether a field is the named one or inside of it.
func Below(leaf, named string) bool { return leaf == named || strings.HasPrefix(leaf, named+".") }

// Fields of the specs of all CustomResourceDefinitions in a directory, as
// <Kind>.spec.<path>, without the indices of lists.
func Fields(dir string) (map[string]bool, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("reference: no resource definitions in %s: %w", dir, err)
	}
	fields := map[string]bool{}
	for _, path := range paths {
		if err := definition(path, fields); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

type schema struct {
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
}

func definition(path string, into map[string]bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
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
		return fmt.Errorf("reference: %s: %w", path, err)
	}
	if spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]; spec != nil {
		spec.leaves(crd.Spec.Names.Kind+".spec", into)
	}
	return nil
}

func (s *schema) leaves(at string, into map[string]bool) {
	switch {
	case len(s.Properties) > 0:
		for name, p := range s.Properties {
			p.leaves(at+"."+name, into)
		}
	case s.Items != nil && len(s.Items.Properties) > 0:
		s.Items.leaves(at, into)
	default:
		into[at] = true
	}
}

// HasTest tells whether a package of the module has the test, given as
// <package directory>.<function>; root is the module's directory. The store's
// are functions of its contract suite, which is no test file itself.
func HasTest(root, name string) (bool, error) {
	at := strings.LastIndex(name, ".")
	files, err := filepath.Glob(filepath.Join(root, name[:max(at, 0)], "*.go"))
	if err != nil {
		return false, fmt.Errorf("reference: %w", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return false, fmt.Errorf("reference: %w", err)
		}
		if strings.Contains(string(text), "\nfunc "+name[at+1:]+"(") {
			return true, nil
		}
	}
	return false, nil
}
