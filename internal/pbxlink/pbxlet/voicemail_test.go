package pbxlet_test

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

func (r *rig) boxDir() string {
	return filepath.Join(r.asterisk.SpoolDir, "voicemail", voice.MailboxContext)
}

// leaveMessage puts a message into a box as somebody who calls it.
func (r *rig) leaveMessage(caller *phone.Phone, extension string) {
	r.t.Helper()
	call, err := caller.Call(r.soon(), extension)
	if err != nil {
		r.t.Fatal(err)
	}
	r.audio(call, 50)
	// "#" ends the greeting; what follows is the message.
	if err := call.SendDigits(r.soon(), "#"); err != nil {
		r.t.Fatal(err)
	}
	sent, _ := call.Audio()
	r.eventually("four seconds are spoken", func() error {
		if n, _ := call.Audio(); n < sent+200 {
			return fmt.Errorf("%d packets", n-sent)
		}
		return nil
	})
	if err := call.Hangup(r.soon()); err != nil {
		r.t.Fatal(err)
	}
}

// audio waits until a call has heard so many packets.
func (r *rig) audio(call *phone.Call, packets int) {
	r.t.Helper()
	r.eventually("something is heard", func() error {
		if _, n := call.Audio(); n < packets {
			return fmt.Errorf("%d packets", n)
		}
		return nil
	})
}

func (r *rig) expectMessages(extension string, unread, read int) {
	r.t.Helper()
	r.eventually("the messages are counted", func() error {
		r.manager.events.mu.Lock()
		defer r.manager.events.mu.Unlock()
		if got, ok := r.manager.events.voicemail[extension]; !ok || got != [2]int{unread, read} {
			return fmt.Errorf("%s has %v", extension, got)
		}
		return nil
	})
}

func boxes(r *rig, owner, pin string) voice.Center {
	c := r.center(2)
	c.Agents[1].Voicemail = &voice.Mailbox{Owner: owner, PIN: pin}
	return c
}

// opens tells whether the PIN opens the caller's mailbox.
func (r *rig) opens(p *phone.Phone, pin string) bool {
	r.t.Helper()
	call, err := p.Call(r.soon(), "*97")
	if err != nil {
		r.t.Fatal(err)
	}
	r.audio(call, 20)
	before := r.asteriskLog()
	if err := call.SendDigits(r.soon(), pin+"#"); err != nil {
		r.t.Fatal(err)
	}
	opened := false
	r.eventually("the PIN is taken or refused", func() error {
		said := strings.TrimPrefix(r.asteriskLog(), before)
		opened = contains(said, "Playing 'vm-youhave")
		if !opened && !contains(said, "Playing 'vm-incorrect") {
			return errors.New("nothing was said")
		}
		return nil
	})
	if err := call.Hangup(r.soon()); err != nil {
		r.t.Error(err)
	}
	return opened
}

