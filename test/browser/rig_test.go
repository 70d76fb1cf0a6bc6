package browser_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/browser"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

const (
	realm    = "ringmaster"
	password = "correct-horse"
	// patience is for a slow machine; what is waited for takes a second.
	patience = 30 * time.Second
)

// The agents of the center: two in browsers, one in a browser that may not
// speak Opus and answers by itself, one with a phone on a desk, and one in a
// browser without encryption of the signalling.
var agents = []voice.Endpoint{
	{Extension: "1001", Username: "alice", DisplayName: "Alice", Transport: voice.WSS, Codecs: []string{"opus", "ulaw"}},
	{Extension: "1002", Username: "bruno", DisplayName: "Bruno", Transport: voice.WSS, Codecs: []string{"opus"}},
	{Extension: "1003", Username: "carla", DisplayName: "Carla", Transport: voice.WSS, Codecs: []string{"ulaw"}, AutoAnswer: new(time.Second)},
	{Extension: "1004", Username: "dario", DisplayName: "Dario", Transport: voice.UDP, Codecs: []string{"ulaw"}},
	{Extension: "1005", Username: "elena", DisplayName: "Elena", Transport: voice.WS, Codecs: []string{"opus"}},
}

// rig is an Asterisk that runs what the renderer made of the center, and a
// browser.
type rig struct {
	pbx      *env.AsteriskServer
	browser  *browser.Browser
	versions int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{pbx: env.Asterisk(t)}
	r.write(t, r.certificate(t, "pbx-first"))
	// Transports are bound when Asterisk starts.
	if err := r.pbx.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.browser = browser.Open(t, env.Chromium(t))
	return r
}

