package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/controllers"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/servingcert"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// managerOptions are the flags of the manager.
type managerOptions struct {
	store                         string
	namespace                     string
	linkAddress, linkServer       string
	deskAddress, operatorAddress  string
	webhookHost                   string
	webhookPort                   int
	metricsAddress, healthAddress string
	secureMetrics                 bool
	leaderElect                   bool
	certSecret                    string
	certNames                     []string
	certIPs                       []net.IP
	origins                       []string
	clientLogs                    string
	workerGroups                  []string
	qps                           float32
	verbose                       bool
}

func managerCommand() *cobra.Command {
	var o managerOptions
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run controllers, admission, PBX link, mail workers, routing and the desk API",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runManager(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.store, "store", "sqlite:///var/lib/ringmaster/store.db", "where presence, interactions and messages are kept: sqlite:///path (one replica) or postgres://…; the environment variable RINGMASTER_STORE comes first")
	f.StringVar(&o.namespace, "namespace", "ringmaster-system", "namespace of the manager itself: its certificate and its leader lease")
	f.StringVar(&o.linkAddress, "link-bind-address", ":9443", "where pbxlets connect (gRPC over TLS)")
	f.StringVar(&o.linkServer, "link-advertised-address", "ringmaster-link.ringmaster-system.svc:9443", "address that pbxlets are told to dial, host:port")
	f.StringVar(&o.deskAddress, "desk-bind-address", ":8443", "where agents' clients connect (HTTPS)")
	f.StringVar(&o.operatorAddress, "operator-bind-address", ":8445", "where kubectl ringmaster asks for interactions (HTTPS), as users the API server knows; 0 turns it off")
	f.StringVar(&o.webhookHost, "webhook-bind-host", "", "address the admission webhooks listen on (default: every one)")
	f.IntVar(&o.webhookPort, "webhook-port", 9444, "port the admission webhooks listen on")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 turns them off")
	f.BoolVar(&o.secureMetrics, "metrics-secure", true, "serve metrics over TLS, to callers the API server authorises")
	f.StringVar(&o.healthAddress, "health-bind-address", ":8081", "where /healthz and /readyz are served")
	f.BoolVar(&o.leaderElect, "leader-elect", true, "let one replica at a time reconcile and hold the PBX link; on SQLite there is only one, and no election")
	f.StringVar(&o.certSecret, "certificate-secret", "ringmaster-certificate", "Secret in --namespace with the manager's own authority and certificate; made when absent")
	f.StringSliceVar(&o.certNames, "certificate-name", []string{"ringmaster-webhook.ringmaster-system.svc", "ringmaster-link.ringmaster-system.svc", "ringmaster-desk.ringmaster-system.svc",
		"ringmaster-operator.ringmaster-system.svc", "ringmaster-metrics.ringmaster-system.svc"}, "DNS names of that certificate")
	f.IPSliceVar(&o.certIPs, "certificate-ip", nil, "IP addresses of that certificate")
	f.StringSliceVar(&o.origins, "desk-allowed-origin", nil, "web origin whose pages may call the desk API, scheme://host[:port]")
	f.StringVar(&o.clientLogs, "client-log-directory", "", "where logs of agents' clients are kept for centers with clientLogs.sink Volume; without it they are refused")
	f.StringSliceVar(&o.workerGroups, "worker-group", nil, "work on the EmailAccounts whose placement.workerGroup is this one, may be repeated; without it on those that name none")
	f.Float32Var(&o.qps, "kube-api-qps", 500, "requests a second to the API server")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log details")
	return cmd
}

// logOptions leave details out unless somebody asked for them.
func logOptions(verbose bool) *slog.HandlerOptions {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return &slog.HandlerOptions{Level: level}
}

func runManager(ctx context.Context, o managerOptions) error {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, logOptions(o.verbose)))
	slog.SetDefault(logger)
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	config.QPS, config.Burst = o.qps, int(2*o.qps)
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	cert, err := certificate(ctx, config, scheme, o, logger)
	if err != nil {
		return err
	}
	url := o.store
	if fromEnv := os.Getenv("RINGMASTER_STORE"); fromEnv != "" {
		url = fromEnv
	}
	db, err := store.Open(ctx, url, store.WithFlowMail(message.Flows{}))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()

	// The lock of the database file already keeps a second manager out; without a lease to lose, desks and mail go on while the API
	// server is away.
	o.leaderElect = o.leaderElect && !strings.HasPrefix(url, "sqlite:")
	mgr, err := newManager(config, scheme, cert, o)
	if err != nil {
		return err
	}
	if err := assemble(ctx, mgr, db, cert, o, logger); err != nil {
		return err
	}
	logger.Info("ringmaster starts", "version", version)
	return mgr.Start(ctx)
}

