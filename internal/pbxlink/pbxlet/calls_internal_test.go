package pbxlet

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// message is an AMI message of "Name: value" pairs.
func message(pairs ...string) ami.Message {
	var m ami.Message
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, ami.Header{Name: pairs[i], Value: pairs[i+1]})
	}
	return m
}

func callTables() *tables {
	t := newTables(func() {}, "/spool")
	t.setAsterisk(func(a *pbxlinkv1.Asterisk) { a.Up = true })
	t.setEndpoints([]string{"1001", "desk-7"})
	t.take()
	return t
}

func begin(id, endpoint string) ami.Message {
	return message("Event", "Newchannel", "Timestamp", "1700000000.5", "Channel", "PJSIP/"+endpoint+"-0000000a",
		"ChannelState", "0", "Uniqueid", id, "Linkedid", "1.0", "ConnectedLineNum", "<unknown>")
}

func hangup(id string) ami.Message { return message("Event", "Hangup", "Uniqueid", id) }

func TestOnlyOurEndpointsHaveCalls(t *testing.T) {
	tb := callTables()
	tb.event(begin("1.1", "desk-7"))
	tb.event(begin("1.2", "trunk"))
	tb.event(message("Event", "Newchannel", "Channel", "Local/1001@x-0000;1", "Uniqueid", "1.3"))
	e := tb.take()
	if len(e.GetCalls()) != 1 || e.GetCalls()[0].GetExtension() != "desk-7" || e.GetCalls()[0].GetStartedAt().AsTime().UnixMilli() != 1700000000500 {
		t.Errorf("calls %v", e.GetCalls())
	}
}

func TestEndedCallsAreBoundedWhileTheManagerIsAway(t *testing.T) {
	tb := callTables()
	for i := range maxEnded + 50 {
		id := fmt.Sprintf("1.%d", i)
		tb.event(begin(id, "1001"))
		tb.event(hangup(id))
	}
	tb.event(begin("2.1", "1001"))
	tb.markAll() // a manager connects
	e := tb.take()
	if len(e.GetCalls()) != maxEnded+1 || !e.GetCallsComplete() {
		t.Errorf("%d calls, complete %t", len(e.GetCalls()), e.GetCallsComplete())
	}
	if tb.take() != nil || len(tb.calls.gone) != 0 || len(tb.calls.live) != 1 {
		t.Errorf("more is kept than the call that is up: %+v", tb.calls)
	}
}

func TestCallsThatEndDuringAListing(t *testing.T) {
	tb := callTables()
	tb.event(begin("1.1", "1001"))
	tb.event(begin("1.2", "1001"))
	entry := func(id string) ami.Message {
		return message("Event", "Status", "Channel", "PJSIP/1001-0000000a", "Uniqueid", id, "ChannelState", "6")
	}
	tb.listCalls()
	list := []ami.Message{entry("1.2"), entry("1.3")}
	tb.event(hangup("1.2")) // it was listed before it ended
	tb.setCalls(list)
	if len(tb.calls.live) != 1 || tb.calls.live["1.3"] == nil {
		t.Errorf("calls %v", tb.calls.live)
	}
	ended := 0
	for _, c := range tb.take().GetCalls() {
		if c.GetState() == pbxlinkv1.CallState_CALL_STATE_ENDED {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("%d ended, want the one that hung up and the one that is not listed", ended)
	}
}

func TestPoliciesOfStates(t *testing.T) {
	got := policies(map[string]pbxlink.MemberState{
		"1001": {RejectDirect: true, Paused: true}, "1002": {ForwardTo: "5"},
		"1004": {Telephone: "desk-7"}, "1003": {Telephone: "desk-7"},
	})
	want := map[string]string{"1001/dnd": "1", "1002/forward": "5", "1003/telephone": "desk-7", "desk-7/agent": "1003"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadingWhatAsteriskPrints(t *testing.T) {
	codecs := "Disclaimer: informational.\n\n      ID TYPE  NAME         FORMAT           QUALITY DESCRIPTION\n" +
		"      21 audio g729         g729                  45 (G.729A)\n      11 audio slin         slin                 115 (16 bit)\n" +
		"      12 audio slin         slin12               116 (16 bit (12kHz))\n      36 video h264         h264                   0 (H.264)\n" +
		"      44 audio none         none                   0 (<Null> codec)\n"
	if diff := cmp.Diff([]string{"g729", "slin"}, codecNames(codecs)); diff != "" {
		t.Error(diff)
	}
	matrix := "         Translation times between formats\n          Source Format (Rows) Destination Format (Columns)\n\n" +
		"            ulaw  gsm  opus\n      ulaw     - 9150     -\n       gsm  9150    -     -\n      opus     -    -     -\n"
	if diff := cmp.Diff([]string{"gsm", "ulaw"}, translatable(matrix)); diff != "" {
		t.Error(diff)
	}
	for conf, want := range map[string]string{
		"[general]\ntlsenable=yes\ntlsbindaddr=0.0.0.0:8089\n":        "0.0.0.0:8089",
		"[general]\ntlsenable = yes\ntlsbindaddr => 127.0.0.1:8089\n": "127.0.0.1:8089",
		"[general]\ntlsbindaddr=0.0.0.0:8089\n":                       "",
		"":                                                            "",
	} {
		if got := tlsBind(conf); got != want {
			t.Errorf("%q: %q, want %q", conf, got, want)
		}
	}
	for bind, want := range map[string]string{"0.0.0.0:5061": "127.0.0.1:5061", "[::]:5061": "[::1]:5061", "192.0.2.1:5061": "192.0.2.1:5061"} {
		if got := reachable(bind); got != want {
			t.Errorf("%s: %s, want %s", bind, got, want)
		}
	}
	for dialplan, want := range map[string]string{
		" same => n,MixMonitor(a/b/${RINGMASTER_AGENT}/x.wav,bi(Y))\n": "a/b",
		" same => n,NoOp()\n": "ringmaster",
		" same => n,MixMonitor(x.wav)\n same => n,NoOp(/${RINGMASTER_AGENT}/)\n": "ringmaster",
	} {
		if got := recordingDirectory(dialplan); got != want {
			t.Errorf("%q: %q, want %q", dialplan, got, want)
		}
	}
	for channel, want := range map[string]string{"PJSIP/1001-0000000a": "1001", "PJSIP/desk-7.a-0000000a": "desk-7.a", "Local/1@x-1;2": "", "PJSIP/x": ""} {
		if got := endpointOf(channel); got != want {
			t.Errorf("%s: %q, want %q", channel, got, want)
		}
	}
}
