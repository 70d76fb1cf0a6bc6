// Package clientlog sends what agents' clients log to OpenTelemetry collectors, by OTLP over HTTP. Nobody waits for a collector: entries are queued for it, and
// what does not fit, or cannot be sent for a minute, is dropped and counted.
package clientlog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
)

// Config is where the entries of a center go.
type Config struct {
	// Endpoint is the URL of the collector; without a path /v1/logs.
	Endpoint string
	// Headers of every request.
	Headers map[string]string
	// RootCAs are certificates in PEM; "" are the system's.
	RootCAs string
	// Timeout of a request.
	Timeout time.Duration
	// QueueSize is how many entries wait at most.
	QueueSize int
}

// Entry is one line of a client's log.
type Entry struct {
	At time.Time
	// Level is Error, Warning, Info or Debug.
	Level, Message string
	// Attributes say who logged it.
	Attributes map[string]string
}

// Reasons of dropped entries.
const (
	ReasonQueueFull = "QueueFull"
	ReasonNotSent   = "NotSent"
)

// Exporters keeps one connection for each center.
type Exporters struct {
	log           *slog.Logger
	sent, dropped *prometheus.CounterVec

	ctx    context.Context
	stop   context.CancelFunc
	ending sync.WaitGroup

	mu      sync.Mutex
	centers map[string]*exporter
	closed  bool
}

// New makes Exporters, which work until the context of Run ends.
func New(r prometheus.Registerer, log *slog.Logger) *Exporters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "ringmaster", Subsystem: "client_logs", Name: name, Help: help}, append([]string{"namespace"}, labels...))
	}
	e := &Exporters{
		log: log, centers: map[string]*exporter{},
		sent:    counter("sent_total", "Entries of clients' logs that a collector took."),
		dropped: counter("dropped_total", "Entries of clients' logs that no collector got, by reason.", "reason"),
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	r.MustRegister(e.sent, e.dropped)
	return e
}

// Run waits for the end of ctx, and then, not for long, for what is queued.
func (e *Exporters) Run(ctx context.Context) error {
	<-ctx.Done()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.ending.Wait()
	return nil
}

// Keep queues entries and says how many there was room for. It does not wait.
func (e *Exporters) Keep(center string, cfg Config, entries []Entry) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return 0, errors.New("client logs: the manager stops")
	}
	x, ok := e.centers[center]
	if !ok || !reflect.DeepEqual(x.cfg, cfg) {
		next, err := e.start(center, cfg)
		if err != nil {
			return 0, err
		}
		if ok {
			x.stop() // it sends what it has
		}
		e.centers[center], x = next, next
	}
	queued := x.queue(entries)
	e.dropped.WithLabelValues(center, ReasonQueueFull).Add(float64(len(entries) - queued))
	return queued, nil
}

func (e *Exporters) start(center string, cfg Config) (*exporter, error) {
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	otlp, err := otlploghttp.New(e.ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("client logs: %w", err)
	}
	x := newExporter(center, cfg, otlp)
	x.log = e.log.With("namespace", center)
	x.sent, x.dropped = e.sent.WithLabelValues(center), e.dropped.WithLabelValues(center, ReasonNotSent)
	ctx, stop := context.WithCancel(e.ctx)
	x.stop = stop
	e.ending.Go(func() {
		defer stop()
		x.run(ctx)
	})
	return x, nil
}

func (c Config) options() ([]otlploghttp.Option, error) {
	options := []otlploghttp.Option{
		otlploghttp.WithEndpointURL(c.Endpoint), otlploghttp.WithHeaders(c.Headers), otlploghttp.WithTimeout(c.Timeout),
		otlploghttp.WithCompression(otlploghttp.GzipCompression),
		// What a collector that is busy asks for. One that is away is the exporter's affair.
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: firstWait, MaxInterval: longestWait, MaxElapsedTime: patience}),
	}
	scheme, rest, _ := strings.Cut(c.Endpoint, "://")
	if !strings.Contains(rest, "/") {
		options = append(options, otlploghttp.WithURLPath("/v1/logs"))
	}
	if scheme != "https" {
		return options, nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.RootCAs != "" {
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM([]byte(c.RootCAs)) {
			return nil, errors.New("client logs: the CA bundle of the collector has no certificate")
		}
	}
	return append(options, otlploghttp.WithTLSClientConfig(settings)), nil
}
