package calls

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// TestMonitoring proves by tones who hears whom while a supervisor is in an
// agent's call.
func TestMonitoring(t *testing.T) {
	const agentTone, callerTone, supervisorTone = 400, 700, 1100
	s := newScene(t)
	type part struct{ supervisor, agent, caller string }
	parts := map[string]part{}
	modes := map[string]struct {
		code                           string
		agentHears, callerHears, quiet []float64
	}{
		"Listen":  {"*71", []float64{callerTone}, []float64{agentTone}, []float64{supervisorTone}},
		"Whisper": {"*72", []float64{callerTone, supervisorTone}, []float64{agentTone}, nil},
		"Barge":   {"*73", []float64{callerTone, supervisorTone}, []float64{agentTone, supervisorTone}, nil},
	}
	for name := range modes {
		p := part{supervisor: s.agent(), caller: s.agent()}
		p.agent = s.agent(func(e *voice.Endpoint) { e.Monitoring, e.Supervisors = true, []string{p.supervisor} })
		parts[name] = p
	}
	boss, stranger, caller := s.agent(), s.agent(), s.agent()
	denied := s.agent(func(e *voice.Endpoint) { e.Supervisors = []string{boss} })
	allowed := s.agent(func(e *voice.Endpoint) { e.Monitoring, e.Supervisors = true, []string{boss} })
	s.start()
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parts[name]
			a := registered(t, p.agent, says(agentTone))
			c := registered(t, p.caller, says(callerTone))
			out := call(t, c, p.agent)
			in := inCall(t, a)
			spy := call(t, registered(t, p.supervisor, says(supervisorTone)), mode.code+p.agent)
			hears(t, "the supervisor", spy, []float64{agentTone, callerTone}, []float64{supervisorTone})
			hears(t, "the agent", in, mode.agentHears, mode.quiet)
			not := mode.quiet
			if name == "Whisper" {
				not = []float64{supervisorTone}
			}
			hears(t, "the caller", out, mode.callerHears, not)
			hangup(t, out)
			ended(t, spy)
		})
	}
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		b, other := registered(t, boss), registered(t, stranger)
		for _, agent := range []string{denied, allowed} {
			phone := registered(t, agent)
			up := call(t, registered(t, caller), agent)
			inCall(t, phone)
			for _, code := range []string{"*71", "*72", "*73"} {
				refused(t, other, code+agent, 403)
				if agent == denied {
					refused(t, b, code+agent, 403)
				}
			}
			hangup(t, up)
			isFree(t, phone)
		}
		refused(t, b, "*719999", 403)
		refused(t, b, "*71"+allowed, 480) // there is no call to listen to
	})
}
