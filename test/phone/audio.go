package phone

import (
	"math"
	"sync"
	"time"
)

const (
	sampleRate = 8000 // Hz, G.711
	// toneLevel is the amplitude of the tone a phone sends, about -12 dBFS: two
	// of them can be mixed without clipping.
	toneLevel = 8000
	// audible is the RMS of a frame above which it is not silence; comfort
	// noise and the quantisation of G.711 stay far below.
	audible = 200
	// earMemory is how much of the last audio Level looks at.
	earMemory = sampleRate / 2
	// earStale is how long nothing may come before what was heard is forgotten.
	earStale = 300 * time.Millisecond
)

// tone is a sine that keeps its phase from frame to frame.
type tone struct{ phase float64 }

// next is the next sample at hz; 0 Hz is silence.
func (t *tone) next(hz float64) int16 {
	if hz == 0 {
		t.phase = 0
		return 0
	}
	t.phase = math.Mod(t.phase+2*math.Pi*hz/sampleRate, 2*math.Pi)
	return int16(toneLevel * math.Sin(t.phase))
}

// ear keeps the last audio that came in.
type ear struct {
	mu      sync.Mutex
	samples [earMemory]int16
	at      int
	last    time.Time
	audible time.Duration
}

func (e *ear) hear(frame []int16) {
	var power float64
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) > earStale {
		clear(e.samples[:])
	}
	e.last = time.Now()
	for _, s := range frame {
		e.samples[e.at] = s
		e.at = (e.at + 1) % earMemory
		power += float64(s) * float64(s)
	}
	if len(frame) > 0 && math.Sqrt(power/float64(len(frame))) > audible {
		e.audible += time.Duration(len(frame)) * time.Second / sampleRate
	}
}

// level is the amplitude of the sine of hz in the last half second, by
// Goertzel's algorithm; 0 when nothing came lately.
func (e *ear) level(hz float64) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) > earStale {
		return 0
	}
	coefficient := 2 * math.Cos(2*math.Pi*hz/sampleRate)
	var s1, s2 float64
	for i := range earMemory {
		s1, s2 = float64(e.samples[(e.at+i)%earMemory])+coefficient*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-coefficient*s1*s2) / earMemory
}

func (e *ear) heard() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.audible
}
