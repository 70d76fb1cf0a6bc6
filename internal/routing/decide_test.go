package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func ready(agent string, change ...func(*Candidate)) Candidate {
	c := Candidate{Agent: agent, Active: true, SignedIn: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

func paused(c *Candidate) { c.Paused = true }
func wrapping(d time.Duration) func(*Candidate) {
	return func(c *Candidate) { c.WrapUp = now.Add(d) }
}
func away(c *Candidate)        { c.SignedIn = false }
func deactivated(c *Candidate) { c.Active = false }

func penalty(p int) func(*Candidate) { return func(c *Candidate) { c.Penalty = p } }
func load(n, of int) func(*Candidate) {
	return func(c *Candidate) { c.Load, c.Capacity = n, of }
}
func offered(ago time.Duration) func(*Candidate) {
	return func(c *Candidate) { c.LastOffered = now.Add(-ago) }
}

func TestDecide(t *testing.T) {
	abc := []Candidate{ready("alice"), ready("bob"), ready("carol")}
	for name, tc := range map[string]struct {
		interaction Interaction
		strategy    Strategy
		last        string
		candidates  []Candidate
		want        Decision
	}{
		"nobody": {
			want: Decision{Action: Wait, Detail: "the queue has no members"},
		},
		"everyone busy": {
			candidates: []Candidate{ready("alice", paused), ready("bob", load(2, 2)), ready("carol", away), ready("dave", deactivated)},
			want: Decision{Action: Wait,
				Detail: "nobody available; alice paused; bob at capacity 2/2; carol signed out; dave deactivated"},
		},
		"wrap-up time ends": {
			candidates: []Candidate{ready("alice", wrapping(time.Minute)), ready("bob", wrapping(time.Second), paused), ready("carol", wrapping(20*time.Second)),
				ready("dave", wrapping(time.Second), load(1, 1))},
			want: Decision{Action: Wait, RetryAt: now.Add(20 * time.Second), Detail: "nobody available; alice in wrap-up until 2026-03-01T08:01:00Z; bob paused; " +
				"carol in wrap-up until 2026-03-01T08:00:20Z; dave at capacity 1/1"},
		},
		"wrap-up time ends before the rest": {
			interaction: Interaction{Declined: map[string]int{"alice": 1, "bob": 1}, DeclinedAt: now},
			candidates:  []Candidate{ready("alice"), ready("bob", wrapping(time.Second)), ready("carol", wrapping(10*time.Second))},
			want: Decision{Action: Wait, RetryAt: now.Add(10 * time.Second), Detail: "everyone available declined; alice declined; " +
				"bob in wrap-up until 2026-03-01T08:00:01Z; carol in wrap-up until 2026-03-01T08:00:10Z"},
		},
		"and after it": {
			interaction: Interaction{Declined: map[string]int{"alice": 1}, DeclinedAt: now},
			candidates:  []Candidate{ready("alice"), ready("carol", wrapping(time.Minute))},
			want: Decision{Action: Wait, RetryAt: now.Add(30 * time.Second),
				Detail: "everyone available declined; alice declined; carol in wrap-up until 2026-03-01T08:01:00Z"},
		},
		"a large team that has gone home": {
			candidates: []Candidate{ready("alice", away), ready("bob", away), ready("carol", away), ready("dave", away), ready("erin", paused)},
			want:       Decision{Action: Wait, Detail: "nobody available; erin paused; 4 signed out"},
		},
		"first ever": {
			candidates: abc,
			want:       Decision{Action: Offer, Agent: "alice", Detail: "first of 3"},
		},
		"next in the round": {
			last:       "bob",
			candidates: []Candidate{ready("alice"), ready("bob"), ready("carol"), ready("dave", paused), ready("erin", load(2, 2))},
			want:       Decision{Action: Offer, Agent: "carol", Detail: "next of 3 after bob; dave paused; erin at capacity 2/2"},
		},
		"round starts again": {
			last: "carol", candidates: abc,
			want: Decision{Action: Offer, Agent: "alice", Detail: "next of 3 after carol"},
		},
		"the last one left the queue": {
			last: "azra", candidates: abc,
			want: Decision{Action: Offer, Agent: "bob", Detail: "next of 3 after azra"},
		},
		"order of candidates does not matter": {
			last: "alice", candidates: []Candidate{abc[2], abc[0], abc[1]},
			want: Decision{Action: Offer, Agent: "bob", Detail: "next of 3 after alice"},
		},
		"capacity 0 is unlimited": {
			candidates: []Candidate{ready("alice", load(99, 0))},
			want:       Decision{Action: Offer, Agent: "alice", Detail: "only one available"},
		},
		"lower penalty first, whoever is next": {
			last:       "alice",
			candidates: []Candidate{ready("alice", penalty(1)), ready("bob", penalty(5)), ready("carol", penalty(1), paused)},
			want:       Decision{Action: Offer, Agent: "alice", Detail: "only one available with penalty 1; carol paused"},
		},
		"least recent": {
			strategy:   LeastRecent,
			candidates: []Candidate{ready("alice", offered(time.Minute)), ready("bob", offered(time.Hour)), ready("carol", offered(time.Second))},
			want:       Decision{Action: Offer, Agent: "bob", Detail: "of 3 the least recent, last offer 2026-03-01T07:00:00Z"},
		},
		"least recent without any": {
			strategy:   LeastRecent,
			candidates: []Candidate{ready("alice", offered(time.Minute)), ready("bob")},
			want:       Decision{Action: Offer, Agent: "bob", Detail: "of 2 the one without an offer yet"},
		},
		"declined goes to others, even with a higher penalty": {
			interaction: Interaction{Declined: map[string]int{"alice": 1}, DeclinedAt: now},
			candidates:  []Candidate{ready("alice"), ready("bob", penalty(9))},
			want:        Decision{Action: Offer, Agent: "bob", Detail: "only one available with penalty 9; alice declined"},
		},
		"everyone declined rests": {
			interaction: Interaction{Declined: map[string]int{"alice": 1, "bob": 2}, DeclinedAt: now.Add(-10 * time.Second)},
			candidates:  []Candidate{ready("alice"), ready("bob"), ready("carol", paused)},
			want: Decision{Action: Wait, RetryAt: now.Add(20 * time.Second),
				Detail: "everyone available declined; alice declined; bob declined; carol paused"},
		},
		"and starts over": {
			interaction: Interaction{Declined: map[string]int{"alice": 1, "bob": 1}, DeclinedAt: now.Add(-30 * time.Second)},
			last:        "alice",
			candidates:  []Candidate{ready("alice"), ready("bob")},
			want: Decision{Action: Offer, Agent: "bob", StartOver: true,
				Detail: "next of 2 after alice, everyone declined before; alice declined; bob declined"},
		},
		"everyone at once": {
			strategy:   BeepAll,
			candidates: []Candidate{ready("carol"), ready("bob", paused), ready("alice"), {Agent: "eve", Penalty: 1, Active: true, SignedIn: true}},
			want:       Decision{Action: Offer, Agents: []string{"alice", "carol"}, Detail: "all 2 at once; bob paused"},
		},
		"everyone who has not declined": {
			strategy:    BeepAll,
			interaction: Interaction{Declined: map[string]int{"bob": 1}, DeclinedAt: now},
			candidates:  []Candidate{ready("alice"), ready("bob"), ready("carol")},
			want:        Decision{Action: Offer, Agents: []string{"alice", "carol"}, Detail: "all 2 at once; bob declined"},
		},
		"the only one of all": {
			strategy:    BeepAll,
			interaction: Interaction{Declined: map[string]int{"bob": 1}, DeclinedAt: now},
			candidates:  []Candidate{ready("alice"), ready("bob")},
			want:        Decision{Action: Offer, Agent: "alice", Detail: "only one available; bob declined"},
		},
		"everyone starts over": {
			strategy:    BeepAll,
			interaction: Interaction{Declined: map[string]int{"alice": 1, "bob": 1}, DeclinedAt: now.Add(-30 * time.Second)},
			candidates:  []Candidate{ready("alice"), ready("bob")},
			want: Decision{Action: Offer, Agents: []string{"alice", "bob"}, StartOver: true,
				Detail: "all 2 at once, everyone declined before; alice declined; bob declined"},
		},
		"a long list is counted": {
			candidates: []Candidate{ready("a", paused), ready("b", paused), ready("c", paused), ready("d", paused), ready("e", paused), ready("f", away), ready("g")},
			want:       Decision{Action: Offer, Agent: "g", Detail: "only one available; a paused; b paused; c paused; d paused; 1 more"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			strategy := tc.strategy
			if strategy == "" {
				strategy = RRMemory
			}
			got := Decide(tc.interaction, Queue{Name: "q", Strategy: strategy, OfferTimeout: 20 * time.Second, LastOffered: tc.last}, tc.candidates, now)
			if tc.want.Action == Offer {
				tc.want.Deadline = now.Add(20 * time.Second)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}

func drawCandidates(t *rapid.T) []Candidate {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-e]{1,3}`), 0, 8, rapid.ID[string]).Draw(t, "agents")
	out := make([]Candidate, len(names))
	for i, name := range names {
		out[i] = Candidate{
			Agent: name, Penalty: rapid.IntRange(0, 2).Draw(t, "penalty"), Active: rapid.IntRange(0, 5).Draw(t, "active") > 0,
			SignedIn: rapid.IntRange(0, 4).Draw(t, "signedIn") > 0, Paused: rapid.IntRange(0, 4).Draw(t, "paused") == 0,
			Capacity: rapid.IntRange(0, 3).Draw(t, "capacity"), Load: rapid.IntRange(0, 4).Draw(t, "load"),
			LastOffered: now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "last")) * time.Minute),
		}
	}
	return out
}

// One decision: only the eligible get anything, nobody eligible with a better claim is passed over, and the same
// question has the same answer.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		candidates := drawCandidates(t)
		i := Interaction{ID: "i", Declined: map[string]int{}, DeclinedAt: now.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "declinedAgo")) * time.Second)}
		for _, c := range candidates {
			if rapid.Bool().Draw(t, "declined") {
				i.Declined[c.Agent]++
			}
		}
		q := Queue{Strategy: rapid.SampledFrom([]Strategy{RRMemory, LeastRecent, BeepAll}).Draw(t, "strategy"), OfferTimeout: time.Minute,
			LastOffered: rapid.StringMatching(`[a-e]{0,3}`).Draw(t, "lastOffered")}
		d := Decide(i, q, candidates, now)

		shuffled := rapid.Permutation(candidates).Draw(t, "shuffled")
		if again := Decide(i, q, shuffled, now); again.Agent != d.Agent || again.Action != d.Action || !slices.Equal(again.Agents, d.Agents) {
			t.Fatalf("%+v, in another order %+v", d, again)
		}
		var fresh, available []Candidate
		for _, c := range candidates {
			if c.Available() {
				available = append(available, c)
				if i.Declined[c.Agent] == 0 {
					fresh = append(fresh, c)
				}
			}
		}
		switch d.Action {
		case Wait:
			if len(fresh) > 0 || len(available) > 0 && !d.RetryAt.After(now) {
				t.Fatalf("waits although it need not: %+v", d)
			}
		case Offer:
			pool := fresh
			if len(fresh) == 0 {
				pool = available
			}
			checkBest(t, d, q, pool)
			if d.StartOver != (len(fresh) == 0) || !d.Deadline.Equal(now.Add(time.Minute)) {
				t.Fatalf("decision %+v", d)
			}
		default:
			t.Fatalf("action %q", d.Action)
		}
		if d.Detail == "" || strings.Contains(d.Detail, "%!") {
			t.Fatalf("detail %q", d.Detail)
		}
	})
}

// checkAll: exactly those of the lowest penalty are asked.
func checkAll(t *rapid.T, d Decision, pool []Candidate) {
	least := slices.MinFunc(pool, func(a, b Candidate) int { return a.Penalty - b.Penalty }).Penalty
	var want []string
	for _, c := range pool {
		if c.Penalty == least {
			want = append(want, c.Agent)
		}
	}
	slices.Sort(want)
	if got := d.Agents; len(want) > 1 && !slices.Equal(got, want) || len(want) == 1 && (d.Agent != want[0] || got != nil) {
		t.Fatalf("asks %q %q, want %q", d.Agent, got, want)
	}
}

func checkBest(t *rapid.T, d Decision, q Queue, pool []Candidate) {
	if q.Strategy == BeepAll {
		checkAll(t, d, pool)
		return
	}
	for _, chosen := range pool {
		if chosen.Agent != d.Agent {
			continue
		}
		for _, c := range pool {
			if c.Penalty < chosen.Penalty {
				t.Fatalf("%s before %s with a lower penalty", chosen.Agent, c.Agent)
			}
			if c.Penalty == chosen.Penalty && q.Strategy == LeastRecent && c.LastOffered.Before(chosen.LastOffered) {
				t.Fatalf("%s before %s, whose last offer is longer ago", chosen.Agent, c.Agent)
			}
		}
		return
	}
	t.Fatalf("%s is not eligible", d.Agent)
}

// Many decisions in a row, as the store applies them: no capacity is exceeded, nothing waits while somebody has room,
// and among equals nobody gets two more than another.
func TestSequenceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		candidates := drawCandidates(t)
		for n := range candidates {
			c := &candidates[n]
			c.Load = min(c.Load, max(c.Capacity, 0)) // nobody starts above the capacity
		}
		equal := rapid.Bool().Draw(t, "equal")
		if equal {
			for n := range candidates {
				candidates[n] = Candidate{Agent: candidates[n].Agent, Active: true, SignedIn: true, LastOffered: now.Add(-time.Hour)}
			}
		}
		q := Queue{Strategy: rapid.SampledFrom([]Strategy{RRMemory, LeastRecent, BeepAll}).Draw(t, "strategy"), OfferTimeout: time.Minute}
		got := map[string]int{}
		for n := range rapid.IntRange(1, 40).Draw(t, "interactions") {
			at := now.Add(time.Duration(n) * time.Millisecond)
			d := Decide(Interaction{ID: fmt.Sprint(n)}, q, candidates, at)
			room := false
			for n := range candidates {
				c := &candidates[n]
				room = room || c.Available()
				if d.Action == Offer && (c.Agent == d.Agent || slices.Contains(d.Agents, c.Agent)) {
					c.Load++
					c.LastOffered, q.LastOffered = at, c.Agent
					got[c.Agent]++
				}
				if c.Capacity > 0 && c.Load > c.Capacity {
					t.Fatalf("%s has %d of %d", c.Agent, c.Load, c.Capacity)
				}
			}
			if (d.Action == Offer) != room {
				t.Fatalf("%s although room is %v", d.Action, room)
			}
		}
		if !equal {
			return
		}
		least, most := 1<<30, 0
		for _, c := range candidates {
			least, most = min(least, got[c.Agent]), max(most, got[c.Agent])
		}
		if len(candidates) > 0 && most-least > 1 {
			t.Fatalf("unfair: %v", got)
		}
	})
}
