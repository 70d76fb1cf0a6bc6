package controllers

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestAgentMetrics(t *testing.T) {
	person := func(namespace, name string, change func(*v1alpha1.AgentAccountStatus)) *v1alpha1.Agent {
		a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		change(&a.Status.Account)
		return a
	}
	ready := func(a *v1alpha1.Agent) *v1alpha1.Agent {
		a.Status.Presence.State = "Ready"
		return a
	}
	in := func(d time.Duration) *metav1.Time {
		at := metav1.NewTime(time.Now().Add(d))
		return &at
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(AgentMetrics{readerOf(t,
		ready(person("a", "alice", func(s *v1alpha1.AgentAccountStatus) {
			s.LockState, s.PasswordExpiresTime = v1alpha1.Locked, in(time.Hour)
		})),
		person("a", "bob", func(s *v1alpha1.AgentAccountStatus) { s.LockState = v1alpha1.Locked }),
		person("b", "carol", func(s *v1alpha1.AgentAccountStatus) { s.PasswordExpiresTime = in(-24 * time.Hour) }),
	)})
	got := map[string]float64{}
	for series, value := range gathered(t, registry) {
		if strings.HasPrefix(series, "ringmaster_agent_password") {
			value = math.Round(value / 60)
		}
		got[series] = value
	}
	want := map[string]float64{
		"ringmaster_agents a SignedOut": 1, "ringmaster_agents a Ready": 1, "ringmaster_agents a Paused": 0,
		"ringmaster_agents b SignedOut": 1, "ringmaster_agents b Ready": 0, "ringmaster_agents b Paused": 0,
		"ringmaster_agents_locked a": 2, "ringmaster_agents_locked b": 0,
		"ringmaster_agent_password_expiry_seconds alice a": 60, "ringmaster_agent_password_expiry_seconds carol b": -24 * 60,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// gathered are the gauges of a registry by name and values of their labels, in the order of the labels' names.
func gathered(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			at := family.GetName()
			for _, l := range m.GetLabel() {
				at += " " + l.GetValue()
			}
			got[at] = m.GetGauge().GetValue()
		}
	}
	return got
}
