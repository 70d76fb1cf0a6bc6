package env

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// SystemNamespace is where config/default puts the manager.
const SystemNamespace = "ringmaster-system"

const (
	managerAccount  = "ringmaster-manager"
	managerSecret   = "ringmaster-certificate"
	webhookSettings = "ringmaster-validation"
)

// Kubectl runs kubectl as administrator and returns what it printed.
func (e *Env) Kubectl(ctx context.Context, cp *ControlPlane, stdin []byte, args ...string) (string, error) {
	kubectl, err := e.kubeBinary("kubectl")
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, kubectl, args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+cp.Kubeconfig)
	c.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %v: %w\n%s", args, err, stderr.String())
	}
	return string(out), nil
}

// Install applies config/default, as on a real cluster. The Deployment in it finds no node here; the manager that
// StartManager runs acts as its ServiceAccount.
func (e *Env) Install(ctx context.Context, cp *ControlPlane) error {
	e.say("installing config/default")
	if _, err := e.Kubectl(ctx, cp, nil, "apply", "--server-side", "-k", filepath.Join(e.checkout, "config", "default")); err != nil {
		return err
	}
	_, err := e.Kubectl(ctx, cp, nil, "wait", "--for=condition=Established", "--timeout=60s", "crd",
		"agents.ringmaster.dev", "contactcenters.ringmaster.dev", "emailaccounts.ringmaster.dev", "pbxes.ringmaster.dev", "queues.ringmaster.dev", "teams.ringmaster.dev")
	return err
}

// ManagerOptions choose how a manager runs.
type ManagerOptions struct {
	// Name of the part; "manager" when empty.
	Name string
	// Store is the store's URL; a SQLite file of its own when empty.
	Store string
	// Args are added to the command line.
	Args []string
}

// ManagerServer is a running manager.
type ManagerServer struct {
	*Process
	// DeskURL, OperatorURL, MetricsURL and HealthURL are where it serves; LinkAddr is what pbxlets dial.
	DeskURL, OperatorURL, MetricsURL, HealthURL, LinkAddr string
	// StorePath is the SQLite file, empty with another store.
	StorePath string

	cp          *ControlPlane
	webhookPort int
}

// StartManager runs cmd/ringmaster's manager with the rights of its ServiceAccount, after Install. The admission webhooks
// of the cluster are pointed at the manager started last.
func (e *Env) StartManager(ctx context.Context, cp *ControlPlane, opts ManagerOptions) (*ManagerServer, error) {
	program, err := e.BuildRingmaster(ctx)
	if err != nil {
		return nil, err
	}
	name := opts.Name
	if name == "" {
		name = "manager"
	}
	e.say("starting the %s", name)
	dir, err := e.partDir(name)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := cp.TokenKubeconfig(ctx, SystemNamespace, managerAccount)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	desk, link, webhook, metrics, health, operator := ports[0], ports[1], ports[2], ports[3], ports[4], ports[5]
	m := &ManagerServer{
		DeskURL: "https://" + addrOf(desk), OperatorURL: "https://" + addrOf(operator), MetricsURL: "http://" + addrOf(metrics) + "/metrics", HealthURL: "http://" + addrOf(health),
		LinkAddr: addrOf(link), cp: cp, webhookPort: webhook,
	}
	storeURL := opts.Store
	if storeURL == "" {
		m.StorePath = filepath.Join(dir, "store.db")
		storeURL = "sqlite://" + m.StorePath
	}
	if err := m.TakeWebhooks(ctx); err != nil {
		return nil, err
	}
	args := append([]string{
		"manager", "--store", storeURL, "--namespace", SystemNamespace,
		"--desk-bind-address", addrOf(desk), "--operator-bind-address", addrOf(operator), "--link-bind-address", addrOf(link), "--link-advertised-address", addrOf(link),
		"--webhook-bind-host", Loopback, "--webhook-port", strconv.Itoa(webhook),
		"--metrics-bind-address", addrOf(metrics), "--metrics-secure=false", "--health-bind-address", addrOf(health),
		"--certificate-name", "localhost", "--certificate-ip", Loopback,
	}, opts.Args...)
	m.Process, err = e.Start(ctx, Command{
		Name: name, Path: program, Args: args, Dir: dir, Env: []string{"KUBECONFIG=" + kubeconfig},
		Ready: ReadyHTTP(nil, m.HealthURL+"/readyz"),
	})
	return m, err
}

