package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// Channel variables that keep what a restarted pbxlet could not know.
const (
	// firstRecording is the file before the one in MIXMONITOR_FILENAME.
	firstRecording = "RINGMASTER_FIRST_RECORDING"
	// recordingPaused is "1" while silence is recorded.
	recordingPaused = "RINGMASTER_RECORDING_PAUSED"
	// recordCommand is the id of the last command carried out.
	recordCommand = "RINGMASTER_RECORD_COMMAND"
	// recordingFile is Asterisk's own: the path of the last recording begun.
	recordingFile = "MIXMONITOR_FILENAME"
)

// manualSuffix is the format of recordings of agents who have none of their own.
const manualSuffix = "wav"

var recordingVariables = strings.Join([]string{recordingFile, firstRecording, recordingPaused}, ",")

// recordingEvent takes in that a recording began, ended or was paused.
func (c *calls) recordingEvent(m ami.Message) bool {
	id := m.Get("Uniqueid")
	call, ok := c.live[id]
	if !ok {
		return false
	}
	return c.change(call, func() {
		switch m.Event() {
		case "MixMonitorStart":
			call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_ON
			c.unnamed[id] = true
		case "MixMonitorStop":
			call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_OFF
		case "MixMonitorMute":
			call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_ON
			if m.Get("State") == "1" {
				call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_PAUSED
			}
		}
	})
}

// recordingStatus takes the recording from the variables of a listed channel.
// Only we stop a recording before the end of its call, to begin the next.
func (c *calls) recordingStatus(call *pbxlinkv1.Call, m ami.Message) {
	vars := map[string]string{}
	for _, v := range m.All("Variable") {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = known(value)
	}
	call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_OFF
	call.Recordings = nil
	for _, file := range []string{vars[firstRecording], vars[recordingFile]} {
		if file != "" {
			call.Recordings = append(call.Recordings, c.relative(file))
			call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_ON
		}
	}
	if vars[recordingPaused] == "1" && len(call.GetRecordings()) > 0 {
		call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_PAUSED
	}
}

// relative is a recording's name below the directory of recordings.
func (c *calls) relative(file string) string { return strings.TrimPrefix(file, c.spool) }

// named completes a recording with its file.
func (c *calls) named(id, file string) {
	delete(c.unnamed, id)
	call, ok := c.live[id]
	if !ok || file == "" {
		return
	}
	file = c.relative(file)
	c.change(call, func() {
		if n := len(call.GetRecordings()); n == 0 || call.GetRecordings()[n-1] != file {
			call.Recordings = append(call.Recordings, file)
		}
	})
}

// nameRecordings asks for the files of the recordings that began.
func (e *engine) nameRecordings(ctx context.Context, a *asterisk) error {
	for _, id := range e.tables.unnamedRecordings() {
		file, err := a.channelVariable(ctx, id, recordingFile)
		if broken(ctx, a) {
			return err
		}
		e.tables.nameRecording(id, file)
	}
	return nil
}

// recordCall carries out one RecordCall. The command's id is left on the
// channel, so that a repetition finds its work done.
func (e *engine) recordCall(ctx context.Context, a *asterisk, id string, r *pbxlinkv1.RecordCall) error {
	channel := r.GetCallId()
	vars, err := a.channelVariables(ctx, channel, recordCommand, recordingFile, recordingPaused,
		voice.RecordingsVariable, voice.MixMonitorVariable, voice.RecordingVariable, voice.ManualRecordingVariable, voice.AgentVariable)
	if err != nil {
		return callEnded(err)
	}
	if vars[recordCommand] == id {
		return nil
	}
	if vars[voice.RecordingVariable] == "" && vars[voice.ManualRecordingVariable] != "yes" {
		return pbxlink.ErrNotAllowed
	}
	running := vars[recordingFile] != ""
	switch r.GetVerb() {
	case pbxlinkv1.RecordVerb_RECORD_VERB_START:
		if !running {
			err = e.startRecording(ctx, a, channel, vars)
		}
	case pbxlinkv1.RecordVerb_RECORD_VERB_PAUSE, pbxlinkv1.RecordVerb_RECORD_VERB_RESUME:
		if !running {
			return pbxlink.ErrNotRecording
		}
		err = a.muteRecording(ctx, channel, r.GetVerb() == pbxlinkv1.RecordVerb_RECORD_VERB_PAUSE)
	case pbxlinkv1.RecordVerb_RECORD_VERB_RESTART:
		if !running {
			return pbxlink.ErrNotRecording
		}
		err = e.restartRecording(ctx, a, channel, vars)
	default:
		return errors.New("this pbxlet does not know the verb")
	}
	if err == nil {
		err = a.setChannelVariable(ctx, channel, recordCommand, id)
	}
	return callEnded(err)
}

