package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/schedule"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// withFlow lets a flow decide about the account's new interactions.
func withFlow(t testing.TB, open Open, clk *clock, spec flow.Spec, agents ...string) *center {
	t.Helper()
	c := newCenter(t, open(t, clk.option(), store.WithFlowMail(message.Flows{})), 1, agents...)
	c.flow(spec)
	a, err := c.GetAccount(c.ctx, key("support"))
	c.must(err)
	a.Queue, a.Flow = "", "incoming"
	c.must(c.PutAccount(c.ctx, a))
	return c
}

func (c *center) flow(spec flow.Spec) {
	c.t.Helper()
	c.must(c.PutFlow(c.ctx, store.Flow{Key: key("incoming"), Spec: spec}))
}

// office is open on weekdays; tests begin on a Sunday.
func office(days ...string) map[string]schedule.Spec {
	return map[string]schedule.Spec{"office": {TimeZone: "UTC", Weekly: []schedule.Weekly{{Days: days, Range: schedule.Range{From: "09:00", To: "17:00"}}}}}
}

func closedReply() map[string]flow.Template {
	return map[string]flow.Template{"closed": {Subject: "Re: {{ mail.subject }}", Text: "Dear {{ customer.name }}, {{ account.key }} is closed.", HTML: "<p>Dear {{ customer.name }}</p>"}}
}

// wantNext: the next deadline is in d, and nothing is done for it yet.
func (c *center) wantNext(clk *clock, d time.Duration) {
	c.t.Helper()
	if due, err := c.NextDue(c.ctx); err != nil || !due.Equal(clk.now().Add(d)) {
		c.t.Fatalf("due in %v, %v, want %v", due.Sub(clk.now()), err, d)
	}
}

func (c *center) wantUnread(id, reason string) {
	c.t.Helper()
	c.wantLast(id, store.StateUnread, "", reason)
}

// reasonsOf the history.
func (c *center) reasonsOf(id string) []string {
	c.t.Helper()
	history, err := c.History(c.ctx, ns, id)
	c.must(err)
	var out []string
	for _, h := range history {
		out = append(out, h.Reason)
	}
	return out
}

func testFlows(t *testing.T, open Open) {
	t.Run("a schedule, an answer, a queue and another", func(t *testing.T) { flowThroughQueues(t, open) })
	t.Run("an agent", func(t *testing.T) { flowToAgent(t, open) })
	t.Run("who is answered", func(t *testing.T) { flowAnswers(t, open) })
	t.Run("an end", func(t *testing.T) { flowEnds(t, open) })
	t.Run("changes meanwhile", func(t *testing.T) { flowChanges(t, open) })
	t.Run("what a flow says", func(t *testing.T) {
		c := newCenter(t, open(t), 1)
		spec := flow.Spec{Steps: []flow.Step{{Name: "q", When: `open("office")`, Queue: &flow.Place{Name: "mail", Timeout: time.Minute}}}, Schedules: office("Monday")}
		c.flow(spec)
		got, err := c.GetFlow(c.ctx, key("incoming"))
		c.must(err)
		if diff := cmp.Diff(store.Flow{Key: key("incoming"), Spec: spec}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := c.PutFlow(c.ctx, store.Flow{Key: key("incoming"), Spec: flow.Spec{Steps: []flow.Step{{Name: "a", When: "nonsense"}}}}); err == nil {
			t.Error("a flow that does not compile was taken")
		}
		c.must(c.DeleteFlow(c.ctx, key("incoming")))
		if _, err := c.GetFlow(c.ctx, key("incoming")); err == nil {
			t.Error("the flow is still there")
		}
	})
}

func flowThroughQueues(t *testing.T, open Open) {
	clk := newClock()
	c := withFlow(t, open, clk, flow.Spec{
		Steps: []flow.Step{
			{Name: "vip", When: `mail.headers["x-vip"] == "1"`, Tags: []string{"vip"}},
			{Name: "closed", When: `!open("office")`, AutoReply: "closed"},
			{Name: "morning", Wait: &flow.Wait{UntilOpen: "office"}},
			{Name: "first", Queue: &flow.Place{Name: "mail", Timeout: 10 * time.Minute}},
			{Name: "late", Tags: []string{"late"}},
			{Name: "second", Queue: &flow.Place{Name: "overflow"}},
		}, Schedules: office("Monday"), Templates: closedReply(),
	}, "alice")
	c.must(c.PutQueue(c.ctx, store.Queue{Key: key("overflow"), Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
		Members: []store.QueueMember{{Agent: "bob"}}}))
	c.agent("bob", 1)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true, Paused: true, Reason: "lunch"}))

	id := c.newInteraction()
	c.wantState(id, store.StateNew, "")
	c.route()
	c.wantState(id, store.StateNew, "")
	want := []string{"Ingested", flow.ReasonConditionFailed, flow.ReasonReplied, flow.ReasonWaiting}
	c.wantReasons(id, want...)
	c.wantNext(clk, 25*time.Hour) // Monday at nine
	m, raw, err := c.ClaimOutbound(c.ctx, c.lease, key("support"), time.Minute)
	c.must(err)
	if m.InteractionID != id || m.Agent != "" || m.Subject != "Re: broken" || m.Text != "Dear Carla, SUPP is closed." || m.To[0] != "carla@example.net" ||
		!strings.Contains(string(raw), "Auto-Submitted: auto-replied") || !strings.Contains(string(raw), "In-Reply-To: <m1@example.net>") {
		t.Fatalf("the answer is %+v:\n%s", m, raw)
	}
	if i := c.get(id); i.MessageCount != 2 || i.LastDirection != store.Inbound || i.Read {
		t.Fatalf("the answer counts as read or as an agent's: %+v", i)
	}

	clk.advance(25 * time.Hour)
	c.route()
	c.wantLast(id, store.StateQueued, "", flow.ReasonQueued)
	c.wantNext(clk, 10*time.Minute)
	clk.advance(9 * time.Minute)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true}))
	c.route()
	c.wantState(id, store.StateOffered, "alice")
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("alice"), SignedIn: true, Paused: true})) // and back to lunch
	clk.advance(time.Minute)
	c.route()
	i := c.wantState(id, store.StateOffered, "bob")
	if diff := cmp.Diff([]string{"late"}, i.Tags); diff != "" || i.Queue != "overflow" {
		t.Errorf("queue %s, tags (-want +got):\n%s", i.Queue, diff)
	}
	c.wantReasons(id, append(want, flow.ReasonQueued, "Offered", "Paused", routing.ReasonQueueTimeout, flow.ReasonTagged, flow.ReasonQueued, "Offered")...)
}

