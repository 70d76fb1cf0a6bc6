package pbxlet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// readerOn is a reader of a spool with the files, by their names below it.
func readerOn(t *testing.T, files map[string]string) (*reader, string) {
	t.Helper()
	spool := t.TempDir()
	for name, content := range files {
		file := filepath.Join(spool, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return newReader(spool, newOutbox()), spool
}

func TestReaderReadsParts(t *testing.T) {
	large := strings.Repeat("x", pbxlink.MaxRecordingPart+10)
	r, spool := readerOn(t, map[string]string{"monitor/ringmaster/1001/a.wav": "RIFFabc", "monitor/b.WAV": large, "monitor/c.gsm": ""})
	at := time.Unix(1_700_000_000, 0)
	if err := os.Chtimes(filepath.Join(spool, "monitor/ringmaster/1001/a.wav"), at, at); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file   string
		offset int64
		length int32
		want   string
		size   int
	}{
		{"ringmaster/1001/a.wav", 0, 100, "RIFFabc", 7},
		{"ringmaster/1001/a.wav", 2, 3, "FFa", 7},
		{"ringmaster/1001/a.wav", 7, 3, "", 7},
		{"ringmaster/1001/a.wav", 1 << 62, 3, "", 7},
		{"ringmaster/1001/a.wav", -1, 3, "", 7},
		{"ringmaster/1001/a.wav", 0, 0, "", 7},
		{"ringmaster/1001/a.wav", 0, -1, "", 7},
		{"ringmaster/1001/../1001/a.wav", 0, 4, "RIFF", 7},
		{"b.WAV", 0, 1 << 30, large[:pbxlink.MaxRecordingPart], len(large)},
		{"c.gsm", 0, 10, "", 0},
	} {
		part, err := r.read(&pbxlinkv1.ReadRecording{File: test.file, Offset: test.offset, Length: test.length})
		if err != nil || !bytes.Equal(part.GetContent(), []byte(test.want)) || part.GetSize() != int64(test.size) {
			t.Errorf("%s from %d: %d bytes of %d, %v", test.file, test.offset, len(part.GetContent()), part.GetSize(), err)
		}
	}
	part, err := r.read(&pbxlinkv1.ReadRecording{File: "ringmaster/1001/a.wav"})
	if err != nil || !part.GetChangedAt().AsTime().Equal(at) {
		t.Errorf("changed at %v, %v", part.GetChangedAt().AsTime(), err)
	}
}

// Nothing but recordings is read, whatever the name says and wherever links lead.
func TestReaderStaysInItsDirectory(t *testing.T) {
	r, spool := readerOn(t, map[string]string{
		"monitor/ringmaster/a.wav": "RIFF", "monitor/secret.conf": "secret", "secret.wav": "secret", "voicemail/default/1001/msg.wav": "secret",
	})
	monitor := filepath.Join(spool, "monitor")
	for name, target := range map[string]string{
		"up.wav": "../secret.wav", "absolute.wav": filepath.Join(spool, "secret.wav"), "boxes": "../voicemail/default", "round.wav": "round.wav", "inside.wav": "ringmaster/a.wav",
	} {
		if err := os.Symlink(target, filepath.Join(monitor, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(syscall.Mkfifo(filepath.Join(monitor, "pipe.wav"), 0o600), os.Mkdir(filepath.Join(monitor, "directory.wav"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"", ".", "..", "/", "../secret.wav", "ringmaster/../../secret.wav", filepath.Join(spool, "secret.wav"), filepath.Join(monitor, "ringmaster/a.wav"),
		"secret.conf", "ringmaster", "ringmaster/a.wav/b.wav", "ringmaster/gone.wav", "nowhere/a.wav", "a.wav\x00", "ringmaster/a.wav\x00.wav",
		"up.wav", "absolute.wav", "boxes/1001/msg.wav", "round.wav", "pipe.wav", "directory.wav", strings.Repeat("a", 5000) + ".wav",
	} {
		part, err := r.read(&pbxlinkv1.ReadRecording{File: name, Length: 100})
		if part != nil || err == nil {
			t.Errorf("%.100q was read: %q", name, part.GetContent())
		}
		if !errors.Is(err, pbxlink.ErrNoRecording) {
			t.Errorf("%.100q: %v, want %v", name, err, pbxlink.ErrNoRecording)
		}
	}
	if part, err := r.read(&pbxlinkv1.ReadRecording{File: "inside.wav", Length: 100}); err != nil || string(part.GetContent()) != "RIFF" {
		t.Errorf("a link that stays inside: %q, %v", part.GetContent(), err)
	}

	// The administrator may keep all recordings on another disk.
	if err := errors.Join(os.Rename(monitor, filepath.Join(spool, "disk")), os.Symlink("disk", monitor)); err != nil {
		t.Fatal(err)
	}
	if part, err := r.read(&pbxlinkv1.ReadRecording{File: "ringmaster/a.wav", Length: 100}); err != nil || string(part.GetContent()) != "RIFF" {
		t.Errorf("with the directory on another disk: %q, %v", part.GetContent(), err)
	}
	if err := os.Remove(monitor); err != nil {
		t.Fatal(err)
	}
	if _, err := r.read(&pbxlinkv1.ReadRecording{File: "ringmaster/a.wav", Length: 100}); !errors.Is(err, pbxlink.ErrNoRecording) {
		t.Errorf("without the directory: %v", err)
	}
}

// Too many questions are refused rather than kept.
func TestReaderIsBounded(t *testing.T) {
	r, _ := readerOn(t, nil)
	for n := range maxReads + 2 {
		r.ask(&pbxlinkv1.Command{Id: fmt.Sprint(n), Action: &pbxlinkv1.Command_ReadRecording{ReadRecording: &pbxlinkv1.ReadRecording{File: "a.wav"}}})
	}
	var refused []string
	for _, m := range r.out.take() {
		if m.GetCommandResult().GetError() != "" {
			refused = append(refused, m.GetCommandResult().GetId())
		}
	}
	if fmt.Sprint(refused) != fmt.Sprint([]string{fmt.Sprint(maxReads), fmt.Sprint(maxReads + 1)}) {
		t.Errorf("refused %v", refused)
	}
}
