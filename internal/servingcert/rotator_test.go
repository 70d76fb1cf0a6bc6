package servingcert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

func newClient(t *testing.T) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(env.Control(t).Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "servingcert-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

func options(c client.Client, namespace string, clock *testclock.FakeClock) Options {
	return Options{
		Client: c, Namespace: namespace, SecretName: "ringmaster-tls",
		DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
		Clock: clock, Logger: slog.New(slog.DiscardHandler),
	}
}

// serve answers TLS connections with the rotator's certificate.
func serve(t *testing.T, r *Rotator) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: r.GetCertificate, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn) // The handshake happens in the first read; the client hangs up.
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		done.Wait()
	})
	return listener.Addr().String()
}

// served connects as a client that trusts bundle and returns the serial number of the certificate it is shown.
func served(address string, bundle []byte, now time.Time) (string, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, Time: func() time.Time { return now }})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Text(16), nil
}

func TestRotationIsServed(t *testing.T) {
	c := newClient(t)
	namespace := newNamespace(t, c)
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	g := NewWithT(t)
	clock := testclock.NewFakeClock(time.Now())
	o := options(c, namespace, clock)
	r := New(o)
	var changes atomic.Int32
	r.OnChange(func() { changes.Add(1) })

	if _, err := r.GetCertificate(nil); err == nil {
		t.Error("a certificate before Ensure")
	}
	g.Expect(r.Ensure(t.Context())).To(Succeed())
	g.Expect(r.Ensure(t.Context())).To(Succeed())
	g.Expect(changes.Load()).To(BeEquivalentTo(1))
	address, bundle := serve(t, r), r.CABundle()
	first, err := served(address, bundle, clock.Now())
	g.Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	g.Eventually(clock.HasWaiters).Should(BeTrue())

	// Two thirds of the certificate's life later the loop replaces it; clients keep what they trust.
	clock.Step(CertificateLifetime/3*2 + time.Hour)
	g.Eventually(func() (string, error) { return served(address, bundle, clock.Now()) }).ShouldNot(Equal(first))
	second, err := served(address, bundle, clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.CABundle()).To(Equal(bundle))

	// A certificate that another replica wrote is taken over.
	other := New(o)
	other.options.DNSNames = append(other.options.DNSNames, "desk.example.com")
	other.names.dns = other.options.DNSNames
	g.Expect(other.Ensure(t.Context())).To(Succeed())
	clock.Step(DefaultPollInterval)
	g.Eventually(func() (string, error) { return served(address, bundle, clock.Now()) }).ShouldNot(Equal(second))

	// Deleting the Secret is the emergency: a new authority at once, which old clients refuse.
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: o.SecretName}}
	g.Expect(c.Delete(t.Context(), secret)).To(Succeed())
	clock.Step(DefaultPollInterval)
	g.Eventually(func() error { _, err := served(address, bundle, clock.Now()); return err }).Should(HaveOccurred())
	_, err = served(address, r.CABundle(), clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(changes.Load()).To(BeEquivalentTo(4))
}

