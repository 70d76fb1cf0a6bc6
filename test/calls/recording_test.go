package calls

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// recordings are the files of an agent's recordings.
func recordings(t *testing.T, extension string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pbx.asterisk.SpoolDir, "monitor", recordingDirectory, extension, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// recorded waits until the agent has n recordings.
func recorded(t *testing.T, extension string, n int) []string {
	t.Helper()
	var files []string
	eventually(t, fmt.Sprintf("%d recordings", n), func() error {
		if files = recordings(t, extension); len(files) != n {
			return fmt.Errorf("%v", files)
		}
		return nil
	})
	return files
}

func TestRecording(t *testing.T) {
	const agentTone, callerTone = 400, 700
	s := newScene(t)
	type part struct{ caller, agent, queue string }
	parts := map[voice.RecordingFormat]part{}
	formats := map[voice.RecordingFormat]struct {
		suffix string
		check  func([]byte) error
	}{
		voice.Wav:   {".wav", wavOf(1)},
		voice.Wav49: {".WAV", wavOf(49)},
		voice.Gsm:   {".gsm", gsmFrames},
	}
	for format := range formats {
		p := part{caller: s.agent(), agent: s.agent(func(e *voice.Endpoint) { e.Recording = format })}
		p.queue = s.queue([]string{p.agent})
		parts[format] = p
	}
	inactive, other := s.agent(), s.agent()
	s.start()
	for format, want := range formats {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			p := parts[format]
			caller, agent := registered(t, p.caller, says(callerTone)), registered(t, p.agent, says(agentTone))
			ready(t, p.agent)
			for n, number := range []string{p.agent, p.queue} {
				out := call(t, caller, number)
				hears(t, "the agent", inCall(t, agent), []float64{callerTone}, nil)
				spoken(t, 120)(out)
				hangup(t, out)
				isFree(t, agent)
				files := recorded(t, p.agent, n+1)
				file := files[n]
				if filepath.Ext(file) != want.suffix {
					t.Errorf("the file is %s, want %s", file, want.suffix)
				}
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := want.check(raw); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				decoded := file
				if format != voice.Wav {
					decoded = filepath.Join(t.TempDir(), "decoded.wav")
					decode(t, file, decoded)
				}
				hasTones(t, decoded, agentTone, callerTone)
				if got := throughTheLink(t, recordingDirectory+"/"+p.agent+"/"+filepath.Base(file)); !bytes.Equal(got, raw) {
					t.Errorf("%s: %d bytes through the link, %d on disk", file, len(got), len(raw))
				}
			}
		})
	}
	t.Run("Inactive", func(t *testing.T) {
		t.Parallel()
		talk(t, registered(t, other), inactive, registered(t, inactive))
		if files := recordings(t, inactive); len(files) != 0 {
			t.Errorf("recordings %v", files)
		}
	})
}

// throughTheLink reads a recording as a manager does, in parts.
func throughTheLink(t *testing.T, name string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
	defer cancel()
	var content []byte
	for {
		part, err := pbx.link.server.ReadRecording(ctx, pbxKey, name, int64(len(content)), 3000)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, part.Content...)
		if len(part.Content) == 0 || int64(len(content)) >= part.Size {
			return content
		}
	}
}

// decode lets Asterisk turn the recording into plain WAV.
func decode(t *testing.T, from, to string) {
	t.Helper()
	out := convert(t, from)
	if err := os.Rename(out, to); err != nil {
		t.Fatal(err)
	}
}

// wavOf checks for a RIFF file of the format tag: 1 is PCM, 49 is GSM 06.10.
func wavOf(tag uint16) func([]byte) error {
	return func(raw []byte) error {
		if len(raw) < 60 || string(raw[:4]) != "RIFF" {
			return fmt.Errorf("%d bytes, no RIFF", len(raw))
		}
		if got := binary.LittleEndian.Uint16(raw[20:]); got != tag {
			return fmt.Errorf("format tag %d, want %d", got, tag)
		}
		return nil
	}
}

// gsmFrames checks for frames of 33 bytes that begin with GSM's 1101.
func gsmFrames(raw []byte) error {
	if len(raw) == 0 || len(raw)%33 != 0 {
		return fmt.Errorf("%d bytes are no whole frames", len(raw))
	}
	for at := 0; at < len(raw); at += 33 {
		if raw[at]>>4 != 0xd {
			return fmt.Errorf("the frame at %d begins with %#x", at, raw[at])
		}
	}
	return nil
}
