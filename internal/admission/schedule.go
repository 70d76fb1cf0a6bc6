package admission

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/schedule"
)

// Schedule checks what no schema can: that the time zone and every date exist.
func (c Checker) Schedule(_ context.Context, s *v1alpha1.Schedule) ([]Problem, error) {
	_, err := schedule.New(ScheduleSpec(s))
	if wrong, ok := errors.AsType[*schedule.SpecError](err); ok {
		return []Problem{{specPath.Child(wrong.Field), field.ErrorTypeInvalid, v1alpha1.ReasonInvalid, wrong.Message}}, nil
	}
	return nil, err
}

// ScheduleSpec is a Schedule as the package that computes with it has it.
func ScheduleSpec(s *v1alpha1.Schedule) schedule.Spec {
	out := schedule.Spec{TimeZone: s.Spec.TimeZone}
	for _, w := range s.Spec.Weekly {
		days := make([]string, len(w.Days))
		for i, d := range w.Days {
			days[i] = string(d)
		}
		out.Weekly = append(out.Weekly, schedule.Weekly{Days: days, Range: schedule.Range(w.HourRange)})
	}
	for _, h := range s.Spec.Holidays {
		out.Holidays = append(out.Holidays, schedule.Holiday{Date: h.Date, Yearly: h.Yearly})
	}
	for _, o := range s.Spec.Overrides {
		override := schedule.Override{Date: o.Date}
		for _, r := range o.Ranges {
			override.Ranges = append(override.Ranges, schedule.Range(r))
		}
		out.Overrides = append(out.Overrides, override)
	}
	return out
}
