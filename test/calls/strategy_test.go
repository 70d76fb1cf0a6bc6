package calls

import (
	"slices"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// quick answers at once.
func quick(o *phone.Options) { o.AnswerAfter = time.Millisecond }

// TestStrategy checks the order in which the members of a queue ring under
// each strategy.
func TestStrategy(t *testing.T) {
	s := newScene(t)
	type part struct {
		caller, queue string
		team          *team
	}
	parts := map[voice.Strategy]part{}
	checks := map[voice.Strategy]func(*testing.T, *phone.Phone, string, *team){
		voice.Ringall: ringall, voice.LeastRecent: leastRecent, voice.FewestCalls: fewestCalls, voice.Random: random,
		voice.RRMemory: rrMemory, voice.RROrdered: rrOrdered, voice.Linear: linear, voice.WRandom: wrandom,
	}
	for strategy := range checks {
		p := part{caller: s.agent(), team: s.newTeam(3)}
		p.queue = s.queue(p.team.names, func(q *voice.Queue) {
			q.Strategy, q.Timeout = strategy, time.Second
			if strategy == voice.WRandom {
				q.Members[1].Penalty, q.Members[2].Penalty = 1, 1
			}
		})
		parts[strategy] = p
	}
	s.start()
	for strategy, check := range checks {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			p := parts[strategy]
			check(t, registered(t, p.caller), p.queue, p.team)
		})
	}
}

func ringall(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, rings)
	dial(t, caller, queue)
	tm.rung(t, 3)
	order := ringOrder(tm.phones)[:3]
	if apart := order[2].at.Sub(order[0].at); apart > 800*time.Millisecond {
		t.Errorf("they rang %s apart", apart)
	}
	if who := extensions(order); !slices.Equal(slices.Sorted(slices.Values(who)), tm.names) {
		t.Errorf("%v rang, want each of %v once", who, tm.names)
	}
}

// leastRecent compares whole seconds, so every call takes more than one.
func leastRecent(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	var order []string
	for range 6 {
		order = append(order, tm.serve(t, caller, queue, spoken(t, 55)))
	}
	if !slices.Equal(slices.Sorted(slices.Values(order[:3])), tm.names) || !slices.Equal(order[:3], order[3:]) {
		t.Errorf("calls went to %v, want each member in turn, twice", order)
	}
	// Who does not answer stays the one whose last call is longest ago.
	tm.phones[order[0]].SetMode(phone.RingOnly)
	before := len(ringOrder(tm.phones))
	dial(t, caller, queue)
	if who := tm.rung(t, before+2)[before:]; who[0] != order[0] || who[1] != order[0] {
		t.Errorf("%v rang, want %s alone", who, order[0])
	}
}

func fewestCalls(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	for i, served := range []int{2, 1} {
		pause(t, tm.names...)
		ready(t, tm.names[i])
		for range served {
			tm.serve(t, caller, queue, nil)
		}
	}
	ready(t, tm.names...)
	if who := tm.serve(t, caller, queue, nil); who != tm.names[2] {
		t.Errorf("the call went to %s, want %s, who had none", who, tm.names[2])
	}
	var rest []string
	for range 2 {
		rest = append(rest, tm.serve(t, caller, queue, nil))
	}
	if !slices.Equal(slices.Sorted(slices.Values(rest)), tm.names[1:]) {
		t.Errorf("the next two calls went to %v, want one each to %v", rest, tm.names[1:])
	}
}

func random(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	pause(t, tm.names[0])
	count := map[string]int{}
	for range 16 {
		count[tm.serve(t, caller, queue, nil)]++
	}
	// One of two members is left out with a probability of 2 in 65,536.
	if count[tm.names[0]] != 0 || count[tm.names[1]] == 0 || count[tm.names[2]] == 0 {
		t.Errorf("calls by member: %v; the first is paused", count)
	}
}

// wrandom makes a penalty a matter of chance: under every other strategy who
// has one gets nothing while the first is there.
func wrandom(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	count := map[string]int{}
	for range 24 {
		count[tm.serve(t, caller, queue, nil)]++
	}
	// All 24 go to the first with a probability of 2 in a million, to the others
	// with less.
	if first := count[tm.names[0]]; first == 0 || first == 24 {
		t.Errorf("calls by member: %v", count)
	}
}

func rrMemory(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	var order []string
	for range 6 {
		order = append(order, tm.serve(t, caller, queue, nil))
	}
	if !slices.Equal(slices.Sorted(slices.Values(order[:3])), tm.names) || !slices.Equal(order[:3], order[3:]) {
		t.Errorf("calls went to %v, want each member in turn, twice", order)
	}
	// Who does not answer has had a turn.
	tm.phones[order[0]].SetMode(phone.RingOnly)
	before := len(ringOrder(tm.phones))
	dial(t, caller, queue)
	if who := tm.rung(t, before+2)[before:]; !slices.Equal(who, order[:2]) {
		t.Errorf("%v rang, want %v", who, order[:2])
	}
}

func rrOrdered(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, quick)
	var order []string
	for range 4 {
		order = append(order, tm.serve(t, caller, queue, nil))
	}
	next := func(name string) string { return tm.names[(slices.Index(tm.names, name)+1)%len(tm.names)] }
	for i := range order[1:] {
		if order[i+1] != next(order[i]) {
			t.Errorf("calls went to %v, want the order of %v from wherever it begins", order, tm.names)
			break
		}
	}
}

func linear(t *testing.T, caller *phone.Phone, queue string, tm *team) {
	tm.arrive(t, rings)
	rung := func(n int) []string {
		before := len(ringOrder(tm.phones))
		d := dial(t, caller, queue)
		order := tm.rung(t, before+n)[before:]
		hangup(t, d.answered(t)) // by the queue, with music
		for _, p := range tm.phones {
			isFree(t, p)
		}
		return order
	}
	for _, n := range []int{2, 3} {
		if order := rung(n); !slices.Equal(order, tm.names[:n]) {
			t.Errorf("%v rang, want %v: each call begins with the first", order, tm.names[:n])
		}
	}
}
