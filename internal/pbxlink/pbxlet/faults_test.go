package pbxlet_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func fileExists(path string) error {
	_, err := os.Stat(path)
	return err
}

func TestDeletedAgentIsGone(t *testing.T) {
	r := newRig(t)
	c := r.center(3)
	r.apply(c)
	caller, leaver := r.registered("1001"), r.registered("1003")
	talk(r, caller, "1003", leaver)

	c.Agents = c.Agents[:2]
	r.apply(c)
	if code, err := leaver.RegisterStatus(r.soon()); err != nil || code != 401 {
		t.Errorf("registering: %d, %v, want 401", code, err)
	}
	r.refused(caller, "1003", 404)
	r.refused(leaver, "1001", 401)
	r.eventually("the contact is gone", func() error {
		if out := r.rx("database show registrar"); contains(out, "1003") {
			return fmt.Errorf("%s", out)
		}
		if got := r.manager.events.contactsOf("1003"); len(got) != 0 {
			return fmt.Errorf("contacts %v", got)
		}
		return nil
	})

	// The extension's next owner must not inherit the phone.
	c.Agents = append(c.Agents, agent("1003"))
	r.apply(c)
	rings := leaver.Rings()
	r.refused(caller, "1003", 480)
	if leaver.Rings() != rings {
		t.Error("the phone of the former owner rang")
	}
	talkAgain := r.registered("1003")
	talk(r, caller, "1003", talkAgain)
}

// Asterisk reports neither the contact that goes with its AOR nor the same contact when both are back.
func TestSamePhoneComesBack(t *testing.T) {
	r := newRig(t)
	two := r.center(2)
	r.apply(two)
	p := r.registered(two.Agents[1].Extension)
	known := func(want int) func() error {
		return func() error {
			if n := len(r.manager.server.Contacts(pbxKey)[two.Agents[1].Extension]); n != want {
				return fmt.Errorf("%d contacts are known, want %d", n, want)
			}
			return nil
		}
	}
	r.eventually("registered", known(1))
	one := r.center(2)
	one.Agents = one.Agents[:1]
	r.apply(one, pbxlink.SnapshotOptions{AllowShrink: true})
	r.eventually("gone with the agent", known(0))
	r.apply(two)
	if err := p.Register(r.soon()); err != nil {
		t.Fatal(err)
	}
	r.eventually("registered again", known(1))
}

