package routing

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	decisionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ringmaster_routing_decisions_total", Help: "Decisions asked for, by action (Offer, Wait). A decision whose transaction is retried counts again.",
	}, []string{"action"})
	timeoutsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringmaster_routing_offer_timeouts_total", Help: "Offers that nobody answered in time.",
	})
	capacityRejectionsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringmaster_routing_capacity_rejections_total",
		Help: "Members who were passed over because they hold as many interactions as allowed, each time a queue or an interaction is looked at.",
	})
	errorsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ringmaster_routing_errors_total", Help: "Failed routing transactions.",
	})
	waitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ringmaster_routing_wait_seconds", Help: "From being queued to each offer.",
		Buckets: []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 20, 60, 300, 1800, 7200, 86400},
	})
)

// RegisterMetrics adds the routing metrics to a registry.
func RegisterMetrics(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{decisionsTotal, timeoutsTotal, capacityRejectionsTotal, errorsTotal, waitSeconds} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// observed counts what decide does. An interaction without an ID stands for all of a queue in which nobody has room.
func observed(decide Decider) Decider {
	return func(i Interaction, q Queue, candidates []Candidate, now time.Time) Decision {
		d := decide(i, q, candidates, now)
		for n := range candidates {
			if candidates[n].full() {
				capacityRejectionsTotal.Inc()
			}
		}
		if i.ID == "" {
			return d
		}
		decisionsTotal.WithLabelValues(string(d.Action)).Inc()
		if i.OfferedTo != "" {
			timeoutsTotal.Inc()
		}
		if d.Action == Offer {
			waitSeconds.Observe(now.Sub(i.QueuedAt).Seconds())
		}
		return d
	}
}