// certificate makes or reads the manager's own certificate before anything listens.
func certificate(ctx context.Context, config *rest.Config, scheme *runtime.Scheme, o managerOptions, logger *slog.Logger) (*servingcert.Rotator, error) {
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	cert := servingcert.New(servingcert.Options{
		Client: direct, Namespace: o.namespace, SecretName: o.certSecret, DNSNames: o.certNames, IPs: o.certIPs,
		WebhookConfigurations: []string{admission.ConfigurationName}, Logger: logger,
	})
	return cert, cert.Ensure(ctx)
}

func newManager(config *rest.Config, scheme *runtime.Scheme, cert *servingcert.Rotator, o managerOptions) (ctrl.Manager, error) {
	labelled, err := labels.NewRequirement(v1alpha1.CredentialLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	content, err := labels.NewRequirement(v1alpha1.ContentLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	tlsOptions := func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS12
		c.GetCertificate = cert.GetCertificate
	}
	metricsOptions := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: o.secureMetrics, TLSOpts: []func(*tls.Config){tlsOptions}}
	if o.secureMetrics {
		metricsOptions.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	grace := 20 * time.Second
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}:    {Label: labels.NewSelector().Add(*labelled)},
				&corev1.ConfigMap{}: {Label: labels.NewSelector().Add(*content)},
			},
		},
		WebhookServer:                 webhook.NewServer(webhook.Options{Host: o.webhookHost, Port: o.webhookPort, TLSOpts: []func(*tls.Config){tlsOptions}}),
		Metrics:                       metricsOptions,
		HealthProbeBindAddress:        o.healthAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "ringmaster-manager",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &grace,
	})
}

// +kubebuilder:rbac:groups="",namespace=ringmaster-system,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=ringmaster-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="",namespace=kube-system,resources=configmaps,resourceNames=extension-apiserver-authentication,verbs=get;list;watch

// assemble adds every part to the manager.
func assemble(ctx context.Context, mgr ctrl.Manager, db *store.DB, cert *servingcert.Rotator, o managerOptions, logger *slog.Logger) error {
	observer := controllers.NewObserver(db)
	link := pbxlink.NewServer(pbxlink.Options{
		Authenticate: controllers.LinkTokens{Reader: mgr.GetClient()}.Authenticate, Observer: observer, Logger: logger.With("part", "link"),
	})
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding the host's name: %w", err)
	}
	holder := host + "/" + uuid.NewString()
	workers := mail.NewSupervisor(db, mail.Options{Holder: holder, Log: logger.With("part", "mail"), Registerer: metrics.Registry,
		Vault: controllers.TokenVault{Reader: mgr.GetAPIReader(), Writer: mgr.GetClient()}})
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Store: db, Link: link, Observer: observer, LinkServer: o.linkServer, CABundle: cert.CABundle, OnCAChange: cert.OnChange,
		Workers: workers, WorkerGroups: o.workerGroups, Holder: holder,
	})
	if err != nil {
		return err
	}
	if err := admission.SetupWebhooks(mgr, admission.Checker{Reader: mgr.GetClient()}); err != nil {
		return err
	}
	if err := routing.RegisterMetrics(metrics.Registry); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	figures := controllers.NewFigures(db)
	for _, c := range []prometheus.Collector{figures, controllers.AgentMetrics{Reader: mgr.GetClient()}, controllers.StatusMetrics{Reader: mgr.GetClient()}} {
		if err := metrics.Registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	if err := mgr.Add(figures); err != nil {
		return err
	}
	router := routing.NewWorker(db, logger.With("part", "routing"))
	for _, part := range []everywhere{cert.Start, workers.Run, router.Run, housekeeping(db, logger)} {
		if err := mgr.Add(part); err != nil {
			return err
		}
	}
	if err := serveDesk(mgr, db, cert, o, logger); err != nil {
		return err
	}
	if err := serveOperators(mgr, db, workers, cert, o, logger); err != nil {
		return err
	}
	if err := mgr.Add(linkServer{address: o.linkAddress, link: link, cert: cert}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("store", readiness(mgr, db))
}
