package e2e

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Each manifest is wrong in one place; the refusal names the field and what it must be.
var _ = Describe("kubectl apply", Ordered, ContinueOnFailure, func() {
	const namespace = "refusals"

	BeforeAll(func(ctx SpecContext) {
		newCenter(ctx, namespace, "{validation: {nameCharacters: Restricted}}")
		apply(ctx, namespace, agent("taken", "username: taken.name", `extension: "1001"`), mailQueue("mail", "30s"), voiceQueue("voice", "600"),
			mailbox("refusals", "FIRST", "mail"), "apiVersion: v1\nkind: Secret\nmetadata: {name: unlabelled}\nstringData: {password: "+goodPassword+"}")
		awaitReady(ctx, namespace, "agent/taken", "queue/mail")
		// The rules that involve other objects are known to the webhook as soon as it has seen these.
		Eventually(func() error {
			_, err := tryApply(ctx, namespace, agent("probe", "username: taken.name"))
			return err
		}).Should(MatchError(ContainSubstring("taken.name")))
	}, NodeTimeout(patience*2))

	account := func(key, address string, more string) string {
		return fmt.Sprintf(`apiVersion: ringmaster.dev/v1alpha1
kind: EmailAccount
metadata: {name: bad}
spec:
  key: %s
  address: %s
  authentication: {type: None}
  imap: {host: localhost%s}
  smtp: {host: localhost}
  routing: {queueRef: {name: mail}}`, key, address, more)
	}
	queue := func(spec string) string {
		return "apiVersion: ringmaster.dev/v1alpha1\nkind: Queue\nmetadata: {name: bad}\nspec: " + spec
	}

	DescribeTable("refuses", func(ctx SpecContext, manifest func() string, field string, rule string) {
		out, err := tryApply(ctx, namespace, manifest())
		Expect(err).To(HaveOccurred(), "accepted: %s", out)
		Expect(err.Error()).To(ContainSubstring(field), "the field")
		Expect(err.Error()).To(ContainSubstring(rule), "the rule")
	},
		// Named by the acceptance.
		Entry("a bad codec", func() string { return agent("bad", "sip: {codecs: [mp3]}") }, "spec.sip.codecs[0]", `supported values: "ulaw"`),
		Entry("a key of six characters", func() string { return account("SUPPOR", "bad@example.test", "") }, "spec.key", "may not be more than 5"),
		Entry("a weak password", func() string { return secret("weak", "agent", "password: alllowercase1") }, "password", "at least 1 uppercase letter"),
		Entry("a duplicate username", func() string { return agent("bad", "username: taken.name") }, "spec.username", "Agent taken"),
		Entry("a caller ID with a line break", func() string { return agent("bad", `sip: {callerID: {name: "A\nB"}}`) }, "spec.sip.callerID.name", "should match"),
		Entry("an unknown field", func() string { return agent("bad", "favouriteColour: blue") }, "spec.favouriteColour", "unknown field"),
		// And others.
		Entry("an extension that another agent has", func() string { return agent("bad", `extension: "1001"`) }, "spec.extension", "Agent taken"),
		Entry("an extension outside of every range", func() string { return agent("bad", `extension: "77"`) }, "spec.extension", "1000 to 9999"),
		Entry("an extension with letters", func() string { return agent("bad", `extension: "10a1"`) }, "spec.extension", "should match"),
		Entry("a browser that registers over UDP", func() string { return agent("bad", "typology: WebRTC") }, "sip.transport", "WebRTC registers over WSS"),
		Entry("voicemail without a PIN", func() string { return agent("bad", "voicemail: {state: Enabled}") }, "pinSecretRef", "required when state is Enabled"),
		Entry("a PIN with letters", func() string { return secret("weak", "agent", "pin: abcd") }, "pin", "4 to 10 digits"),
		Entry("a pickup group that does not exist", func() string { return agent("bad", "sip: {pickupGroups: [64]}") }, "spec.sip.pickupGroups[0]", "less than or equal to 63"),
		Entry("a registration of a week", func() string { return agent("bad", "sip: {expires: 168h}") }, "spec.sip.expires", "between 60s and 24h"),
		Entry("a full name that breaks out of its line", func() string { return agent("bad") + `  alias: "x\r\n[evil]"` }, "spec.alias", "should match"),
		Entry("a name that the center does not take", func() string {
			return strings.Replace(agent("bad"), "The agent bad", "Mr. Bad", 1)
		}, "spec.fullName", "letters, digits, blanks"),
		Entry("a voice queue without a number", func() string { return queue("{channel: Voice}") }, "number", "required for channel Voice"),
		Entry("a number that another queue has", func() string { return queue(`{channel: Voice, number: "600"}`) }, "spec.number", "Queue voice"),
		Entry("a mail queue that rings everybody", func() string { return queue("{channel: Email, strategy: Ringall}") }, "strategy", "RRMemory, LeastRecent and BeepAll"),
		Entry("a member that is two things", func() string {
			return queue(`{channel: Email, members: [{teamRef: {name: a}, agentRef: {name: b}}]}`)
		}, "spec.members[0]", "exactly one of the fields"),
		Entry("an address that another account has", func() string { return account("OTHER", "Refusals@example.test", "") }, "spec.address", "EmailAccount refusals"),
		Entry("a poll every second", func() string { return account("OTHER", "bad@example.test", ", pollInterval: 1s") }, "spec.imap.pollInterval", "between 10s and 1h"),
		Entry("a switch that YAML 1.1 takes for a boolean", func() string { return agent("bad", "accountState: on") }, "spec.accountState", `supported values: "Active"`),
		Entry("a second contact center", func() string {
			return "apiVersion: ringmaster.dev/v1alpha1\nkind: ContactCenter\nmetadata: {name: second}\nspec: {}"
		}, "metadata", "center"),
		Entry("a range that runs backwards", func() string {
			return `apiVersion: ringmaster.dev/v1alpha1
kind: ContactCenter
metadata: {name: center}
spec: {extensions: {ranges: [{from: "2000", to: "1000"}]}}`
		}, "spec.extensions.ranges[0]", "from must not be greater than to"),
	)

	It("has made nothing of what it refused", func(ctx SpecContext) {
		out := kubectl(ctx, "get", "agents,queues,emailaccounts,secrets", "-n", namespace, "-o", "name")
		for _, name := range []string{"/bad", "/weak", "/second", "/probe"} {
			Expect(strings.Fields(out)).NotTo(ContainElement(HaveSuffix(name)))
		}
	})
})
