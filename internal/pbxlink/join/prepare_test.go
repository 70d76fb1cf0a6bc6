package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// The container's configuration runs: Asterisk starts with it before there is a manager, is live but not ready, becomes
// ready with the first configuration, and stays so across a restart without pbxlet and manager.
func TestPreparedAsterisk(t *testing.T) {
	e := env.Temp(t)
	p := preparedIn(t, e.Dir)
	write(t, filepath.Join(p.SiteDir, "extensions.conf"), "[isp]\nexten => _0.,1,Hangup()\n")
	write(t, filepath.Join(p.SiteDir, "rtp.conf"), "[general](+)\nstrictrtp = no\n")
	if err := Prepare(p); err != nil {
		t.Fatal(err)
	}
	// An include that leads nowhere would make every type be read at every reload.
	if text := read(t, filepath.Join(p.EtcDir, "pjsip.conf")); strings.Contains(text, p.SiteDir) {
		t.Errorf("pjsip.conf includes a file of the site's that is not there:\n%s", text)
	}
	asterisk := startPrepared(t, e, p)

	manager := AMI{Addr: net.JoinHostPort(env.Loopback, strconv.Itoa(p.AMIPort)), User: "ringmaster", SecretFile: p.SecretFile}
	eventually(t, func() error { return Live(t.Context(), manager) })
	eventually(t, func() error {
		if err := Ready(t.Context(), manager); err == nil || !strings.Contains(err.Error(), "no configuration of the manager's yet") {
			return fmt.Errorf("without a configuration it is not unready for want of one: %w", err)
		}
		return nil
	})

	ca, err := e.CA()
	if err != nil {
		t.Fatal(err)
	}
	server, secret := startManager(t, ca)
	link, err := ReadLink(strings.NewReader(secret))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range link {
		write(t, filepath.Join(e.Dir, "link", key), string(value))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- pbxlet.Run(ctx, pbxlet.Config{
			Dir: filepath.Join(e.Dir, "link"), ServerName: "localhost", StateDir: p.StateDir, Logger: slog.New(slog.DiscardHandler),
			AMIAddr: manager.Addr, AMIUser: manager.User, AMISecretFile: manager.SecretFile,
		})
	}()
	s := snapshot(t, net.JoinHostPort(env.Loopback, strconv.Itoa(freePort(t))))
	server.SetSnapshot(pbxName, s, pbxlink.SnapshotOptions{})
	eventually(t, func() error { return Ready(t.Context(), manager) })
	eventually(t, func() error {
		if st := server.Status(pbxName); st.AppliedVersion != s.Version {
			return fmt.Errorf("applied %q, rejection %v", st.AppliedVersion, st.LastRejection)
		}
		return nil
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}

	if err := asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return Ready(t.Context(), manager) })
	for command, want := range map[string]string{"dialplan show isp": "'_0.'", "pjsip show endpoint 1001": "transport"} {
		if err := manager.ask(t.Context(), func(c *ami.Client) error {
			out, err := c.Command(t.Context(), command)
			if err == nil && !strings.Contains(out, want) {
				err = errors.New(out)
			}
			return err
		}); err != nil {
			t.Errorf("%s: no %q: %v", command, want, err)
		}
	}
	log := read(t, asterisk.LogFile())
	for _, unwanted := range []string{"ERROR", "WARNING"} {
		for line := range strings.Lines(log) {
			if strings.Contains(line, unwanted) && !expected(line) {
				t.Errorf("Asterisk says: %s", line)
			}
		}
	}
	if want := fmt.Sprintf("RTP Allocating from port range %d -> %d", p.RTPFirst, p.RTPLast); !strings.Contains(log, want) {
		t.Errorf("Asterisk does not say %q:\n%s", want, log)
	}

	if err := os.WriteFile(p.SecretFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Live(t.Context(), manager); err == nil {
		t.Error("a wrong secret opens the manager interface")
	}
}

