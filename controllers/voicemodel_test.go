package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func agentNamed(name, extension string, change func(*v1alpha1.Agent)) *v1alpha1.Agent {
	a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: name}}
	a.Status.Extension = extension
	a.Spec.SIP.Monitoring = v1alpha1.Allowed
	if change != nil {
		change(a)
	}
	return a
}

func TestSupervisors(t *testing.T) {
	team := func(name string, members, supervisors []string) *v1alpha1.Team {
		t := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, m := range members {
			t.Spec.Members.Refs = append(t.Spec.Members.Refs, v1alpha1.ObjectReference{Name: m})
		}
		for _, s := range supervisors {
			t.Spec.Supervisors = append(t.Spec.Supervisors, v1alpha1.ObjectReference{Name: s})
		}
		return t
	}
	r := &roster{
		agents: map[string]*v1alpha1.Agent{
			"alice": agentNamed("alice", "1001", nil),
			"bob":   agentNamed("bob", "1002", func(a *v1alpha1.Agent) { a.Spec.SIP.Monitoring = v1alpha1.Denied }),
			"sam":   agentNamed("sam", "2001", nil),
			"sue":   agentNamed("sue", "2002", nil),
			"new":   agentNamed("new", "", nil),
		},
		teams: map[string]*v1alpha1.Team{
			"a": team("a", []string{"alice", "bob", "sam"}, []string{"sam", "new", "gone"}),
			"b": team("b", []string{"alice"}, []string{"sue", "sam"}),
			"c": team("c", []string{"alice"}, nil),
		},
	}
	want := map[string][]string{"alice": {"2001", "2002"}}
	got := r.supervisors()
	delete(got, "sam") // supervises himself: nobody
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("supervisors (-want +got):\n%s", diff)
	}
	if s := r.supervisors()["sam"]; len(s) != 0 {
		t.Errorf("sam is monitored by %v, and he is the only supervisor of his team", s)
	}
}

func TestDutyOf(t *testing.T) {
	allow := func(a *v1alpha1.Agent) {
		a.Spec.Phonebar = &v1alpha1.PhonebarSettings{ClientSettings: v1alpha1.ClientSettings{DirectCallsDuringPause: v1alpha1.DirectCallsAllow}}
	}
	external := func(a *v1alpha1.Agent) { a.Spec.Typology = v1alpha1.TypologyExternal }
	for name, c := range map[string]struct {
		change   func(*v1alpha1.Agent)
		presence store.Presence
		want     memberState
	}{
		"ready":                     {nil, store.Presence{SignedIn: true}, memberState{Extension: "1001"}},
		"signed out":                {nil, store.Presence{}, memberState{Extension: "1001", Paused: true, Reason: signedOutReason}},
		"paused":                    {nil, store.Presence{SignedIn: true, Paused: true, Reason: "Lunch"}, memberState{Extension: "1001", Paused: true, Reason: "Lunch", RejectDirect: true}},
		"paused, calls allowed":     {allow, store.Presence{SignedIn: true, Paused: true}, memberState{Extension: "1001", Paused: true}},
		"paused, a phone of others": {external, store.Presence{SignedIn: true, Paused: true}, memberState{Extension: "1001", Paused: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, dutyOf(agentNamed("alice", "1001", c.change), c.presence)); diff != "" {
				t.Errorf("duty (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContactTransport(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:1001@10.0.0.1:5060":                                   "UDP",
		"sip:1001@10.0.0.1:5060;transport=TCP":                     "TCP",
		"sip:1001@10.0.0.1:5061;transport=tls;ob":                  "TLS",
		"sips:1001@10.0.0.1":                                       "TLS",
		"sip:abc@127.0.0.1:41034;transport=ws;x-ast-orig-host=a:0": "WS",
	} {
		if got := contactTransport(uri); got != want {
			t.Errorf("%s is over %s, not %s", uri, got, want)
		}
	}
	if !sameTransport("WS", v1alpha1.TransportWSS) || sameTransport("UDP", v1alpha1.TransportTCP) {
		t.Error("a browser says ws for WSS, and UDP is not TCP")
	}
}

func TestQueueModelOfEveryField(t *testing.T) {
	d := func(s time.Duration) *metav1.Duration { return &metav1.Duration{Duration: s} }
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "hotline"}}
	q.Spec.Strategy, q.Spec.Weight, q.Spec.Number = v1alpha1.StrategyLinear, 7, "600"
	q.Spec.ServiceLevel = &v1alpha1.ServiceLevel{Threshold: d(30 * time.Second)}
	q.Spec.Voice = &v1alpha1.QueueVoice{
		RingTimeout: d(1 * time.Second), RetryInterval: d(2 * time.Second), WrapUpTime: d(3 * time.Second), MaxWaiting: 4,
		MaxWaitTime: d(5 * time.Second), MemberDelay: d(6 * time.Second),
		RefuseWhen: []v1alpha1.MemberCondition{"Paused"}, LeaveWhen: []v1alpha1.MemberCondition{"InUse"},
		AutoPause:            v1alpha1.QueueAutoPause{Mode: v1alpha1.AutoPauseAll, Delay: d(7 * time.Second), OnBusy: "Pause", OnUnavailable: "Pause"},
		Announcements:        v1alpha1.QueueAnnouncements{Position: "Limit", PositionLimit: 8, HoldTime: "Once", Interval: d(9 * time.Second), MinInterval: d(10 * time.Second)},
		PeriodicAnnouncement: &v1alpha1.PeriodicAnnouncement{Sounds: []v1alpha1.SoundFile{"a/b"}, Interval: d(11 * time.Second)}, MusicClass: "jazz",
	}
	r := &roster{agents: map[string]*v1alpha1.Agent{
		"alice": agentNamed("alice", "1001", nil),
		"user":  agentNamed("user", "1002", func(a *v1alpha1.Agent) { a.Spec.SIP.Role = v1alpha1.RoleUser }),
	}}
	m := queueModel(q, []v1alpha1.EffectiveMember{{Agent: "alice", Penalty: 3}, {Agent: "user"}}, r, map[string]string{"alice": "1001", "user": "1002"})
	if broken := m.Validate(); len(broken) > 0 {
		t.Errorf("the model is refused: %v", broken)
	}
	if len(m.Members) != 1 || m.Members[0].Penalty != 3 {
		t.Errorf("members are %v, and a User cannot be called", m.Members)
	}
	if m.Announcements.Interval != 9*time.Second || m.AutoPauseDelay != 7*time.Second || !m.AutoPauseOnBusy || m.MaxWaitTime != 5*time.Second ||
		m.ServiceLevel != 30*time.Second || m.Weight != 7 || m.MusicClass != "jazz" || m.Periodic.Sounds[0] != "a/b" || m.LeaveWhenEmpty[0] != "InUse" {
		t.Errorf("a field was lost: %+v", m)
	}
	q.Spec.Voice.Announcements = v1alpha1.QueueAnnouncements{Position: "Never", HoldTime: "Never", Interval: d(30 * time.Second)}
	if m := queueModel(q, nil, r, nil); m.Announcements.Interval != 0 {
		t.Errorf("nothing is to be announced, every %s", m.Announcements.Interval)
	}
}
