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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

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
	return v1alpha1.Agent{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Agent"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Name, Labels: a.Labels, Annotations: lasting(a.Annotations)},
		Spec:       a.Spec,
	}
}

// lasting are annotations without those that ask for something once, which would be asked for again where they are applied.
func lasting(annotations map[string]string) map[string]string {
	kept := maps.Clone(annotations)
	for _, once := range []string{
		corev1.LastAppliedConfigAnnotation, v1alpha1.ReconcileAtAnnotation, v1alpha1.AllowShrinkAnnotation,
		v1alpha1.InviteAnnotation, v1alpha1.UnlockAnnotation, v1alpha1.VerifyAnnotation,
	} {
		delete(kept, once)
	}
	return kept
}

// ExportObjects writes objects of any kind as the API server has them, as manifests that can be applied anywhere: name, labels, annotations
// and spec. Secrets stay references.
func ExportObjects(w io.Writer, objects []unstructured.Unstructured) error {
	for _, o := range objects {
		metadata := map[string]any{"name": o.GetName()}
		if l := o.GetLabels(); len(l) > 0 {
			metadata["labels"] = l
		}
		if a := lasting(o.GetAnnotations()); len(a) > 0 {
			metadata["annotations"] = a
		}
		text, err := yaml.Marshal(map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": metadata, "spec": o.Object["spec"]})
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
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