func flowToAgent(t *testing.T, open Open) {
	clk := newClock()
	c := withFlow(t, open, clk, flow.Spec{Steps: []flow.Step{
		{Name: "gone", Agent: &flow.Place{Name: "nobody", Timeout: time.Hour}},
		{Name: "owner", Agent: &flow.Place{Name: "bob", Timeout: time.Hour}},
		{Name: "others", Queue: &flow.Place{Name: "mail"}},
	}}, "alice")
	c.agent("bob", 1)
	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob")}))
	absent := c.newInteraction()
	c.route()
	c.wantLast(absent, store.StateQueued, "", flow.ReasonAgent)
	if i := c.get(absent); i.WaitDetail != "waits for bob: signed out" {
		t.Errorf("it %q", i.WaitDetail)
	}
	c.wantReasons(absent, "Ingested", flow.ReasonSkipped, flow.ReasonAgent)
	clk.advance(59 * time.Minute)
	c.route()
	c.wantState(absent, store.StateQueued, "")
	clk.advance(time.Minute)
	c.route()
	c.wantState(absent, store.StateOffered, "alice")

	c.must(c.SetPresence(c.ctx, store.Presence{Agent: key("bob"), SignedIn: true}))
	taken := c.newInteraction()
	c.route()
	c.wantState(taken, store.StateOffered, "bob")
	_, err := c.Accept(c.ctx, ns, taken, "bob")
	c.must(err)
	clk.advance(2 * time.Hour) // the time of the step does not go on
	c.route()
	c.wantState(taken, store.StateOpen, "bob")

	_, err = c.CloseInteraction(c.ctx, ns, taken, "bob", store.Disposal{})
	c.must(err)
	rejected := c.newInteraction()
	c.route()
	c.wantState(rejected, store.StateOffered, "bob")
	_, err = c.Reject(c.ctx, ns, rejected, "bob") // the only one who was asked
	c.must(err)
	c.route()
	if i := c.get(rejected); i.Queue != "mail" {
		t.Errorf("after the agent rejected it: %+v", i)
	}
}

