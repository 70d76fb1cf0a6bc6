package calls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/test/phone"
)

type phoneOption = func(*phone.Options)

// newPhone makes the phone of an extension without registering it.
func newPhone(t *testing.T, extension string, change ...phoneOption) *phone.Phone {
	t.Helper()
	opts := phone.Options{
		Server: pbx.asterisk.SIPAddr, User: extension, AuthUser: "user." + extension, Password: password(extension), RootCAs: pbx.roots,
	}
	for _, c := range change {
		c(&opts)
	}
	p, err := phone.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// registered is a phone that has registered.
func registered(t *testing.T, extension string, change ...phoneOption) *phone.Phone {
	t.Helper()
	p := newPhone(t, extension, change...)
	if err := p.Register(soon(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// rings is a phone that rings and is not answered by itself.
func rings(o *phone.Options) { o.Mode = phone.RingOnly }

// busy is a phone that refuses calls.
func busy(o *phone.Options) { o.Mode = phone.Busy }

// unavailable is a phone that says nobody is there.
func unavailable(o *phone.Options) { o.Mode = phone.Unavailable }

// says sets the tone the phone sends.
func says(hz float64) phoneOption { return func(o *phone.Options) { o.Tone = hz } }

// requestTimeout bounds one exchange with what it waits for.
const requestTimeout = 20 * time.Second

// soon is a context for one SIP exchange and what it waits for.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
	t.Cleanup(cancel)
	return ctx
}

// call dials and waits for the answer.
func call(t *testing.T, from *phone.Phone, target string) *phone.Call {
	t.Helper()
	c, err := from.Call(soon(t), target)
	if err != nil {
		t.Fatalf("calling %s: %v", target, err)
	}
	return c
}

// refused asserts that a call fails with the SIP status.
func refused(t *testing.T, from *phone.Phone, target string, code int) {
	t.Helper()
	c, err := from.Call(soon(t), target)
	if got := status(err); got != code {
		t.Errorf("calling %s: got %v, %v; want SIP %d", target, c, err, code)
	}
	if c != nil {
		hangup(t, c)
	}
}

// status is the SIP status of a refusal, 0 for anything else.
func status(err error) int {
	if refusal, ok := errors.AsType[*phone.StatusError](err); ok {
		return refusal.Code
	}
	return 0
}

func hangup(t *testing.T, c *phone.Call) {
	t.Helper()
	if err := c.Hangup(soon(t)); err != nil {
		t.Error(err)
	}
}

// dialling is a call that is being placed.
type dialling struct {
	cancel context.CancelFunc
	done   chan struct{}
	call   *phone.Call
	err    error
}

// dial places a call beside the test; giveUp or the test's end cancels it.
func dial(t *testing.T, from *phone.Phone, target string) *dialling {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	d := &dialling{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.call, d.err = from.Call(ctx, target)
	}()
	t.Cleanup(d.giveUp)
	return d
}

func (d *dialling) giveUp() {
	d.cancel()
	<-d.done
}

// answered waits until the call is up.
func (d *dialling) answered(t *testing.T) *phone.Call {
	t.Helper()
	<-d.done
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.call
}

// isRinging waits until the phone rings.
func isRinging(t *testing.T, p *phone.Phone) {
	t.Helper()
	eventually(t, "it rings", func() error {
		if p.Ringing() == 0 {
			return fmt.Errorf("it rang %d times", p.Rings())
		}
		return nil
	})
}

// isFree waits until the phone has neither a call nor rings, and Asterisk has
// noticed.
func isFree(t *testing.T, p *phone.Phone) {
	t.Helper()
	eventually(t, "the phone is free", func() error {
		state := action(t, "Getvar", "Variable", "DEVICE_STATE(PJSIP/"+p.User()+")").Get("Value")
		if p.Calls() != 0 || p.Ringing() != 0 || state != "NOT_INUSE" && state != "UNAVAILABLE" {
			return fmt.Errorf("%d calls, %d ringing, %s", p.Calls(), p.Ringing(), state)
		}
		return nil
	})
}

// inCall waits until the phone has one call and returns it.
func inCall(t *testing.T, p *phone.Phone) *phone.Call {
	t.Helper()
	eventually(t, "the call is up", func() error {
		if p.Calls() != 1 {
			return fmt.Errorf("%d calls, rang %d times", p.Calls(), p.Rings())
		}
		return nil
	})
	return p.LastCall()
}

// loud is the least amplitude at which a tone counts as heard, quiet the
// greatest at which it counts as not heard; a phone sends 8000.
const loud, quiet = 2000, 300

// hears waits until the call carries every tone of want, and then asserts that
// it carries none of not.
func hears(t *testing.T, who string, c *phone.Call, want, not []float64) {
	t.Helper()
	eventually(t, who+" hears", func() error {
		for _, hz := range want {
			if level := c.Level(hz); level < loud {
				return fmt.Errorf("%v Hz at %.0f", hz, level)
			}
		}
		for _, hz := range not {
			if level := c.Level(hz); level > quiet {
				return fmt.Errorf("%v Hz at %.0f, which must not be heard", hz, level)
			}
		}
		return nil
	})
}

// audible waits until d of the audio received was not silence.
func audible(t *testing.T, c *phone.Call, d time.Duration) {
	t.Helper()
	eventually(t, "something is heard", func() error {
		if got := c.Audible(); got < d {
			return fmt.Errorf("%s were not silence, want %s", got, d)
		}
		return nil
	})
}

// talk calls, asserts that both hear each other, and hangs up.
func talk(t *testing.T, from *phone.Phone, target string, to *phone.Phone) {
	t.Helper()
	out := call(t, from, target)
	in := inCall(t, to)
	for _, c := range []*phone.Call{out, in} {
		audible(t, c, 200*time.Millisecond)
	}
	hangup(t, out)
	isFree(t, to)
	isFree(t, from)
}

// ring is one time that a phone rang.
type ring struct {
	extension string
	at        time.Time
}

// ringOrder is who rang when, over several phones.
func ringOrder(phones map[string]*phone.Phone) []ring {
	var order []ring
	for extension, p := range phones {
		for _, in := range p.Incoming() {
			order = append(order, ring{extension, in.At})
		}
	}
	slices.SortFunc(order, func(a, b ring) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.extension, b.extension)) })
	return order
}

func extensions(order []ring) []string {
	var names []string
	for _, r := range order {
		names = append(names, r.extension)
	}
	return names
}
