package pbxlet

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

func failure(extension, service, address string) ami.Message {
	return ami.Message{{Name: "Event", Value: "ChallengeResponseFailed"}, {Name: "Service", Value: service}, {Name: "AccountID", Value: extension},
		{Name: "RemoteAddress", Value: address}}
}

func TestFailuresAreSpacedAndBounded(t *testing.T) {
	f, now := newFailures(), time.Unix(1_700_000_000, 0)
	for range 3 { // one password, tried at once by all lines of a phone
		f.event(failure("1001", "PJSIP", "IPV4/UDP/192.0.2.7/5060"), now)
	}
	for range 2 * maxFailures {
		now = now.Add(failureSpacing)
		f.event(failure("1002", "PJSIP", "IPV6/TLS/2001:db8::7/5061"), now)
	}
	f.event(failure("1003", "AMI", "IPV4/TCP/127.0.0.1/5038"), now)
	take := func() map[string]*pbxlinkv1.SignInFailures {
		var e pbxlinkv1.Events
		f.take(&e)
		got := map[string]*pbxlinkv1.SignInFailures{}
		for _, p := range e.GetSignInFailures() {
			got[p.GetExtension()] = p
		}
		return got
	}
	want := map[string]*pbxlinkv1.SignInFailures{
		"1001": {Extension: "1001", Count: 1, Address: "192.0.2.7"},
		"1002": {Extension: "1002", Count: maxFailures, Address: "2001:db8::7"},
	}
	if diff := cmp.Diff(want, take(), protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := take(); len(got) != 0 {
		t.Errorf("told twice: %v", got)
	}
	f.keep(map[string]bool{"1002": true})
	if len(f.last) != 1 {
		t.Errorf("%d endpoints are kept", len(f.last))
	}
}

// Names that are no endpoint's, of which a scanner has thousands, take no memory and wake nobody.
func TestFailuresOfStrangers(t *testing.T) {
	woken := 0
	tb := newTables(func() { woken++ }, t.TempDir())
	tb.setEndpoints([]string{"1001"})
	for n := range 1000 {
		tb.event(failure(fmt.Sprint(2000+n), "PJSIP", "IPV4/UDP/192.0.2.7/5060"))
	}
	if woken != 0 || len(tb.failures.last)+len(tb.failures.pending) != 0 {
		t.Errorf("woken %d times, %d kept", woken, len(tb.failures.last))
	}
	tb.event(failure("1001", "PJSIP", "IPV4/UDP/192.0.2.7/5060"))
	if e := tb.take(); woken != 1 || len(e.GetSignInFailures()) != 1 {
		t.Errorf("woken %d times, told %v", woken, e)
	}
}
