package controllers

import (
	"math"
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
	in := func(d time.Duration) *metav1.Time {
		at := metav1.NewTime(time.Now().Add(d))
		return &at
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(AgentMetrics{readerOf(t,
		person("a", "alice", func(s *v1alpha1.AgentAccountStatus) {
			s.LockState, s.PasswordExpiresTime = v1alpha1.Locked, in(time.Hour)
		}),
		person("a", "bob", func(s *v1alpha1.AgentAccountStatus) { s.LockState = v1alpha1.Locked }),
		person("b", "carol", func(s *v1alpha1.AgentAccountStatus) { s.PasswordExpiresTime = in(-24 * time.Hour) }),
	)})
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
			got[at] = math.Round(m.GetGauge().GetValue() / 60)
			if family.GetName() == "ringmaster_agents_locked" {
				got[at] = m.GetGauge().GetValue()
			}
		}
	}
	want := map[string]float64{
		"ringmaster_agents_locked a": 2, "ringmaster_agents_locked b": 0,
		"ringmaster_agent_password_expiry_seconds alice a": 60, "ringmaster_agent_password_expiry_seconds carol b": -24 * 60,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
