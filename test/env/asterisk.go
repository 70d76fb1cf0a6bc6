package env

import (
	"context"
	"crypto/x509/pkix"
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

//go:embed conf/asterisk/*.tmpl
var asteriskConf embed.FS

// asteriskProgram is its path in its root.
const asteriskProgram = "/usr/sbin/asterisk"

// AsteriskOptions change how Asterisk runs.
type AsteriskOptions struct {
	// Name distinguishes several servers of one environment; default "asterisk".
	// Each has ports and directories of its own.
	Name string
	// Dialplan is the site's own part of extensions.conf, with its contexts, as
	// a machine's administrator would write it.
	Dialplan string
}

// AsteriskServer is a running Asterisk 22. Its configuration has no endpoint,
// no transport, no queue and no extension but those of AsteriskOptions.Dialplan:
// pjsip.conf, queues.conf, voicemail.conf, extensions.conf, features.conf,
// musiconhold.conf and http.conf include the file of the same name under
// StateDir/current, when it exists.
type AsteriskServer struct {
	*Process
	// SIPAddr is the host:port reserved for the SIP transports, UDP and TCP;
	// SIPTLSAddr is for TLS. Asterisk listens there as soon as the generated
	// pjsip.conf says so.
	SIPAddr, SIPTLSAddr string
	// WSSURL is the WebSocket that SIP over WSS uses. It answers with TLS from
	// the start; a PJSIP transport of protocol wss makes it speak SIP. A
	// generated http.conf that has listeners replaces this one.
	WSSURL string
	// WSURL is reserved for SIP over WS; only a generated http.conf opens it.
	WSURL string
	// UDPPort, TCPPort, TLSPort, WSPort and WSSPort are the ports of the
	// addresses above.
	UDPPort, TCPPort, TLSPort, WSPort, WSSPort int
	// AMIAddr, AMIUser and AMISecret open the manager interface, with all
	// classes for reading and writing.
	AMIAddr, AMIUser, AMISecret string
	// RTPFirst and RTPLast bound the UDP ports of media.
	RTPFirst, RTPLast int
	// ConfigDir holds asterisk.conf and the files that include StateDir's.
	ConfigDir string
	// StateDir belongs to the pbxlet. Paths mean the same inside and outside
	// of Asterisk's root.
	StateDir string
	// SpoolDir holds voicemail and recordings, LogDir Asterisk's own logs.
	SpoolDir, LogDir string
	// CertFile and KeyFile are the server's certificate; CAFile verifies it.
	CertFile, KeyFile, CAFile string
	// CA is the authority behind CAFile.
	CA *CA

	root    *Root
	pidFile string
}

// StartAsterisk starts an Asterisk that serves its manager interface and its
// WebSocket. It takes about a second.
func (e *Env) StartAsterisk(ctx context.Context, opts AsteriskOptions) (*AsteriskServer, error) {
	name := opts.Name
	if name == "" {
		name = "asterisk"
	}
	e.say("starting Asterisk")
	root, err := e.asteriskRoot()
	if err != nil {
		return nil, err
	}
	dir, err := e.partDir(name, "etc", "state", "cache", "lib/keys", "spool", "run", "log")
	if err != nil {
		return nil, err
	}
	s, err := e.configureAsterisk(root, name, dir, opts.Dialplan)
	if err != nil {
		return nil, err
	}
	s.Process, err = e.Start(ctx, Command{
		Name: name, Path: asteriskProgram, Root: root, Args: []string{"-f", "-C", s.mainConf()},
		Ready: func(ctx context.Context) error {
			if err := greets(ctx, s.AMIAddr, "Asterisk Call Manager/"); err != nil {
				return err
			}
			// The manager interface opens before the last module is loaded.
			_, err := s.RX(ctx, "core waitfullybooted")
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// RX runs one command line of Asterisk's console and returns what it prints.
func (s *AsteriskServer) RX(ctx context.Context, command string) (string, error) {
	// The record, not the Process: this also serves while Asterisk starts.
	rec, err := readPID(s.pidFile)
	if err != nil || !rec.alive() {
		return "", fmt.Errorf("asterisk -rx %q: Asterisk does not run", command)
	}
	// Its control socket exists only among the mounts of the running Asterisk.
	out, err := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(rec.PID), "--mount", "--",
		"chroot", s.root.Dir, asteriskProgram, "-C", s.mainConf(), "-rx", command).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asterisk -rx %q: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

func (s *AsteriskServer) mainConf() string { return filepath.Join(s.ConfigDir, "asterisk.conf") }

func (e *Env) configureAsterisk(root *Root, name, dir, dialplan string) (*AsteriskServer, error) {
	ca, err := e.CA()
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.Issue(name, pkix.Name{CommonName: "localhost"})
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	modules, err := root.glob("/usr/lib/*/asterisk/modules")
	if err != nil {
		return nil, err
	}
	s := &AsteriskServer{
		SIPAddr: addrOf(ports[0]), SIPTLSAddr: addrOf(ports[1]), AMIAddr: addrOf(ports[2]),
		WSSURL:  "wss://" + net.JoinHostPort("localhost", strconv.Itoa(ports[3])) + "/ws",
		WSURL:   "ws://" + net.JoinHostPort("localhost", strconv.Itoa(ports[4])) + "/ws",
		UDPPort: ports[0], TCPPort: ports[0], TLSPort: ports[1], WSSPort: ports[3], WSPort: ports[4],
		AMIUser: "pbxlet", AMISecret: uuid.NewString(),
		ConfigDir: filepath.Join(dir, "etc"), StateDir: filepath.Join(dir, "state"),
		SpoolDir: filepath.Join(dir, "spool"), LogDir: filepath.Join(dir, "log"),
		CertFile: cert, KeyFile: key, CAFile: ca.File, CA: ca,
		root: root, pidFile: e.pidFile(name),
	}
	if s.RTPFirst, s.RTPLast, err = freeRTPRange(); err != nil {
		return nil, err
	}
	noLoad, err := unusedModules(filepath.Join(root.Dir, modules))
	if err != nil {
		return nil, err
	}
	data := map[string]any{
		"Name": name, "Dir": dir, "State": s.StateDir, "Modules": modules, "NoLoad": noLoad,
		"AMI": ports[2], "AMIUser": s.AMIUser, "AMISecret": s.AMISecret,
		"HTTPS": ports[3], "Cert": cert, "Key": key, "RTPFirst": s.RTPFirst, "RTPLast": s.RTPLast, "Dialplan": dialplan,
	}
	return s, writeAsteriskConf(root, s.ConfigDir, data)
}

func writeAsteriskConf(root *Root, dir string, data any) error {
	templates, err := asteriskConf.ReadDir("conf/asterisk")
	if err != nil {
		return err
	}
	for _, entry := range templates {
		text, err := asteriskConf.ReadFile("conf/asterisk/" + entry.Name())
		if err != nil {
			return err
		}
		if err := writeTemplate(filepath.Join(dir, strings.TrimSuffix(entry.Name(), ".tmpl")), string(text), data); err != nil {
			return err
		}
	}
	for _, name := range packageConf {
		text, err := os.ReadFile(filepath.Join(root.Dir, "etc", "asterisk", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// packageConf are files of the package that modules want to see and that say
// nothing in particular, but for the tones of each country.
var packageConf = []string{"acl.conf", "ccss.conf", "confbridge.conf", "indications.conf", "pjproject.conf", "pjsip_notify.conf", "udptl.conf"}

// A call center of SIP phones needs none of these, and without them Asterisk
// starts in half the time. Loading all but a few, instead of only a few, keeps
// chan_pjsip's many dependencies right. The configuration wizard is known to
// deadlock on reload.
var (
	unusedModulePrefixes = []string{
		"res_config_", "res_ari", "res_stasis", "app_stasis", "res_odbc", "cdr_", "cel_", "chan_", "pbx_",
		"res_hep", "res_calendar", "res_fax", "res_speech", "res_aeap", "res_realtime", "res_sorcery_realtime",
	}
	unusedModuleNames = []string{
		"app_voicemail_odbc", "func_odbc", "func_realtime", "func_curl", "res_curl", "res_http_media_cache",
		"res_phoneprov", "res_pjsip_phoneprov_provider", "res_pjsip_config_wizard", "res_snmp", "res_xmpp",
		"res_adsi", "app_adsiprog", "app_getcpeid", "res_smdi", "res_ael_share", "app_festival", "app_jack",
		"res_statsd", "res_prometheus", "res_stir_shaken", "res_pjsip_stir_shaken", "res_geolocation",
		"res_pjsip_geolocation", "res_audiosocket", "app_audiosocket", "app_speech_utils", "app_alarmreceiver",
		"app_sms", "app_minivm", "app_sla", "app_agent_pool", "app_followme", "app_amd", "res_resolver_unbound",
		"res_parking", "res_clialiases", "res_stun_monitor", "res_websocket_client", "res_cdrel_custom",
		"res_pjsip_publish_asterisk", "res_http_post", "res_agi",
	}
	usedModules = []string{"chan_pjsip", "pbx_config"}
)

// unusedModules lists those of the installed modules that are not to be loaded.
func unusedModules(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var unused []string
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".so")
		if slices.Contains(usedModules, name) {
			continue
		}
		if slices.Contains(unusedModuleNames, name) || slices.ContainsFunc(unusedModulePrefixes, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		}) {
			unused = append(unused, entry.Name())
		}
	}
	return unused, nil
}
