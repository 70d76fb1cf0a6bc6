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

func TestStatusMetrics(t *testing.T) {
	pbx := func(name string, connected metav1.ConditionStatus, certificate *v1alpha1.PBXCertificate) *v1alpha1.PBX {
		p := &v1alpha1.PBX{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}
		p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionConnected, Status: connected}}
		p.Status.Registered, p.Status.ActiveCalls, p.Status.Certificate = 3, 1, certificate
		return p
	}
	queue := func(name string, channel v1alpha1.QueueChannel, calls *v1alpha1.QueueCalls) *v1alpha1.Queue {
		q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}
		q.Spec.Channel, q.Status.Waiting, q.Status.MemberCount, q.Status.ReadyMembers, q.Status.Calls = channel, 7, 5, 2, calls
		return q
	}
	end := metav1.NewTime(time.Now().Add(48 * time.Hour))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(StatusMetrics{readerOf(t,
		pbx("main", metav1.ConditionTrue, &v1alpha1.PBXCertificate{NotAfter: &end}),
		pbx("away", metav1.ConditionUnknown, nil), pbx("down", metav1.ConditionFalse, &v1alpha1.PBXCertificate{}),
		queue("mail", v1alpha1.ChannelEmail, nil),
		queue("phone", v1alpha1.ChannelVoice, &v1alpha1.QueueCalls{Completed: 10, Abandoned: 4, HoldSeconds: 20, TalkSeconds: 90}),
	)})
	got := map[string]float64{}
	for series, value := range gathered(t, registry) {
		if strings.HasPrefix(series, "ringmaster_pbx_certificate") {
			value = math.Round(value / 3600)
		}
		got[strings.TrimPrefix(series, "ringmaster_")] = value
	}
	want := map[string]float64{
		"pbx_connected main a": 1, "pbx_connected away a": 0, "pbx_connected down a": 0,
		"pbx_registered_phones main a": 3, "pbx_registered_phones away a": 3, "pbx_registered_phones down a": 3,
		"pbx_active_calls main a": 1, "pbx_active_calls away a": 1, "pbx_active_calls down a": 1,
		"pbx_certificate_expiry_seconds main a": 48,
		"queue_waiting Email mail a":            7, "queue_members Email mail a": 5, "queue_ready_members Email mail a": 2,
		"queue_waiting Voice phone a": 7, "queue_members Voice phone a": 5, "queue_ready_members Voice phone a": 2,
		"voice_queue_completed_calls phone a": 10, "voice_queue_abandoned_calls phone a": 4, "voice_queue_hold_seconds phone a": 20, "voice_queue_talk_seconds phone a": 90,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
