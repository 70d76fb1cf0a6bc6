package e2e

import (
	"errors"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

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

		call, err := carl.Call(ctx, "1701")
		Expect(err).NotTo(HaveOccurred())
		Expect(vera.Rings()).To(Equal(1), "her phone rang first")
		hears(call)
		// # skips the greeting; the message is what follows the beep.
		Expect(call.SendDigits(ctx, "#")).To(Succeed())
		inbox := filepath.Join(stack.Asterisk.SpoolDir, "voicemail", "*", "1701", "INBOX")
		Eventually(func() ([]string, error) { return filepath.Glob(filepath.Join(inbox, "..", "tmp", "*.wav")) }).ShouldNot(BeEmpty(), "it records")
		sent, _ := call.Audio()
		Eventually(func() int { now, _ := call.Audio(); return now }).Should(BeNumerically(">", sent+150))
		Expect(call.Hangup(ctx)).To(Succeed())
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
})
