package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const asteriskFiles = "../../internal/importer/testdata/chansip"

// asPlugin makes the test binary the program itself, so that exit statuses are those of a real process.
const asPlugin = "RINGMASTER_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type outcome struct {
	status         int
	stdout, stderr string
}

func run(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPlugin+"=1")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (o outcome) check(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if o.status != status || !strings.Contains(o.stdout, stdout) || !strings.Contains(o.stderr, stderr) {
		t.Errorf("exit status %d, want %d with %q and %q\nstdout: %s\nstderr: %s", o.status, status, stdout, stderr, o.stdout, o.stderr)
	}
}

func TestImportToStandardOutput(t *testing.T) {
	run(t, "", "import", "asterisk", asteriskFiles).check(t, 0, "name: alice-rossi\n", "7 agents, 3 queues, 6 Secrets\n")
	run(t, "", "import", "asterisk", asteriskFiles+"/sip.conf", "-n", "center").check(t, 0, "namespace: center\n", "sip.conf:19: #exec: dropped: programs are never run")
	run(t, "fullName;extension\nAlice Rossi;55\n", "import", "csv", "-").check(t, 0, "#   extensions:\n#     ranges:\n", "1 agents, 0 queues, 0 Secrets\n")
}

func TestImportIntoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "center")
	table := filepath.Join(t.TempDir(), "agents.csv")
	if err := os.WriteFile(table, []byte("fullName,extension,colour\nAlice Rossi,55,red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "csv", table, "--generate-passwords", "-o", dir}
	run(t, "", args...).check(t, 0, "", "written to "+dir)
	for name, want := range map[string]struct {
		mode os.FileMode
		text string
	}{
		"agents.yaml":        {0o644, "passwordSecretRef:"},
		"secrets.yaml":       {0o600, "ringmaster.dev/credential: agent"},
		"kustomization.yaml": {0o644, "resources:\n- secrets.yaml\n- agents.yaml\n"},
		"report.md":          {0o644, "| agents.csv:1 |  | colour |"},
		"contactcenter.yaml": {0o644, "- from: \"55\"\n      to: \"55\"\n"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want.text) || info.Mode().Perm() != want.mode {
			t.Errorf("%s, mode %v:\n%s", name, info.Mode(), text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "queues.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("queues.yaml without queues: %v", err)
	}
	run(t, "", args...).check(t, exitFailure, "", "exists already in "+dir)
	run(t, "", append(args, "--force")...).check(t, 0, "", "written to")
}

func TestWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sip.conf"), []byte("[a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "import", "asterisk", dir).check(t, exitUnreadable, "", "sip.conf:1: a section without closing bracket")
	if err := os.WriteFile(filepath.Join(dir, "queues.conf"), []byte("[a\x1b[2J](b)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := run(t, "", "import", "asterisk", filepath.Join(dir, "queues.conf")); strings.Contains(o.stderr, "\x1b") {
		t.Errorf("the terminal is told %q", o.stderr)
	}
	run(t, "", "import", "asterisk", filepath.Join(dir, "none")).check(t, exitUnreadable, "", "no such file")
	run(t, "", "import", "asterisk", t.TempDir()).check(t, exitUnreadable, "", "holds none of sip.conf, pjsip.conf")
	run(t, "", "import", "asterisk", os.Args[0]).check(t, exitUnreadable, "", "is none of sip.conf, pjsip.conf")
	run(t, "\x00", "import", "csv", "-").check(t, exitUnreadable, "", "standard input: not a text file")
	run(t, "", "import", "csv", dir).check(t, exitUnreadable, "", "is a directory")
	run(t, "", "import", "csv", "-", "--typology", "Mobile").check(t, exitFailure, "", "none of Phonebar, External and WebRTC")
	run(t, "", "export", "agents", "--format", "xml").check(t, exitFailure, "", "neither csv nor yaml")
	run(t, "", "version").check(t, 0, version, "")
}

// namespaceOf makes an empty namespace at the real API server, in adds to a command line where that is.
func namespaceOf(t *testing.T) (c client.Client, ns *corev1.Namespace, in func(args ...string) []string) {
	t.Helper()
	cp := env.Control(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := envtest.InstallCRDs(cp.Config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}, ErrorIfPathMissing: true})
	must(err)
	scheme := runtime.NewScheme()
	must(v1alpha1.AddToScheme(scheme))
	must(clientgoscheme.AddToScheme(scheme))
	c, err = client.New(cp.Config, client.Options{Scheme: scheme})
	must(err)
	ns = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}
	must(c.Create(t.Context(), ns))
	return c, ns, func(args ...string) []string { return append(args, "--kubeconfig", cp.Kubeconfig, "-n", ns.Name) }
}

// The state of a center and its agents, from the real API server.
func TestStatusAndExport(t *testing.T) {
	c, ns, in := namespaceOf(t)
	run(t, "", in("status")...).check(t, exitFailure, "ContactCenterMissing", "")

	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns.Name, Name: name} }
	center := &v1alpha1.ContactCenter{ObjectMeta: meta("main")}
	pbx := &v1alpha1.PBX{ObjectMeta: meta("pbx"), Spec: v1alpha1.PBXSpec{
		AdvertisedAddress: "pbx.example.com", Transports: v1alpha1.PBXTransports{UDP: &v1alpha1.TransportPort{Port: 5060}},
	}}
	alice := &v1alpha1.Agent{ObjectMeta: meta("alice"), Spec: v1alpha1.AgentSpec{FullName: "Alice Rossi", Extension: "1001"}}
	bob := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "bob", Labels: map[string]string{"team": "x"}}, Spec: v1alpha1.AgentSpec{FullName: "Bob"}}
	for _, o := range []client.Object{center, pbx, alice, bob} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "", in("status")...).check(t, exitFailure, "agent/alice", "")
	run(t, "", in("export", "agents", "--format", "csv", "-l", "team=x")...).check(t, 0, "bob,team=x,Bob,", "")
	run(t, "", in("export", "agents")...).check(t, 0, "extension: \"1001\"\n", "")

	condition := func(name, status, reason, message string) metav1.Condition {
		return metav1.Condition{Type: name, Status: metav1.ConditionStatus(status), Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
	}
	ready := v1alpha1.CommonStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{condition("Ready", "True", "Succeeded", "")}}
	center.Status.CommonStatus, alice.Status.CommonStatus, pbx.Status.CommonStatus = ready, ready, ready
	alice.Status.SIP.State = "Registered"
	pbx.Status.Conditions = append(pbx.Status.Conditions, condition("Connected", "True", "Connected", ""), condition("InSync", "True", "Succeeded", ""))
	pbx.Status.Registered = 1
	bob.Status.CommonStatus = v1alpha1.CommonStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{condition("Ready", "False", "RangeFull", "no number\nis free")}}
	for _, o := range []client.Object{center, alice, bob, pbx} {
		if err := c.Status().Update(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	o := run(t, "", in("status")...)
	for _, line := range []string{"ContactCenter 1/1", "Agent 1/2", "Phones registered 1/2", "pbx True True 0 1", "agent/bob RangeFull no number is free"} {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), line) {
			t.Errorf("status does not say %q:\n%s", line, o.stdout)
		}
	}
	o.check(t, exitFailure, "NOT READY", "")
	if err := c.Delete(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	run(t, "", in("status")...).check(t, 0, "Agent", "")
	// A change that nobody looked at is not ready.
	alice.Spec.Alias = "Ally"
	if err := c.Update(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	run(t, "", in("status")...).check(t, exitFailure, "the latest change has not been looked at yet", "")
}
