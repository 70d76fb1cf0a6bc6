package routing

import (
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// Members are counted who only their capacity keeps from taking something, when an interaction or a whole queue is looked at.
func TestCapacityRejections(t *testing.T) {
	count := func() float64 {
		var m dto.Metric
		if err := capacityRejectionsTotal.Write(&m); err != nil {
			t.Fatal(err)
		}
		return m.GetCounter().GetValue()
	}
	candidates := []Candidate{
		ready("full", load(2, 2)), ready("over", load(3, 2)), ready("paused", load(2, 2), paused), ready("away", load(2, 2), away),
		ready("gone", load(1, 1), deactivated), ready("wrapping", load(2, 2), wrapping(1)), ready("unlimited", load(9, 0)),
	}
	decide := observed(Decide)
	for _, id := range []string{"i", ""} {
		before := count()
		if d := decide(Interaction{ID: id}, Queue{Strategy: RRMemory}, candidates, now); d.Agent != "unlimited" {
			t.Fatalf("%+v", d)
		}
		if got := count() - before; got != 2 {
			t.Errorf("counted %v, want full and over", got)
		}
	}
}
