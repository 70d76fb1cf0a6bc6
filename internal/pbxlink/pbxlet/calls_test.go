package pbxlet_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// reportsOf are all reports about an endpoint's calls, in order.
func (o *recorder) reportsOf(extension string) []pbxlink.Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.calls), func(c pbxlink.Call) bool { return c.Extension != extension })
}

// lastCall is the last report about an endpoint's calls.
func (o *recorder) lastCall(extension string) pbxlink.Call {
	all := o.reportsOf(extension)
	if len(all) == 0 {
		return pbxlink.Call{}
	}
	return all[len(all)-1]
}

// expectCall waits until the last report of an endpoint satisfies the check.
func (r *rig) expectCall(extension, what string, check func(pbxlink.Call) bool) pbxlink.Call {
	r.t.Helper()
	var last pbxlink.Call
	r.eventually("the call of "+extension+" is "+what, func() error {
		if last = r.manager.events.lastCall(extension); !check(last) {
			return fmt.Errorf("it is %+v", last)
		}
		return nil
	})
	return last
}

func isUp(c pbxlink.Call) bool    { return c.State == pbxlink.CallUp }
func isEnded(c pbxlink.Call) bool { return c.State == pbxlink.CallEnded }

func TestCallsAreReported(t *testing.T) {
	r := newRig(t)
	c := r.center(3)
	c.Agents[0].CallerID.Name = "Alice"
	r.apply(c)
	alice := r.registered("1001")
	r.registered("1002", func(o *phone.Options) { o.AnswerAfter = 300 * time.Millisecond })
	call, err := alice.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	out := r.expectCall("1001", "up", isUp)
	in := r.expectCall("1002", "up", isUp)
	if out.Direction != pbxlink.Outbound || out.Number != "1002" || in.Direction != pbxlink.Inbound || in.Number != "1001" || in.Name != "Alice" {
		t.Errorf("got %+v and %+v", out, in)
	}
	if out.LinkedID != in.LinkedID || in.StartedAt.IsZero() || !in.AnsweredAt.After(in.StartedAt) || !in.EndedAt.IsZero() || in.Recording != pbxlink.RecordingOff {
		t.Errorf("got %+v and %+v", out, in)
	}
	if first := r.manager.events.reportsOf("1002")[0]; first.State != pbxlink.CallRinging {
		t.Errorf("first %+v, want it ringing", first)
	}

	// A pbxlet that comes back knows the call, and the manager remembers when it
	// was answered.
	r.pbxlet.stop(t)
	r.startPbxlet()
	r.eventually("the pbxlet is back", func() error {
		if st := r.status(); !st.Connected || !st.AsteriskUp {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	r.eventually("both legs are known", func() error {
		calls := r.manager.server.Calls(pbxKey)
		if len(calls) != 2 {
			return fmt.Errorf("%+v", calls)
		}
		for _, now := range calls {
			before := in
			if now.ID == out.ID {
				before = out
			}
			if now.Direction != before.Direction || now.Number != before.Number || !now.AnsweredAt.Equal(before.AnsweredAt) {
				return fmt.Errorf("%+v, before %+v", now, before)
			}
		}
		return nil
	})

	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	for _, extension := range []string{"1001", "1002"} {
		if last := r.expectCall(extension, "over", isEnded); last.EndedAt.IsZero() {
			t.Errorf("%+v has no end", last)
		}
		ended := slices.DeleteFunc(r.manager.events.reportsOf(extension), func(c pbxlink.Call) bool { return !isEnded(c) })
		if len(ended) != 1 {
			t.Errorf("the end of the call of %s was told %d times", extension, len(ended))
		}
	}
	if calls := r.manager.server.Calls(pbxKey); len(calls) != 0 {
		t.Errorf("calls %+v are left", calls)
	}
}

func TestQueueCallsAndFigures(t *testing.T) {
	r := newRig(t)
	c := queueCenter(r, "1002")
	c.Queues[0].ServiceLevel = 20 * time.Second
	r.apply(c)
	caller := r.registered("1001")
	member := r.registered("1002")
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{{Extension: "1002"}})
	r.expectMembers(map[string]pbxlink.QueueMember{"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE"}})
	call, err := caller.Call(r.soon(), "600")
	if err != nil {
		t.Fatal(err)
	}
	leg := r.expectCall("1002", "up", isUp)
	if leg.Queue != "support" || leg.Number != "1001" {
		t.Errorf("got %+v", leg)
	}
	r.eventually("some audio", func() error {
		if _, n := call.Audio(); n < 60 {
			return fmt.Errorf("%d packets", n)
		}
		return nil
	})
	r.pbxlet.stop(t)
	r.startPbxlet()
	r.eventually("the queue of the call is known after a restart of the pbxlet", func() error {
		for _, c := range r.manager.server.Calls(pbxKey) {
			if c.ID == leg.ID && c.Queue == "support" && r.status().AsteriskUp {
				return nil
			}
		}
		return fmt.Errorf("%+v", r.manager.server.Calls(pbxKey))
	})
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	r.expectCall("1002", "over", isEnded)

	// The second caller gives up.
	member.SetMode(phone.RingOnly)
	waiting, err := caller.Call(r.soon(), "600")
	if err != nil {
		t.Fatal(err)
	}
	r.expectFigures("one waits", func(f pbxlink.QueueFigures) bool { return f.Waiting == 1 })
	if err := waiting.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	f := r.expectFigures("one was answered and one gave up", func(f pbxlink.QueueFigures) bool {
		return f.Waiting == 0 && f.Completed == 1 && f.Abandoned == 1
	})
	if f.ServiceLevel != 20*time.Second || f.ServiceLevelPerformance != 100 || f.TalkTime == 0 {
		t.Errorf("figures %+v", f)
	}
}

func (r *rig) expectFigures(what string, check func(pbxlink.QueueFigures) bool) (f pbxlink.QueueFigures) {
	r.t.Helper()
	r.eventually(what, func() error {
		r.manager.events.mu.Lock()
		defer r.manager.events.mu.Unlock()
		if f = r.manager.events.figures["support"]; !check(f) {
			return fmt.Errorf("figures %+v", f)
		}
		return nil
	})
	return f
}

func TestCallsOfADeadAsteriskEnd(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(2))
	alice := r.registered("1001")
	r.registered("1002")
	if _, err := alice.Call(r.soon(), "1002"); err != nil {
		t.Fatal(err)
	}
	r.expectCall("1002", "up", isUp)
	if err := r.asterisk.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expectCall("1001", "over", isEnded)
	r.expectCall("1002", "over", isEnded)
}

