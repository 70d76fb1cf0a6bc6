package pbxlet

import (
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

const (
	// failureSpacing makes what phones do with one wrong password one failure:
	// some answer a challenge twice, or try all their lines. However fast somebody
	// guesses, no more is told.
	failureSpacing = time.Second
	// maxFailures of one endpoint wait for a manager that is away: as many as the
	// highest limit of a center.
	maxFailures = 20
)

// failures are wrong passwords of phones, by endpoint: bounded by the size of
// the center.
type failures struct {
	last    map[string]time.Time
	pending map[string]*pbxlinkv1.SignInFailures
}

func newFailures() failures {
	return failures{last: map[string]time.Time{}, pending: map[string]*pbxlinkv1.SignInFailures{}}
}

// event takes in a ChallengeResponseFailed and tells whether it counts. PJSIP
// sends it for a wrong digest alone: a first request without one is a
// ChallengeSent, and so is an answer to a nonce that is too old.
func (f failures) event(m ami.Message, now time.Time) bool {
	extension := m.Get("AccountID")
	if m.Get("Service") != "PJSIP" || now.Sub(f.last[extension]) < failureSpacing {
		return false
	}
	f.last[extension] = now
	p := f.pending[extension]
	if p == nil {
		p = &pbxlinkv1.SignInFailures{Extension: extension}
		f.pending[extension] = p
	}
	p.Count = min(p.GetCount()+1, maxFailures)
	p.Address = remoteAddress(m.Get("RemoteAddress"))
	return true
}

// remoteAddress is the IP address in "IPV4/UDP/192.0.2.7/5060".
func remoteAddress(s string) string {
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return ""
	}
	return parts[2]
}

// take moves what is unsent into a batch.
func (f failures) take(e *pbxlinkv1.Events) {
	for _, p := range f.pending {
		e.SignInFailures = append(e.SignInFailures, p)
	}
	clear(f.pending)
}

// keep forgets endpoints that are ours no more.
func (f failures) keep(endpoints map[string]bool) {
	for extension := range f.last {
		if !endpoints[extension] {
			delete(f.last, extension)
			delete(f.pending, extension)
		}
	}
}
