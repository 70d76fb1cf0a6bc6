package cel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// What an agent does not say must be seen not to be said, or no profile could say it; and what neither says is as if the agent had asked for the schema's defaults.
func TestWhatAnAgentDoesNotSay(t *testing.T) {
	c := newClient(t)
	meta := metav1.ObjectMeta{Namespace: newNamespace(t, c), Name: "alice"}
	silent := &v1alpha1.Agent{ObjectMeta: meta, Spec: v1alpha1.AgentSpec{FullName: "Alice"}}
	if err := c.Create(t.Context(), silent.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(silent), silent); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1alpha1.AgentSettings{}, silent.Spec.Settings()); diff != "" {
		t.Errorf("the API server filled in (-want +got):\n%s", diff)
	}

	out := kubectl(t, []byte(`{apiVersion: ringmaster.dev/v1alpha1, kind: Agent, metadata: {name: bob}, spec: {fullName: Bob, permissions: {}, clientLogs: {}}}`),
		"apply", "-n", meta.Namespace, "-f", "-")
	var asking v1alpha1.Agent
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: meta.Namespace, Name: "bob"}, &asking); err != nil {
		t.Fatal(out, err)
	}
	if diff := cmp.Diff(asking.Spec.Over(v1alpha1.AgentSettings{}).Settings(), silent.Spec.Over(v1alpha1.AgentSettings{}).Settings()); diff != "" {
		t.Errorf("the defaults of the schema and of a silent agent (-schema +silent):\n%s", diff)
	}
	if diff := cmp.Diff(asking.Spec.Permissions, asking.Spec.Over(v1alpha1.AgentSettings{Permissions: v1alpha1.AgentPermissions{InternalMessenger: v1alpha1.Denied}}).Permissions); diff != "" {
		t.Errorf("an agent that asks for the defaults does not get them (-want +got):\n%s", diff)
	}
}