func TestRecordings(t *testing.T) {
	r := newRig(t)
	c := r.center(4)
	c.Agents[1].ManualRecording = true
	c.PBX.RecordingDirectory = "center/recordings"
	c.Agents[2].Recording = voice.Wav49
	r.apply(c)
	caller := r.registered("1001")
	r.registered("1002")
	r.registered("1003")
	r.registered("1004")
	server := r.manager.server
	do := func(id string, verb pbxlink.RecordVerb, want error) {
		t.Helper()
		if err := server.RecordCall(r.soon(), pbxKey, id, verb); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", verb, err, want)
		}
	}
	speak := func(call *phone.Call) {
		t.Helper()
		sent, _ := call.Audio()
		r.eventually("half a second is spoken", func() error {
			if n, _ := call.Audio(); n < sent+25 {
				return fmt.Errorf("%d packets", n-sent)
			}
			return nil
		})
	}
	recording := func(state pbxlink.RecordingState, files int) func(pbxlink.Call) bool {
		return func(c pbxlink.Call) bool { return c.Recording == state && len(c.Recordings) == files }
	}

	// By hand.
	call, err := caller.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	leg := r.expectCall("1002", "up", isUp)
	do(leg.ID, pbxlink.RecordPause, pbxlink.ErrNotRecording)
	do(leg.ID, pbxlink.RecordRestart, pbxlink.ErrNotRecording)
	do(leg.ID, pbxlink.RecordStart, nil)
	do(leg.ID, pbxlink.RecordStart, nil) // it is recorded already
	r.expectCall("1002", "recorded", recording(pbxlink.RecordingOn, 1))
	speak(call)
	do(leg.ID, pbxlink.RecordPause, nil)
	r.expectCall("1002", "paused", recording(pbxlink.RecordingPaused, 1))
	r.pbxlet.stop(t)
	r.startPbxlet()
	r.eventually("a restarted pbxlet knows that it is paused", func() error {
		calls := server.Calls(pbxKey)
		i := slices.IndexFunc(calls, func(c pbxlink.Call) bool { return c.ID == leg.ID })
		if i < 0 || !r.status().AsteriskUp || !recording(pbxlink.RecordingPaused, 1)(calls[i]) {
			return fmt.Errorf("%+v", calls)
		}
		return nil
	})
	do(leg.ID, pbxlink.RecordResume, nil)
	r.expectCall("1002", "resumed", recording(pbxlink.RecordingOn, 1))
	do(leg.ID, pbxlink.RecordRestart, nil)
	r.expectCall("1002", "recorded into its second file", recording(pbxlink.RecordingOn, 2))
	speak(call)
	do(leg.ID, pbxlink.RecordRestart, pbxlink.ErrRecordingLimit)
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	over := r.expectCall("1002", "over", isEnded)
	do(leg.ID, pbxlink.RecordStart, pbxlink.ErrCallEnded)
	r.recorded(over, `^center/recordings/1002/\d{8}-\d{6}-[a-z0-9-]+\.\d+-%d\.wav$`, 2)

	// By itself, in the agent's format.
	call, err = caller.Call(r.soon(), "1003")
	if err != nil {
		t.Fatal(err)
	}
	leg = r.expectCall("1003", "recorded", recording(pbxlink.RecordingOn, 1))
	speak(call)
	do(leg.ID, pbxlink.RecordRestart, nil)
	speak(call)
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	r.recorded(r.expectCall("1003", "over", isEnded), `^center/recordings/1003/\d{8}-\d{6}-[a-z0-9-]+\.\d+-%d\.WAV$`, 2)

	// Not at all.
	call, err = caller.Call(r.soon(), "1004")
	if err != nil {
		t.Fatal(err)
	}
	do(r.expectCall("1004", "up", isUp).ID, pbxlink.RecordStart, pbxlink.ErrNotAllowed)
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
}

// recorded asserts that a call's files have their names and hold something; %d
// is the number of the file.
func (r *rig) recorded(c pbxlink.Call, pattern string, n int) {
	r.t.Helper()
	if len(c.Recordings) != n {
		r.t.Fatalf("files %v, want %d", c.Recordings, n)
	}
	for i, name := range c.Recordings {
		if want := strings.ReplaceAll(pattern, "%d", fmt.Sprint(i+1)); !regexp.MustCompile(want).MatchString(name) {
			r.t.Errorf("the file is named %s", name)
		}
		r.eventually("the file is written", func() error {
			info, err := os.Stat(filepath.Join(r.asterisk.SpoolDir, "monitor", name))
			if err == nil && info.Size() < 400 {
				err = fmt.Errorf("%s has %d bytes", name, info.Size())
			}
			return err
		})
	}
}
