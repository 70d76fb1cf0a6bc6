package desk_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// supervised is a center in which alice works and bob, in no queue, may be over her. Both interactions were accepted by alice, the first is closed.
func supervised(t *testing.T) (f *fixture, alice, bob, closed, open string) {
	f = newFixture(t)
	f.ok(f.store.PutQueue(t.Context(), store.Queue{
		Key: queueKey, DisplayName: "Mail", Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
		Members: []store.QueueMember{{Agent: "alice"}},
	}))
	account, err := f.store.GetAccount(t.Context(), accountKey)
	f.ok(err)
	account.Routing = routing.Rules{TransferToAgent: time.Minute}
	f.ok(f.store.PutAccount(t.Context(), account))
	alice, bob = f.login("alice"), f.login("bob")
	closed, open = f.receive("First"), f.receive("Second")
	f.route()
	f.want(200, "", alice, "POST", "/v1/interactions/"+closed+"/accept", nil)
	f.want(200, "", alice, "POST", "/v1/interactions/"+open+"/accept", nil)
	f.want(200, "", alice, "POST", "/v1/interactions/"+closed+"/close", nil)
	return f, alice, bob, closed, open
}

func (f *fixture) role(name, role string) {
	f.Helper()
	p := allowed()
	p.Role = role
	f.permit(name, p)
}

// A supervisor sees what is, or was last, with a member of the team, whoever the account is assigned to.
func TestSupervisorSees(t *testing.T) {
	f, _, bob, closed, open := supervised(t)
	f.assign("alice")
	const ofAccount = "/v1/emailaccounts/info/interactions"
	sees := func(want bool, waiting ...string) {
		t.Helper()
		status, code, list := 404, desk.CodeNotFound, []string{}
		if want {
			status, code, list = 200, "", []string{open, closed}
		}
		for _, id := range []string{closed, open} {
			f.want(status, code, bob, "GET", "/v1/interactions/"+id, nil)
		}
		if d := cmp.Diff(append(append([]string{}, waiting...), list...), f.ids(bob, "/v1/interactions")); d != "" {
			t.Errorf("list (-want +got):\n%s", d)
		}
		if n := len(f.exported(bob, "")); n != len(list)+len(waiting) {
			t.Errorf("%d rows in the file", n)
		}
		if d := cmp.Diff([]string{}, f.ids(bob, "/v1/interactions?mine=true")); d != "" {
			t.Errorf("what is with nobody but alice (-want +got):\n%s", d)
		}
		if a := f.want(200, "", bob, "GET", "/v1/me", nil); a.at("capabilities", "supervise") != want {
			t.Errorf("profile: %v", a.at("capabilities"))
		}
		if want {
			f.ids(bob, ofAccount)
		} else {
			f.want(404, desk.CodeNotFound, bob, "GET", ofAccount, nil)
		}
	}
	sees(false)
	f.ok(f.store.SetSupervisors(t.Context(), agentKey("alice"), []string{"bob"}))
	sees(true)
	// What is with nobody has no supervisor.
	f.ok(f.store.SetPresence(t.Context(), store.Presence{Agent: agentKey("alice")}))
	waiting := f.receive("Third")
	sees(true)
	f.role("bob", "Admin")
	sees(true, waiting)
	f.want(200, "", bob, "GET", "/v1/interactions/"+waiting, nil)
	f.role("bob", "Agent")
	f.ok(f.store.SetSupervisors(t.Context(), agentKey("alice"), nil))
	sees(false)
	f.assign("alice", "bob") // and each once when he sees them for two reasons
	f.ok(f.store.SetSupervisors(t.Context(), agentKey("alice"), []string{"bob"}))
	sees(true, waiting)
}

// Who is over an agent moves that agent's interactions on, and does nothing else in the agent's place.
func TestSupervisorTransfers(t *testing.T) {
	for name, allow := range map[string]func(*fixture){
		"supervisor":    func(f *fixture) { f.ok(f.store.SetSupervisors(f.Context(), agentKey("alice"), []string{"bob"})) },
		"administrator": func(f *fixture) { f.role("bob", "Admin") },
	} {
		t.Run(name, func(t *testing.T) {
			f, alice, bob, closed, open := supervised(t)
			path, to := "/v1/interactions/"+open, map[string]string{"agent": "bob"}
			f.want(404, desk.CodeNotFound, bob, "POST", path+"/transfer", to)
			allow(f)
			if a := f.want(200, "", bob, "GET", path, nil); a.at("capabilities", "transferToAgent") != true {
				t.Errorf("capabilities: %v", a.at("capabilities"))
			}
			f.want(409, desk.CodeNotOpen, bob, "POST", "/v1/interactions/"+closed+"/transfer", to)
			f.want(403, desk.CodeTransferDenied, bob, "POST", path+"/transfer", map[string]string{"queue": "mail"}) // the account's rules hold
			for _, command := range []string{"/close", "/replies"} {
				if a := f.do(bob, "POST", path+command, map[string]string{"text": "hi"}); a.status/100 != 4 {
					t.Errorf("%s: %d", command, a.status)
				}
			}
			f.want(200, "", bob, "POST", path+"/transfer", to)
			history, err := f.store.History(t.Context(), center, open)
			f.ok(err)
			if last := history[len(history)-1]; last.Agent != "alice" || last.Detail != "to bob, by bob" {
				t.Errorf("history: %+v", last)
			}
			f.route()
			f.want(200, "", bob, "POST", path+"/reject", nil)
			if a := f.want(200, "", alice, "GET", path, nil); a.body["agent"] != "alice" || a.body["read"] != false {
				t.Errorf("back: %s", a.raw)
			}
		})
	}
}

// The account's switch is for agents and supervisors, not for administrators.
func TestAdminMarksUnread(t *testing.T) {
	f, _, bob, closed, open := supervised(t)
	f.ok(f.store.SetSupervisors(t.Context(), agentKey("alice"), []string{"bob"}))
	path := "/v1/interactions/" + closed
	f.want(204, "", bob, "POST", path+"/read", nil)
	f.want(403, desk.CodeMarkUnreadDenied, bob, "POST", path+"/unread", nil)
	f.role("bob", "Admin")
	f.want(204, "", bob, "POST", path+"/unread", nil)
	if a := f.want(200, "", bob, "GET", path, nil); a.body["read"] != false {
		t.Errorf("marked unread: %s", a.raw)
	}
	f.want(409, desk.CodeConflict, bob, "POST", "/v1/interactions/"+open+"/unread", nil) // alice has it
}
