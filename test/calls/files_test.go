package calls

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wavSamples reads the 16-bit samples of a WAV file of 8 kHz, however far it
// has been written.
func wavSamples(file string) ([]int16, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	at := bytes.Index(raw, []byte("data"))
	if at < 0 || !bytes.HasPrefix(raw, []byte("RIFF")) {
		return nil, fmt.Errorf("%s is no WAV file", file)
	}
	raw = raw[at+8:]
	samples := make([]int16, len(raw)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return samples, nil
}

// toneLevel is the amplitude of the sine of hz over the samples.
func toneLevel(samples []int16, hz float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	coefficient := 2 * math.Cos(2*math.Pi*hz/8000)
	var s1, s2 float64
	for _, s := range samples {
		s1, s2 = float64(s)+coefficient*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-coefficient*s1*s2) / float64(len(samples))
}

// loudest is the greatest level of the tone in any half second.
func loudest(samples []int16, hz float64) float64 {
	const window = 4000
	var most float64
	for at := 0; at+window <= len(samples); at += window {
		most = max(most, toneLevel(samples[at:at+window], hz))
	}
	return most
}

// hasTones asserts that a WAV file has half a second of each tone.
func hasTones(t *testing.T, file string, tones ...float64) {
	t.Helper()
	eventually(t, "the tones are in the file", func() error {
		samples, err := wavSamples(file)
		if err != nil {
			return err
		}
		for _, hz := range tones {
			if level := loudest(samples, hz); level < loud {
				return fmt.Errorf("%s: %v Hz at %.0f in %d samples", filepath.Base(file), hz, level, len(samples))
			}
		}
		return nil
	})
}

// writeTone makes a WAV file of one second of a tone.
func writeTone(file string, hz float64) error {
	const samples = 8000
	var b bytes.Buffer
	b.WriteString("RIFF")
	le := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	le(uint32(36 + 2*samples))
	b.WriteString("WAVEfmt ")
	le(uint32(16))
	le([]uint16{1, 1})
	le([]uint32{8000, 16000})
	le([]uint16{2, 16})
	b.WriteString("data")
	le(uint32(2 * samples))
	for i := range samples {
		le(int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/8000)))
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// played tells whether Asterisk's log says that the sound was played to the
// extension's phone.
func played(extension, sound string) error { return playedIn(extension, sound, "") }

// playedIn is played for the sound in a language; empty means any.
func playedIn(extension, sound, language string) error {
	text, err := os.ReadFile(pbx.asterisk.LogFile())
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`<PJSIP/` + regexp.QuoteMeta(extension) + `-[0-9a-f]{8}> Playing '` + regexp.QuoteMeta(sound) +
		`\.[a-z0-9]+' \(language '` + regexp.QuoteMeta(language))
	if !line.Match(text) {
		return fmt.Errorf("%q was not played to %s", sound, extension)
	}
	return nil
}

// convert lets Asterisk decode a sound file into a WAV file of 16 bits.
func convert(t *testing.T, file string) string {
	t.Helper()
	out := strings.TrimSuffix(file, filepath.Ext(file)) + "-decoded.wav"
	if said := rx(t, "file convert "+file+" "+out); !strings.Contains(said, "Converted") {
		t.Fatalf("file convert: %s", said)
	}
	return out
}
