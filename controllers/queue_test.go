package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
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
