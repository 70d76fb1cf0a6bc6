package clientlog

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

const (
	// maxBatch entries in a request, about 2 MB of the longest.
	maxBatch = 512
	// gathering is how long a batch waits for more.
	gathering = 500 * time.Millisecond
	// patience with a collector that does not answer, for each batch.
	patience = time.Minute
	// firstWait and longestWait between tries.
	firstWait, longestWait = time.Second, 10 * time.Second
	// lastWords is how long the queue may still be sent when the exporter ends.
	lastWords = 3 * time.Second
)

// exporter sends the entries of one center.
type exporter struct {
	cfg           Config
	log           *slog.Logger
	sent, dropped prometheus.Counter
	stop          context.CancelFunc

	otlp    sdklog.Exporter
	logger  log.Logger
	waiting chan sdklog.Record
	queued  int // by the present call of queue
}

func newExporter(center string, cfg Config, otlp sdklog.Exporter) *exporter {
	x := &exporter{cfg: cfg, otlp: otlp, waiting: make(chan sdklog.Record, cfg.QueueSize)}
	about := resource.NewSchemaless(attribute.String("service.name", "ringmaster-client"), attribute.String("service.namespace", center))
	x.logger = sdklog.NewLoggerProvider(sdklog.WithResource(about), sdklog.WithProcessor(x)).Logger("ringmaster/client")
	return x
}

var severities = map[string]log.Severity{"Error": log.SeverityError, "Warning": log.SeverityWarn, "Info": log.SeverityInfo, "Debug": log.SeverityDebug}

// queue is called by one goroutine at a time.
func (x *exporter) queue(entries []Entry) int {
	x.queued = 0
	now := time.Now()
	for _, e := range entries {
		var r log.Record
		r.SetTimestamp(e.At)
		r.SetObservedTimestamp(now)
		r.SetSeverity(severities[e.Level])
		r.SetSeverityText(e.Level)
		r.SetBody(attribute.StringValue(e.Message))
		for _, key := range slices.Sorted(maps.Keys(e.Attributes)) {
			r.AddAttributes(attribute.String(key, e.Attributes[key]))
		}
		x.logger.Emit(context.Background(), r)
	}
	return x.queued
}

// OnEmit implements sdklog.Processor.
func (x *exporter) OnEmit(_ context.Context, r *sdklog.Record) error {
	select {
	case x.waiting <- r.Clone():
		x.queued++
	default:
	}
	return nil
}

// Enabled implements sdklog.Processor.
func (x *exporter) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// Shutdown implements sdklog.Processor; run ends by its context.
func (x *exporter) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdklog.Processor.
func (x *exporter) ForceFlush(context.Context) error { return nil }

// run sends until ctx ends, and then what is left.
func (x *exporter) run(ctx context.Context) {
	sending, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, end) })()
	for {
		batch := x.gather(ctx)
		if len(batch) == 0 {
			break
		}
		if err := x.send(sending, batch); err != nil {
			x.dropped.Add(float64(len(batch)))
			x.log.Warn("entries of clients' logs were not sent", "entries", len(batch), "error", err)
			continue
		}
		x.sent.Add(float64(len(batch)))
	}
	_ = x.otlp.Shutdown(sending)
}

// gather waits for the first entry and takes what comes soon after it. After the end of ctx it takes what is there; nothing is the end.
func (x *exporter) gather(ctx context.Context) []sdklog.Record {
	var batch []sdklog.Record
	select {
	case r := <-x.waiting:
		batch = append(batch, r)
	case <-ctx.Done():
	}
	timer := time.NewTimer(gathering)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case r := <-x.waiting:
			batch = append(batch, r)
			continue
		default:
		}
		if ctx.Err() != nil {
			return batch
		}
		select {
		case r := <-x.waiting:
			batch = append(batch, r)
		case <-timer.C:
			return batch
		case <-ctx.Done():
		}
	}
	return batch
}

var (
	errRefused = errors.New("the collector does not take them")
	errAway    = errors.New("the collector cannot be reached")
)

// send tries for a while. What the collector answers is not repeated: it may repeat what it was sent.
func (x *exporter) send(ctx context.Context, batch []sdklog.Record) error {
	until := time.Now().Add(patience)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := x.otlp.Export(ctx, batch)
		var away *url.Error
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &away) && !errors.Is(err, context.DeadlineExceeded):
			return errRefused
		case ctx.Err() != nil || time.Now().Add(wait).After(until):
			return errAway
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errAway
		}
	}
}