func (r *rig) asteriskLog() string {
	r.t.Helper()
	text, err := os.ReadFile(r.asterisk.LogFile())
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func TestMailboxBelongsToItsOwner(t *testing.T) {
	r := newRig(t)
	r.apply(boxes(r, "uid-bob", "4711"))
	alice := r.registered("1001")
	r.expectMessages("1002", 0, 0)
	r.leaveMessage(alice, "1002")
	r.expectMessages("1002", 1, 0)

	// The count is known to a pbxlet and an Asterisk that were restarted.
	r.pbxlet.stop(t)
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.startPbxlet()
	r.expectMessages("1002", 1, 0)
	if err := fileExists(r.boxDir() + "/1002/INBOX/msg0000.wav"); err != nil {
		t.Fatal(err)
	}

	// The next owner of the extension does not hear them.
	r.apply(boxes(r, "uid-eve", "4711"))
	r.expectMessages("1002", 0, 0)
	aside, err := filepath.Glob(r.boxDir() + "/1002.uid-bob.*/INBOX/msg0000.wav")
	if err != nil || len(aside) != 1 {
		t.Errorf("the messages of the former owner are in %v, %v", aside, err)
	}
	if text, err := os.ReadFile(r.boxDir() + "/1002/ringmaster-owner"); err != nil || string(text) != "uid-eve\n" {
		t.Errorf("the box is marked %q, %v", text, err)
	}

	// Whoever comes back finds them again.
	r.apply(boxes(r, "uid-bob", "4711"))
	r.expectMessages("1002", 1, 0)
}

func TestPurgeMailbox(t *testing.T) {
	r := newRig(t)
	r.apply(boxes(r, "uid-bob", "4711"))
	r.leaveMessage(r.registered("1001"), "1002")
	r.expectMessages("1002", 1, 0)

	purged := make(chan error, 1)
	go func() { purged <- r.manager.server.PurgeMailbox(t.Context(), pbxKey, "1002", "uid-bob") }()
	// As long as it is his, nothing happens.
	r.apply(func() voice.Center { c := boxes(r, "uid-bob", "4711"); c.Agents[0].DisplayName = "New"; return c }())
	select {
	case err := <-purged:
		t.Fatalf("purged while in use: %v", err)
	default:
	}
	if err := fileExists(r.boxDir() + "/1002/INBOX/msg0000.wav"); err != nil {
		t.Fatal(err)
	}
	r.apply(boxes(r, "uid-eve", "4711"))
	select {
	case err := <-purged:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is never purged")
	}
	left, err := filepath.Glob(r.boxDir() + "/1002.*")
	if err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	// The next owner's box is another matter, also for a repeated command.
	if err := r.manager.server.PurgeMailbox(r.soon(), pbxKey, "1002", "uid-bob"); err != nil {
		t.Error(err)
	}
	if err := fileExists(r.boxDir() + "/1002/ringmaster-owner"); err != nil {
		t.Error(err)
	}
	none := r.center(2)
	r.apply(none)
	if err := r.manager.server.PurgeMailbox(r.soon(), pbxKey, "1002", "uid-eve"); err != nil {
		t.Error(err)
	}
	if err := fileExists(r.boxDir() + "/1002"); err == nil {
		t.Error("the box is still there")
	}
	for _, name := range []string{"../1001", "", "*"} {
		if err := r.manager.server.PurgeMailbox(shortly(t), pbxKey, name, "uid-eve"); err == nil {
			t.Errorf("box %q was purged", name)
		}
	}
}

// TestPINByTelephone changes a PIN through the menu and then in the Secret.
func TestPINByTelephone(t *testing.T) {
	r := newRig(t)
	c := boxes(r, "uid-bob", "4711")
	r.apply(c)
	bob := r.registered("1002")
	if !r.opens(bob, "4711") {
		t.Fatal("the PIN of the Secret is refused")
	}
	call, err := bob.Call(r.soon(), "*97")
	if err != nil {
		t.Fatal(err)
	}
	r.audio(call, 20)
	if err := call.SendDigits(r.soon(), "4711#"); err != nil {
		t.Fatal(err)
	}
	said := func(what string) {
		t.Helper()
		r.eventually(what+" is said", func() error {
			if !contains(r.asteriskLog(), "Playing '"+what) {
				return errors.New("not yet")
			}
			return nil
		})
	}
	said("vm-opts")
	// 0: options, 5: password.
	for _, step := range []struct{ digits, then string }{{"0", "vm-options"}, {"5", "vm-newpassword"}, {"2580#", "vm-reenterpassword"}, {"2580#", "vm-passchanged"}} {
		if err := call.SendDigits(r.soon(), step.digits); err != nil {
			t.Fatal(err)
		}
		said(step.then)
	}
	if err := call.Hangup(r.soon()); err != nil {
		t.Error(err)
	}
	check := func(when, good, bad string) {
		t.Helper()
		if r.opens(bob, bad) || !r.opens(bob, good) {
			t.Errorf("%s: the mailbox does not open by %s alone", when, good)
		}
	}
	check("changed", "2580", "4711")
	c.Agents[1].Voicemail.MaxMessages = 7
	r.apply(c)
	check("after a reload", "2580", "4711")
	r.pbxlet.stop(t)
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.startPbxlet()
	check("after a restart", "2580", "4711")

	c.Agents[1].Voicemail.PIN = "9630"
	r.apply(c)
	check("after a change of the Secret", "9630", "2580")
	// What is chosen afterwards holds again, whatever else is reloaded.
	secret := r.boxDir() + "/1002/secret.conf"
	if err := os.WriteFile(secret, []byte("[general]\npassword = 1379\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Agents[1].Voicemail.MaxMessages = 8
	r.apply(c)
	check("chosen again", "1379", "9630")
}
