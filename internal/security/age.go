package security

import "time"

// PasswordAge says how long a password holds. The zero value lets it hold for ever.
type PasswordAge struct {
	// Max is how long a password holds after it was set; 0 for ever.
	Max time.Duration
	// WarnBefore the end the agent is told at sign-in.
	WarnBefore time.Duration
}

// Expiry of a password that was set at that time; zero when it never ends.
func (a PasswordAge) Expiry(set time.Time) time.Time {
	if a.Max <= 0 || set.IsZero() {
		return time.Time{}
	}
	return set.Add(a.Max)
}

// Expired tells whether the password must be changed before anything else.
func (a PasswordAge) Expired(set, now time.Time) bool {
	end := a.Expiry(set)
	return !end.IsZero() && !now.Before(end)
}

// Warn is how many days the password still holds, begun ones counting, and whether it is time to say so.
func (a PasswordAge) Warn(set, now time.Time) (days int, due bool) {
	const day = 24 * time.Hour
	end := a.Expiry(set)
	if end.IsZero() || !now.Before(end) || end.Sub(now) > a.WarnBefore {
		return 0, false
	}
	return int((end.Sub(now) + day - 1) / day), true
}
