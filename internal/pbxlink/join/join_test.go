package join

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
)

// siteDialplan is the site's own: it must go on to work.
const siteDialplan = "[general]\nstatic = yes\n\n[from-trunk]\nexten => _X.,1,Goto(from-sip,600,1)\n"

// siteTrunk is the site's own, too, and not in the files of its types.
const siteTrunk = "\n[isp]\ntype = aor\ncontact = sip:192.0.2.1\n\n[isp]\ntype = endpoint\naors = isp\n"

const restartAsterisk = "Restart Asterisk when calls allow it"

// A Debian machine with its package's samples, a trunk, a dialplan and a user of the manager interface of the site's own joins, joins
// again and leaves.
func TestJoinAndLeave(t *testing.T) {
	m := newMachine(t)
	server, secret := startManager(t, m.asterisk.CA)
	s := snapshot(t, m.asterisk.SIPAddr)
	server.SetSnapshot(pbxName, s, pbxlink.SnapshotOptions{})
	for _, name := range []string{"pjsip.conf", "queues.conf", "voicemail.conf", "features.conf", "musiconhold.conf", "sorcery.conf"} {
		write(t, filepath.Join(m.asterisk.ConfigDir, name), read(t, filepath.Join(m.packages, "etc/asterisk", name)))
	}
	for _, name := range typeFiles {
		if err := os.RemoveAll(filepath.Join(m.asterisk.ConfigDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(m.asterisk.ConfigDir, "extensions.conf"), siteDialplan)
	pjsip := filepath.Join(m.asterisk.ConfigDir, "pjsip.conf")
	write(t, pjsip, read(t, pjsip)+siteTrunk)
	before := files(t, m.asterisk.ConfigDir)
	if err := m.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := m.asterisk.PID()
	o := m.options(secret)

	dry := o
	dry.DryRun = true
	said, err := joined(t, dry)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"queues.conf (it was the package's sample)", "pjsip.conf (one line added at its top", "pjsip_auth.conf\n",
		"extensions.conf (one line added at its top", "sorcery.conf (lines added at its end)", "systemctl restart " + unitName, "systemctl restart asterisk"} {
		if !strings.Contains(said, want) {
			t.Errorf("a dry run does not say %q", want)
		}
	}
	if diff := cmp.Diff(before, files(t, m.asterisk.ConfigDir)); diff != "" || len(m.ran) > 0 {
		t.Fatalf("a dry run did something: %q\n%s", m.ran, diff)
	}

	if said, err = joined(t, o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "Joined: Asterisk has version "+s.Version[:12]) || strings.Contains(said, restartAsterisk) || strings.Contains(said, token) {
		t.Error("it does not say that Asterisk has the version, or it names the token")
	}
	if !slices.Contains(m.ran, "systemctl restart asterisk") || m.asterisk.PID() == pid {
		t.Error("Asterisk, which has no calls, was not restarted")
	}
	m.hasJoined(s.Version)
	ami := AMI{Addr: m.asterisk.AMIAddr, User: "ringmaster", SecretFile: filepath.Join(o.ConfigDir, "ami-secret")}
	if err := Ready(t.Context(), ami); err != nil {
		t.Error(err)
	}

	m.ran = nil
	said, err = joined(t, o)
	if err != nil || !strings.Contains(said, "nothing to write") || !strings.Contains(said, s.Version[:12]) || strings.Contains(said, restartAsterisk) {
		t.Errorf("joined again: %v", err)
	}
	m.didNot("restart", "reload")

	// What Asterisk reads at its next start is what it runs.
	if err := m.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.hasJoined(s.Version)

	m.left(o, before)
	if err := Ready(t.Context(), ami); err == nil {
		t.Error("the manager interface still knows ringmaster")
	}
}

// hasJoined looks at what Asterisk runs.
func (m *machine) hasJoined(version string) {
	m.t.Helper()
	for command, want := range map[string]string{
		"pjsip show endpoint 1001":     "transport",
		"pjsip show endpoint isp":      "sip:192.0.2.1",
		"dialplan show from-sip":       "ringmaster",
		"dialplan show from-trunk":     "Goto(from-sip,600,1)",
		"module show like config_wiz":  "0 modules loaded",
		"queue show":                   "No queues",
		"manager show user ringmaster": "username: ringmaster",
		"manager show user pbxlet":     "username: pbxlet",
		"moh show classes":             "Class: default",
	} {
		if out := m.rx(command); !strings.Contains(out, want) {
			m.t.Errorf("%s: no %q in\n%s", command, want, out)
		}
	}
	if target, err := os.Readlink(filepath.Join(m.asterisk.StateDir, "current")); err != nil || filepath.Base(target) != version {
		m.t.Errorf("current is %q (%v), want %s", target, err, version)
	}
	info, err := os.Stat(filepath.Join(m.asterisk.ConfigDir, userFile))
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		m.t.Errorf("%s: %v, %v; others must not read it", userFile, info, err)
	}
}

