package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestScheduleShowsItsState(t *testing.T) {
	o := &v1alpha1.Schedule{Spec: v1alpha1.ScheduleSpec{TimeZone: "Europe/Rome", Weekly: []v1alpha1.WeeklyHours{
		{Days: []v1alpha1.DayOfWeek{"Monday"}, HourRange: v1alpha1.HourRange{From: "09:00", To: "17:00"}}}}}
	now := time.Date(2026, 11, 23, 8, 59, 50, 0, time.FixedZone("CET", 3600))
	k := &scheduleKind{now: func() time.Time { return now }}
	for _, want := range []struct {
		after, look time.Duration
		state       v1alpha1.ScheduleState
		next        string
	}{
		{0, 10 * time.Second, v1alpha1.ScheduleClosed, "2026-11-23T08:00:00Z"},
		{10 * time.Second, lookAgain, v1alpha1.ScheduleOpen, "2026-11-23T16:00:00Z"},
		{7*time.Hour + 45*time.Minute, 15 * time.Minute, v1alpha1.ScheduleOpen, "2026-11-23T16:00:00Z"},
		{15 * time.Minute, lookAgain, v1alpha1.ScheduleClosed, "2026-11-30T08:00:00Z"},
	} {
		now = now.Add(want.after)
		s := newScope(nil, 1)
		if err := k.Reconcile(t.Context(), o, s); err != nil {
			t.Fatal(err)
		}
		next := o.Status.NextChange.Format(time.RFC3339)
		if o.Status.State != want.state || next != want.next || s.requeueAfter != want.look {
			t.Errorf("at %s: %s until %s, looks again after %s; want %+v", now, o.Status.State, next, s.requeueAfter, want)
		}
	}

	o.Spec.TimeZone = "Europe/Atlantis"
	s := newScope(nil, 1)
	if err := k.Reconcile(t.Context(), o, s); err != nil {
		t.Fatal(err)
	}
	s.summarize(&o.Status.CommonStatus)
	if is := ready(&o.Status.CommonStatus); is.Status != metav1.ConditionFalse || is.Reason != v1alpha1.ReasonInvalid || o.Status.State != "" || o.Status.NextChange != nil {
		t.Errorf("without a time zone: %s %s, state %q", is.Status, is.Reason, o.Status.State)
	}
}