// write makes the center with this certificate what Asterisk reads next, as
// the pbxlet does: a new directory, and a symbolic link that changes at once.
func (r *rig) write(t *testing.T, cert voice.Certificate) {
	t.Helper()
	r.versions++
	version := filepath.Join(r.pbx.StateDir, fmt.Sprintf("v%d", r.versions))
	if err := os.Mkdir(version, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.render(t, cert) {
		if err := os.WriteFile(filepath.Join(version, f.Path), f.Content, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(r.pbx.StateDir, "current")
	if err := os.Symlink(version, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) render(t *testing.T, cert voice.Certificate) []voice.File {
	t.Helper()
	center := voice.Center{PBX: voice.PBX{
		Realm: realm, BindAddress: env.Loopback, UDPPort: r.pbx.UDPPort, WSPort: r.pbx.WSPort, WSSPort: r.pbx.WSSPort,
		Certificate: &cert, StateDir: r.pbx.StateDir,
	}}
	for _, e := range agents {
		e.Key = "Agent/" + e.Username
		e.HA1 = voice.HA1(e.Username, realm, password)
		center.Agents = append(center.Agents, e)
	}
	snapshot, err := voice.Render(center)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Files
}

func (r *rig) account(t *testing.T, extension string) browser.Account {
	t.Helper()
	for _, e := range agents {
		if e.Extension == extension {
			url := r.pbx.WSSURL
			if e.Transport == voice.WS {
				url = r.pbx.WSURL
			}
			return browser.Account{
				URL: url, Server: "localhost", Realm: realm,
				Extension: e.Extension, Username: e.Username, Password: password,
			}
		}
	}
	t.Fatalf("no agent %s", extension)
	return browser.Account{}
}

// registered opens a page that is registered as an agent.
func (r *rig) registered(t *testing.T, extension string) *browser.Agent {
	t.Helper()
	page := r.browser.Page(t)
	if err := page.Register(soon(t), r.account(t, extension)); err != nil {
		t.Fatalf("register %s: %v", extension, err)
	}
	return page
}

// deskPhone is the registered UDP phone of Dario.
func (r *rig) deskPhone(t *testing.T) *phone.Phone {
	t.Helper()
	p, err := phone.New(phone.Options{Server: r.pbx.SIPAddr, User: "1004", AuthUser: "dario", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// soon bounds one step of a test.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (r *rig) rx(t *testing.T, command string) string {
	t.Helper()
	out, err := r.pbx.RX(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// leg is what Asterisk counted of an endpoint's channel, as `pjsip show
// channelstats` shows it. Its codec column names the format inside Asterisk.
type leg struct {
	channel        string
	received, sent int
}

func (r *rig) leg(t *testing.T, extension string) (leg, error) {
	t.Helper()
	out := r.rx(t, "pjsip show channelstats")
	for line := range strings.Lines(out) {
		_, rest, found := strings.Cut(line, " "+extension+"-")
		if !found {
			continue
		}
		// channel, up time, codec, received: count lost pct jitter, sent: the same
		fields := strings.Fields(rest)
		if len(fields) < 8 {
			return leg{}, fmt.Errorf("%q has too few columns", line)
		}
		received, err := strconv.Atoi(fields[3])
		if err != nil {
			return leg{}, fmt.Errorf("%q: %w", line, err)
		}
		sent, err := strconv.Atoi(fields[7])
		if err != nil {
			return leg{}, fmt.Errorf("%q: %w", line, err)
		}
		return leg{channel: "PJSIP/" + extension + "-" + fields[0], received: received, sent: sent}, nil
	}
	return leg{}, fmt.Errorf("no channel of %s in\n%s", extension, out)
}

// transcodes tells whether Asterisk decodes and encodes for an endpoint.
func (r *rig) transcodes(t *testing.T, extension string) bool {
	t.Helper()
	l, err := r.leg(t, extension)
	if err != nil {
		t.Fatal(err)
	}
	out := r.rx(t, "core show channel "+l.channel)
	if !strings.Contains(out, "ReadTranscode: ") {
		t.Fatalf("%s is not described:\n%s", l.channel, out)
	}
	return strings.Contains(out, "ReadTranscode: Yes") || strings.Contains(out, "WriteTranscode: Yes")
}

// hears waits until the page's call is up, encrypted, in the codec, and at
// least half a second of audio more went both ways, with sound in it.
func hears(t *testing.T, page *browser.Agent, codec string) browser.State {
	t.Helper()
	g := NewWithT(t)
	before, err := page.State(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	var s browser.State
	g.Eventually(func(g Gomega) {
		s, err = page.State(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Up).To(BeTrue())
		g.Expect(s.Sent).To(BeNumerically(">", before.Sent+25), "packets sent by the page")
		g.Expect(s.Received).To(BeNumerically(">", before.Received+25), "packets received by the page")
		g.Expect(s.Energy).To(BeNumerically(">", before.Energy), "sound heard by the page")
		g.Expect(s.DTLS).To(Equal("connected"))
		g.Expect(s.ICE).To(Equal("succeeded"))
	}).WithTimeout(patience).WithPolling(100 * time.Millisecond).Should(Succeed())
	g.Expect(s.Cipher).To(HavePrefix("SRTP_AES128_CM_HMAC_SHA1"))
	g.Expect([]string{s.Codec, s.ReceivedCodec}).To(HaveEach(codec))
	return s
}

// phoneHears waits for half a second more of audio at a phone, both ways, and
// for a beep of the browser's microphone in it.
func phoneHears(t *testing.T, call *phone.Call) {
	t.Helper()
	sentBefore, receivedBefore := call.Audio()
	audibleBefore := call.Audible()
	NewWithT(t).Eventually(func(g Gomega) {
		sent, received := call.Audio()
		g.Expect(sent).To(BeNumerically(">", sentBefore+25), "packets sent by the phone")
		g.Expect(received).To(BeNumerically(">", receivedBefore+25), "packets received by the phone")
		g.Expect(call.Audible()).To(BeNumerically(">", audibleBefore), "sound heard by the phone")
	}).WithTimeout(patience).WithPolling(100 * time.Millisecond).Should(Succeed())
}

// upAt waits until a call is up at the phone, which learns of it a moment
// after the caller does.
func upAt(t *testing.T, p *phone.Phone) *phone.Call {
	t.Helper()
	NewWithT(t).Eventually(p.Calls).WithTimeout(patience).WithPolling(20 * time.Millisecond).Should(Equal(1))
	return p.LastCall()
}

// passes waits for half a second more of audio in Asterisk's own count.
func (r *rig) passes(t *testing.T, extensions ...string) {
	t.Helper()
	for _, extension := range extensions {
		g := NewWithT(t)
		before, err := r.leg(t, extension)
		g.Expect(err).NotTo(HaveOccurred())
		g.Eventually(func(g Gomega) {
			l, err := r.leg(t, extension)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(l.received).To(BeNumerically(">", before.received+25), "packets Asterisk received from "+extension)
			g.Expect(l.sent).To(BeNumerically(">", before.sent+25), "packets Asterisk sent to "+extension)
		}).WithTimeout(patience).WithPolling(100 * time.Millisecond).Should(Succeed())
	}
}

// rings waits until a call from a number rings at the page.
func rings(t *testing.T, page *browser.Agent, from string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		s, err := page.State(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Ringing).To(BeTrue())
		g.Expect(s.Remote).To(Equal(from))
	}).WithTimeout(patience).WithPolling(50 * time.Millisecond).Should(Succeed())
}

// over waits until phone and pages have no call and Asterisk has no channel.
func (r *rig) over(t *testing.T, p *phone.Phone, pages ...*browser.Agent) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		for _, page := range pages {
			s, err := page.State(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.Up).To(BeFalse())
			g.Expect(s.Ended).NotTo(BeEmpty())
		}
		g.Expect(p.Calls()).To(BeZero())
		g.Expect(r.rx(t, "core show channels count")).To(ContainSubstring("0 active channels"))
	}).WithTimeout(patience).WithPolling(100 * time.Millisecond).Should(Succeed())
}
