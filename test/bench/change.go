package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

const (
	// changeTimeout bounds one change, far above its budget.
	changeTimeout = time.Minute
	// registerPause between two attempts is the resolution of the measurement.
	registerPause = 10 * time.Millisecond
)

// measureChange changes agents' SIP passwords one after the other and registers with the new one as soon as that works.
func (b *bench) measureChange(ctx context.Context, c *center) error {
	agents, err := c.agentsByName(ctx)
	if err != nil {
		return err
	}
	var took, reload []time.Duration
	for i := range b.changes {
		// A change comes when nobody changed anything a moment ago, and at no fixed distance to anything periodic.
		if err := sleep(ctx, 1500*time.Millisecond+rand.N(time.Second)); err != nil {
			return err
		}
		d, err := c.changeOne(ctx, agents[agentName(i*c.agents/b.changes)], fmt.Sprintf("phone-changed-%04d", i))
		if err != nil {
			return err
		}
		took = append(took, d)
		if d, err = c.reloadAlone(ctx); err != nil {
			return err
		}
		reload = append(reload, d)
	}
	work := fmt.Sprintf("one of %d agents changed", c.agents)
	b.report.add(work, "REGISTER with the new secret, p50", percentile(took, 50).Seconds(), "s", atMost(1.5))
	b.report.add(work, "REGISTER with the new secret, p99", percentile(took, 99).Seconds(), "s", atMost(3))
	b.report.add(work, "Asterisk's reload of these files alone, p50", percentile(reload, 50).Seconds(), "s", nil)
	b.report.add(work, "change ÷ reload alone, p50", percentile(took, 50).Seconds()/percentile(reload, 50).Seconds(), "x", nil)
	return nil
}

// reloadAlone is how long Asterisk takes for the files it has, while nobody changes anything: the part of every change that is not ours.
func (c *center) reloadAlone(ctx context.Context) (time.Duration, error) {
	// What follows the change, its status and the counts of the center, is over.
	if err := sleep(ctx, time.Second); err != nil {
		return 0, err
	}
	// Asterisk reads a file again only when its time or size has changed; a password changes this one.
	now := time.Now()
	if err := os.Chtimes(filepath.Join(c.stack.Asterisk.StateDir, "current", voice.PJSIPAuthFile), now, now); err != nil {
		return 0, err
	}
	begin := time.Now()
	_, err := c.stack.Asterisk.RX(ctx, "module reload res_pjsip.so")
	return time.Since(begin), err
}

func (c *center) changeOne(ctx context.Context, a *v1alpha1.Agent, password string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	p, err := c.phone(a, password)
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.Close() }()
	begin := time.Now()
	if err := c.setSIPPassword(ctx, a.Name, password); err != nil {
		return 0, err
	}
	for {
		err := p.Register(ctx)
		if err == nil {
			return time.Since(begin), nil
		}
		if _, refused := errors.AsType[*phone.StatusError](err); !refused {
			return 0, err
		}
		if err := sleep(ctx, registerPause); err != nil {
			return 0, fmt.Errorf("agent %s cannot register with the new password: %w", a.Name, err)
		}
	}
}

// phone of an agent, with a password given.
func (c *center) phone(a *v1alpha1.Agent, password string) (*phone.Phone, error) {
	return phone.New(phone.Options{
		Server: c.stack.Asterisk.SIPAddr, User: a.Status.Extension, AuthUser: a.Status.Username, Password: password,
	})
}

// measureFlood changes many SIP passwords at once. The moment they are live is when the PBX acknowledged a version with all of
// them; that it told the truth is shown by every phone registering at the first attempt.
func (b *bench) measureFlood(ctx context.Context, c *center) error {
	agents, err := c.agentsByName(ctx)
	if err != nil {
		return err
	}
	var pbx v1alpha1.PBX
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: env.CenterNamespace, Name: "main"}, &pbx); err != nil {
		return err
	}
	// The reload of a change just before is over.
	if err := sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	n := min(b.flood, c.agents)
	digests := make([]string, n)
	reloads, inForce := c.reloads(), len(c.inForce())
	begin := time.Now()
	g, patching := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for i := range n {
		a := agents[agentName(i)]
		digests[i] = voice.HA1(a.Status.Username, pbx.Spec.Realm, floodPassword(i))
		g.Go(func() error { return c.setSIPPassword(patching, a.Name, floodPassword(i)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	accepted := time.Now()
	live, err := c.awaitDigests(ctx, digests, inForce)
	if err != nil {
		return err
	}
	// One more second for a reload that would follow.
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	used := c.reloads() - reloads
	if err := c.registerAll(ctx, agents, n); err != nil {
		return err
	}
	work := fmt.Sprintf("%d of %d agents changed at once", n, c.agents)
	b.report.add(work, "reloads of res_pjsip", float64(used), "reloads", atMost(3))
	b.report.add(work, "all live after the last write was accepted", max(0, live.Sub(accepted).Seconds()), "s", atMost(6))
	b.report.add(work, "writes accepted after", accepted.Sub(begin).Seconds(), "s", nil)
	return nil
}

func floodPassword(i int) string { return fmt.Sprintf("phone-flooded-%05d", i) }

// reloads is how often Asterisk has reloaded its SIP configuration, as its own log says.
func (c *center) reloads() int {
	return occurrences(filepath.Join(c.stack.Asterisk.LogDir, "messages.log"), "Reloading module 'res_pjsip.so'")
}

// applied is a version that Asterisk was found to run, by the pbxlet's log.
type applied struct {
	at      time.Time
	version string
}

var inForceLine = regexp.MustCompile(`^time=(\S+) .*msg="snapshot in force" version=([0-9a-f]+) `)

func (c *center) inForce() (list []applied) {
	for line := range strings.Lines(fileText(c.stack.PBXlet.LogFile())) {
		m := inForceLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, m[1]); err == nil {
			list = append(list, applied{at, m[2]})
		}
	}
	return list
}

// awaitDigests waits for a version, after the first so many, whose endpoints have all the digests, and tells since when it is in
// force.
func (c *center) awaitDigests(ctx context.Context, digests []string, seen int) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		list := c.inForce()
		for _, v := range list[seen:] {
			// A version that is gone again was followed by another one.
			raw, err := os.ReadFile(filepath.Join(c.stack.Asterisk.StateDir, "versions", v.version, voice.PJSIPAuthFile))
			if err == nil && hasAll(string(raw), digests) {
				return v.at, nil
			}
		}
		seen = len(list)
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("waiting for %d changes to be in force: %w", len(digests), err)
		}
	}
}

func hasAll(text string, digests []string) bool {
	have := map[string]bool{}
	for line := range strings.Lines(text) {
		if digest, ok := strings.CutPrefix(strings.TrimSpace(line), "password_digest=MD5:"); ok {
			have[digest] = true
		}
	}
	for _, d := range digests {
		if !have[d] {
			return false
		}
	}
	return true
}

// registerAll registers the first n agents with their new passwords; one refusal is a failure.
func (c *center) registerAll(ctx context.Context, agents map[string]*v1alpha1.Agent, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range n {
		g.Go(func() error {
			p, err := c.phone(agents[agentName(i)], floodPassword(i))
			if err != nil {
				return err
			}
			defer func() { _ = p.Close() }()
			if err := p.Register(ctx); err != nil {
				return fmt.Errorf("%s, although its version is in force: %w", agentName(i), err)
			}
			return nil
		})
	}
	return g.Wait()
}