// CA returns the authority of the manager's certificate, in PEM.
func (m *ManagerServer) CA(ctx context.Context) ([]byte, error) {
	client, err := kubernetes.NewForConfig(m.cp.Config)
	if err != nil {
		return nil, err
	}
	s, err := client.CoreV1().Secrets(SystemNamespace).Get(ctx, managerSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return s.Data["ca.crt"], nil
}

// TakeWebhooks points the admission webhooks of the cluster at this manager. It replaces the Service in the webhook
// configuration by an address on this machine: the API server here runs outside of any cluster network.
func (m *ManagerServer) TakeWebhooks(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(m.cp.Config)
	if err != nil {
		return err
	}
	settings := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	present, err := settings.Get(ctx, webhookSettings, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the webhook configuration: %w", err)
	}
	for i := range present.Webhooks {
		c := &present.Webhooks[i].ClientConfig
		var path string
		switch {
		case c.Service != nil && c.Service.Path != nil:
			path = *c.Service.Path
		case c.URL != nil:
			if u, err := url.Parse(*c.URL); err == nil {
				path = u.Path
			}
		}
		*c = admissionv1.WebhookClientConfig{URL: new("https://" + addrOf(m.webhookPort) + path), CABundle: c.CABundle}
	}
	_, err = settings.Update(ctx, present, metav1.UpdateOptions{})
	return err
}

// portOf is the port at the end of host:port or of scheme://host:port/path.
func portOf(address string) int {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // our own addresses
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	return n
}

// StartPBXlet runs a pbxlet beside an Asterisk for the PBX namespace/name, with the link Secret the manager has made.
func (e *Env) StartPBXlet(ctx context.Context, cp *ControlPlane, asterisk *AsteriskServer, namespace, name string) (*Process, error) {
	program, err := e.BuildRingmaster(ctx)
	if err != nil {
		return nil, err
	}
	e.say("starting the pbxlet of PBX %s/%s", namespace, name)
	if err := e.RefreshLinkSecret(ctx, cp, namespace, name); err != nil {
		return nil, err
	}
	part := pbxletPart(namespace, name)
	dir, err := e.partDir(part)
	if err != nil {
		return nil, err
	}
	secretFile := filepath.Join(dir, "ami-secret")
	if err := os.WriteFile(secretFile, []byte(asterisk.AMISecret), 0o600); err != nil {
		return nil, err
	}
	return e.Start(ctx, Command{
		Name: part, Path: program, Dir: dir,
		Args: []string{
			"pbxlet", "--link-dir", dir, "--state-dir", asterisk.StateDir, "--spool-dir", asterisk.SpoolDir,
			"--ami-address", asterisk.AMIAddr, "--ami-user", asterisk.AMIUser, "--ami-secret-file", secretFile,
		},
	})
}

func pbxletPart(namespace, pbx string) string { return "pbxlet-" + namespace + "-" + pbx }

// RefreshLinkSecret waits for the Secret <pbx>-link and writes its keys where the pbxlet of that PBX reads them, as a kubelet
// does with a mounted Secret when it is made and whenever it changes.
func (e *Env) RefreshLinkSecret(ctx context.Context, cp *ControlPlane, namespace, pbx string) error {
	dir, err := e.partDir(pbxletPart(namespace, pbx))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return err
	}
	var s *corev1.Secret
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		s, err = client.CoreV1().Secrets(namespace).Get(ctx, pbx+"-link", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("waiting for Secret %s: %w", types.NamespacedName{Namespace: namespace, Name: pbx + "-link"}, err)
	}
	for key, value := range s.Data {
		if err := os.WriteFile(filepath.Join(dir, key), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// WriteSamples writes kustomizations beside config/samples that point the sample center at the servers of this
// environment. It returns their directory: "center" has the namespace, the ContactCenter and the PBX, the directory itself all of it.
func (e *Env) WriteSamples(asterisk *AsteriskServer, dovecot *DovecotServer, smtp *SMTPServer) (string, error) {
	dir, err := e.partDir("samples", "center")
	if err != nil {
		return "", err
	}
	ca, err := os.ReadFile(dovecot.CAFile)
	if err != nil {
		return "", err
	}
	sip, wss, imap, submission := portOf(asterisk.SIPAddr), portOf(asterisk.WSSURL), portOf(dovecot.IMAPSAddr), portOf(smtp.SMTPSAddr)
	samples, err := filepath.Rel(dir, filepath.Join(e.checkout, "config", "samples"))
	if err != nil {
		return "", err
	}
	files := map[string]any{
		"center/kustomization.yaml": kustomization{
			Resources: []string{filepath.Join("..", samples, "center")},
			Patches: []patch{{Target: target{Kind: "PBX"}, Patch: operations(
				replace("/spec/advertisedAddress", Loopback), add("/spec/bindAddress", Loopback),
				replace("/spec/transports/udp/port", sip), replace("/spec/transports/tcp/port", sip), replace("/spec/transports/wss/port", wss),
			)}},
		},
		"kustomization.yaml": kustomization{
			Namespace: "contact-center", SortOptions: referredFirst,
			Resources: slices.Concat([]string{"center", "mail-ca.yaml"}, sampleFiles),
			Patches: []patch{{Target: target{Kind: "EmailAccount"}, Patch: operations(
				replace("/spec/imap/host", Loopback), replace("/spec/imap/port", imap), add("/spec/imap/caSecretRef", secretKey{"mail-ca", "ca.crt"}),
				replace("/spec/smtp/host", Loopback), replace("/spec/smtp/port", submission), add("/spec/smtp/caSecretRef", secretKey{"mail-ca", "ca.crt"}),
			)}},
		},
		"mail-ca.yaml": map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata":   map[string]any{"name": "mail-ca", "labels": map[string]string{"ringmaster.dev/credential": "mailbox"}},
			"stringData": map[string]string{"ca.crt": string(ca)},
		},
	}
	for name, content := range files {
		raw, err := json.MarshalIndent(content, "", "  ") // JSON is YAML
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return "", err
		}
	}
	return dir, e.copySamples(dir)
}

// sampleFiles are the manifests of config/samples beside its center.
var sampleFiles = []string{"agents.yaml", "telephones.yaml", "teams.yaml", "queues.yaml", "flow.yaml", "answers.yaml", "mailbox.yaml"}

// copySamples brings the files of config/samples here: a kustomization may refer to other ones outside of its directory, but not to
// single files, and config/samples as a whole would bring its center a second time.
func (e *Env) copySamples(dir string) error {
	var errs []error
	for _, name := range sampleFiles {
		raw, err := os.ReadFile(filepath.Join(e.checkout, "config", "samples", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), raw, 0o644)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

type kustomization struct {
	Namespace   string          `json:"namespace,omitempty"`
	SortOptions json.RawMessage `json:"sortOptions,omitempty"`
	Resources   []string        `json:"resources"`
	Patches     []patch         `json:"patches,omitempty"`
}

// referredFirst is the order of config/samples.
var referredFirst = json.RawMessage(`{"order": "legacy", "legacySortOptions": {"orderFirst": ["Namespace", "Secret", "ConfigMap", "Schedule", "AgentProfile"], "orderLast": []}}`)

type patch struct {
	Target target `json:"target"`
	Patch  string `json:"patch"`
}

type target struct {
	Kind string `json:"kind"`
}

type secretKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func replace(path string, value any) operation { return operation{"replace", path, value} }
func add(path string, value any) operation     { return operation{"add", path, value} }

func operations(ops ...operation) string {
	raw, err := json.Marshal(ops)
	if err != nil {
		panic(err) // plain values only
	}
	return string(raw)
}
