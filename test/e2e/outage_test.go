package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

var _ = Describe("Asterisk killed", func() {
	const (
		phones = 200
		calls  = 50
	)

	It("amid 50 calls and 200 registrations comes back as it was, and is reported", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*3))
		manifests := []string{
			signIn("ready", `extension: "1397"`), signIn("resting", `extension: "1398"`), agent("home", `extension: "1399"`),
			queueOf("outage", "699", "{agentSelector: {matchLabels: {crew: all}}}", ""),
		}
		for n := range phones {
			manifests = append(manifests, crewless(fmt.Sprintf("phone-%03d", n), fmt.Sprint(1400+n)))
		}
		apply(ctx, center, manifests...)
		kubectl(ctx, "wait", "--for=condition=Ready", "agents", "--all", "-n", center, "--timeout="+patience.String())
		awaitReady(ctx, center, "queue/outage", "pbx/main")
		ready, resting := registered(ctx, "ready"), registered(ctx, "resting")
		Expect(atDesk(ctx, center, "ready").SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		Expect(atDesk(ctx, center, "resting").SetPresence(ctx, desk.PresencePaused, "Lunch")).To(Succeed())

		all := registerAll(ctx, phones)
		Eventually(rows(ctx, center, "pbxes", "main")).Should(shows("REGISTERED", fmt.Sprint(phones+2)))
		g := new(errgroup.Group)
		g.SetLimit(10)
		for n := range calls {
			g.Go(func() error { _, err := all[n].Call(ctx, fmt.Sprint(1400+calls+n)); return err })
		}
		Expect(g.Wait()).To(Succeed())
		Eventually(func() (string, error) { return stack.Asterisk.RX(ctx, "core show channels count") }).Should(ContainSubstring("50 active calls"))
		Eventually(memberState).WithArguments(ctx, "1398").Should(ContainSubstring("Lunch"))

		By("killing it")
		Expect(stack.Asterisk.Kill9()).To(Succeed())
		Eventually(func() string {
			return kubectl(ctx, "get", "pbx/main", "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="Connected")].reason} {.status.activeCalls}`)
		}).Should(Equal("AsteriskDown 0"), "the outage is reported")
		Eventually(func() string {
			return kubectl(ctx, "get", "agent/phone-000", "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="Registered")].status}`)
		}).Should(Equal("Unknown"))

		By("starting it again")
		Expect(stack.Asterisk.Restart(ctx)).To(Succeed())
		started := time.Now()
		Eventually(memberState).WithArguments(ctx, "1398").WithPolling(200*time.Millisecond).Should(ContainSubstring("Lunch"), "the pause with its reason")
		GinkgoWriter.Printf("pause reasons are back %s after the start\n", time.Since(started).Round(time.Millisecond))
		Expect(memberState(ctx, "1397")).NotTo(ContainSubstring("paused"), "who was ready is ready")
		Expect(memberState(ctx, "1399")).To(ContainSubstring("SignedOut"))
		reregister(ctx, append(all, ready, resting))
		Eventually(rows(ctx, center, "pbxes", "main")).Should(shows("REGISTERED", fmt.Sprint(phones+2), "CONNECTED", "True", "READY", "True"), "the recovery is reported")
		Eventually(func() string {
			return kubectl(ctx, "get", "agents", "-n", center, "-o", `jsonpath={range .items[*]}{.status.sip.state}{"\n"}{end}`)
		}).Should(WithTransform(func(states string) int { return strings.Count(states, "Registered\n") }, Equal(phones+2)))

		By("ringing the one who is ready, and not the one at lunch")
		before := resting.Rings()
		served(ctx, all[0], "699", ready)
		Expect(resting.Rings()).To(Equal(before))
		events := kubectl(ctx, "get", "events", "-n", center, "-o", `jsonpath={range .items[*]}{.regarding.kind}{.involvedObject.kind} {.reason}{"\n"}{end}`)
		Expect(events).To(ContainSubstring("PBX AsteriskDown"))
	}, SpecTimeout(patience*4))
})

// crewless is an agent that no selector of the specs matches.
func crewless(name, extension string) string {
	return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Agent\nmetadata: {name: %s}\nspec: {fullName: The phone %s, username: u%s, extension: %q}", name, name, extension, extension)
}

// registerAll registers the phones of agents phone-000 and so on.
func registerAll(ctx context.Context, n int) []*phone.Phone {
	GinkgoHelper()
	all := make([]*phone.Phone, n)
	for i := range all {
		all[i] = phoneOf(ctx, fmt.Sprintf("phone-%03d", i))
	}
	reregister(ctx, all)
	return all
}

// reregister registers phones as fast as they would after an outage, each trying again until it is let in.
func reregister(ctx context.Context, all []*phone.Phone) {
	GinkgoHelper()
	g := new(errgroup.Group)
	g.SetLimit(20)
	for _, p := range all {
		g.Go(func() (err error) {
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Second) {
				if err = p.Register(ctx); err == nil {
					return nil
				}
			}
			return err
		})
	}
	Expect(g.Wait()).To(Succeed())
}

// memberState is the line of a member of the queue outage.
func memberState(ctx context.Context, extension string) (string, error) {
	out, err := stack.Asterisk.RX(ctx, "queue show outage")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "PJSIP/"+extension) {
			return line, nil
		}
	}
	return "", fmt.Errorf("no member %s in:\n%s", extension, out)
}
