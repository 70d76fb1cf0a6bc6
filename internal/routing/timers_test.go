package routing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

// Every deadline the settings allow, at both of its ends: nothing a microsecond before, the step at it.
func TestDeadlines(t *testing.T) {
	legacy := func(agent, queue time.Duration) Rules {
		return Rules{Model: ModelLegacy, AssignedAgentWait: agent, AssignedQueueWait: queue}
	}
	away := func(r Rules) Timers { return Timers{}.Accepted(r, now).Reply(r, false, now) }
	for name, tc := range map[string]struct {
		rules     Rules
		timers    func(Rules) Timers
		state     State
		noQueue   bool
		after     time.Duration
		step      Step
		reason    string
		unlimited bool
	}{
		"agent timeout, 1 s":           {rules: Rules{AssignedAgentTimeout: time.Second}, timers: away, state: Open, after: time.Second, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"agent timeout, 7 days":        {rules: Rules{AssignedAgentTimeout: 7 * day}, timers: away, state: Open, after: 7 * day, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"agent timeout, end":           {rules: Rules{AssignedAgentTimeout: 7 * day, EndRouting: true}, timers: away, state: Open, after: 7 * day, step: StepEnd, reason: "AssignedAgentTimeout"},
		"agent timeout, no queue":      {rules: Rules{AssignedAgentTimeout: 7 * day}, timers: away, state: Open, noQueue: true, after: 7 * day, step: StepEnd, reason: "NoPreviousQueue"},
		"agent timeout off":            {timers: away, state: Open, unlimited: true},
		"agent timeout off, 90 days":   {rules: Rules{MaxAssignmentAge: 90 * day}, timers: away, state: Open, after: 90 * day, step: StepEnd, reason: "AssignmentExpired"},
		"age, 1 h":                     {rules: Rules{MaxAssignmentAge: time.Hour}, timers: func(r Rules) Timers { return Timers{}.Accepted(r, now) }, state: Open, after: time.Hour, step: StepEnd, reason: "AssignmentExpired"},
		"7 days within 90":             {rules: Rules{AssignedAgentTimeout: 7 * day, MaxAssignmentAge: 90 * day}, timers: away, state: Open, after: 7 * day, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"1 h of age within 7 days":     {rules: Rules{AssignedAgentTimeout: 7 * day, MaxAssignmentAge: time.Hour}, timers: away, state: Open, after: time.Hour, step: StepEnd, reason: "AssignmentExpired"},
		"inactivity, 1 min":            {rules: Rules{InactivityTimeout: time.Minute}, timers: func(r Rules) Timers { return Timers{}.Answered(r, now) }, state: Open, after: time.Minute, step: StepClose, reason: "ClosedForInactivity"},
		"inactivity, 365 days":         {rules: Rules{InactivityTimeout: 365 * day}, timers: func(r Rules) Timers { return Timers{}.Answered(r, now) }, state: Unread, after: 365 * day, step: StepClose, reason: "ClosedForInactivity"},
		"inactivity ended":             {rules: Rules{InactivityTimeout: time.Minute}, timers: func(r Rules) Timers { return Timers{}.Answered(r, now).Heard() }, state: Unread, unlimited: true},
		"closed":                       {rules: Rules{InactivityTimeout: time.Minute}, timers: func(r Rules) Timers { return Timers{}.Answered(r, now) }, state: Closed, unlimited: true},
		"Legacy agent, 1 s":            {rules: legacy(time.Second, 1), timers: func(r Rules) Timers { return Timers{}.Wanted(r, now) }, state: Queued, after: time.Second, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"Legacy agent, longest":        {rules: legacy(2147483*time.Second, 1), timers: func(r Rules) Timers { return Timers{}.Wanted(r, now) }, state: Offered, after: 2147483 * time.Second, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"Legacy agent without a queue": {rules: legacy(10*time.Second, 1), timers: away, state: Open, noQueue: true, after: 10 * time.Second, step: StepFlow, reason: "AssignedAgentTimeout"},
		"Legacy queue, 10 s":           {rules: legacy(1, 10*time.Second), timers: func(r Rules) Timers { return Timers{}.LastQueue(r, now) }, state: Queued, after: 10 * time.Second, step: StepFlow, reason: "AssignedQueueTimeout"},
		"Legacy queue, longest":        {rules: legacy(1, 2147483*time.Second), timers: func(r Rules) Timers { return Timers{}.LastQueue(r, now) }, state: Offered, after: 2147483 * time.Second, step: StepFlow, reason: "AssignedQueueTimeout"},
		"Assigned has no queue wait":   {rules: Rules{AssignedQueueWait: 1}, timers: func(r Rules) Timers { return Timers{}.LastQueue(r, now) }, state: Queued, unlimited: true},
		"a flow's queue":               {timers: func(Rules) Timers { return Timers{Queue: now.Add(time.Hour)} }, state: Queued, after: time.Hour, step: StepFlow, reason: "QueueTimeout"},
		"a deleted queue":              {timers: func(Rules) Timers { return Timers{Queue: now.Add(time.Hour)}.QueueGone(now) }, state: Queued, after: 0, step: StepFlow, reason: "QueueTimeout"},
		"transfer, 1 s":                {timers: func(Rules) Timers { return Timers{}.Transferred("alice", time.Second, now) }, state: Queued, after: time.Second, step: StepSendBack, reason: "TransferTimeout"},
		"transfer, 7 days":             {timers: func(Rules) Timers { return Timers{}.Transferred("alice", 7*day, now) }, state: Offered, after: 7 * day, step: StepSendBack, reason: "TransferTimeout"},
		"back, and the sender is away": {rules: Rules{AssignedAgentTimeout: time.Hour}, timers: func(r Rules) Timers { return Timers{}.SentBack(r, false, now) }, state: Open, after: time.Hour, step: StepLastQueue, reason: "AssignedAgentTimeout"},
		"back, and the sender is here": {rules: Rules{AssignedAgentTimeout: time.Hour}, timers: func(r Rules) Timers { return Timers{}.SentBack(r, true, now) }, state: Open, unlimited: true},
		"auto-answer, 300 s": {timers: func(Rules) Timers { t, _ := Timers{}.Offer(now.Add(day), true, 300*time.Second, now); return t }, state: Offered,
			after: 300 * time.Second, step: StepAccept, reason: "AutoAnswered"},
		"auto-answer at once":   {timers: func(Rules) Timers { t, _ := Timers{}.Offer(now.Add(day), true, 0, now); return t }, state: Offered, step: StepAccept, reason: "AutoAnswered"},
		"auto-answer cancelled": {timers: func(Rules) Timers { t, _ := Timers{}.Offer(now.Add(day), true, 0, now); return t.OfferEnded() }, state: Offered, unlimited: true},
	} {
		t.Run(name, func(t *testing.T) {
			timers := tc.timers(tc.rules)
			if tc.unlimited {
				if step, reason := timers.Due(tc.rules, tc.state, true, now.Add(1000*day)); step != StepNone || reason != "" {
					t.Fatalf("%s %s", step, reason)
				}
				return
			}
			if step, _ := timers.Due(tc.rules, tc.state, !tc.noQueue, now.Add(tc.after-time.Microsecond)); step != StepNone {
				t.Fatalf("%s too early", step)
			}
			if step, reason := timers.Due(tc.rules, tc.state, !tc.noQueue, now.Add(tc.after)); step != tc.step || reason != tc.reason {
				t.Fatalf("%s %s, want %s %s", step, reason, tc.step, tc.reason)
			}
		})
	}
}

// An offer ends with the wait it is part of.
func TestOfferWithinItsWait(t *testing.T) {
	for name, timers := range map[string]Timers{
		"transfer": {Transfer: now.Add(time.Second)}, "agent": {Owner: now.Add(time.Second)}, "queue": {Queue: now.Add(time.Second)},
	} {
		if _, deadline := timers.Offer(now.Add(time.Minute), false, 0, now); !deadline.Equal(now.Add(time.Second)) {
			t.Errorf("%s: %v", name, deadline.Sub(now))
		}
		if _, deadline := timers.Offer(now.Add(time.Millisecond), false, 0, now); !deadline.Equal(now.Add(time.Millisecond)) {
			t.Errorf("%s, shorter: %v", name, deadline.Sub(now))
		}
	}
}

// happened is an event in the life of an open interaction.
type happened struct {
	at   time.Time
	what string
}

// model says from the whole past of an open interaction when its first deadline is: the definition that Timers keep up to date step by step.
func model(r Rules, past []happened) time.Time {
	var accepted, leftAt, unread, spoke time.Time
	for _, e := range past {
		switch e.what {
		case "accept":
			accepted = e.at
		case "leave":
			leftAt = e.at
		case "back":
			leftAt = time.Time{}
		case "reply":
			spoke = time.Time{}
			if unread.IsZero() {
				unread = e.at
			}
		case "read":
			unread = time.Time{}
		case "answer":
			unread, spoke = time.Time{}, e.at
		}
	}
	var first time.Time
	consider := func(from time.Time, d time.Duration) {
		if at := from.Add(d); d > 0 && !from.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	consider(accepted, r.MaxAssignmentAge)
	consider(spoke, r.InactivityTimeout)
	if !leftAt.IsZero() && !unread.IsZero() {
		since := leftAt
		if unread.After(since) {
			since = unread
		}
		consider(since, r.ownerWait())
	}
	return first
}

// Whatever happens to an open interaction, in whatever order and at whatever times up to a year: its next deadline is the one the past defines.
func TestTimersAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second, time.Hour, 7 * day, 90 * day, 365 * day})
		r := Rules{
			Model:                rapid.SampledFrom([]Model{ModelAssigned, ModelLegacy}).Draw(t, "model"),
			AssignedAgentTimeout: length.Draw(t, "assignedAgentTimeout"), AssignedAgentWait: length.Draw(t, "assignedAgentWait"),
			InactivityTimeout: length.Draw(t, "inactivityTimeout"), MaxAssignmentAge: length.Draw(t, "maxAssignmentAge"),
		}
		clock := now
		past := []happened{{clock, "accept"}}
		timers, here := Timers{}.Accepted(r, clock), true
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			clock = clock.Add(length.Draw(t, "later") / time.Duration(rapid.IntRange(1, 3).Draw(t, "part")))
			what := rapid.SampledFrom([]string{"reply", "leave", "back", "read", "answer"}).Draw(t, "event")
			if what == "leave" && !here || what == "back" && here {
				continue
			}
			past = append(past, happened{clock, what})
			switch what {
			case "reply":
				timers = timers.Reply(r, here, clock)
			case "leave":
				timers, here = timers.OwnerLeft(r, clock), false
			case "back":
				timers, here = timers.OwnerBack(), true
			case "read":
				timers = timers.Read()
			case "answer":
				timers = timers.Answered(r, clock)
			}
			want := model(r, past)
			if _, at := timers.Next(Open); !at.Equal(want) {
				t.Fatalf("after %s the next deadline is %v, want %v", what, at, want)
			}
			if want.IsZero() {
				continue
			}
			early, _ := timers.Due(r, Open, true, want.Add(-time.Microsecond))
			late, reason := timers.Due(r, Open, true, want)
			if early != StepNone || late == StepNone || reason == "" {
				t.Fatalf("after %s: %q before the deadline, %q at it (%s)", what, early, late, reason)
			}
		}
	})
}
