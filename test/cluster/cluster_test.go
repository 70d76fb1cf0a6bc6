// Package cluster applies config/asterisk and its components to a real API server, as sample overlays do.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// overlays are kustomizations of components, with the Pod Security level that they need.
var overlays = map[string]struct {
	components []string
	level      string
}{
	"plain":         {nil, "restricted"},
	"load balancer": {[]string{"load-balancer", "disruption-budget"}, "restricted"},
	"host network":  {[]string{"host-network", "disruption-budget"}, "privileged"},
}

// pbx has a dash in its name, which is also what parts of names are told by.
const pbx = "floor-2"

// overlay writes a kustomization of config/asterisk for pbx and returns what kubectl makes of it.
func overlay(t *testing.T, namespace string, components ...string) string {
	t.Helper()
	dir := t.TempDir()
	config, err := filepath.Abs("../../config")
	if err != nil {
		t.Fatal(err)
	}
	if config, err = filepath.Rel(dir, config); err != nil {
		t.Fatal(err)
	}
	k := map[string]any{"namespace": namespace, "resources": []string{"pbx.yaml"}}
	paths := []string{filepath.Join(config, "asterisk")}
	for _, c := range components {
		paths = append(paths, filepath.Join(config, "components", c))
	}
	k["components"] = paths
	sample, err := os.ReadFile("../../config/samples/pbx/pbx.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"kustomization.yaml": string(text), "pbx.yaml": strings.Replace(string(sample), "name: floor", "name: "+pbx, 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return kubectl(t, nil, "kustomize", dir)
}

func kubectl(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	out, err := env.Temp(t).Kubectl(t.Context(), env.Control(t), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pick returns the objects of one kind.
func pick[T any](t *testing.T, manifests, kind string) []T {
	t.Helper()
	var found []T
	for m := range strings.SplitSeq(manifests, "\n---\n") {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(m), &meta); err != nil {
			t.Fatal(err)
		}
		if meta.Kind != kind {
			continue
		}
		var object T
		if err := yaml.UnmarshalStrict([]byte(m), &object); err != nil {
			t.Fatal(err)
		}
		found = append(found, object)
	}
	return found
}

func statefulSet(t *testing.T, manifests string) appsv1.StatefulSet {
	t.Helper()
	sets := pick[appsv1.StatefulSet](t, manifests, "StatefulSet")
	if len(sets) != 1 {
		t.Fatalf("%d StatefulSets", len(sets))
	}
	return sets[0]
}

func newNamespace(t *testing.T, name, level string) {
	t.Helper()
	kubectl(t, fmt.Appendf(nil, "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: %s}}", name, level),
		"apply", "-f", "-")
}

// The API server accepts every overlay, the controllers make the pod of it at the security level that is said, and at no
// stricter one.
func TestOverlays(t *testing.T) {
	env.Control(t)
	kubectl(t, nil, "apply", "--server-side", "-k", "../../config/crd")
	kubectl(t, nil, "wait", "--for=condition=Established", "--timeout=60s", "crd/pbxes.ringmaster.dev")
	for name, o := range overlays {
		t.Run(name, func(t *testing.T) {
			namespace := strings.ReplaceAll(name, " ", "-")
			newNamespace(t, namespace, o.level)
			manifests := overlay(t, namespace, o.components...)
			kubectl(t, []byte(manifests), "apply", "--server-side", "--validate=strict", "-f", "-")
			pod := "asterisk-" + pbx + "-0"
			waitForPod(t, namespace, pod)
			claims := kubectl(t, nil, "get", "persistentvolumeclaims", "-n", namespace, "-o", "name")
			for _, want := range []string{"data-" + pod, "spool-" + pod} {
				if !strings.Contains(claims, want) {
					t.Errorf("no claim %s in %s", want, claims)
				}
			}
			if o.level == "privileged" {
				for _, level := range []string{"baseline", "restricted"} {
					refused(t, statefulSet(t, manifests), namespace+"-"+level, level)
				}
			}
		})
	}
}

func waitForPod(t *testing.T, namespace, pod string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := env.Temp(t).Kubectl(t.Context(), env.Control(t), nil, "get", "pod", pod, "-n", namespace)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, kubectl(t, nil, "get", "events", "-n", namespace))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// refused tries the pod at a level that forbids it.
func refused(t *testing.T, set appsv1.StatefulSet, namespace, level string) {
	t.Helper()
	newNamespace(t, namespace, level)
	client, err := kubernetes.NewForConfig(env.Control(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "try", Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim.Name})
	}
	_, err = client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil || !strings.Contains(err.Error(), "hostNetwork") {
		t.Errorf("level %s: %v, want hostNetwork to be refused", level, err)
	}
}

// Names, ports, hooks and probes are what the other side expects.
func TestPodFits(t *testing.T) {
	manifests := overlay(t, "x", "load-balancer")
	set := statefulSet(t, manifests)
	spec := set.Spec.Template.Spec
	asterisk := spec.Containers[0]
	program, err := env.Temp(t).BuildRingmaster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hook := asterisk.Lifecycle.PreStop.Exec.Command
	for _, command := range [][]string{hook, asterisk.StartupProbe.Exec.Command, asterisk.ReadinessProbe.Exec.Command, asterisk.LivenessProbe.Exec.Command} {
		understood(t, program, command)
	}
	const timeout = "--timeout="
	i := slices.IndexFunc(hook, func(a string) bool { return strings.HasPrefix(a, timeout) })
	if i < 0 || hook[2] != "drain" {
		t.Fatalf("the hook before the end is %q", hook)
	}
	drain, err := time.ParseDuration(strings.TrimPrefix(hook[i], timeout))
	if err != nil {
		t.Fatal(err)
	}
	if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace <= drain {
		t.Errorf("the pod is killed after %s, while calls may last %s", grace, drain)
	}
	if got := asterisk.LivenessProbe.Exec.Command; !slices.Contains(got, "--live") || slices.Contains(got, "--ready") {
		t.Errorf("an Asterisk without a manager would be killed: %q", got)
	}
	sidecar := spec.InitContainers[1]
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the pbxlet is no sidecar, it would end Asterisk's start")
	}
	for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
		if s := c.SecurityContext; s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation {
			t.Errorf("container %s has rights it does not need", c.Name)
		}
	}
	audioPorts(t, manifests, spec)
}

