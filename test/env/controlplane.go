package env

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime of service account tokens; longer than any environment lives.
const tokenLifetime = 365 * 24 * time.Hour

// ControlPlane is a running etcd, kube-apiserver and kube-controller-manager.
// RBAC is enforced, admission plugins are the defaults.
type ControlPlane struct {
	// Config is an administrator's client configuration.
	Config *rest.Config
	// Kubeconfig is the same as a file.
	Kubeconfig string
	// URL of the API server.
	URL string

	Etcd, APIServer, ControllerManager *Process

	env *Env
	dir string
	ca  *CA
}

// StartControlPlane starts an empty cluster without nodes. It takes about 5 s.
func (e *Env) StartControlPlane(ctx context.Context) (*ControlPlane, error) {
	e.say("starting the Kubernetes control plane")
	dir, err := e.partDir("kubernetes", "etcd")
	if err != nil {
		return nil, err
	}
	ca, err := e.CA()
	if err != nil {
		return nil, err
	}
	cp := &ControlPlane{env: e, dir: dir, ca: ca}
	for _, step := range []func(context.Context) error{cp.startEtcd, cp.startAPIServer, cp.startControllerManager} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, cp.Stop())
		}
	}
	return cp, nil
}

// Stop ends the cluster; its data are kept and found again by Restart of each
// process.
func (cp *ControlPlane) Stop() error {
	var errs []error
	for _, p := range []*Process{cp.ControllerManager, cp.APIServer, cp.Etcd} {
		if p != nil {
			errs = append(errs, p.Stop())
		}
	}
	return errors.Join(errs...)
}

func (cp *ControlPlane) startEtcd(ctx context.Context) error {
	bin, err := cp.env.kubeBinary("etcd")
	if err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	client, peer := "http://"+addrOf(ports[0]), "http://"+addrOf(ports[1])
	cp.URL = client
	cp.Etcd, err = cp.env.Start(ctx, Command{
		Name: "etcd", Path: bin,
		Args: []string{
			"--name=default", "--data-dir=" + filepath.Join(cp.dir, "etcd"), "--log-level=warn",
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			// The cluster is thrown away with the environment.
			"--unsafe-no-fsync",
		},
		Ready: func(ctx context.Context) error { return httpOK(ctx, http.DefaultClient, client+"/health") },
	})
	return err
}

