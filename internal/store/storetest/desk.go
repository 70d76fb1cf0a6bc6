package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func ids(list []store.Interaction) []string {
	out := []string{}
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

// wantList compares a filtered list, newest first, and its count.
func (c *center) wantList(name string, f store.InteractionFilter, want ...string) {
	c.t.Helper()
	f.Namespace = ns
	list, err := c.ListInteractions(c.ctx, f)
	c.must(err)
	n, err := c.CountInteractions(c.ctx, f)
	c.must(err)
	if diff := cmp.Diff(append([]string{}, want...), ids(list)); diff != "" || n != len(want) {
		c.t.Errorf("%s: counted %d (-want +got):\n%s", name, n, diff)
	}
}

func testDesk(t *testing.T, open Open) {
	t.Run("titles, tags and the read mark", func(t *testing.T) { testPatch(t, open) })
	t.Run("filters", func(t *testing.T) { testFilters(t, open) })
	t.Run("agents of an account", func(t *testing.T) { testAccountAgents(t, open) })
	t.Run("supervisors", func(t *testing.T) { testSupervisors(t, open) })
	t.Run("event streams", func(t *testing.T) { testStreams(t, open) })
	t.Run("take over", func(t *testing.T) { testTakeOver(t, open) })
}

func testPatch(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice", "bob")
	id, agent := c.open()
	title, tags := "  Broken lamp\x00 ", []string{"vip", " lamp ", "vip", "", "a,b", "new\nline", strings.Repeat("x", store.MaxTag+1)}
	before := c.cursor()
	i, err := c.PatchInteraction(c.ctx, ns, id, store.InteractionPatch{Title: &title, Tags: &tags})
	if err != nil || i.Title != "Broken lamp" {
		t.Fatalf("%+v, %v", i, err)
	}
	if diff := cmp.Diff([]string{"lamp", "vip"}, i.Tags); diff != "" {
		t.Fatalf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(i, c.get(id)); diff != "" {
		t.Fatalf("returned and stored differ:\n%s", diff)
	}
	if diff := cmp.Diff([]string{store.EventUpdated}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	long, none := strings.Repeat("ü", store.MaxTitle+1), []string{}
	i, err = c.PatchInteraction(c.ctx, ns, id, store.InteractionPatch{Title: &long})
	if err != nil || i.Title != long[:2*store.MaxTitle] || len(i.Tags) != 2 {
		t.Fatalf("%+v, %v", i, err)
	}
	i, err = c.PatchInteraction(c.ctx, ns, id, store.InteractionPatch{Tags: &none})
	if err != nil || i.Title == "" || i.Tags != nil {
		t.Fatalf("%+v, %v", i, err)
	}
	wantErr(t, second(c.PatchInteraction(c.ctx, "other", id, store.InteractionPatch{})), store.ErrNotFound)

	c.must(c.MarkRead(c.ctx, ns, id, agent))
	wantErr(t, c.MarkUnread(c.ctx, ns, id, "mallory"), store.ErrConflict)
	c.must(c.MarkUnread(c.ctx, ns, id, agent))
	c.must(c.MarkUnread(c.ctx, ns, id, agent)) // already
	if c.get(id).Read {
		t.Fatal("read after having been marked unread")
	}
	_, err = c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
	c.must(err)
	c.must(c.MarkUnread(c.ctx, ns, id, "mallory")) // it is with nobody
	c.must(c.MarkRead(c.ctx, ns, id, "mallory"))
	if !c.get(id).Read {
		t.Fatal("unread after having been marked read")
	}
}

func testFilters(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice")
	start := clk.now()
	var all []string // oldest first
	for _, subject := range []string{"100% Änderung", "broken LAMP", "under_score"} {
		m := c.mail()
		m.Message.Subject = subject
		all = append(all, c.ingest(m)[0].InteractionID)
		clk.advance(time.Minute)
	}
	for n, tags := range [][]string{{"vip"}, {"it's \"quoted\"", "vip"}} {
		_, err := c.PatchInteraction(c.ctx, ns, all[n], store.InteractionPatch{Tags: &tags})
		c.must(err)
	}
	title := "A new Title"
	_, err := c.PatchInteraction(c.ctx, ns, all[2], store.InteractionPatch{Title: &title})
	c.must(err)
	c.must(c.MarkRead(c.ctx, ns, all[0], ""))

	type F = store.InteractionFilter
	c.wantList("read", F{Read: true}, all[0])
	c.wantList("unread", F{Unread: true}, all[2], all[1])
	c.wantList("from", F{From: start.Add(time.Minute)}, all[2], all[1])
	c.wantList("to", F{To: start.Add(time.Minute)}, all[0])
	c.wantList("from to", F{From: start.Add(time.Minute), To: start.Add(2 * time.Minute)}, all[1])
	c.wantList("tag", F{Tags: []string{"vip"}}, all[1], all[0])
	c.wantList("quoted tag", F{Tags: []string{"it's \"quoted\"", "no"}}, all[1])
	c.wantList("tags are exact", F{Tags: []string{"VIP", "vi"}})
	c.wantList("text in the subject", F{Text: "Lamp"}, all[1])
	c.wantList("text beyond ASCII", F{Text: "Änder"}, all[0])
	c.wantList("text in the title", F{Text: "new title"}, all[2])
	c.wantList("text in the address", F{Text: "carla@EXAMPLE"}, all[2], all[1], all[0])
	c.wantList("hidden customer", F{Text: "carla@EXAMPLE", HideCustomer: true})
	c.wantList("text beside a hidden customer", F{Text: "lamp", HideCustomer: true}, all[1])
	c.wantList("percent", F{Text: "0%"}, all[0])
	c.wantList("underscore", F{Text: "r_s"}, all[2])
	c.wantList("backslash", F{Text: `\`})
	c.wantList("accounts", F{Accounts: []string{"support", "other"}}, all[2], all[1], all[0])
	c.wantList("no accounts", F{Accounts: []string{}})
	c.wantList("all together", F{Unread: true, Tags: []string{"vip"}, Text: "lamp", Account: "support", From: start, To: clk.now()}, all[1])

	c.route()
	_, err = c.Accept(c.ctx, ns, all[0], "alice")
	c.must(err)
	_, err = c.CloseInteraction(c.ctx, ns, all[0], "alice", store.Disposal{})
	c.must(err)
	c.wantList("concerns", F{Concerns: "alice", To: start.Add(2 * time.Minute)}, all[1], all[0])
	c.wantList("concerns nobody", F{Concerns: "bob"})
}

func testAccountAgents(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice", "bob")
	id := c.newInteraction()
	c.wantList("unassigned", store.InteractionFilter{Unassigned: true}, id)
	account := key("support")
	c.must(c.SetAccountAgents(c.ctx, account, []string{"bob", "alice", "bob"}))
	c.must(c.SetAccountAgents(c.ctx, key("sales"), []string{"alice"}))
	c.wantList("assigned", store.InteractionFilter{Unassigned: true})
	got, err := c.AccountAgents(c.ctx, account)
	c.must(err)
	if diff := cmp.Diff([]string{"alice", "bob"}, got); diff != "" {
		t.Fatalf("agents (-want +got):\n%s", diff)
	}
	got, err = c.AccountsOf(c.ctx, key("alice"))
	c.must(err)
	if diff := cmp.Diff([]string{"sales", "support"}, got); diff != "" {
		t.Fatalf("accounts (-want +got):\n%s", diff)
	}
	c.must(c.SetAccountAgents(c.ctx, account, []string{"bob"}))
	got, err = c.AccountsOf(c.ctx, key("alice"))
	c.must(err)
	if diff := cmp.Diff([]string{"sales"}, got); diff != "" {
		t.Fatalf("accounts (-want +got):\n%s", diff)
	}
	a, err := c.GetAccount(c.ctx, account)
	c.must(err)
	a.Desk.MarkUnread = true
	c.must(c.PutAccount(c.ctx, a))
	if stored, err := c.GetAccount(c.ctx, account); err != nil || !cmp.Equal(stored, a) {
		t.Fatalf("stored %+v, %v", stored, err)
	}
	c.must(c.DeleteAccount(c.ctx, account))
	if got, err := c.AccountAgents(c.ctx, account); err != nil || len(got) != 0 {
		t.Fatalf("agents of a deleted account: %v, %v", got, err)
	}
}

func testTakeOver(t *testing.T, open Open) {
	c := newCenter(t, open(t), 1, "alice")
	unread := func() string {
		m := c.mail()
		m.Automatic = true
		return c.ingest(m)[0].InteractionID
	}
	first, next := unread(), unread()
	wantErr(t, second(c.TakeOver(c.ctx, ns, first, "nobody")), store.ErrNotFound)
	wantErr(t, second(c.TakeOver(c.ctx, "other", first, "alice")), store.ErrNotFound)
	before := c.cursor()
	i, err := c.TakeOver(c.ctx, ns, first, "alice")
	if err != nil || i.State != store.StateOpen || i.Agent != "alice" || i.LastAgent != "alice" {
		t.Fatalf("%+v, %v", i, err)
	}
	if diff := cmp.Diff(i, c.get(first)); diff != "" {
		t.Fatalf("returned and stored differ:\n%s", diff)
	}
	if diff := cmp.Diff([]string{store.EventOpened}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	c.wantReasons(first, "Automatic", "TakenOver")
	wantErr(t, second(c.TakeOver(c.ctx, ns, first, "alice")), store.ErrConflict)
	wantErr(t, second(c.TakeOver(c.ctx, ns, next, "alice")), store.ErrCapacity)
	_, err = c.CloseInteraction(c.ctx, ns, first, "alice", store.Disposal{})
	c.must(err)
	_, err = c.TakeOver(c.ctx, ns, next, "alice")
	c.must(err)
}

func testSupervisors(t *testing.T, open Open) {
	rules := routing.Rules{TransferToAgent: time.Hour, TransferToQueue: time.Hour}
	c, _ := withClock(t, open, rules, 0, "alice", "bob")
	of := func(agent string, want ...string) {
		t.Helper()
		got, err := c.Supervisors(c.ctx, key(agent))
		c.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("supervisors of %s (-want +got):\n%s", agent, diff)
		}
	}
	anyone := func(supervisor string, want bool) {
		t.Helper()
		if got, err := c.Supervises(c.ctx, key(supervisor)); err != nil || got != want {
			t.Fatalf("%s supervises %v, %v", supervisor, got, err)
		}
	}
	of("alice")
	anyone("carol", false)
	id, agent := c.open()
	other := c.newInteraction()
	c.must(c.SetSupervisors(c.ctx, key(agent), []string{"erin", "carol", "erin"}))
	c.must(c.SetSupervisors(c.ctx, store.Key{Namespace: "other", Name: agent}, []string{"dave"}))
	of(agent, "carol", "erin")
	anyone("carol", true)
	anyone("dave", false)
	c.wantList("with a supervised agent", store.InteractionFilter{Supervisor: "carol"}, id)
	c.wantList("of nobody", store.InteractionFilter{Supervisor: "dave"})
	c.wantList("other accounts", store.InteractionFilter{Supervisor: "carol", OtherAccounts: []string{"sales", "support"}})
	c.wantList("only other accounts", store.InteractionFilter{Supervisor: "carol", OtherAccounts: []string{"sales"}}, id)
	c.wantList("none of the accounts", store.InteractionFilter{OtherAccounts: []string{"sales"}}, other, id)

	to := map[string]string{"alice": "bob", "bob": "alice"}[agent]
	_, err := c.Transfer(c.ctx, ns, id, agent, store.TransferTarget{Kind: store.TransferToAgent, Name: to, By: "carol"})
	c.must(err)
	history, err := c.History(c.ctx, ns, id)
	c.must(err)
	if last := history[len(history)-1]; last.Agent != agent || last.Detail != "to "+to+", by carol" {
		t.Fatalf("%+v", last)
	}
	c.wantList("last accepted by a supervised agent", store.InteractionFilter{Supervisor: "carol"}, id)

	c.must(c.SetSupervisors(c.ctx, key(agent), []string{"erin"}))
	of(agent, "erin")
	c.wantList("no more", store.InteractionFilter{Supervisor: "carol"})
	c.must(c.DeleteAgent(c.ctx, key(agent)))
	of(agent)
	anyone("erin", false)
}

func testStreams(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice")
	hold := func(lease string) {
		t.Helper()
		if _, ok, err := c.AcquireLease(c.ctx, lease, lease, time.Minute); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	is := func(want store.StreamState) {
		t.Helper()
		if got, err := c.StreamOf(c.ctx, key("alice")); err != nil || got != want {
			t.Fatalf("%+v, %v, want %+v", got, err, want)
		}
	}
	before := c.cursor()
	told := func(want int) {
		t.Helper()
		var seen []string
		for range want {
			seen = append(seen, store.EventStream)
		}
		if diff := cmp.Diff(seen, c.eventKinds(before)); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
		before = c.cursor()
	}
	is(store.StreamState{})
	hold("desk/1")
	hold("desk/2")
	c.must(c.BeginStream(c.ctx, key("alice"), "a", "desk/1"))
	told(1)
	c.must(c.BeginStream(c.ctx, key("alice"), "b", "desk/2"))
	c.must(c.EndStream(c.ctx, "a"))
	c.must(c.EndStream(c.ctx, "a"))
	c.must(c.EndStream(c.ctx, "nothing"))
	is(store.StreamState{Open: true})
	told(0)
	if n, err := c.EndLostStreams(c.ctx); err != nil || n != 0 {
		t.Fatalf("ended %d, %v", n, err)
	}
	c.must(c.EndStream(c.ctx, "b"))
	told(1)
	clk.advance(time.Second)
	is(store.StreamState{EndedAgo: time.Second})
	// Two streams of a process that dies, and one that lives.
	c.must(c.BeginStream(c.ctx, key("alice"), "c", "desk/1"))
	c.must(c.BeginStream(c.ctx, key("alice"), "d", "desk/1"))
	told(1)
	is(store.StreamState{Open: true})
	clk.advance(2 * time.Minute)
	hold("desk/2")
	c.must(c.BeginStream(c.ctx, key("bob"), "e", "desk/2"))
	before = c.cursor()
	if n, err := c.EndLostStreams(c.ctx); err != nil || n != 2 {
		t.Fatalf("ended %d, %v", n, err)
	}
	told(1)
	clk.advance(time.Second)
	is(store.StreamState{EndedAgo: time.Second})
	c.must(c.DeleteAgent(c.ctx, key("alice")))
	is(store.StreamState{})
}
