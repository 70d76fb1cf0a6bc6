package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/customer"
)

var _ = Describe("An account with a layout, a mandatory disposition and a contact list", func() {
	const namespace = "letters"
	const rest = `
  contactListRef: {name: customers}
  disposition: {mode: Mandatory, pauseWhileDisposing: Enabled}
  template: {layoutRef: {name: letter}, logo: {configMapKeyRef: {name: company, key: logo.png}}}`
	const objects = `apiVersion: ringmaster.dev/v1alpha1
kind: MessageTemplate
metadata: {name: letter}
spec: {key: letter, type: Layout, body: {html: '<p><img src="{{ logo }}" alt="us"></p><div>{{ content }}</div><p>{{ agent.name }} of {{ account.key }}</p>'}}
---
apiVersion: ringmaster.dev/v1alpha1
kind: DispositionSet
metadata: {name: orders}
spec: {scope: ContactList, contactListRef: {name: customers}, items: [{name: Order}, {name: Delivery, parent: Order}]}`
	const list = `apiVersion: ringmaster.dev/v1alpha1
kind: ContactList
metadata: {name: customers}`

	It("sends letters, knows who wrote, and closes nothing without a reason", func(ctx SpecContext) {
		var logo bytes.Buffer
		Expect(png.Encode(&logo, image.NewGray(image.Rect(0, 0, 8, 8)))).To(Succeed())
		newCenter(ctx, namespace, "{}")
		apply(ctx, namespace, objects, mailbox("letters", "LETT", "letters")+rest, mailQueue("letters", "5m"),
			fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: company, labels: {ringmaster.dev/content: ''}}\nbinaryData: {logo.png: %s}",
				base64.StdEncoding.EncodeToString(logo.Bytes())),
			signIn("lena", `extension: "1331"`, "channels: [{name: Email, capacity: 5}]"))
		awaitReady(ctx, namespace, "agent/lena", "messagetemplate/letter", "dispositionset/orders", "emailaccount/letters")
		kubectl(ctx, "wait", "-n", namespace, "--for=condition=ContactListFound=False", "--timeout=60s", "emailaccount/letters")
		apply(ctx, namespace, list)
		awaitReady(ctx, namespace, "contactlist/customers")
		kubectl(ctx, "wait", "-n", namespace, "--for=condition=TemplateReady", "--timeout=60s", "emailaccount/letters")
		kubectl(ctx, "wait", "-n", namespace, "--for=condition=ContactListFound", "--timeout=60s", "emailaccount/letters")
		lena := atDesk(ctx, namespace, "lena")
		write("letters", "a lamp with a letter")
		i := offer(ctx, lena, "a lamp with a letter")
		Expect(lena.Command(ctx, i.ID, "accept")).To(Succeed())
		_, err := lena.Reply(ctx, i.ID, "It is <on> its way.")
		Expect(err).NotTo(HaveOccurred())

		got := answer(ctx, "Re: a lamp with a letter")
		Expect(got.Type).To(HavePrefix("multipart/"))
		Expect(got.Text).To(HavePrefix("It is <on> its way."))
		Expect(got.HTML).To(And(ContainSubstring("It is &lt;on&gt; its way."), ContainSubstring("The agent lena of LETT"), ContainSubstring(`src="cid:logo@ringmaster"`)))
		Expect(got.Inline).To(HaveKeyWithValue("logo@ringmaster", customer.File{Type: "image/png", Content: logo.Bytes()}))

		Expect(lena.Command(ctx, i.ID, "close")).To(problem(409, desk.CodeDispositionRequired))
		Eventually(rows(ctx, namespace, "agents", "lena")).Should(shows("PRESENCE", "Paused"))
		Expect(lena.Close(ctx, i.ID, "Order/Delivery")).To(Succeed())
		detail, err := lena.Interaction(ctx, i.ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(detail.State).To(Equal(store.StateClosed))
		Expect(detail.Disposition).To(Equal("Order/Delivery"))
		last := detail.History[len(detail.History)-1]
		Expect([]string{last.Reason, last.Detail}).To(Equal([]string{"Closed", "Order/Delivery"}))
		Expect(detail.Contact).To(HaveField("Address", "casey@example.test"))
		Eventually(rows(ctx, namespace, "agents", "lena")).Should(shows("PRESENCE", "Ready"))
		Eventually(rows(ctx, namespace, "contactlists", "customers")).Should(shows("CONTACTS", "1", "READY", "True"))
	}, SpecTimeout(patience*3))
})
