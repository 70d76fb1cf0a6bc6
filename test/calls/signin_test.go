package calls

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestWrongPasswordsAreReported: a wrong digest is told to the manager, with where it came from. A first request without one, the right one,
// and the right one for a nonce that is no more are not.
func TestWrongPasswordsAreReported(t *testing.T) {
	s := newScene(t)
	right, wrong, user, stale := s.agent(), s.agent(), s.agent(), s.agent()
	s.start()
	registered(t, right)
	refused := func(extension string, change phoneOption) {
		t.Helper()
		if err := newPhone(t, extension, change).Register(soon(t)); err == nil {
			t.Fatalf("%s was let in", extension)
		}
	}
	if answer := registerOnce(t, stale, "1700000000/0123456789abcdef0123456789abcdef"); !strings.Contains(answer, " 401 ") || !strings.Contains(answer, "stale=true") {
		t.Fatalf("an old nonce is answered by %q", answer)
	}
	refused(user, func(o *phone.Options) { o.AuthUser = "somebody" })
	for range 3 {
		refused(wrong, func(o *phone.Options) { o.Password = "wrong" })
	}
	for _, extension := range []string{user, wrong} {
		eventually(t, "the failure is told", func() error {
			// Those of one second are one.
			if n, address := pbx.link.events.signInFailures(extension); n < 1 || n > 2 || address != env.Loopback {
				return fmt.Errorf("%d failures of %s from %q", n, extension, address)
			}
			return nil
		})
	}
	for _, extension := range []string{right, stale} {
		if n, address := pbx.link.events.signInFailures(extension); n != 0 {
			t.Errorf("%d failures of %s from %q", n, extension, address)
		}
	}
}

// registerOnce sends one REGISTER with the right password for a nonce, and returns the answer.
func registerOnce(t *testing.T, extension, nonce string) string {
	t.Helper()
	uri := "sip:" + pbx.asterisk.SIPAddr
	credentials, err := digest.Digest(&digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: "MD5", QOP: []string{"auth"}},
		digest.Options{Method: "REGISTER", URI: uri, Username: "user." + extension, Password: password(extension)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", pbx.asterisk.SIPAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	request := strings.Join([]string{
		"REGISTER " + uri + " SIP/2.0", "Via: SIP/2.0/UDP " + conn.LocalAddr().String() + ";rport;branch=z9hG4bK-stale-" + extension, "Max-Forwards: 70",
		"From: <sip:" + extension + "@" + pbx.asterisk.SIPAddr + ">;tag=stale", "To: <sip:" + extension + "@" + pbx.asterisk.SIPAddr + ">", "Call-ID: stale-" + extension,
		"CSeq: 1 REGISTER", "Contact: <sip:" + extension + "@" + conn.LocalAddr().String() + ">", "Authorization: " + credentials.String(), "Content-Length: 0", "", "",
	}, "\r\n")
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer[:n])
}
