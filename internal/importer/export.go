package importer

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// ExportYAML writes agents as manifests that can be applied anywhere: name, labels, annotations and spec. Secrets stay references.
func ExportYAML(w io.Writer, agents []v1alpha1.Agent) error {
	clean := make([]v1alpha1.Agent, 0, len(agents))
	for _, a := range agents {
		clean = append(clean, portable(a))
	}
	text, err := documents(clean)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// portable is an agent without what belongs to one cluster.
func portable(a v1alpha1.Agent) v1alpha1.Agent {
	annotations := maps.Clone(a.Annotations)
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	delete(annotations, v1alpha1.ReconcileAtAnnotation)
	return v1alpha1.Agent{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Agent"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Name, Labels: a.Labels, Annotations: annotations},
		Spec:       a.Spec,
	}
}

// ExportCSV writes agents as CSV reads them, with the columns that any agent uses. Secrets stay references by name and key.
func ExportCSV(w io.Writer, agents []v1alpha1.Agent) error {
	v, err := definitions()
	if err != nil {
		return err
	}
	rows := make([]map[string]string, 0, len(agents))
	used := map[string]bool{}
	fields := v.columns()
	for _, a := range agents {
		row, err := cells(portable(a), fields)
		if err != nil {
			return fmt.Errorf("agent %s: %w", a.Name, err)
		}
		for title := range row {
			used[title] = true
		}
		rows = append(rows, row)
	}
	titles := []string{columnName}
	for _, title := range []string{columnLabels, columnAnnotations} {
		if used[title] {
			titles = append(titles, title)
		}
	}
	for _, f := range fields {
		if used[f.path] {
			titles = append(titles, f.path)
		}
	}
	out := csv.NewWriter(w)
	if err := out.Write(titles); err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b map[string]string) int { return strings.Compare(a[columnName], b[columnName]) })
	for _, row := range rows {
		record := make([]string, len(titles))
		for i, title := range titles {
			if record[i] = row[title]; formula(record[i]) {
				record[i] = "'" + record[i]
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cells of an agent, by column.
func cells(a v1alpha1.Agent, fields []column) (map[string]string, error) {
	row := map[string]string{columnName: a.Name}
	if len(a.Labels) > 0 {
		row[columnLabels] = strings.ReplaceAll(labels.FormatLabels(a.Labels), ",", " ")
	}
	if len(a.Annotations) > 0 {
		text, err := json.Marshal(a.Annotations)
		if err != nil {
			return nil, err
		}
		row[columnAnnotations] = string(text)
	}
	object, err := toMap(a)
	if err != nil {
		return nil, err
	}
	spec, _ := object["spec"].(map[string]any)
	for _, f := range fields {
		value, ok := dig(spec, strings.Split(f.path, "."))
		if !ok {
			continue
		}
		if row[f.path], err = f.format(value); err != nil {
			return nil, err
		}
	}
	return row, nil
}
