package pbxlet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestOnlyChangedTypesAreReadAgain wants the files of the types that a change does not concern to be the very
// files that Asterisk has read, and every change to be in force all the same.
func TestOnlyChangedTypesAreReadAgain(t *testing.T) {
	r := newRig(t)
	c := r.center(3)
	r.apply(c)
	files := []string{voice.PJSIPFile, voice.PJSIPAuthFile, voice.PJSIPAORFile, voice.PJSIPEndpointFile}
	stat := func() map[string]os.FileInfo {
		found := map[string]os.FileInfo{}
		for _, name := range files {
			info, err := os.Stat(filepath.Join(r.asterisk.StateDir, "current", name))
			if err != nil {
				t.Fatal(err)
			}
			found[name] = info
		}
		return found
	}
	step := func(name string, anew []string, change func(*voice.Center), options ...pbxlink.SnapshotOptions) {
		t.Helper()
		before := stat()
		change(&c)
		r.apply(c, options...)
		after := stat()
		for _, file := range files {
			if same, want := os.SameFile(before[file], after[file]), !slices.Contains(anew, file); same != want {
				t.Errorf("%s: %s is the file that was read before: %t, want %t", name, file, same, want)
			}
		}
	}
	second := func(o *phone.Options) { o.Password = "second" }
	code := func(extension string, change ...func(*phone.Options)) int {
		t.Helper()
		code, err := r.phone(extension, change...).RegisterStatus(r.soon())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}

	step("a password", []string{voice.PJSIPAuthFile}, func(c *voice.Center) { c.Agents[0].HA1 = voice.HA1("user.1001", realm, "second") })
	if code("1001") != 401 || code("1001", second) != 200 || code("1002") != 200 {
		t.Error("the new password, and that of others, do not work")
	}
	step("a name", []string{voice.PJSIPEndpointFile}, func(c *voice.Center) { c.Agents[1].DisplayName = "Another" })
	if out := r.rx("pjsip show endpoint 1002"); !contains(out, `"Another" <1002>`) {
		t.Errorf("the new name is not in force:\n%s", out)
	}
	step("how long a registration holds", []string{voice.PJSIPAORFile}, func(c *voice.Center) { c.Agents[1].Expires = 4 * time.Hour })
	if out := r.rx("pjsip show aor 1002"); !contains(out, "maximum_expiration   : 14400") {
		t.Errorf("the new expiry is not in force:\n%s", out)
	}
	step("an agent more and one less", files[1:], func(c *voice.Center) { c.Agents = append(slices.Clone(c.Agents[1:]), agent("1004")) })
	if code("1001", second) != 401 || code("1004") != 200 || code("1002") != 200 {
		t.Error("who came is unknown, or who left is not")
	}
}

// TestRefusedTypeIsTakenBack wants the other types, of which Asterisk has read new files, to be the last good ones again.
func TestRefusedTypeIsTakenBack(t *testing.T) {
	r := newRig(t)
	c := r.center(2)
	good := r.apply(c)
	c.Agents[0].HA1 = voice.HA1("user.1001", realm, "second")
	c.Agents[0].DisplayName = "Another"
	bad := broken(t, c)
	r.manager.server.SetSnapshot(pbxKey, bad, pbxlink.SnapshotOptions{})
	r.eventually("it is refused", func() error {
		st := r.status()
		if st.LastRejection == nil || st.LastRejection.Version != bad.Version || st.AppliedVersion != good.Version {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	r.registered("1001")
	if code, err := r.phone("1001", func(o *phone.Options) { o.Password = "second" }).RegisterStatus(r.soon()); err != nil || code != 401 {
		t.Errorf("the password of the refused snapshot: %d, %v", code, err)
	}
	r.apply(c)
	r.registered("1001", func(o *phone.Options) { o.Password = "second" })
}

// TestMachineOfAnEarlierVersion wants a machine whose sorcery.conf does not know the files to keep its phones.
func TestMachineOfAnEarlierVersion(t *testing.T) {
	r := newRig(t)
	c := r.center(2)
	good := r.apply(c)
	path := filepath.Join(r.asterisk.ConfigDir, "sorcery.conf")
	mappings, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, s voice.Snapshot, reason string) {
		t.Helper()
		r.eventually(name+": it is refused with the reason", func() error {
			st := r.status()
			if st.LastRejection == nil || st.LastRejection.Version != s.Version || !contains(st.LastRejection.Reason, reason) || st.AppliedVersion != good.Version {
				return fmt.Errorf("status %+v", brief(st))
			}
			return nil
		})
		r.registered("1001")
	}
	c.Agents[0].HA1 = voice.HA1("user.1001", realm, "second")
	for name, change := range map[string]func() error{
		"no file":    func() error { return os.Remove(path) },
		"no section": func() error { return os.WriteFile(path, []byte("[test]\nauth=memory\n"), 0o644) },
		"one line": func() error {
			return os.WriteFile(path, []byte("[res_pjsip]\n"+voice.SorceryMappings[voice.PJSIPAORFile]+"\n"), 0o644)
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		c.Agents[1].DisplayName = name // another version, for a refused one is tried again after a minute
		refused(name, r.set(c), "join` again")
	}
	if err := os.WriteFile(path, mappings, 0o644); err != nil {
		t.Fatal(err)
	}
	// As it is while Asterisk has not been restarted since it was joined.
	aors := filepath.Join(r.asterisk.ConfigDir, voice.PJSIPAORFile)
	text, err := os.ReadFile(aors)
	if err != nil {
		t.Fatal(err)
	}
	unread, _, _ := strings.Cut(string(text), "["+voice.MappedAOR+"]")
	if err := os.WriteFile(aors, []byte(unread), 0o644); err != nil {
		t.Fatal(err)
	}
	r.rx("module reload res_pjsip.so")
	c.Agents[1].DisplayName = "unread"
	refused("not restarted", r.set(c), "restart it")
	if err := os.WriteFile(aors, text, 0o644); err != nil {
		t.Fatal(err)
	}
	r.rx("module reload res_pjsip.so")
	c.Agents[1].DisplayName = "in force"
	r.apply(c)
	r.registered("1001", func(o *phone.Options) { o.Password = "second" })
}
