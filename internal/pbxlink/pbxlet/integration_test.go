package pbxlet_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

func TestPhonesRegisterAndCall(t *testing.T) {
	r := newRig(t)
	c := r.center(4)
	c.Agents[2].Transport = voice.TCP
	s := r.apply(c)
	st := r.status()
	if st.Endpoints != 4 || st.AppliedObjects["Agent/user.1001"] != s.Objects["Agent/user.1001"] || st.AsteriskVersion == "" {
		t.Errorf("status %+v", st)
	}
	if len(st.RestartRequired) != 0 {
		t.Errorf("transports %v are said to need a restart", st.RestartRequired)
	}

	alice, bob := r.registered("1001"), r.registered("1002")
	carol := r.registered("1003", func(o *phone.Options) { o.Transport = "tcp" })
	for name, change := range map[string]func(*phone.Options){
		"wrong password":           func(o *phone.Options) { o.Password = "no" },
		"username instead of user": func(o *phone.Options) { o.User = o.AuthUser },
		"another's username":       func(o *phone.Options) { o.AuthUser = "user.1001" },
		"unknown extension":        func(o *phone.Options) { o.User = "9999" },
	} {
		if code, err := r.phone("1004", change).RegisterStatus(r.soon()); err != nil || code != 401 {
			t.Errorf("%s: got %d, %v, want 401", name, code, err)
		}
	}
	r.eventually("the contacts arrive", func() error {
		if got := r.status().Registered; got != 3 {
			return fmt.Errorf("%d registered", got)
		}
		if got := r.manager.events.contactsOf("1001"); len(got) != 1 || got[0].UserAgent != "ringmaster-phone" {
			return fmt.Errorf("contacts of 1001: %+v", got)
		}
		return nil
	})

	talk(r, alice, "1002", bob)
	talk(r, bob, "1003", carol)
	talk(r, carol, "1001", alice)
	r.refused(alice, "1004", 480) // nobody is there, and it has no mailbox
	r.refused(alice, "1999", 404)
	r.refused(alice, "12", 404)
	r.refused(alice, "*97", 404) // she has no mailbox
	bob.SetMode(phone.Busy)
	r.refused(alice, "1002", 486)

	if err := bob.Unregister(r.soon()); err != nil {
		t.Fatal(err)
	}
	r.eventually("the contact goes", func() error {
		if got := r.manager.events.contactsOf("1002"); len(got) != 0 {
			return fmt.Errorf("contacts of 1002: %+v", got)
		}
		return nil
	})
}

// talk calls and waits until both sides have heard something.
func talk(r *rig, from *phone.Phone, target string, to *phone.Phone) {
	r.t.Helper()
	rings := to.Rings()
	call, err := from.Call(r.soon(), target)
	if err != nil {
		r.t.Fatal(err)
	}
	r.eventually("both sides hear", func() error {
		_, here := call.Audio()
		answered := to.LastCall()
		if answered == nil || to.Calls() != 1 || to.Rings() != rings+1 {
			return fmt.Errorf("%s has %d calls and rang %d times", target, to.Calls(), to.Rings()-rings)
		}
		if _, there := answered.Audio(); here < 5 || there < 5 {
			return fmt.Errorf("%d and %d packets", here, there)
		}
		return nil
	})
	if err := call.Hangup(r.soon()); err != nil {
		r.t.Error(err)
	}
	r.eventually("the other side hangs up", func() error {
		if n := to.Calls(); n != 0 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
}

func queueCenter(r *rig, members ...string) voice.Center {
	c := r.center(3)
	q := voice.Queue{Key: "Queue/support", Name: "support", Number: "600", Timeout: 3 * time.Second, Retry: time.Second}
	for _, m := range members {
		q.Members = append(q.Members, voice.Member{Extension: m, Name: `Name of "` + m + `", (x;--`})
	}
	c.Queues = []voice.Queue{q}
	return c
}

func TestQueueRingsOnlyWhoIsReady(t *testing.T) {
	r := newRig(t)
	r.apply(queueCenter(r, "1002", "1003"))
	caller, ready, paused := r.registered("1001"), r.registered("1002"), r.registered("1003")
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{
		{Extension: "1002"}, {Extension: "1003", Paused: true, Reason: "Lunch"},
	})
	r.expectMembers(map[string]pbxlink.QueueMember{
		"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE"},
		"support/1003": {Queue: "support", Extension: "1003", DeviceState: "NOT_INUSE", Paused: true, PauseReason: "Lunch"},
	})

	talk(r, caller, "600", ready)
	if paused.Rings() != 0 {
		t.Error("a paused member rang")
	}

	// Both paused: the caller waits, and then the first to be ready rings.
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{{Extension: "1003", Paused: true, Reason: "Lunch"}})
	r.expectMembers(map[string]pbxlink.QueueMember{
		"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE", Paused: true},
	})
	call, err := caller.Call(r.soon(), "600")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("a caller waits", func() error {
		r.manager.events.mu.Lock()
		defer r.manager.events.mu.Unlock()
		if n := r.manager.events.figures["support"].Waiting; n != 1 {
			return fmt.Errorf("%d wait", n)
		}
		return nil
	})
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{{Extension: "1003"}})
	r.eventually("the other member answers", func() error {
		if paused.Calls() != 1 {
			return fmt.Errorf("%d calls, %d rings", paused.Calls(), paused.Rings())
		}
		return nil
	})
	if ready.Rings() != 1 {
		t.Errorf("the member paused later rang %d times, want once", ready.Rings())
	}
	if err := call.Hangup(r.soon()); err != nil {
		t.Error(err)
	}
}

