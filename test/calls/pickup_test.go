package calls

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// TestPickup answers with *8 a call that rings at a colleague.
func TestPickup(t *testing.T) {
	s := newScene(t)
	caller := s.agent()
	type part struct{ caller, away, colleague, stranger string }
	parts := map[string]part{}
	for name, change := range map[string][2]func(*voice.Endpoint){
		"Groups": {
			func(e *voice.Endpoint) { e.CallGroups = []int{7, 63} },
			func(e *voice.Endpoint) { e.PickupGroups = []int{0, 63} },
		},
		"NamedGroups": {
			func(e *voice.Endpoint) { e.NamedCallGroups = []string{"sales"} },
			func(e *voice.Endpoint) { e.NamedPickupGroups = []string{"billing", "sales"} },
		},
	} {
		parts[name] = part{
			caller: s.agent(), away: s.agent(change[0]), colleague: s.agent(change[1]),
			stranger: s.agent(func(e *voice.Endpoint) {
				e.PickupGroups, e.NamedPickupGroups = []int{5}, []string{"support"}
			}),
		}
	}
	s.start()
	for name, p := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, colleague, stranger := registered(t, p.caller, says(400)), registered(t, p.colleague, says(700)), registered(t, p.stranger)
			away := registered(t, p.away, rings)
			ringing := dial(t, from, p.away)
			isRinging(t, away)
			if c, err := stranger.Call(soon(t), "*8"); err == nil {
				ended(t, c)
			}
			if away.Ringing() != 1 {
				t.Fatal("somebody outside of the group took the call")
			}
			taken := call(t, colleague, "*8")
			hears(t, "the colleague", taken, []float64{400}, nil)
			hears(t, "the caller", ringing.answered(t), []float64{700}, nil)
			isFree(t, away)
			hangup(t, taken)
		})
	}
	t.Run("NothingRings", func(t *testing.T) {
		t.Parallel()
		c, err := registered(t, caller).Call(soon(t), "*8")
		if err == nil {
			ended(t, c)
		}
	})
}
