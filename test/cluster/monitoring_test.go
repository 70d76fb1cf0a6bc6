package cluster

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// serviceMonitor is what the operator of Prometheus reads of it.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port            string `json:"port"`
			Path            string `json:"path"`
			Scheme          string `json:"scheme"`
			Interval        string `json:"interval"`
			HonorLabels     bool   `json:"honorLabels"`
			BearerTokenFile string `json:"bearerTokenFile"`
			TLSConfig       struct {
				ServerName string `json:"serverName"`
				CA         struct {
					Secret corev1.SecretKeySelector `json:"secret"`
				} `json:"ca"`
			} `json:"tlsConfig"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// The component, together with what it watches.
func TestMonitoringComponent(t *testing.T) {
	dir := t.TempDir()
	config, err := filepath.Abs("../../config")
	if err != nil {
		t.Fatal(err)
	}
	if config, err = filepath.Rel(dir, config); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"resources": []string{filepath.Join(config, "default")}, "components": []string{filepath.Join(config, "components", "monitoring")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	manifests := kubectl(t, nil, "kustomize", dir)

	monitors := pick[serviceMonitor](t, manifests, "ServiceMonitor")
	if len(monitors) != 1 || len(monitors[0].Spec.Endpoints) != 1 {
		t.Fatalf("%d ServiceMonitors", len(monitors))
	}
	monitor, endpoint := monitors[0], monitors[0].Spec.Endpoints[0]
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	var watched []corev1.Service
	for _, s := range pick[corev1.Service](t, manifests, "Service") {
		if s.Namespace == monitor.Namespace && selector.Matches(labels.Set(s.Labels)) {
			watched = append(watched, s)
		}
	}
	if len(watched) != 1 || watched[0].Spec.Ports[0].Name != endpoint.Port || watched[0].Spec.Ports[0].TargetPort.StrVal != "metrics" {
		t.Errorf("the ServiceMonitor watches port %s of %d Services", endpoint.Port, len(watched))
	} else if name := watched[0].Name + "." + watched[0].Namespace + ".svc"; endpoint.TLSConfig.ServerName != name {
		t.Errorf("it expects a certificate of %s from %s", endpoint.TLSConfig.ServerName, name)
	}
	if !endpoint.HonorLabels {
		t.Error("the namespace of objects would be replaced by the manager's")
	}
	reader := map[string]bool{}
	for _, r := range pick[rbacv1.ClusterRole](t, manifests, "ClusterRole") {
		reader[r.Name] = true
	}
	for _, b := range pick[rbacv1.ClusterRoleBinding](t, manifests, "ClusterRoleBinding") {
		if !reader[b.RoleRef.Name] {
			t.Errorf("%s binds %s, which does not exist", b.Name, b.RoleRef.Name)
		}
	}
	for _, c := range pick[corev1.ConfigMap](t, manifests, "ConfigMap") {
		if c.Name == "ringmaster-dashboard" && c.Labels["grafana_dashboard"] == "1" && json.Valid([]byte(c.Data["ringmaster.json"])) {
			return
		}
	}
	t.Error("there is no dashboard")
}