func (m *machine) left(o Options, before map[string]string) {
	m.t.Helper()
	m.ran = nil
	write(m.t, filepath.Join(m.asterisk.SpoolDir, "voicemail/default/1001/INBOX/msg0000.txt"), "kept")
	var out bytes.Buffer
	o.Out = &out
	if err := Leave(m.t.Context(), o); err != nil {
		m.t.Fatal(err)
	}
	m.t.Log(out.String())
	if !strings.Contains(out.String(), "Objects of your own in pjsip.conf stay") {
		m.t.Error("leaving does not say what Asterisk reads until it is restarted")
	}
	if diff := cmp.Diff(before, files(m.t, m.asterisk.ConfigDir)); diff != "" {
		m.t.Errorf("Asterisk's files differ from those before (-before +now):\n%s", diff)
	}
	for _, path := range []string{o.ConfigDir, o.StateDir, m.unit} {
		if _, err := os.Lstat(path); err == nil {
			m.t.Errorf("%s is still there", path)
		}
	}
	if out := m.rx("pjsip show endpoints"); strings.Contains(out, "1001") {
		m.t.Errorf("the phone is still known:\n%s", out)
	}
	if out := m.rx("pjsip show endpoint isp"); !strings.Contains(out, "sip:192.0.2.1") {
		m.t.Errorf("the site's trunk has gone:\n%s", out)
	}
	for _, list := range []string{"pjsip show auths", "pjsip show aors"} {
		if out := m.rx(list); strings.Contains(out, "1001") {
			m.t.Errorf("%s: the phone is still known:\n%s", list, out)
		}
	}
	if out := m.rx("dialplan show from-trunk"); !strings.Contains(out, "Goto(from-sip,600,1)") {
		m.t.Errorf("the site's dialplan has gone:\n%s", out)
	}
	read(m.t, filepath.Join(m.asterisk.SpoolDir, "voicemail/default/1001/INBOX/msg0000.txt"))
	out.Reset()
	if err := Leave(m.t.Context(), o); err != nil || !strings.Contains(out.String(), "Nothing of Ringmaster's") {
		m.t.Errorf("leaving twice: %v, %s", err, out.String())
	}
}

// What the site added to a file since stays when the machine leaves.
func TestLeaveKeepsWhatWasAdded(t *testing.T) {
	o := fileOptions(t, "Asterisk 22.10.1")
	if _, err := joined(t, o); err != nil {
		t.Fatal(err)
	}
	const trunk = "\n[isp]\ntype = endpoint\n"
	pjsip := filepath.Join(o.Root, o.EtcDir, "pjsip.conf")
	write(t, pjsip, read(t, pjsip)+trunk)
	manager := filepath.Join(o.Root, o.EtcDir, "manager.conf")
	write(t, manager, read(t, manager)+"\n[monitoring]\nsecret = x\n")
	sorcery := filepath.Join(o.Root, o.EtcDir, "sorcery.conf")
	write(t, sorcery, read(t, sorcery)+"\n[test]\nx = memory\n")
	endpoints := filepath.Join(o.Root, o.EtcDir, "pjsip_endpoint.conf")
	write(t, endpoints, "; ours\n"+strings.TrimPrefix(read(t, endpoints), ownedMark)+trunk)
	write(t, endpoints, ownedMark+read(t, endpoints))
	leftFiles(t, o)
	leftFiles(t, o)
	if got := read(t, endpoints); strings.Join(effective([]byte(got)), "\n") != strings.TrimSpace(trunk) {
		t.Errorf("pjsip_endpoint.conf is\n%s", got)
	}
	if got := read(t, sorcery); !strings.Contains(got, "x = memory") || strings.Contains(got, mappings[0]) {
		t.Errorf("sorcery.conf is\n%s", got)
	}
	if got := read(t, pjsip); strings.TrimSpace(got) != strings.TrimSpace(trunk) {
		t.Errorf("pjsip.conf is\n%s", got)
	}
	if got := read(t, manager); !strings.Contains(got, "[monitoring]") || strings.Contains(got, "ringmaster") {
		t.Errorf("manager.conf is\n%s", got)
	}
	if got, want := read(t, filepath.Join(o.Root, o.EtcDir, "queues.conf")), read(t, filepath.Join(packages(t), "etc/asterisk/queues.conf")); got != want {
		t.Error("queues.conf is not the package's again")
	}
}

