package clientlog

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector: it decodes what it gets.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	requests []*collector.ExportLogsServiceRequest
	headers  []http.Header
	paths    []string
	status   int           // of answers; 0 is OK
	silent   chan struct{} // no answer before it is closed
}

func receive(t *testing.T, start func(*httptest.Server)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		status, silent := r.status, r.silent
		r.mu.Unlock()
		if silent != nil {
			select {
			case <-silent:
			case <-req.Context().Done():
				return
			}
		}
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			t.Errorf("body: %v", err)
			return
		}
		body, err := io.ReadAll(unzipped)
		message := &collector.ExportLogsServiceRequest{}
		if err != nil || proto.Unmarshal(body, message) != nil || req.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("not OTLP: %v", err)
		}
		if status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write(body) // a collector that repeats what it was sent
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests, r.headers, r.paths = append(r.requests, message), append(r.headers, req.Header), append(r.paths, req.URL.Path)
	}))
	start(r.Server)
	t.Cleanup(r.Close)
	return r
}

// entries are what was received, as "severity body attributes".
func (r *receiver) entries() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, request := range r.requests {
		for _, of := range request.ResourceLogs {
			for _, scope := range of.ScopeLogs {
				for _, l := range scope.LogRecords {
					lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%s", pairs(of.Resource.Attributes), l.SeverityText, l.Body.GetStringValue(),
						time.Unix(0, int64(l.TimeUnixNano)).UTC().Format(time.RFC3339), pairs(l.Attributes)))
				}
			}
		}
	}
	return lines
}

func (r *receiver) answer(status int) { r.mu.Lock(); defer r.mu.Unlock(); r.status = status }

func pairs(list []*common.KeyValue) string {
	var texts []string
	for _, kv := range list {
		texts = append(texts, kv.Key+"="+kv.Value.GetStringValue())
	}
	return strings.Join(texts, ",")
}

// rig are Exporters that run; stop ends them and waits.
type rig struct {
	Gomega
	*Exporters
	registry *prometheus.Registry
	stop     func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		// The exporter's transport keeps connections for its own time.
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	})
	registry := prometheus.NewRegistry()
	r := &rig{Gomega: NewWithT(t), Exporters: New(registry, slog.New(slog.DiscardHandler)), registry: registry}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(r.stop)
	return r
}

// counted are the counters by name, center and reason.
func (r *rig) counted() map[string]float64 {
	families, err := r.registry.Gather()
	r.Expect(err).NotTo(HaveOccurred())
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "ringmaster_client_logs_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	return got
}

func config(endpoint string) Config {
	return Config{Endpoint: endpoint, Headers: map[string]string{}, Timeout: 2 * time.Second, QueueSize: 100}
}

var at = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

func lines(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{At: at, Level: "Info", Message: fmt.Sprint("line ", i)}
	}
	return list
}

