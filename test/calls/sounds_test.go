package calls

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// sounds are the sound files of the tests, each a tone of its own.
var sounds = map[string]float64{
	"music/tone": 600, "next": 900, "periodic": 1300, "there-are": 1500, "waiting": 1700, "thanks": 1900, "more": 2100, "than": 2300,
}

// music is the music class that plays sounds["music/tone"].
const music = "tones"

// soundFile is the path of a sound without its suffix, as Playback takes it.
func soundFile(name string) string { return soundFileOf(pbx, name) }

func soundFileOf(p *stage, name string) string { return filepath.Join(p.soundDir, name) }

// announce tells callers their position with sounds of our own.
func announce(position voice.AnnouncePosition, limit int) func(*voice.Queue) {
	return func(q *voice.Queue) {
		q.Announcements = voice.Announcements{
			Position: position, PositionLimit: limit, Interval: 2 * time.Second, MinInterval: time.Second,
			Sounds: voice.Sounds{
				YouAreNext: soundFile("next"), ThereAre: soundFile("there-are"), CallsWaiting: soundFile("waiting"),
				ThankYou: soundFile("thanks"), QuantityOne: soundFile("more"), QuantityTwo: soundFile("than"),
			},
		}
	}
}

// TestQueueSounds: what callers hear while they wait, the first and a second.
func TestQueueSounds(t *testing.T) {
	s := newScene(t)
	type part struct{ first, second, queue string }
	parts := map[string]part{}
	cases := map[string]struct {
		change              func(*voice.Queue)
		first, second, none []string
	}{
		"MusicClass":   {func(q *voice.Queue) { q.MusicClass = music }, []string{"music/tone"}, []string{"music/tone"}, nil},
		"MusicDefault": {func(*voice.Queue) {}, nil, nil, []string{"music/tone"}},
		"PositionAlways": {
			announce(voice.PositionAlways, 0), []string{"next", "thanks"}, []string{"there-are", "waiting", "thanks"}, []string{"more", "periodic"},
		},
		"PositionNever": {announce(voice.PositionNever, 0), nil, nil, []string{"next", "there-are", "more"}},
		"PositionLimit": {announce(voice.PositionLimit, 1), []string{"next"}, nil, []string{"there-are", "more"}},
		"PositionMore":  {announce(voice.PositionMore, 1), nil, []string{"more", "than"}, []string{"there-are"}},
		"Periodic": {
			func(q *voice.Queue) {
				q.Periodic = voice.PeriodicAnnouncement{Sounds: []string{soundFile("periodic"), soundFile("more")}, Interval: 2 * time.Second}
			},
			[]string{"periodic", "more"}, []string{"periodic", "more"}, []string{"next"},
		},
	}
	for name, c := range cases {
		parts[name] = part{s.agent(), s.agent(), s.queue([]string{s.agent()}, c.change)}
	}
	s.start()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parts[name]
			first := call(t, registered(t, p.first), p.queue)
			waiting(t, p.queue, 1)
			second := call(t, registered(t, p.second), p.queue)
			missing := map[string]bool{}
			for _, want := range c.first {
				missing["first "+want] = true
			}
			for _, want := range c.second {
				missing["second "+want] = true
			}
			least := time.Now().Add(5 * time.Second)
			eventually(t, "the sounds are heard", func() error {
				for sound, hz := range sounds {
					if first.Level(hz) > loud {
						delete(missing, "first "+sound)
					}
					if second.Level(hz) > loud {
						delete(missing, "second "+sound)
					}
				}
				for _, sound := range c.none {
					if hz := sounds[sound]; first.Level(hz) > loud || second.Level(hz) > loud {
						t.Fatalf("%s is heard", sound)
					}
				}
				if len(missing) > 0 || time.Now().Before(least) {
					return fmt.Errorf("not heard: %v", missing)
				}
				return nil
			})
			hangup(t, second)
			hangup(t, first)
		})
	}
}

// TestQueueMinInterval: who moves up is told before the interval is over.
func TestQueueMinInterval(t *testing.T) {
	s := newScene(t)
	ahead, behind := s.agent(), s.agent()
	queue := s.queue([]string{s.agent()}, func(q *voice.Queue) {
		announce(voice.PositionAlways, 0)(q)
		q.Announcements.Interval, q.Announcements.MinInterval = time.Hour, time.Second
	})
	s.start()
	first := call(t, registered(t, ahead), queue)
	waiting(t, queue, 1)
	second := call(t, registered(t, behind), queue)
	// A position that changes while it is being said is not said again.
	hears(t, "the second", second, []float64{sounds["thanks"]}, nil)
	hears(t, "the second, no more", second, nil, []float64{sounds["thanks"]})
	spoken(t, 50)(second)
	hangup(t, first)
	hears(t, "the second, now next", second, []float64{sounds["next"]}, nil)
}
