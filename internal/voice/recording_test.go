package voice

import "testing"

func TestRecordingType(t *testing.T) {
	for name, want := range map[string]string{
		"ringmaster/1001/a-1.wav": "audio/wav", "a.WAV": "audio/wav", "a.gsm": "audio/x-gsm",
		"": "", "wav": "", "a.Wav": "", "a.wav49": "", "a.wav/b": "", "secret.conf": "",
	} {
		if got, ok := RecordingType(name); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t; want %q", name, got, ok, want)
		}
	}
	for format, suffix := range recordingSuffixes {
		if _, ok := RecordingType("a." + suffix); format != "" && !ok {
			t.Errorf("recordings of format %s have no type", format)
		}
	}
}