func TestDropContacts(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(2))
	r.registered("1001")
	r.eventually("it is registered", func() error {
		if n := r.status().Registered; n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	r.manager.server.DropContacts(pbxKey, "1001")
	// Asterisk looks for expired contacts every 30 s until it has loaded our
	// interval of 10 s, which it notes only after its first look.
	r.within(45*time.Second, "it is unregistered and known to be unreachable", func() error {
		r.manager.events.mu.Lock()
		defer r.manager.events.mu.Unlock()
		if len(r.manager.events.contacts["1001"]) != 0 || r.manager.events.devices["1001"] != "UNAVAILABLE" {
			return fmt.Errorf("%v, %v", r.manager.events.contacts, r.manager.events.devices)
		}
		return nil
	})
}

// broken is the snapshot with a line that Asterisk refuses for one endpoint.
func broken(t *testing.T, c voice.Center) voice.Snapshot {
	t.Helper()
	s, err := voice.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range s.Files {
		if f.Path == voice.PJSIPEndpointFile {
			content := bytes.Replace(f.Content, []byte("\nauth="), []byte("\nno_such_option=1\nauth="), 1)
			s.Files[i] = voice.NewFile(f.Path, content)
		}
	}
	s.Version = strings.Repeat("e", 64)
	return s
}

func TestRefusedSnapshotLeavesTheLastGoodOne(t *testing.T) {
	r := newRig(t)
	c := r.center(2)
	good := r.apply(c)
	alice := r.registered("1001")

	c.Agents = append(c.Agents, agent("1003"))
	c.Agents[0].CallerID.Name = "Somebody else"
	bad := broken(t, c)
	r.manager.server.SetSnapshot(pbxKey, bad, pbxlink.SnapshotOptions{})
	r.eventually("it is rejected", func() error {
		st := r.status()
		if st.LastRejection == nil || st.LastRejection.Version != bad.Version {
			return fmt.Errorf("status %+v", brief(st))
		}
		if !contains(st.LastRejection.Reason, "refused 1 of 3 endpoints: 1001") {
			return fmt.Errorf("reason %q", st.LastRejection.Reason)
		}
		if st.AppliedVersion != good.Version {
			return fmt.Errorf("applied %s", st.AppliedVersion)
		}
		return nil
	})
	if err := alice.Register(r.soon()); err != nil {
		t.Errorf("after the rejection: %v", err)
	}
	if code, err := r.phone("1003").RegisterStatus(r.soon()); err != nil || code != 401 {
		t.Errorf("an agent of the rejected snapshot: %d, %v, want 401", code, err)
	}

	s := r.apply(c)
	if st := r.status(); st.LastRejection != nil || st.AppliedObjects["Agent/user.1003"] != s.Objects["Agent/user.1003"] {
		t.Errorf("after a good snapshot: %+v", st)
	}
	r.registered("1003")
}

func TestEmptyAndShrinkingSnapshotsAreRefused(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(30))
	rejected := func(s voice.Snapshot, reason string) {
		t.Helper()
		r.manager.server.SetSnapshot(pbxKey, s, pbxlink.SnapshotOptions{})
		r.eventually("it is rejected", func() error {
			rej := r.status().LastRejection
			if rej == nil || rej.Version != s.Version || !contains(rej.Reason, reason) {
				return fmt.Errorf("rejection %+v", rej)
			}
			return nil
		})
	}
	few, err := voice.Render(r.center(14))
	if err != nil {
		t.Fatal(err)
	}
	rejected(few, "would remove 16 of 30 endpoints")

	truncated := few
	truncated.Files = append([]voice.File(nil), few.Files...)
	pjsip := &truncated.Files[fileIndex(t, few, voice.PJSIPEndpointFile)]
	pjsip.Content = pjsip.Content[:100]
	truncated.Version = strings.Repeat("a", 64)
	truncated.Expect.Endpoints = nil
	for i := range 30 {
		truncated.Expect.Endpoints = append(truncated.Expect.Endpoints, voice.ExpectEndpoint{Name: fmt.Sprint(1001 + i)})
	}
	rejected(truncated, "does not have the hash")

	lacking := few
	without := fileIndex(t, few, voice.VoicemailFile)
	lacking.Files = slices.Delete(slices.Clone(few.Files), without, without+1)
	lacking.Version = strings.Repeat("b", 64)
	rejected(lacking, "voicemail.conf is missing")

	if out := r.rx("pjsip show endpoints"); !contains(out, "Objects found: 30") {
		t.Errorf("endpoints were lost:\n%s", out)
	}
	r.apply(r.center(14), pbxlink.SnapshotOptions{AllowShrink: true})
	if st := r.status(); st.Endpoints != 14 {
		t.Errorf("status %+v", brief(st))
	}
}

// fileIndex is where the snapshot has a file.
func fileIndex(t *testing.T, s voice.Snapshot, path string) int {
	t.Helper()
	i := slices.IndexFunc(s.Files, func(f voice.File) bool { return f.Path == path })
	if i < 0 {
		t.Fatalf("the snapshot has no %s", path)
	}
	return i
}

