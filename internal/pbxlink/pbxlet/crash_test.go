package pbxlet_test

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"

	_ "modernc.org/sqlite" // reads AstDB
)

// TestCrashInTheMiddleOfCalls kills Asterisk while phones talk. What agents had
// chosen is there again as soon as it is.
func TestCrashInTheMiddleOfCalls(t *testing.T) {
	const agents, talking = 60, 10 // pairs
	r := newRig(t)
	c := r.center(agents)
	c.Telephones = []voice.Endpoint{telephone("desk-7")}
	c.Agents[agents-1].Telephone = "desk-7"
	q := voice.Queue{Key: "Queue/support", Name: "support", Number: "600"}
	states := make([]pbxlink.MemberState, agents)
	want := map[string]pbxlink.QueueMember{}
	for i, e := range c.Agents {
		q.Members = append(q.Members, voice.Member{Extension: e.Extension})
		states[i] = pbxlink.MemberState{
			Extension: e.Extension, Paused: i%2 == 0, Reason: "Reason " + strconv.Itoa(i),
			RejectDirect: i > 2*talking && i%2 == 0, ForwardTo: map[bool]string{true: "1001"}[i > 2*talking && i%3 == 0],
		}
		m := pbxlink.QueueMember{Queue: "support", Extension: e.Extension, DeviceState: "NOT_INUSE", Paused: states[i].Paused}
		if m.Paused {
			m.PauseReason = states[i].Reason
		}
		want["support/"+e.Extension] = m
	}
	states[agents-1].Telephone = "desk-7"
	delete(want, "support/"+c.Agents[agents-1].Extension)
	want["support/desk-7"] = pbxlink.QueueMember{Queue: "support", Extension: "desk-7", DeviceState: "UNAVAILABLE"}
	c.Queues = []voice.Queue{q}
	r.apply(c)
	phones := make([]*phone.Phone, agents)
	var wg sync.WaitGroup
	for i, e := range c.Agents {
		phones[i] = r.registered(e.Extension)
	}
	r.manager.server.SetMemberStates(pbxKey, states)
	r.expectMembers(want)
	policies := r.astDB("ringmaster")
	if len(policies) < agents/2 || policies["desk-7/agent"] != c.Agents[agents-1].Extension {
		t.Fatalf("policies %v", policies)
	}
	for i := range talking {
		wg.Go(func() {
			if _, err := phones[i].Call(r.soon(), c.Agents[talking+i].Extension); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	r.eventually("all calls are known", func() error {
		if calls := r.manager.server.Calls(pbxKey); len(calls) != 2*talking {
			return fmt.Errorf("%d calls", len(calls))
		}
		return nil
	})

	r.committed(agents)
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
	back := time.Now()
	r.within(10*time.Second, "everything is as before", func() error {
		if st := r.status(); !st.AsteriskUp || st.Problem != "" || st.Registered != agents {
			return fmt.Errorf("status %+v", brief(st))
		}
		if calls := r.manager.server.Calls(pbxKey); len(calls) != 0 {
			return fmt.Errorf("%d calls are left", len(calls))
		}
		for key, m := range want {
			if got := r.manager.events.member(key); got != m {
				return fmt.Errorf("got %+v, want %+v", got, m)
			}
		}
		return nil
	})
	t.Logf("as before %s after Asterisk answers", time.Since(back))
	if got := r.astDB("ringmaster"); !maps.Equal(got, policies) {
		t.Errorf("policies %v, before %v", got, policies)
	}
	if got := r.status().Reloads; got != 1 {
		t.Errorf("%d reloads of res_pjsip, want only the first", got)
	}
}

// committed waits until Asterisk has so many registrations on disk: it commits
// AstDB about once a second, and a crash loses what came after.
func (r *rig) committed(registrations int) {
	r.t.Helper()
	file := filepath.Join(filepath.Dir(r.asterisk.ConfigDir), "lib", "astdb.sqlite3")
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	r.eventually("AstDB is on disk", func() error {
		n := 0
		if err := db.QueryRowContext(r.t.Context(), "SELECT count(*) FROM astdb WHERE key LIKE '/registrar/contact/%'").Scan(&n); err != nil {
			return err
		}
		if n != registrations {
			return fmt.Errorf("%d registrations", n)
		}
		return nil
	})
}