// expected are complaints about files that a container need not have.
func expected(line string) bool {
	for _, text := range []string{
		"stasis.conf", "cel.conf", "Stasis", "CEL", "realtime priority", "core dumps",
	} {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

func preparedIn(t *testing.T, dir string) Prepared {
	t.Helper()
	return Prepared{
		EtcDir: filepath.Join(dir, "etc"), ImageDir: "/etc/asterisk", StateDir: filepath.Join(dir, "state"),
		SecretFile: filepath.Join(dir, "run/ami-secret"), SiteDir: filepath.Join(dir, "site"), Name: "pbx-a",
		RTPFirst: 20000, RTPLast: 20099, AMIPort: freePort(t), Program: filepath.Join(dir, "bin/ringmaster"),
		DataDirs: []string{filepath.Join(dir, "lib/keys"), filepath.Join(dir, "spool"), filepath.Join(dir, "log")},
	}
}

// startPrepared runs Asterisk as the container does, but for the data directories, which are the container's mounts.
func startPrepared(t *testing.T, e *env.Env, p Prepared) *env.Process {
	t.Helper()
	main := filepath.Join(p.EtcDir, "asterisk.conf")
	dirs := "[directories](+)\n"
	for name, dir := range map[string]string{
		"astvarlibdir": "lib", "astdbdir": "lib", "astkeydir": "lib", "astspooldir": "spool", "astlogdir": "log", "astrundir": "run", "astcachedir": "lib",
	} {
		dirs += name + " => " + filepath.Join(e.Dir, dir) + "\n"
	}
	write(t, main, read(t, main)+"\n"+dirs)
	asterisk, err := e.Start(t.Context(), env.Command{
		Name: "asterisk", Path: "/usr/sbin/asterisk", Args: []string{"-f", "-C", main}, Root: &env.Root{Dir: packages(t)},
		Ready: env.ReadyTCP(net.JoinHostPort(env.Loopback, strconv.Itoa(p.AMIPort))),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := asterisk.Kill9(); err != nil {
			t.Error(err)
		}
	})
	return asterisk
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := env.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// A pod that is started again keeps its secret, which two containers share, and gets the present files.
func TestPrepareAgain(t *testing.T) {
	p := preparedIn(t, t.TempDir())
	if err := Prepare(p); err != nil {
		t.Fatal(err)
	}
	secret := read(t, p.SecretFile)
	p.RTPLast = 20199
	if err := Prepare(p); err != nil {
		t.Fatal(err)
	}
	if read(t, p.SecretFile) != secret || !strings.Contains(read(t, filepath.Join(p.EtcDir, "manager.conf")), secret) {
		t.Error("the secret of the manager interface changed")
	}
	if !strings.Contains(read(t, filepath.Join(p.EtcDir, "rtp.conf")), "20199") {
		t.Error("rtp.conf is not the present one")
	}
	sorcery := effective([]byte(read(t, filepath.Join(p.EtcDir, "sorcery.conf"))))
	if diff := cmp.Diff(append([]string{"[res_pjsip]"}, mappings...), sorcery); diff != "" {
		t.Errorf("sorcery.conf (-want +got):\n%s", diff)
	}
	for _, name := range typeFiles {
		want := []string{tryInclude(filepath.Join(p.StateDir, "current", name)), tryInclude("pjsip.conf"), "[ringmaster-mapped]", "type=aor", "max_contacts=0"}
		if diff := cmp.Diff(want, effective([]byte(read(t, filepath.Join(p.EtcDir, name))))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	info, err := os.Stat(p.Program)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program was not copied: %v %v", info, err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for name, change := range map[string]func(*Prepared){
		"a hostile name":    func(p *Prepared) { p.Name = "a\n[x]" },
		"no name":           func(p *Prepared) { p.Name = "" },
		"a hostile path":    func(p *Prepared) { p.SiteDir = "/a\"\n#exec /bin/sh" },
		"privileged ports":  func(p *Prepared) { p.RTPFirst = 80 },
		"too few ports":     func(p *Prepared) { p.RTPLast = p.RTPFirst + 1 },
		"ports that end":    func(p *Prepared) { p.RTPLast = 70000 },
		"a relative secret": func(p *Prepared) { p.SecretFile = "secret" },
	} {
		p := preparedIn(t, t.TempDir())
		change(&p)
		if err := Prepare(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := os.Stat(p.EtcDir); err == nil {
			t.Errorf("%s: files were written", name)
		}
	}
}
