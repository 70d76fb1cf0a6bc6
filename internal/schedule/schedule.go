// Package schedule says when a contact center is open: hours of the week in a time zone, holidays, and dates with hours of
// their own. It is pure; the time zones are part of the program, so every replica has the same.
//
// Hours are what the clock on the wall shows. A range belongs to the day it begins on, and when it ends at or before its
// beginning it goes on to the next day. Where clocks are changed, a time that occurs twice means the first one, and one that
// does not occur means the moment of the change.
package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the system may have no time zones, or older ones
)

// Horizon is how far NextChange looks.
const Horizon = 731 * 24 * time.Hour

// Spec is a schedule as people write it.
type Spec struct {
	// TimeZone is a name of the IANA time zone database.
	TimeZone string `json:"timeZone"`
	// Weekly hours.
	Weekly []Weekly `json:"weekly,omitempty"`
	// Holidays are closed.
	Holidays []Holiday `json:"holidays,omitempty"`
	// Overrides are dates whose hours replace those of the week, even on a holiday.
	Overrides []Override `json:"overrides,omitempty"`
}

// Weekly is one range of hours on some days of the week.
type Weekly struct {
	// Days by their English names.
	Days []string `json:"days"`
	Range
}

// Range of hours, HH:MM each; To may be 24:00. To is not part of it.
type Range struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Holiday has exactly one of its fields.
type Holiday struct {
	// Date is YYYY-MM-DD.
	Date string `json:"date,omitempty"`
	// Yearly is MM-DD.
	Yearly string `json:"yearly,omitempty"`
}

// Override gives one date its own hours; without ranges it is closed.
type Override struct {
	// Date is YYYY-MM-DD.
	Date   string  `json:"date"`
	Ranges []Range `json:"ranges,omitempty"`
}

// SpecError names the field of a Spec that is wrong, as in weekly[0].from.
type SpecError struct{ Field, Message string }

func (e *SpecError) Error() string { return e.Field + ": " + e.Message }

// Schedule answers when it is open. It may be used by several goroutines at once.
type Schedule struct {
	zone      *time.Location
	weekly    [7][]span
	holidays  map[string]bool // by date and by MM-DD
	overrides map[string][]span
}

// span is a range in minutes since midnight; to is beyond 24 hours when the range goes on to the next day.
type span struct{ from, to int }

const dateLayout, yearlyLayout = "2006-01-02", "01-02"

// New checks a Spec. The error is a *SpecError.
func New(spec Spec) (*Schedule, error) {
	s := &Schedule{holidays: map[string]bool{}, overrides: map[string][]span{}}
	var err error
	if s.zone, err = time.LoadLocation(spec.TimeZone); err != nil || spec.TimeZone == "" || spec.TimeZone == "Local" {
		return nil, &SpecError{"timeZone", "no time zone of the IANA database has this name"}
	}
	for i, w := range spec.Weekly {
		field := fmt.Sprintf("weekly[%d]", i)
		hours, err := newSpan(field, w.Range)
		if err != nil {
			return nil, err
		}
		for j, name := range w.Days {
			day, ok := weekday(name)
			if !ok {
				return nil, &SpecError{fmt.Sprintf("%s.days[%d]", field, j), "no day of the week"}
			}
			s.weekly[day] = append(s.weekly[day], hours)
		}
	}
	for i, h := range spec.Holidays {
		field, value, layout := "date", h.Date, dateLayout
		if h.Yearly != "" {
			// In a leap year every day of any year exists.
			field, value, layout = "yearly", "2024-"+h.Yearly, dateLayout
		}
		if _, err := time.Parse(layout, value); err != nil || (h.Date == "") == (h.Yearly == "") {
			return nil, &SpecError{fmt.Sprintf("holidays[%d].%s", i, field), "no such day"}
		}
		s.holidays[h.Date+h.Yearly] = true
	}
	for i, o := range spec.Overrides {
		field := fmt.Sprintf("overrides[%d]", i)
		if _, err := time.Parse(dateLayout, o.Date); err != nil {
			return nil, &SpecError{field + ".date", "no such day"}
		}
		hours := make([]span, len(o.Ranges))
		for j, r := range o.Ranges {
			if hours[j], err = newSpan(fmt.Sprintf("%s.ranges[%d]", field, j), r); err != nil {
				return nil, err
			}
		}
		s.overrides[o.Date] = append(s.overrides[o.Date], hours...)
	}
	return s, nil
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}

