package controllers

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// AgentMetrics are the metrics of agents' accounts, as their status shows them. Every replica has the same.
type AgentMetrics struct{ Reader client.Reader }

var (
	agentsByState = prometheus.NewDesc("ringmaster_agents", "Agents by presence at the desk: SignedOut, Ready or Paused.", []string{"namespace", "presence"}, nil)
	lockedAgents  = prometheus.NewDesc("ringmaster_agents_locked", "Agents who are locked after too many wrong passwords.", []string{"namespace"}, nil)
	expiryOfAgent = prometheus.NewDesc("ringmaster_agent_password_expiry_seconds",
		"How long the agent's sign-in password still holds; negative when it has expired. Absent when it holds for ever.", []string{"namespace", "name"}, nil)
)

// Describe implements prometheus.Collector.
func (AgentMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- agentsByState
	out <- lockedAgents
	out <- expiryOfAgent
}

// Collect implements prometheus.Collector. What cannot be read is not shown.
func (m AgentMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var agents v1alpha1.AgentList
	if err := m.Reader.List(ctx, &agents, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	locked, present := map[string]int{}, map[string]map[string]int{}
	for i := range agents.Items {
		a := &agents.Items[i]
		locked[a.Namespace] += 0 // a namespace without locked agents says so
		if a.Status.Account.LockState == v1alpha1.Locked {
			locked[a.Namespace]++
		}
		if present[a.Namespace] == nil {
			present[a.Namespace] = map[string]int{signedOutReason: 0, "Ready": 0, "Paused": 0}
		}
		present[a.Namespace][cmp.Or(a.Status.Presence.State, signedOutReason)]++
		if end := a.Status.Account.PasswordExpiresTime; end != nil {
			out <- prometheus.MustNewConstMetric(expiryOfAgent, prometheus.GaugeValue, time.Until(end.Time).Seconds(), a.Namespace, a.Name)
		}
	}
	for namespace, states := range present {
		for state, n := range states {
			out <- prometheus.MustNewConstMetric(agentsByState, prometheus.GaugeValue, float64(n), namespace, state)
		}
	}
	for namespace, n := range locked {
		out <- prometheus.MustNewConstMetric(lockedAgents, prometheus.GaugeValue, float64(n), namespace)
	}
}
