package join

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
)

// siteDialplan is the site's own: it must go on to work.
const siteDialplan = "[general]\nstatic = yes\n\n[from-trunk]\nexten => _X.,1,Goto(from-sip,600,1)\n"

// A Debian machine with its package's samples, a dialplan and a user of the manager interface of the site's own joins, joins
// again and leaves.
func TestJoinAndLeave(t *testing.T) {
	m := newMachine(t)
	server, secret := startManager(t, m.asterisk.CA)
	s := snapshot(t, m.asterisk.SIPAddr)
	server.SetSnapshot(pbxName, s, pbxlink.SnapshotOptions{})
	for _, name := range []string{"pjsip.conf", "queues.conf", "voicemail.conf", "features.conf", "musiconhold.conf"} {
		write(t, filepath.Join(m.asterisk.ConfigDir, name), read(t, filepath.Join(m.packages, "etc/asterisk", name)))
	}
	write(t, filepath.Join(m.asterisk.ConfigDir, "extensions.conf"), siteDialplan)
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
	for _, want := range []string{"pjsip.conf (it was the package's sample)", "extensions.conf (one line added at its top", "systemctl restart " + unitName} {
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
	if !strings.Contains(said, s.Version[:12]) || strings.Contains(said, token) {
		t.Error("it does not name the version, or it names the token")
	}
	m.hasJoined(s.Version)
	if got := server.Status(pbxName).AppliedVersion; got != s.Version {
		t.Errorf("the manager knows of version %q, want %q", got, s.Version)
	}
	ami := AMI{Addr: m.asterisk.AMIAddr, User: "ringmaster", SecretFile: filepath.Join(o.ConfigDir, "ami-secret")}
	if err := Ready(t.Context(), ami); err != nil {
		t.Error(err)
	}
	m.didNot("asterisk.service", "start asterisk")
	if m.asterisk.PID() != pid {
		t.Error("Asterisk was restarted")
	}

	m.ran = nil
	if said, err = joined(t, o); err != nil || !strings.Contains(said, "nothing to write") {
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
	if err := Leave(t.Context(), o); err != nil {
		t.Fatal(err)
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
