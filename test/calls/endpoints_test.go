package calls

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

func TestRole(t *testing.T) {
	s := newScene(t)
	friend := s.agent()
	user := s.agent(func(e *voice.Endpoint) { e.Role = voice.User })
	// A peer is known by its address, so it has one of its own.
	peer := s.number()
	at := newPhone(t, peer, func(o *phone.Options) { o.Local, o.Tone = "127.0.0.2", 700 })
	host, port, err := hostPort(at.Addr())
	if err != nil {
		t.Fatal(err)
	}
	e := endpoint(peer)
	e.Role, e.Static = voice.Peer, &voice.Host{Host: host, Port: port}
	s.agents = append(s.agents, e)
	static := s.number()
	fixed := newPhone(t, static, func(o *phone.Options) { o.Local = "127.0.0.3" })
	host, port, err = hostPort(fixed.Addr())
	if err != nil {
		t.Fatal(err)
	}
	e = endpoint(static)
	e.Static = &voice.Host{Host: host, Port: port}
	s.agents = append(s.agents, e)
	s.start()

	f := registered(t, friend, says(400))
	t.Run("User", func(t *testing.T) {
		u := newPhone(t, user)
		code, err := u.RegisterStatus(soon(t))
		if err != nil || code < 400 {
			t.Errorf("REGISTER: %d, %v, want a refusal", code, err)
		}
		refused(t, f, user, 404)
		talk(t, u, friend, f)
	})
	t.Run("Peer", func(t *testing.T) {
		out := call(t, f, peer)
		hears(t, "the caller", out, []float64{700}, nil)
		hangup(t, out)
		isFree(t, at)
	})
	t.Run("PeerCallsByItsAddress", func(t *testing.T) {
		stranger := newPhone(t, peer, func(o *phone.Options) { o.Password = "no" })
		refused(t, stranger, friend, 401)
		out := call(t, at, friend)
		hears(t, "the peer", out, []float64{400}, nil)
		if got := f.Incoming()[f.Rings()-1].Number; got != peer {
			t.Errorf("the call came from %s, want %s", got, peer)
		}
		hangup(t, out)
		isFree(t, f)
	})
	t.Run("StaticFriend", func(t *testing.T) {
		talk(t, f, static, fixed)
		talk(t, fixed, friend, f)
	})
	t.Run("StaticDoesNotRegister", func(t *testing.T) {
		for _, p := range []*phone.Phone{at, fixed} {
			if code, err := p.RegisterStatus(soon(t)); err != nil || code < 400 {
				t.Errorf("REGISTER: %d, %v, want a refusal", code, err)
			}
		}
	})
}

func TestCodecs(t *testing.T) {
	s := newScene(t)
	alaw := s.agent(func(e *voice.Endpoint) { e.Codecs = []string{"alaw"} })
	many := s.agent(func(e *voice.Endpoint) { e.Codecs = []string{"g722", "alaw", "gsm", "ulaw"} })
	plain := s.agent()
	s.start()
	both := func(o *phone.Options) { o.Codecs = []string{"ulaw", "alaw"} }
	a, m, p := registered(t, alaw, both), registered(t, many, both), registered(t, plain)
	t.Run("Chosen", func(t *testing.T) {
		c := call(t, a, plain)
		if got := c.Codec(); got != "alaw" {
			t.Errorf("the PBX speaks %s, want alaw", got)
		}
		audible(t, c, 200*time.Millisecond)
		hangup(t, c)
		isFree(t, p)
	})
	t.Run("Refused", func(t *testing.T) {
		only := newPhone(t, alaw, func(o *phone.Options) { o.Codecs = []string{"ulaw"} })
		refused(t, only, plain, 488)
	})
	t.Run("Offered", func(t *testing.T) {
		talk(t, p, many, m)
		offer := m.Incoming()[0].Offer
		// RFC 3551: 9 is G.722, 8 A-law, 3 GSM, 0 u-law; the caller's comes first.
		if !strings.Contains(offer, "RTP/AVP 0 9 8 3 ") && !strings.Contains(offer, "RTP/AVP 9 8 3 0 ") {
			t.Errorf("offer:\n%s", offer)
		}
	})
	t.Run("Order", func(t *testing.T) {
		for line := range strings.SplitSeq(rx(t, "pjsip show endpoint "+many), "\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "allow" {
				if got := strings.TrimSpace(value); got != "(g722|alaw|gsm|ulaw)" {
					t.Errorf("allow is %s", got)
				}
				return
			}
		}
		t.Error("no codecs are shown")
	})
}

func TestExpires(t *testing.T) {
	s := newScene(t)
	agent := s.agent(func(e *voice.Endpoint) { e.Expires = 2 * time.Minute })
	s.start()
	registered(t, agent, func(o *phone.Options) { o.Expires = -1 })
	at, err := strconv.ParseInt(contactExpiry(t, agent), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if lasts := time.Until(time.Unix(at, 0)); lasts < 90*time.Second || lasts > 150*time.Second {
		t.Errorf("the registration of a phone that asks for nothing lasts %s, want 2 minutes", lasts)
	}
}

func TestLanguage(t *testing.T) {
	s := newScene(t)
	agent := s.agent(func(e *voice.Endpoint) { e.Language = "en-GB" })
	s.start()
	hangup(t, call(t, registered(t, agent), "0215550200"))
	if got := wentOut(t, "0215550200").Get("Language"); got != "en_GB" {
		t.Errorf("the channel's language is %q, want en_GB", got)
	}
}

// newestChannel is a header of the Newchannel event of the extension's last
// channel.
func newestChannel(t *testing.T, extension, header string) string {
	t.Helper()
	value := ""
	eventually(t, "a channel of "+extension, func() error {
		found := pbx.log.channels(extension)
		if len(found) == 0 {
			return fmt.Errorf("no event")
		}
		value = found[len(found)-1].Get(header)
		return nil
	})
	return value
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	return host, port, err
}

// TestQualify: a registered phone is asked whether it is still there.
func TestQualify(t *testing.T) {
	s := newScene(t)
	agent := s.agent()
	s.settings.QualifyInterval = time.Second
	s.alone()
	a := registered(t, agent)
	eventually(t, "OPTIONS come", func() error {
		if a.Qualified() < 2 {
			return fmt.Errorf("%d came", a.Qualified())
		}
		return nil
	})
	for _, m := range list(t, "PJSIPShowContacts") {
		if strings.HasPrefix(m.Get("ObjectName"), agent+";@") && m.Get("Status") != "Reachable" {
			t.Errorf("the contact is %s", m.Get("Status"))
		}
	}
}
