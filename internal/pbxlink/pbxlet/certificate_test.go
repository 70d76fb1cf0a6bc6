package pbxlet_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// certificate issues one and tells its fingerprint.
func (r *rig) certificate(name string) (*voice.Certificate, string) {
	r.t.Helper()
	certFile, keyFile, err := r.asterisk.CA.Issue(name, pkix.Name{CommonName: "localhost"})
	if err != nil {
		r.t.Fatal(err)
	}
	c := &voice.Certificate{}
	if c.CertPEM, err = os.ReadFile(certFile); err != nil {
		r.t.Fatal(err)
	}
	if c.KeyPEM, err = os.ReadFile(keyFile); err != nil {
		r.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.CertPEM, c.KeyPEM)
	if err != nil {
		r.t.Fatal(err)
	}
	sum := sha256.Sum256(pair.Certificate[0])
	return c, hex.EncodeToString(sum[:])
}

// secure is a center that listens for TLS, WS and WSS, too.
func (r *rig) secure(n int, c *voice.Certificate) voice.Center {
	center := r.center(n)
	p := &center.PBX
	p.TLSPort, p.WSPort, p.WSSPort = r.asterisk.TLSPort, r.asterisk.WSPort, r.asterisk.WSSPort
	p.Certificate, p.StateDir = c, r.status().StateDir
	return center
}

func (r *rig) connected() {
	r.t.Helper()
	r.eventually("the pbxlet is connected", func() error {
		if st := r.status(); !st.Connected || st.StateDir != r.asterisk.StateDir {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
}

// serves is the fingerprint of what a listener shows to a client that trusts
// the authority.
func (r *rig) serves(port int) string {
	r.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", port), r.asterisk.CA.ClientTLS())
	if err != nil {
		r.t.Error(err)
		return ""
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func TestCertificateRotation(t *testing.T) {
	r := newRig(t)
	r.connected()
	first, firstPrint := r.certificate("first")
	c := r.secure(3, first)
	c.Agents[0].Transport, c.Agents[2].Transport = voice.TLS, voice.WSS
	r.apply(c)
	if got := r.status(); got.ServedCertificate != firstPrint || len(got.RestartRequired) != 0 {
		t.Errorf("status %+v", brief(got))
	}
	for _, port := range []int{r.asterisk.TLSPort, r.asterisk.WSSPort} {
		if got := r.serves(port); got != firstPrint {
			t.Errorf("port %d serves %s, want %s", port, got, firstPrint)
		}
	}
	info, err := os.Stat(filepath.Join(r.asterisk.StateDir, "current", voice.KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info.Mode(), err)
	}

	// A call over TLS and a WebSocket are there while the certificate changes.
	alice := r.registered("1001", func(o *phone.Options) {
		o.Transport, o.Server, o.RootCAs, o.ServerName = "tls", r.asterisk.SIPTLSAddr, r.asterisk.CA.Pool(), "localhost"
	})
	r.registered("1002")
	call, err := alice.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	socket, _, _, err := ws.Dialer{Protocols: []string{"sip"}, TLSConfig: r.asterisk.CA.ClientTLS()}.Dial(r.soon(), r.asterisk.WSSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	answers(t, socket, 1)

	second, secondPrint := r.certificate("second")
	c.PBX.Certificate = second
	r.apply(c)
	if got := r.status(); got.ServedCertificate != secondPrint || len(got.RestartRequired) != 0 {
		t.Errorf("status %+v, want %s", brief(got), secondPrint)
	}
	for _, port := range []int{r.asterisk.TLSPort, r.asterisk.WSSPort} {
		if got := r.serves(port); got != secondPrint {
			t.Errorf("port %d serves %s, want %s", port, got, secondPrint)
		}
	}
	_, heard := call.Audio()
	r.audio(call, heard+25)
	answers(t, socket, 2)
	if err := call.Hangup(r.soon()); err != nil {
		t.Errorf("hanging up over the old connection: %v", err)
	}

	// A restart serves it, too, and a pbxlet that comes back reports it.
	r.pbxlet.stop(t)
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.startPbxlet()
	r.eventually("the certificate is reported", func() error {
		if st := r.status(); !st.AsteriskUp || st.ServedCertificate != secondPrint {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
}

// answers sends a request through the socket and waits for its answer.
func answers(t *testing.T, conn net.Conn, n int) {
	t.Helper()
	request := strings.Join([]string{
		"OPTIONS sip:1003@pbx.invalid SIP/2.0", fmt.Sprintf("Via: SIP/2.0/WSS client.invalid;branch=z9hG4bK%d", n), "Max-Forwards: 70",
		"From: <sip:1003@pbx.invalid>;tag=1", "To: <sip:1003@pbx.invalid>", fmt.Sprintf("Call-ID: %d", n), "CSeq: 1 OPTIONS",
		"Contact: <sip:x@client.invalid;transport=ws>", "Content-Length: 0", "", "",
	}, "\r\n")
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientText(conn, []byte(request)); err != nil {
		t.Fatal(err)
	}
	if answer, err := wsutil.ReadServerText(conn); err != nil || !bytes.HasPrefix(answer, []byte("SIP/2.0 ")) {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestCertificateThatIsNotServedIsRefused(t *testing.T) {
	r := newRig(t)
	r.connected()
	first, firstPrint := r.certificate("first")
	c := r.secure(1, first)
	good := r.apply(c)

	// The key belongs to another certificate. The renderer refuses that; a
	// manager that did not would be told.
	second, _ := r.certificate("second")
	c.PBX.Certificate = second
	bad, err := voice.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	bad.Files[fileIndex(t, bad, voice.KeyFile)] = voice.NewFile(voice.KeyFile, first.KeyPEM)
	bad.Version = strings.Repeat("d", 64)
	r.manager.server.SetSnapshot(pbxKey, bad, pbxlink.SnapshotOptions{})
	r.eventually("it is rejected", func() error {
		st := r.status()
		if st.LastRejection == nil || st.LastRejection.Version != bad.Version || !contains(st.LastRejection.Reason, "TLS listener at") {
			return fmt.Errorf("rejection %+v", st.LastRejection)
		}
		if st.AppliedVersion != good.Version || st.ServedCertificate != firstPrint {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	for _, port := range []int{r.asterisk.TLSPort, r.asterisk.WSSPort} {
		if got := r.serves(port); got != firstPrint {
			t.Errorf("port %d serves %s, want %s", port, got, firstPrint)
		}
	}
}

func TestListenersFollowTheSnapshot(t *testing.T) {
	r := newRig(t)
	r.connected()
	certificate, _ := r.certificate("first")
	c := r.secure(1, certificate)
	c.Agents[0].Transport = voice.WS
	r.apply(c)
	socket, _, _, err := ws.Dialer{Protocols: []string{"sip"}}.Dial(r.soon(), r.asterisk.WSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	answers(t, socket, 1)
	c.PBX.WSPort = 0
	c.Agents[0].Transport = voice.UDP
	r.apply(c)
	r.eventually("the listener of WS is closed", func() error {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.asterisk.WSPort))
		if err == nil {
			conn.Close()
			return fmt.Errorf("it accepts connections")
		}
		return nil
	})
}
