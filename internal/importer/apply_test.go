package importer

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// apiServer is a client of the real API server with the CustomResourceDefinitions, and a namespace.
func apiServer(t *testing.T) (client.Client, string) {
	t.Helper()
	cp := env.Control(t)
	if _, err := envtest.InstallCRDs(cp.Config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, clientgoscheme.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(cp.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "import-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict), ns.Name
}

// apply sends manifests as kubectl apply --server-side does.
func apply(t *testing.T, c client.Client, namespace, text string, options ...client.ApplyOption) int {
	t.Helper()
	n := 0
	for document := range strings.SplitSeq(text, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		if len(object.Object) == 0 {
			continue
		}
		object.SetNamespace(namespace)
		options := append(options, client.FieldOwner("kubectl"), client.ForceOwnership)
		if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		n++
	}
	return n
}

func TestTheAPIServerTakesWhatIsImported(t *testing.T) {
	c, namespace := apiServer(t)
	for name, dir := range map[string]fs.FS{
		"chansip": os.DirFS("testdata/chansip"), "pjsip": os.DirFS("testdata/pjsip"),
		"small": rendered(t, "small"), "advertised": rendered(t, "advertised"), "none": rendered(t, "none"),
	} {
		result := asterisk(t, dir, Options{GeneratePasswords: true})
		if n := apply(t, c, namespace, manifests(t, result), client.DryRunAll); n != len(result.Agents)+len(result.Queues)+len(result.Secrets) {
			t.Errorf("%s: %d objects were applied; %s", name, n, result.Summary())
		}
	}
}

// What the API server made of agents, defaults included, comes back the same through CSV and through YAML.
func TestExportFromTheAPIServer(t *testing.T) {
	c, namespace := apiServer(t)
	result := asterisk(t, os.DirFS("testdata/chansip"), Options{})
	result.Agents = append(result.Agents, everything())
	apply(t, c, namespace, manifests(t, result))
	stored := &v1alpha1.AgentList{}
	if err := c.List(t.Context(), stored, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if len(stored.Items) != len(result.Agents) {
		t.Fatalf("%d agents are stored, %d were applied", len(stored.Items), len(result.Agents))
	}
	var asCSV, asYAML bytes.Buffer
	if err := ExportCSV(&asCSV, stored.Items); err != nil {
		t.Fatal(err)
	}
	if err := ExportYAML(&asYAML, stored.Items); err != nil {
		t.Fatal(err)
	}
	again := readBack(t, asCSV.String())
	if got := reported(again); got != "" {
		t.Errorf("importing what was exported reports\n%s", got)
	}
	fromYAML, _, _ := decode(t, asYAML.String())
	var want []v1alpha1.Agent
	for _, a := range stored.Items {
		want = append(want, portable(a))
	}
	if diff := cmp.Diff(want, again.Agents); diff != "" {
		t.Errorf("by CSV (-stored +imported):\n%s", diff)
	}
	if diff := cmp.Diff(want, fromYAML); diff != "" {
		t.Errorf("by YAML (-stored +read):\n%s", diff)
	}
	// Applied again, nothing changes.
	apply(t, c, namespace, manifests(t, again))
	apply(t, c, namespace, asYAML.String())
	unchanged := &v1alpha1.AgentList{}
	if err := c.List(t.Context(), unchanged, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for i, a := range unchanged.Items {
		if diff := cmp.Diff(stored.Items[i].Spec, a.Spec); diff != "" {
			t.Errorf("Agent %s was changed (-before +after):\n%s", a.Name, diff)
		}
	}
}