func TestEntriesReachTheCollector(t *testing.T) {
	r := newRig(t)
	server := receive(t, (*httptest.Server).StartTLS)
	cfg := config(server.URL)
	cfg.Headers["Authorization"] = "Bearer hunter2"
	cfg.RootCAs = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	n, err := r.Keep("support", cfg, []Entry{
		{At: at, Level: "Error", Message: "lost\nthe line", Attributes: map[string]string{"ringmaster.scope": "Phone", "ringmaster.agent": "alice"}},
		{At: at, Level: "Warning", Message: "w"}, {At: at, Level: "Info", Message: "i"}, {At: at, Level: "Debug", Message: "d"},
	})
	r.Expect(n, err).To(Equal(4))
	r.Eventually(server.entries, 10*time.Second, 10*time.Millisecond).Should(HaveLen(4))
	const about = "service.name=ringmaster-client,service.namespace=support"
	if diff := cmp.Diff([]string{
		about + "|Error|lost\nthe line|2026-01-31T08:00:00Z|ringmaster.agent=alice,ringmaster.scope=Phone", about + "|Warning|w|2026-01-31T08:00:00Z|",
		about + "|Info|i|2026-01-31T08:00:00Z|", about + "|Debug|d|2026-01-31T08:00:00Z|",
	}, server.entries()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Expect(server.headers[0].Get("Authorization")).To(Equal("Bearer hunter2"))
	r.Expect(server.paths).To(Equal([]string{"/v1/logs"}))
	r.Eventually(r.counted, 5*time.Second, 10*time.Millisecond).Should(Equal(map[string]float64{"sent_total support": 4, "dropped_total support NotSent": 0, "dropped_total support QueueFull": 0}))

	// Another configuration holds from the next entry on, and each center has its own.
	plain := receive(t, (*httptest.Server).Start)
	_, err = r.Keep("support", config(plain.URL+"/in/logs"), lines(1))
	r.Expect(err).NotTo(HaveOccurred())
	r.Eventually(plain.entries, 10*time.Second, 10*time.Millisecond).Should(HaveLen(1))
	r.Expect(plain.paths).To(Equal([]string{"/in/logs"}))
	// What is queued when the manager stops is sent.
	_, err = r.Keep("sales", config(plain.URL), lines(3))
	r.Expect(err).NotTo(HaveOccurred())
	r.stop()
	r.Expect(plain.entries()).To(HaveLen(4))
	r.Expect(server.entries()).To(HaveLen(4))
	_, err = r.Keep("support", cfg, lines(1))
	r.Expect(err).To(HaveOccurred(), "after the end")
}

// A collector that does not answer holds up nobody, and no more waits for it than there is room for.
func TestSilentCollector(t *testing.T) {
	r := newRig(t)
	server := receive(t, (*httptest.Server).Start)
	server.silent = make(chan struct{})
	cfg, kept := config(server.URL), 0
	cfg.Timeout = 30 * time.Second
	begin := time.Now()
	for range 30 {
		n, err := r.Keep("support", cfg, lines(100))
		r.Expect(err).NotTo(HaveOccurred())
		kept += n
	}
	r.Expect(time.Since(begin)).To(BeNumerically("<", 5*time.Second))
	// The queue and the batch under way.
	r.Expect(kept).To(And(BeNumerically(">=", 100), BeNumerically("<=", 100+maxBatch)))
	r.Expect(r.counted()["dropped_total support QueueFull"]).To(BeEquivalentTo(3000 - kept))
	close(server.silent)
	r.Eventually(server.entries, 10*time.Second, 10*time.Millisecond).Should(HaveLen(kept))
}

// A collector that is away is tried again; what one refuses is not, and is counted.
func TestCollectorThatIsAway(t *testing.T) {
	r := newRig(t)
	server := receive(t, (*httptest.Server).Start)
	server.answer(http.StatusBadRequest)
	_, err := r.Keep("support", config(server.URL), lines(5))
	r.Expect(err).NotTo(HaveOccurred())
	r.Eventually(func() float64 { return r.counted()["dropped_total support NotSent"] }, 10*time.Second, 10*time.Millisecond).Should(BeEquivalentTo(5))
	server.answer(http.StatusServiceUnavailable)
	_, err = r.Keep("support", config(server.URL), lines(7))
	r.Expect(err).NotTo(HaveOccurred())
	time.AfterFunc(time.Second, func() { server.answer(0) })
	r.Eventually(server.entries, 20*time.Second, 10*time.Millisecond).Should(HaveLen(7))

	gone := receive(t, (*httptest.Server).Start)
	address := gone.Listener.Addr().String()
	gone.Close()
	_, err = r.Keep("sales", config("http://"+address), lines(9))
	r.Expect(err).NotTo(HaveOccurred())
	begin := time.Now()
	r.stop()
	r.Expect(time.Since(begin)).To(BeNumerically("<", lastWords+2*time.Second), "it does not hold up the end")
	r.Expect(r.counted()["dropped_total sales NotSent"]).To(BeEquivalentTo(9))
}

func TestCollectorWithAnotherCertificate(t *testing.T) {
	r := newRig(t)
	server := receive(t, (*httptest.Server).StartTLS)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	_, err := r.Keep("support", config(server.URL), lines(1))
	r.Expect(err).NotTo(HaveOccurred())
	r.stop()
	r.Expect(server.entries()).To(BeEmpty())
	r.Expect(r.counted()["dropped_total support NotSent"]).To(BeEquivalentTo(1))
	bad := config(server.URL)
	bad.RootCAs = "none"
	_, err = newRig(t).Keep("support", bad, lines(1))
	r.Expect(err).To(MatchError(ContainSubstring("no certificate")))
}
