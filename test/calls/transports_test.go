package calls

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestTransport registers over each transport, and calls where the media is
// one that a plain phone can speak.
func TestTransport(t *testing.T) {
	s := newScene(t)
	transports := map[voice.Transport]phoneOption{
		voice.UDP: func(*phone.Options) {},
		voice.TCP: func(o *phone.Options) { o.Transport = "tcp" },
		voice.TLS: func(o *phone.Options) { o.Transport, o.Server = "tls", pbx.asterisk.SIPTLSAddr },
		voice.WS:  func(o *phone.Options) { o.Transport, o.Server = "ws", at(pbx.asterisk.WSPort) },
		voice.WSS: func(o *phone.Options) { o.Transport, o.Server = "wss", at(pbx.asterisk.WSSPort) },
	}
	type part struct{ plain, agent string }
	parts := map[voice.Transport]part{}
	for tr := range transports {
		parts[tr] = part{s.agent(), s.agent(func(e *voice.Endpoint) { e.Transport = tr })}
	}
	s.start()
	for tr, option := range transports {
		t.Run(string(tr), func(t *testing.T) {
			t.Parallel()
			p := parts[tr]
			plain, agent := registered(t, p.plain), registered(t, p.agent, option)
			if tr != voice.WS && tr != voice.WSS {
				talk(t, plain, p.agent, agent)
				talk(t, agent, p.plain, plain)
				return
			}
			// The media of a WebSocket's phone is DTLS-SRTP, which a browser
			// speaks; that its call comes, with what a browser needs, is seen here.
			agent.SetMode(phone.RingOnly)
			ringing := dial(t, plain, p.agent)
			isRinging(t, agent)
			offer := agent.Incoming()[0].Offer
			for _, want := range []string{"UDP/TLS/RTP/SAVPF", "a=fingerprint:", "a=ice-ufrag:", "a=rtcp-mux"} {
				if !strings.Contains(offer, want) {
					t.Errorf("the offer lacks %s:\n%s", want, offer)
				}
			}
			ringing.giveUp()
			// A call from it reaches the dialplan.
			plain.SetMode(phone.RingOnly)
			dial(t, agent, p.plain)
			isRinging(t, plain)
		})
	}
}

// at is the loopback address with the port.
func at(port int) string { return net.JoinHostPort(env.Loopback, strconv.Itoa(port)) }
