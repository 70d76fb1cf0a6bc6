package voice

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// TestAsteriskLoadsEverything proves that Asterisk takes a center with every
// feature without a word of complaint, at its start and at a reload, and shows
// the objects as they were meant.
func TestAsteriskLoadsEverything(t *testing.T) {
	a := env.Asterisk(t)
	center := onAsterisk(t, a)
	s, err := Render(center)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(a.StateDir, "current")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Path), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	reload := []string{
		"module reload http", "module reload res_pjsip.so", "module reload app_voicemail.so", "module reload res_musiconhold.so",
		"module reload app_queue.so", "module reload pbx_config.so", "module reload features",
	}
	for _, command := range reload {
		rx(t, a, command)
	}
	for command, want := range shown() {
		out := rx(t, a, command)
		plain := strings.Join(strings.Fields(out), " ")
		for _, text := range want {
			if !strings.Contains(plain, text) {
				t.Errorf("%s answers\n%s\nwithout %q", command, out, text)
			}
		}
	}
	expectShown(t, a, s.Expect)
	for _, port := range []int{center.PBX.TLSPort, center.PBX.WSSPort} {
		if got := servedCertificate(t, fmt.Sprintf("127.0.0.1:%d", port)); got != s.Expect.Certificate {
			t.Errorf("port %d serves certificate %s, want %s", port, got, s.Expect.Certificate)
		}
	}
	noComplaints(t, a)
}

// onAsterisk is everything, at the addresses of one Asterisk.
func onAsterisk(t *testing.T, a *env.AsteriskServer) Center {
	c := everything(t)
	p := &c.PBX
	p.StateDir, p.AdvertisedAddress = a.StateDir, "198.51.100.7"
	p.UDPPort, p.TCPPort, p.TLSPort, p.WSPort, p.WSSPort = a.UDPPort, a.TCPPort, a.TLSPort, a.WSPort, a.WSSPort
	// Nobody is at the fixed addresses to answer.
	p.QualifyInterval = 0
	music := filepath.Join(a.SpoolDir, "music")
	if err := os.MkdirAll(music, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(music, "silence.sln"), make([]byte, 16000), 0o644); err != nil {
		t.Fatal(err)
	}
	p.MusicClasses[1].Directory = music
	for i := range c.Agents {
		if c.Agents[i].Static != nil {
			c.Agents[i].Static.Host = fmt.Sprintf("127.0.0.%d", 20+i)
		}
	}
	return c
}

// shown is what commands of Asterisk's console answer, with every run of blanks as one.
func shown() map[string][]string {
	name := strings.ReplaceAll(hostileName, ",", "")
	return map[string][]string{
		"pjsip show endpoint 1001": {
			"RINGMASTER_AGENT : 1001", "RINGMASTER_RECORDING : WAV", "RINGMASTER_MANUAL_RECORDING : yes",
			"RINGMASTER_RING_IN_USE : yes", "RINGMASTER_AUTO_ANSWER : 3", "RINGMASTER_PREFIX_REQUIRED : yes",
			"RINGMASTER_SUPERVISORS : -1002-1003-", "SPYGROUP : 1001", "RINGMASTER_GREETING : Silent",
			"webrtc : yes", "media_encryption : dtls", "language : en_GB",
			"allow : (opus|ulaw|alaw)", "dtmf_mode : rfc4733", "mailboxes : 1001@default",
			"call_group : 1, 3", "named_call_group : billing, sales", "named_pickup_group : sales",
		},
		"pjsip show endpoint 1002": {
			"force_rport : true", "rtp_symmetric : true", "rewrite_contact : true",
			"context : internal", "allow : (g722|alaw)",
			`callerid : "Rossi, \"A\"; (b [c] \\ ${SHELL(id)} $[1+1] <x> é" <+391234>`,
		},
		"pjsip show endpoint 1003":           {"identify_by : username,ip", "1003/sip:1003@127.0.0.23:5060;transport=", "Match: 127.0.0.23/32"},
		"pjsip show endpoint 1004":           {"identify_by : ip", "1004/sip:1004@127.0.0.24:5071;transport="},
		"pjsip show endpoint Desk_2":         {"context : ringmaster-telephone", "RINGMASTER_CONTEXT : internal", "Match: 192.0.2.8:5080/32"},
		"pjsip show aor 1002":                {"default_expiration : 10800", "maximum_expiration : 10800", "minimum_expiration : 60", "max_contacts : 1", "remove_existing : true"},
		"pjsip show aor 1003":                {"max_contacts : 0"},
		"pjsip show transport transport-tls": {"method : tlsv1_2", "external_signaling_address : 198.51.100.7"},
		"queue show support": {
			"max 50", "'rrordered'", "W:7", "within 20s", "Alice Rossi (PJSIP/1001) (ringinuse enabled) (paused",
			hostileName + " (PJSIP/desk-1.north) with penalty 5 (ringinuse disabled) (paused",
		},
		"voicemail show users":                   {"default 1001 Rossi \"A\"", name, "3 voicemail users configured"},
		"moh show classes":                       {"Class: quiet", "Class: sales.2"},
		"http show status":                       {"HTTPS Server Enabled and Bound to", "Server Enabled and Bound to 127.0.0.1"},
		"dialplan show *97@internal":             {"Goto(ringmaster-mailbox,s,1)"},
		"dialplan show 600@from-sip":             {"Set(RINGMASTER_MAX_WAIT=300)"},
		"dialplan show 0039@ringmaster-outbound": {"Goto(trunks,${EXTEN},1)"},
		"dialplan show ringmaster-answered":      {"MixMonitor(center/recordings/"},
	}
}

// expectShown checks the names in Expect.
func expectShown(t *testing.T, a *env.AsteriskServer, want Expect) {
	t.Helper()
	endpoints, aors := rx(t, a, "pjsip show endpoints"), rx(t, a, "pjsip show aors")
	for _, e := range want.Endpoints {
		if !strings.Contains(endpoints, "Endpoint:  "+e.Name) {
			t.Errorf("no endpoint %s", e.Name)
		}
	}
	for _, name := range want.AORs {
		if !strings.Contains(aors, "Aor:  "+name) {
			t.Errorf("no AOR %s", name)
		}
	}
	transports := rx(t, a, "pjsip show transports")
	for _, tr := range want.Transports {
		if !strings.Contains(transports, tr.Name) || !strings.Contains(transports, tr.Bind) {
			t.Errorf("no transport %s at %s", tr.Name, tr.Bind)
		}
	}
	if out := rx(t, a, "dialplan show globals"); !strings.Contains(out, RevisionVariable+"="+want.DialplanRevision) {
		t.Errorf("the dialplan is another one: %s", out)
	}
	if out := rx(t, a, "features show"); strings.Count(out, "*8") != 1 {
		t.Errorf("*8 is not left to the dialplan: %s", out)
	}
}

// noComplaints reads the log from the restart on. Asterisk notes what it has no
// file for, and the passwords that nobody changed by telephone.
func noComplaints(t *testing.T, a *env.AsteriskServer) {
	t.Helper()
	log, err := os.ReadFile(a.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if (strings.Contains(line, "WARNING[") || strings.Contains(line, "ERROR[")) && !strings.Contains(line, "'cel.conf'") {
			t.Errorf("Asterisk says: %s", line)
		}
	}
}

func servedCertificate(t *testing.T, addr string) string {
	t.Helper()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func rx(t *testing.T, a *env.AsteriskServer, command string) string {
	t.Helper()
	out, err := a.RX(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
