package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// startOverAfter is how long an interaction that everyone available has declined rests before it is offered anew.
const startOverAfter = 30 * time.Second

// mentioned is how many passed-over agents a Detail names before it counts them.
const mentioned = 4

// Decide is the decision: the best available candidate that has not declined the interaction. Lower penalties go first,
// within one penalty the queue's strategy decides; BeepAll takes all of it. When all available candidates have declined, it waits a while and
// starts over.
func Decide(i Interaction, q Queue, candidates []Candidate, now time.Time) Decision {
	fresh := func(c *Candidate) bool { return c.Available() && i.Declined[c.Agent] == 0 }
	best, among := choose(q, candidates, fresh)
	startOver := false
	if best == nil {
		if best, among = choose(q, candidates, func(c *Candidate) bool { return c.Available() }); best == nil {
			return Decision{Action: Wait, RetryAt: wrappedUp(candidates, func(*Candidate) bool { return true }), Detail: nobody(i, candidates)}
		}
		if retry := i.DeclinedAt.Add(startOverAfter); now.Before(retry) {
			if back := wrappedUp(candidates, func(c *Candidate) bool { return i.Declined[c.Agent] == 0 }); !back.IsZero() && back.Before(retry) {
				retry = back
			}
			return Decision{Action: Wait, RetryAt: retry, Detail: "everyone available declined" + passedOver(i, candidates)}
		}
		startOver = true
	}
	d := Decision{
		Action: Offer, Agent: best.Agent, Deadline: now.Add(q.OfferTimeout), StartOver: startOver,
		Detail: explain(q, best, among, startOver) + passedOver(i, candidates),
	}
	if q.Strategy == BeepAll && among > 1 {
		d.Agent, d.Agents = "", equals(i, best.Penalty, candidates, startOver)
	}
	return d
}

// choose returns the best candidate that ok admits, and how many shared its penalty.
func choose(q Queue, candidates []Candidate, ok func(*Candidate) bool) (best *Candidate, among int) {
	for n := range candidates {
		c := &candidates[n]
		if !ok(c) {
			continue
		}
		switch {
		case best == nil || c.Penalty < best.Penalty:
			best, among = c, 1
		case c.Penalty == best.Penalty:
			among++
			if before(q, c, best) {
				best = c
			}
		}
	}
	return best, among
}

// wrappedUp is when the first wrap-up time ends of those that only this keeps from taking something; zero when there is none.
func wrappedUp(candidates []Candidate, ok func(*Candidate) bool) time.Time {
	var first time.Time
	for n := range candidates {
		if c := &candidates[n]; c.hasRoom() && !c.WrapUp.IsZero() && ok(c) && (first.IsZero() || c.WrapUp.Before(first)) {
			first = c.WrapUp
		}
	}
	return first
}

// equals are those of one penalty who can take i, by name. Starting over, those who declined can too.
func equals(i Interaction, penalty int, candidates []Candidate, startOver bool) []string {
	var names []string
	for n := range candidates {
		c := &candidates[n]
		if c.Penalty == penalty && c.Available() && (startOver || i.Declined[c.Agent] == 0) {
			names = append(names, c.Agent)
		}
	}
	slices.Sort(names)
	return names
}

// before: of two with the same penalty, a comes first.
func before(q Queue, a, b *Candidate) bool {
	if q.Strategy == LeastRecent {
		if d := a.LastOffered.Compare(b.LastOffered); d != 0 {
			return d < 0
		}
		return a.Agent < b.Agent
	}
	// Round robin: the names after the last one come first.
	aAfter, bAfter := a.Agent > q.LastOffered, b.Agent > q.LastOffered
	if aAfter != bAfter {
		return aAfter
	}
	return cmp.Less(a.Agent, b.Agent)
}

func explain(q Queue, best *Candidate, among int, startOver bool) string {
	var b strings.Builder
	switch {
	case among == 1 && best.Penalty == 0:
		b.WriteString("only one available")
	case among == 1:
		fmt.Fprintf(&b, "only one available with penalty %d", best.Penalty)
	case q.Strategy == BeepAll:
		fmt.Fprintf(&b, "all %d at once", among)
	case q.Strategy == LeastRecent && best.LastOffered.IsZero():
		fmt.Fprintf(&b, "of %d the one without an offer yet", among)
	case q.Strategy == LeastRecent:
		fmt.Fprintf(&b, "of %d the least recent, last offer %s", among, best.LastOffered.UTC().Format(time.RFC3339))
	case q.LastOffered == "":
		fmt.Fprintf(&b, "first of %d", among)
	default:
		fmt.Fprintf(&b, "next of %d after %s", among, q.LastOffered)
	}
	if startOver {
		b.WriteString(", everyone declined before")
	}
	return b.String()
}

// nobody says why none of the members can take it.
func nobody(i Interaction, candidates []Candidate) string {
	if len(candidates) == 0 {
		return "the queue has no members"
	}
	text := "nobody available" + passedOver(i, candidates)
	if len(candidates) <= mentioned {
		return text // which names those who are signed out
	}
	away := 0
	for n := range candidates {
		if candidates[n].Hindrance() == signedOut {
			away++
		}
	}
	if away > 0 {
		text += fmt.Sprintf("; %d signed out", away)
	}
	return text
}

// passedOver names those who could not take it, and why.
func passedOver(i Interaction, candidates []Candidate) string {
	var b strings.Builder
	named, more := 0, 0
	for n := range candidates {
		c := &candidates[n]
		why := c.Hindrance()
		if why == "" && i.Declined[c.Agent] > 0 {
			why = "declined"
		}
		// Who is signed out is the normal case in a large team and explains little.
		if why == "" || why == signedOut && len(candidates) > mentioned {
			continue
		}
		if named == mentioned {
			more++
			continue
		}
		named++
		fmt.Fprintf(&b, "; %s %s", c.Agent, why)
	}
	if more > 0 {
		fmt.Fprintf(&b, "; %d more", more)
	}
	return b.String()
}

const signedOut = "signed out"

// Hindrance says in words why the agent cannot take one more interaction; empty when it can.
func (c Candidate) Hindrance() string {
	switch {
	case !c.Active:
		return "deactivated"
	case !c.SignedIn:
		return signedOut
	case c.Paused:
		return "paused"
	case !c.hasRoom():
		return fmt.Sprintf("at capacity %d/%d", c.Load, c.Capacity)
	case !c.Available():
		return "in wrap-up until " + c.WrapUp.UTC().Format(time.RFC3339)
	}
	return ""
}
