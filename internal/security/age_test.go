package security

import (
	"testing"
	"time"
)

func TestPasswordAge(t *testing.T) {
	const day = 24 * time.Hour
	usual := PasswordAge{Max: 90 * day, WarnBefore: 15 * day}
	set := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		age     PasswordAge
		set     time.Time
		after   time.Duration
		expired bool
		days    int
		due     bool
	}{
		"new":                       {usual, set, 0, false, 0, false},
		"a moment before warning":   {usual, set, 75*day - 1, false, 0, false},
		"the first day of warning":  {usual, set, 75 * day, false, 15, true},
		"a begun day counts":        {usual, set, 75*day + time.Hour, false, 15, true},
		"the last day":              {usual, set, 89*day + time.Second, false, 1, true},
		"the last moment":           {usual, set, 90*day - 1, false, 1, true},
		"the end":                   {usual, set, 90 * day, true, 0, false},
		"long after":                {usual, set, 900 * day, true, 0, false},
		"for ever":                  {PasswordAge{WarnBefore: day}, set, 9000 * day, false, 0, false},
		"without a warning":         {PasswordAge{Max: day}, set, day - 1, false, 0, false},
		"an unknown time of change": {usual, time.Time{}, 900 * day, false, 0, false},
	} {
		now := set.Add(test.after)
		days, due := test.age.Warn(test.set, now)
		if expired := test.age.Expired(test.set, now); expired != test.expired || days != test.days || due != test.due {
			t.Errorf("%s: expired %v, %d days, due %v", name, expired, days, due)
		}
	}
}
