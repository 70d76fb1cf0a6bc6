package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

var _ = Describe("Voicemail", func() {
	It("takes a message when nobody answers, and is heard by *97", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		apply(ctx, center, secret("vera", "agent", `pin: "4711"`),
			agent("vera", `extension: "1701"`, "voicemail: {state: Enabled, pinSecretRef: {name: vera, key: pin}}"), agent("carl", `extension: "1702"`))
		awaitReady(ctx, center, "agent/vera", "agent/carl")
		vera, carl := registered(ctx, "vera"), registered(ctx, "carl")
		vera.SetMode(phone.RingOnly)

		leaveMessage(ctx, carl, "1701")
		Expect(vera.Rings()).To(Equal(1), "her phone rang first")
		inbox := mailboxOf("1701", "INBOX")
		var message string
		Eventually(func() ([]string, error) {
			files, err := filepath.Glob(filepath.Join(inbox, "msg0000.*"))
			for _, f := range files {
				if filepath.Ext(f) != ".txt" {
					message = f
				}
			}
			return files, err
		}).Should(HaveLen(2), "the message and what is known of it")
		info, err := os.Stat(message)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Size()).To(BeNumerically(">", 1000))

		own := talk(ctx, vera, "*97")
		Expect(own.Hangup(ctx)).To(Succeed())
		_, err = carl.Call(ctx, "*97")
		var refused *phone.StatusError
		Expect(errors.As(err, &refused)).To(BeTrue(), "carl has no mailbox: %v", err)
		Expect(refused.Code).To(Equal(404))
	}, SpecTimeout(patience*2))

	It("tells the owner by mail, once for each message", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		settings := strings.TrimSpace(kubectl(ctx, "get", "contactcenters", "-n", center, "-o", "name"))
		systemMail := func(ctx context.Context, ref string) {
			kubectl(ctx, "patch", settings, "-n", center, "--type=merge", "-p", `{"spec": {"systemMail": `+ref+`}}`)
		}
		ready := func() string {
			return kubectl(ctx, "get", settings, "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="SystemMailReady")].reason}`)
		}
		Eventually(ready).Should(Equal(v1alpha1.ReasonNotConfigured))
		DeferCleanup(func(ctx SpecContext) { systemMail(ctx, "null") }, NodeTimeout(patience))
		systemMail(ctx, `{"emailAccountRef": {"name": "ops"}}`)
		Eventually(ready).Should(Equal(v1alpha1.ReasonAccountNotFound))
		apply(ctx, center, mailQueue("office", "30s"), mailbox("ops", "OPS", "office"), secret("nina", "agent", `pin: "4711"`),
			agent("nina", `extension: "1703"`, "email: "+stack.Dovecot.Address("nina"), "voicemail: {state: Enabled, notification: Email, pinSecretRef: {name: nina, key: pin}}"),
			agent("otto", `extension: "1704"`))
		awaitReady(ctx, center, "agent/nina", "agent/otto", "emailaccount/ops")
		Eventually(ready).Should(Equal(v1alpha1.ReasonSucceeded))
		otto := registered(ctx, "otto")

		for count, subject := range []string{"New voice message (1 unread)", "New voice message (2 unread)"} {
			leaveMessage(ctx, otto, "1703")
			m := arrived(ctx, "nina", subject)
			Expect(m.From).To(ContainSubstring(stack.Dovecot.Address("ops")))
			Expect(m.Text).To(And(ContainSubstring("Hello The agent nina,"), ContainSubstring("Dial *97"), Not(ContainSubstring("1704"))))
			Expect(unseen("nina")).To(Equal(count+1), "one mail for each message")
		}
	}, SpecTimeout(patience*2))
})

// mailboxOf is a folder of a voicemail box on the PBX's disk.
func mailboxOf(number, folder string) string {
	return filepath.Join(stack.Asterisk.SpoolDir, "voicemail", "*", number, folder)
}

// leaveMessage calls a number that nobody answers and says something for three seconds.
func leaveMessage(ctx context.Context, from *phone.Phone, number string) {
	GinkgoHelper()
	call, err := from.Call(ctx, number)
	Expect(err).NotTo(HaveOccurred())
	hears(call)
	// # skips the greeting; the message is what follows the beep.
	Expect(call.SendDigits(ctx, "#")).To(Succeed())
	Eventually(func() ([]string, error) { return filepath.Glob(filepath.Join(mailboxOf(number, "tmp"), "*.wav")) }).ShouldNot(BeEmpty(), "it records")
	sent, _ := call.Audio()
	Eventually(func() int { now, _ := call.Audio(); return now }).Should(BeNumerically(">", sent+150))
	Expect(call.Hangup(ctx)).To(Succeed())
}
