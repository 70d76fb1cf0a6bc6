package calls

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

const pin = "4711"

// withMailbox gives the agent a mailbox, changed as told.
func withMailbox(change ...func(*voice.Mailbox)) func(*voice.Endpoint) {
	return func(e *voice.Endpoint) {
		e.Voicemail = &voice.Mailbox{Owner: "uid-" + e.Extension, PIN: pin}
		for _, c := range change {
			c(e.Voicemail)
		}
	}
}

// messages are the files of the mailbox's new messages.
func messages(t *testing.T, extension string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pbx.asterisk.SpoolDir, "voicemail", voice.MailboxContext, extension, "INBOX", "msg*.wav"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leave speaks a message of some seconds after the greeting and hangs up.
func leave(t *testing.T, c *phone.Call) {
	t.Helper()
	audible(t, c, time.Second)
	if err := c.SendDigits(soon(t), "#"); err != nil {
		t.Fatal(err)
	}
	spoken(t, 200)(c)
	hangup(t, c)
}

// told waits until the phone's lamp shows n new messages.
func told(t *testing.T, p *phone.Phone, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages are waiting", n), func() error {
		if got := p.MessagesWaiting(); got != n {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

func digits(t *testing.T, c *phone.Call, digits string) {
	t.Helper()
	if err := c.SendDigits(soon(t), digits); err != nil {
		t.Fatal(err)
	}
}

// prompted waits until the voice menu has spoken for a while more.
func prompted(t *testing.T, c *phone.Call) {
	t.Helper()
	audible(t, c, c.Audible()+600*time.Millisecond)
}

// plays opens the caller's own mailbox with the PIN and waits until the first
// new message, a tone of hz, is heard.
func plays(t *testing.T, owner *phone.Phone, pin string, hz float64) {
	t.Helper()
	c := call(t, owner, "*97")
	prompted(t, c)
	digits(t, c, pin+"#")
	prompted(t, c)
	digits(t, c, "1")
	within(t, 25*time.Second, "the message is played", func() error {
		if level := c.Level(hz); level < loud {
			return fmt.Errorf("its tone is at %.0f", level)
		}
		return nil
	})
	hangup(t, c)
}

func TestVoicemail(t *testing.T) {
	s := newScene(t)
	caller, owner := s.agent(), s.agent(withMailbox())
	unanswered, engaged, absent := s.agent(), s.agent(), s.agent(withMailbox())
	s.start()
	c := registered(t, caller, says(500))
	o := registered(t, owner, rings)
	registered(t, engaged)
	t.Run("LeftAfterRingTimeout", func(t *testing.T) {
		leave(t, call(t, c, owner))
		if o.Rings() != 1 {
			t.Errorf("it rang %d times before voicemail", o.Rings())
		}
		eventually(t, "the message is on disk", func() error {
			if got := messages(t, owner); len(got) != 1 {
				return fmt.Errorf("messages %v", got)
			}
			return nil
		})
		hasTones(t, messages(t, owner)[0], 500)
	})
	t.Run("Indicated", func(t *testing.T) { told(t, o, 1) })
	t.Run("Heard", func(t *testing.T) {
		plays(t, o, pin, 500)
		told(t, o, 0)
	})
	t.Run("LeftWhenBusy", func(t *testing.T) {
		o.SetMode(phone.Busy)
		leave(t, call(t, c, owner))
		told(t, o, 1)
	})
	t.Run("LeftWhenNobodyIsThere", func(t *testing.T) {
		leave(t, call(t, c, absent))
		a := registered(t, absent)
		told(t, a, 1)
	})
	t.Run("NoMailbox", func(t *testing.T) {
		refused(t, c, unanswered, 480)
		refused(t, c, "*97", 404)
	})
}

func TestVoicemailPIN(t *testing.T) {
	s := newScene(t)
	caller, owner := s.agent(), s.agent(withMailbox())
	s.start()
	c := registered(t, caller, says(500))
	o := registered(t, owner, busy)
	leave(t, call(t, c, owner))
	told(t, o, 1)
	t.Run("Wrong", func(t *testing.T) {
		in := call(t, o, "*97")
		prompted(t, in)
		digits(t, in, "1234#")
		prompted(t, in)
		digits(t, in, "1234#")
		prompted(t, in)
		digits(t, in, "1234#")
		ended(t, in)
		if level := in.Level(500); level > quiet {
			t.Error("the message was played with a wrong PIN")
		}
	})
	const changed = "987654"
	t.Run("ChangedByPhone", func(t *testing.T) {
		in := call(t, o, "*97")
		prompted(t, in)
		digits(t, in, pin+"#")
		prompted(t, in)
		digits(t, in, "0") // the menu of options
		prompted(t, in)
		digits(t, in, "5") // change the password
		for range 2 {
			prompted(t, in)
			digits(t, in, changed+"#")
		}
		prompted(t, in)
		hangup(t, in)
		secret := filepath.Join(pbx.asterisk.SpoolDir, "voicemail", voice.MailboxContext, owner, "secret.conf")
		eventually(t, "the new PIN is in the spool", func() error {
			text, err := os.ReadFile(secret)
			if err == nil && len(text) == 0 {
				err = errors.New("empty")
			}
			return err
		})
	})
	t.Run("KeptOverReload", func(t *testing.T) {
		action(t, "Reload", "Module", "app_voicemail.so")
		plays(t, o, changed, 500)
	})
}

// TestVoicemailOwner: whose box it is, and the language it speaks to its owner.
func TestVoicemailOwner(t *testing.T) {
	s := newScene(t)
	owner := s.agent(withMailbox(func(m *voice.Mailbox) { m.FullName, m.Language = "Anna; Rossi", "it" }))
	s.start()
	c := call(t, registered(t, owner), "*97")
	prompted(t, c)
	digits(t, c, pin+"#")
	eventually(t, "it speaks Italian", func() error { return playedIn(owner, "vm-no", "it") })
	hangup(t, c)
	for line := range strings.Lines(rx(t, "voicemail show users for "+voice.MailboxContext)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == owner {
			if !strings.Contains(line, "Anna; Rossi") {
				t.Errorf("the box is shown as %q", line)
			}
			return
		}
	}
	t.Error("the box is not shown")
}

// TestVoicemailGreeting: what a caller hears before the tone.
func TestVoicemailGreeting(t *testing.T) {
	s := newScene(t)
	type part struct{ caller, owner string }
	parts := map[voice.Greeting]part{}
	greetings := []voice.Greeting{voice.GreetingStandard, voice.GreetingInstructions, voice.GreetingSilent}
	for _, g := range greetings {
		parts[g] = part{s.agent(), s.agent(withMailbox(func(m *voice.Mailbox) { m.Greeting = g }))}
	}
	s.start()
	// The sounds that app_voicemail plays, in its own log.
	wanted := map[voice.Greeting]struct{ played, unplayed []string }{
		voice.GreetingStandard:     {[]string{"vm-theperson", "vm-isunavail", "vm-intro", "beep"}, nil},
		voice.GreetingInstructions: {[]string{"vm-intro", "beep"}, []string{"vm-theperson", "vm-isunavail"}},
		voice.GreetingSilent:       {[]string{"beep"}, []string{"vm-theperson", "vm-isunavail", "vm-intro"}},
	}
	for _, g := range greetings {
		t.Run(string(g), func(t *testing.T) {
			t.Parallel()
			p := parts[g]
			c := call(t, registered(t, p.caller), p.owner)
			within(t, 25*time.Second, "the tone", func() error { return played(p.caller, "beep") })
			for _, sound := range wanted[g].played {
				if err := played(p.caller, sound); err != nil {
					t.Error(err)
				}
			}
			for _, sound := range wanted[g].unplayed {
				if played(p.caller, sound) == nil {
					t.Errorf("%s was played", sound)
				}
			}
			hangup(t, c)
		})
	}
}

// TestVoicemailLimits: a message ends at its greatest length, and a full box
// takes none.
func TestVoicemailLimits(t *testing.T) {
	s := newScene(t)
	caller, owner := s.agent(), s.agent(withMailbox(func(m *voice.Mailbox) {
		m.MaxMessages, m.MaxMessageLength, m.Greeting = 1, 3*time.Second, voice.GreetingSilent
	}))
	s.start()
	c := registered(t, caller, says(500))
	o := registered(t, owner, busy)
	t.Run("Length", func(t *testing.T) {
		// Nobody hangs up: the box says goodbye after three seconds.
		first := call(t, c, owner)
		began := time.Now()
		eventually(t, "the message is taken", func() error {
			if len(messages(t, owner)) != 1 {
				return errors.New("no message")
			}
			return nil
		})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s, want about 3 s", took)
		}
		hangup(t, first)
		told(t, o, 1)
	})
	t.Run("Messages", func(t *testing.T) {
		second := call(t, c, owner)
		within(t, 20*time.Second, "the caller is told", func() error { return played(caller, "vm-mailboxfull") })
		hangup(t, second)
		if got := messages(t, owner); len(got) != 1 {
			t.Errorf("messages %v, want one", got)
		}
	})
}