const day = 24 * 60

func newSpan(field string, r Range) (span, error) {
	from, ok := minutes(r.From)
	if !ok || from == day {
		return span{}, &SpecError{field + ".from", "no time of day from 00:00 to 23:59"}
	}
	to, ok := minutes(r.To)
	if !ok {
		return span{}, &SpecError{field + ".to", "no time of day from 00:00 to 24:00"}
	}
	if from == to {
		return span{}, &SpecError{field, "from and to are the same; a whole day is 00:00 to 24:00"}
	}
	if to < from {
		to += day
	}
	return span{from, to}, nil
}

func minutes(text string) (int, bool) {
	h, m, ok := strings.Cut(text, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return 0, false
	}
	hours, err1 := strconv.ParseUint(h, 10, 8)
	rest, err2 := strconv.ParseUint(m, 10, 8)
	total := int(hours*60 + rest)
	return total, err1 == nil && err2 == nil && rest < 60 && total <= day
}

// date is a day of the calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

// plus counts days as the calendar does.
func (d date) plus(days int) date { return dateOf(d.noon().AddDate(0, 0, days)) }

func (d date) noon() time.Time { return time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC) }

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// spans are the ranges that begin on a date.
func (s *Schedule) spans(d date) []span {
	noon := d.noon()
	if hours, ok := s.overrides[noon.Format(dateLayout)]; ok {
		return hours
	}
	if s.holidays[noon.Format(dateLayout)] || s.holidays[noon.Format(yearlyLayout)] {
		return nil
	}
	return s.weekly[noon.Weekday()]
}

// instant is when the clocks of the zone show so many minutes after midnight of a date.
func (s *Schedule) instant(d date, minutes int) time.Time {
	t := time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, s.zone)
	wall := time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, time.UTC)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	switch shown := time.Unix(t.Unix()+int64(offset), 0).UTC(); {
	case shown.After(wall): // it does not occur, and t is as long after the change as it would be
		return start
	case shown.Before(wall):
		return end
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if earlier := time.Unix(wall.Unix()-int64(before), 0); earlier.Before(start) {
		return earlier.In(s.zone) // the first of two times
	}
	return t
}

// Open tells whether it is open at a moment.
func (s *Schedule) Open(now time.Time) bool {
	today := dateOf(now.In(s.zone))
	// What began the day before may go on; where a day was left out of the calendar, that is two days ago.
	for back := -2; back <= 0; back++ {
		d := today.plus(back)
		for _, hours := range s.spans(d) {
			if !now.Before(s.instant(d, hours.from)) && now.Before(s.instant(d, hours.to)) {
				return true
			}
		}
	}
	return false
}

// NextChange is the first moment after now when it opens or closes; zero when that is beyond the Horizon or never.
func (s *Schedule) NextChange(now time.Time) time.Time {
	open, today := s.Open(now), dateOf(now.In(s.zone))
	var next time.Time
	for ahead := -2; ahead <= int(Horizon/(24*time.Hour)); ahead++ {
		d := today.plus(ahead)
		// What begins on later days begins after this one's midnight.
		if !next.IsZero() && next.Before(s.instant(d, 0)) {
			break
		}
		for _, hours := range s.spans(d) {
			at := s.instant(d, hours.from)
			if open {
				at = s.instant(d, hours.to)
			}
			if at.After(now) && (next.IsZero() || at.Before(next)) && s.Open(at) != open {
				next = at
			}
		}
	}
	return next
}
