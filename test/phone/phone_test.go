package phone

import (
	"math"
	"testing"
)

func TestG711KeepsTheSignal(t *testing.T) {
	for name, law := range map[string]struct {
		encode func(int16) byte
		decode func(byte) int16
	}{"ulaw": {encodeUlaw, decodeUlaw}, "alaw": {encodeAlaw, decodeAlaw}} {
		t.Run(name, func(t *testing.T) {
			for s := -32768; s <= 32767; s += 7 {
				got := int(law.decode(law.encode(int16(s))))
				// Half a step of the segment, and the clipped top.
				if limit := 40 + abs(s)/25; abs(got-s) > limit {
					t.Fatalf("%d became %d", s, got)
				}
			}
			for b := range 256 {
				if got := law.encode(law.decode(byte(b))); got != byte(b) && !(name == "ulaw" && b == 0x7f) {
					t.Errorf("byte %#x became %#x", b, got)
				}
			}
		})
	}
}

func abs(n int) int { return max(n, -n) }

func TestEarTellsTonesApart(t *testing.T) {
	var low, high tone
	var e ear
	for range 50 {
		var pcm []int16
		for range frameSamples {
			pcm = append(pcm, low.next(400)+high.next(1100))
		}
		e.hear(pcm)
	}
	for hz, want := range map[float64]float64{400: toneLevel, 1100: toneLevel, 700: 0, 1600: 0} {
		if got := e.level(hz); math.Abs(got-want) > 100 {
			t.Errorf("%v Hz: amplitude %.0f, want %.0f", hz, got, want)
		}
	}
	if got := e.heard().Seconds(); got != 1 {
		t.Errorf("%v s were audible, want 1", got)
	}
	var silent ear
	silent.hear(make([]int16, earMemory))
	if silent.level(400) != 0 || silent.heard() != 0 {
		t.Error("silence was heard")
	}
}
