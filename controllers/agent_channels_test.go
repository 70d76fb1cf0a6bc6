package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Channels that nothing brings messages of are shown, and do not keep the agent from being Ready.
func TestChannelConnector(t *testing.T) {
	var status v1alpha1.CommonStatus
	pass := func(channels ...v1alpha1.AgentChannelName) *metav1.Condition {
		a := &v1alpha1.Agent{}
		for _, name := range channels {
			a.Spec.Channels = append(a.Spec.Channels, v1alpha1.AgentChannel{Name: name})
		}
		s := newScope(status.Conditions, 1)
		showChannels(a, s)
		s.summarize(&status)
		if r := ready(&status); r == nil || r.Status != metav1.ConditionTrue {
			t.Fatalf("with %v: %+v", channels, r)
		}
		return meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionChannelConnector)
	}
	if c := pass("Email", "Voice"); c != nil {
		t.Errorf("%+v", c)
	}
	c := pass("Chat", "Email", "SMS", "OpenChannel", "Fax", "WhatsApp", "Voice")
	want := "spec.channels: nothing brings messages of Chat, SMS, OpenChannel, Fax, WhatsApp; their capacity and autoAnswer have no effect"
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonNoConnector || c.Message != want {
		t.Errorf("%+v", c)
	}
	if c := pass("Email"); c != nil {
		t.Errorf("it stays: %+v", c)
	}
}

// What other channels say does not count for e-mails.
func TestEmailChannel(t *testing.T) {
	a := &v1alpha1.Agent{}
	a.Spec.Channels = []v1alpha1.AgentChannel{
		{Name: "Chat", Capacity: 9}, {Name: "Email", Capacity: 3, AutoAnswer: v1alpha1.ChannelAutoAnswer{State: v1alpha1.Enabled}}, {Name: "Voice", Capacity: 1},
	}
	shown := func() string {
		showChannels(a, newScope(nil, 1))
		return a.Status.EmailCapacity
	}
	if capacity, answer := emailChannel(a); capacity != 3 || !answer.Enabled || shown() != "3" {
		t.Errorf("%d, shown as %s, %+v", capacity, a.Status.EmailCapacity, answer)
	}
	a.Spec.Channels = a.Spec.Channels[:1]
	if capacity, answer := emailChannel(a); capacity != 0 || answer.Enabled || shown() != "Unlimited" {
		t.Errorf("%d, shown as %s, %+v", capacity, a.Status.EmailCapacity, answer)
	}
}
