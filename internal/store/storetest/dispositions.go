package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func items(paths ...string) []store.Disposition {
	var list []store.Disposition
	for _, p := range paths {
		list = append(list, store.Disposition{Path: p})
	}
	return list
}

func testDispositions(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	account := key("support")
	sets := []store.DispositionSet{
		{Key: key("everywhere"), Scope: store.ScopeGlobal, Items: items("Spam", "Sales", "Sales/Won")},
		{Key: key("mail"), Scope: store.ScopeQueue, Ref: "mail", Items: items("Queue")},
		{Key: key("other-queue"), Scope: store.ScopeQueue, Ref: "other", Items: items("Wrong queue")},
		{Key: key("support"), Scope: store.ScopeAccount, Ref: "support", Items: append(items("Mine"), store.Disposition{Path: "Spam", Description: "ours"})},
		{Key: key("list"), Scope: store.ScopeContactList, Ref: "customers", Items: items("List", "Queue")},
		{Key: key("other-list"), Scope: store.ScopeContactList, Ref: "others", Items: items("Wrong list")},
		{Key: key("other-account"), Scope: store.ScopeAccount, Ref: "sales", Items: items("Wrong account")},
		{Key: key("named"), Scope: store.ScopeAccount, Items: items("Named")},
		{Key: key("unnamed"), Scope: store.ScopeAccount, Items: items("Unnamed")},
		{Key: store.Key{Namespace: "elsewhere", Name: "everywhere"}, Scope: store.ScopeGlobal, Items: items("Elsewhere")},
	}
	for _, s := range sets {
		c.must(c.PutDispositionSet(c.ctx, s))
		c.must(c.PutDispositionSet(c.ctx, s)) // again changes nothing
	}
	settings := store.AnswerSettings{DispositionMandatory: true, DispositionSets: []string{"named", "gone"}}
	c.must(c.PutAnswerSettings(c.ctx, account, settings))
	if got, err := c.GetAnswerSettings(c.ctx, account); err != nil || cmp.Diff(settings, got) != "" {
		t.Fatalf("settings %+v, %v", got, err)
	}
	c.storesIn("customers")
	id, agent := c.open()
	wantItems := func(want ...store.Disposition) {
		t.Helper()
		d, err := c.DispositionsOf(c.ctx, ns, id)
		if diff := cmp.Diff(want, d.Items); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	wantItems(append(items("Named", "Mine"), append([]store.Disposition{{Path: "Spam", Description: "ours"}}, items("Queue", "List", "Sales", "Sales/Won")...)...)...)
	_, err := c.DispositionsOf(c.ctx, "elsewhere", id)
	wantErr(t, err, store.ErrNotFound)

	wantErr(t, second(c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})), store.ErrDispositionRequired)
	wantErr(t, second(c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{Path: "Won"})), store.ErrDispositionUnknown)
	wantErr(t, second(c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{Path: "Wrong queue"})), store.ErrDispositionUnknown)
	c.wantState(id, store.StateOpen, agent)
	i, err := c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{Path: "Sales/Won", Note: "two of them"})
	if err != nil || i.Disposition != "Sales/Won" || i.DispositionNote != "two of them" {
		t.Fatalf("closed with %q, %q, %v", i.Disposition, i.DispositionNote, err)
	}
	i = c.wantState(id, store.StateClosed, "")
	if i.Disposition != "Sales/Won" || i.DispositionNote != "two of them" {
		t.Fatalf("kept %q, %q", i.Disposition, i.DispositionNote)
	}
	history, err := c.History(c.ctx, ns, id)
	if last := history[len(history)-1]; err != nil || last.Reason != "Closed" || last.Detail != "Sales/Won" {
		t.Fatalf("history %+v, %v", last, err)
	}

	c.must(c.DeleteDispositionSet(c.ctx, key("everywhere")))
	c.must(c.DeleteDispositionSet(c.ctx, key("everywhere")))
	c.must(c.DeleteAccount(c.ctx, account))
	wantItems(items("Mine", "Spam", "Queue")[0], store.Disposition{Path: "Spam", Description: "ours"}, store.Disposition{Path: "Queue"})
	if got, err := c.GetAnswerSettings(c.ctx, account); err != nil || got.DispositionMandatory {
		t.Fatalf("settings of a deleted account: %+v, %v", got, err)
	}
	if c.get(id).Disposition != "Sales/Won" {
		t.Fatal("a deleted set took what an interaction was closed with")
	}
}