// understood runs a command of the pod's here, where no Asterisk answers it. It must be the answer that is missed.
func understood(t *testing.T, program string, command []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	args := append(slices.Clone(command[1:]), "--ami-secret-file="+filepath.Join(t.TempDir(), "ami-secret"))
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	var failed *exec.ExitError
	if !errors.As(err, &failed) || !strings.Contains(string(out), "ami-secret: no such file") {
		t.Errorf("%q: %v, %s", command, err, out)
	}
}

// audioPorts compares the ports of the load balancer with those that Asterisk uses.
func audioPorts(t *testing.T, manifests string, spec corev1.PodSpec) {
	t.Helper()
	var first, last int32
	for _, arg := range spec.InitContainers[0].Args {
		if ports, ok := strings.CutPrefix(arg, "--rtp-ports="); ok {
			if _, err := fmt.Sscanf(ports, "%d-%d", &first, &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[int32]bool{}
	for port := first; port <= last; port++ {
		want[port] = true
	}
	for _, service := range pick[corev1.Service](t, manifests, "Service") {
		if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
			continue
		}
		for _, p := range service.Spec.Ports {
			if !strings.HasPrefix(p.Name, "rtp-") {
				continue
			}
			if !want[p.Port] || p.TargetPort.IntVal != p.Port || p.Protocol != corev1.ProtocolUDP {
				t.Errorf("port %+v is none of %d-%d", p, first, last)
			}
			delete(want, p.Port)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d ports of %d-%d are not served", len(want), first, last)
	}
}

// The manager makes the Secret that the pod mounts, with what the pbxlet needs in it.
func TestManagerMakesTheSecretOfThePod(t *testing.T) {
	e := env.Temp(t)
	cp := env.Control(t)
	if err := e.Install(t.Context(), cp); err != nil {
		t.Fatal(err)
	}
	manager, err := e.StartManager(t.Context(), cp, env.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := manager.Stop(); err != nil {
			t.Error(err)
		}
	})
	const namespace = "contact-center"
	newNamespace(t, namespace, "privileged")
	kubectl(t, []byte("apiVersion: ringmaster.dev/v1alpha1\nkind: ContactCenter\nmetadata: {name: center}\nspec: {extensions: {ranges: [{from: \"1000\", to: \"1999\"}]}}"),
		"apply", "-n", namespace, "-f", "-")
	kubectl(t, nil, "apply", "--server-side", "-k", "../../config/samples/pbx")
	set := statefulSet(t, kubectl(t, nil, "kustomize", "../../config/samples/pbx"))
	i := slices.IndexFunc(set.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "link" })
	if i < 0 {
		t.Fatal("no volume link")
	}
	name := set.Spec.Template.Spec.Volumes[i].Secret.SecretName
	kubectl(t, nil, "wait", "--for=create", "--timeout=60s", "-n", namespace, "secret/"+name)
	var secret corev1.Secret
	if err := json.Unmarshal([]byte(kubectl(t, nil, "get", "secret", name, "-n", namespace, "-o", "json")), &secret); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ca.crt", "token", "server", "pbx"} {
		if len(secret.Data[key]) == 0 {
			t.Errorf("the Secret %s has no %s", name, key)
		}
	}
	waitForPod(t, namespace, set.Name+"-0")
}
