package env_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

func TestAsteriskReadsWhatThePbxletWrites(t *testing.T) {
	a := env.Asterisk(t)
	current := filepath.Join(a.StateDir, "current")
	// The pbxlet swaps a symbolic link; Asterisk must be able to follow it.
	version := filepath.Join(a.StateDir, "v1")
	if err := os.Mkdir(version, 0o755); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(a.SIPAddr)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"pjsip.conf": "[udp]\ntype=transport\nprotocol=udp\nbind=" + host + ":" + port + "\n" +
			"[1001]\ntype=aor\nmax_contacts=1\n[1001]\ntype=endpoint\naors=1001\ncontext=agents\nallow=ulaw,opus\n",
		"queues.conf":     "[support]\nstrategy=rrmemory\nmember=PJSIP/1001\n",
		"voicemail.conf":  "[default]\n1001=4711,Alice\n",
		"extensions.conf": "[agents]\nexten=_1XXX,1,Dial(PJSIP/${EXTEN})\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(version, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(version, current); err != nil {
		t.Fatal(err)
	}
	// Transports are bound when Asterisk starts.
	if err := a.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"pjsip show endpoints":        "1001",
		"queue show support":          "PJSIP/1001",
		"voicemail show users":        "Alice",
		"dialplan show agents":        "_1XXX",
		"moh show classes":            "default",
		"core show application Queue": "Queue",
	} {
		out, err := a.RX(t.Context(), command)
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(out, want) {
			t.Errorf("%s answers\n%s\nwithout %q", command, out, want)
		}
	}
	if got := options(t, a.SIPAddr); !strings.HasPrefix(got, "SIP/2.0 ") {
		t.Errorf("OPTIONS is answered by %q", got)
	}
}

func TestAsteriskServesTLSAndSurvivesACrash(t *testing.T) {
	a := env.Asterisk(t)
	for range 2 {
		addr, _ := strings.CutSuffix(strings.TrimPrefix(a.WSSURL, "wss://"), "/ws")
		conn, err := tls.Dial("tcp", addr, a.CA.ClientTLS())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := a.Kill9(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.RX(t.Context(), "core show version"); err == nil {
			t.Error("a killed Asterisk answers")
		}
		if err := a.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// options asks a SIP server what it can do and returns the answer.
func options(t *testing.T, addr string) string {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	local := conn.LocalAddr().String()
	request := strings.Join([]string{
		"OPTIONS sip:ping@" + addr + " SIP/2.0", "Via: SIP/2.0/UDP " + local + ";branch=z9hG4bK1;rport",
		"From: <sip:probe@" + local + ">;tag=1", "To: <sip:ping@" + addr + ">", "Call-ID: probe@" + local,
		"CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0", "", "",
	}, "\r\n")
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}
