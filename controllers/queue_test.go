package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func TestQueueInteractions(t *testing.T) {
	for name, c := range map[string]struct {
		figures store.QueueFigures
		level   *v1alpha1.ServiceLevel
		want    v1alpha1.QueueInteractions
	}{
		"nothing yet": {level: &v1alpha1.ServiceLevel{Target: 80}, want: v1alpha1.QueueInteractions{ServiceLevelMet: "Unknown"}},
		"no service level": {figures: store.QueueFigures{Accepted: 3, Waited: 1600 * time.Millisecond},
			want: v1alpha1.QueueInteractions{Accepted: 3, WaitSeconds: 2, ServiceLevelMet: "Unknown"}},
		"met": {figures: store.QueueFigures{Accepted: 5, InTime: 4}, level: &v1alpha1.ServiceLevel{Target: 80},
			want: v1alpha1.QueueInteractions{Accepted: 5, WithinServiceLevel: 80, ServiceLevelMet: "Met"}},
		"missed": {figures: store.QueueFigures{Accepted: 1000, InTime: 799}, level: &v1alpha1.ServiceLevel{Target: 80},
			want: v1alpha1.QueueInteractions{Accepted: 1000, WithinServiceLevel: 79, ServiceLevelMet: "Missed"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&c.want, queueInteractions(c.figures, c.level)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What an Email queue says is what routing knows.
func TestQueueReachesRouting(t *testing.T) {
	db := storetest.SQLite(t)
	k := &queueKind{store: db}
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mail"}}
	q.Spec = v1alpha1.QueueSpec{Channel: v1alpha1.ChannelEmail, Strategy: v1alpha1.StrategyBeepAll}
	members := []v1alpha1.EffectiveMember{{Agent: "alice", Penalty: 2}}
	want := store.Queue{Key: storeKey(q), DisplayName: "mail", Channel: store.ChannelEmail, Strategy: "BeepAll", OfferTimeout: 30 * time.Second,
		Members: []store.QueueMember{{Agent: "alice", Penalty: 2}}}
	check := func() {
		t.Helper()
		if err := k.effect(t.Context(), q, members, nil, newScope(nil, 1)); err != nil {
			t.Fatal(err)
		}
		got, err := db.GetQueue(t.Context(), want.Key)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	check()
	length := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	q.Spec.Weight, q.Spec.ServiceLevel = 7, &v1alpha1.ServiceLevel{Threshold: length(time.Minute)}
	q.Spec.Digital = &v1alpha1.QueueDigital{OfferTimeout: length(time.Hour), WrapUpTime: length(45 * time.Second)}
	want.Weight, want.ServiceLevel, want.OfferTimeout, want.WrapUpTime = 7, time.Minute, time.Hour, 45*time.Second
	check()
}
