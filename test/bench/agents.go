package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	mib = 1 << 20
	// quietWindow without a write is when the idle minute begins; the statuses that follow runtime state do so within ten
	// seconds.
	quietWindow = 15 * time.Second
	// quietPatience is for a center that never comes to rest; what it writes is then the figure.
	quietPatience = 3 * time.Minute
)

// measureAgents tells how the center was made, and then looks at it while nothing happens.
func (b *bench) measureAgents(ctx context.Context, c *center) error {
	work := fmt.Sprintf("%d agents applied", c.agents)
	b.report.add(work, "all Ready ÷ created without a manager", c.ready.Seconds()/c.withoutManager.Seconds(), "x", atMost(3))
	b.report.add(work, "created without a manager", c.withoutManager.Seconds(), "s", nil)
	b.report.add(work, "created with manager and PBX", c.created.Seconds(), "s", nil)
	b.report.add(work, "all Ready", c.ready.Seconds(), "s", nil)
	begin := time.Now()
	if err := c.awaitQuiet(ctx); err != nil {
		return err
	}
	b.report.add(work, "quiet after all were Ready", max(0, time.Since(begin)-quietWindow).Seconds(), "s", nil)

	was, err := c.writesAndEvents(ctx)
	if err != nil {
		return err
	}
	if err := sleep(ctx, b.idle); err != nil {
		return err
	}
	now, err := c.writesAndEvents(ctx)
	if err != nil {
		return err
	}
	grown := growth(was, now)
	total := 0.0
	for what, n := range grown {
		total += n
		say("   written while idle: %s: %.0f", what, n)
	}
	b.report.add(work, fmt.Sprintf("writes to the API server in %s of idleness", b.idle), total, "writes", atMost(0))
	return b.measureMemory(c)
}

// measureMemory reads the manager's memory at rest. The budget is for 10,000 agents, and no smaller center may need more.
func (b *bench) measureMemory(c *center) error {
	work := fmt.Sprintf("manager with %d agents", c.agents)
	rss, err := memoryOf(c.stack.Manager.PID(), "VmRSS")
	if err != nil {
		return err
	}
	peak, err := memoryOf(c.stack.Manager.PID(), "VmHWM")
	if err != nil {
		return err
	}
	b.report.add(work, "resident memory", rss/mib, "MiB", atMost(250))
	b.report.add(work, "resident memory, highest so far", peak/mib, "MiB", nil)
	b.report.add(work, "resident memory before the first agent", c.emptyRSS/mib, "MiB", nil)
	b.report.add(work, "each further agent", max(0, rss-c.emptyRSS)/float64(c.agents)/1024, "KiB", nil)
	return nil
}

// awaitQuiet waits until nothing has been written for quietWindow.
func (c *center) awaitQuiet(ctx context.Context) error {
	begin := time.Now()
	was, err := c.writes(ctx)
	for since := begin; err == nil; {
		if time.Since(since) >= quietWindow {
			return nil
		}
		if time.Since(begin) > quietPatience {
			say("   the center does not come to rest")
			return nil
		}
		if err = sleep(ctx, time.Second); err != nil {
			break
		}
		var now map[string]float64
		if now, err = c.writes(ctx); err != nil {
			break
		}
		if grown := growth(was, now); len(grown) > 0 {
			say("   after %s: %v", time.Since(begin).Round(time.Second), grown)
			was, since = now, time.Now()
		}
	}
	return err
}

// writesAndEvents adds the events of the center to writes. The API server's counters do not tell ours from those of its own
// controllers, which keep repeating that no node is there; the center's namespace has only ours, each counted as often as
// it was said.
func (c *center) writesAndEvents(ctx context.Context) (map[string]float64, error) {
	counts, err := c.writes(ctx)
	if err != nil {
		return nil, err
	}
	var events eventsv1.EventList
	if err := c.client.List(ctx, &events, client.InNamespace(env.CenterNamespace)); err != nil {
		return nil, err
	}
	for _, e := range events.Items {
		said := 1
		if e.Series != nil {
			said = int(e.Series.Count)
		}
		counts["events "+e.Reason] += float64(said)
	}
	return counts, nil
}

// writes counts the API server's mutating requests for our resources and Secrets, by verb and resource. The Leases that a
// living manager renews are not among them.
func (c *center) writes(ctx context.Context) (map[string]float64, error) {
	clients, err := kubernetes.NewForConfig(c.stack.Control.Config)
	if err != nil {
		return nil, err
	}
	raw, err := clients.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the API server's metrics: %w", err)
	}
	const family = "apiserver_request_total"
	if families[family] == nil {
		return nil, fmt.Errorf("the API server has no metric %s", family)
	}
	counts := map[string]float64{}
	for _, metric := range families[family].GetMetric() {
		label := map[string]string{}
		for _, pair := range metric.GetLabel() {
			label[pair.GetName()] = pair.GetValue()
		}
		switch label["verb"] {
		case "GET", "LIST", "WATCH", "CONNECT":
			continue
		}
		if r := label["resource"]; label["group"] == v1alpha1.GroupVersion.Group || r == "secrets" {
			counts[label["verb"]+" "+r+" "+label["subresource"]] += metric.GetCounter().GetValue()
		}
	}
	return counts, nil
}

func growth(before, after map[string]float64) map[string]float64 {
	grown := maps.Clone(after)
	for what, n := range before {
		grown[what] -= n
	}
	maps.DeleteFunc(grown, func(_ string, n float64) bool { return n <= 0 })
	return grown
}

// withoutWebhooks takes the admission webhooks away until restore is called.
func (c *center) withoutWebhooks(ctx context.Context) (restore func(context.Context) error, err error) {
	var all admissionv1.ValidatingWebhookConfigurationList
	if err := c.client.List(ctx, &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		if err := c.client.Delete(ctx, &all.Items[i]); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		for i := range all.Items {
			again := all.Items[i].DeepCopy()
			again.ResourceVersion, again.UID = "", ""
			if err := c.client.Create(ctx, again); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
