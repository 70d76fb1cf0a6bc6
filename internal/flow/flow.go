// Package flow decides what becomes of a new interaction: the steps of a RoutingFlow in their order, each with an optional
// condition. It is pure: a flow, the mail and a moment give an outcome; the store carries it out.
//
// A flow goes only forward, so it always ends. Conditions are CEL expressions (https://cel.dev) with a bounded cost.
package flow

import (
	"fmt"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/schedule"
)

// Spec is a flow with all it refers to, as the store keeps it.
type Spec struct {
	Steps []Step `json:"steps"`
	// Schedules by name.
	Schedules map[string]schedule.Spec `json:"schedules,omitempty"`
	// Templates by name.
	Templates map[string]Template `json:"templates,omitempty"`
}

// Step has exactly one of the actions.
type Step struct {
	Name string `json:"name"`
	// When is a CEL expression; empty is always.
	When      string   `json:"when,omitempty"`
	Queue     *Place   `json:"queue,omitempty"`
	Agent     *Place   `json:"agent,omitempty"`
	AutoReply string   `json:"autoReply,omitempty"` // a template
	Tags      []string `json:"tags,omitempty"`
	Close     *Close   `json:"close,omitempty"`
	Wait      *Wait    `json:"wait,omitempty"`
}

// Place is a queue or an agent that the interaction waits for.
type Place struct {
	Name string `json:"name"`
	// Timeout is when the flow goes on; zero is never.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Close ends the interaction.
type Close struct {
	Disposition string `json:"disposition,omitempty"`
}

// Wait has exactly one of its fields.
type Wait struct {
	For       time.Duration `json:"for,omitempty"`
	UntilOpen string        `json:"untilOpen,omitempty"` // a schedule
}

// Template of an automatic answer.
type Template struct {
	Subject string `json:"subject"`
	Text    string `json:"text,omitempty"`
	HTML    string `json:"html,omitempty"`
}

// Input is what conditions are about.
type Input struct {
	Subject, From string
	To            []string
	// Headers by name in lower case.
	Headers         map[string]string
	Size            int64
	HasAttachments  bool
	Automatic       bool
	CustomerName    string
	AccountName     string
	AccountAddress  string
	CustomerAddress string
}

// Action is what a flow comes to.
type Action string

// Actions.
const (
	// Queue: wait in Outcome.Target for a member.
	Queue Action = "Queue"
	// Agent: wait for the agent Outcome.Target.
	Agent Action = "Agent"
	// Wait until Outcome.Due, then go on.
	WaitAction Action = "Wait"
	// CloseAction closes the interaction.
	CloseAction Action = "Close"
	// End: no step is left.
	End Action = "End"
)

// Reasons of what happened at a step, for the history.
const (
	// ReasonSkipped: the condition of the step is false, or the step cannot be done.
	ReasonSkipped = "FlowSkipped"
	// ReasonConditionFailed: the condition has no result for this mail, so the step is left out.
	ReasonConditionFailed = "FlowConditionFailed"
	// ReasonTagged: tags were added.
	ReasonTagged = "FlowTagged"
	// ReasonReplied: an automatic answer is on its way.
	ReasonReplied = "FlowReplied"
	// ReasonReplyWithheld: the automatic answer was not sent; the detail says why.
	ReasonReplyWithheld = "FlowReplyWithheld"
	// ReasonWaiting: the flow goes on later.
	ReasonWaiting = "FlowWaiting"
	// ReasonQueued: to the queue of the step.
	ReasonQueued = "FlowQueued"
	// ReasonAgent: to the agent of the step.
	ReasonAgent = "FlowAgent"
	// ReasonClosed: closed by the step.
	ReasonClosed = "FlowClosed"
	// ReasonEnded: no step took the interaction.
	ReasonEnded = "FlowEnded"
	// ReasonGone: the flow, or the step it was at, does not exist any more.
	ReasonGone = "FlowGone"
)

// Entry is one line of the history.
type Entry struct {
	Step   string
	Reason string
	// Detail without data of a customer.
	Detail string
	// Reply is the template to answer with, for ReasonReplied.
	Reply string
	// Tags to add, for ReasonTagged.
	Tags []string
}

// Outcome of a run.
type Outcome struct {
	Action Action
	// Step it stopped at; empty for End.
	Step string
	// Target is a queue or an agent.
	Target string
	// Due is when the flow goes on; zero for never.
	Due time.Time
	// Disposition of a CloseAction.
	Disposition string
	// Entries are the steps passed on the way, in order.
	Entries []Entry
}

// Can tells whether a queue or an agent can be used, and if not why.
type Can func(action Action, name string) (ok bool, why string)

// Start runs a flow from its first step.
func (f *Flow) Start(in Input, now time.Time, can Can) Outcome { return f.run(0, in, now, can) }

// Continue runs a flow after a step. ok is false when the flow has no such step.
func (f *Flow) Continue(after string, in Input, now time.Time, can Can) (out Outcome, ok bool) {
	at := slices.IndexFunc(f.steps, func(s step) bool { return s.Name == after })
	if at < 0 {
		return Outcome{Action: End}, false
	}
	return f.run(at+1, in, now, can), true
}

// Due says until when a step that began at since holds; zero is for ever. ok is false when the flow has no such step, or
// one that does not wait.
func (f *Flow) Due(name string, since, now time.Time) (due time.Time, ok bool) {
	at := slices.IndexFunc(f.steps, func(s step) bool { return s.Name == name })
	if at < 0 {
		return time.Time{}, false
	}
	s := f.steps[at]
	switch place := s.place(); {
	case place != nil && place.Timeout == 0:
		return time.Time{}, true
	case place != nil:
		return since.Add(place.Timeout), true
	case s.Wait != nil && s.Wait.UntilOpen != "":
		due, _ := f.opens(s.Wait.UntilOpen, now)
		return due, true
	case s.Wait != nil:
		return since.Add(s.Wait.For), true
	}
	return time.Time{}, false
}

// opens is now or the next time a schedule opens; ok is false when it never does.
func (f *Flow) opens(name string, now time.Time) (time.Time, bool) {
	hours := f.schedules[name]
	if hours.Open(now) {
		return now, true
	}
	next := hours.NextChange(now)
	if next.IsZero() {
		return now, false
	}
	return next, true
}

func (s *step) place() *Place {
	if s.Queue != nil {
		return s.Queue
	}
	return s.Agent
}

func (f *Flow) run(from int, in Input, now time.Time, can Can) Outcome {
	out := Outcome{Action: End}
	for i := from; i < len(f.steps); i++ {
		s := &f.steps[i]
		if e := f.applies(s, in, now); e.Reason != "" {
			out.Entries = append(out.Entries, e)
			continue
		}
		if f.do(s, &out, now, can) {
			out.Step = s.Name
			return out
		}
	}
	return out
}

// applies gives the reason why a step is left out, if it is.
func (f *Flow) applies(s *step, in Input, now time.Time) Entry {
	if in.Automatic && !s.automatic && s.AutoReply == "" && s.Tags == nil {
		return Entry{Step: s.Name, Reason: ReasonSkipped, Detail: "an automatic mail, which the step's condition does not ask about"}
	}
	if s.program == nil {
		return Entry{}
	}
	is, err := f.holds(s, in, now)
	switch {
	case err != nil:
		return Entry{Step: s.Name, Reason: ReasonConditionFailed, Detail: "the condition has no result for this mail"}
	case !is:
		return Entry{Step: s.Name, Reason: ReasonSkipped, Detail: "the condition is false"}
	}
	return Entry{}
}

// do carries a step into the outcome; stops says that the run ends here.
func (f *Flow) do(s *step, out *Outcome, now time.Time, can Can) (stops bool) {
	note := func(e Entry) {
		e.Step = s.Name
		out.Entries = append(out.Entries, e)
	}
	switch place := s.place(); {
	case place != nil:
		action := Queue
		if s.Agent != nil {
			action = Agent
		}
		if ok, why := can(action, place.Name); !ok {
			note(Entry{Reason: ReasonSkipped, Detail: why})
			return false
		}
		out.Action, out.Target = action, place.Name
		if place.Timeout > 0 {
			out.Due = now.Add(place.Timeout)
		}
		return true
	case s.AutoReply != "":
		note(Entry{Reason: ReasonReplied, Reply: s.AutoReply})
	case s.Tags != nil:
		note(Entry{Reason: ReasonTagged, Tags: s.Tags})
	case s.Close != nil:
		out.Action, out.Disposition = CloseAction, s.Close.Disposition
		return true
	case s.Wait != nil && s.Wait.UntilOpen != "":
		opens, ever := f.opens(s.Wait.UntilOpen, now)
		if !opens.After(now) {
			detail := fmt.Sprintf("Schedule %s is open", s.Wait.UntilOpen)
			if !ever {
				detail = fmt.Sprintf("Schedule %s never opens", s.Wait.UntilOpen)
			}
			note(Entry{Reason: ReasonSkipped, Detail: detail})
			return false
		}
		out.Action, out.Due = WaitAction, opens
		return true
	case s.Wait != nil:
		out.Action, out.Due = WaitAction, now.Add(s.Wait.For)
		return true
	}
	return false
}
