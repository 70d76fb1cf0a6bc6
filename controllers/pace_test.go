package controllers

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	type change struct {
		at    time.Duration
		count int
	}
	flood := func(every, length time.Duration) (changes []change) {
		for at := time.Duration(0); at < length; at += every {
			changes = append(changes, change{at, 1})
		}
		return changes
	}
	// Thirty changes at once, four times in ten seconds, as from a client on a busy machine.
	var breathless []change
	for at := time.Duration(0); at < 100*time.Second; at += 2500 * time.Millisecond {
		breathless = append(breathless, change{at, 30})
	}
	for name, c := range map[string]struct {
		changes []change
		// atMost and latest bound the number of snapshots and when the last change is out.
		atMost int
		latest time.Duration
	}{
		"one change goes out at once":                 {[]change{{0, 1}}, 1, 0},
		"two changes a moment apart":                  {[]change{{0, 1}, {100 * time.Millisecond, 1}}, 2, time.Second},
		"a trickle goes out every second":             {flood(500*time.Millisecond, 10*time.Second), 11, 11 * time.Second},
		"a thousand changes in twenty seconds":        {flood(20*time.Millisecond, 20*time.Second), 3, 22 * time.Second},
		"a thousand changes in a hundred seconds":     {flood(100*time.Millisecond, 100*time.Second), 5, 104 * time.Second},
		"a flood without end is held for a minute":    {flood(20*time.Millisecond, 150*time.Second), 5, 153 * time.Second},
		"a flood that catches its breath":             {breathless, 5, 104 * time.Second},
		"a thousand at the same moment after a first": {[]change{{0, 1}, {10 * time.Millisecond, 1000}}, 2, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			p := &pace{changed: map[string]bool{}}
			p.flush(start.Add(-minGap)) // of a PBX that was there before anything changed
			snapshots, pending, n := 0, false, 0
			var last time.Duration
			end := c.changes[len(c.changes)-1].at + 2*maxHold
			for now := time.Duration(0); now < end; now += 10 * time.Millisecond {
				for len(c.changes) > 0 && c.changes[0].at <= now {
					for range c.changes[0].count {
						n++
						p.note(fmt.Sprint("agent-", n), start.Add(now))
					}
					c.changes, pending = c.changes[1:], true
				}
				if pending && p.wait(start.Add(now)) == 0 {
					p.flush(start.Add(now))
					snapshots, pending, last = snapshots+1, false, now
				}
			}
			if pending || snapshots > c.atMost || last > c.latest {
				t.Errorf("%d snapshots, want at most %d; the last at %s, want %s at the latest; pending %v", snapshots, c.atMost, last, c.latest, pending)
			}
		})
	}
}

func TestPaceAfterNothingChanged(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &pace{changed: map[string]bool{}}
	p.note("a Secret nobody renders", now)
	p.flush(now)
	p.unchanged(now)
	p.note("an agent", now.Add(20*time.Millisecond))
	if got := p.wait(now.Add(20 * time.Millisecond)); got != 80*time.Millisecond {
		t.Errorf("wait %s, want the rest of the short gap", got)
	}
	p.flush(now.Add(unchangedGap))
	if got := p.wait(now.Add(unchangedGap)); got != minGap {
		t.Errorf("wait %s after a change, want the whole gap", got)
	}
}
