package pbxlet_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

type drained struct {
	cut int
	err error
}

// drain drains the rig's Asterisk with so much patience.
func (r *rig) drain(patience time.Duration) <-chan drained {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	done := make(chan drained, 1)
	go func() {
		cut, err := pbxlet.Drain(ctx, pbxlet.Config{
			AMIAddr: r.asterisk.AMIAddr, AMIUser: r.asterisk.AMIUser, AMISecret: r.asterisk.AMISecret, Logger: logger(r.t),
		})
		done <- drained{cut, err}
	}()
	return done
}

func (r *rig) refusesCalls(p *phone.Phone) {
	r.t.Helper()
	r.eventually("new calls are refused", func() error {
		call, err := p.Call(r.soon(), "1002")
		if err == nil {
			return call.Hangup(r.soon())
		}
		if !contains(err.Error(), "503") {
			return err
		}
		return nil
	})
}

func (r *rig) asteriskEnds() {
	r.t.Helper()
	r.eventually("Asterisk has ended", func() error {
		if r.asterisk.Running() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
}

func TestDrainLetsCallsEnd(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(3))
	alice, carol := r.registered("1001"), r.registered("1003")
	r.registered("1002")
	call, err := alice.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	done := r.drain(30 * time.Second)
	r.refusesCalls(carol)
	_, heard := call.Audio()
	r.audio(call, heard+50)
	select {
	case d := <-done:
		t.Fatalf("it did not wait for the call: %+v", d)
	default:
	}
	if err := call.Hangup(r.soon()); err != nil {
		t.Fatal(err)
	}
	select {
	case d := <-done:
		if d.err != nil || d.cut != 0 {
			t.Errorf("drained: %d, %v", d.cut, d.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not notice that the call has ended")
	}
	r.asteriskEnds()
	if err := r.asterisk.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.eventually("phones are registered as before", func() error {
		if st := r.status(); !st.AsteriskUp || st.Registered != 3 {
			return fmt.Errorf("status %+v", brief(st))
		}
		return nil
	})
}

func TestDrainCountsWhatOutlastsIt(t *testing.T) {
	r := newRig(t)
	r.apply(r.center(2))
	alice := r.registered("1001")
	r.registered("1002")
	call, err := alice.Call(r.soon(), "1002")
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	d := <-r.drain(2 * time.Second)
	if d.err != nil || d.cut != 1 || time.Since(started) < 2*time.Second {
		t.Errorf("drained: %d, %v after %s, want one call cut after two seconds", d.cut, d.err, time.Since(started))
	}
	// Until the supervisor ends the process the call goes on.
	_, heard := call.Audio()
	r.audio(call, heard+25)
	if err := r.asterisk.Stop(); err != nil {
		t.Fatal(err)
	}
	if d := <-r.drain(2 * time.Second); d.err == nil {
		t.Error("an Asterisk that does not run was drained")
	}
}