func (cp *ControlPlane) startAPIServer(ctx context.Context) error {
	bin, err := cp.env.kubeBinary("kube-apiserver")
	if err != nil {
		return err
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	etcd := cp.URL
	cp.URL = "https://" + addrOf(port)
	cert, key, err := cp.ca.Issue("kube-apiserver", pkix.Name{CommonName: "kube-apiserver"},
		"kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	if err := cp.writeServiceAccountKeys(); err != nil {
		return err
	}
	if cp.Kubeconfig, err = cp.certKubeconfig("admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}); err != nil {
		return err
	}
	if cp.Config, err = clientcmd.BuildConfigFromFlags("", cp.Kubeconfig); err != nil {
		return err
	}
	// Tests and benchmarks are not to be slowed by the client's own brake.
	cp.Config.QPS = -1
	client, err := rest.HTTPClientFor(cp.Config)
	if err != nil {
		return err
	}
	cp.APIServer, err = cp.env.Start(ctx, Command{
		Name: "kube-apiserver", Path: bin,
		Args: []string{
			"--etcd-servers=" + etcd, "--bind-address=" + Loopback, "--secure-port=" + strconv.Itoa(port),
			// No pod reaches this server, and loopback makes no valid Endpoints.
			"--advertise-address=" + Loopback, "--endpoint-reconciler-type=none",
			"--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
			"--client-ca-file=" + cp.ca.File, "--tls-cert-file=" + cert, "--tls-private-key-file=" + key,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + cp.serviceAccountKey("pub"),
			"--service-account-signing-key-file=" + cp.serviceAccountKey("key"),
			"--allow-privileged=true", "--watch-cache=true",
		},
		Ready: func(ctx context.Context) error { return httpOK(ctx, client, cp.URL+"/readyz") },
	})
	return err
}

func (cp *ControlPlane) startControllerManager(ctx context.Context) error {
	bin, err := cp.env.kubeBinary("kube-controller-manager")
	if err != nil {
		return err
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	kubeconfig, err := cp.certKubeconfig("kube-controller-manager", pkix.Name{CommonName: "system:kube-controller-manager"})
	if err != nil {
		return err
	}
	cert, key, err := cp.ca.Issue("kube-controller-manager-serving", pkix.Name{CommonName: "kube-controller-manager"})
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(cp.Config)
	if err != nil {
		return err
	}
	namespaces, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return err
	}
	cp.ControllerManager, err = cp.env.Start(ctx, Command{
		Name: "kube-controller-manager", Path: bin,
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + Loopback, "--secure-port=" + strconv.Itoa(port),
			"--tls-cert-file=" + cert, "--tls-private-key-file=" + key,
			"--service-account-private-key-file=" + cp.serviceAccountKey("key"), "--root-ca-file=" + cp.ca.File,
			"--use-service-account-credentials", "--leader-elect=false",
		},
		Ready: func(ctx context.Context) error {
			if err := httpOK(ctx, client, "https://"+addrOf(port)+"/healthz"); err != nil {
				return err
			}
			// What a new namespace gets tells that the controllers work.
			_, err := namespaces.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
			return err
		},
	})
	return err
}

// TokenKubeconfig writes a kubeconfig that acts as a service account, with
// exactly its rights. The account must exist.
func (cp *ControlPlane) TokenKubeconfig(ctx context.Context, namespace, serviceAccount string) (string, error) {
	client, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return "", err
	}
	token, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, &authv1.TokenRequest{
		Spec: authv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime.Seconds()))},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of service account %s/%s: %w", namespace, serviceAccount, err)
	}
	return cp.writeKubeconfig(namespace+"-"+serviceAccount, namespace, &clientcmdapi.AuthInfo{Token: token.Status.Token})
}

func (cp *ControlPlane) certKubeconfig(name string, subject pkix.Name) (string, error) {
	cert, key, err := cp.ca.Issue(name, subject)
	if err != nil {
		return "", err
	}
	return cp.writeKubeconfig(name, "default", &clientcmdapi.AuthInfo{ClientCertificate: cert, ClientKey: key})
}

func (cp *ControlPlane) writeKubeconfig(name, namespace string, user *clientcmdapi.AuthInfo) (string, error) {
	file := filepath.Join(cp.dir, name+".kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["ringmaster"] = &clientcmdapi.Cluster{Server: cp.URL, CertificateAuthority: cp.ca.File}
	config.AuthInfos[name] = user
	config.Contexts["ringmaster"] = &clientcmdapi.Context{Cluster: "ringmaster", AuthInfo: name, Namespace: namespace}
	config.CurrentContext = "ringmaster"
	return file, clientcmd.WriteToFile(*config, file)
}

func (cp *ControlPlane) serviceAccountKey(kind string) string {
	return filepath.Join(cp.dir, "service-account."+kind)
}

func (cp *ControlPlane) writeServiceAccountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(cp.serviceAccountKey("key"), key); err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(cp.serviceAccountKey("pub"), "PUBLIC KEY", der, 0o644)
}

// kubeBinary finds a program of the control plane: in KUBEBUILDER_ASSETS when
// it is set and has it, else among those built from source.
func (e *Env) kubeBinary(name string) (string, error) {
	for _, dir := range []string{os.Getenv("KUBEBUILDER_ASSETS"), filepath.Join(e.checkout, "bin", "kube")} {
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is missing in bin/kube: run `make kube`", name)
}

func httpOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