// callEnded makes the missing channel of a call a refusal.
func callEnded(err error) error {
	var failed *ami.Error
	if errors.As(err, &failed) && strings.Contains(strings.ToLower(failed.Message), "no such channel") {
		return pbxlink.ErrCallEnded
	}
	return err
}

// startRecording begins the next file of a call, named and cut to the
// conversation as those that the dialplan begins.
func (e *engine) startRecording(ctx context.Context, a *asterisk, channel string, vars map[string]string) error {
	begun := max(0, number(vars[voice.RecordingsVariable]))
	if begun >= pbxlink.MaxRecordings {
		return pbxlink.ErrRecordingLimit
	}
	owner, suffix := vars[voice.AgentVariable], vars[voice.RecordingVariable]
	if suffix == "" {
		suffix = manualSuffix
	}
	name := fmt.Sprintf("%s-%s-%d.%s", time.Now().UTC().Format("20060102-150405"), channel, begun+1, suffix)
	if err := a.startRecording(ctx, channel, path.Join(e.recordings, owner, name)); err != nil {
		return err
	}
	return a.setChannelVariable(ctx, channel, voice.RecordingsVariable, strconv.Itoa(begun+1))
}

func (e *engine) restartRecording(ctx context.Context, a *asterisk, channel string, vars map[string]string) error {
	if number(vars[voice.RecordingsVariable]) >= pbxlink.MaxRecordings {
		return pbxlink.ErrRecordingLimit
	}
	if err := a.setChannelVariable(ctx, channel, firstRecording, vars[recordingFile]); err != nil {
		return err
	}
	if err := a.stopRecording(ctx, channel, vars[voice.MixMonitorVariable]); err != nil {
		return err
	}
	if err := a.setChannelVariable(ctx, channel, recordingPaused, ""); err != nil {
		return err
	}
	return e.startRecording(ctx, a, channel, vars)
}

// recordingDirectory is where the dialplan puts recordings, below Asterisk's
// monitor directory: recordings by hand go to the same place.
func recordingDirectory(dialplan string) string {
	_, rest, _ := strings.Cut(dialplan, "MixMonitor(")
	directory, _, found := strings.Cut(rest, "/${"+voice.AgentVariable+"}/")
	if !found || strings.ContainsAny(directory, "\n,)") {
		return voice.DefaultRecordingDirectory
	}
	return directory
}

func (a *asterisk) startRecording(ctx context.Context, channel, file string) error {
	return a.act(ctx, "MixMonitor", ami.Header{Name: "Channel", Value: channel}, ami.Header{Name: "File", Value: file},
		ami.Header{Name: "Options", Value: "bi(" + voice.MixMonitorVariable + ")"})
}

func (a *asterisk) stopRecording(ctx context.Context, channel, id string) error {
	headers := []ami.Header{{Name: "Channel", Value: channel}}
	if id != "" {
		headers = append(headers, ami.Header{Name: "MixMonitorID", Value: id})
	}
	return a.act(ctx, "StopMixMonitor", headers...)
}

func (a *asterisk) muteRecording(ctx context.Context, channel string, mute bool) error {
	state := "0"
	if mute {
		state = "1"
	}
	if err := a.act(ctx, "MixMonitorMute", ami.Header{Name: "Channel", Value: channel},
		ami.Header{Name: "Direction", Value: "both"}, ami.Header{Name: "State", Value: state}); err != nil {
		return err
	}
	return a.setChannelVariable(ctx, channel, recordingPaused, state)
}

// act is an action whose answer is only whether it was done.
func (a *asterisk) act(ctx context.Context, action string, headers ...ami.Header) error {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	_, err := a.Action(ctx, action, headers...)
	return err
}

func (a *asterisk) channelVariable(ctx context.Context, channel, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	m, err := a.Action(ctx, "Getvar", ami.Header{Name: "Channel", Value: channel}, ami.Header{Name: "Variable", Value: name})
	if err != nil {
		return "", err
	}
	return known(m.Get("Value")), nil
}

func (a *asterisk) channelVariables(ctx context.Context, channel string, names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	for _, name := range names {
		value, err := a.channelVariable(ctx, channel, name)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

func (a *asterisk) setChannelVariable(ctx context.Context, channel, name, value string) error {
	return a.act(ctx, "Setvar", ami.Header{Name: "Channel", Value: channel},
		ami.Header{Name: "Variable", Value: name}, ami.Header{Name: "Value", Value: value})
}