func (r *rig) expectMembers(want map[string]pbxlink.QueueMember) {
	r.t.Helper()
	r.eventually("the members are reported", func() error {
		for key, m := range want {
			if got := r.manager.events.member(key); got != m {
				return fmt.Errorf("got %+v, want %+v", got, m)
			}
		}
		return nil
	})
}

func TestPauseSurvivesReloadAndRestart(t *testing.T) {
	r := newRig(t)
	c := queueCenter(r, "1002", "1003")
	r.apply(c)
	r.registered("1002")
	r.registered("1003")
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{
		{Extension: "1002"}, {Extension: "1003", Paused: true, Reason: "Lunch"},
	})
	want := map[string]pbxlink.QueueMember{
		"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE"},
		"support/1003": {Queue: "support", Extension: "1003", DeviceState: "NOT_INUSE", Paused: true, PauseReason: "Lunch"},
	}
	r.expectMembers(want)

	c.Queues[0].Members = append(c.Queues[0].Members, voice.Member{Extension: "1001"})
	c.Queues[0].WrapUpTime = 10 * time.Second
	r.apply(c)
	want["support/1001"] = pbxlink.QueueMember{Queue: "support", Extension: "1001", DeviceState: "UNAVAILABLE", Paused: true}
	r.expectMembers(want)

	r.committed(2)
	if err := r.asterisk.Kill9(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the loss is reported", func() error {
		if st := r.status(); st.AsteriskUp || st.Problem == "" {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.eventually("Asterisk is back", func() error {
		if st := r.status(); !st.AsteriskUp || st.Registered != 2 {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	r.expectMembers(want)
	if got := r.status().Reloads; got != 1 {
		t.Errorf("%d reloads of res_pjsip, want only the first", got)
	}
}

func TestVoicemail(t *testing.T) {
	r := newRig(t)
	c := r.center(3)
	c.Agents[1].Voicemail = &voice.Mailbox{PIN: "4711", FullName: "Rossi, Bob; Jr."}
	r.apply(c)
	alice := r.registered("1001")
	bob := r.registered("1002", func(o *phone.Options) { o.Mode = phone.RingOnly })

	call, err := alice.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	if bob.Rings() != 1 {
		t.Errorf("it rang %d times before voicemail", bob.Rings())
	}
	heard := func(call *phone.Call, packets int) {
		t.Helper()
		r.eventually("the greeting is heard", func() error {
			if _, n := call.Audio(); n < packets {
				return fmt.Errorf("%d packets", n)
			}
			return nil
		})
	}
	heard(call, 50)
	// "#" ends the greeting; what follows is the message.
	if err := call.SendDigits(r.soon(), "#"); err != nil {
		t.Fatal(err)
	}
	sent, _ := call.Audio()
	r.eventually("four seconds are spoken", func() error {
		if n, _ := call.Audio(); n < sent+200 {
			return fmt.Errorf("%d packets", n-sent)
		}
		return nil
	})
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	r.eventually("the message is there and its owner is told", func() error {
		if n := bob.MessagesWaiting(); n != 1 {
			return fmt.Errorf("%d messages waiting", n)
		}
		return fileExists(r.asterisk.SpoolDir + "/voicemail/default/1002/INBOX/msg0000.wav")
	})

	own, err := bob.Call(r.soon(), "*97")
	if err != nil {
		t.Fatal(err)
	}
	heard(own, 20)
	if err := own.SendDigits(r.soon(), "4711#"); err != nil {
		t.Fatal(err)
	}
	r.eventually("the PIN opens the mailbox and it tells of the message", func() error {
		log, err := os.ReadFile(r.asterisk.LogFile())
		if err == nil && !strings.Contains(string(log), "Playing 'vm-youhave") {
			err = errors.New("nothing was said")
		}
		return err
	})
	if err := own.Hangup(r.soon()); err != nil {
		t.Error(err)
	}
}

func TestCallPickup(t *testing.T) {
	r := newRig(t)
	c := r.center(4)
	c.PBX.RingTimeout = 15 * time.Second
	c.Agents[1].CallGroups = []int{1}
	c.Agents[2].PickupGroups = []int{1}
	r.apply(c)
	caller, colleague, stranger := r.registered("1001"), r.registered("1003"), r.registered("1004")
	away := r.registered("1002", func(o *phone.Options) { o.Mode = phone.RingOnly })

	answered := make(chan error, 1)
	go func() {
		call, err := caller.Call(r.soon(), "1002")
		if err == nil {
			err = call.Hangup(r.soon())
		}
		answered <- err
	}()
	r.eventually("it rings", func() error {
		if away.Ringing() != 1 {
			return errors.New("not yet")
		}
		return nil
	})
	if call, err := stranger.Call(r.soon(), "*8"); err == nil {
		t.Errorf("somebody outside the pickup group got the call: %v", call.Remote())
	}
	if _, err := colleague.Call(r.soon(), "*8"); err != nil {
		t.Errorf("pickup: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the caller: %v", err)
	}
}
