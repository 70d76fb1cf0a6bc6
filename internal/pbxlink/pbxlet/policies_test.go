package pbxlet_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// telephone is an endpoint without a person.
func telephone(name string) voice.Endpoint {
	return voice.Endpoint{
		Key: "Telephone/" + name, Name: name, Username: name, DisplayName: "Desk " + name,
		HA1: voice.HA1(name, realm, "pw"+name),
	}
}

// astDB are the entries below the family, without it.
func (r *rig) astDB(family string) map[string]string {
	r.t.Helper()
	entries := map[string]string{}
	for line := range strings.Lines(r.rx("database show " + family)) {
		key, value, found := strings.Cut(line, ":")
		if key, ours := strings.CutPrefix(strings.TrimSpace(key), "/"+family+"/"); found && ours {
			entries[key] = strings.TrimSpace(value)
		}
	}
	return entries
}

func (r *rig) expectAstDB(want map[string]string) {
	r.t.Helper()
	r.eventually("AstDB has the policies", func() error {
		if got := r.astDB("ringmaster"); !maps.Equal(got, want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	})
}

func TestPoliciesAreInAstDB(t *testing.T) {
	r := newRig(t)
	c := queueCenter(r, "1002")
	c.Telephones = []voice.Endpoint{telephone("desk-7")}
	c.Agents[2].Telephone = "desk-7"
	c.Queues[0].Members = append(c.Queues[0].Members, voice.Member{Extension: "1003"})
	r.apply(c)
	// What others keep under the family is none of our business.
	r.rx("database put ringmaster 1001/note kept")
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{
		{Extension: "1001", Paused: true, Reason: "Lunch", RejectDirect: true, ForwardTo: "1002"},
		{Extension: "1002", ForwardTo: "+3902#1"},
		{Extension: "1003", Paused: true, Reason: "Desk", Telephone: "desk-7"},
		{Extension: "1004", Paused: true, Telephone: "desk-7"}, // the lower extension has it
	})
	want := map[string]string{
		"1001/note": "kept", "1001/dnd": "1", "1001/forward": "1002", "1002/forward": "+3902#1",
		"1003/telephone": "desk-7", "desk-7/agent": "1003",
	}
	r.expectAstDB(want)
	r.expectMembers(map[string]pbxlink.QueueMember{
		"support/desk-7": {Queue: "support", Extension: "desk-7", DeviceState: "UNAVAILABLE", Paused: true, PauseReason: "Desk"},
	})

	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{
		{Extension: "1001"}, {Extension: "1002", ForwardTo: "1003"}, {Extension: "1003", Telephone: "desk-7"},
	})
	want = map[string]string{"1001/note": "kept", "1002/forward": "1003", "1003/telephone": "desk-7", "desk-7/agent": "1003"}
	r.expectAstDB(want)
	r.expectMembers(map[string]pbxlink.QueueMember{
		"support/desk-7": {Queue: "support", Extension: "desk-7", DeviceState: "UNAVAILABLE"},
	})

	// An Asterisk that comes back without its database is given it again.
	r.rx("database del ringmaster 1002/forward")
	r.rx("database put ringmaster 1001/dnd 1")
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expectAstDB(want)

	// An agent who is forgotten leaves nothing.
	r.manager.server.SetMemberStates(pbxKey, nil)
	r.expectAstDB(map[string]string{"1001/note": "kept"})
}

func TestPoliciesOfFiveThousand(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(1))
	states := make([]pbxlink.MemberState, 5000)
	for i := range states {
		states[i] = pbxlink.MemberState{Extension: strconv.Itoa(10001 + i), RejectDirect: true, ForwardTo: "1001"}
	}
	count := func(want int) func() error {
		return func() error {
			if out := r.rx("database show ringmaster"); !contains(out, strconv.Itoa(want)+" results found") {
				return fmt.Errorf("%s", out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:])
			}
			return nil
		}
	}
	started := time.Now()
	r.manager.server.SetMemberStates(pbxKey, states)
	r.within(20*time.Second, "all are written", count(10000))
	t.Logf("10,000 entries: %s", time.Since(started))
	for i := range states {
		states[i].RejectDirect = false
	}
	started = time.Now()
	r.manager.server.SetMemberStates(pbxKey, states)
	r.within(20*time.Second, "half of them is gone", count(5000))
	t.Logf("5,000 removed: %s", time.Since(started))
	started = time.Now()
	states[0].ForwardTo = "1002"
	r.manager.server.SetMemberStates(pbxKey, states)
	r.eventually("one is changed", func() error {
		if out := r.rx("database get ringmaster 10001/forward"); !contains(out, "Value: 1002") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	t.Logf("one changed: %s", time.Since(started))
}
