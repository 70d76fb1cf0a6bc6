package pbxlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestCodecsAreReported(t *testing.T) {
	r := newRig(t)
	r.eventually("the codecs are known", func() error {
		if st := r.status(); len(st.Codecs) == 0 {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	st := r.status()
	for _, codec := range []string{"ulaw", "alaw", "gsm", "g722", "g729", "opus"} {
		if !slices.Contains(st.Codecs, codec) {
			t.Errorf("%s is not among %v", codec, st.Codecs)
		}
		// Asterisk passes G.729 through and cannot decode it.
		if slices.Contains(st.Transcodable, codec) != (codec != "g729") {
			t.Errorf("%s and the transcodable %v", codec, st.Transcodable)
		}
	}
	if slices.Contains(st.Codecs, "h264") || slices.Contains(st.Codecs, "none") {
		t.Errorf("codecs %v", st.Codecs)
	}
}

func TestMissingContextsAreReported(t *testing.T) {
	r := newRig(t)
	c := r.center(1)
	c.PBX.OutboundContext = "to-the-trunk"
	r.apply(c)
	expect := func(want ...string) {
		t.Helper()
		r.eventually("the missing contexts are known", func() error {
			if diff := cmp.Diff(want, r.status().MissingContexts); diff != "" {
				return fmt.Errorf("%s", diff)
			}
			return nil
		})
	}
	expect("to-the-trunk")
	site := filepath.Join(r.asterisk.ConfigDir, "extensions.conf")
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(site, append([]byte("[to-the-trunk]\nexten => _0!,1,Hangup(3)\n"), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	c.PBX.ForbiddenPrefixes = []string{"0900"} // another dialplan, hence a reload
	r.apply(c)
	expect()
}

func TestMusicClassesAreReadBack(t *testing.T) {
	r := newRig(t)
	c := r.center(1)
	there := filepath.Join(r.asterisk.SpoolDir, "music")
	if err := os.MkdirAll(there, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(there, "tone.ulaw"), make([]byte, 8000), 0o644); err != nil {
		t.Fatal(err)
	}
	c.PBX.MusicClasses = []voice.MusicClass{{Name: "calm", Directory: there}}
	r.apply(c)
	if problem := r.status().Problem; problem != "" {
		t.Errorf("problem %q", problem)
	}
	if out := r.rx("moh show classes"); !contains(out, "Class: calm") {
		t.Errorf("classes\n%s", out)
	}
	// The other classes and agents are in force all the same.
	c.PBX.MusicClasses = append(c.PBX.MusicClasses, voice.MusicClass{Name: "nowhere", Directory: filepath.Join(there, "none")})
	r.apply(c)
	r.eventually("the problem is told", func() error {
		if problem := r.status().Problem; !contains(problem, "nowhere ("+there+"/none)") || contains(problem, "calm") {
			return fmt.Errorf("problem %q", problem)
		}
		return nil
	})
}
