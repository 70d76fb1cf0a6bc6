package pbxlet_test

import (
	"strings"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
)

// TestHostilePauseReasons: what one agent gives as a reason keeps nobody from
// being paused.
func TestHostilePauseReasons(t *testing.T) {
	r := newRig(t)
	r.apply(queueCenter(r, "1001", "1002", "1003"))
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{
		{Extension: "1001"}, {Extension: "1002"}, {Extension: "1003"},
	})
	ready := func(extension string) pbxlink.QueueMember {
		return pbxlink.QueueMember{Queue: "support", Extension: extension, DeviceState: "UNAVAILABLE"}
	}
	r.expectMembers(map[string]pbxlink.QueueMember{"support/1001": ready("1001"), "support/1002": ready("1002"), "support/1003": ready("1003")})

	want := map[string]pbxlink.QueueMember{}
	var states []pbxlink.MemberState
	for extension, reason := range map[string][2]string{
		"1001": {"a\r\nAction: Command", "a  Action: Command"},
		"1002": {strings.Repeat("\U0001F600", 80), strings.Repeat("\U0001F600", 19)},
		"1003": {"${SHELL(id)}, | ; [x]", "${SHELL(id)}, | ; [x]"},
	} {
		states = append(states, pbxlink.MemberState{Extension: extension, Paused: true, Reason: reason[0]})
		m := ready(extension)
		m.Paused, m.PauseReason = true, reason[1]
		want["support/"+extension] = m
	}
	r.manager.server.SetMemberStates(pbxKey, states)
	r.expectMembers(want)
}