func TestReplicasAgree(t *testing.T) {
	c := newClient(t)
	namespace := newNamespace(t, c)
	clock := testclock.NewFakeClock(time.Now())
	replicas := make([]*Rotator, 8)
	for i := range replicas {
		replicas[i] = New(options(c, namespace, clock))
	}
	for _, step := range []time.Duration{0, CertificateLifetime / 3 * 2, AuthorityLifetime} {
		clock.Step(step)
		var all sync.WaitGroup
		for _, r := range replicas {
			all.Go(func() {
				if err := r.Ensure(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, r := range replicas[1:] {
			if !bytes.Equal(r.CABundle(), replicas[0].CABundle()) || r.leaf == nil || !r.leaf.Leaf.Equal(replicas[0].leaf.Leaf) {
				t.Fatalf("replicas differ after %s", step)
			}
		}
	}
}

func TestSecretIsRepairedInPlace(t *testing.T) {
	c := newClient(t)
	namespace := newNamespace(t, c)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ringmaster-tls", Labels: map[string]string{"kept": "yes"}},
		Data:       map[string][]byte{"kept": []byte("yes"), BundleKey: []byte("garbage")},
	}
	if err := c.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	r := New(options(c, namespace, testclock.NewFakeClock(time.Now())))
	if err := r.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	if secret.Labels["kept"] != "yes" || string(secret.Data["kept"]) != "yes" {
		t.Error("what is not ours was lost")
	}
	if !bytes.Equal(secret.Data[BundleKey], r.CABundle()) {
		t.Error("the Secret holds another bundle than the replica")
	}
}

func TestBundleReachesWebhooks(t *testing.T) {
	c := newClient(t)
	namespace := newNamespace(t, c)
	hook := func(name string) admissionv1.ValidatingWebhook {
		return admissionv1.ValidatingWebhook{
			Name:                    name,
			ClientConfig:            admissionv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/" + name)},
			SideEffects:             new(admissionv1.SideEffectClassNone),
			FailurePolicy:           new(admissionv1.Ignore),
			AdmissionReviewVersions: []string{"v1"},
		}
	}
	configuration := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks:   []admissionv1.ValidatingWebhook{hook("a.example.com"), hook("b.example.com")},
	}
	o := options(c, namespace, testclock.NewFakeClock(time.Now()))
	o.WebhookConfigurations = []string{namespace, namespace + "-absent"}
	r := New(o)
	if err := r.Ensure(t.Context()); err != nil {
		t.Fatalf("a configuration that is not there: %v", err)
	}
	if err := c.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(t.Context()), configuration); err != nil {
			t.Error(err)
		}
	})
	get := func() *admissionv1.ValidatingWebhookConfiguration {
		t.Helper()
		var got admissionv1.ValidatingWebhookConfiguration
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(configuration), &got); err != nil {
			t.Fatal(err)
		}
		return &got
	}
	ensure := func() {
		t.Helper()
		if err := r.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	ensure()
	want := configuration.DeepCopy()
	for i := range want.Webhooks {
		want.Webhooks[i].ClientConfig.CABundle = r.CABundle()
	}
	got := get()
	if diff := cmp.Diff(want.Webhooks, got.Webhooks); diff != "" {
		t.Errorf("webhooks (-want +got):\n%s", diff)
	}

	ensure()
	if again := get(); again.ResourceVersion != got.ResourceVersion {
		t.Error("an unchanged bundle was written again")
	}

	// Somebody applies the manifest anew, without a bundle and with one webhook more.
	got.Webhooks = []admissionv1.ValidatingWebhook{hook("a.example.com"), hook("c.example.com")}
	if err := c.Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	ensure()
	for _, w := range get().Webhooks {
		if !bytes.Equal(w.ClientConfig.CABundle, r.CABundle()) {
			t.Errorf("%s has no bundle", w.Name)
		}
	}
}

func TestOutageKeepsTheCertificate(t *testing.T) {
	c := newClient(t)
	namespace := newNamespace(t, c)
	var down atomic.Bool
	outage := errors.New("connection refused")
	flaky := interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if down.Load() {
				return outage
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	r := New(options(flaky, namespace, testclock.NewFakeClock(time.Now())))
	down.Store(true)
	if err := r.Ensure(t.Context()); !errors.Is(err, outage) {
		t.Fatalf("Ensure without an API server: %v", err)
	}
	if r.CABundle() != nil {
		t.Error("a bundle that nobody stored")
	}
	down.Store(false)
	if err := r.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	if err := r.Ensure(t.Context()); !errors.Is(err, outage) {
		t.Fatalf("Ensure without an API server: %v", err)
	}
	if _, err := r.GetCertificate(nil); err != nil {
		t.Errorf("the certificate was dropped: %v", err)
	}
}
