package calls

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// reported waits until the manager knows that the recording of the extension's
// call is in that state, with so many files, and returns the call.
func reported(t *testing.T, extension string, state pbxlink.RecordingState, files int) pbxlink.Call {
	t.Helper()
	var c pbxlink.Call
	eventually(t, fmt.Sprintf("the recording is %s", state), func() error {
		if c = pbx.link.events.call(extension); c.State != pbxlink.CallUp || c.Recording != state || len(c.Recordings) != files {
			return fmt.Errorf("call %+v", c)
		}
		return nil
	})
	return c
}

func record(t *testing.T, c pbxlink.Call, verb pbxlink.RecordVerb) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
	defer cancel()
	return pbx.link.server.RecordCall(ctx, pbxKey, c.ID, verb)
}

func mustRecord(t *testing.T, c pbxlink.Call, verb pbxlink.RecordVerb) {
	t.Helper()
	if err := record(t, c, verb); err != nil {
		t.Fatalf("%s: %v", verb, err)
	}
}

func recordingFile(name string) string {
	return filepath.Join(pbx.asterisk.SpoolDir, "monitor", name)
}

// TestRecordingControl: what is said in a pause is not in the file, a restart
// begins the second file, and there is no third.
func TestRecordingControl(t *testing.T) {
	const agentTone, before, during, after, later = 400, 700, 1100, 1500, 1900
	s := newScene(t)
	caller, agent := s.agent(), s.agent(func(e *voice.Endpoint) { e.Recording = voice.Wav })
	s.start()
	out := call(t, registered(t, caller, says(before)), registered(t, agent, says(agentTone)).User())
	up := reported(t, agent, pbxlink.RecordingOn, 1)
	spoken(t, 80)(out)
	mustRecord(t, up, pbxlink.RecordPause)
	reported(t, agent, pbxlink.RecordingPaused, 1)
	out.SetTone(during)
	spoken(t, 80)(out)
	out.SetTone(after)
	spoken(t, 20)(out)
	mustRecord(t, up, pbxlink.RecordResume)
	reported(t, agent, pbxlink.RecordingOn, 1)
	spoken(t, 80)(out)
	mustRecord(t, up, pbxlink.RecordRestart)
	up = reported(t, agent, pbxlink.RecordingOn, 2)
	out.SetTone(later)
	spoken(t, 80)(out)
	if err := record(t, up, pbxlink.RecordRestart); !errors.Is(err, pbxlink.ErrRecordingLimit) {
		t.Errorf("a third file: %v, want %v", err, pbxlink.ErrRecordingLimit)
	}
	hangup(t, out)
	eventually(t, "the call is over", func() error {
		if c := pbx.link.events.call(agent); c.State != pbxlink.CallEnded {
			return fmt.Errorf("call %+v", c)
		}
		return nil
	})
	if err := record(t, up, pbxlink.RecordPause); !errors.Is(err, pbxlink.ErrCallEnded) {
		t.Errorf("after the call: %v, want %v", err, pbxlink.ErrCallEnded)
	}
	if files := recorded(t, agent, 2); recordingFile(up.Recordings[0]) != files[0] || recordingFile(up.Recordings[1]) != files[1] {
		t.Errorf("reported %v, on disk %v", up.Recordings, files)
	}
	first, second := recordingFile(up.Recordings[0]), recordingFile(up.Recordings[1])
	hasTones(t, first, before, after, agentTone)
	hasTones(t, second, later, agentTone)
	lacksTones(t, first, during, later)
	lacksTones(t, second, before, during)
}

// lacksTones asserts that a WAV file has none of the tones.
func lacksTones(t *testing.T, file string, tones ...float64) {
	t.Helper()
	samples, err := wavSamples(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, hz := range tones {
		if level := loudest(samples, hz); level > quiet {
			t.Errorf("%s: %v Hz at %.0f", filepath.Base(file), hz, level)
		}
	}
}

// TestManualRecording: an agent who may begins a recording, others may not.
func TestManualRecording(t *testing.T) {
	s := newScene(t)
	caller, other := s.agent(), s.agent()
	allowed := s.agent(func(e *voice.Endpoint) { e.ManualRecording = true })
	denied := s.agent()
	s.start()
	t.Run("Allowed", func(t *testing.T) {
		t.Parallel()
		agent := registered(t, allowed, says(400))
		out := call(t, registered(t, caller, says(700)), allowed)
		up := reported(t, allowed, pbxlink.RecordingOff, 0)
		if err := record(t, up, pbxlink.RecordPause); !errors.Is(err, pbxlink.ErrNotRecording) {
			t.Errorf("a pause of nothing: %v, want %v", err, pbxlink.ErrNotRecording)
		}
		mustRecord(t, up, pbxlink.RecordStart)
		up = reported(t, allowed, pbxlink.RecordingOn, 1)
		spoken(t, 100)(out)
		hangup(t, out)
		isFree(t, agent)
		hasTones(t, recordingFile(up.Recordings[0]), 400, 700)
	})
	t.Run("Denied", func(t *testing.T) {
		t.Parallel()
		registered(t, denied)
		out := call(t, registered(t, other), denied)
		up := reported(t, denied, pbxlink.RecordingOff, 0)
		if err := record(t, up, pbxlink.RecordStart); !errors.Is(err, pbxlink.ErrNotAllowed) {
			t.Errorf("got %v, want %v", err, pbxlink.ErrNotAllowed)
		}
		hangup(t, out)
		if files := recordings(t, denied); len(files) != 0 {
			t.Errorf("recordings %v", files)
		}
	})
}