func TestManagerAwayAsteriskRestarts(t *testing.T) {
	r := newRig(t)
	c := queueCenter(r, "1002")
	s := r.apply(c)
	caller, member := r.registered("1001"), r.registered("1002")
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{{Extension: "1002"}})
	r.expectMembers(map[string]pbxlink.QueueMember{"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE"}})

	addr := r.manager.addr
	r.stopManager()
	talk(r, caller, "1002", member)
	if err := r.asterisk.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := member.Register(r.soon()); err != nil {
		t.Fatal(err)
	}
	// The pbxlet restores who is ready without the manager.
	r.eventually("the member is ready again", func() error {
		if out := r.rx("queue show support"); contains(out, "paused") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	talk(r, caller, "600", member)

	// A change made in between arrives, and nothing is reloaded needlessly.
	r.startManager(addr)
	c.Agents = append(c.Agents, agent("1004"))
	r.manager.server.SetMemberStates(pbxKey, []pbxlink.MemberState{{Extension: "1002", Paused: true, Reason: "End"}})
	s2 := r.apply(c)
	if s2.Version == s.Version {
		t.Fatal("the change changes nothing")
	}
	r.registered("1004")
	r.expectMembers(map[string]pbxlink.QueueMember{
		"support/1002": {Queue: "support", Extension: "1002", DeviceState: "NOT_INUSE", Paused: true, PauseReason: "End"},
	})
	r.eventually("who registered in between and who came later are known", func() error {
		contacts := r.manager.server.Contacts(pbxKey)
		if len(contacts["1002"]) != 1 || len(contacts["1004"]) != 1 {
			return fmt.Errorf("contacts %v", contacts)
		}
		return nil
	})
}

func TestPbxletRestartReloadsNothing(t *testing.T) {
	r := newRig(t)
	s := r.apply(r.center(3))
	r.pbxlet.stop(t)
	before := r.rx("core show uptime")
	r.eventually("the manager notices", func() error {
		if r.status().Connected {
			return fmt.Errorf("connected")
		}
		return nil
	})
	r.startPbxlet()
	r.eventually("it is adopted", func() error {
		st := r.status()
		if !st.Connected || !st.AsteriskUp || st.AppliedVersion != s.Version || len(st.AppliedObjects) != 3 {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	if got := r.status().Reloads; got != 0 {
		t.Errorf("%d reloads; uptime before: %s", got, before)
	}
	if err := r.phone("1001").Register(r.soon()); err != nil {
		t.Error(err)
	}
}

func TestTransportChangeNeedsRestart(t *testing.T) {
	r := newRig(t)
	c := r.center(1)
	r.apply(c)
	port := c.PBX.TCPPort
	c.PBX.TCPPort = port + 1
	r.apply(c)
	if got := r.status().RestartRequired; len(got) != 1 || got[0] != "transport-tcp" {
		t.Errorf("restart required for %v, want transport-tcp", got)
	}
	r.registered("1001")
	c.PBX.TCPPort = port
	r.apply(c)
	if got := r.status().RestartRequired; len(got) != 0 {
		t.Errorf("restart required for %v, want none", got)
	}
}

func TestSecondPbxletReplacesTheFirst(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(1))
	second := newRigOn(t, r)
	r.eventually("the second takes over", func() error {
		if st := r.status(); !st.Connected || st.Endpoints != 1 {
			return fmt.Errorf("status %+v", brief(st))
		}
		if err := fileExists(second.asterisk.StateDir + "/current/pjsip.conf"); err != nil {
			return err
		}
		return nil
	})
}

func TestPbxletLeavesNothingBehind(t *testing.T) {
	a := env.Asterisk(t)
	before := goleak.IgnoreCurrent()
	cfg := pbxlet.Config{
		Dir: t.TempDir(), StateDir: a.StateDir, Logger: logger(t),
		AMIAddr: a.AMIAddr, AMIUser: a.AMIUser, AMISecret: a.AMISecret,
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- pbxlet.Run(ctx, cfg) }()
	deadline := time.Now().Add(10 * time.Second)
	for fileExists(a.StateDir+"/lock") != nil {
		if time.Now().After(deadline) {
			t.Fatal("the pbxlet does not start")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := pbxlet.Run(ctx, cfg); err == nil || !contains(err.Error(), "another pbxlet") {
		t.Errorf("a second pbxlet in the same directory: %v", err)
	}
	cancel()
	if err := <-first; err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

// TestHostileNames proves on the real thing what the renderer's fuzz tests
// prove on a model of it: no name changes another object or itself.
func TestHostileNames(t *testing.T) {
	r := newRig(t)
	names := []string{
		"Rossi, Alice", `a "quoted" name`, `back\slash\`, "semi;colon", ";-- comment --;", "(((", "]]]", "[x](!)", "#include x",
		"=> x", "${SHELL(id)}", "$[1+1]", "<1234>", "Ünïcødé 漢字", "' OR 1=1", "tab-free | pipe & amp", "%s%n", "!all",
	}
	c := r.center(len(names) + 1)
	q := voice.Queue{Key: "Queue/q", Name: "q"}
	for i, name := range names {
		e := &c.Agents[i]
		e.DisplayName, e.Transport = name, voice.UDP
		e.Voicemail = &voice.Mailbox{PIN: "4711"}
		q.Members = append(q.Members, voice.Member{Extension: e.Extension, Name: name})
	}
	c.Queues = []voice.Queue{q}
	r.apply(c)
	queue, boxes := r.rx("queue show q"), r.rx("voicemail show users")
	for i, name := range names {
		e := c.Agents[i]
		if !contains(queue, name+" (PJSIP/"+e.Extension+")") {
			t.Errorf("queue member %q is not in\n%s", name, queue)
		}
		// The list has 24 columns for the name.
		if owner := strings.ReplaceAll(name, ",", ""); len(owner) <= 24 && !contains(boxes, owner) {
			t.Errorf("mailbox owner %q is not in\n%s", name, boxes)
		}
		want := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
		if out := r.rx("pjsip show endpoint " + e.Extension); !contains(out, `: "`+want+`" <`+e.Extension+">") {
			t.Errorf("caller ID %q is not in\n%s", want, out)
		}
	}
	talk(r, r.registered("1001"), "1002", r.registered("1002"))
}

func TestWebSocketEndpoint(t *testing.T) {
	r := newRig(t)
	c := r.center(1)
	c.PBX.WSSPort = 8089
	c.Agents[0].Transport = voice.WSS
	r.apply(c)
	if got := r.status().RestartRequired; len(got) != 0 {
		t.Errorf("restart required for %v", got)
	}
	conn, _, _, err := ws.Dialer{Protocols: []string{"sip"}, TLSConfig: r.asterisk.CA.ClientTLS()}.Dial(r.soon(), r.asterisk.WSSURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	register := strings.Join([]string{
		"REGISTER sip:pbx.invalid SIP/2.0", "Via: SIP/2.0/WSS client.invalid;branch=z9hG4bK1", "Max-Forwards: 70",
		"From: <sip:1001@pbx.invalid>;tag=1", "To: <sip:1001@pbx.invalid>", "Call-ID: 1", "CSeq: 1 REGISTER",
		"Contact: <sip:x@client.invalid;transport=ws>", "Content-Length: 0", "", "",
	}, "\r\n")
	if err := wsutil.WriteClientText(conn, []byte(register)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := wsutil.ReadServerText(conn)
	if err != nil || !contains(string(answer), "SIP/2.0 401") || !contains(string(answer), `realm="ringmaster"`) {
		t.Errorf("got %q, %v", answer, err)
	}
	if out := r.rx("pjsip show endpoint 1001"); !contains(out, "webrtc                             : yes") {
		t.Errorf("not a WebRTC endpoint:\n%s", out)
	}
}

func TestThousandChangesAtOnce(t *testing.T) {
	r := newRig(t)
	c := r.center(1000)
	r.apply(c)
	before := r.status().Reloads
	var snapshots []voice.Snapshot
	for i := range c.Agents {
		c.Agents[i].HA1 = voice.HA1(c.Agents[i].Username, realm, "changed")
		if i%25 == 24 { // 40 snapshots, as a controller that coalesces would make
			s, err := voice.Render(c)
			if err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, s)
		}
	}
	started := time.Now()
	for _, s := range snapshots {
		r.manager.server.SetSnapshot(pbxKey, s, pbxlink.SnapshotOptions{})
	}
	last := snapshots[len(snapshots)-1]
	r.eventually("the last is applied", func() error {
		if st := r.status(); st.AppliedVersion != last.Version {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
	reloads := r.status().Reloads - before
	t.Logf("1,000 changes: %d reloads, %s, last took %s", reloads, time.Since(started), r.status().ApplyTook)
	if reloads > 3 {
		t.Errorf("%d reloads, want at most 3", reloads)
	}
}

func TestFiveThousandAgents(t *testing.T) {
	r := newRig(t)
	c := r.center(5000)
	for i := range c.Agents {
		if i%10 == 0 {
			c.Agents[i].Voicemail = &voice.Mailbox{PIN: "4711"}
		}
	}
	q := voice.Queue{Key: "Queue/all", Name: "all", Number: "600"}
	for _, e := range c.Agents[:200] {
		q.Members = append(q.Members, voice.Member{Extension: e.Extension, Name: e.DisplayName})
	}
	c.Queues = []voice.Queue{q}
	started := time.Now()
	r.apply(c)
	t.Logf("5,000 agents: first %s, of which the pbxlet %s", time.Since(started), r.status().ApplyTook)

	for i := range 3 {
		started = time.Now()
		e := &c.Agents[4000+i]
		e.HA1 = voice.HA1(e.Username, realm, "changed")
		r.set(c)
		p := r.phone(e.Extension, func(o *phone.Options) { o.Password = "changed" })
		r.eventually("the new password works", func() error {
			code, err := p.RegisterStatus(r.soon())
			if err == nil && code != 200 {
				err = fmt.Errorf("SIP %d", code)
			}
			return err
		})
		t.Logf("one change at 5,000: usable after %s", time.Since(started))
		r.eventually("it is acknowledged", func() error {
			if st := r.status(); st.AppliedVersion != st.WantedVersion {
				return fmt.Errorf("status %+v", brief(st))
			}
			return nil
		})
		t.Logf("one change at 5,000: acknowledged after %s, of which the pbxlet %s", time.Since(started), r.status().ApplyTook)
	}
}
