package browser_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/browser"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestCalls has pages of one browser register over WSS and talk, with each
// other and with a phone on a desk.
func TestCalls(t *testing.T) {
	r := newRig(t)
	c := &calls{rig: r, alice: r.registered(t, "1001"), dario: r.deskPhone(t)}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a browser calls a phone", c.browserToPhone},
		{"a phone calls a browser", c.phoneToBrowser},
		{"a browser without Opus", c.withoutOpus},
		{"a browser that answers by itself", c.autoAnswer},
		{"a WebSocket without encryption", c.overWS},
		{"two browsers in Opus", c.browserToBrowser},
		{"a busy phone", c.busy},
	} {
		// A call that is left up by a failure would only fail the others.
		if !t.Run(step.name, step.run) {
			return
		}
	}
}

type calls struct {
	*rig
	alice *browser.Agent
	dario *phone.Phone
}

func (c *calls) browserToPhone(t *testing.T) {
	if err := c.alice.Call(soon(t), "1004"); err != nil {
		t.Fatal(err)
	}
	// The phone cannot do Opus: Asterisk transcodes.
	hears(t, c.alice, "audio/opus")
	c.passes(t, "1001", "1004")
	if !c.transcodes(t, "1001") && !c.transcodes(t, "1004") {
		t.Error("Opus reaches a phone that knows only ulaw")
	}
	call := upAt(t, c.dario)
	phoneHears(t, call)
	if err := c.alice.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-call.Done():
	case <-time.After(patience):
		t.Fatal("the phone was not told of the end")
	}
	c.over(t, c.dario, c.alice)
}

func (c *calls) phoneToBrowser(t *testing.T) {
	// Asterisk offers the caller's codec first, which saves the transcoding.
	c.phoneCalls(t, "1001", c.alice, "audio/PCMU")
	bruno := c.registered(t, "1002")
	c.phoneCalls(t, "1002", bruno, "audio/opus")
	if err := bruno.Unregister(soon(t)); err != nil {
		t.Fatal(err)
	}
}

func (c *calls) phoneCalls(t *testing.T, extension string, page *browser.Agent, mime string) {
	t.Helper()
	answered := make(chan error, 1)
	go func() {
		_, err := c.dario.Call(soon(t), extension)
		answered <- err
	}()
	rings(t, page, "1004")
	if err := page.Answer(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	hears(t, page, mime)
	c.passes(t, extension, "1004")
	call := upAt(t, c.dario)
	phoneHears(t, call)
	if err := call.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	c.over(t, c.dario, page)
}

func (c *calls) withoutOpus(t *testing.T) {
	carla := c.registered(t, "1003")
	if err := carla.Call(soon(t), "1004"); err != nil {
		t.Fatal(err)
	}
	hears(t, carla, "audio/PCMU")
	c.passes(t, "1003", "1004")
	phoneHears(t, upAt(t, c.dario))
	if err := carla.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	c.over(t, c.dario, carla)
}

// Media is encrypted nevertheless, which hears checks.
func (c *calls) overWS(t *testing.T) {
	elena := c.registered(t, "1005")
	if err := elena.Call(soon(t), "1004"); err != nil {
		t.Fatal(err)
	}
	hears(t, elena, "audio/opus")
	phoneHears(t, upAt(t, c.dario))
	if err := elena.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	c.over(t, c.dario, elena)
}

func (c *calls) autoAnswer(t *testing.T) {
	carla := c.registered(t, "1003")
	start := time.Now()
	call, err := c.dario.Call(soon(t), "1003")
	if err != nil {
		t.Fatal(err)
	}
	if rang := time.Since(start); rang < time.Second {
		t.Errorf("answered after %s, asked for was one second", rang)
	}
	hears(t, carla, "audio/PCMU")
	if err := call.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	c.over(t, c.dario, carla)
}

func (c *calls) browserToBrowser(t *testing.T) {
	bruno := c.registered(t, "1002")
	called := make(chan error, 1)
	go func() { called <- bruno.Call(soon(t), "1001") }()
	rings(t, c.alice, "1002")
	if err := c.alice.Answer(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-called; err != nil {
		t.Fatal(err)
	}
	hears(t, c.alice, "audio/opus")
	hears(t, bruno, "audio/opus")
	c.passes(t, "1001", "1002")
	if c.transcodes(t, "1001") || c.transcodes(t, "1002") {
		t.Error("Asterisk decodes Opus between two that both know it")
	}
	if err := bruno.Hangup(soon(t)); err != nil {
		t.Fatal(err)
	}
	c.over(t, c.dario, c.alice, bruno)
}

func (c *calls) busy(t *testing.T) {
	c.dario.SetMode(phone.Busy)
	NewWithT(t).Expect(c.alice.Call(soon(t), "1004")).To(MatchError(ContainSubstring("486")))
}

// TestRegistration has pages register, be seen and leave.
func TestRegistration(t *testing.T) {
	r := newRig(t)
	g := NewWithT(t)
	gone := func() {
		g.Eventually(func() string { return r.rx(t, "pjsip show contacts") }).WithTimeout(patience).
			WithPolling(50 * time.Millisecond).Should(ContainSubstring("No objects found"))
	}

	alice := r.registered(t, "1001")
	g.Expect(r.rx(t, "pjsip show aor 1001")).To(ContainSubstring("transport=ws"))
	s, err := alice.State(soon(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Connected && s.Registered).To(BeTrue())
	g.Expect(alice.Unregister(soon(t))).To(Succeed())
	gone()

	// Who closes the page is not rung for the rest of the registration.
	r.registered(t, "1002").Close()
	gone()

	wrong := r.account(t, "1002")
	wrong.Password = "wrong-horse"
	g.Expect(r.browser.Page(t).Register(soon(t), wrong)).To(MatchError(ContainSubstring("401")))
}
