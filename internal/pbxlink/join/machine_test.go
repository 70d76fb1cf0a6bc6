package join

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	pbxName = "center/main"
	token   = "t0ken"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// packages is a tree of Debian packages with Asterisk.
func packages(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../bin/asterisk-root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "usr/sbin/asterisk")); err != nil {
		t.Fatalf("%v: run `make asterisk-root`", err)
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// files are the contents of a directory's files by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			content[e.Name()] = read(t, filepath.Join(dir, e.Name()))
		}
	}
	return content
}

func testCA(t *testing.T) string {
	t.Helper()
	ca, err := env.Temp(t).CA()
	if err != nil {
		t.Fatal(err)
	}
	return read(t, ca.File)
}

// startManager serves the link and returns the Secret of the PBX, as kubectl
// prints it.
func startManager(t *testing.T, ca *env.CA) (*pbxlink.Server, string) {
	t.Helper()
	server := pbxlink.NewServer(pbxlink.Options{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(_ context.Context, pbx, given string) error {
			if pbx != pbxName || given != token {
				return errors.New("wrong token")
			}
			return nil
		},
	})
	certificate, key, err := ca.Issue("link", pkix.Name{CommonName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(env.Loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(append(pbxlink.ServerOptions(), grpc.Creds(credentials.NewServerTLSFromCert(&pair)))...)
	server.Register(g)
	go func() { _ = g.Serve(listener) }()
	t.Cleanup(func() {
		server.Shutdown()
		g.Stop()
	})
	secret, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "data": map[string]string{
		linkCA: b64(read(t, ca.File)), linkToken: b64(token), linkServer: b64(listener.Addr().String()), linkPBX: b64(pbxName),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return server, string(secret)
}

// snapshot has one agent, 1001.
func snapshot(t *testing.T, sip string) voice.Snapshot {
	t.Helper()
	host, portText, err := net.SplitHostPort(sip)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	s, err := voice.Render(voice.Center{
		PBX: voice.PBX{Realm: "ringmaster", BindAddress: host, UDPPort: port, TCPPort: port, RingTimeout: 2 * time.Second},
		Agents: []voice.Endpoint{{
			Key: "Agent/ann", Extension: "1001", Username: "ann", DisplayName: "Ann", HA1: voice.HA1("ann", "ringmaster", "pw"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// machine is a Debian machine with a real Asterisk and, for want of an init, a
// stand-in for systemctl that runs the pbxlet as its unit says.
type machine struct {
	t        *testing.T
	asterisk *env.AsteriskServer
	packages string
	ran      []string
	unit     string
	stop     func()
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, asterisk: env.Asterisk(t), packages: packages(t)}
	m.stop = func() {}
	t.Cleanup(func() { m.stop() })
	return m
}

func (m *machine) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	switch {
	case line == "asterisk -V":
		return exec.CommandContext(ctx, "chroot", m.packages, "/usr/sbin/asterisk", "-V").CombinedOutput()
	case name == "asterisk" && args[0] == "-rx":
		if !strings.HasPrefix(args[1], "core show ") {
			m.ran = append(m.ran, line)
		}
		out, err := m.asterisk.RX(ctx, args[1])
		return []byte(out), err
	case line == "systemctl is-active --quiet asterisk":
		if !m.asterisk.Running() {
			return nil, errors.New("inactive")
		}
		return nil, nil
	}
	m.ran = append(m.ran, line)
	switch line {
	case "systemctl restart " + unitName, "systemctl start " + unitName:
		m.stop()
		m.startPBXlet()
	case "systemctl disable --now " + unitName:
		m.stop()
	case "systemctl restart asterisk":
		return nil, m.asterisk.Restart(ctx)
	case "systemctl daemon-reload", "systemctl enable " + unitName:
	default:
		return nil, errors.New("unexpected command: " + line)
	}
	return nil, nil
}

// startPBXlet runs what ExecStart says.
func (m *machine) startPBXlet() {
	flags := map[string]string{}
	unit := strings.ReplaceAll(read(m.t, m.unit), "\\\n", " ")
	for line := range strings.Lines(unit) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			for _, word := range strings.Fields(command)[2:] {
				name, value, _ := strings.Cut(word, "=")
				flags[name] = value
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	cfg := pbxlet.Config{
		Dir: flags["--link-dir"], Manager: flags["--manager"], ServerName: flags["--server-name"], StateDir: flags["--state-dir"],
		AMIAddr: flags["--ami-address"], AMIUser: "ringmaster", AMISecretFile: flags["--ami-secret-file"], Logger: slog.New(slog.DiscardHandler),
	}
	go func() { done <- pbxlet.Run(ctx, cfg) }()
	m.stop = func() {
		m.stop = func() {}
		cancel()
		if err := <-done; err != nil {
			m.t.Errorf("the pbxlet ended: %v", err)
		}
	}
}

func (m *machine) rx(command string) string {
	m.t.Helper()
	out, err := m.asterisk.RX(m.t.Context(), command)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// options are those of the machine.
func (m *machine) options(secret string) Options {
	m.t.Helper()
	link, err := ReadLink(strings.NewReader(secret))
	if err != nil {
		m.t.Fatal(err)
	}
	dir := m.t.TempDir()
	m.unit = filepath.Join(dir, "systemd", unitName)
	return Options{
		Link: link, ServerName: "localhost", Program: "/usr/local/bin/ringmaster", User: "root", Wait: 30 * time.Second, Run: m.run,
		EtcDir: m.asterisk.ConfigDir, ConfigDir: filepath.Join(dir, "etc"), StateDir: m.asterisk.StateDir, SpoolDir: m.asterisk.SpoolDir,
		UnitDir: filepath.Dir(m.unit), DpkgStatus: filepath.Join(m.packages, "var/lib/dpkg/status"),
	}
}

// joined runs Join and returns what it says.
func joined(t *testing.T, o Options) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.Out = &out
	err := Join(t.Context(), o)
	t.Log(out.String())
	return out.String(), err
}

func (m *machine) didNot(words ...string) {
	m.t.Helper()
	for _, word := range words {
		if slices.ContainsFunc(m.ran, func(c string) bool { return strings.Contains(c, word) }) {
			m.t.Errorf("%q was run: %q", word, m.ran)
		}
	}
}
