// Package servingcert keeps the certificate that Ringmaster's own servers show (admission webhooks, the PBX link, the
// desk) and the authority that signs it. Both live in one Secret that every replica reads; whichever replica finds
// something due writes it, and optimistic locking makes the others take that over. Nothing is mounted, nothing needs a
// restart, and no other component is involved.
//
// Deleting the Secret replaces the authority at once, for the case that its key became known: clients then have to be
// given the new bundle. Otherwise the bundle holds old and new authority for two years.
package servingcert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups="",namespace=ringmaster-system,resources=secrets,verbs=get;create;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=ringmaster-validation,verbs=get;patch

// DefaultPollInterval between looks at the Secret.
const DefaultPollInterval = time.Minute

// writeAttempts bounds how often a write that lost to another replica is tried again.
const writeAttempts = 10

// Options of a Rotator.
type Options struct {
	// Client reads and writes without a cache. Required.
	Client client.Client
	// Namespace and SecretName of the Secret. Required.
	Namespace, SecretName string
	// DNSNames and IPs that the certificate is valid for. They must be the same in every replica, so they are those of the
	// Service, never of a Pod: replicas that disagree would replace each other's certificates.
	DNSNames []string
	IPs      []net.IP
	// WebhookConfigurations whose webhooks are given the bundle. One that does not exist is left alone until it does.
	WebhookConfigurations []string
	// PollInterval between looks at the Secret and the webhook configurations. Default DefaultPollInterval.
	PollInterval time.Duration
	// Clock. Default: the system's.
	Clock clock.WithTicker
	// Logger. Default: slog.Default.
	Logger *slog.Logger
}

// Rotator serves the present certificate and renews it.
type Rotator struct {
	options Options
	names   names

	mu        sync.Mutex
	leaf      *tls.Certificate
	bundle    []byte
	listeners []func()
}

// New makes a Rotator that knows nothing yet; Ensure comes next.
func New(o Options) *Rotator {
	if o.PollInterval <= 0 {
		o.PollInterval = DefaultPollInterval
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Rotator{options: o, names: names{dns: o.DNSNames, ips: o.IPs}}
}

// Ensure reads the Secret, writes what is missing or due, takes the result over and gives the bundle to the webhook
// configurations. After the first success GetCertificate and CABundle answer.
func (r *Rotator) Ensure(ctx context.Context) error {
	m, err := r.ensureSecret(ctx)
	if err != nil {
		return fmt.Errorf("serving certificate in Secret %s/%s: %w", r.options.Namespace, r.options.SecretName, err)
	}
	r.adopt(m)
	var errs []error
	for _, name := range r.options.WebhookConfigurations {
		if err := r.inject(ctx, name, m.bundle()); err != nil {
			errs = append(errs, fmt.Errorf("CA bundle of ValidatingWebhookConfiguration %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Start looks at the Secret every PollInterval until the context ends. A failure is logged and tried again: the present
// certificate is good for months. It implements manager.Runnable.
func (r *Rotator) Start(ctx context.Context) error {
	ticker := r.options.Clock.NewTicker(r.options.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		if err := r.Ensure(ctx); err != nil && ctx.Err() == nil {
			r.options.Logger.Error("serving certificate is not up to date", "error", err)
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica serves.
func (r *Rotator) NeedLeaderElection() bool { return false }

// GetCertificate is for tls.Config. It fails until Ensure succeeded once.
func (r *Rotator) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaf == nil {
		return nil, errors.New("there is no serving certificate yet")
	}
	return r.leaf, nil
}

// CABundle is what clients have to trust, in PEM; nil until Ensure succeeded once.
func (r *Rotator) CABundle() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.bundle)
}

// OnChange calls f after the certificate or the bundle changed, the first time included, from the goroutine of Ensure or
// Start. f must return soon.
func (r *Rotator) OnChange(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, f)
}

func (r *Rotator) adopt(m material) {
	bundle := m.bundle()
	r.mu.Lock()
	if r.leaf != nil && bytes.Equal(r.leaf.Certificate[0], m.leaf.Certificate[0]) && bytes.Equal(r.bundle, bundle) {
		r.mu.Unlock()
		return
	}
	r.leaf, r.bundle = m.leaf, bundle
	listeners := slices.Clone(r.listeners)
	r.mu.Unlock()

	r.options.Logger.Info("serving certificate in use", "serial", m.leaf.Leaf.SerialNumber.Text(16),
		"notAfter", m.leaf.Leaf.NotAfter, "authorities", len(m.authorities))
	for _, f := range listeners {
		f()
	}
}

func (r *Rotator) ensureSecret(ctx context.Context) (material, error) {
	var err error
	for range writeAttempts {
		var m material
		if m, err = r.tryEnsureSecret(ctx); err == nil {
			return m, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return material{}, err
		}
	}
	return material{}, err
}

// tryEnsureSecret fails with Conflict, AlreadyExists or NotFound when another replica, or a deletion, was quicker.
func (r *Rotator) tryEnsureSecret(ctx context.Context) (material, error) {
	secret := &corev1.Secret{}
	err := r.options.Client.Get(ctx, client.ObjectKey{Namespace: r.options.Namespace, Name: r.options.SecretName}, secret)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return material{}, err
	}
	m, changed, err := parse(secret.Data).renewed(r.options.Clock.Now(), r.names)
	if err != nil || !changed {
		return m, err
	}
	data, err := m.encode()
	if err != nil {
		return material{}, err
	}
	if missing {
		return m, r.options.Client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.options.Namespace, Name: r.options.SecretName},
			Type:       corev1.SecretTypeOpaque,
			Data:       data,
		})
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, data)
	return m, r.options.Client.Update(ctx, secret)
}

// inject gives the bundle to every webhook of a configuration, and writes only what differs.
func (r *Rotator) inject(ctx context.Context, name string, bundle []byte) error {
	var configuration admissionv1.ValidatingWebhookConfiguration
	if err := r.options.Client.Get(ctx, client.ObjectKey{Name: name}, &configuration); err != nil {
		return client.IgnoreNotFound(err)
	}
	before := configuration.DeepCopy()
	changed := false
	for i := range configuration.Webhooks {
		if config := &configuration.Webhooks[i].ClientConfig; !bytes.Equal(config.CABundle, bundle) {
			config.CABundle, changed = bundle, true
		}
	}
	if !changed {
		return nil
	}
	// By name of the webhook, so that a webhook somebody adds at this moment stays.
	return r.options.Client.Patch(ctx, &configuration, client.StrategicMergeFrom(before))
}
