package calls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// TestReloads: while the endpoints are loaded again and again, phones register
// without a failure and a call goes on.
func TestReloads(t *testing.T) {
	s := newScene(t)
	caller, called := s.agent(), s.agent()
	var others []string
	for range 20 {
		others = append(others, s.agent())
	}
	s.alone()
	c, d := registered(t, caller, says(400)), registered(t, called, says(700))
	out := call(t, c, called)
	in := inCall(t, d)

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, extension := range others {
		p := newPhone(t, extension)
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := p.Register(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 5 {
		s.agents[0].DisplayName = fmt.Sprintf("Name %d", n)
		s.alone()
		hears(t, "the caller", out, []float64{700}, []float64{400})
		hears(t, "the called", in, []float64{400}, []float64{700})
	}
	stop()
	wg.Wait()
	hangup(t, out)
}

// TestManyPhones registers two hundred phones, which keep themselves so.
func TestManyPhones(t *testing.T) {
	s := newScene(t)
	tm := s.newTeam(200)
	s.start()
	errs := make(chan error, len(tm.names))
	for _, extension := range tm.names {
		p := newPhone(t, extension, func(o *phone.Options) { o.Refresh = 30 * time.Second })
		go func() { errs <- p.Register(soon(t)) }()
	}
	for range tm.names {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	found := map[string]bool{}
	for _, m := range list(t, "PJSIPShowContacts") {
		extension, _, _ := strings.Cut(m.Get("ObjectName"), ";")
		found[extension] = true
	}
	for _, extension := range tm.names {
		if !found[extension] {
			t.Errorf("%s has no contact", extension)
		}
	}
}

// TestAdvertisedAddress: phones outside of the local networks are shown the
// address that is reached from there. It needs transports of its own.
func TestAdvertisedAddress(t *testing.T) {
	const advertised = "203.0.113.7"
	other, err := newStage(t.Context(), env.Asterisk(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.close(); err != nil {
			t.Error(err)
		}
	}()
	inside, outside, caller := endpoint("1001"), endpoint("1002"), endpoint("1003")
	c := voice.Center{PBX: other.settings, Agents: []voice.Endpoint{inside, outside, caller}}
	c.PBX.AdvertisedAddress, c.PBX.LocalNetworks = advertised, []string{"127.0.0.1/32", "127.0.0.2/32"}
	if err := other.link.load(c); err != nil {
		t.Fatal(err)
	}
	at := func(extension, local string) *phone.Phone {
		return registered(t, extension, rings, func(o *phone.Options) { o.Server, o.Local = other.asterisk.SIPAddr, local })
	}
	from := at("1003", "127.0.0.2")
	for extension, local := range map[string]string{"1001": "127.0.0.2", "1002": "127.0.0.3"} {
		p := at(extension, local)
		d := dial(t, from, extension)
		eventually(t, "it rings", func() error {
			if p.Rings() == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		offer := p.Incoming()[0].Offer
		if got, want := strings.Contains(offer, "c=IN IP4 "+advertised), extension == "1002"; got != want {
			t.Errorf("%s at %s is shown the advertised address: %t, want %t:\n%s", extension, local, got, want, offer)
		}
		d.giveUp()
	}
}
