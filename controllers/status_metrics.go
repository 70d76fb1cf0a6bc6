package controllers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// StatusMetrics are the metrics of PBXes and queues, as their status shows them. Every replica has the same.
type StatusMetrics struct{ Reader client.Reader }

// pbxMetric is one gauge of a PBX; of says whether there is a value.
type pbxMetric struct {
	desc *prometheus.Desc
	of   func(*v1alpha1.PBX) (float64, bool)
}

var pbxMetrics = []pbxMetric{
	{statusDesc("pbx_connected", "1 while the pbxlet is connected and its Asterisk answers."), func(p *v1alpha1.PBX) (float64, bool) {
		if meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionConnected) {
			return 1, true
		}
		return 0, true
	}},
	{statusDesc("pbx_registered_phones", "Phones that are registered with the PBX."), func(p *v1alpha1.PBX) (float64, bool) { return float64(p.Status.Registered), true }},
	{statusDesc("pbx_active_calls", "Calls of agents that are ringing or up."), func(p *v1alpha1.PBX) (float64, bool) { return float64(p.Status.ActiveCalls), true }},
	{statusDesc("pbx_certificate_expiry_seconds", "How long the certificate of the TLS and WSS listeners still holds, negative when it has expired. Absent without one."),
		func(p *v1alpha1.PBX) (float64, bool) {
			if p.Status.Certificate == nil || p.Status.Certificate.NotAfter == nil {
				return 0, false
			}
			return time.Until(p.Status.Certificate.NotAfter.Time).Seconds(), true
		}},
}

// channelMetric is one gauge of a queue, whatever its channel.
type channelMetric struct {
	desc *prometheus.Desc
	of   func(*v1alpha1.Queue) int32
}

var channelMetrics = []channelMetric{
	{statusDesc("queue_waiting", "Interactions or callers that wait in the queue.", "channel"), func(q *v1alpha1.Queue) int32 { return q.Status.Waiting }},
	{statusDesc("queue_members", "Effective members of the queue.", "channel"), func(q *v1alpha1.Queue) int32 { return q.Status.MemberCount }},
	{statusDesc("queue_ready_members", "Members who are signed in and not paused.", "channel"), func(q *v1alpha1.Queue) int32 { return q.Status.ReadyMembers }},
}

// callMetric is one gauge of a voice queue.
type callMetric struct {
	desc *prometheus.Desc
	of   func(*v1alpha1.QueueCalls) int32
}

var callMetrics = []callMetric{
	{statusDesc("voice_queue_completed_calls", "Completed calls, over all PBXes, since each Asterisk was started."), func(c *v1alpha1.QueueCalls) int32 { return c.Completed }},
	{statusDesc("voice_queue_abandoned_calls", "Calls abandoned before an answer, over all PBXes, since each Asterisk was started."), func(c *v1alpha1.QueueCalls) int32 { return c.Abandoned }},
	{statusDesc("voice_queue_hold_seconds", "How long callers wait, on average."), func(c *v1alpha1.QueueCalls) int32 { return c.HoldSeconds }},
	{statusDesc("voice_queue_talk_seconds", "How long calls last, on average."), func(c *v1alpha1.QueueCalls) int32 { return c.TalkSeconds }},
}

func statusDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ringmaster_"+name, help, append([]string{"namespace", "name"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (StatusMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, m := range pbxMetrics {
		out <- m.desc
	}
	for _, m := range channelMetrics {
		out <- m.desc
	}
	for _, m := range callMetrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector. What cannot be read is not shown.
func (m StatusMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	m.pbxes(ctx, out)
	m.queues(ctx, out)
}

func (m StatusMetrics) pbxes(ctx context.Context, out chan<- prometheus.Metric) {
	var pbxes v1alpha1.PBXList
	if err := m.Reader.List(ctx, &pbxes, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range pbxes.Items {
		p := &pbxes.Items[i]
		for _, metric := range pbxMetrics {
			if value, ok := metric.of(p); ok {
				out <- prometheus.MustNewConstMetric(metric.desc, prometheus.GaugeValue, value, p.Namespace, p.Name)
			}
		}
	}
}

func (m StatusMetrics) queues(ctx context.Context, out chan<- prometheus.Metric) {
	var queues v1alpha1.QueueList
	if err := m.Reader.List(ctx, &queues, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range queues.Items {
		q := &queues.Items[i]
		for _, metric := range channelMetrics {
			out <- prometheus.MustNewConstMetric(metric.desc, prometheus.GaugeValue, float64(metric.of(q)), q.Namespace, q.Name, string(q.Spec.Channel))
		}
		if q.Status.Calls == nil {
			continue
		}
		for _, metric := range callMetrics {
			out <- prometheus.MustNewConstMetric(metric.desc, prometheus.GaugeValue, float64(metric.of(q.Status.Calls)), q.Namespace, q.Name)
		}
	}
}
