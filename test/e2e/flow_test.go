package e2e

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

var _ = Describe("Routing flows", Ordered, func() {
	const namespace = "flows"
	var fay *deskclient.Client
	// Closed until the object says otherwise, whatever the hour is.
	schedule := func(days string) string {
		return fmt.Sprintf("apiVersion: ringmaster.dev/v1alpha1\nkind: Schedule\nmetadata: {name: office}\nspec: {timeZone: UTC, weekly: [%s]}", days)
	}
	later := fmt.Sprintf(`{days: [%s], from: "00:00", to: "24:00"}`, time.Now().UTC().AddDate(0, 0, 3).Weekday())
	const always = `{days: [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday], from: "00:00", to: "24:00"}`
	const flow = `apiVersion: ringmaster.dev/v1alpha1
kind: RoutingFlow
metadata: {name: incoming}
spec:
  steps:
  - {name: spam, when: 'mail.subject.startsWith("lottery")', close: {disposition: Spam}}
  - {name: urgent, when: 'mail.headers["subject"].contains("fire")', tag: {add: [urgent]}}
  - {name: tell, when: '!open("office")', autoReply: {templateRef: {name: closed}}}
  - {name: morning, wait: {untilOpen: {name: office}}}
  - {name: agents, queue: {queueRef: {name: answers}, timeout: 10m}}`
	const template = `apiVersion: ringmaster.dev/v1alpha1
kind: MessageTemplate
metadata: {name: closed}
spec: {key: closed, type: AutoReply, subject: "Closed: {{ mail.subject }}", body: {text: "We read it tomorrow.", html: "<p>We read it tomorrow.</p>"}}`

	BeforeAll(func(ctx SpecContext) {
		newCenter(ctx, namespace, "{}")
		box := strings.Replace(mailbox("flow", "FLOW", ""), "queueRef: {name: }", "flowRef: {name: incoming}", 1)
		apply(ctx, namespace, box, flow, template, schedule(later), mailQueue("answers", "5m"), signIn("fay", `extension: "1330"`, "channels: [{name: Email, capacity: 5}]"))
		awaitReady(ctx, namespace, "agent/fay", "routingflow/incoming", "emailaccount/flow", "schedule/office", "messagetemplate/closed")
		fay = atDesk(ctx, namespace, "fay")
	}, NodeTimeout(patience*2))

	It("answer while the office is closed, and hand out what waited when it opens", func(ctx SpecContext) {
		write("flow", "a fire in the lamp shop")
		got := answer(ctx, "Closed: a fire in the lamp shop")
		Expect(got.Text).To(ContainSubstring("We read it tomorrow."))
		Expect(got.InReplyTo).NotTo(BeEmpty())
		write("flow", "lottery")
		Consistently(subjects(ctx, fay, "Offered")).WithTimeout(2 * time.Second).Should(BeEmpty())

		apply(ctx, namespace, schedule(always))
		Eventually(rows(ctx, namespace, "schedules", "office")).Should(shows("STATE", "Open"))
		i := offer(ctx, fay, "a fire in the lamp shop")
		Expect(fay.Command(ctx, i.ID, "accept")).To(Succeed())
		detail, err := fay.Interaction(ctx, i.ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(detail.Tags).To(ConsistOf("urgent"))
		var reasons []string
		for _, t := range detail.History {
			reasons = append(reasons, t.Reason)
		}
		Expect(reasons).To(Equal([]string{"Ingested", "FlowSkipped", "FlowTagged", "FlowReplied", "FlowWaiting", "FlowQueued", "Offered", "Accepted"}))
		Expect(fay.Command(ctx, i.ID, "close")).To(Succeed())
		Expect(subjects(ctx, fay, "Offered")()).To(BeEmpty(), "the lottery was closed by the flow")
	}, SpecTimeout(patience*2))
})
