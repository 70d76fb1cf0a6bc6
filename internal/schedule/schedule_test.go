package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var week = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

func office(zone string) Spec {
	return Spec{
		TimeZone:  zone,
		Weekly:    []Weekly{{week[:5], Range{"09:00", "12:30"}}, {week[:5], Range{"13:30", "18:00"}}},
		Holidays:  []Holiday{{Yearly: "12-25"}, {Date: "2026-04-06"}},
		Overrides: []Override{{Date: "2026-12-24", Ranges: []Range{{"09:00", "12:00"}}}, {Date: "2026-12-25", Ranges: []Range{{"10:00", "11:00"}}}, {Date: "2026-08-14"}},
	}
}

func every(from, to string) Spec {
	return Spec{TimeZone: "Europe/Rome", Weekly: []Weekly{{week, Range{from, to}}}}
}

func in(spec Spec, zone string) Spec {
	spec.TimeZone = zone
	return spec
}

// Each case is a run of changes, beginning at a moment; the first word is the state there.
func TestSchedule(t *testing.T) {
	for name, test := range map[string]struct {
		spec    Spec
		at      string
		open    bool
		changes []string // then in turn; "" is never
	}{
		"an office day": {office("Europe/Rome"), "2026-11-20T08:59:59+01:00", false,
			[]string{"2026-11-20T09:00:00+01:00", "2026-11-20T12:30:00+01:00", "2026-11-20T13:30:00+01:00", "2026-11-20T18:00:00+01:00", "2026-11-23T09:00:00+01:00"}},
		"a holiday with a date":             {office("Europe/Rome"), "2026-04-03T18:00:00+02:00", false, []string{"2026-04-07T09:00:00+02:00"}},
		"a yearly holiday":                  {office("Europe/Rome"), "2030-12-24T18:00:00+01:00", false, []string{"2030-12-26T09:00:00+01:00"}},
		"a date with its own hours":         {office("Europe/Rome"), "2026-12-24T09:00:00+01:00", true, []string{"2026-12-24T12:00:00+01:00", "2026-12-25T10:00:00+01:00", "2026-12-25T11:00:00+01:00", "2026-12-28T09:00:00+01:00"}},
		"a date that is closed":             {office("Europe/Rome"), "2026-08-13T18:00:00+02:00", false, []string{"2026-08-17T09:00:00+02:00"}},
		"seen from another zone":            {office("America/New_York"), "2026-11-20T15:00:00+01:00", true, []string{"2026-11-20T18:30:00+01:00"}},
		"overnight":                         {every("22:00", "06:00"), "2026-11-20T05:59:59+01:00", true, []string{"2026-11-20T06:00:00+01:00", "2026-11-20T22:00:00+01:00", "2026-11-21T06:00:00+01:00"}},
		"until midnight":                    {every("20:00", "00:00"), "2026-11-20T23:59:59+01:00", true, []string{"2026-11-21T00:00:00+01:00", "2026-11-21T20:00:00+01:00"}},
		"the night before a holiday":        {Spec{TimeZone: "Europe/Rome", Weekly: []Weekly{{week, Range{"22:00", "06:00"}}}, Holidays: []Holiday{{Yearly: "12-25"}}}, "2026-12-25T00:00:00+01:00", true, []string{"2026-12-25T06:00:00+01:00", "2026-12-26T22:00:00+01:00"}},
		"always":                            {every("00:00", "24:00"), "2026-11-20T05:59:59+01:00", true, []string{""}},
		"never":                             {Spec{TimeZone: "UTC"}, "2026-11-20T05:59:59Z", false, []string{""}},
		"always but Christmas":              {Spec{TimeZone: "UTC", Weekly: []Weekly{{week, Range{"00:00", "24:00"}}}, Holidays: []Holiday{{Yearly: "12-25"}}}, "2026-01-01T00:00:00Z", true, []string{"2026-12-25T00:00:00Z", "2026-12-26T00:00:00Z", "2027-12-25T00:00:00Z"}},
		"two ranges that touch are one":     {Spec{TimeZone: "UTC", Weekly: []Weekly{{week[:1], Range{"08:00", "12:00"}}, {week[:1], Range{"12:00", "14:00"}}, {week[:1], Range{"11:00", "13:00"}}}}, "2026-11-23T08:00:00Z", true, []string{"2026-11-23T14:00:00Z", "2026-11-30T08:00:00Z"}},
		"a leap day":                        {Spec{TimeZone: "UTC", Weekly: []Weekly{{week, Range{"00:00", "24:00"}}}, Holidays: []Holiday{{Yearly: "02-29"}}}, "2027-06-01T00:00:00Z", true, []string{"2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z", ""}},
		"forward, a night shift is shorter": {every("22:00", "06:00"), "2026-03-28T22:00:00+01:00", true, []string{"2026-03-29T06:00:00+02:00"}},
		"forward, from does not occur":      {every("02:30", "06:00"), "2026-03-29T01:59:59+01:00", false, []string{"2026-03-29T03:00:00+02:00", "2026-03-29T06:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		"forward, to does not occur":        {every("22:00", "02:30"), "2026-03-29T01:59:59+01:00", true, []string{"2026-03-29T03:00:00+02:00", "2026-03-29T22:00:00+02:00"}},
		"forward, nothing of it occurs":     {every("02:10", "02:50"), "2026-03-28T12:00:00+01:00", false, []string{"2026-03-30T02:10:00+02:00"}},
		"back, a night shift is longer":     {every("22:00", "06:00"), "2026-10-24T22:00:00+02:00", true, []string{"2026-10-25T06:00:00+01:00"}},
		"back, from occurs twice":           {every("02:30", "06:00"), "2026-10-25T02:29:59+02:00", false, []string{"2026-10-25T02:30:00+02:00", "2026-10-25T06:00:00+01:00"}},
		"back, to occurs twice":             {every("22:00", "02:30"), "2026-10-25T02:29:59+02:00", true, []string{"2026-10-25T02:30:00+02:00", "2026-10-25T22:00:00+01:00"}},
		"back, both occur twice":            {every("02:10", "02:50"), "2026-10-25T02:10:00+02:00", true, []string{"2026-10-25T02:50:00+02:00", "2026-10-26T02:10:00+01:00"}},
		"midnight does not occur":           {in(every("00:00", "24:00"), "Africa/Cairo"), "2026-04-23T12:00:00+02:00", true, []string{""}},
		"the south goes the other way":      {in(every("02:30", "06:00"), "Australia/Sydney"), "2026-10-04T01:59:59+10:00", false, []string{"2026-10-04T03:00:00+11:00", "2026-10-04T06:00:00+11:00"}},
		"half an hour":                      {in(every("01:45", "06:00"), "Australia/Lord_Howe"), "2026-04-05T01:44:59+11:00", false, []string{"2026-04-05T01:45:00+11:00", "2026-04-05T06:00:00+10:30"}},
		"a day that was left out":           {in(every("22:00", "06:00"), "Pacific/Apia"), "2011-12-29T22:00:00-10:00", true, []string{"2011-12-31T06:00:00+14:00", "2011-12-31T22:00:00+14:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			at, open := moment(t, test.at), test.open
			for _, change := range test.changes {
				if s.Open(at) != open {
					t.Fatalf("open at %s: %t", at, !open)
				}
				next := s.NextChange(at)
				if change == "" {
					if !next.IsZero() {
						t.Fatalf("after %s changes at %s", at, next)
					}
					return
				}
				if !next.Equal(moment(t, change)) {
					t.Fatalf("after %s changes at %s, want %s", at, next, change)
				}
				if s.Open(next.Add(-time.Second)) != open {
					t.Fatalf("a second before %s it has changed already", next)
				}
				at, open = next, !open
			}
		})
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSpecErrors(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		"timeZone: no time zone of the IANA database has this name":                            func(s *Spec) { s.TimeZone = "Europe/Atlantis" },
		"weekly[1].from: no time of day from 00:00 to 23:59":                                   func(s *Spec) { s.Weekly[1].From = "24:00" },
		"weekly[1].to: no time of day from 00:00 to 24:00":                                     func(s *Spec) { s.Weekly[1].To = "24:01" },
		"weekly[0]: from and to are the same; a whole day is 00:00 to 24:00":                   func(s *Spec) { s.Weekly[0].To = "09:00" },
		"weekly[0].days[0]: no day of the week":                                                func(s *Spec) { s.Weekly[0].Days = []string{"monday"} },
		"holidays[0].yearly: no such day":                                                      func(s *Spec) { s.Holidays[0].Yearly = "02-30" },
		"holidays[1].date: no such day":                                                        func(s *Spec) { s.Holidays[1].Date = "2026-02-29" },
		"holidays[0].date: no such day":                                                        func(s *Spec) { s.Holidays[0] = Holiday{} },
		"overrides[2].date: no such day":                                                       func(s *Spec) { s.Overrides[2].Date = "2026-13-01" },
		"overrides[0].ranges[0].to: no time of day from 00:00 to 24:00":                        func(s *Spec) { s.Overrides[0].Ranges[0].To = "+1:00" },
		"overrides[0].ranges[0].from: no time of day from 00:00 to 23:59":                      func(s *Spec) { s.Overrides[0].Ranges[0].From = "9:00" },
		"timeZone: no time zone of the IANA database has this name\x00the zone of the machine": func(s *Spec) { s.TimeZone = "Local" },
		"timeZone: no time zone of the IANA database has this name\x00none":                    func(s *Spec) { s.TimeZone = "" },
		"timeZone: no time zone of the IANA database has this name\x00a file":                  func(s *Spec) { s.TimeZone = "../../etc/passwd" },
	} {
		spec := office("UTC")
		change(&spec)
		_, err := New(spec)
		want, _, _ = strings.Cut(want, "\x00")
		if e := (*SpecError)(nil); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Between now and the next change the state is the present one, at the change it is the other one.
func TestNextChangeIsTheNextChange(t *testing.T) {
	zones := []string{"Europe/Rome", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia", "America/Santiago", "UTC"}
	clock := rapid.Custom(func(t *rapid.T) string {
		return time.Date(2000, 1, 1, 0, rapid.IntRange(0, 24*4-1).Draw(t, "quarter")*15, 0, 0, time.UTC).Format("15:04")
	})
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{TimeZone: rapid.SampledFrom(zones).Draw(t, "zone")}
		for range rapid.IntRange(0, 4).Draw(t, "ranges") {
			r := Range{clock.Draw(t, "from"), clock.Draw(t, "to")}
			if r.From == r.To {
				r = Range{"00:00", "24:00"}
			}
			spec.Weekly = append(spec.Weekly, Weekly{rapid.SliceOfNDistinct(rapid.SampledFrom(week), 1, 7, rapid.ID).Draw(t, "days"), r})
		}
		s, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 2*366*24*60).Draw(t, "minute")) * time.Minute)
		next, open := s.NextChange(now), s.Open(now)
		end := next
		if end.IsZero() {
			end = now.Add(21 * 24 * time.Hour)
		} else if s.Open(next) == open || !next.After(now) {
			t.Fatalf("%s is no change after %s", next, now)
		}
		for at := now; at.Before(end); at = at.Add(15 * time.Minute) {
			if s.Open(at) != open {
				t.Fatalf("%t at %s, but %t at %s", open, now, !open, at)
			}
		}
	})
}
