package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/schedule"
)

// lookAgain is the longest time between two looks at a schedule: clocks are set, and a machine may have slept.
const lookAgain = 30 * time.Minute

// scheduleKind shows whether a Schedule is open. It has no effect of its own: flows bring theirs along.
type scheduleKind struct {
	checker admission.Checker
	now     func() time.Time
}

func (k *scheduleKind) NeedsFinalizer() bool { return false }

func (k *scheduleKind) Finalize(context.Context, *v1alpha1.Schedule) (bool, error) { return true, nil }

func (k *scheduleKind) Reconcile(ctx context.Context, o *v1alpha1.Schedule, s *scope) error {
	o.Status.State, o.Status.NextChange = "", nil
	problems, err := k.checker.Schedule(ctx, o)
	if err != nil {
		return fmt.Errorf("checking the schedule: %w", err)
	}
	if stallOn(s, problems, v1alpha1.ConditionReady) {
		return nil
	}
	hours, err := schedule.New(admission.ScheduleSpec(o))
	if err != nil {
		return err
	}
	now := k.now()
	o.Status.State = v1alpha1.ScheduleClosed
	if hours.Open(now) {
		o.Status.State = v1alpha1.ScheduleOpen
	}
	s.within(lookAgain)
	if next := hours.NextChange(now); !next.IsZero() {
		o.Status.NextChange = new(metav1.NewTime(next.UTC()))
		s.within(next.Sub(now))
	}
	s.ready(v1alpha1.ReasonSucceeded, "the hours are in effect")
	return nil
}

func (w *wiring) addSchedules() error {
	return w.build("schedule").For(&v1alpha1.Schedule{}, builder.WithPredicates(ours)).
		Complete(newLoop[v1alpha1.Schedule](w, &scheduleKind{checker: w.checker, now: time.Now}))
}
