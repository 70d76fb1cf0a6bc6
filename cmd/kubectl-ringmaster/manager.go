package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
)

const (
	operatorService = "ringmaster-operator"
	// webhookSettings carry the authority that the manager's certificates are signed by.
	webhookSettings = "ringmaster-validation"
	forwardWithin   = 20 * time.Second
	answerWithin    = 2 * time.Minute
)

// managerURLVariable of the environment is --manager-url where that is not given.
const managerURLVariable = "RINGMASTER_MANAGER_URL"

// manager is the way to the operator API.
type manager struct {
	cluster *cluster
	// namespace of the manager, url of its operator API and caFile of its authority, by flag.
	namespace, url, caFile string
}

func (m *manager) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&m.namespace, "manager-namespace", "ringmaster-system", "Namespace of the manager")
	f.StringVar(&m.url, "manager-url", os.Getenv(managerURLVariable), "Address of the operator API, https://host[:port], or "+managerURLVariable+
		" in the environment; without it, kubectl port-forward leads to Service "+operatorService)
	f.StringVar(&m.caFile, "manager-ca", "", "File with the authority of the manager's certificate, PEM; without it, what the webhook configuration "+webhookSettings+" has")
}

// ask gets path below the namespace in effect from the operator API into answer.
type ask func(path string, query url.Values, answer any) error

// open finds the way to the operator API, until stop.
func (m *manager) open(cmd *cobra.Command) (_ ask, stop func(), err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), answerWithin)
	release := func() { cancel() }
	defer func() {
		if err != nil {
			release()
		}
	}()
	namespace, config, err := m.cluster.config()
	if err != nil {
		return nil, nil, err
	}
	if config.Impersonate.UserName != "" {
		return nil, nil, errors.New("--as: the operator API knows callers by their own credentials only")
	}
	address, serverName := strings.TrimSuffix(m.url, "/"), ""
	if address == "" {
		local, end, err := m.forward(ctx, cmd)
		if err != nil {
			return nil, nil, err
		}
		release = func() {
			end()
			cancel()
		}
		address, serverName = "https://"+local, operatorService+"."+m.namespace+".svc"
	}
	client, err := m.client(ctx, config, address, serverName)
	if err != nil {
		return nil, nil, err
	}
	return func(path string, query url.Values, answer any) error {
		target := address + "/v1/namespaces/" + url.PathEscape(namespace) + "/" + path
		if len(query) > 0 {
			target += "?" + query.Encode()
		}
		return get(ctx, client, target, answer)
	}, release, nil
}

func get(ctx context.Context, client *http.Client, target string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("--manager-url: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the manager: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 256<<20))
	if err != nil {
		return fmt.Errorf("reading the manager's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var said wire.Error
		if json.Unmarshal(body, &said) != nil || said.Message == "" {
			return fmt.Errorf("the manager answers %s", response.Status)
		}
		return errors.New(said.Message)
	}
	return json.Unmarshal(body, answer)
}

// client shows the manager what the kubeconfig shows the API server, and nobody but the manager: its certificate is checked first.
func (m *manager) client(ctx context.Context, config *rest.Config, address, serverName string) (*http.Client, error) {
	if !strings.HasPrefix(address, "https://") {
		return nil, errors.New("--manager-url: an address must begin with https://")
	}
	ca, err := m.authority(ctx, config)
	if err != nil {
		return nil, err
	}
	to := rest.CopyConfig(config)
	to.Host, to.APIPath = address, ""
	to.CAFile, to.CAData, to.ServerName, to.Insecure = "", ca, serverName, false
	to.Proxy = nil
	return rest.HTTPClientFor(to)
}

func (m *manager) authority(ctx context.Context, config *rest.Config) ([]byte, error) {
	if m.caFile != "" {
		ca, err := os.ReadFile(m.caFile)
		if err != nil {
			return nil, fmt.Errorf("--manager-ca: %w", err)
		}
		return ca, nil
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var hooks *admissionv1.ValidatingWebhookConfiguration
	if hooks, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, webhookSettings, metav1.GetOptions{}); err != nil {
		return nil, fmt.Errorf("finding the authority of the manager (or give --manager-ca): %w", err)
	}
	for _, h := range hooks.Webhooks {
		if len(h.ClientConfig.CABundle) > 0 {
			return h.ClientConfig.CABundle, nil
		}
	}
	return nil, errors.New("the webhook configuration " + webhookSettings + " has no authority yet: the manager has not started")
}

var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) `)

// forward runs kubectl port-forward, with the flags that this command was given, until stop.
func (m *manager) forward(ctx context.Context, cmd *cobra.Command) (address string, stop func(), err error) {
	args := []string{"port-forward", "--address", "127.0.0.1"}
	inherited := cmd.InheritedFlags()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "namespace" && inherited.Lookup(f.Name) != nil {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	args = append(args, "--namespace", m.namespace, "service/"+operatorService, ":443")
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, "kubectl", args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("running kubectl port-forward (or give --manager-url): %w", err)
	}
	timer := time.AfterFunc(forwardWithin, cancel)
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
			address = match[1]
		}
	}
	timer.Stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out) // a line for each connection
	}()
	stop = func() {
		cancel()
		<-drained
		_ = c.Wait()
	}
	if address == "" {
		stop()
		return "", nil, fmt.Errorf("kubectl port-forward to the manager (or give --manager-url) leads nowhere within %s: %s", forwardWithin, oneLine(stderr.String()))
	}
	return address, stop, nil
}
