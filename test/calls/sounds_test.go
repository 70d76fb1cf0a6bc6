package calls

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// The tones of the sound files that the tests use.
const (
	musicTone    = 600
	positionTone = 900
	periodicTone = 1300
	music        = "tones"
)

func soundFile(name string) string { return filepath.Join(pbx.soundDir, name) }

// TestQueueSounds: what callers hear while they wait.
func TestQueueSounds(t *testing.T) {
	s := newScene(t)
	callers := map[string]string{}
	queues := map[string]string{}
	position := func(state voice.AnnouncePosition) func(*voice.Queue) {
		return func(q *voice.Queue) {
			q.Announcements = voice.Announcements{
				Position: state, Interval: 2 * time.Second, MinInterval: time.Second,
				Sounds: voice.Sounds{YouAreNext: soundFile("position")},
			}
		}
	}
	for name, change := range map[string]func(*voice.Queue){
		"MusicClass":     func(q *voice.Queue) { q.MusicClass = music },
		"MusicDefault":   func(*voice.Queue) {},
		"PositionAlways": position(voice.PositionAlways),
		"PositionNever":  position(voice.PositionNever),
		"Periodic": func(q *voice.Queue) {
			q.Periodic = voice.PeriodicAnnouncement{Sounds: []string{soundFile("periodic")}, Interval: 2 * time.Second}
		},
	} {
		callers[name] = s.agent()
		queues[name] = s.queue([]string{s.agent()}, change)
	}
	s.start()
	for name, check := range map[string]func(*testing.T, string, string){
		"MusicClass":     heard(musicTone),
		"MusicDefault":   notHeard(musicTone),
		"PositionAlways": heard(positionTone),
		"PositionNever":  notHeard(positionTone),
		"Periodic":       heard(periodicTone),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, callers[name], queues[name])
		})
	}
}

func heard(hz float64) func(*testing.T, string, string) {
	return func(t *testing.T, caller, queue string) {
		c := call(t, registered(t, caller), queue)
		hears(t, "the caller", c, []float64{hz}, nil)
		hangup(t, c)
	}
}

// notHeard listens longer than the announcement would let wait.
func notHeard(hz float64) func(*testing.T, string, string) {
	return func(t *testing.T, caller, queue string) {
		c := call(t, registered(t, caller), queue)
		start, _ := c.Audio()
		eventually(t, "six seconds pass", func() error {
			if level := c.Level(hz); level > loud {
				t.Fatalf("%v Hz is heard", hz)
			}
			if sent, _ := c.Audio(); sent < start+300 {
				return fmt.Errorf("%d frames", sent-start)
			}
			return nil
		})
		if c.Audible() < 2*time.Second {
			t.Errorf("only %s of music were heard", c.Audible())
		}
		hangup(t, c)
	}
}