func flowAnswers(t *testing.T, open Open) {
	clk := newClock()
	c := withFlow(t, open, clk, flow.Spec{Steps: []flow.Step{{Name: "hello", AutoReply: "closed"}}, Templates: closedReply()})
	ask := func(change func(*store.IngestMail)) string {
		t.Helper()
		m := c.mail()
		change(&m)
		id := c.ingest(m)[0].InteractionID
		c.route()
		return id
	}
	withheld := func(what, id, why string) {
		t.Helper()
		history, err := c.History(c.ctx, ns, id)
		c.must(err)
		for _, h := range history {
			if h.Reason == flow.ReasonReplied {
				t.Errorf("%s was answered", what)
			}
			if h.Reason == flow.ReasonReplyWithheld && strings.HasSuffix(h.Detail, why) {
				return
			}
		}
		t.Errorf("%s: no reason %q", what, why)
	}
	withheld("a machine", ask(func(m *store.IngestMail) { m.Automatic = true }), "the mail is automatic")
	withheld("the center itself", ask(func(m *store.IngestMail) { m.Message.From = "Support@example.com" }), "the sender is an account of the center")
	withheld("nobody", ask(func(m *store.IngestMail) { m.Message.From = "no-reply@shop.example" }), "nobody reads answers to the sender's address")
	withheld("who has no address", ask(func(m *store.IngestMail) { m.Message.From = "" }), "nobody reads answers to the sender's address")
	withheld("who wants none", ask(func(m *store.IngestMail) {
		m.Raw = append([]byte("X-Auto-Response-Suppress: DR, OOF\r\n"), m.Raw...)
	}), "the sender asks for no automatic answers")

	var last string
	for n := range store.AutoRepliesPerHour {
		last = ask(func(*store.IngestMail) {})
		c.wantReasons(last, "Ingested", flow.ReasonReplied, flow.ReasonEnded)
		if n == 0 { // the customer writes again, and the flow begins anew
			c.ingest(c.mail(last))
			c.route()
			withheldAgain := c.reasonsOf(last)
			if got := withheldAgain[len(withheldAgain)-2:]; !cmp.Equal(got, []string{flow.ReasonReplyWithheld, flow.ReasonEnded}) {
				t.Errorf("asked again: %v", got)
			}
		}
		clk.advance(time.Minute)
	}
	tooMany := ask(func(*store.IngestMail) {})
	withheld("who asks too often", tooMany, fmt.Sprintf("the sender got %d automatic answers within an hour", store.AutoRepliesPerHour))
	clk.advance(time.Hour)
	c.wantReasons(ask(func(*store.IngestMail) {}), "Ingested", flow.ReasonReplied, flow.ReasonEnded)
}

func flowEnds(t *testing.T, open Open) {
	c := withFlow(t, open, newClock(), flow.Spec{Steps: []flow.Step{
		{Name: "machine", When: "mail.automatic", Close: &flow.Close{Disposition: "Machine/Bounce"}},
		{Name: "small", When: "mail.size < 10", Queue: &flow.Place{Name: "mail"}},
		{Name: "gone", Queue: &flow.Place{Name: "nowhere"}},
	}}, "alice")
	id := c.newInteraction()
	c.route()
	c.wantUnread(id, flow.ReasonEnded)
	c.wantReasons(id, "Ingested", flow.ReasonSkipped, flow.ReasonSkipped, flow.ReasonSkipped, flow.ReasonEnded)
	m := c.mail()
	m.Automatic = true
	id = c.ingest(m)[0].InteractionID
	c.route()
	if i := c.wantState(id, store.StateClosed, ""); i.Disposition != "Machine/Bounce" || !i.Read {
		t.Errorf("closed as %+v", i)
	}
	c.wantNothingDue()
}

func flowChanges(t *testing.T, open Open) {
	clk := newClock()
	spec := flow.Spec{Steps: []flow.Step{
		{Name: "morning", Wait: &flow.Wait{UntilOpen: "office"}}, {Name: "pause", Wait: &flow.Wait{For: time.Hour}}, {Name: "q", Queue: &flow.Place{Name: "mail", Timeout: time.Hour}},
	}, Schedules: office("Monday")}
	c := withFlow(t, open, clk, spec, "alice")
	id := c.newInteraction()
	c.route()
	c.wantNext(clk, 25*time.Hour)
	spec.Schedules = office("Sunday") // today
	c.flow(spec)
	c.route()
	c.wantNext(clk, time.Hour)
	clk.advance(time.Hour)
	c.route()
	c.wantReasons(id, "Ingested", flow.ReasonWaiting, flow.ReasonWaiting)
	c.wantNext(clk, time.Hour)

	// A mail for what waits joins it and changes nothing.
	c.ingest(c.mail(id))
	c.route()
	c.wantState(id, store.StateNew, "")
	spec.Steps[1].Wait = &flow.Wait{For: time.Minute}
	c.flow(spec)
	clk.advance(time.Minute)
	c.route()
	c.wantState(id, store.StateOffered, "alice")

	waits := c.newInteraction()
	c.route()
	c.wantState(waits, store.StateNew, "")
	spec.Steps = spec.Steps[2:]
	c.flow(spec)
	c.route()
	c.wantUnread(waits, flow.ReasonGone)

	queued := c.newInteraction()
	c.route()
	c.wantState(queued, store.StateQueued, "")
	c.must(c.DeleteFlow(c.ctx, key("incoming")))
	c.route()
	c.wantState(queued, store.StateQueued, "")
	clk.advance(time.Hour)
	c.route()
	c.wantUnread(queued, flow.ReasonGone)
	late := c.newInteraction()
	c.route()
	c.wantUnread(late, flow.ReasonGone)
}