func (c *center) wantPresence(name string, paused bool, reason string) {
	c.t.Helper()
	p, err := c.GetPresence(c.ctx, key(name))
	if err != nil || !p.SignedIn || p.Paused != paused || p.Reason != reason {
		c.t.Fatalf("presence %+v, %v; want paused %v %q", p, err, paused, reason)
	}
}

func testDisposing(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	alice, support := key("alice"), key("support")
	c.must(c.PutDispositionSet(c.ctx, store.DispositionSet{Key: key("all"), Scope: store.ScopeGlobal, Items: items("Done")}))
	settings := func(s store.AnswerSettings) {
		t.Helper()
		c.must(c.PutAnswerSettings(c.ctx, support, s))
	}
	begin := func(id string) { t.Helper(); c.must(c.BeginDisposing(c.ctx, ns, id, "alice")) }
	closeIt := func(id string) {
		t.Helper()
		c.must(second(c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{Path: "Done"})))
	}
	pause := func(paused bool, reason string) error {
		return c.SetPresence(c.ctx, store.Presence{Agent: alice, SignedIn: true, Paused: paused, Reason: reason})
	}
	first, _ := c.open()
	other, _ := c.open()
	for _, s := range []store.AnswerSettings{{}, {DispositionMandatory: true}, {PauseWhileDisposing: true}} {
		settings(s)
		begin(first)
		c.wantPresence("alice", false, "")
	}
	settings(store.AnswerSettings{DispositionMandatory: true, PauseWhileDisposing: true})
	wantErr(t, c.BeginDisposing(c.ctx, ns, first, "bob"), store.ErrConflict)
	wantErr(t, c.BeginDisposing(c.ctx, ns, "none", "alice"), store.ErrNotFound)

	before := c.cursor()
	begin(first)
	begin(first)
	begin(other)
	if diff := cmp.Diff([]string{store.EventPresence}, c.eventKinds(before)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	c.wantPresence("alice", true, store.ReasonDisposition)
	waiting := c.newInteraction()
	c.route()
	c.wantState(waiting, store.StateQueued, "")
	wantErr(t, pause(false, ""), store.ErrDisposing)
	closeIt(first)
	c.wantPresence("alice", true, store.ReasonDisposition) // the other one is not disposed yet
	closeIt(other)
	c.wantPresence("alice", false, "")
	c.route()
	c.wantState(waiting, store.StateOffered, "alice")
	c.must(second(c.Accept(c.ctx, ns, waiting, "alice")))

	c.must(pause(true, "lunch")) // before: stays
	begin(waiting)
	c.wantPresence("alice", true, "lunch")
	closeIt(waiting)
	c.wantPresence("alice", true, "lunch")
	c.must(pause(false, ""))

	next, _ := c.open()
	begin(next)
	c.must(pause(true, "lunch")) // meanwhile: takes its place
	closeIt(next)
	c.wantPresence("alice", true, "lunch")
	c.must(pause(false, ""))

	next, _ = c.open()
	begin(next)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: alice})) // signing out ends it
	c.must(pause(false, ""))
	c.wantPresence("alice", false, "")
	begin(next)
	c.must(c.PutAgent(c.ctx, store.Agent{Key: alice, Username: "alice"})) // deactivated
	c.must(c.PutAgent(c.ctx, store.Agent{Key: alice, Username: "alice", Active: true}))
	c.must(pause(false, ""))
	c.must(c.DeleteAgent(c.ctx, alice)) // the interaction leaves her
	c.agent("alice", 0)
	c.wantPresence("alice", false, "")
}

// Two conversations that end at once leave nobody paused.
func testDisposingRace(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	c.must(c.PutDispositionSet(c.ctx, store.DispositionSet{Key: key("all"), Scope: store.ScopeGlobal, Items: items("Done")}))
	c.must(c.PutAnswerSettings(c.ctx, key("support"), store.AnswerSettings{DispositionMandatory: true, PauseWhileDisposing: true}))
	for range 10 {
		var ids []string
		for range 4 {
			id, _ := c.open()
			ids = append(ids, id)
		}
		for _, id := range ids {
			c.must(c.BeginDisposing(c.ctx, ns, id, "alice"))
		}
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for n, id := range ids {
			wg.Go(func() { _, errs[n] = c.CloseInteraction(c.ctx, ns, id, "alice", store.Disposal{Path: "Done"}) })
		}
		wg.Wait()
		c.must(errors.Join(errs...))
		c.wantPresence("alice", false, "")
	}
}
