package e2e

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("An AgentProfile", func() {
	profile := func(spec string) string {
		return "apiVersion: ringmaster.dev/v1alpha1\nkind: AgentProfile\nmetadata: {name: trainee}\nspec: {" + spec + "}"
	}
	// seen is what the desk and the PBX make of an agent: whether customers are masked, and the codecs.
	seen := func(ctx context.Context, d *deskclient.Client, extension string) func() (string, error) {
		return func() (string, error) {
			p, err := d.Profile(ctx)
			if err != nil {
				return "", err
			}
			endpoint, err := stack.Asterisk.RX(ctx, "pjsip show endpoint "+extension)
			_, allow, _ := strings.Cut(endpoint, " allow ")
			allow, _, _ = strings.Cut(allow, "\n")
			return p.Permissions.SensitiveData + " " + strings.Join(p.Client.Codecs, ",") + " " + strings.Trim(allow, " :"), err
		}
	}

	// withG722 counts the agents whose present codec is g722.
	withG722 := func(ctx context.Context) int {
		return strings.Count(kubectl(ctx, "get", "agents", "-n", center, "-o", "jsonpath={.items[*].status.effective.sip.codecs}"), "g722")
	}

	It("decides for its agents at the desk and on the PBX, and what was in effect outlives it", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		const masked = "sensitiveData: Masked, sip: {codecs: [alaw]}"
		apply(ctx, center, profile(masked), signIn("pia", `extension: "1346"`, "profileRef: {name: trainee}"),
			signIn("ron", `extension: "1347"`, "profileRef: {name: trainee}", "sensitiveData: Visible", "sip: {codecs: [ulaw]}"))
		awaitReady(ctx, center, "agentprofile/trainee", "agent/pia", "agent/ron")
		others := []string{}
		for n := 1348; n <= 1360; n++ {
			others = append(others, agent(fmt.Sprintf("trainee-%d", n), fmt.Sprintf(`extension: "%d"`, n), fmt.Sprintf("username: trainee.%d", n), "profileRef: {name: trainee}"))
		}
		apply(ctx, center, others...)
		kubectl(ctx, "wait", "--for=condition=Ready", "agents", "--all", "-n", center, "--timeout="+patience.String())
		pia, ron := seen(ctx, atDesk(ctx, center, "pia"), "1346"), seen(ctx, atDesk(ctx, center, "ron"), "1347")
		Eventually(pia).Should(Equal("Masked alaw (alaw)"))
		Expect(ron()).To(Equal("Visible ulaw (ulaw)"), "the agent's own settings come first")
		Eventually(rows(ctx, center, "agentprofiles", "trainee")).Should(shows("AGENTS", "15", "READY", "True"))

		By("a change")
		before := reloadCount()
		apply(ctx, center, profile("sip: {codecs: [g722]}"))
		Eventually(pia).Should(Equal("Visible g722 (g722)"))
		Eventually(withG722).WithArguments(ctx).Should(Equal(14))
		Expect(reloadCount()-before).To(Equal(1), "the PBX loads it once for all")
		Expect(ron()).To(Equal("Visible ulaw (ulaw)"))
		apply(ctx, center, profile(masked))
		Eventually(pia).Should(Equal("Masked alaw (alaw)"))

		By("its end")
		kubectl(ctx, "delete", "agentprofile", "trainee", "-n", center)
		Eventually(rows(ctx, center, "agents", "pia")).Should(shows("READY", "False", "REASON", v1alpha1.ReasonReferenceMissing))
		Expect(pia()).To(Equal("Masked alaw (alaw)"), "nobody sees more because a profile is gone")
		apply(ctx, center, profile("sip: {codecs: [gsm]}"))
		Eventually(pia).Should(Equal("Visible gsm (gsm)"))
		awaitReady(ctx, center, "agent/pia")
	}, SpecTimeout(patience*2))
})
