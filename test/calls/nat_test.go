package calls

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestNAT observes the three sides of each value: where an answer goes that
// did not ask for rport (RFC 3581), which contact is kept, and where media is
// sent.
func TestNAT(t *testing.T) {
	s := newScene(t)
	type want struct{ rport, contact, media bool }
	cases := map[string]struct {
		nat   voice.NAT
		compa voice.NATCompatibility
		want  want
	}{
		"ForceRportComedia": {nat: voice.NATForceRportComedia, want: want{true, true, true}},
		"None":              {nat: voice.NATNone},
		"ForceRport":        {nat: voice.NATForceRport, want: want{rport: true, contact: true}},
		"Comedia":           {nat: voice.NATComedia, want: want{media: true}},
		"Never":             {nat: voice.NATNever},
		"Route":             {nat: voice.NATRoute},
		"RouteAsAsterisk14": {nat: voice.NATRoute, compa: voice.NATAsterisk14, want: want{true, true, true}},
	}
	type part struct{ agent, other string }
	parts := map[string]part{}
	for name, c := range cases {
		parts[name] = part{s.agent(func(e *voice.Endpoint) { e.NAT, e.NATCompatibility = c.nat, c.compa }), s.agent()}
	}
	s.start()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parts[name]
			if got := answersToSource(t, p.agent); got != c.want.rport {
				t.Errorf("the answer goes to the source of the request: %t, want %t", got, c.want.rport)
			}
			other := registered(t, p.other)
			// Nothing listens at the discard port.
			hidden := registered(t, p.agent, func(o *phone.Options) { o.Contact = "127.0.0.1:9" })
			if got := reached(t, other, p.agent, hidden); got != c.want.contact {
				t.Errorf("a phone that shows a wrong contact is reached: %t, want %t", got, c.want.contact)
			}
			deaf := registered(t, p.agent, func(o *phone.Options) { o.MediaAddress = "127.0.0.9" })
			out := call(t, deaf, p.other)
			if got := poll(time.Second, func() error {
				if _, n := out.Audio(); n < 5 {
					return fmt.Errorf("%d packets", n)
				}
				return nil
			}) == nil; got != c.want.media {
				t.Errorf("a phone that shows a wrong media address hears: %t, want %t", got, c.want.media)
			}
			hangup(t, out)
		})
	}
}

// reached calls the extension and tells whether the phone rings.
func reached(t *testing.T, from *phone.Phone, extension string, to *phone.Phone) bool {
	t.Helper()
	d := dial(t, from, extension)
	defer d.giveUp()
	return poll(1500*time.Millisecond, func() error {
		if to.Rings() == 0 {
			return fmt.Errorf("it does not ring")
		}
		return nil
	}) == nil
}

// answersToSource sends a request whose Via names another port than the one
// it comes from and does not ask for rport, and tells where the answer goes.
func answersToSource(t *testing.T, extension string) bool {
	t.Helper()
	ports := [2]*net.UDPConn{}
	for i := range ports {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ports[i] = conn
	}
	source, named := ports[0], ports[1]
	server, err := net.ResolveUDPAddr("udp", pbx.asterisk.SIPAddr)
	if err != nil {
		t.Fatal(err)
	}
	request := strings.Join([]string{
		"OPTIONS sip:" + extension + "@" + pbx.asterisk.SIPAddr + " SIP/2.0",
		"Via: SIP/2.0/UDP " + named.LocalAddr().String() + ";branch=z9hG4bK" + extension,
		"From: <sip:" + extension + "@127.0.0.1>;tag=" + extension,
		"To: <sip:" + extension + "@127.0.0.1>",
		"Call-ID: nat-" + extension, "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0", "", "",
	}, "\r\n")
	if _, err := source.WriteTo([]byte(request), server); err != nil {
		t.Fatal(err)
	}
	answers := make(chan bool, 2)
	for i, conn := range ports {
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		go func() {
			if n, err := conn.Read(make([]byte, 4096)); err == nil && n > 0 {
				answers <- i == 0
			}
		}()
	}
	select {
	case at := <-answers:
		return at
	case <-time.After(5 * time.Second):
		t.Fatal("there is no answer")
		return false
	}
}
