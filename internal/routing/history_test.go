package routing

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A history is a shift in small: agents come, pause and go, interactions arrive, are accepted, rejected, forgotten and
// closed, and after each event everything that waits is decided, as the store does it. A million of them keep:
//   - nobody has more than the capacity;
//   - every interaction is in one place, with one agent at most (BeepAll asks all of the lowest penalty who have room, and the first who
//     accepts has it), and never lost;
//   - nothing waits while a member who has not declined it has room, or longer than the wrap-up time of the first who has;
//   - RRMemory is fair: between two members who were both free all the while, offers differ by one at most.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		workers := runtime.GOMAXPROCS(0)
		found := make([]error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				var h history
				for n := w; n < historiesPerSeed && found[w] == nil; n += workers {
					if err := h.run(rand.New(rand.NewPCG(seed, uint64(n)))); err != nil {
						found[w] = fmt.Errorf("history %d: %w", n, err)
					}
				}
			})
		}
		wg.Wait()
		for _, err := range found {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// held is an interaction of a history.
type held struct {
	Interaction
	state State
	// asked are the members it is offered to, or the one it is open with.
	asked []int
	until time.Time
	// again is when it is looked at although nothing happens.
	again time.Time
}

type history struct {
	rng          *rand.Rand
	now          time.Time
	queue        Queue
	members      []Candidate
	interactions []held
	// ahead[a][b] is how many offers more than b the member a got since both have been free.
	ahead [4][4]int
	// wrapUp is the queue's wrap-up time.
	wrapUp time.Duration
}

func (h *history) run(rng *rand.Rand) error {
	h.rng, h.now = rng, now
	h.queue = Queue{Name: "q", Strategy: RRMemory, OfferTimeout: 20 * time.Second}
	switch rng.IntN(5) {
	case 0:
		h.queue.Strategy = LeastRecent
	case 1, 2:
		h.queue.Strategy = BeepAll
	}
	h.wrapUp = time.Duration(rng.IntN(3)) * 7 * time.Second
	h.members, h.interactions, h.ahead = h.members[:0], h.interactions[:0], [4][4]int{}
	for n := range 1 + rng.IntN(4) {
		h.members = append(h.members, Candidate{Agent: string(rune('a' + n)), Active: true, SignedIn: rng.IntN(4) > 0, Capacity: rng.IntN(3)})
	}
	if rng.IntN(3) == 0 {
		h.members[0].Penalty = 1
	}
	for range 4 + rng.IntN(8) {
		h.event()
		if err := h.route(); err != nil {
			return err
		}
		if err := h.check(); err != nil {
			return err
		}
	}
	return nil
}

// free starts the count of fairness anew: m was not free, or is not any more.
func (h *history) free(m int) {
	for other := range h.members {
		h.ahead[m][other], h.ahead[other][m] = 0, 0
	}
}

func (h *history) event() {
	h.now = h.now.Add(time.Duration(h.rng.IntN(12)) * time.Second)
	for m := range h.members {
		if c := &h.members[m]; !c.WrapUp.IsZero() && !h.now.Before(c.WrapUp) {
			c.WrapUp = time.Time{}
			h.free(m)
		}
	}
	m := h.rng.IntN(len(h.members))
	switch c := &h.members[m]; h.rng.IntN(10) {
	case 0:
		c.SignedIn = !c.SignedIn
		h.free(m)
		h.takeBack(m)
	case 1:
		c.Paused = !c.Paused
		h.free(m)
		h.takeBack(m)
	case 2, 3, 4, 5:
		h.interactions = append(h.interactions, held{state: Queued, Interaction: Interaction{ID: "i", QueuedAt: h.now}})
	default:
		if len(h.interactions) > 0 {
			h.act(&h.interactions[h.rng.IntN(len(h.interactions))])
		}
	}
}

// takeBack ends the offers of a member who cannot answer any more.
func (h *history) takeBack(m int) {
	if c := h.members[m]; c.SignedIn && !c.Paused {
		return
	}
	for n := range h.interactions {
		if i := &h.interactions[n]; i.state == Offered && slices.Contains(i.asked, m) {
			h.leave(i, m, Queued)
		}
	}
}

// leave ends the part of a member; the last one's end brings the interaction where it says.
func (h *history) leave(i *held, m int, to State) {
	h.members[m].Load--
	h.free(m)
	i.asked = slices.DeleteFunc(i.asked, func(other int) bool { return other == m })
	if len(i.asked) == 0 {
		i.state = to
	}
}

func (h *history) decline(i *held, m int) {
	if i.Declined == nil {
		i.Declined = map[string]int{}
	}
	i.Declined[h.members[m].Agent]++
	i.DeclinedAt = h.now
	h.leave(i, m, Queued)
}

// act does what an agent does with an interaction.
func (h *history) act(i *held) {
	if i.state != Open && i.state != Offered {
		return
	}
	m := i.asked[h.rng.IntN(len(i.asked))]
	switch {
	case i.state == Open:
		if h.wrapUp > 0 {
			h.members[m].WrapUp = h.now.Add(h.wrapUp)
		}
		h.leave(i, m, Closed)
	case h.rng.IntN(3) == 0:
		h.decline(i, m)
	default:
		for _, other := range slices.Clone(i.asked) {
			if other != m {
				h.leave(i, other, Open)
			}
		}
		i.state, i.Declined = Open, nil
	}
}

// route decides for everything that waits, in order, as a routing transaction does.
func (h *history) route() error {
	for n := range h.interactions {
		if i := &h.interactions[n]; i.state == Offered && !h.now.Before(i.until) {
			for _, m := range slices.Clone(i.asked) {
				h.decline(i, m)
			}
		}
	}
	for n := range h.interactions {
		i := &h.interactions[n]
		if i.state != Queued {
			continue
		}
		d := Decide(i.Interaction, h.queue, h.members, h.now)
		i.again = d.RetryAt
		if d.Action != Offer {
			continue
		}
		if err := h.offer(i, d); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) offer(i *held, d Decision) error {
	names := d.Agents
	if len(names) == 0 {
		names = []string{d.Agent}
	}
	if len(names) != 1 && (h.queue.Strategy != BeepAll || d.Agent != "") {
		return fmt.Errorf("offered to %q and %q by %s", d.Agent, names, h.queue.Strategy)
	}
	if h.queue.Strategy == BeepAll {
		if want := h.everyone(i, d.StartOver); !slices.Equal(names, want) {
			return fmt.Errorf("offered to %q, and those who can take it are %q", names, want)
		}
	}
	for _, name := range names {
		m := slices.IndexFunc(h.members, func(c Candidate) bool { return c.Agent == name })
		if m < 0 || !h.members[m].Available() {
			return fmt.Errorf("offered to %q, who cannot take it", name)
		}
		if err := h.give(i, m); err != nil {
			return err
		}
	}
	if d.StartOver {
		i.Declined = nil
	}
	i.state, i.until = Offered, d.Deadline
	return nil
}

// everyone is whom BeepAll must ask: all of the lowest penalty who have room and, unless it starts over, have not declined.
func (h *history) everyone(i *held, startOver bool) []string {
	var names []string
	penalty := 0
	for _, c := range h.members { // in the order of names
		if !c.Available() || !startOver && i.Declined[c.Agent] > 0 {
			continue
		}
		if len(names) == 0 || c.Penalty < penalty {
			names, penalty = nil, c.Penalty
		}
		if c.Penalty == penalty {
			names = append(names, c.Agent)
		}
	}
	return names
}

// give counts the offer of i to one member, whose turn it is.
func (h *history) give(i *held, m int) error {
	if len(i.Declined) > 0 {
		h.ahead = [4][4]int{} // who declined it was passed over, and the round goes on from another place
	}
	for other := range h.members {
		c := &h.members[other]
		// Only between equals who could both have had it there is a turn to keep.
		if other == m || !c.Available() || c.Penalty != h.members[m].Penalty || len(i.Declined) > 0 {
			h.ahead[m][other], h.ahead[other][m] = 0, 0
			continue
		}
		h.ahead[m][other]++
		h.ahead[other][m]--
		if h.queue.Strategy == RRMemory && h.ahead[m][other] > 1 {
			return fmt.Errorf("%s was asked twice before %s", h.members[m].Agent, c.Agent)
		}
	}
	h.now = h.now.Add(time.Microsecond) // each offer has its own moment
	h.members[m].Load++
	h.members[m].LastOffered = h.now
	h.queue.LastOffered = h.members[m].Agent
	if c := h.members[m]; !c.Available() {
		h.free(m)
	}
	i.asked = append(i.asked, m)
	return nil
}

func (h *history) check() error {
	var loads [4]int
	for n := range h.interactions {
		i := &h.interactions[n]
		switch i.state {
		case Offered, Open:
			if len(i.asked) == 0 || i.state == Open && len(i.asked) > 1 {
				return fmt.Errorf("interaction %d is %s with %d members", n, i.state, len(i.asked))
			}
			for _, m := range i.asked {
				loads[m]++
			}
		case Queued:
			if err := h.checkWait(i); err != nil {
				return fmt.Errorf("interaction %d waits %w", n, err)
			}
		case Closed:
		default:
			return fmt.Errorf("interaction %d is lost in state %q", n, i.state)
		}
	}
	for m, c := range h.members {
		if c.Load != loads[m] {
			return fmt.Errorf("%s is said to have %d, and has %d", c.Agent, c.Load, loads[m])
		}
		if c.Capacity > 0 && c.Load > c.Capacity {
			return fmt.Errorf("%s has %d of %d", c.Agent, c.Load, c.Capacity)
		}
	}
	return nil
}

// checkWait: nobody can take it now, and it is looked at again when the first of those can whom only wrap-up time keeps.
func (h *history) checkWait(i *held) error {
	if len(i.asked) > 0 {
		return fmt.Errorf("and is with %d members", len(i.asked))
	}
	for m := range h.members {
		c := &h.members[m]
		if i.Declined[c.Agent] > 0 {
			continue
		}
		if c.Available() {
			return fmt.Errorf("although %s is free", c.Agent)
		}
		if c.hasRoom() && (i.again.IsZero() || i.again.After(c.WrapUp)) {
			return fmt.Errorf("until %v, and %s is free at %v", i.again, c.Agent, c.WrapUp)
		}
	}
	return nil
}
