package env

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// chromiumProgram is its path in its root: the browser without its windows.
const chromiumProgram = "/usr/bin/chromium-headless-shell"

// ChromiumOptions change how the browser runs.
type ChromiumOptions struct {
	// Name distinguishes several browsers of one environment; default "chromium".
	Name string
}

// ChromiumServer is a running headless Chromium with an empty profile. It
// trusts the CA of its environment as a browser trusts an authority that its
// administrator has added, and checks certificates in full. Microphone and
// camera are made up, and pages may use them without asking.
type ChromiumServer struct {
	*Process
	// DevToolsURL is where the DevTools protocol is spoken: http://host:port.
	DevToolsURL string
	// JsSIPFile is the SIP library for pages, one script.
	JsSIPFile string
	// CA is the authority that the browser trusts besides its own.
	CA *CA
}

// StartChromium starts a browser. It takes about a second.
func (e *Env) StartChromium(ctx context.Context, opts ChromiumOptions) (*ChromiumServer, error) {
	name := opts.Name
	if name == "" {
		name = "chromium"
	}
	e.say("starting Chromium")
	root, err := e.browserRoot()
	if err != nil {
		return nil, err
	}
	library := filepath.Join(e.checkout, "bin", "jssip", "jssip.js")
	if _, err := os.Stat(library); err != nil {
		return nil, fmt.Errorf("%s is missing: run `make jssip`", library)
	}
	dir, err := e.partDir(name, "home", "profile")
	if err != nil {
		return nil, err
	}
	ca, err := e.CA()
	if err != nil {
		return nil, err
	}
	if err := e.trust(ctx, root, filepath.Join(dir, "home"), ca); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &ChromiumServer{DevToolsURL: "http://" + addrOf(port), JsSIPFile: library, CA: ca}
	s.Process, err = e.Start(ctx, Command{
		Name: name, Path: chromiumProgram, Root: root, Env: chromiumEnv(dir), Args: chromiumArgs(dir, port),
		Ready: func(ctx context.Context) error { return httpOK(ctx, http.DefaultClient, s.DevToolsURL+"/json/version") },
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// trust makes the certificate database that Chromium on Linux reads, below
// its home directory, with the CA in it.
func (e *Env) trust(ctx context.Context, root *Root, home string, ca *CA) error {
	dir := filepath.Join(home, ".local", "share", "pki", "nssdb")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "ringmaster", "-t", "C,,", "-i", ca.File},
	} {
		args = append([]string{"-d", "sql:" + dir}, args...)
		if _, err := e.runOnce(ctx, Command{Name: "certutil", Path: "/usr/bin/certutil", Root: root, Args: args}); err != nil {
			return err
		}
	}
	return nil
}

// chromiumEnv keeps the browser from the files and the desktop of whoever
// runs the tests.
func chromiumEnv(dir string) []string {
	home := filepath.Join(dir, "home")
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, ".config"), "XDG_CACHE_HOME=" + filepath.Join(home, ".cache"),
		"XDG_DATA_HOME=" + filepath.Join(home, ".local", "share"), "XDG_RUNTIME_DIR=/run", "DBUS_SESSION_BUS_ADDRESS=", "DISPLAY=",
	}
}

func chromiumArgs(dir string, port int) []string {
	return []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
		// It runs as root, in mount and process namespaces of its own, and sees
		// the test's own pages only.
		"--no-sandbox", "--disable-dev-shm-usage",
		"--user-data-dir=" + filepath.Join(dir, "profile"),
		"--remote-debugging-address=" + Loopback, fmt.Sprintf("--remote-debugging-port=%d", port),
		// Nothing leaves the machine.
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE " + Loopback,
		// Several pages are agents at once, none of them in the background.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		// A microphone that beeps, without a question to anybody.
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
		// Media over loopback, by address: names of multicast DNS that hide the
		// address are of no use to Asterisk.
		"--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
		"about:blank",
	}
}
