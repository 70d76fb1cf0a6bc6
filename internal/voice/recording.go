package voice

import "strings"

// recordingTypes are the media types of recordings by the endings of their
// names. The .WAV that wav49 becomes is a WAV file as well, with GSM in it.
var recordingTypes = map[string]string{".wav": "audio/wav", ".WAV": "audio/wav", ".gsm": "audio/x-gsm"}

// RecordingType is the media type of a recording; false for a name that no
// recording has.
func RecordingType(name string) (string, bool) {
	mediaType, ok := recordingTypes[name[max(0, strings.LastIndexByte(name, '.')):]]
	return mediaType, ok
}
