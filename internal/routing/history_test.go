package routing

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A history is a shift in small: agents come, pause and go, interactions arrive, are accepted, rejected, forgotten and
// closed, and after each event everything that waits is decided, as the store does it. A million of them keep:
//   - nobody has more than the capacity;
//   - every interaction is in one place, with one agent at most, and never lost;
//   - nothing waits while a member who has not declined it has room;
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
	agent int
	until time.Time
}

type history struct {
	rng          *rand.Rand
	now          time.Time
	queue        Queue
	members      []Candidate
	interactions []held
	// ahead[a][b] is how many offers more than b the member a got since both have been free.
	ahead [4][4]int
}

func (h *history) run(rng *rand.Rand) error {
	h.rng, h.now = rng, now
	h.queue = Queue{Name: "q", Strategy: RRMemory, OfferTimeout: 20 * time.Second}
	if rng.IntN(4) == 0 {
		h.queue.Strategy = LeastRecent
	}
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
		if i := &h.interactions[n]; i.state == Offered && i.agent == m {
			h.leave(i, Queued)
		}
	}
}

func (h *history) leave(i *held, to State) {
	h.members[i.agent].Load--
	h.free(i.agent)
	i.state = to
}

func (h *history) decline(i *held) {
	if i.Declined == nil {
		i.Declined = map[string]int{}
	}
	i.Declined[h.members[i.agent].Agent]++
	i.DeclinedAt = h.now
	h.leave(i, Queued)
}

// act does what an agent does with an interaction.
func (h *history) act(i *held) {
	switch {
	case i.state == Open:
		h.leave(i, Closed)
	case i.state == Offered && h.rng.IntN(3) == 0:
		h.decline(i)
	case i.state == Offered:
		i.state, i.Declined = Open, nil
	}
}

// route decides for everything that waits, in order, as a routing transaction does.
func (h *history) route() error {
	for n := range h.interactions {
		if i := &h.interactions[n]; i.state == Offered && !h.now.Before(i.until) {
			h.decline(i)
		}
	}
	for n := range h.interactions {
		i := &h.interactions[n]
		if i.state != Queued {
			continue
		}
		d := Decide(i.Interaction, h.queue, h.members, h.now)
		if d.Action != Offer {
			continue
		}
		m := int(d.Agent[0] - 'a')
		if m < 0 || m >= len(h.members) || !h.members[m].Available() {
			return fmt.Errorf("offered to %q, who cannot take it", d.Agent)
		}
		if err := h.offer(i, m, d); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) offer(i *held, m int, d Decision) error {
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
			return fmt.Errorf("%s was asked twice before %s", d.Agent, c.Agent)
		}
	}
	if d.StartOver {
		i.Declined = nil
	}
	h.now = h.now.Add(time.Microsecond) // each offer has its own moment
	h.members[m].Load++
	h.members[m].LastOffered = h.now
	h.queue.LastOffered = d.Agent
	if c := h.members[m]; !c.Available() {
		h.free(m)
	}
	i.state, i.agent, i.until = Offered, m, d.Deadline
	return nil
}

func (h *history) check() error {
	var loads [4]int
	for n := range h.interactions {
		i := &h.interactions[n]
		switch i.state {
		case Offered, Open:
			loads[i.agent]++
		case Queued:
			for m := range h.members {
				if c := &h.members[m]; c.Available() && i.Declined[c.Agent] == 0 {
					return fmt.Errorf("interaction %d waits although %s is free", n, c.Agent)
				}
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