// leftFiles runs Leave and returns what it says.
func leftFiles(t *testing.T, o Options) string {
	t.Helper()
	var out bytes.Buffer
	o.Out = &out
	if err := Leave(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	return out.String()
}

// The types with an object for every phone are mapped to files of their own, whatever sorcery.conf was before; a second join
// has nothing to do, and leaving brings everything back.
func TestSorcery(t *testing.T) {
	ours := strings.Join(mappings, "\n")
	sample := read(t, filepath.Join(packages(t), "etc/asterisk/sorcery.conf"))
	for name, c := range map[string]struct{ before, want string }{
		"missing":        {"", "[res_pjsip]\n" + ours},
		"the sample":     {sample, "[general]\n[test_sorcery_section]\ntest=memory\n[test_sorcery_cache]\ntest/cache=test\ntest=memory\n[res_pjsip]\n" + ours},
		"an own section": {"[res_pjsip]\ndomain_alias=memory", "[res_pjsip]\ndomain_alias=memory\n[res_pjsip](+)\n" + ours},
		"one by hand": {
			"[res_pjsip]\n" + mappings[1] + "\n", "[res_pjsip]\n" + mappings[1] + "\n[res_pjsip](+)\n" + mappings[0] + "\n" + mappings[2],
		},
		"all by hand": {"[res_pjsip]\n" + ours + "\n", "[res_pjsip]\n" + ours},
	} {
		t.Run(name, func(t *testing.T) {
			o := fileOptions(t, "Asterisk 22.10.1")
			etc := filepath.Join(o.Root, o.EtcDir)
			path := filepath.Join(etc, "sorcery.conf")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if c.before != "" {
				write(t, path, c.before)
			}
			before := files(t, etc)
			said, err := joined(t, o)
			if err != nil || !strings.Contains(said, restartAsterisk) {
				t.Errorf("it does not say that Asterisk has to be restarted, or: %v", err)
			}
			if diff := cmp.Diff(c.want, strings.Join(effective([]byte(read(t, path))), "\n")); diff != "" {
				t.Errorf("sorcery.conf (-want +got):\n%s", diff)
			}
			want := "#tryinclude \"/var/lib/ringmaster/current/pjsip_aor.conf\"\n#tryinclude \"pjsip.conf\"\n[ringmaster-mapped]\ntype=aor\nmax_contacts=0"
			if got := strings.Join(effective([]byte(read(t, filepath.Join(etc, "pjsip_aor.conf")))), "\n"); got != want {
				t.Errorf("pjsip_aor.conf is\n%s", got)
			}
			joinedFiles := files(t, etc)
			said, err = joined(t, o)
			if err != nil || !strings.Contains(said, "nothing to write") || strings.Contains(said, restartAsterisk) {
				t.Errorf("joined again: %v", err)
			}
			if diff := cmp.Diff(joinedFiles, files(t, etc)); diff != "" {
				t.Errorf("joined again it differs (-once +twice):\n%s", diff)
			}
			leftFiles(t, o)
			leftFiles(t, o)
			if diff := cmp.Diff(before, files(t, etc)); diff != "" {
				t.Errorf("Asterisk's files differ from those before (-before +now):\n%s", diff)
			}
		})
	}
}

// A machine that was joined before there were files of types gets them, and is told to restart Asterisk.
func TestJoinAddsTypeFiles(t *testing.T) {
	o := fileOptions(t, "Asterisk 22.10.1")
	if _, err := joined(t, o); err != nil {
		t.Fatal(err)
	}
	for _, name := range typeFiles {
		if err := os.Remove(filepath.Join(o.Root, o.EtcDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	said, err := joined(t, o)
	if err != nil || strings.Count(said, "  write ") != len(typeFiles) || !strings.Contains(said, restartAsterisk) {
		t.Errorf("%v", err)
	}
}

// An Asterisk that does not run reads everything when it is started; one that runs is restarted unless it has calls.
func TestJoinRestartsAsterisk(t *testing.T) {
	for state, want := range map[string]string{"inactive": "systemctl start asterisk", "0 active channels": "systemctl restart asterisk", "2 active channels": restartAsterisk} {
		o := fileOptions(t, "Asterisk 22.10.1")
		o.NoSystemd, o.Program = false, "/usr/local/bin/ringmaster"
		o.Run = func(_ context.Context, _ string, args ...string) ([]byte, error) {
			switch {
			case args[0] == "is-active" && state == "inactive":
				return nil, errors.New(state)
			case slices.Contains(args, "core show channels count"):
				return []byte(state + "\n0 active calls\n"), nil
			}
			return []byte("Asterisk 22.10.1"), nil
		}
		said, err := joined(t, o)
		if err != nil {
			t.Errorf("%s: %v", state, err)
		}
		for _, text := range []string{"systemctl start asterisk", "systemctl restart asterisk", restartAsterisk} {
			if strings.Contains(said, text) != (text == want) {
				t.Errorf("%s: it says %q: %t", state, text, text != want)
			}
		}
	}
}

// Asterisk reads the files of types without Ringmaster's part before they are removed: it keeps objects of a missing file.
func TestLeaveInOrder(t *testing.T) {
	o := fileOptions(t, "Asterisk 22.10.1")
	if _, err := joined(t, o); err != nil {
		t.Fatal(err)
	}
	etc := filepath.Join(o.Root, o.EtcDir)
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	inOrder := func(said string, words ...string) {
		t.Helper()
		rest := said
		for _, word := range words {
			_, after, found := strings.Cut(rest, word)
			if !found {
				t.Errorf("no %q, or not in its place, in\n%s", word, said)
			}
			rest = after
		}
	}
	before := files(t, etc)
	dry := o
	dry.DryRun = true
	inOrder(leftFiles(t, dry), "remove  "+filepath.Join(o.Root, o.StateDir), "sorcery.conf", "reload res_pjsip.so", "reload app_queue.so",
		"leave once more", "pjsip_auth.conf")
	dry.NoSystemd = false
	order := []string{"remove  " + filepath.Join(o.Root, o.StateDir), "reload res_pjsip.so", "pjsip_auth.conf", "sorcery.conf", "reload app_queue.so"}
	inOrder(leftFiles(t, dry), order...)
	if diff := cmp.Diff(before, files(t, etc)); diff != "" || !exists(filepath.Join(o.Root, o.StateDir)) {
		t.Fatalf("a dry run did something:\n%s", diff)
	}

	o.NoSystemd, o.Program = false, "/usr/local/bin/ringmaster"
	var reloaded []string
	o.Run = func(_ context.Context, name string, args ...string) ([]byte, error) {
		if name != "asterisk" {
			return nil, nil
		}
		reloaded = append(reloaded, args[1])
		first := args[1] == "module reload res_pjsip.so"
		if exists(filepath.Join(o.Root, o.StateDir)) || exists(filepath.Join(etc, "pjsip_auth.conf")) != first {
			t.Errorf("%s: not at its time", args[1])
		}
		return nil, nil
	}
	inOrder(leftFiles(t, o), order...)
	if len(reloaded) != 1+len(reloadedByLeave) {
		t.Errorf("Asterisk was told %q", reloaded)
	}
}

// fileOptions are of a machine that exists as files only, with a package's Asterisk; version is what it says of itself.
func fileOptions(t *testing.T, version string) Options {
	t.Helper()
	root := t.TempDir()
	from := packages(t)
	for _, name := range []string{"etc/passwd", "etc/group", "var/lib/dpkg/status"} {
		write(t, filepath.Join(root, name), read(t, filepath.Join(from, name)))
	}
	for name, text := range files(t, filepath.Join(from, "etc/asterisk")) {
		write(t, filepath.Join(root, "etc/asterisk", name), text)
	}
	return Options{
		Link: Link{linkCA: []byte(testCA(t)), linkToken: []byte(token), linkServer: []byte("link.example.com:9443"), linkPBX: []byte(pbxName)},
		Root: root, EtcDir: "/etc/asterisk", StateDir: "/var/lib/ringmaster", NoSystemd: true,
		Run: func(context.Context, string, ...string) ([]byte, error) { return []byte(version + "\n"), nil },
	}
}

// Nothing is changed when something stands in the way, and it is said what.
func TestJoinRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		file   [2]string
		says   string
	}{
		"an old Asterisk":        {func(o *Options) { o.Run = says("Asterisk 20.9.3") }, [2]string{}, "Asterisk 20.9.3; Ringmaster needs Asterisk 22"},
		"an unknown program":     {func(o *Options) { o.Run = says("FreeSWITCH 1.10") }, [2]string{}, "no version of Asterisk"},
		"no Asterisk":            {func(o *Options) { o.Run, o.Asterisk = nil, "/nonexistent/asterisk" }, [2]string{}, "asterisk"},
		"no such user":           {func(o *Options) { o.User = "pbx" }, [2]string{}, "no user pbx"},
		"no way to the manager":  {func(o *Options) { o.Wait, o.Manager = time.Second, "127.0.0.1:1" }, [2]string{}, "cannot be reached at 127.0.0.1:1"},
		"a hostile server name":  {func(o *Options) { o.ServerName = "a\nExecStart=/bin/sh" }, [2]string{}, "no host name"},
		"a hostile directory":    {func(o *Options) { o.EtcDir = "/etc/a\"\n" }, [2]string{}, "not an absolute path"},
		"own globals":            {nil, [2]string{"extensions.conf", "[globals]\nTRUNK=x\n"}, "TRUNK"},
		"realtime":               {nil, [2]string{"extconfig.conf", "[settings]\nps_endpoints => odbc,asterisk\n"}, "ps_endpoints"},
		"sorcery":                {nil, [2]string{"sorcery.conf", "[res_pjsip]\nendpoint=realtime,ps_endpoints\n"}, "endpoint"},
		"a type twice":           {nil, [2]string{"sorcery.conf", "[res_pjsip]\n" + mappings[1] + "\n" + mappings[1] + "\n"}, mappings[1] + " twice"},
		"own objects of a type":  {nil, [2]string{"pjsip_auth.conf", "[isp]\ntype=auth\n"}, "pjsip_auth.conf has content of the site's own"},
		"a manager user":         {nil, [2]string{"manager.conf", "[general]\nenabled=yes\n[ringmaster]\nsecret=x\n"}, "already has a user ringmaster"},
		"a bound manager":        {nil, [2]string{"manager.conf", "[general]\nenabled=yes\nbindaddr=192.0.2.1\n"}, "192.0.2.1"},
		"a link that is not one": {func(o *Options) { o.Link = Link{linkToken: []byte("x")} }, [2]string{}, `no "ca.crt"`},
	} {
		t.Run(name, func(t *testing.T) {
			o := fileOptions(t, "Asterisk 22.10.1")
			if c.file[0] != "" {
				write(t, filepath.Join(o.Root, o.EtcDir, c.file[0]), c.file[1])
			}
			if c.change != nil {
				c.change(&o)
			}
			before := files(t, filepath.Join(o.Root, "etc/asterisk"))
			_, err := joined(t, o)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if diff := cmp.Diff(before, files(t, filepath.Join(o.Root, "etc/asterisk"))); diff != "" {
				t.Errorf("it changed:\n%s", diff)
			}
			if _, err := os.Stat(filepath.Join(o.Root, "etc/ringmaster")); err == nil {
				t.Error("credentials were written")
			}
		})
	}
}

func says(version string) func(context.Context, string, ...string) ([]byte, error) {
	return func(context.Context, string, ...string) ([]byte, error) { return []byte(version), nil }
}

// A machine that was joined by hand keeps its files.
func TestJoinKeepsIncludes(t *testing.T) {
	o := fileOptions(t, "Asterisk certified/22.8-cert1")
	const byHand = "; mine\n#tryinclude \"/var/lib/ringmaster/current/pjsip.conf\"\n"
	path := filepath.Join(o.Root, o.EtcDir, "pjsip.conf")
	write(t, path, byHand)
	said, err := joined(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != byHand {
		t.Errorf("it became\n%s", got)
	}
	for _, want := range []string{"asterisk -rx 'manager reload'", "ringmaster-manager.conf", "--state-dir=/var/lib/ringmaster", "pbxlet --link-dir="} {
		if !strings.Contains(said, want) {
			t.Errorf("without systemd it does not say %q", want)
		}
	}
	if strings.Contains(said, token) {
		t.Error("the token is printed")
	}
}
